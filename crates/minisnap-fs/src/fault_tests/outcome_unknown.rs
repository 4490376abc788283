//! What the next writer does after a commit whose outcome is unknown.

use super::{meanwhile::Meanwhile, *};
use std::{os::unix::fs::MetadataExt, sync::mpsc};

#[tokio::test]
async fn after_an_unknown_outcome_the_record_is_placed_anew_before_anything_is_removed() {
    for handle in HANDLES {
        let store = store_with_unknown_outcome(handle).await;
        let record = store.path("snapshots/current");
        let placed = move || fs::symlink_metadata(&record).unwrap().ino();
        let before = placed();
        let is_removal = |action: &str, path: &Path| action == "remove" && path.ends_with("snapshot.json");
        let (tell, hear) = mpsc::channel();
        let removal = Meanwhile::before_the_call(store.folder.path(), is_removal, move || tell.send(placed()).unwrap());
        match handle {
            Handle::Fresh => drop(store.fresh().stage(10).await.unwrap()),
            Handle::Warm => store.commit(10).await.unwrap(),
        }
        assert!(removal.is_done(), "{handle:?}: what expired is removed");
        let at_removal = hear.recv().unwrap();
        assert_ne!(at_removal, before, "{handle:?}: a second sync of what failed to sync may say that all is well");
        assert_eq!(store.garbage().await, BTreeSet::new(), "{handle:?}");
    }
}

/// A store in which the sync after the record was replaced has failed.
async fn store_with_unknown_outcome(handle: Handle) -> Store {
    for pass in 0.. {
        let store = Store::ready_for(Deed::Next).await.using(handle);
        store.plan(pass, libc::EIO, true);
        let done = store.commit(9).await;
        let failed = store.unplan();
        assert!(!failed.is_empty(), "no sync of the record");
        if matches!(done, Err(MiniSnapError::OutcomeUnknown { .. })) && failed[0].starts_with("sync ") {
            return store;
        }
    }
    unreachable!("a commit makes no endless number of calls")
}
