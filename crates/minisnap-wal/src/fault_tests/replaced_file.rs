//! Another program replaces or removes the file of a journal, before or after it is locked.

use super::*;
use std::sync::Mutex;

#[tokio::test]
async fn writer_fails_when_another_program_replaced_its_file() {
    let other = "// MINISTORE JOURNAL v0.1.4\n1\n2\n3\n4\n5\n60\n";
    let dir = TestDir::ready_for(Operation::Append);
    let mut journal = Journal::<u64>::open(dir.path()).await.expect("a journal");
    // `sed -i` and a restored backup replace the file by a rename.
    fs::write(dir.0.path().join("other"), other).expect("a file");
    fs::rename(dir.0.path().join("other"), dir.path()).expect("to replace it");
    let truncated = journal.truncate(3).await.expect_err("the file isn't its own");
    assert!(matches!(truncated, WalError::NotAJournal { .. }), "{truncated}");
    drop(journal);
    assert_eq!(fs::read_to_string(dir.path()).expect("a journal"), other);

    let mut journal = Journal::<u64>::open(dir.path()).await.expect("a journal");
    assert_eq!(records(&journal).await.expect("replay").len(), 6);
    fs::remove_file(dir.path()).expect("to remove it");
    let unknown = journal.append(&7).await.expect_err("the record isn't in the journal");
    assert!(matches!(unknown, WalError::OutcomeUnknown { .. }), "{unknown}");
    let refused = journal.append(&8).await.expect_err("the handle is interrupted");
    assert!(matches!(refused, WalError::Interrupted { .. }), "{refused}");
}

#[tokio::test]
async fn opening_rewrites_the_last_record_before_its_sync() {
    // The first sync of the record may have failed, and a second sync would succeed without writing it.
    let dir = TestDir::ready_for(Operation::Append);
    let path = dir.path().canonicalize().expect("the file exists");
    let written = std::sync::Arc::new(Mutex::new(false));
    let (at, result) = (path.clone(), written.clone());
    let old = fs::metadata(&path).and_then(|metadata| metadata.modified()).expect("a time");
    std::thread::sleep(std::time::Duration::from_millis(20));
    let action: Action = Box::new(move || {
        let new = fs::metadata(&at).and_then(|metadata| metadata.modified()).expect("a time");
        *result.lock().expect("a flag") = new > old;
    });
    before_next("sync", path, action);
    let journal = Journal::<u64>::open(dir.path()).await.expect("a journal");
    assert!(*written.lock().expect("a flag"), "the record is only synced");
    assert_eq!(records(&journal).await.expect("replay").len(), 5);
}

/// Opens the journal, and runs `action` right before the lock.
async fn open_with_action_before_lock(action: impl FnOnce(&Path) + Send + 'static) -> (TestDir, Journal<u64>) {
    let dir = TestDir::ready_for(Operation::Append);
    let path = dir.path().canonicalize().expect("the file exists");
    let at = path.clone();
    let action: Action = Box::new(move || action(&at));
    before_next("lock", path, action);
    let journal = Journal::open(dir.path()).await.expect("a journal");
    (dir, journal)
}

#[tokio::test]
async fn writer_uses_the_new_file_when_replaced_before_the_lock() {
    let (dir, mut journal) = open_with_action_before_lock(|path| {
        let new = path.with_extension("other");
        fs::write(&new, "// MINISTORE JOURNAL v0.1.4 after 3\n4\n5\n").expect("a file");
        fs::rename(new, path).expect("to replace it");
    })
    .await;
    assert_eq!((journal.first(), journal.append(&6).await.expect("append")), (4, 6));
    let text = fs::read_to_string(dir.path()).expect("a journal");
    assert_eq!(text, "// MINISTORE JOURNAL v0.1.4 after 3\n4\n5\n6\n");
}

#[tokio::test]
async fn writer_creates_a_file_when_removed_before_the_lock() {
    let (dir, mut journal) = open_with_action_before_lock(|path| fs::remove_file(path).expect("to remove it")).await;
    assert_eq!((journal.first(), journal.append(&1).await.expect("append")), (1, 1));
    assert_eq!(fs::read_to_string(dir.path()).expect("a journal"), "// MINISTORE JOURNAL v0.1.4 after 0\n1\n");
}

#[tokio::test]
async fn opening_fails_when_a_call_fails_after_the_lock() {
    // Any error other than "not found", which means that the file was removed.
    let dir = TestDir::ready_for(Operation::Append);
    for pass in 0..9 {
        dir.plan(pass, libc::EIO, true);
        let opened = Journal::<u64>::open(dir.path()).await;
        assert_eq!(dir.remove_plan(), 1);
        assert!(matches!(opened, Err(WalError::Io { .. })), "call {pass}: {opened:?}");
    }
}
