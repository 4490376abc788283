//! The error that is returned when one particular call fails, and calls that an operation doesn't make.

use super::{interleave::Interleaved, *};
use minisnap_core::Operation;
use std::{os::unix::fs::MetadataExt, sync::Arc, time::Duration};

/// Commits with a fault in one call: the first that `selects` accepts by its text, such as `create the link PATH`. Returns the store,
/// and the result of the commit.
async fn commit_with_fault(
    action: Action,
    handle: Handle,
    selects: impl Fn(&str) -> bool,
    error: i32,
) -> (Store, Result<()>) {
    for pass in 0.. {
        let store = Store::prepared_for(action).await.using(handle);
        store.inject_fault(pass, error, true);
        let done = store.commit(9).await;
        if selects(store.end_fault().first().expect("there is such a call")) {
            return (store, done);
        }
    }
    unreachable!("a commit makes a finite number of calls")
}

#[tokio::test]
async fn missing_link_support_is_unsupported_and_not_an_io_error() {
    let is_link = |call: &str| call.starts_with("create the link");
    let link_fails = |error| commit_with_fault(Action::FirstCommit, Handle::Fresh, is_link, error);
    for error in [libc::EPERM, libc::EOPNOTSUPP, libc::ENOSYS] {
        let returned = link_fails(error).await.1.unwrap_err();
        assert!(matches!(returned, MiniSnapError::Unsupported { .. }), "{returned}");
        let help = returned.help().expect("advice");
        assert!(help.contains("FAT and exFAT"), "it names file systems without links: {help}");
    }
    for error in ERRORS {
        let returned = link_fails(error).await.1.unwrap_err();
        let is_injected = matches!(&returned, MiniSnapError::Io { source, .. } if source.raw_os_error() == Some(error));
        assert!(is_injected, "{returned}");
    }
}

#[tokio::test]
async fn ancestor_needs_no_sync_only_when_it_may_not_be_opened() {
    for error in ERRORS {
        let fails =
            |start| commit_with_fault(Action::FirstCommit, Handle::Fresh, move |call| call.starts_with(start), error);
        let (_, opened) = fails("open the folder").await;
        assert_eq!(opened.is_ok(), error == libc::EACCES, "{error}: {opened:?}");
        let (_, synced) = fails("sync the folder").await;
        assert!(matches!(synced, Err(MiniSnapError::Io { .. })), "{error}: {synced:?}");
    }
}

#[tokio::test]
async fn failed_record_rename_is_known_unless_the_disk_failed() {
    let replaces = |call: &str| call.starts_with("rename") && call.ends_with("/snapshots/current");
    for (error, handle) in ERRORS.into_iter().flat_map(|error| HANDLES.map(|handle| (error, handle))) {
        let (store, returned) = commit_with_fault(Action::ExpiringCommit, handle, replaces, error).await;
        let returned = returned.unwrap_err();
        assert_eq!(returned.outcome_known(), error != libc::EIO, "{error}: {returned}");
        if returned.outcome_known() {
            assert_eq!(store.garbage().await, BTreeSet::from([".next".into()]), "{error}: the generation is removed");
        }
    }
}

/// A snapshot that stays in memory is staged and written by its commit.
#[tokio::test]
async fn error_names_the_operation_that_failed() {
    for (call, of_a_fresh_handle) in [
        ("create the folder", Operation::Stage),
        ("write", Operation::Write),
        ("sync ", Operation::Commit),
        ("create the link", Operation::Commit),
    ] {
        for (handle, operation) in [(Handle::Fresh, of_a_fresh_handle), (Handle::Warm, Operation::Commit)] {
            let selects = |found: &str| found.starts_with(call);
            let (_, returned) = commit_with_fault(Action::ExpiringCommit, handle, selects, libc::EIO).await;
            assert_eq!(returned.unwrap_err().at().operation(), operation, "{call}, {handle:?}");
        }
    }
}

#[tokio::test]
async fn unreadable_record_is_an_error_without_a_retry() {
    for error in ERRORS {
        let store = Store::prepared_for(Action::ExpiringCommit).await;
        store.inject_fault(0, error, true);
        let current = store.backend.current().await;
        assert_eq!(store.end_fault().len(), 1);
        assert!(matches!(current, Err(MiniSnapError::Io { .. })), "{error}: {current:?}");
    }
}

#[tokio::test]
async fn read_of_an_expired_generation_fails_without_retries() {
    let store = Store::prepared_for(Action::ExpiringCommit).await;
    let old = store.backend.history().await.unwrap().pop().expect("two generations");
    store.commit(3).await.unwrap();
    store.inject_fault(30, libc::EIO, false);
    let read = store.backend.read(&old).await;
    store.end_fault();
    assert!(matches!(read, Err(MiniSnapError::Expired { .. })), "{read:?}");
}

#[tokio::test]
async fn waiting_writer_backs_off_while_the_lock_is_held() {
    let store = Store::prepared_for(Action::ExpiringCommit).await;
    let lock = fs::File::open(store.path("snapshots/.lock")).unwrap();
    lock.lock().unwrap();
    let timeout = Duration::from_millis(200);
    let warm = store.backend.clone().with_busy_timeout(timeout).stage(3).await.unwrap();
    // The longest pause is 2 ms. A writer without backoff makes more calls, and gets this error.
    store.inject_fault(200, libc::EIO, true);
    let stage = store.fresh().with_busy_timeout(timeout).stage(3).await.map(drop);
    store.end_fault();
    store.inject_fault(200, libc::EIO, true);
    let commit = warm.commit(CommitOptions::new(NonZeroUsize::MIN)).await.map(drop);
    store.end_fault();
    for waited in [stage, commit] {
        assert!(matches!(waited, Err(MiniSnapError::Busy { .. })), "{waited:?}");
    }
}

/// The link count of `snapshots` proves that there is no garbage. On a file system that doesn't count folders, each create lists
/// `snapshots`.
#[tokio::test]
async fn create_makes_as_many_calls_when_more_are_retained() {
    let mut counted = Vec::new();
    for retain in [3, 60] {
        let store = Store::prepared_for(Action::FirstCommit).await;
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
        let counting = Interleaved::before_matching_call(store.folder.path(), count, || {});
        create(100).await;
        drop(counting);
        counted.push(std::mem::take(&mut *lock(&calls)));
    }
    assert!(counted[0].len() > 30, "{} calls", counted[0].len());
    assert_eq!(counted[0], counted[1]);
}
