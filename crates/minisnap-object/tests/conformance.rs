//! The conformance suite that every backend must pass: on a store in memory, and over HTTP with independent servers.
//!
//! The first two servers run in this process. The scripts `scripts/with-…` install and start the others:
//!
//! ```console
//! $ cargo test -p minisnap-object --test tests -- --ignored --skip not_tested s3s
//! $ cargo test -p minisnap-object --test tests -- --ignored --skip not_tested gcs
//! $ scripts/with-ministack cargo test -p minisnap-object --test tests -- --ignored --skip not_tested ministack
//! $ scripts/with-azurite cargo test -p minisnap-object --test tests -- --ignored --skip not_tested azurite
//! $ scripts/with-seaweedfs cargo test -p minisnap-object --test tests -- --ignored --skip not_tested seaweedfs
//! $ scripts/with-ceph cargo test -p minisnap-object --test tests -- --ignored --skip not_tested ceph
//! ```

use crate::support::{hooked_store::HookedStore, servers};
use minisnap_core::{Generation, SnapshotBackend, async_trait, conformance::*, format::JSON_NAME, random_name_part};
use minisnap_gcs_server::{GcsServer, Limits};
use minisnap_object::{
    ObjectBackend,
    object_store::{ObjectStore, ObjectStoreExt, memory::InMemory, path::Path},
};
use minisnap_s3_server::{Conditions, S3Server};
use std::{marker::PhantomData, sync::Arc, time::Duration};

const GRACE_TIME: Duration = Duration::from_millis(200);

/// A server or a store in memory. Each store under test has its own prefix.
trait Bucket: Send + Sync + 'static {
    /// The grace time of all handles. It is shorter than the ten seconds that the suite waits for the deletion of orphans.
    /// Without a grace time, each commit collects the files that running writers have just uploaded: a good test, but slow
    /// over HTTP.
    const GRACE_TIME: Duration = GRACE_TIME;

    const PROFILE: Profile = Profile::remote();

    /// Dropped with the store under test: its server, if it has its own.
    type Guard: Send + Sync;

    fn start() -> Self::Guard;

    /// The endpoint, by which another process connects to the same bucket; `None` if there is no server.
    fn endpoint(guard: &Self::Guard) -> Option<String>;

    /// The bucket at an endpoint.
    fn at(endpoint: &str) -> servers::Bucket;
}

struct Prefix<B: Bucket> {
    /// For the hooks: a client with its own connections. Each case has its own runtime, and its connections end with it.
    client: Arc<dyn ObjectStore>,
    guard: Arc<B::Guard>,
    path: String,
}

impl<B: Bucket> Prefix<B> {
    fn backend(&self, client: Arc<dyn ObjectStore>) -> Arc<dyn SnapshotBackend> {
        configured::<B>(ObjectBackend::new(client, self.path.as_str()))
    }
}

fn configured<B: Bucket>(backend: ObjectBackend) -> Arc<dyn SnapshotBackend> {
    Arc::new(backend.with_grace_time(B::GRACE_TIME).with_part_size(5 << 20))
}

#[async_trait]
impl<B: Bucket> StoreUnderTest for Prefix<B> {
    async fn fresh() -> Self {
        let path = format!("suite/{}", random_name_part(16).expect("randomness"));
        let guard = B::start();
        let client = match B::endpoint(&guard) {
            Some(endpoint) => B::at(&endpoint).client(),
            None => Arc::new(InMemory::new()),
        };
        Self { client, guard: Arc::new(guard), path }
    }

    /// By URL, as a program does, so that requests go through the HTTP layer.
    async fn open(&self) -> Arc<dyn SnapshotBackend> {
        match B::endpoint(&self.guard) {
            Some(endpoint) => configured::<B>(B::at(&endpoint).open(&self.path)),
            None => self.backend(self.client.clone()),
        }
    }

    async fn garbage(&self) -> Vec<String> {
        crate::support::garbage(&self.client, &self.path).await
    }

    fn lacks() -> &'static [Capability] {
        &[]
    }

    /// A shorter history than on a disk: the record has all of it, and is written and parsed in each commit.
    fn profile() -> Profile {
        B::PROFILE
    }

    fn address(&self) -> Option<String> {
        B::endpoint(&self.guard).map(|endpoint| format!("{endpoint} {}", self.path))
    }

    async fn open_address(address: &str) -> Option<Arc<dyn SnapshotBackend>> {
        let (endpoint, path) = address.split_once(' ')?;
        Some(configured::<B>(B::at(endpoint).open(path)))
    }

    async fn open_read_only(&self) -> Option<Arc<dyn SnapshotBackend>> {
        Some(self.backend(HookedStore::read_only(self.client.clone())))
    }

    async fn corrupt(&self, generation: &Generation) -> Option<()> {
        let path = Path::from(format!("{}/snapshots/{}/{JSON_NAME}", self.path, generation.name()));
        let stored = self.client.get(&path).await.expect("the JSON of the generation");
        let mut json = stored.bytes().await.expect("the bytes of the JSON").to_vec();
        let middle = json.len() / 2;
        json[middle] ^= 1;
        self.client.put(&path, json.into()).await.expect("the JSON can be replaced");
        Some(())
    }

    async fn unreachable(&self) -> Option<Arc<dyn SnapshotBackend>> {
        Some(self.backend(HookedStore::unreachable(self.client.clone())))
    }

    async fn lose_next_answer(&self) -> Option<Arc<dyn SnapshotBackend>> {
        Some(self.backend(HookedStore::losing_an_answer(self.client.clone())))
    }

    async fn neighbour(&self) -> Option<Self> {
        let (client, guard) = (self.client.clone(), self.guard.clone());
        Some(Self { client, guard, path: format!("{}-2", self.path) })
    }
}

/// A store in memory, without HTTP.
mod memory {
    use super::*;

    struct Memory;

    impl Bucket for Memory {
        const GRACE_TIME: Duration = Duration::ZERO;

        const PROFILE: Profile = Profile::local().with_history(260);

        type Guard = ();

        fn start() {}

        fn endpoint((): &()) -> Option<String> {
            None
        }

        fn at(_: &str) -> servers::Bucket {
            unreachable!("a store in memory has no endpoint")
        }
    }

    minisnap_core::conformance_tests!(
        Prefix<Memory>,
        hooks = [read_only, corrupt, unreachable, lost_answer, neighbour]
    );
}

/// An S3 server over a folder, in this process, with signed requests.
mod s3s {
    use super::*;

    struct S3s;

    impl Bucket for S3s {
        type Guard = S3Server;

        /// One server for each case, because its listings are slower the more objects it has.
        fn start() -> S3Server {
            S3Server::start(Conditions::Atomic)
        }

        fn endpoint(server: &S3Server) -> Option<String> {
            Some(server.endpoint().to_owned())
        }

        fn at(endpoint: &str) -> servers::Bucket {
            servers::s3_at(endpoint)
        }
    }

    minisnap_core::conformance_tests!(
        Prefix<S3s>,
        hooks = [processes, read_only, corrupt, unreachable, lost_answer, neighbour],
        #[ignore = "minutes over HTTP: run with --ignored, as .ci/run does"]
    );
}

/// A server that a script `scripts/with-…` has started. A child process has the same variables for its address.
trait Started: Send + Sync + 'static {
    const GRACE_TIME: Duration;

    fn bucket() -> servers::Bucket;
}

struct Remote<S>(PhantomData<S>);

impl<S: Started> Bucket for Remote<S> {
    const GRACE_TIME: Duration = S::GRACE_TIME;

    type Guard = ();

    fn start() {}

    fn endpoint((): &()) -> Option<String> {
        Some(String::new())
    }

    fn at(_: &str) -> servers::Bucket {
        S::bucket()
    }
}

/// The suite on a server that a script has started.
macro_rules! suite_on_started {
    ($(#[$doc:meta])* $module:ident, $grace_time:expr, $reason:literal) => {
        $(#[$doc])*
        mod $module {
            use super::*;

            struct Server;

            impl Started for Server {
                const GRACE_TIME: Duration = $grace_time;

                fn bucket() -> servers::Bucket {
                    servers::$module()
                }
            }

            minisnap_core::conformance_tests!(
                Prefix<Remote<Server>>,
                hooks = [processes, read_only, corrupt, unreachable, lost_answer, neighbour],
                #[ignore = $reason]
            );
        }
    };
}

suite_on_started! {
    /// MiniStack, an emulator of AWS.
    ministack, GRACE_TIME, "needs scripts/with-ministack"
}

suite_on_started! {
    /// SeaweedFS, an object store for own machines.
    seaweedfs, GRACE_TIME, "needs scripts/with-seaweedfs"
}

suite_on_started! {
    /// Ceph's gateway RGW, with three storage daemons.
    ceph, GRACE_TIME, "needs scripts/with-ceph"
}

suite_on_started! {
    /// Azurite, Microsoft's emulator of Azure Blob Storage. Its timestamps have a resolution of one second.
    azurite, Duration::from_millis(1_200), "needs scripts/with-azurite"
}

/// An emulator of Google Cloud Storage, in this process, without its rate limit, with which the suite takes hours.
mod gcs {
    use super::*;

    struct Gcs;

    impl Bucket for Gcs {
        type Guard = GcsServer;

        /// One server for each case, because it stores all objects in memory until it is dropped.
        fn start() -> GcsServer {
            GcsServer::start(Limits::default())
        }

        fn endpoint(server: &GcsServer) -> Option<String> {
            Some(server.endpoint().to_owned())
        }

        fn at(endpoint: &str) -> servers::Bucket {
            servers::google_at(endpoint)
        }
    }

    minisnap_core::conformance_tests!(
        Prefix<Gcs>,
        hooks = [processes, read_only, corrupt, unreachable, lost_answer, neighbour],
        #[ignore = "minutes over HTTP: run with --ignored, as .ci/run does"]
    );
}
