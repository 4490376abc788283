//! A bucket with three snapshots.

use futures_util::TryStreamExt;
use minisnap_core::{CommitOptions, Committed, Generation, SnapshotBackend};
use minisnap_object::{
    ObjectBackend,
    object_store::{ObjectStore, ObjectStoreExt, memory::InMemory, path::Path},
};
use std::{num::NonZeroUsize, sync::Arc};

pub(crate) const RETAIN: NonZeroUsize = NonZeroUsize::new(3).expect("a constant above zero");

/// The folder of a generation that no record names.
pub(crate) const ORPHAN: &str = "app/snapshots/00000000000000000009-abcdefghijklmnopqrstuvwxyz";

pub(crate) struct Bucket {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) backend: ObjectBackend,
}

impl Bucket {
    /// A store in memory with the sequence numbers 1 to 3, each with a JSON of 300 bytes, which are three parts.
    pub(crate) async fn with_three_snapshots() -> (Self, Vec<Generation>) {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let bucket = Self::open(store);
        for seq in 1..=3 {
            bucket.commit(seq).await.expect("a commit");
        }
        let history = bucket.backend.history().await.expect("the history");
        (bucket, history)
    }

    /// The same in another store, for example in one with a fault.
    pub(crate) async fn with_three_snapshots_in(other: Arc<dyn ObjectStore>) -> (Self, Vec<Generation>) {
        let (bucket, history) = Self::with_three_snapshots().await;
        for path in bucket.objects("").await {
            other
                .put(&Path::from(path.as_str()), bucket.get(&Path::from(path.as_str())).await.into())
                .await
                .expect("a put");
        }
        (Self::open(other), history)
    }

    pub(crate) fn open(store: Arc<dyn ObjectStore>) -> Self {
        let backend = ObjectBackend::new(store.clone(), "app").with_part_size(100);
        Self { store, backend }
    }

    pub(crate) async fn commit(&self, seq: u64) -> minisnap_core::Result<Committed> {
        let mut staged = self.backend.stage(seq).await?;
        staged.write_all(&[b'0' + u8::try_from(seq).expect("a digit"); 300]).expect("a stage takes bytes");
        staged.commit(CommitOptions::new(RETAIN)).await
    }

    pub(crate) fn json(&self, generation: &Generation) -> Path {
        Path::from(format!("app/snapshots/{generation}/snapshot.json"))
    }

    pub(crate) async fn put(&self, path: &Path, bytes: impl Into<bytes::Bytes>) {
        self.store.put(path, bytes.into().into()).await.expect("a put");
    }

    pub(crate) async fn get(&self, path: &Path) -> bytes::Bytes {
        self.store.get(path).await.expect("an object").bytes().await.expect("the bytes of the object")
    }

    pub(crate) async fn delete(&self, path: &Path) {
        self.store.delete(path).await.expect("a delete");
    }

    /// The paths that contain `part`, sorted.
    pub(crate) async fn objects(&self, part: &str) -> Vec<String> {
        let listed: Vec<_> = self.store.list(None).try_collect().await.expect("a listing");
        let mut paths: Vec<_> = listed.into_iter().map(|meta| meta.location.to_string()).collect();
        paths.retain(|path| path.contains(part));
        paths.sort();
        paths
    }
}

/// Commits and retains one generation.
pub(crate) async fn retain_one(backend: &ObjectBackend, seq: u64) {
    let staged = backend.stage(seq).await.expect("a stage");
    staged.commit(CommitOptions::new(NonZeroUsize::MIN)).await.expect("a commit succeeds");
}

/// The path of the record.
pub(crate) fn record() -> Path {
    Path::from("app/snapshots/current")
}
