//! What a start that fails leaves behind: nothing.

use crate::kit::*;
use minisnap::SnapStore;
use minisnap_wal::{Journal, Log, WalError, recover};
use std::fs;

#[tokio::test]
async fn journal_is_gone_again_when_a_snapshot_is_ahead_of_it() {
    let location = Place::new();
    let store = SnapStore::new(location.folder().join("state"));
    store.create(&7, 7).await.expect("create");
    // The path is wrong by a folder.
    let path = location.folder().join("data/of/it/log");
    for _ in 0..2 {
        let journal = Journal::<u64>::open(&path).await.expect("a journal");
        let beyond = recover(&store, &journal, 0, |sum, _, number| *sum += number).await.expect_err("it is empty");
        assert!(matches!(beyond, WalError::Beyond { last: 0, seq: 7, .. }), "{beyond}");
        drop(journal);
        assert_eq!(location.names(), ["state"]);
    }
    // Folders that are in use stay, and so does what was there before.
    let journal = Journal::<u64>::open(&path).await.expect("a journal");
    fs::write(location.folder().join("data/of/other"), "").expect("a file");
    drop(journal);
    assert!(!path.exists() && location.folder().join("data/of/other").exists());
    fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
    drop(Journal::<u64>::open(&path).await.expect("a journal"));
    assert!(!path.exists() && path.parent().expect("a folder").exists());
}

#[tokio::test]
async fn journal_that_was_there_or_is_in_use_stays() {
    // One that was there, with no record in it.
    let location = Place::with("");
    drop(location.open().await);
    assert_eq!(location.names(), ["log"]);
    // One that was begun on purpose.
    let location = Place::new();
    drop(Journal::<u64>::begin_after(location.log(), 7).await.expect("a journal"));
    assert_eq!(location.open().await.last(), 7);
    // One with a record, and one whose only record was truncated since.
    let (location, mut journal) = Place::with_records(1).await;
    journal.truncate(1).await.expect("truncate");
    drop(journal);
    assert_eq!(location.open().await.last(), 1);
    // One that another program wrote to, which doesn't ask for the lock.
    let location = Place::new();
    let journal = location.open().await;
    let mut text = location.text();
    text.push_str("1\n");
    location.write("log", &text);
    drop(journal);
    assert_eq!(location.text(), text);
}

#[tokio::test]
async fn writer_that_waits_for_a_journal_that_goes_makes_another() {
    for round in 0..20 {
        let location = Place::in_memory();
        let path = location.folder().join("some/where/log");
        let first = Journal::<u64>::open(&path).await.expect("a journal");
        let waiting = {
            let path = path.clone();
            tokio::spawn(async move { Journal::<u64>::open(path).await })
        };
        tokio::time::sleep(std::time::Duration::from_millis(round)).await;
        drop(first);
        let mut journal = waiting.await.expect("no panic").expect("a journal");
        append(&mut journal, 1).await;
        drop(journal);
        assert_eq!(records(&Journal::<u64>::open(&path).await.expect("a journal")).await, numbered(1, 1));
    }
}

#[tokio::test]
async fn wrong_paths_leave_no_folders() {
    let location = Place::new();
    // A rotated file's name, and a file in the place of a folder.
    location.write("file", "");
    for wrong in ["some/log.1", "file/some/log"] {
        let refused = Journal::<u64>::open(location.folder().join(wrong)).await;
        assert!(refused.is_err(), "{wrong}");
        assert_eq!(location.names(), ["file"], "{wrong}");
    }
    // A link to a place that isn't there.
    std::os::unix::fs::symlink(location.folder().join("no/such/log"), location.log()).expect("a link");
    let refused = location.try_open().await.expect_err("it leads nowhere");
    assert!(matches!(refused, WalError::Io { .. }), "{refused}");
    assert_eq!(location.names(), ["file", "log"]);
}
