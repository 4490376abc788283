//! The object of a round of the check.

use super::race::{Condition, Undecided};
use crate::{
    ObjectBackend,
    record_store::{is_missing_object, version_of},
    transient::is_transient,
};
use bytes::Bytes;
use object_store::{Error, ObjectStoreExt, UpdateVersion, path::Path};
use std::time::Duration;
use tokio::time::timeout;

/// The object of a round.
pub(super) struct Probe<'a> {
    pub(super) backend: &'a ObjectBackend,
    pub(super) path: Path,
    /// The size of the objects, in bytes.
    pub(super) size: usize,
    /// The limit of one request.
    pub(super) limit: Duration,
}

/// What a read of the probe returned.
pub(super) enum ReadBack {
    Missing,
    Object(Bytes, UpdateVersion),
    Failed(Undecided),
}

impl Probe<'_> {
    /// The bytes of a writer: a text for people who find the object, with the size of a record. A store may honour conditions
    /// only for small objects.
    pub(super) fn text(&self, condition: Condition, racer: usize) -> Bytes {
        let mut text = format!("minisnap checks the condition {condition} of this store, writer {racer}\n");
        let padding = self.size.saturating_sub(text.len());
        text.extend(std::iter::repeat_n('.', padding));
        text.into()
    }

    /// Reads the object, and a second time if the first read fails.
    pub(super) async fn read(&self) -> ReadBack {
        match self.read_once().await {
            ReadBack::Failed(Undecided { transient: true, .. }) => self.read_once().await,
            read_back => read_back,
        }
    }

    async fn read_once(&self) -> ReadBack {
        let get = async {
            let object = self.backend.store.get(&self.path).await?;
            let version = version_of(&object.meta);
            Ok::<_, Error>((object.bytes().await?, version))
        };
        match timeout(self.limit, get).await {
            Ok(Ok((bytes, version))) => ReadBack::Object(bytes, version),
            Ok(Err(error)) if is_missing_object(&error) => ReadBack::Missing,
            Ok(Err(error)) => {
                let undecided = Undecided::new(UNREADABLE).because_of(self.backend, &error);
                ReadBack::Failed(Undecided { transient: is_transient(&error), ..undecided })
            }
            Err(elapsed) => ReadBack::Failed(Undecided { source: Some(elapsed.into()), ..Undecided::new(UNREADABLE) }),
        }
    }
}

const UNREADABLE: &str = "an object that was just written can't be read";
