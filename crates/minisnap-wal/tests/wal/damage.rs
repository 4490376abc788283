//! What crashes, disks and people do to a journal.

use crate::kit::*;
use minisnap_wal::{Journal, Log, WalError};

#[tokio::test]
async fn an_append_that_was_cut_short_is_cut_off() {
    // A part of a line; all but the line break; zeros; zeros in its middle.
    for torn in ["3", "[3", "3\0\0\0", "\0\0\0\0\0", "\0\n", "3\0\0\n"] {
        let location = Place::with(&format!("{HEADER}1\n2\n{torn}"));
        let mut journal = location.open().await;
        assert_eq!(records(&journal).await, numbered(1, 2), "{torn:?}");
        append(&mut journal, 3).await;
        drop(journal);
        assert_eq!(location.text(), format!("{HEADER}1\n2\n3\n"), "{torn:?}");
    }
}

#[tokio::test]
async fn zeros_in_more_than_the_last_line_are_damage_and_stay() {
    for text in ["1\n\0\n\0\n", "1\n\0\n[2"] {
        let text = format!("{HEADER}{text}");
        let location = Place::with(&text);
        for _ in 0..3 {
            let corrupt = match location.try_open().await {
                Ok(journal) => after(&journal, 0).await.expect_err("a damaged line"),
                Err(error) => error,
            };
            assert!(matches!(corrupt, WalError::Corrupt { line: 3, .. }), "{text:?}: {corrupt}");
            assert_eq!(location.text(), text);
        }
    }
}

#[tokio::test]
async fn a_journal_that_was_cut_short_when_it_was_begun_is_begun_again() {
    for torn in ["", "// MINISTORE JOU", "\0\0\0\0\0\0\0", "// MINISTORE JOURNAL v0.1.4"] {
        let location = Place::with(torn);
        let mut journal = location.open().await;
        assert_eq!((journal.first(), journal.last()), (1, 0), "{torn:?}");
        append(&mut journal, 1).await;
        assert_eq!(location.text(), "// MINISTORE JOURNAL v0.1.4 after 0\n1\n", "{torn:?}");
    }
}

#[tokio::test]
async fn what_is_no_journal_is_refused_and_stays_as_it_is() {
    let long = format!("// MINISTORE JOURNAL v{}\n1\n", "0".repeat(1000));
    for (text, told) in [
        ("{\"Set\":1}\n", "first line"),
        ("// MINISTORE JOURNAL v0.1.4 after 18446744073709551616\n", "first line"),
        ("// MINISTORE JOURNAL v0.2.0\n1\n", "version 0.2.0"),
        ("// MINISTORE JOURNAL v0.1.4 after 18446744073709551615\n1\n", "no numbers"),
        ("// MINISTORE JOURNAL v0.1.4 after 12", "first line"),
        (long.as_str(), "first line"),
    ] {
        let location = Place::with(text);
        let refused = location.try_open().await.expect_err("it is no journal");
        assert!(matches!(refused, WalError::NotAJournal { .. }), "{refused}");
        assert!(refused.to_string().contains(told) && refused.to_string().contains("/log"), "{refused}");
        assert_eq!(location.text(), text);
        assert_eq!(location.names(), ["log"]);
    }
}

#[tokio::test]
async fn what_is_no_file_is_refused_and_nothing_waits_for_it() {
    let location = Place::new();
    std::fs::create_dir(location.log()).expect("a folder");
    let refused = location.try_open().await.expect_err("it is a folder");
    assert!(refused.to_string().contains("log"), "{refused}");

    let location = Place::new();
    let made = std::process::Command::new("mkfifo").arg(location.log()).status().expect("mkfifo");
    assert!(made.success());
    let refused = location.try_open().await.expect_err("it is a pipe");
    assert!(matches!(refused, WalError::NotAJournal { .. }), "{refused}");
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_named_by_its_line_and_nothing_is_cut() {
    for damaged in ["[", "", "\"two\"", "2 2", "\0"] {
        let text = format!("{HEADER}1\n{damaged}\n3\n");
        let location = Place::with(&text);
        let journal = location.open().await;
        assert_eq!(journal.last(), 3);
        let corrupt = after(&journal, 0).await.expect_err("a damaged line");
        assert!(matches!(corrupt, WalError::Corrupt { line: 3, .. }), "{damaged:?}: {corrupt}");
        assert!(corrupt.to_string().contains("line 3"), "{corrupt}");
        // What comes after it is there.
        assert_eq!(after(&journal, 2).await.expect("replay"), numbered(3, 3));
        drop(journal);
        assert_eq!(location.text(), text);
    }
    // The way out that the error names.
    let location = Place::with(&format!("{HEADER}1\n[\n3\n"));
    let cut = std::process::Command::new("sed").args(["-i", "3,$d"]).arg(location.log()).status().expect("sed");
    assert!(cut.success());
    assert_eq!(records(&location.open().await).await, numbered(1, 1));
}

/// Opens a journal with this behind its header, and appends.
async fn append_after(lines: &str) -> (Place, Result<u64, WalError>) {
    let location = Place::with(&format!("{HEADER}{lines}"));
    let mut journal = location.open().await;
    let appended = journal.append(&42).await;
    (location, appended)
}

#[tokio::test]
async fn append_behind_what_cannot_be_read_is_refused() {
    // Who acknowledged it would have to replay it.
    for (lines, line) in [
        ("1\n\n", 3),
        ("1\n\n\n\n", 3),
        ("1\n\n3\n", 3),
        ("1\n \t\n", 3),
        ("1\n\r\n", 3),
        ("\n", 2),
        ("1\n[\n", 3),
        ("1\n2 2\n", 3),
        ("1\n\"two\"\n", 3),
        ("1\n\0\n\0\n", 3),
        ("1\n\0\0\n3\n", 3),
        ("1\n\u{feff}2\n", 3),
    ] {
        let (location, appended) = append_after(lines).await;
        let refused = appended.expect_err("nobody could replay it");
        assert!(matches!(refused, WalError::Corrupt { line: found, .. } if found == line), "{lines:?}: {refused}");
        assert_eq!(location.text(), format!("{HEADER}{lines}"), "nothing was appended, or cut");
    }
}

#[tokio::test]
async fn append_behind_odd_white_space_is_replayed() {
    // What `ministore` reads, and what is no whole line.
    for (lines, before) in
        [("1\r\n", 1), (" 1 \n\t2\t\r\n", 2), ("1\n  ", 1), ("1\n\r", 1), ("1\n\0\0", 1), ("1\n2\0\n", 1)]
    {
        let (location, appended) = append_after(lines).await;
        assert_eq!(appended.expect("append"), before + 1, "{lines:?}");
        let journal = location.open().await;
        let found: Vec<_> = records(&journal).await.into_iter().map(|(_, record)| record).collect();
        assert_eq!(found, Vec::from_iter((1..=before).chain([42])), "{lines:?}");
        assert_eq!(ministore::MiniStore::replay::<u64, _>(location.log()).await.expect("a plain reader"), found);
    }
}

#[tokio::test]
async fn append_goes_on_behind_damage_that_a_snapshot_holds() {
    // A replay began behind it, so that one can reach the append from there.
    let location = Place::with(&format!("{HEADER}1\n[\n3\n"));
    let mut journal = location.open().await;
    after(&journal, 0).await.expect_err("a damaged line");
    journal.append(&4).await.expect_err("nobody could replay it");
    assert_eq!(after(&journal, 2).await.expect("replay"), numbered(3, 3));
    append(&mut journal, 5).await;
    drop(journal);
    assert_eq!(after(&location.open().await, 2).await.expect("replay"), numbered(3, 5));
}

#[tokio::test]
async fn what_a_killed_truncation_left_is_removed() {
    let (location, journal) = Place::with_records(2).await;
    drop(journal);
    location.write("log.new", "// MINISTORE JOURNAL v0.1.4 after 1\n2");
    location.write("log.000001.new", "");
    location.write("log.newer", "not ours");
    location.write("log2.new", "another journal's");
    location.write("catalog.new", "not ours");
    let mut journal = location.open().await;
    assert_eq!(location.names(), ["catalog.new", "log", "log.newer", "log2.new"]);
    journal.truncate(1).await.expect("truncate");
    assert_eq!(records(&journal).await, numbered(2, 2));
}

#[tokio::test]
async fn a_name_without_a_folder_is_a_file_in_the_working_directory() {
    // In the folder these tests run in; a name of their own.
    let name = format!("journal-of-a-test-{}.jsonl", std::process::id());
    let mut journal = Journal::<u64>::open(&name).await.expect("a journal");
    append(&mut journal, 2).await;
    drop(journal);
    let journal = Journal::<u64>::open(&name).await.expect("a journal");
    let found = records(&journal).await;
    std::fs::remove_file(&name).expect("to remove it");
    assert_eq!(found, numbered(1, 2));
}
