//! The conformance suite that every backend must pass: on a store in memory, and over HTTP with three independent servers.
//!
//! The first server runs in this process. `scripts/with-ministack` and `scripts/with-azurite` install and start the others:
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

/// A server or a store in memory. Each store under test has its own prefix.
trait Bucket: Send + Sync + 'static {
    /// The grace time of all handles. It is shorter than the ten seconds that the suite waits for the deletion of orphans.
    /// Without a grace time, each commit collects the files that running writers have just uploaded: a good test, but slow
    /// over HTTP.
    const GRACE_TIME: Duration = Duration::from_millis(200);

    /// Dropped with the store under test: its server, if it has its own.
    type Guard: Send + Sync;

    /// A client with its own connections. Each case has its own runtime, and its connections end with it.
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

/// A store in memory, without HTTP.
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
            // One server for each case, because its listings are slower the more objects it has.
            let server = S3Server::start(Conditions::Atomic);
            (crate::support::servers::client_of(&server), server)
        }
    }

    minisnap_core::conformance_tests!(Prefix<S3s>, #[ignore = "minutes over HTTP: run with --ignored, as .ci/run does"]);
}

/// MiniStack, an emulator of AWS.
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

/// Azurite, Microsoft's emulator of Azure Blob Storage.
mod azurite {
    use super::*;

    struct Azurite;

    impl Bucket for Azurite {
        // Azurite's timestamps have a resolution of one second.
        const GRACE_TIME: Duration = Duration::from_millis(1_200);

        type Guard = ();

        fn client() -> (Arc<dyn ObjectStore>, ()) {
            (crate::support::servers::azurite(), ())
        }
    }

    minisnap_core::conformance_tests!(Prefix<Azurite>, #[ignore = "needs scripts/with-azurite"]);
}
