//! Who is measured: minisnap, and what one would do by hand.

use minisnap::{
    SnapStore,
    object::{
        ObjectBackend,
        object_store::{ObjectStore, ObjectStoreExt, parse_url_opts, path::Path},
    },
};
use minisnap_s3_server::S3Server;
use shared::{Result, workload::Workload};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

pub trait Side {
    /// How long it takes to save a state.
    async fn create<S: Workload>(&self, state: &Arc<S>, seq: u64) -> Result<Duration>;

    /// The state, and how long it took to get it.
    async fn restore<S: Workload>(&self) -> Result<(S, Duration)>;
}

/// minisnap, with its settings as they are unless set.
pub struct Snapshots(SnapStore<ObjectBackend>);

impl Snapshots {
    /// The server's, by way of another endpoint that leads to it.
    pub fn open(server: &S3Server, endpoint: &str) -> Result<Self> {
        let backend = ObjectBackend::open(&server.url("minisnap"), minisnap_s3_server::options(endpoint))?;
        Ok(Self(SnapStore::with_backend(backend)))
    }
}

impl Side for Snapshots {
    async fn create<S: Workload>(&self, state: &Arc<S>, seq: u64) -> Result<Duration> {
        let begun = Instant::now();
        self.0.create_owned(Arc::clone(state), seq).await?;
        Ok(begun.elapsed())
    }

    async fn restore<S: Workload>(&self) -> Result<(S, Duration)> {
        let begun = Instant::now();
        let (state, _) = self.0.restore().await?;
        Ok((state, begun.elapsed()))
    }
}

/// A put of one object and a get, each in one stream.
pub struct Bare {
    store: Box<dyn ObjectStore>,
    path: Path,
}

impl Bare {
    pub fn open(server: &S3Server, endpoint: &str) -> Result<Self> {
        let (store, path) = parse_url_opts(&server.url("bare.json").parse()?, minisnap_s3_server::options(endpoint))?;
        Ok(Self { store, path })
    }
}

impl Side for Bare {
    async fn create<S: Workload>(&self, state: &Arc<S>, _: u64) -> Result<Duration> {
        let begun = Instant::now();
        self.store.put(&self.path, serde_json::to_vec_pretty(&**state)?.into()).await?;
        Ok(begun.elapsed())
    }

    async fn restore<S: Workload>(&self) -> Result<(S, Duration)> {
        let begun = Instant::now();
        let json = self.store.get(&self.path).await?.bytes().await?;
        let state = serde_json::from_slice(&json)?;
        Ok((state, begun.elapsed()))
    }
}
