//! `split_off_after` and `reset_after`: move records to a new file, and delete none.

use crate::support::*;
use minisnap::SnapStore;
use minisnap_wal::{Journal, Log, WalError, recover};
use ministore::MiniStore;
use std::{fs, path::Path};

async fn numbers_in(path: &Path) -> Vec<(u64, u64)> {
    records(&Journal::<u64>::open(path).await.expect("a journal")).await
}

#[tokio::test]
async fn split_off_moves_the_end_to_a_new_journal() {
    let (dir, mut journal) = TestDir::with_records(9).await;
    journal.truncate(2).await.expect("truncate");
    let aside = journal.split_off_after(6).await.expect("split off").expect("there are three");
    assert_eq!(aside, journal.path().with_file_name("log.after-6"));
    assert_eq!((journal.first(), journal.last()), (3, 6));
    append(&mut journal, 7).await;
    assert_eq!(records(&journal).await, numbered(3, 7));
    drop(journal);
    assert_eq!(records(&dir.open().await).await, numbered(3, 7));
    assert_eq!(numbers_in(&aside).await, numbered(7, 9));
    assert_eq!(MiniStore::replay::<u64, _>(&aside).await.expect("ministore replays it"), [7, 8, 9]);
    assert_eq!(dir.names(), ["log", "log.after-6"]);
}

#[tokio::test]
async fn split_off_overwrites_no_file() {
    let (dir, mut journal) = TestDir::with_records(3).await;
    dir.write("log.after-1", "unrelated");
    for name in ["log.after-1-2", "log.after-1-3"] {
        let aside = journal.split_off_after(1).await.expect("split off").expect("there are two");
        assert!(aside.ends_with(name), "{aside:?}");
        assert_eq!(numbers_in(&aside).await, numbered(2, 3));
        append(&mut journal, 3).await;
    }
    assert_eq!(fs::read_to_string(dir.folder().join("log.after-1")).expect("a file"), "unrelated");
}

#[tokio::test]
async fn split_off_fails_for_a_number_the_journal_lacks() {
    let (dir, mut journal) = TestDir::with_records(5).await;
    journal.truncate(2).await.expect("truncate");
    let text = dir.text();
    assert_eq!(journal.split_off_after(5).await.expect("no change"), None);
    let gap = journal.split_off_after(1).await.expect_err("2 is truncated");
    assert!(matches!(gap, WalError::Gap { from: 2, to: 2, .. }), "{gap}");
    let beyond = journal.split_off_after(6).await.expect_err("beyond its end");
    assert!(matches!(beyond, WalError::Beyond { last: 5, seq: 6, .. }), "{beyond}");
    assert_eq!((dir.text(), dir.names()), (text, vec!["log".to_owned()]));
    append(&mut journal, 6).await;
}

#[tokio::test]
async fn split_off_works_at_any_number_of_a_rotated_journal() {
    for begins_after in ["", " after 0"] {
        for after in 0..=5 {
            let dir = TestDir::new();
            dir.write("log.000001", format!("// MINISTORE JOURNAL v0.1.4{begins_after}\n1\n2\n"));
            dir.write("log.000002", format!("{HEADER}3\n4\n"));
            dir.write("log", format!("{HEADER}5\n"));
            let mut journal = dir.open().await;
            let aside = journal.split_off_after(after).await.expect("split off");
            assert_eq!((journal.first(), journal.last()), (1, after));
            assert_eq!(records(&journal).await, numbered(1, after), "{after}");
            append(&mut journal, after + 1).await;
            drop(journal);
            assert_eq!(records(&dir.open().await).await, numbered(1, after + 1), "{after}");
            let replayed: Vec<u64> = MiniStore::replay(dir.log()).await.expect("ministore replays it");
            assert_eq!(replayed, Vec::from_iter(1..=after + 1));
            match aside {
                Some(aside) => assert_eq!(numbers_in(&aside).await, numbered(after + 1, 5), "{after}"),
                None => assert_eq!(after, 5),
            }
        }
    }
}

#[tokio::test]
async fn reset_continues_after_any_number() {
    for (truncated, seq) in [(0, 20), (3, 1), (5, 2), (5, 5)] {
        let (dir, mut journal) = TestDir::with_records(5).await;
        journal.truncate(truncated).await.expect("truncate");
        let aside = journal.reset_after(seq).await.expect("reset");
        assert_eq!((journal.first(), journal.last()), (seq + 1, seq));
        append(&mut journal, seq + 1).await;
        drop(journal);
        assert_eq!(records(&dir.open().await).await, numbered(seq + 1, seq + 1));
        match aside {
            Some(aside) => assert_eq!(numbers_in(&aside).await, numbered(truncated + 1, 5)),
            None => assert_eq!(truncated, 5, "there was nothing to move aside"),
        }
    }
    let dir = TestDir::new();
    dir.write("log.000001", format!("{HEADER}1\n2\n"));
    dir.write("log", format!("{HEADER}3\n"));
    let mut journal = dir.open().await;
    journal.reset_after(7).await.expect("reset");
    drop(journal);
    assert_eq!((dir.open().await.last(), dir.names()), (7, vec!["log".to_owned(), "log.after-0".to_owned()]));
}

#[tokio::test]
async fn recovery_returns_the_older_state_after_split_off() {
    let (dir, mut journal) = TestDir::with_records(9).await;
    let store = SnapStore::new(dir.folder().join("state"));
    for seq in [4, 8, 4] {
        store.create(&Vec::from_iter(1..=seq), seq).await.expect("create");
    }
    journal.split_off_after(4).await.expect("split off");
    let found =
        recover(&store, &journal, Vec::new(), |numbers, _, number| numbers.push(number)).await.expect("recover");
    assert_eq!((found.state, found.seq), (vec![1, 2, 3, 4], 4), "without the split-off records");
}

#[tokio::test]
async fn split_off_fails_when_another_program_replaced_the_file() {
    let (dir, mut journal) = TestDir::with_records(5).await;
    let other = format!("{HEADER}10\n20\n30\n40\n50\n");
    dir.write("other", &other);
    fs::rename(dir.folder().join("other"), dir.log()).expect("to replace it");
    let refused = journal.split_off_after(2).await.expect_err("another program's file");
    assert!(matches!(refused, WalError::NotAJournal { .. }), "{refused}");
    assert_eq!((dir.text(), dir.names()), (other, vec!["log".to_owned()]));
}
