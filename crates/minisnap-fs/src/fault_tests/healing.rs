//! A commit over a corrupt generation while system calls fail.

use super::*;

/// After any failure, the intact generation is retained, and the corrupt one is in place or moved aside.
#[tokio::test]
async fn commit_loses_nothing_when_a_call_fails_over_corruption() {
    let mut calls = 0;
    for (error, once) in single_and_some_lasting_faults() {
        for pass in 0.. {
            let store = Store::prepared_for(Action::ExpiringCommit).await;
            let corrupt = store.backend.current().await.unwrap().expect("a snapshot");
            let corrupt = store.path("snapshots").join(corrupt.name());
            fs::write(corrupt.join("snapshot.json"), "[").unwrap();
            store.restore().await.unwrap_err();
            store.inject_fault(pass, error, once);
            let done = store.commit(9).await;
            let failed = store.end_fault();
            if failed.is_empty() {
                break;
            }
            calls += 1;
            let context = format!("error {error} after {pass} calls (once: {once}): {failed:?}: {done:?}");
            let found = store.seqs().await;
            let is_old_or_new = match &done {
                Ok(()) => found == [9, 1],
                Err(error) if error.outcome_known() => found == [2, 1],
                Err(_) => found == [9, 1] || found == [2, 1],
            };
            assert!(is_old_or_new, "{found:?}: {context}");
            store
                .restore()
                .await
                .err()
                .into_iter()
                .for_each(|error| assert_eq!(error.at().location(), corrupt.join("snapshot.json").to_str().unwrap()));
            store.commit(10).await.unwrap();
            let found = store.seqs().await;
            assert!(found == [10, 9] || found == [10, 1], "{found:?}: {context}");
            let aside = layout::generation_aside(&corrupt);
            assert_eq!(fs::read_to_string(aside.join("snapshot.json")).unwrap(), "[", "{context}");
            assert!(!corrupt.exists(), "{context}");
        }
    }
    println!("{calls} calls failed");
    assert!(calls > 100);
}
