//! The sequence numbers of a journal: from 1, after a given number, and up to `u64::MAX`.

use crate::support::*;
use minisnap_wal::{Journal, Log, WalError};

#[tokio::test]
async fn numbers_are_consecutive_across_restarts_and_truncations() {
    let (dir, journal) = TestDir::with_records(3).await;
    assert_eq!((journal.first(), journal.last()), (1, 3));
    drop(journal);
    let mut journal = dir.open().await;
    assert_eq!(records(&journal).await, numbered(1, 3));
    append(&mut journal, 5).await;

    journal.truncate(4).await.expect("truncate");
    assert_eq!((journal.first(), journal.last()), (5, 5));
    append(&mut journal, 6).await;
    drop(journal);
    let mut journal = dir.open().await;
    assert_eq!(records(&journal).await, numbered(5, 6));

    // A truncation of all records.
    journal.truncate(6).await.expect("truncate");
    assert_eq!((journal.first(), journal.last()), (7, 6));
    drop(journal);
    let mut journal = dir.open().await;
    assert_eq!((journal.first(), journal.last()), (7, 6));
    append(&mut journal, 7).await;
    assert_eq!(records(&journal).await, numbered(7, 7));
    assert_eq!(dir.text(), "// MINISTORE JOURNAL v0.1.4 after 6\n7\n");
    assert_eq!(dir.names(), ["log"]);
}

#[tokio::test]
async fn begin_after_starts_at_a_number_unless_there_are_records() {
    let dir = TestDir::new();
    let mut journal = Journal::<u64>::begin_after(dir.log(), 1200).await.expect("a journal");
    assert_eq!((journal.first(), journal.last()), (1201, 1200));
    append(&mut journal, 1201).await;
    drop(journal);
    assert_eq!(dir.text(), "// MINISTORE JOURNAL v0.1.4 after 1200\n1201\n");
    let refused = Journal::<u64>::begin_after(dir.log(), 7).await.expect_err("there are records");
    assert!(matches!(refused, WalError::NotAJournal { .. }), "{refused}");
    assert_eq!(records(&dir.open().await).await, [(1201, 1201)]);

    // No number is assigned twice, also if its record was truncated.
    let (dir, mut journal) = TestDir::with_records(9).await;
    journal.truncate(9).await.expect("truncate");
    drop(journal);
    let refused = Journal::<u64>::begin_after(dir.log(), 4).await.expect_err("5 to 9 were assigned");
    assert!(matches!(refused, WalError::NotAJournal { .. }), "{refused}");
    assert_eq!(Journal::<u64>::begin_after(dir.log(), 9).await.expect("a journal").last(), 9);

    // The highest number is `u64::MAX`.
    let dir = TestDir::new();
    let mut journal = Journal::<u64>::begin_after(dir.log(), u64::MAX - 1).await.expect("a journal");
    assert_eq!(journal.append(&0).await.expect("append"), u64::MAX);
    let refused = journal.append(&0).await.expect_err("no number is left");
    assert!(matches!(refused, WalError::Log { .. }), "{refused}");
    drop(journal);
    assert_eq!(dir.open().await.last(), u64::MAX);
}

#[tokio::test]
async fn journal_is_empty_when_it_begins_after_the_last_number() {
    // A header may state the last number, and the truncation of a journal may lead to it.
    for last in [u64::MAX, u64::MAX - 1] {
        let dir = TestDir::with(&format!("// MINISTORE JOURNAL v0.1.4 after {last}\n"));
        let found = Journal::<u64>::inspect(dir.log()).await.expect("inspect");
        assert_eq!((found.records(), found.after(), found.last), (0, last, last));
        assert!(matches!(found.check_reaches(last - 1), Err(WalError::Gap { to, .. }) if to == last));
        found.check_reaches(last).expect("the journal reaches its end");
        let mut journal = Journal::<u64>::begin_after(dir.log(), last).await.expect("a journal");
        assert_eq!((journal.records(), journal.last()), (0, last));
        assert_eq!(records_after(&journal, last).await.expect("replay"), []);
        assert!(
            matches!(records_after(&journal, last - 1).await, Err(WalError::Gap { from, to, .. }) if (from, to) == (last, last))
        );
        assert!(matches!(journal.split_off_after(last - 1).await, Err(WalError::Gap { .. })));
        assert_eq!(journal.reset_after(u64::MAX).await.expect("reset"), None);
        assert!(journal.append(&1).await.is_err(), "no number is left");
        assert_eq!(journal.reset_after(u64::MAX - 2).await.expect("reset"), None);
        append(&mut journal, u64::MAX - 1).await;
        append(&mut journal, u64::MAX).await;
        assert_eq!(records_after(&journal, u64::MAX - 1).await.expect("replay"), [(u64::MAX, u64::MAX)]);
        let aside = journal.split_off_after(u64::MAX - 1).await.expect("split off").expect("a file");
        assert_eq!(Journal::<u64>::inspect(aside).await.expect("inspect").records(), 1);
        append(&mut journal, u64::MAX).await;
        journal.truncate(u64::MAX).await.expect("truncate");
        assert_eq!((journal.records(), dir.text()), (0, format!("// MINISTORE JOURNAL v0.1.4 after {}\n", u64::MAX)));
        drop(journal);
        let journal = dir.open().await;
        assert_eq!((journal.records(), journal.last()), (0, u64::MAX));
    }
}
