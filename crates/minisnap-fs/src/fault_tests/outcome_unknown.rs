//! The next writer after a commit whose outcome is unknown.

use super::{interleave::Interleaved, *};
use std::{os::unix::fs::MetadataExt, sync::mpsc};

#[tokio::test]
async fn record_is_rewritten_before_removals_after_unknown_outcome() {
    for handle in HANDLES {
        let store = store_with_unknown_outcome(handle).await;
        let record = store.path("snapshots/current");
        let record_inode = move || fs::symlink_metadata(&record).unwrap().ino();
        let before = record_inode();
        let is_removal = |action: &str, path: &Path| action == "remove" && path.ends_with("snapshot.json");
        let (send, receive) = mpsc::channel();
        let removal = Interleaved::before_matching_call(store.folder.path(), is_removal, move || {
            send.send(record_inode()).unwrap();
        });
        match handle {
            Handle::Fresh => drop(store.fresh().stage(10).await.unwrap()),
            Handle::Warm => store.commit(10).await.unwrap(),
        }
        assert!(removal.is_done(), "{handle:?}: the expired generation is removed");
        let at_removal = receive.recv().unwrap();
        assert_ne!(at_removal, before, "{handle:?}: a second sync of the same link may return success after a failure");
        assert_eq!(store.garbage().await, BTreeSet::new(), "{handle:?}");
    }
}

/// Returns a store in which the sync of the commit record has failed.
async fn store_with_unknown_outcome(handle: Handle) -> Store {
    for pass in 0.. {
        let store = Store::prepared_for(Action::ExpiringCommit).await.using(handle);
        store.inject_fault(pass, libc::EIO, true);
        let done = store.commit(9).await;
        let failed = store.end_fault();
        assert!(!failed.is_empty(), "no sync of the record");
        if matches!(done, Err(MiniSnapError::OutcomeUnknown { .. })) && failed[0].starts_with("sync ") {
            return store;
        }
    }
    unreachable!("a commit makes a finite number of calls")
}
