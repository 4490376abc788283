//! Injects faults into splitting off the end of a journal: no record may be lost, or appear in an unexpected file.

use super::*;

/// The sequence numbers of the records in a journal. Each record contains its own number.
async fn numbers(path: &Path) -> Vec<u64> {
    let journal = Journal::<u64>::open(path).await.expect("a journal");
    let found = records(&journal).await.expect("all records are readable");
    assert!(found.iter().all(|(seq, number)| seq == number), "{found:?}");
    found.into_keys().collect()
}

/// The split-off files: all files except the journal and its rotated files.
fn split_off_files(dir: &TestDir) -> Vec<String> {
    let entries = fs::read_dir(dir.0.path()).expect("a folder").flatten();
    let names = entries.map(|entry| entry.file_name().into_string().expect("text"));
    names.filter(|name| name != "log" && !name.starts_with("log.0")).collect()
}

#[tokio::test]
async fn split_off_loses_no_record_when_any_call_fails() {
    let (mut injected, mut usable) = (0, 0);
    for (operation, after) in [
        (Operation::Truncate, 3),
        (Operation::TruncateRotated, 1),
        (Operation::TruncateRotated, 2),
        (Operation::TruncateRotated, 4),
    ] {
        for (error, once) in [(libc::EIO, true), (libc::ENOSPC, true), (libc::EACCES, true), (libc::ENOSPC, false)] {
            for pass in 0.. {
                let context = format!("{operation:?} after {after}, call {pass}, error {error}, once: {once}");
                let dir = TestDir::ready_for(operation);
                let mut journal = Journal::<u64>::open(dir.path()).await.expect("a journal");
                dir.plan(pass, error, once);
                let split = journal.split_off_after(after).await;
                if dir.remove_plan() == 0 {
                    break;
                }
                injected += 1;
                // The removal of a temporary file is best effort: its failure isn't returned.
                if let Err(refused) = &split {
                    assert!(matches!(refused, WalError::Io { .. }), "{context}: {refused}");
                    match journal.append(&6).await {
                        Ok(seq) => {
                            assert_eq!(seq, 6, "{context}: the journal is unchanged");
                            usable += 1;
                        }
                        Err(refused) => {
                            assert!(matches!(refused, WalError::Interrupted { .. }), "{context}: {refused}");
                        }
                    }
                }
                drop(journal);

                let remaining = numbers(&dir.path()).await;
                assert!(
                    remaining == Vec::from_iter(1..=remaining.len() as u64) && remaining.len() as u64 >= after,
                    "{context}: {remaining:?}"
                );
                let split_off = split_off_files(&dir);
                assert!(
                    split_off.iter().all(|name| name.starts_with("log.after-") && !name.ends_with(".new")),
                    "{context}: {split_off:?}"
                );
                if (remaining.len() as u64) < 5 {
                    assert_eq!(
                        numbers(&dir.0.path().join(&split_off[0])).await,
                        Vec::from_iter(after + 1..=5),
                        "{context}"
                    );
                }
                // A second attempt completes the split.
                let mut journal = Journal::<u64>::open(dir.path()).await.expect("a journal");
                journal.split_off_after(after).await.unwrap_or_else(|error| panic!("{context}: {error}"));
                assert_eq!(journal.append(&(after + 1)).await.expect("append"), after + 1, "{context}");
                drop(journal);
                assert_eq!(numbers(&dir.path()).await, Vec::from_iter(1..=after + 1), "{context}");
            }
        }
    }
    assert!(injected > 200 && usable > 50, "{injected} failures; after {usable} the handle was usable");
}
