//! Downloading objects in ranges, several in parallel.

use crate::{
    ObjectBackend,
    record_store::{ATTEMPT_TIMEOUT, is_missing_object},
};
use bytes::Bytes;
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use object_store::{Error, GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt, path::Path};
use std::io;
use tokio::time::timeout;

/// The result of a download.
#[derive(Debug)]
pub(crate) enum Download {
    Bytes(Bytes),
    /// There is no such object.
    Missing,
    /// The object has this size, in bytes, and not the expected one.
    OtherSize(u64),
}

/// The ranges of an object, in order.
pub(crate) type Ranges = BoxStream<'static, Result<Download, Error>>;

impl ObjectBackend {
    /// The ranges of an object of `size` bytes, in order. At most `parts_in_flight` are requested or buffered at a time.
    pub(crate) fn ranges(&self, path: &Path, size: u64) -> Ranges {
        let part = self.settings.part_size as u64;
        let (backend, path) = (self.clone(), path.clone());
        let range = move |part_number| {
            let (backend, path) = (backend.clone(), path.clone());
            let start = part_number * part;
            async move { backend.range(&path, start, (size - start).min(part), size).await }
        };
        let ranges = stream::iter(0..size.div_ceil(part).max(1)).map(range);
        ranges.buffered(self.settings.parts_in_flight).boxed()
    }

    /// Downloads an object of `size` bytes.
    pub(crate) async fn download(&self, path: &Path, size: u64) -> Result<Download, Error> {
        let mut ranges = self.ranges(path, size);
        let mut bytes = Vec::new();
        while let Some(range) = ranges.try_next().await? {
            match range {
                // One range is the complete object: return it without a copy.
                Download::Bytes(range) if range.len() as u64 == size => return Ok(Download::Bytes(range)),
                Download::Bytes(range) => {
                    // Reserved only now, when the store has confirmed the object's size.
                    bytes.reserve_exact(capacity(size)? - bytes.len());
                    bytes.extend_from_slice(&range);
                }
                mismatch => return Ok(mismatch),
            }
        }
        Ok(Download::Bytes(bytes.into()))
    }

    /// The metadata of an object. The answer is short, so a missing one is an error after some seconds.
    pub(crate) async fn head(&self, path: &Path) -> Result<ObjectMeta, Error> {
        match timeout(ATTEMPT_TIMEOUT, self.store.head(path)).await {
            Ok(answer) => answer,
            Err(elapsed) => {
                let source = io::Error::new(io::ErrorKind::TimedOut, elapsed);
                Err(Error::Generic { store: "head", source: source.into() })
            }
        }
    }

    async fn range(&self, path: &Path, start: u64, length: u64, size: u64) -> Result<Download, Error> {
        // An empty range is invalid, and the complete object needs no range.
        let options = match length == size {
            true => GetOptions::new(),
            false => GetOptions::new().with_range(Some(start..start + length)),
        };
        let found = match self.store.get_opts(path, options).await {
            Ok(found) => found,
            Err(error) if is_missing_object(&error) => return Ok(Download::Missing),
            // The range may be beyond the end of a smaller object.
            Err(error) => {
                return match self.head(path).await {
                    Ok(meta) if meta.size != size => Ok(Download::OtherSize(meta.size)),
                    _ => Err(error),
                };
            }
        };
        if found.meta.size != size {
            return Ok(Download::OtherSize(found.meta.size));
        }
        match found.bytes().await? {
            bytes if bytes.len() as u64 == length => Ok(Download::Bytes(bytes)),
            _ => Err(generic("the store returned another range than the requested one")),
        }
    }
}

fn capacity(size: u64) -> Result<usize, Error> {
    usize::try_from(size).map_err(|_| generic("the object is larger than memory"))
}

fn generic(text: &'static str) -> Error {
    Error::Generic { store: "download", source: text.into() }
}
