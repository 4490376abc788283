//! The object store backend is held to the contract by the suite that holds every backend to it: in memory, and over HTTP
//! with three servers that have nothing in common.
//!
//! `cargo test` starts the first by itself. The others have to be installed, which `scripts/with-ministack` and
//! `scripts/with-azurite` do:
//!
//! ```console
//! $ scripts/with-ministack cargo test -p minisnap-object --features aws,azure --test conformance -- --ignored ministack
//! $ scripts/with-azurite cargo test -p minisnap-object --features aws,azure --test conformance -- --ignored azurite
//! ```

use minisnap_core::{SnapshotBackend, async_trait, conformance::*, random_name_part};
use minisnap_object::{
    ObjectBackend,
    object_store::{ObjectStore, memory::InMemory},
};
use std::{sync::Arc, time::Duration};

mod support;

/// A store under test: a prefix of its own in a bucket.
trait Bucket: Send + Sync + 'static {
    /// A client with connections of its own: each case has a runtime of its own, which its connections end with.
    fn client() -> Arc<dyn ObjectStore>;
}

struct Prefix<B> {
    client: Arc<dyn ObjectStore>,
    prefix: String,
    bucket: std::marker::PhantomData<B>,
}

#[async_trait]
impl<B: Bucket> StoreUnderTest for Prefix<B> {
    async fn fresh() -> Self {
        let prefix = format!("suite/{}", random_name_part(16).expect("randomness"));
        Self { client: B::client(), prefix, bucket: std::marker::PhantomData }
    }

    async fn open(&self) -> Arc<dyn SnapshotBackend> {
        // The suite wants to see what dead writers left go at once.
        let backend = ObjectBackend::new(self.client.clone(), self.prefix.as_str());
        Arc::new(backend.with_grace_time(Duration::ZERO).with_part_size(5 << 20))
    }

    async fn debris(&self) -> Vec<String> {
        support::debris(&self.client, &self.prefix).await
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
        fn client() -> Arc<dyn ObjectStore> {
            Arc::new(InMemory::new())
        }
    }

    minisnap_core::conformance_tests!(Prefix<Memory>);
}

/// An S3 server over a folder, in this process, with signed requests.
mod s3s {
    use super::*;

    struct S3s;

    impl Bucket for S3s {
        fn client() -> Arc<dyn ObjectStore> {
            support::servers::s3s()
        }
    }

    minisnap_core::conformance_tests!(Prefix<S3s>);
}

/// An emulator of AWS in Python.
mod ministack {
    use super::*;

    struct MiniStack;

    impl Bucket for MiniStack {
        fn client() -> Arc<dyn ObjectStore> {
            support::servers::ministack()
        }
    }

    minisnap_core::conformance_tests!(Prefix<MiniStack>, #[ignore = "needs scripts/with-ministack"]);
}

/// Microsoft's emulator of Azure Blob Storage.
mod azurite {
    use super::*;

    struct Azurite;

    impl Bucket for Azurite {
        fn client() -> Arc<dyn ObjectStore> {
            support::servers::azurite()
        }
    }

    minisnap_core::conformance_tests!(Prefix<Azurite>, #[ignore = "needs scripts/with-azurite"]);
}
