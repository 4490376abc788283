//! Empty stores of each kind of backend, and the kinds of create.

use minisnap::{FsBackend, SnapshotBackend, mem::MemBackend};
use minisnap_object::ObjectBackend;
use minisnap_s3_server::{Conditions, S3Server};
use std::sync::{Arc, LazyLock};

static SERVER: LazyLock<S3Server> = LazyLock::new(|| S3Server::start(Conditions::Atomic));

/// A backend, and its temporary folder.
pub(crate) type EmptyStore = (Arc<dyn SnapshotBackend>, Option<tempfile::TempDir>);

/// Returns empty stores in a folder, in memory, and on S3 over HTTP with a `prefix` for this test.
pub(crate) fn each_kind_over_http(prefix: &str) -> [EmptyStore; 3] {
    each_kind_with(ObjectBackend::open(&SERVER.url(prefix), SERVER.options()).expect("a store"))
}

/// Returns empty stores in a folder, in memory, and in this object store.
pub(crate) fn each_kind_with(object: ObjectBackend) -> [EmptyStore; 3] {
    let folder = tempfile::tempdir().expect("a folder");
    let fs = FsBackend::new(folder.path().join("state"));
    [(Arc::new(fs), Some(folder)), (Arc::new(MemBackend::new()), None), (Arc::new(object), None)]
}

/// The kind of a create: the type of its state, and whether it is verified.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Borrowed,
    Verified,
    Owned,
    OwnedVerified,
    Raw,
}

pub(crate) const KINDS: [Kind; 5] = [Kind::Borrowed, Kind::Verified, Kind::Owned, Kind::OwnedVerified, Kind::Raw];
