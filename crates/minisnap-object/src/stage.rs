//! A staged snapshot. A small one stays in memory until its commit. A larger one is uploaded in parts while it is written.

use crate::{ObjectBackend, commit, record_store::VersionedRecord, upload::Upload};
use async_trait::async_trait;
use bytes::Bytes;
use minisnap_core::{
    CommitOptions, Committed, Digester, Generation, MiniSnapError, Operation, Result, StagedSnapshot, format::seq_text,
};
use std::{fmt, io, mem, sync::Arc, time::SystemTime};
use tokio::runtime::Handle;

/// A staged snapshot.
pub(crate) struct Stage {
    pub(crate) backend: ObjectBackend,
    /// The record as it was at the staging, before the upload began.
    pub(crate) initial_record: VersionedRecord,
    pub(crate) name: String,
    pub(crate) seq: u64,
    pub(crate) runtime: Handle,
    /// The bytes since the last full part.
    buffer: Vec<u8>,
    upload: Option<Upload>,
    size: u64,
    digester: Digester,
}

impl Stage {
    pub(crate) fn new(
        backend: ObjectBackend,
        initial_record: VersionedRecord,
        name: String,
        seq: u64,
        runtime: Handle,
    ) -> Self {
        Self {
            backend,
            initial_record,
            name,
            seq,
            runtime,
            buffer: Vec::new(),
            upload: None,
            size: 0,
            digester: Digester::new(),
        }
    }

    /// Whether the upload of parts has begun.
    pub(crate) fn is_large(&self) -> bool {
        self.upload.is_some()
    }

    /// The generation of this name with the size and digest of the written bytes.
    pub(crate) fn generation(&self, name: String, time: SystemTime) -> Generation {
        let digest = self.digester.digest();
        Generation::new(name, self.seq).with_size(self.size).with_digest(digest).with_time(time)
    }

    /// Uploads the rest of the JSON, and the sequence number in parallel.
    pub(crate) async fn upload(&mut self) -> Result<()> {
        let rest = Bytes::from(mem::take(&mut self.buffer));
        let [json_path, seq_path] = self.backend.layout.files(&self.name);
        let upload = self.upload.take();
        let json = async {
            match upload {
                None => self.backend.put(&json_path, rest).await,
                Some(upload) => upload.finish(rest, self.backend.settings.busy_timeout).await,
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
            upload.abort_best_effort(self.backend.settings.busy_timeout).await;
        }
    }

    /// Passes the full part to the upload. Returns the error of an upload that has failed.
    fn send_part(&mut self) -> Result<()> {
        let settings = self.backend.settings;
        let path = self.backend.layout.json(&self.name);
        let upload = self.upload.get_or_insert_with(|| {
            Upload::start(self.backend.store.clone(), path.clone(), settings.parts_in_flight, &self.runtime)
        });
        let part = mem::replace(&mut self.buffer, Vec::with_capacity(settings.part_size));
        upload.send_part(part.into()).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: Arc<object_store::Error>) -> MiniSnapError {
        self.backend.failed(Operation::Write, &self.backend.layout.json(&self.name), &error)
    }
}

impl io::Write for Stage {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let part_size = self.backend.settings.part_size;
        // A full part is sent only when more bytes follow: a JSON that fits into one part is uploaded in one request.
        if self.buffer.len() == part_size && !bytes.is_empty() {
            self.send_part().map_err(io::Error::from)?;
        }
        let taken = &bytes[..bytes.len().min(part_size - self.buffer.len())];
        self.buffer.extend_from_slice(taken);
        self.digester.update(taken);
        self.size += taken.len() as u64;
        Ok(taken.len())
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
            .field("size", &self.size)
            .field("large", &self.is_large())
            .finish_non_exhaustive()
    }
}
