//! `verify` while system calls fail.

use super::*;
use minisnap_core::Corruption;

/// A generation that can't be read is never reported as intact.
#[tokio::test]
async fn verify_never_reports_intact_when_a_call_fails() {
    let store = Store::prepared_for(Action::ExpiringCommit).await;
    let orphan = store.path("snapshots/.stage-4k0q8w1z7m3x5r2t");
    fs::create_dir(&orphan).unwrap();
    fs::write(orphan.join("snapshot.json"), "[").unwrap();
    let (mut calls, mut unreadable) = (0, 0);
    for (error, once) in single_and_lasting_faults() {
        for pass in 0.. {
            store.inject_fault(pass, error, once);
            let verified = store.backend.verify().await;
            let failed = store.end_fault();
            if failed.is_empty() {
                break;
            }
            calls += 1;
            let context = format!("error {error} after {pass} calls (once: {once}): {failed:?}: {verified:?}");
            match verified {
                Ok(verified) => {
                    // An orphan that may not be opened doesn't make the store corrupt.
                    let is_of_the_orphan = error == libc::EACCES && failed[0].contains("/.stage-");
                    assert!(!verified.is_intact() || is_of_the_orphan, "{context}");
                    for problem in verified.generations.iter().filter_map(|found| found.problem.as_ref()) {
                        let folder = problem.location.strip_suffix("/snapshot.json").expect("a JSON");
                        assert!(failed.iter().any(|call| call.contains(folder)), "{context}");
                        match problem.found {
                            Corruption::Unreadable { .. } => assert_ne!(error, libc::EACCES, "{context}"),
                            Corruption::Forbidden { .. } => assert_eq!(error, libc::EACCES, "{context}"),
                            _ => panic!("{context}"),
                        }
                        unreadable += 1;
                    }
                }
                Err(MiniSnapError::Io { source, .. }) => assert_eq!(source.raw_os_error(), Some(error), "{context}"),
                Err(error) => panic!("{error}: {context}"),
            }
        }
    }
    println!("{calls} calls failed, {unreadable} files were unreadable");
    assert!(calls > 300 && unreadable > 0, "{calls}, {unreadable}");
}
