//! The memory backend is held to the contract by the suite that holds every backend to it.

use minisnap_core::{SnapshotBackend, async_trait, conformance::*, conformance_tests};
use minisnap_mem::MemBackend;
use std::sync::Arc;

/// The test's own handle is the medium: it is all that is left when the suite drops its handles to reopen the store.
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
