//! The conformance suite for the memory backend.

use minisnap_core::{Operation, SnapshotBackend, async_trait, conformance::*, conformance_tests};
use minisnap_mem::{Fault, MemBackend};
use std::{io::ErrorKind, sync::Arc};

/// The store under test. Its own handle is the medium: it stays when the suite drops its handles to reopen the store.
struct Memory(MemBackend);

#[async_trait]
impl StoreUnderTest for Memory {
    async fn fresh() -> Self {
        Self(MemBackend::new())
    }

    async fn open(&self) -> Arc<dyn SnapshotBackend> {
        // A store that is opened can be reached again.
        self.0.clear_faults();
        Arc::new(self.0.clone())
    }

    async fn garbage(&self) -> Vec<String> {
        (0..self.0.stages()).map(|stage| format!("stage {stage}")).collect()
    }

    fn lacks() -> &'static [Capability] {
        &[]
    }

    async fn unreachable(&self) -> Option<Arc<dyn SnapshotBackend>> {
        use Operation::{CollectGarbage, Current, Expire, History, Read, Stage, Verify};
        for operation in [Current, History, Read, Stage, Expire, Verify, CollectGarbage] {
            self.0.fail(operation).with(ErrorKind::ConnectionRefused).always();
        }
        Some(Arc::new(self.0.clone()))
    }

    async fn lose_next_answer(&self) -> Option<Arc<dyn SnapshotBackend>> {
        self.0.fail(Operation::Commit).with(Fault::OutcomeUnknown { applied: true }).once();
        Some(Arc::new(self.0.clone()))
    }
}

conformance_tests!(Memory, hooks = [unreachable, lost_answer]);
