//! Looking at a journal, without opening it to write.

use crate::kit::*;
use minisnap_wal::{Inspection, Journal, Log, Result, WalError};
use serde::de::IgnoredAny;

async fn inspect(location: &Place) -> Result<Inspection> {
    Journal::<IgnoredAny>::inspect(location.log()).await
}

#[tokio::test]
async fn journal_is_looked_at_while_it_is_open_and_nothing_changes() {
    let (location, mut journal) = Place::with_records(9).await;
    journal.truncate(3).await.expect("truncate");
    let text = location.text();
    let found = inspect(&location).await.expect("a look");
    assert_eq!((found.first, found.last, found.records(), found.readable_through(3)), (4, 9, 6, 9));
    assert_eq!((found.files.len(), found.files[0].bytes), (1, text.len() as u64));
    for (seq, reaches) in [(2, false), (3, true), (9, true), (10, false)] {
        assert_eq!(found.check_reaches(seq).is_ok(), reaches, "{seq}");
    }
    assert_eq!((location.text(), location.names()), (text, vec!["log".to_owned()]));
}

#[tokio::test]
async fn missing_journal_is_not_made_by_a_look() {
    let location = Place::new();
    for path in ["log", "no/such/folder/log"] {
        let missing = Journal::<u64>::inspect(location.folder().join(path)).await.expect_err("there is none");
        assert!(missing.is_not_found() && missing.to_string().contains("log"), "{missing}");
    }
    assert!(location.names().is_empty());
}

#[tokio::test]
async fn unreadable_records_and_torn_ends_are_told_and_stay() {
    let text = format!("{HEADER}1\n[\n3\n\n5\n[6");
    let location = Place::with(&text);
    let found = inspect(&location).await.expect("a look");
    assert_eq!((found.first, found.last, found.torn_bytes), (1, 5, 2));
    assert!(matches!(found.unreadable, Some(WalError::Corrupt { line: 3, .. })), "{:?}", found.unreadable);
    for (after, through) in [(0, 1), (1, 1), (2, 3), (3, 3), (4, 5), (5, 5)] {
        assert_eq!(found.readable_through(after), through, "{after}");
    }
    for (seq, reaches) in [(0, false), (3, false), (4, true), (5, true)] {
        assert_eq!(found.check_reaches(seq).is_ok(), reaches, "{seq}");
    }
    assert_eq!(location.text(), text);
}

#[tokio::test]
async fn rotated_files_are_looked_at_also_without_the_last() {
    let location = Place::new();
    location.write("log.000001", format!("{HEADER}1\n2\n"));
    for (last, files) in [(2, 1), (3, 2)] {
        let found = inspect(&location).await.expect("a look");
        assert_eq!((found.first, found.last, found.files.len()), (1, last, files));
        location.write("log", format!("{HEADER}3\n"));
    }
    assert_eq!(location.names(), ["log", "log.000001"]);
}

/// Runs itself again, in a folder that is removed: the working directory is that of the whole process.
#[tokio::test]
async fn unresolved_path_is_an_error_and_not_a_missing_journal() {
    let location = Place::new();
    if std::env::current_dir().is_ok() {
        let script = "mkdir gone && cd gone && rmdir ../gone && exec \"$0\" --exact \"$1\"";
        let name = "inspect::unresolved_path_is_an_error_and_not_a_missing_journal";
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", script]).arg(std::env::current_exe().expect("this program")).arg(name);
        let ran = shell.current_dir(location.folder()).output().expect("sh");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
    }
    // Without a name, a path can nowhere be resolved.
    let gone = std::env::current_dir().is_err();
    for path in ["", "log"].into_iter().filter(|path| gone || path.is_empty()) {
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
async fn torn_bytes_that_an_opening_cuts_off_are_told() {
    let text = format!("{HEADER}1\n2\n");
    for torn in [0, 2] {
        let location = Place::with(&format!("{text}{}", &"12"[..torn]));
        let journal = location.open().await;
        assert_eq!((journal.torn_bytes(), location.text()), (torn as u64, text.clone()));
        drop(journal);
        assert_eq!(location.open().await.torn_bytes(), 0);
    }
}
