//! The conformance suite of minisnap for this backend.

use minisnap_core::{
    SnapshotBackend, async_trait,
    conformance::{Capability, StoreUnderTest},
    conformance_tests,
};
use minisnap_my_medium::MyBackend;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// A store at a location of its own. Implement `Drop` to delete it.
struct MyStore {
    location: String,
}

#[async_trait]
impl StoreUnderTest for MyStore {
    async fn fresh() -> Self {
        static STORES: AtomicUsize = AtomicUsize::new(0);
        Self {
            location: format!("my-medium:{}", STORES.fetch_add(1, Ordering::SeqCst)),
        }
    }

    async fn open(&self) -> Arc<dyn SnapshotBackend> {
        Arc::new(MyBackend::open(&self.location).expect("the medium can be reached"))
    }

    /// Look on the medium, not through the backend: stages, data of expired generations, data that was never committed.
    async fn garbage(&self) -> Vec<String> {
        Vec::new()
    }

    /// The preconditions that the medium can't evaluate in its atomic step. The backend refuses them with `Unsupported`.
    fn lacks() -> &'static [Capability] {
        &[]
    }

    // A store behind a network: less work, and more time.
    // fn profile() -> Profile { Profile::remote() }

    // A medium that limits the size of a value.
    // fn max_size() -> Option<usize> { Some(16 << 20) }

    // The nine hooks: write those that the medium allows, and list them in the macro below.
    //
    // `processes`: other processes open the store by its address.
    // fn address(&self) -> Option<String> { Some(self.location.clone()) }
    // async fn open_address(address: &str) -> Option<Arc<dyn SnapshotBackend>> { … }
    //
    // `read_only`: a handle of a user who may read, and may not write.
    // async fn open_read_only(&self) -> Option<Arc<dyn SnapshotBackend>> { … }
    //
    // `write_lock`: takes the lock that serializes the writers, past the backend. Dropping the value releases it.
    // async fn hold_write_lock(&self) -> Option<Box<dyn Send>> { … }
    //
    // `corrupt`: changes a byte of the stored JSON of a generation, past the backend.
    // async fn corrupt(&self, generation: &Generation) -> Option<()> { … }
    //
    // `unreachable`: a handle that can't reach the medium: no server listens there, or the password is wrong.
    // async fn unreachable(&self) -> Option<Arc<dyn SnapshotBackend>> { … }
    //
    // `lost_answer`: a handle whose next commit takes effect, and the answer to it is lost.
    // async fn lose_next_answer(&self) -> Option<Arc<dyn SnapshotBackend>> { … }
    //
    // `neighbour`: another empty store in the same database, bucket or folder, with a similar name.
    // async fn neighbour(&self) -> Option<Self> { … }
    //
    // `time_to_live`: deletes now all that the medium would delete by itself at a later time.
    // async fn end_times_to_live(&self) -> Option<()> { … }
    //
    // `power_cut`: everything that isn't durable is lost. For files, use the crate `minisnap-crash-model`.
    // async fn power_cut(&self) -> Option<()> { … }
}

conformance_tests!(MyStore, hooks = []);
