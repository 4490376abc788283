//! One call to the disk fails, and which it was decides what is said; and calls that are not made.

use super::*;
use minisnap_core::Operation;
use std::time::Duration;

/// The store after a publish in which the first call that `is_it`, as in `make the link PATH`, failed with this error, and
/// no other call did; and what was told.
async fn publish_failing(deed: Deed, is_it: impl Fn(&str) -> bool, error: i32) -> (Store, Result<()>) {
    for pass in 0.. {
        let store = Store::ready_for(deed).await;
        store.plan(pass, error, true);
        let done = store.commit(9).await;
        if is_it(store.unplan().first().expect("there is such a call")) {
            return (store, done);
        }
    }
    unreachable!("a publish makes no endless number of calls")
}

#[tokio::test]
async fn a_place_without_links_is_told_apart_from_a_disk_that_fails() {
    let link_fails = |error| publish_failing(Deed::First, |call| call.starts_with("make the link"), error);
    for error in [libc::EPERM, libc::EOPNOTSUPP, libc::ENOSYS] {
        let told = link_fails(error).await.1.unwrap_err();
        assert!(matches!(told, MiniSnapError::Unsupported { .. }), "{told}");
        let help = told.help().expect("advice");
        assert!(help.contains("FAT and exFAT"), "it says where there are none: {help}");
    }
    for error in ERRORS {
        let told = link_fails(error).await.1.unwrap_err();
        assert!(matches!(&told, MiniSnapError::Io { source, .. } if source.raw_os_error() == Some(error)), "{told}");
    }
}

#[tokio::test]
async fn a_folder_on_the_way_that_may_not_be_opened_needs_no_sync_and_one_that_fails_is_an_error() {
    for error in ERRORS {
        let (_, opened) = publish_failing(Deed::First, |call| call.starts_with("open the folder"), error).await;
        assert_eq!(opened.is_ok(), error == libc::EACCES, "{error}: {opened:?}");
        let (_, synced) = publish_failing(Deed::First, |call| call.starts_with("sync the folder"), error).await;
        assert!(matches!(synced, Err(MiniSnapError::Io { .. })), "{error}: {synced:?}");
    }
}

#[tokio::test]
async fn a_commit_record_that_was_not_replaced_is_known_unless_the_disk_itself_failed() {
    let replaces = |call: &str| call.starts_with("rename") && call.ends_with("/snapshots/current");
    for error in ERRORS {
        let (store, told) = publish_failing(Deed::Next, replaces, error).await;
        let told = told.unwrap_err();
        assert_eq!(told.outcome_known(), error != libc::EIO, "{error}: {told}");
        if told.outcome_known() {
            assert_eq!(store.garbage().await, BTreeSet::from([".next".into()]), "{error}: the generation is removed");
        }
    }
}

#[tokio::test]
async fn an_error_says_in_which_operation_it_happened() {
    for (call, operation) in [
        ("create the folder", Operation::Stage),
        ("write", Operation::Write),
        ("sync ", Operation::Commit),
        ("make the link", Operation::Commit),
    ] {
        let (_, told) = publish_failing(Deed::Next, |made| made.starts_with(call), libc::EIO).await;
        assert_eq!(told.unwrap_err().at().operation(), operation, "{call}");
    }
}

#[tokio::test]
async fn a_commit_record_that_cannot_be_read_is_an_error_and_not_read_again() {
    for error in ERRORS {
        let store = Store::ready_for(Deed::Next).await;
        store.plan(0, error, true);
        let current = store.backend.current().await;
        assert_eq!(store.unplan().len(), 1);
        assert!(matches!(current, Err(MiniSnapError::Io { .. })), "{error}: {current:?}");
    }
}

#[tokio::test]
async fn what_is_not_retained_is_answered_at_once() {
    let store = Store::ready_for(Deed::Next).await;
    let old = store.backend.history().await.unwrap().pop().expect("two generations");
    store.commit(3).await.unwrap();
    store.plan(30, libc::EIO, false);
    let read = store.backend.read(&old).await;
    store.unplan();
    assert!(matches!(read, Err(MiniSnapError::Expired { .. })), "{read:?}");
}

#[tokio::test]
async fn a_writer_that_waits_for_others_asks_less_and_less_often() {
    let store = Store::ready_for(Deed::Next).await;
    let lock = fs::File::open(store.path("snapshots/.lock")).unwrap();
    lock.lock().unwrap();
    let backend = store.backend.clone().with_busy_timeout(Duration::from_millis(200));
    // Every 2 ms at last. One that makes so many calls in that time is stopped by an error of the disk.
    store.plan(200, libc::EIO, true);
    let waited = backend.stage(3).await;
    store.unplan();
    assert!(matches!(waited, Err(MiniSnapError::Busy { .. })), "{waited:?}");
}
