//! The contenders: minisnap, and a plain put and get.

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

pub trait Contender {
    /// Saves a state. Returns the time that it took.
    async fn create<S: Workload>(&self, state: &Arc<S>, seq: u64) -> Result<Duration>;

    /// Restores the state. Returns it with the time that it took.
    async fn restore<S: Workload>(&self) -> Result<(S, Duration)>;
}

/// minisnap with its default settings.
pub struct Snapshots(SnapStore<ObjectBackend>);

impl Snapshots {
    /// Opens a store on the server, through `endpoint`.
    pub fn open(server: &S3Server, endpoint: &str) -> Result<Self> {
        let backend = ObjectBackend::open(&server.url("minisnap"), minisnap_s3_server::options(endpoint))?;
        Ok(Self(SnapStore::with_backend(backend)))
    }
}

impl Contender for Snapshots {
    async fn create<S: Workload>(&self, state: &Arc<S>, seq: u64) -> Result<Duration> {
        let start = Instant::now();
        self.0.create_owned(Arc::clone(state), seq).await?;
        Ok(start.elapsed())
    }

    async fn restore<S: Workload>(&self) -> Result<(S, Duration)> {
        let start = Instant::now();
        let (state, _) = self.0.restore().await?;
        Ok((state, start.elapsed()))
    }
}

/// A put and a get of one object, each in one stream.
pub struct PutAndGet {
    store: Box<dyn ObjectStore>,
    path: Path,
}

impl PutAndGet {
    pub fn open(server: &S3Server, endpoint: &str) -> Result<Self> {
        let (store, path) = parse_url_opts(&server.url("bare.json").parse()?, minisnap_s3_server::options(endpoint))?;
        Ok(Self { store, path })
    }
}

impl Contender for PutAndGet {
    async fn create<S: Workload>(&self, state: &Arc<S>, _: u64) -> Result<Duration> {
        let start = Instant::now();
        self.store.put(&self.path, serde_json::to_vec_pretty(&**state)?.into()).await?;
        Ok(start.elapsed())
    }

    async fn restore<S: Workload>(&self) -> Result<(S, Duration)> {
        let start = Instant::now();
        let json = self.store.get(&self.path).await?.bytes().await?;
        let state = serde_json::from_slice(&json)?;
        Ok((state, start.elapsed()))
    }
}
