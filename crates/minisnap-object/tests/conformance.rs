//! The object store backend is held to the contract by the suite that holds every backend to it.

use minisnap_core::{SnapshotBackend, async_trait, conformance::*};
use minisnap_object::{
    ObjectBackend,
    object_store::{ObjectStore, memory::InMemory},
};
use std::{sync::Arc, time::Duration};

#[path = "support/mod.rs"]
mod support;

/// In this process's memory: no HTTP, and nothing that a real server does differently.
mod memory {
    use super::*;

    struct Memory(Arc<dyn ObjectStore>);

    #[async_trait]
    impl StoreUnderTest for Memory {
        async fn fresh() -> Self {
            Self(Arc::new(InMemory::new()))
        }

        async fn open(&self) -> Arc<dyn SnapshotBackend> {
            Arc::new(ObjectBackend::new(self.0.clone(), "some/app").with_grace_time(Duration::ZERO))
        }

        async fn debris(&self) -> Vec<String> {
            support::debris(&self.0, "some/app").await
        }

        fn lacks() -> &'static [Capability] {
            &[]
        }
    }

    minisnap_core::conformance_tests!(Memory);
}
