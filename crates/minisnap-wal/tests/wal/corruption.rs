//! Journals that a crash, a disk or a person left incomplete or corrupt.

use crate::support::*;
use minisnap_wal::{Journal, Log, WalError};

#[tokio::test]
async fn incomplete_append_is_removed_when_opened() {
    // A part of a line, a line without its line break, zeros, and zeros within a line.
    for incomplete in ["3", "[3", "3\0\0\0", "\0\0\0\0\0", "\0\n", "3\0\0\n"] {
        let dir = TestDir::with(&format!("{HEADER}1\n2\n{incomplete}"));
        let mut journal = dir.open().await;
        assert_eq!(records(&journal).await, numbered(1, 2), "{incomplete:?}");
        append(&mut journal, 3).await;
        drop(journal);
        assert_eq!(dir.text(), format!("{HEADER}1\n2\n3\n"), "{incomplete:?}");
    }
}

#[tokio::test]
async fn zeros_before_the_last_line_are_corruption() {
    for text in ["1\n\0\n\0\n", "1\n\0\n[2"] {
        let text = format!("{HEADER}{text}");
        let dir = TestDir::with(&text);
        for _ in 0..3 {
            let corrupt = match dir.try_open().await {
                Ok(journal) => records_after(&journal, 0).await.expect_err("a corrupt line"),
                Err(error) => error,
            };
            assert!(matches!(corrupt, WalError::Corrupt { line: 3, .. }), "{text:?}: {corrupt}");
            assert_eq!(dir.text(), text);
        }
    }
}

#[tokio::test]
async fn journal_with_an_incomplete_header_is_created_again() {
    for incomplete in ["", "// MINISTORE JOU", "\0\0\0\0\0\0\0", "// MINISTORE JOURNAL v0.1.4"] {
        let dir = TestDir::with(incomplete);
        let mut journal = dir.open().await;
        assert_eq!((journal.first(), journal.last()), (1, 0), "{incomplete:?}");
        append(&mut journal, 1).await;
        assert_eq!(dir.text(), "// MINISTORE JOURNAL v0.1.4 after 0\n1\n", "{incomplete:?}");
    }
}

#[tokio::test]
async fn file_is_rejected_unchanged_when_it_is_not_a_journal() {
    let long = format!("// MINISTORE JOURNAL v{}\n1\n", "0".repeat(1000));
    for (text, expected) in [
        ("{\"Set\":1}\n", "first line"),
        ("// MINISTORE JOURNAL v0.1.4 after 18446744073709551616\n", "first line"),
        ("// MINISTORE JOURNAL v0.2.0\n1\n", "version 0.2.0"),
        ("// MINISTORE JOURNAL v0.1.4 after 18446744073709551615\n1\n", "no seq is left"),
        ("// MINISTORE JOURNAL v0.1.4 after 12", "first line"),
        (long.as_str(), "first line"),
    ] {
        let dir = TestDir::with(text);
        let refused = dir.try_open().await.expect_err("not a journal");
        assert!(matches!(refused, WalError::NotAJournal { .. }), "{refused}");
        assert!(refused.to_string().contains(expected) && refused.to_string().contains("/log"), "{refused}");
        assert_eq!(dir.text(), text);
        assert_eq!(dir.names(), ["log"]);
    }
}

#[tokio::test]
async fn folder_and_pipe_are_rejected_without_blocking() {
    let dir = TestDir::new();
    std::fs::create_dir(dir.log()).expect("a folder");
    let refused = dir.try_open().await.expect_err("it is a folder");
    assert!(refused.to_string().contains("log"), "{refused}");

    let dir = TestDir::new();
    let made = std::process::Command::new("mkfifo").arg(dir.log()).status().expect("mkfifo");
    assert!(made.success());
    let refused = dir.try_open().await.expect_err("it is a pipe");
    assert!(matches!(refused, WalError::NotAJournal { .. }), "{refused}");
}

#[tokio::test]
async fn corrupt_record_is_reported_with_its_line() {
    for corrupt_line in ["[", "", "\"two\"", "2 2", "\0"] {
        let text = format!("{HEADER}1\n{corrupt_line}\n3\n");
        let dir = TestDir::with(&text);
        let journal = dir.open().await;
        assert_eq!(journal.last(), 3);
        let corrupt = records_after(&journal, 0).await.expect_err("a corrupt line");
        assert!(matches!(corrupt, WalError::Corrupt { line: 3, .. }), "{corrupt_line:?}: {corrupt}");
        assert!(corrupt.to_string().contains("line 3"), "{corrupt}");
        // The records after it are readable.
        assert_eq!(records_after(&journal, 2).await.expect("replay"), numbered(3, 3));
        drop(journal);
        assert_eq!(dir.text(), text);
    }
    // The command that the error's help suggests.
    let dir = TestDir::with(&format!("{HEADER}1\n[\n3\n"));
    let cut = std::process::Command::new("sed").args(["-i", "3,$d"]).arg(dir.log()).status().expect("sed");
    assert!(cut.success());
    assert_eq!(records(&dir.open().await).await, numbered(1, 1));
}

/// Opens a journal with these lines after its header, and appends a record.
async fn append_after(lines: &str) -> (TestDir, Result<u64, WalError>) {
    let dir = TestDir::with(&format!("{HEADER}{lines}"));
    let mut journal = dir.open().await;
    let appended = journal.append(&42).await;
    (dir, appended)
}

#[tokio::test]
async fn append_fails_after_a_corrupt_line() {
    // No replay could reach the appended record.
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
        let (dir, appended) = append_after(lines).await;
        let refused = appended.expect_err("no replay could reach it");
        assert!(matches!(refused, WalError::Corrupt { line: found, .. } if found == line), "{lines:?}: {refused}");
        assert_eq!(dir.text(), format!("{HEADER}{lines}"), "the file is unchanged");
    }
}

#[tokio::test]
async fn append_succeeds_after_unusual_white_space() {
    // Lines that `ministore` accepts, and incomplete last lines.
    for (lines, before) in
        [("1\r\n", 1), (" 1 \n\t2\t\r\n", 2), ("1\n  ", 1), ("1\n\r", 1), ("1\n\0\0", 1), ("1\n2\0\n", 1)]
    {
        let (dir, appended) = append_after(lines).await;
        assert_eq!(appended.expect("append"), before + 1, "{lines:?}");
        let journal = dir.open().await;
        let found: Vec<_> = records(&journal).await.into_iter().map(|(_, record)| record).collect();
        assert_eq!(found, Vec::from_iter((1..=before).chain([42])), "{lines:?}");
        assert_eq!(ministore::MiniStore::replay::<u64, _>(dir.log()).await.expect("ministore replays it"), found);
    }
}

#[tokio::test]
async fn append_succeeds_after_a_replay_began_past_corruption() {
    // The snapshot holds the corrupt record. The next recovery begins after it and reaches the append.
    let dir = TestDir::with(&format!("{HEADER}1\n[\n3\n"));
    let mut journal = dir.open().await;
    records_after(&journal, 0).await.expect_err("a corrupt line");
    journal.append(&4).await.expect_err("no replay could reach it");
    assert_eq!(records_after(&journal, 2).await.expect("replay"), numbered(3, 3));
    append(&mut journal, 5).await;
    drop(journal);
    assert_eq!(records_after(&dir.open().await, 2).await.expect("replay"), numbered(3, 5));
}

#[tokio::test]
async fn orphans_of_a_killed_truncation_are_removed_when_opened() {
    let (dir, journal) = TestDir::with_records(2).await;
    drop(journal);
    dir.write("log.new", "// MINISTORE JOURNAL v0.1.4 after 1\n2");
    dir.write("log.000001.new", "");
    dir.write("log.newer", "unrelated");
    dir.write("log2.new", "another journal's");
    dir.write("catalog.new", "unrelated");
    let mut journal = dir.open().await;
    assert_eq!(dir.names(), ["catalog.new", "log", "log.newer", "log2.new"]);
    journal.truncate(1).await.expect("truncate");
    assert_eq!(records(&journal).await, numbered(2, 2));
}

#[tokio::test]
async fn name_without_a_folder_is_in_the_working_directory() {
    // The name has the process id, since all tests share the working directory.
    let name = format!("journal-of-a-test-{}.jsonl", std::process::id());
    let mut journal = Journal::<u64>::open(&name).await.expect("a journal");
    append(&mut journal, 2).await;
    drop(journal);
    let journal = Journal::<u64>::open(&name).await.expect("a journal");
    let found = records(&journal).await;
    std::fs::remove_file(&name).expect("to remove it");
    assert_eq!(found, numbered(1, 2));
}
