//! Compatibility with the released `ministore` 0.1.7: each of the two libraries reads the journals of
//! the other.

use crate::support::*;
use minisnap::SnapStore;
use minisnap_wal::{Log, WalError};
use ministore::{MiniStore, MiniStoreOptions};
use serde::{Deserialize, Serialize};

async fn replayed(dir: &TestDir) -> Vec<u64> {
    MiniStore::replay(dir.log()).await.expect("ministore replays it")
}

#[tokio::test]
async fn ministore_replays_the_tail_of_a_truncated_journal() {
    let (dir, mut journal) = TestDir::with_records(9).await;
    assert_eq!(replayed(&dir).await, Vec::from_iter(1..=9));
    for through in [3, 8, 9] {
        journal.truncate(through).await.expect("truncate");
        assert_eq!(replayed(&dir).await, Vec::from_iter(through + 1..=9));
    }
    append(&mut journal, 10).await;
    assert_eq!(replayed(&dir).await, [10]);
}

#[tokio::test]
async fn ministore_appends_to_a_truncated_journal() {
    let (dir, mut journal) = TestDir::with_records(4).await;
    journal.truncate(2).await.expect("truncate");
    drop(journal);
    let mut ministore = MiniStore::open(dir.log()).await.expect("ministore opens it");
    ministore.append(&5).await.expect("append");
    drop(ministore);
    assert_eq!(replayed(&dir).await, [3, 4, 5]);
    assert_eq!(records(&dir.open().await).await, numbered(3, 5));
}

/// Writes ten records with `ministore`, which rotates after three.
async fn rotated(dir: &TestDir, max_segments: usize) {
    let options = MiniStoreOptions::new().max_bytes_per_segment(34).max_segments(max_segments);
    let mut ministore = options.open(dir.log()).await.expect("ministore opens it");
    for number in 1..=10_u64 {
        ministore.append(&number).await.expect("append");
    }
}

#[tokio::test]
async fn rotated_journal_is_numbered_and_truncated_by_file() {
    let dir = TestDir::new();
    rotated(&dir, 99).await;
    assert_eq!(dir.names(), ["log", "log.000001", "log.000002", "log.000003"]);
    let mut journal = dir.open().await;
    assert_eq!(records(&journal).await, numbered(1, 10));
    for (through, names) in [
        (2, &["log", "log.000001", "log.000002", "log.000003"][..]),
        (3, &["log", "log.000002", "log.000003"]),
        (7, &["log", "log.000003"]),
        (9, &["log"]),
        (10, &["log"]),
    ] {
        journal.truncate(through).await.expect("truncate");
        assert_eq!(dir.names(), names, "through {through}");
        assert_eq!(replayed(&dir).await, Vec::from_iter(through + 1..=10));
        drop(journal);
        journal = dir.open().await;
        assert_eq!(records(&journal).await, numbered(through + 1, 10));
    }
    append(&mut journal, 11).await;
    assert_eq!(replayed(&dir).await, [11]);
}

#[tokio::test]
async fn rotated_journal_is_truncated_entirely_in_one_call() {
    let dir = TestDir::new();
    rotated(&dir, 99).await;
    let mut journal = dir.open().await;
    journal.truncate(10).await.expect("truncate");
    append(&mut journal, 11).await;
    assert_eq!(dir.names(), ["log"]);
    assert_eq!(dir.text(), "// MINISTORE JOURNAL v0.1.4 after 10\n11\n");
}

#[tokio::test]
async fn truncated_journal_preserves_its_numbers_when_rotated() {
    let (dir, mut journal) = TestDir::with_records(4).await;
    journal.truncate(2).await.expect("truncate");
    drop(journal);
    let options = MiniStoreOptions::new().max_bytes_per_segment(40).max_segments(99);
    let mut ministore = options.open(dir.log()).await.expect("ministore opens it");
    for number in 5..=12_u64 {
        ministore.append(&number).await.expect("append");
    }
    assert!(dir.names().len() > 1, "{:?}", dir.names());
    assert_eq!(records(&dir.open().await).await, numbered(3, 12));
}

#[tokio::test]
async fn interrupted_rotation_is_completed_when_opened() {
    // The crash came after the rename, before the new file was created.
    let dir = TestDir::new();
    dir.write("log.000001", format!("{HEADER}1\n2\n"));
    let mut journal = dir.open().await;
    assert_eq!(records(&journal).await, numbered(1, 2));
    append(&mut journal, 3).await;
    assert_eq!(dir.text(), "// MINISTORE JOURNAL v0.1.4 after 2\n3\n");
    assert_eq!(replayed(&dir).await, [1, 2, 3]);
}

#[tokio::test]
async fn rotated_journal_is_rejected_without_its_oldest_files() {
    let dir = TestDir::new();
    rotated(&dir, 2).await;
    assert_eq!(dir.names(), ["log", "log.000003"]);
    let refused = dir.try_open().await.expect_err("the oldest files are missing");
    assert!(matches!(refused, WalError::OldestLost { .. }), "{refused:?}");
    let help = refused.help().expect("advice");
    assert!(help.contains("max_segments") && !help.contains("begin"), "{help}");
    assert_eq!(dir.names(), ["log", "log.000003"]);
}

#[tokio::test]
async fn rotated_journal_is_rejected_with_a_gap_in_its_files() {
    let dir = TestDir::new();
    rotated(&dir, 99).await;
    std::fs::remove_file(dir.folder().join("log.000002")).expect("to remove it");
    let refused = dir.try_open().await.expect_err("a file is missing");
    assert!(matches!(refused, WalError::NotAJournal { .. }), "{refused}");
    assert!(refused.to_string().contains("log.000003") && refused.to_string().contains("number 1"), "{refused}");
}

#[tokio::test]
async fn files_with_inconsistent_numbers_are_rejected() {
    for (first, second) in [("", " after 3"), ("", " after 1"), (" after 7", " after 8"), ("", " after 0")] {
        let dir = TestDir::new();
        dir.write("log.000001", format!("// MINISTORE JOURNAL v0.1.4{first}\n1\n2\n"));
        dir.write("log", format!("// MINISTORE JOURNAL v0.1.4{second}\n1\n"));
        let opened = dir.try_open().await;
        if (first, second) == ("", " after 3") {
            // The first header states no number, so it follows from the second.
            assert_eq!(opened.expect("a journal").first(), 2);
        } else {
            let refused = opened.expect_err("the numbers are inconsistent");
            assert!(matches!(refused, WalError::NotAJournal { .. }), "{refused}");
        }
    }
    let dir = TestDir::new();
    dir.write("log.000001", format!("{HEADER}1\n2"));
    dir.write("log", format!("{HEADER}3\n"));
    let corrupt = dir.try_open().await.expect_err("an incomplete record in a rotated file");
    assert!(matches!(corrupt, WalError::Corrupt { line: 3, .. }), "{corrupt}");
}

#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct Numbers(Vec<u64>);

#[derive(Debug, Serialize, Deserialize)]
struct Number(u64);

impl ministate::Mutator<Numbers> for Number {
    fn apply(&self, numbers: &mut Numbers) {
        numbers.0.push(self.0);
    }
}

/// A limit of the file format. If a later `ministate` reads truncated journals, this test fails.
#[tokio::test]
async fn ministate_miscounts_the_lines_of_a_truncated_journal() {
    // `ministate` takes a line's position for its number, and skips as many lines as the snapshot's seq.
    for (truncated_through, expected) in [
        // `ministate` skips four of the records 4 to 9. It should skip one.
        (3, Some(vec![1, 2, 3, 4, 8, 9])),
        // Three lines are left, fewer than `ministate` skips.
        (6, None),
    ] {
        let (dir, mut journal) = TestDir::with_records(9).await;
        SnapStore::new(dir.folder()).create(&Numbers(vec![1, 2, 3, 4]), 4).await.expect("create");
        journal.truncate(truncated_through).await.expect("truncate");
        drop(journal);
        let found = match ministate::StateManager::<Numbers, Number>::open(dir.folder(), "log").await {
            Ok(manager) => Some(manager.snapshot().await.0),
            Err(_) => None,
        };
        assert_eq!(found, expected);
    }
}
