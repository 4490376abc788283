//! `Journal::inspect`: reads a journal without opening it for writing.

use crate::support::*;
use minisnap_wal::{Inspection, Journal, Log, Result, WalError};
use serde::de::IgnoredAny;

async fn inspect(dir: &TestDir) -> Result<Inspection> {
    Journal::<IgnoredAny>::inspect(dir.log()).await
}

#[tokio::test]
async fn inspect_changes_nothing_while_journal_is_open() {
    let (dir, mut journal) = TestDir::with_records(9).await;
    journal.truncate(3).await.expect("truncate");
    let text = dir.text();
    let found = inspect(&dir).await.expect("inspect");
    assert_eq!((found.first, found.last, found.records(), found.readable_through(3)), (4, 9, 6, 9));
    assert_eq!((found.files.len(), found.files[0].bytes), (1, text.len() as u64));
    for (seq, reaches) in [(2, false), (3, true), (9, true), (10, false)] {
        assert_eq!(found.check_reaches(seq).is_ok(), reaches, "{seq}");
    }
    assert_eq!((dir.text(), dir.names()), (text, vec!["log".to_owned()]));
}

#[tokio::test]
async fn inspect_does_not_create_a_missing_journal() {
    let dir = TestDir::new();
    for path in ["log", "no/such/folder/log"] {
        let missing = Journal::<u64>::inspect(dir.folder().join(path)).await.expect_err("there is none");
        assert!(missing.is_not_found() && missing.to_string().contains("log"), "{missing}");
    }
    assert!(dir.names().is_empty());
}

#[tokio::test]
async fn inspect_reports_corrupt_and_incomplete_records() {
    let text = format!("{HEADER}1\n[\n3\n\n5\n[6");
    let dir = TestDir::with(&text);
    let found = inspect(&dir).await.expect("inspect");
    assert_eq!((found.first, found.last, found.torn_bytes), (1, 5, 2));
    assert!(matches!(found.unreadable, Some(WalError::Corrupt { line: 3, .. })), "{:?}", found.unreadable);
    for (after, through) in [(0, 1), (1, 1), (2, 3), (3, 3), (4, 5), (5, 5)] {
        assert_eq!(found.readable_through(after), through, "{after}");
    }
    for (seq, reaches) in [(0, false), (3, false), (4, true), (5, true)] {
        assert_eq!(found.check_reaches(seq).is_ok(), reaches, "{seq}");
    }
    assert_eq!(dir.text(), text);
}

#[tokio::test]
async fn inspect_reads_rotated_files_without_an_active_file() {
    let dir = TestDir::new();
    dir.write("log.000001", format!("{HEADER}1\n2\n"));
    for (last, files) in [(2, 1), (3, 2)] {
        let found = inspect(&dir).await.expect("inspect");
        assert_eq!((found.first, found.last, found.files.len()), (1, last, files));
        dir.write("log", format!("{HEADER}3\n"));
    }
    assert_eq!(dir.names(), ["log", "log.000001"]);
}

/// The test runs itself again in a removed folder: the working directory belongs to the process, so to all tests.
#[tokio::test]
async fn removed_working_directory_is_not_a_missing_journal() {
    let dir = TestDir::new();
    if std::env::current_dir().is_ok() {
        let script = "mkdir removed && cd removed && rmdir ../removed && exec \"$0\" --exact \"$1\"";
        let name = "inspect::removed_working_directory_is_not_a_missing_journal";
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", script]).arg(std::env::current_exe().expect("this program")).arg(name);
        let ran = shell.current_dir(dir.folder()).output().expect("sh");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
    }
    // An empty path can't be resolved in any working directory.
    let is_removed = std::env::current_dir().is_err();
    for path in ["", "log"].into_iter().filter(|path| is_removed || path.is_empty()) {
        let errors = [
            Journal::<u64>::inspect(path).await.expect_err("no path"),
            Journal::<u64>::open(path).await.expect_err("no path"),
            Journal::<u64>::begin_after(path, 7).await.expect_err("no path"),
        ];
        for error in errors {
            assert!(matches!(error, WalError::Io { action: "resolve", .. }) && !error.is_not_found(), "{error:?}");
        }
    }
}

#[tokio::test]
async fn opening_reports_the_bytes_it_removed() {
    let text = format!("{HEADER}1\n2\n");
    for torn in [0, 2] {
        let dir = TestDir::with(&format!("{text}{}", &"12"[..torn]));
        let journal = dir.open().await;
        assert_eq!((journal.torn_bytes(), dir.text()), (torn as u64, text.clone()));
        drop(journal);
        assert_eq!(dir.open().await.torn_bytes(), 0);
    }
}
