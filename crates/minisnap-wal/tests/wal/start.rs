//! What a start that fails leaves behind: nothing.

use crate::kit::*;
use minisnap::SnapStore;
use minisnap_wal::{Journal, Log, WalError, recover};
use std::fs;

#[tokio::test]
async fn journal_is_gone_again_when_a_snapshot_is_ahead_of_it() {
    let place = Place::new();
    let store = SnapStore::new(place.folder().join("state"));
    store.create(&7, 7).await.expect("create");
    // The path is wrong by a folder.
    let path = place.folder().join("data/of/it/log");
    for _ in 0..2 {
        let journal = Journal::<u64>::open(&path).await.expect("a journal");
        let beyond = recover(&store, &journal, 0, |sum, _, number| *sum += number).await.expect_err("it is empty");
        assert!(matches!(beyond, WalError::Beyond { last: 0, seq: 7, .. }), "{beyond}");
        drop(journal);
        assert_eq!(place.names(), ["state"]);
    }
    // Folders that are in use stay, and so does what was there before.
    let journal = Journal::<u64>::open(&path).await.expect("a journal");
    fs::write(place.folder().join("data/of/other"), "").expect("a file");
    drop(journal);
    assert!(!path.exists() && place.folder().join("data/of/other").exists());
    fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
    drop(Journal::<u64>::open(&path).await.expect("a journal"));
    assert!(!path.exists() && path.parent().expect("a folder").exists());
}

#[tokio::test]
async fn journal_that_was_there_or_is_in_use_stays() {
    // One that was there, with no record in it.
    let place = Place::with("");
    drop(place.open().await);
    assert_eq!(place.names(), ["log"]);
    // One that was begun on purpose.
    let place = Place::new();
    drop(Journal::<u64>::begin_after(place.log(), 7).await.expect("a journal"));
    assert_eq!(place.open().await.last(), 7);
    // One with a record, and one whose only record was truncated since.
    let (place, mut journal) = Place::with_records(1).await;
    journal.truncate(1).await.expect("truncate");
    drop(journal);
    assert_eq!(place.open().await.last(), 1);
    // One that another program wrote to, which doesn't ask for the lock.
    let place = Place::new();
    let journal = place.open().await;
    let mut text = place.text();
    text.push_str("1\n");
    place.write("log", &text);
    drop(journal);
    assert_eq!(place.text(), text);
}

#[tokio::test]
async fn writer_that_waits_for_a_journal_that_goes_makes_another() {
    for round in 0..20 {
        let place = Place::in_memory();
        let path = place.folder().join("some/where/log");
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
    let place = Place::new();
    // A rotated file's name, and a file in the place of a folder.
    place.write("file", "");
    for wrong in ["some/log.1", "file/some/log"] {
        let refused = Journal::<u64>::open(place.folder().join(wrong)).await;
        assert!(refused.is_err(), "{wrong}");
        assert_eq!(place.names(), ["file"], "{wrong}");
    }
    // A link to a place that isn't there.
    std::os::unix::fs::symlink(place.folder().join("no/such/log"), place.log()).expect("a link");
    let refused = place.try_open().await.expect_err("it leads nowhere");
    assert!(matches!(refused, WalError::Io { .. }), "{refused}");
    assert_eq!(place.names(), ["file", "log"]);
}
