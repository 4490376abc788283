//! One call to the disk fails, and which it was decides what is said; and calls that are not made.

use super::{meanwhile::Meanwhile, *};
use minisnap_core::Operation;
use std::{os::unix::fs::MetadataExt, sync::Arc, time::Duration};

/// The store after a publish by such a handle in which the first call that `is_it`, as in `make the link PATH`, failed with this error, and
/// no other call did; and what was told.
async fn publish_failing(deed: Deed, handle: Handle, is_it: impl Fn(&str) -> bool, error: i32) -> (Store, Result<()>) {
    for pass in 0.. {
        let store = Store::ready_for(deed).await.using(handle);
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
    let is_link = |call: &str| call.starts_with("make the link");
    let link_fails = |error| publish_failing(Deed::First, Handle::Fresh, is_link, error);
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
        let fails = |made| publish_failing(Deed::First, Handle::Fresh, move |call| call.starts_with(made), error);
        let (_, opened) = fails("open the folder").await;
        assert_eq!(opened.is_ok(), error == libc::EACCES, "{error}: {opened:?}");
        let (_, synced) = fails("sync the folder").await;
        assert!(matches!(synced, Err(MiniSnapError::Io { .. })), "{error}: {synced:?}");
    }
}

#[tokio::test]
async fn a_commit_record_that_was_not_replaced_is_known_unless_the_disk_itself_failed() {
    let replaces = |call: &str| call.starts_with("rename") && call.ends_with("/snapshots/current");
    for (error, handle) in ERRORS.into_iter().flat_map(|error| HANDLES.map(|handle| (error, handle))) {
        let (store, told) = publish_failing(Deed::Next, handle, replaces, error).await;
        let told = told.unwrap_err();
        assert_eq!(told.outcome_known(), error != libc::EIO, "{error}: {told}");
        if told.outcome_known() {
            assert_eq!(store.garbage().await, BTreeSet::from([".next".into()]), "{error}: the generation is removed");
        }
    }
}

/// What stays in memory until its commit is staged and written by that.
#[tokio::test]
async fn an_error_says_in_which_operation_it_happened() {
    for (call, of_a_fresh_handle) in [
        ("create the folder", Operation::Stage),
        ("write", Operation::Write),
        ("sync ", Operation::Commit),
        ("make the link", Operation::Commit),
    ] {
        for (handle, operation) in [(Handle::Fresh, of_a_fresh_handle), (Handle::Warm, Operation::Commit)] {
            let (_, told) = publish_failing(Deed::Next, handle, |made| made.starts_with(call), libc::EIO).await;
            assert_eq!(told.unwrap_err().at().operation(), operation, "{call}, {handle:?}");
        }
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
    let timeout = Duration::from_millis(200);
    let warm = store.backend.clone().with_busy_timeout(timeout).stage(3).await.unwrap();
    // Every 2 ms at last. One that makes so many calls in that time is stopped by an error of the disk.
    store.plan(200, libc::EIO, true);
    let stage = store.fresh().with_busy_timeout(timeout).stage(3).await.map(drop);
    store.unplan();
    store.plan(200, libc::EIO, true);
    let commit = warm.commit(CommitOptions::new(NonZeroUsize::MIN)).await.map(drop);
    store.unplan();
    for waited in [stage, commit] {
        assert!(matches!(waited, Err(MiniSnapError::Busy { .. })), "{waited:?}");
    }
}

/// The link count of `snapshots` proves that there is no garbage. Where a file system doesn't count folders, each create lists it.
#[tokio::test]
async fn create_makes_as_many_calls_when_more_are_retained() {
    let mut made = Vec::new();
    for retain in [3, 60] {
        let store = Store::ready_for(Deed::First).await;
        let options = CommitOptions::new(NonZeroUsize::new(retain).unwrap());
        let create = async |seq| {
            let mut stage = store.backend.stage(seq).await.unwrap();
            stage.write_all(b"[]").unwrap();
            stage.commit(options.clone()).await.unwrap();
        };
        for seq in 0..retain as u64 + 2 {
            create(seq).await;
        }
        let links = fs::metadata(store.path("snapshots")).unwrap().nlink();
        if links != retain as u64 + 2 {
            println!("SKIPPED: {links} links of a folder with {retain} folders: the file system doesn't count them");
            return;
        }
        let calls = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&calls);
        let count = move |action: &str, _: &Path| {
            lock(&seen).push(action.into());
            false
        };
        let counting = Meanwhile::before_the_call(store.folder.path(), count, || {});
        create(100).await;
        drop(counting);
        made.push(std::mem::take(&mut *lock(&calls)));
    }
    assert!(made[0].len() > 30, "{} calls", made[0].len());
    assert_eq!(made[0], made[1]);
}
