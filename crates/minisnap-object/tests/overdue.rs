//! The report of garbage that commits should have deleted.

use crate::support::bucket::{Bucket, ORPHAN, record, retain_one};
use minisnap_core::{CommitOptions, Overdue, SnapshotBackend};
use minisnap_object::{
    ObjectBackend,
    object_store::{ObjectStore, memory::InMemory, path::Path},
};
use std::{
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, SystemTime},
};

/// Six handles commit in turn, and then the retention is reduced: garbage waits for the next commits, and isn't overdue.
#[tokio::test]
async fn garbage_of_healthy_writers_is_never_overdue() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let handles: Vec<_> = (0..6).map(|_| ObjectBackend::new(store.clone(), "app")).collect();
    let verify = async || ObjectBackend::new(store.clone(), "app").verify().await.expect("verify succeeds");
    for seq in 0..40 {
        retain_one(&handles[usize::try_from(seq).expect("a small number") % handles.len()], seq).await;
        let found = verify().await;
        assert_eq!(found.overdue, None, "{seq}: {found:?}");
    }
    assert!(verify().await.expired >= 5, "handles with old records leave garbage for a while");
    let twenty = CommitOptions::new(NonZeroUsize::new(20).expect("twenty"));
    for seq in 40..60 {
        handles[0].stage(seq).await.expect("a stage").commit(twenty.clone()).await.expect("a commit");
    }
    handles[0].expire(NonZeroUsize::MIN).await.expect("expire succeeds");
    assert_eq!(verify().await.overdue, None);
}

/// Sets the time of the newest commit to `later` than now.
async fn set_commit_time(bucket: &Bucket, later: Duration) {
    let text = String::from_utf8(bucket.get(&record()).await.into()).expect("a text");
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time after 1970") + later;
    let newest = text.lines().nth(4).expect("the newest generation");
    let (fields, _) = newest.rsplit_once(' ').expect("a time");
    bucket.put(&record(), text.replace(newest, &format!("{fields} {}", time.as_millis()))).await;
}

/// An orphan is overdue once a commit is two grace times and an hour younger.
#[tokio::test]
async fn orphans_are_overdue_after_the_grace_time_and_a_commit() {
    let (bucket, _) = Bucket::with_three_snapshots().await;
    for file in ["snapshot.json", "snapshot.seq"] {
        bucket.put(&Path::from(format!("{ORPHAN}/{file}")), "an orphan").await;
    }
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    for (grace_time, later, overdue) in [
        (minutes(60), minutes(0), 0),
        (minutes(60), minutes(179), 0),
        (minutes(60), minutes(181), 1),
        (minutes(90), minutes(181), 0),
        (minutes(0), minutes(59), 0),
        (minutes(0), minutes(61), 1),
        (Duration::MAX, minutes(600), 0),
    ] {
        set_commit_time(&bucket, later).await;
        let fresh = ObjectBackend::new(bucket.store.clone(), "app").with_grace_time(grace_time);
        let found = fresh.verify().await.expect("verify succeeds");
        assert_eq!(found.orphans, 1);
        assert_eq!(found.overdue, Overdue::new(0, overdue).into_option(), "{grace_time:?} {later:?}");
    }
}
