//! The end of a journal is split off, and the disk fails: no record is lost, and none is in the wrong place.

use super::*;

/// The numbers in a journal, which have to be those of its records.
async fn numbers(path: &Path) -> Vec<u64> {
    let journal = Journal::<u64>::open(path).await.expect("a journal");
    let found = records(&journal).await.expect("all can be read");
    assert!(found.iter().all(|(seq, number)| seq == number), "{found:?}");
    found.into_keys().collect()
}

/// What is in a folder, but for the journal and its rotated files.
fn asides(location: &Place) -> Vec<String> {
    let entries = fs::read_dir(location.0.path()).expect("a folder").flatten();
    let names = entries.map(|entry| entry.file_name().into_string().expect("text"));
    names.filter(|name| name != "log" && !name.starts_with("log.0")).collect()
}

#[tokio::test]
async fn whatever_fails_each_record_is_in_the_journal_or_aside() {
    let (mut injected, mut went_on) = (0, 0);
    for (deed, after) in
        [(Deed::Truncate, 3), (Deed::TruncateRotated, 1), (Deed::TruncateRotated, 2), (Deed::TruncateRotated, 4)]
    {
        for (error, once) in [(libc::EIO, true), (libc::ENOSPC, true), (libc::EACCES, true), (libc::ENOSPC, false)] {
            for pass in 0.. {
                let context = format!("{deed:?} after {after}, call {pass}, error {error}, once: {once}");
                let location = Place::ready_for(deed);
                let mut journal = Journal::<u64>::open(location.path()).await.expect("a journal");
                location.plan(pass, error, once);
                let split = journal.split_off_after(after).await;
                if location.unplan() == 0 {
                    break;
                }
                injected += 1;
                // Best effort, such as the owner of the file aside, may fail unnoticed.
                if let Err(refused) = &split {
                    assert!(matches!(refused, WalError::Io { .. }), "{context}: {refused}");
                    match journal.append(&6).await {
                        Ok(seq) => {
                            assert_eq!(seq, 6, "{context}: it holds what it held");
                            went_on += 1;
                        }
                        Err(refused) => {
                            assert!(matches!(refused, WalError::Interrupted { .. }), "{context}: {refused}");
                        }
                    }
                }
                drop(journal);

                let left = numbers(&location.path()).await;
                assert!(
                    left == Vec::from_iter(1..=left.len() as u64) && left.len() as u64 >= after,
                    "{context}: {left:?}"
                );
                let asides = asides(&location);
                assert!(
                    asides.iter().all(|name| name.starts_with("log.after-") && !name.ends_with(".new")),
                    "{context}: {asides:?}"
                );
                if (left.len() as u64) < 5 {
                    assert_eq!(
                        numbers(&location.0.path().join(&asides[0])).await,
                        Vec::from_iter(after + 1..=5),
                        "{context}"
                    );
                }
                // Done again, it is as it should be.
                let mut journal = Journal::<u64>::open(location.path()).await.expect("a journal");
                journal.split_off_after(after).await.unwrap_or_else(|error| panic!("{context}: {error}"));
                assert_eq!(journal.append(&(after + 1)).await.expect("append"), after + 1, "{context}");
                drop(journal);
                assert_eq!(numbers(&location.path()).await, Vec::from_iter(1..=after + 1), "{context}");
            }
        }
    }
    assert!(injected > 200 && went_on > 50, "{injected} failures; after {went_on} it went on");
}
