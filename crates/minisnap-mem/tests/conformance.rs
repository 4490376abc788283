//! The conformance suite for the memory backend.

use minisnap_core::{SnapshotBackend, async_trait, conformance::*, conformance_tests};
use minisnap_mem::MemBackend;
use std::sync::Arc;

/// The store under test. Its own handle is the medium: it stays when the suite drops its handles to reopen the store.
struct Memory(MemBackend);

#[async_trait]
impl StoreUnderTest for Memory {
    async fn fresh() -> Self {
        Self(MemBackend::new())
    }

    async fn open(&self) -> Arc<dyn SnapshotBackend> {
        Arc::new(self.0.clone())
    }

    async fn garbage(&self) -> Vec<String> {
        (0..self.0.stages()).map(|stage| format!("stage {stage}")).collect()
    }

    fn lacks() -> &'static [Capability] {
        &[]
    }
}

conformance_tests!(Memory);
