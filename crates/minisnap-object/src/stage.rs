//! A staged snapshot. A small one stays in memory until its commit. A larger one is uploaded in parts while it is written.

use crate::{
    ObjectBackend, commit,
    record_store::{LAST_ATTEMPT_TIMEOUT, VersionedRecord},
    upload::Upload,
};
use async_trait::async_trait;
use minisnap_core::{
    Bytes, CommitOptions, Committed, Generation, MiniSnapError, Operation, Result, StagedSnapshot, UploadBuffer,
    format::seq_text,
};
use std::{fmt, io, sync::Arc, time::SystemTime};
use tokio::runtime::Handle;

/// A staged snapshot.
pub(crate) struct Stage {
    pub(crate) backend: ObjectBackend,
    /// The record as it was at the staging, before the upload began.
    pub(crate) initial_record: VersionedRecord,
    pub(crate) name: String,
    pub(crate) seq: u64,
    pub(crate) runtime: Handle,
    /// Complete parts are passed to the upload at once, so this has the bytes after them.
    buffer: UploadBuffer,
    upload: Option<Upload>,
}

impl Stage {
    pub(crate) fn new(
        backend: ObjectBackend,
        initial_record: VersionedRecord,
        name: String,
        seq: u64,
        runtime: Handle,
    ) -> Self {
        let buffer = UploadBuffer::new(backend.settings.part_size);
        Self { backend, initial_record, name, seq, runtime, buffer, upload: None }
    }

    /// Whether the upload of parts has begun.
    pub(crate) fn is_large(&self) -> bool {
        self.upload.is_some()
    }

    /// The generation of this name with the size and digest of the written bytes.
    pub(crate) fn generation(&self, name: String, time: SystemTime) -> Generation {
        let (size, digest) = (self.buffer.size(), self.buffer.digest());
        Generation::new(name, self.seq).with_size(size).with_digest(digest).with_time(time)
    }

    /// Uploads the rest of the JSON, and the sequence number in parallel.
    pub(crate) async fn upload(&mut self) -> Result<()> {
        let rest = self.take_rest();
        let [json_path, seq_path] = self.backend.layout.files(&self.name);
        let upload = self.upload.take();
        let json = async {
            match upload {
                None => self.backend.put(&json_path, rest).await,
                Some(upload) => upload.finish(rest, LAST_ATTEMPT_TIMEOUT).await,
            }
        };
        let seq = self.backend.put(&seq_path, seq_text(self.seq).into());
        let (json, seq) = tokio::join!(json, seq);
        json.map_err(|error| self.backend.failed(Operation::Commit, &json_path, &error))?;
        seq.map_err(|error| self.backend.failed(Operation::Commit, &seq_path, &error))
    }

    /// Aborts an upload that wasn't finished.
    pub(crate) async fn abort_best_effort(&mut self) {
        if let Some(upload) = self.upload.take() {
            upload.abort_best_effort(LAST_ATTEMPT_TIMEOUT).await;
        }
    }

    /// Passes the complete parts to the upload. Returns the error of an upload that has failed.
    fn send_parts(&mut self) -> Result<()> {
        while let Some(part) = self.buffer.next_part() {
            let backend = &self.backend;
            let upload = self.upload.get_or_insert_with(|| {
                let path = backend.layout.json(&self.name);
                Upload::start(backend.clone(), path, &self.runtime)
            });
            upload.send_part(part.bytes).map_err(|error| self.failed(error))?;
            self.buffer.mark_uploaded(part.index);
        }
        Ok(())
    }

    /// The last part: all of a small JSON. If an earlier part could not be sent, the upload has failed.
    fn take_rest(&mut self) -> Bytes {
        self.buffer.finish();
        let Some(rest) = self.buffer.next_part() else { return Bytes::new() };
        self.buffer.mark_uploaded(rest.index);
        rest.bytes
    }

    fn failed(&self, error: Arc<object_store::Error>) -> MiniSnapError {
        self.backend.failed(Operation::Write, &self.backend.layout.json(&self.name), &error)
    }
}

impl io::Write for Stage {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // After a failed upload, takes no more bytes.
        self.send_parts()?;
        // A part is complete only when more bytes follow: a JSON that fits into one part is uploaded in one request.
        let written = self.buffer.write(bytes)?;
        self.send_parts()?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[async_trait]
impl StagedSnapshot for Stage {
    async fn drain(&mut self) -> Result<()> {
        let drained = match &mut self.upload {
            None => Ok(()),
            Some(upload) => upload.drain().await,
        };
        drained.map_err(|error| self.failed(error))
    }

    /// Before the commit there are no objects, only parts of an upload.
    async fn discard(mut self: Box<Self>) -> Result<()> {
        let aborted = match self.upload.take() {
            None => Ok(()),
            Some(upload) => upload.abort().await,
        };
        aborted.map_err(|error| self.backend.failed(Operation::Discard, &self.backend.layout.json(&self.name), &error))
    }

    async fn commit(self: Box<Self>, options: CommitOptions) -> Result<Committed> {
        commit::commit(*self, options.precondition(), options.retain()).await
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage")
            .field("location", &self.backend.location)
            .field("name", &self.name)
            .field("size", &self.buffer.size())
            .field("large", &self.is_large())
            .finish_non_exhaustive()
    }
}
