//! An opened journal without records is deleted, so that a failed start leaves no file.

use crate::support::*;
use minisnap::SnapStore;
use minisnap_wal::{Journal, Log, WalError, recover};
use std::fs;

#[tokio::test]
async fn created_journal_is_deleted_when_snapshot_is_ahead() {
    let dir = TestDir::new();
    let store = SnapStore::new(dir.folder().join("state"));
    store.create(&7, 7).await.expect("create");
    // A mistyped path.
    let path = dir.folder().join("data/of/it/log");
    for _ in 0..2 {
        let journal = Journal::<u64>::open(&path).await.expect("a journal");
        let beyond = recover(&store, &journal, 0, |sum, _, number| *sum += number).await.expect_err("it is empty");
        assert!(matches!(beyond, WalError::Beyond { last: 0, seq: 7, .. }), "{beyond}");
        drop(journal);
        assert_eq!(dir.names(), ["state"]);
    }
    // Folders with other files stay, and so do folders that existed before.
    let journal = Journal::<u64>::open(&path).await.expect("a journal");
    fs::write(dir.folder().join("data/of/other"), "").expect("a file");
    drop(journal);
    assert!(!path.exists() && dir.folder().join("data/of/other").exists());
    fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
    drop(Journal::<u64>::open(&path).await.expect("a journal"));
    assert!(!path.exists() && path.parent().expect("a folder").exists());
}

#[tokio::test]
async fn journal_stays_when_it_existed_or_has_a_record() {
    // An empty file that existed before.
    let dir = TestDir::with("");
    drop(dir.open().await);
    assert_eq!(dir.names(), ["log"]);
    // A journal of `begin_after`.
    let dir = TestDir::new();
    drop(Journal::<u64>::begin_after(dir.log(), 7).await.expect("a journal"));
    assert_eq!(dir.open().await.last(), 7);
    // A journal whose only record was truncated.
    let (dir, mut journal) = TestDir::with_records(1).await;
    journal.truncate(1).await.expect("truncate");
    drop(journal);
    assert_eq!(dir.open().await.last(), 1);
    // A journal to which another program wrote without the lock.
    let dir = TestDir::new();
    let journal = dir.open().await;
    let mut text = dir.text();
    text.push_str("1\n");
    dir.write("log", &text);
    drop(journal);
    assert_eq!(dir.text(), text);
}

#[tokio::test]
async fn waiting_writer_creates_a_new_file_when_it_is_deleted() {
    for round in 0..20 {
        let dir = TestDir::in_memory();
        let path = dir.folder().join("some/where/log");
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
async fn invalid_paths_leave_no_folders() {
    let dir = TestDir::new();
    // A rotated file's name, and a path through a file.
    dir.write("file", "");
    for path in ["some/log.1", "file/some/log"] {
        let refused = Journal::<u64>::open(dir.folder().join(path)).await;
        assert!(refused.is_err(), "{path}");
        assert_eq!(dir.names(), ["file"], "{path}");
    }
    // A link into a missing folder.
    std::os::unix::fs::symlink(dir.folder().join("no/such/log"), dir.log()).expect("a link");
    let refused = dir.try_open().await.expect_err("the folder is missing");
    assert!(matches!(refused, WalError::Io { .. }), "{refused}");
    assert_eq!(dir.names(), ["file", "log"]);
}
