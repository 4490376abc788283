//! The object store backend is held to the contract by the suite that holds every backend to it: in memory, and over HTTP
//! with three servers that have nothing in common.
//!
//! The first is in this process. The others have to be installed, which `scripts/with-ministack` and `scripts/with-azurite` do:
//!
//! ```console
//! $ cargo test -p minisnap-object --test tests -- --ignored s3s
//! $ scripts/with-ministack cargo test -p minisnap-object --test tests -- --ignored ministack
//! $ scripts/with-azurite cargo test -p minisnap-object --test tests -- --ignored azurite
//! ```

use minisnap_core::{SnapshotBackend, async_trait, conformance::*, random_name_part};
use minisnap_object::{
    ObjectBackend,
    object_store::{ObjectStore, memory::InMemory},
};
use minisnap_s3_server::{Conditions, S3Server};
use std::{sync::Arc, time::Duration};

/// A store under test: a prefix of its own in a bucket.
trait Bucket: Send + Sync + 'static {
    /// The suite looks for what dead writers left for ten seconds. With none at all, each publish sweeps what the living
    /// have just uploaded, which is as good a test as it is slow over HTTP.
    const GRACE_TIME: Duration = Duration::from_millis(200);

    /// What is dropped with the store: its server, if it has one of its own.
    type Guard: Send + Sync;

    /// A client with connections of its own: each case has a runtime of its own, which its connections end with.
    fn client() -> (Arc<dyn ObjectStore>, Self::Guard);
}

struct Prefix<B: Bucket> {
    client: Arc<dyn ObjectStore>,
    _guard: B::Guard,
    path: String,
}

#[async_trait]
impl<B: Bucket> StoreUnderTest for Prefix<B> {
    async fn fresh() -> Self {
        let path = format!("suite/{}", random_name_part(16).expect("randomness"));
        let (client, guard) = B::client();
        Self { client, _guard: guard, path }
    }

    async fn open(&self) -> Arc<dyn SnapshotBackend> {
        let backend = ObjectBackend::new(self.client.clone(), self.path.as_str());
        Arc::new(backend.with_grace_time(B::GRACE_TIME).with_part_size(5 << 20))
    }

    async fn garbage(&self) -> Vec<String> {
        crate::support::garbage(&self.client, &self.path).await
    }

    fn lacks() -> &'static [Capability] {
        &[]
    }
}

/// In this process's memory: no HTTP, and nothing that a real server does differently.
mod memory {
    use super::*;

    struct Memory;

    impl Bucket for Memory {
        const GRACE_TIME: Duration = Duration::ZERO;

        type Guard = ();

        fn client() -> (Arc<dyn ObjectStore>, ()) {
            (Arc::new(InMemory::new()), ())
        }
    }

    minisnap_core::conformance_tests!(Prefix<Memory>);
}

/// An S3 server over a folder, in this process, with signed requests.
mod s3s {
    use super::*;

    struct S3s;

    impl Bucket for S3s {
        type Guard = S3Server;

        fn client() -> (Arc<dyn ObjectStore>, S3Server) {
            // Not one for all: its lists take longer the more there is in all the stores together.
            let server = S3Server::start(Conditions::Atomic);
            (crate::support::servers::client_of(&server), server)
        }
    }

    minisnap_core::conformance_tests!(Prefix<S3s>, #[ignore = "minutes over HTTP: run with --ignored, as .ci/run does"]);
}

/// An emulator of AWS in Python.
mod ministack {
    use super::*;

    struct MiniStack;

    impl Bucket for MiniStack {
        type Guard = ();

        fn client() -> (Arc<dyn ObjectStore>, ()) {
            (crate::support::servers::ministack(), ())
        }
    }

    minisnap_core::conformance_tests!(Prefix<MiniStack>, #[ignore = "needs scripts/with-ministack"]);
}

/// Microsoft's emulator of Azure Blob Storage.
mod azurite {
    use super::*;

    struct Azurite;

    impl Bucket for Azurite {
        // It knows when an object was written to the second only.
        const GRACE_TIME: Duration = Duration::from_millis(1_200);

        type Guard = ();

        fn client() -> (Arc<dyn ObjectStore>, ()) {
            (crate::support::servers::azurite(), ())
        }
    }

    minisnap_core::conformance_tests!(Prefix<Azurite>, #[ignore = "needs scripts/with-azurite"]);
}
