//! Beside the published `ministore` 0.1.7: it reads what is written here, and what it writes is read here.

use crate::kit::*;
use minisnap::SnapStore;
use minisnap_wal::{Log, WalError};
use ministore::{MiniStore, MiniStoreOptions};
use serde::{Deserialize, Serialize};

async fn replayed(location: &Place) -> Vec<u64> {
    MiniStore::replay(location.log()).await.expect("a plain reader")
}

#[tokio::test]
async fn a_plain_reader_replays_the_tail_of_a_truncated_journal() {
    let (location, mut journal) = Place::with_records(9).await;
    assert_eq!(replayed(&location).await, Vec::from_iter(1..=9));
    for through in [3, 8, 9] {
        journal.truncate(through).await.expect("truncate");
        assert_eq!(replayed(&location).await, Vec::from_iter(through + 1..=9));
    }
    append(&mut journal, 10).await;
    assert_eq!(replayed(&location).await, [10]);
}

#[tokio::test]
async fn a_plain_writer_goes_on_where_a_truncated_journal_ends() {
    let (location, mut journal) = Place::with_records(4).await;
    journal.truncate(2).await.expect("truncate");
    drop(journal);
    let mut plain = MiniStore::open(location.log()).await.expect("a plain writer");
    plain.append(&5).await.expect("append");
    drop(plain);
    assert_eq!(replayed(&location).await, [3, 4, 5]);
    assert_eq!(records(&location.open().await).await, numbered(3, 5));
}

/// Ten records in files of three, as `ministore` rotates them.
async fn rotated(location: &Place, max_segments: usize) {
    let options = MiniStoreOptions::new().max_bytes_per_segment(34).max_segments(max_segments);
    let mut plain = options.open(location.log()).await.expect("a plain writer");
    for number in 1..=10_u64 {
        plain.append(&number).await.expect("append");
    }
}

#[tokio::test]
async fn a_rotated_journal_is_numbered_through_and_truncated_file_by_file() {
    let location = Place::new();
    rotated(&location, 99).await;
    assert_eq!(location.names(), ["log", "log.000001", "log.000002", "log.000003"]);
    let mut journal = location.open().await;
    assert_eq!(records(&journal).await, numbered(1, 10));
    for (through, names) in [
        (2, &["log", "log.000001", "log.000002", "log.000003"][..]),
        (3, &["log", "log.000002", "log.000003"]),
        (7, &["log", "log.000003"]),
        (9, &["log"]),
        (10, &["log"]),
    ] {
        journal.truncate(through).await.expect("truncate");
        assert_eq!(location.names(), names, "through {through}");
        assert_eq!(replayed(&location).await, Vec::from_iter(through + 1..=10));
        drop(journal);
        journal = location.open().await;
        assert_eq!(records(&journal).await, numbered(through + 1, 10));
    }
    append(&mut journal, 11).await;
    assert_eq!(replayed(&location).await, [11]);
}

#[tokio::test]
async fn all_of_a_rotated_journal_can_go_at_once() {
    let location = Place::new();
    rotated(&location, 99).await;
    let mut journal = location.open().await;
    journal.truncate(10).await.expect("truncate");
    append(&mut journal, 11).await;
    assert_eq!(location.names(), ["log"]);
    assert_eq!(location.text(), "// MINISTORE JOURNAL v0.1.4 after 10\n11\n");
}

#[tokio::test]
async fn a_truncated_journal_that_was_rotated_later_keeps_its_numbers() {
    let (location, mut journal) = Place::with_records(4).await;
    journal.truncate(2).await.expect("truncate");
    drop(journal);
    let options = MiniStoreOptions::new().max_bytes_per_segment(40).max_segments(99);
    let mut plain = options.open(location.log()).await.expect("a plain writer");
    for number in 5..=12_u64 {
        plain.append(&number).await.expect("append");
    }
    assert!(location.names().len() > 1, "{:?}", location.names());
    assert_eq!(records(&location.open().await).await, numbered(3, 12));
}

#[tokio::test]
async fn a_rotation_that_was_cut_short_is_finished() {
    // It had been renamed, and the new file wasn't there yet.
    let location = Place::new();
    location.write("log.000001", format!("{HEADER}1\n2\n"));
    let mut journal = location.open().await;
    assert_eq!(records(&journal).await, numbered(1, 2));
    append(&mut journal, 3).await;
    assert_eq!(location.text(), "// MINISTORE JOURNAL v0.1.4 after 2\n3\n");
    assert_eq!(replayed(&location).await, [1, 2, 3]);
}

#[tokio::test]
async fn a_journal_whose_oldest_files_it_removed_has_no_numbers_and_is_refused() {
    let location = Place::new();
    rotated(&location, 2).await;
    assert_eq!(location.names(), ["log", "log.000003"]);
    let refused = location.try_open().await.expect_err("what was before is gone");
    assert!(matches!(refused, WalError::OldestLost { .. }), "{refused:?}");
    let help = refused.help().expect("there is a reason for it");
    assert!(help.contains("max_segments") && !help.contains("begin"), "{help}");
    assert_eq!(location.names(), ["log", "log.000003"]);
}

#[tokio::test]
async fn a_journal_that_lacks_a_file_in_the_middle_is_refused() {
    let location = Place::new();
    rotated(&location, 99).await;
    std::fs::remove_file(location.folder().join("log.000002")).expect("to remove it");
    let refused = location.try_open().await.expect_err("one is missing");
    assert!(matches!(refused, WalError::NotAJournal { .. }), "{refused}");
    assert!(refused.to_string().contains("log.000003") && refused.to_string().contains("number 1"), "{refused}");
}

#[tokio::test]
async fn files_that_do_not_fit_together_are_refused() {
    for (first, second) in [("", " after 3"), ("", " after 1"), (" after 7", " after 8"), ("", " after 0")] {
        let location = Place::new();
        location.write("log.000001", format!("// MINISTORE JOURNAL v0.1.4{first}\n1\n2\n"));
        location.write("log", format!("// MINISTORE JOURNAL v0.1.4{second}\n1\n"));
        let opened = location.try_open().await;
        if (first, second) == ("", " after 3") {
            // The first file states nothing, so that this is what it follows from.
            assert_eq!(opened.expect("a journal").first(), 2);
        } else {
            let refused = opened.expect_err("they don't fit");
            assert!(matches!(refused, WalError::NotAJournal { .. }), "{refused}");
        }
    }
    let location = Place::new();
    location.write("log.000001", format!("{HEADER}1\n2"));
    location.write("log", format!("{HEADER}3\n"));
    let corrupt = location.try_open().await.expect_err("half a record in the middle");
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

/// Where the format stands in the way. If a later `ministate` does better, this says so.
#[tokio::test]
async fn ministate_takes_a_lines_position_for_its_number_and_cannot_open_a_truncated_journal() {
    for (truncated_through, what_it_makes_of_it) in [
        // Of the lines 4 to 9 it passes over four, and not over one.
        (3, Some(vec![1, 2, 3, 4, 8, 9])),
        // There are only three lines, 7 to 9.
        (6, None),
    ] {
        let (location, mut journal) = Place::with_records(9).await;
        SnapStore::new(location.folder()).create(&Numbers(vec![1, 2, 3, 4]), 4).await.expect("create");
        journal.truncate(truncated_through).await.expect("truncate");
        drop(journal);
        let found = match ministate::StateManager::<Numbers, Number>::open(location.folder(), "log").await {
            Ok(manager) => Some(manager.snapshot().await.0),
            Err(_) => None,
        };
        assert_eq!(found, what_it_makes_of_it);
    }
}
