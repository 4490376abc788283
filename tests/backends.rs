//! A fresh store of each kind of backend, and the kinds of create.

use minisnap::{FsBackend, SnapshotBackend, mem::MemBackend};
use minisnap_object::ObjectBackend;
use minisnap_s3_server::{Conditions, S3Server};
use std::sync::{Arc, LazyLock};

static SERVER: LazyLock<S3Server> = LazyLock::new(|| S3Server::start(Conditions::Atomic));

/// A backend, and the folder that is there as long as this is.
pub(crate) type Fresh = (Arc<dyn SnapshotBackend>, Option<tempfile::TempDir>);

/// A folder, memory, and S3 over HTTP, where `prefix` is this test's own.
pub(crate) fn over_http(prefix: &str) -> [Fresh; 3] {
    with(ObjectBackend::open(&SERVER.url(prefix), SERVER.options()).expect("a store"))
}

/// A folder, memory, and this object store.
pub(crate) fn with(object: ObjectBackend) -> [Fresh; 3] {
    let folder = tempfile::tempdir().expect("a folder");
    let fs = FsBackend::new(folder.path().join("state"));
    [(Arc::new(fs), Some(folder)), (Arc::new(MemBackend::new()), None), (Arc::new(object), None)]
}

/// What a create takes, and whether it is verified.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Borrowed,
    Verified,
    Owned,
    OwnedVerified,
    Raw,
}

pub(crate) const KINDS: [Kind; 5] = [Kind::Borrowed, Kind::Verified, Kind::Owned, Kind::OwnedVerified, Kind::Raw];
