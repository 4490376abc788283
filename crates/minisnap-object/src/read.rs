//! Reading generations, complete or as a stream, and reporting why a generation can't be read.

use crate::{
    ObjectBackend,
    download::{Download, Ranges},
    layout,
};
use futures_util::TryStreamExt;
use minisnap_core::{Bytes, ChunkStream, Corruption, Digest, Digester, Generation, MiniSnapError, Operation, Result};

/// Why a generation's JSON can't be read.
#[derive(Debug)]
pub(crate) enum ReadFailure {
    Corrupt(Corruption),
    Failed(object_store::Error),
}

/// Reads the JSON of a generation in chunks. At most `parts_in_flight` of them are requested or buffered at a time.
pub(crate) struct ChunkReader {
    known: Generation,
    ranges: Ranges,
    digester: Digester,
}

impl ChunkReader {
    /// The next chunk. `None` at the end, if the digest of all chunks is the committed one.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, ReadFailure> {
        match self.ranges.try_next().await.map_err(ReadFailure::Failed)? {
            Some(Download::Bytes(chunk)) => {
                self.digester.update(&chunk);
                Ok(Some(chunk))
            }
            Some(mismatch) => Err(size_mismatch(&self.known, mismatch)),
            None => match digest_mismatch(&self.known, self.digester.digest()) {
                None => Ok(None),
                Some(found) => Err(ReadFailure::Corrupt(found)),
            },
        }
    }
}

impl ObjectBackend {
    /// The complete JSON of a generation.
    pub(crate) async fn read_complete(&self, generation: &Generation) -> Result<Bytes> {
        if layout::parse_name(generation.name()).is_none() {
            return Err(self.not_retained(generation));
        }
        let path = self.layout.json(generation.name());
        // A generation that came from the record has its size: then read the record and the JSON in parallel.
        if let Some(size) = generation.size() {
            let (known, json) = tokio::join!(self.find_retained(generation), self.download(&path, size));
            let known = known?;
            if known.size() == generation.size() {
                return self.verify_download(&known, json).await;
            }
        }
        let known = self.find_retained(generation).await?;
        let json = self.download(&path, known.size().unwrap_or_default()).await;
        self.verify_download(&known, json).await
    }

    /// The JSON of a generation as a stream.
    pub(crate) async fn stream_chunks(&self, generation: &Generation) -> Result<ChunkStream> {
        let known = self.find_retained(generation).await?;
        let state = (self.clone(), self.chunk_reader(&known));
        Ok(ChunkStream::unfold(state, |(backend, mut reader)| async move {
            loop {
                match reader.next().await {
                    // A JSON of zero bytes is one empty chunk.
                    Ok(Some(chunk)) if chunk.is_empty() => {}
                    Ok(Some(chunk)) => return Ok(Some((chunk, (backend, reader)))),
                    Ok(None) => {
                        backend.mark_intact(&reader.known);
                        return Ok(None);
                    }
                    Err(failure) => return Err(backend.read_error(&reader.known, failure).await),
                }
            }
        }))
    }

    /// A reader of the JSON of `known`, which is a generation as the record describes it.
    pub(crate) fn chunk_reader(&self, known: &Generation) -> ChunkReader {
        let ranges = self.ranges(&self.layout.json(known.name()), known.size().unwrap_or_default());
        ChunkReader { known: known.clone(), ranges, digester: Digester::new() }
    }

    /// Checks, in bounded memory, that the JSON has the committed size and digest.
    pub(crate) async fn check_json(&self, known: &Generation) -> Result<(), ReadFailure> {
        let mut reader = self.chunk_reader(known);
        while reader.next().await?.is_some() {}
        Ok(())
    }

    /// Whether the record retains this generation now.
    pub(crate) async fn is_retained(&self, operation: Operation, known: &Generation) -> Result<bool> {
        Ok(self.load_record(operation).await?.record.find_retained(known).is_some())
    }

    /// The retained generation with the name and sequence number of `generation`, as the record describes it.
    async fn find_retained(&self, generation: &Generation) -> Result<Generation> {
        if layout::parse_name(generation.name()).is_none() {
            return Err(self.not_retained(generation));
        }
        let loaded = self.load_record(Operation::Read).await?;
        let known = loaded.record.find_retained(generation).filter(|known| known.seq() == generation.seq());
        known.cloned().ok_or_else(|| self.not_retained(generation))
    }

    async fn verify_download(&self, known: &Generation, json: Result<Download, object_store::Error>) -> Result<Bytes> {
        let failure = match json {
            Ok(Download::Bytes(json)) => match digest_mismatch(known, Digest::of(&json)) {
                None => {
                    self.mark_intact(known);
                    return Ok(json);
                }
                Some(found) => ReadFailure::Corrupt(found),
            },
            Ok(mismatch) => size_mismatch(known, mismatch),
            Err(error) => ReadFailure::Failed(error),
        };
        Err(self.read_error(known, failure).await)
    }

    /// The error for a generation that the record retained before it was read.
    async fn read_error(&self, known: &Generation, failure: ReadFailure) -> MiniSnapError {
        // The generation may have expired since. If the record can't be read, that is the error to report.
        match self.is_retained(Operation::Read, known).await {
            Err(error) => return error,
            Ok(false) => return self.not_retained(known),
            Ok(true) => {}
        }
        let path = self.layout.json(known.name());
        let found = match failure {
            ReadFailure::Failed(error) => return self.failed(Operation::Read, &path, &error),
            ReadFailure::Corrupt(found) => found,
        };
        self.mark_corrupt(known);
        MiniSnapError::corrupt(self.at(Operation::Read, &path), found).with_intact(self.intact_except(known).await)
    }

    /// The retained generations that are intact, without `corrupt`.
    async fn intact_except(&self, corrupt: &Generation) -> Vec<Generation> {
        let mut intact = Vec::new();
        let Ok(loaded) = self.load_record(Operation::Read).await else { return intact };
        for generation in loaded.record.retained().filter(|generation| *generation != corrupt) {
            if self.check_json(generation).await.is_ok() {
                intact.push(generation.clone());
            }
        }
        intact
    }

    fn not_retained(&self, generation: &Generation) -> MiniSnapError {
        MiniSnapError::Expired { at: self.at(Operation::Read, &self.layout.current()), generation: generation.clone() }
    }
}

/// The corruption of a JSON that has the right size, if its digest isn't the recorded one.
fn digest_mismatch(known: &Generation, digest: Digest) -> Option<Corruption> {
    match known.digest() {
        Some(_) => Corruption::of_json(known, known.size().unwrap_or_default(), digest),
        None => Some(Corruption::NoDigest),
    }
}

fn size_mismatch(known: &Generation, download: Download) -> ReadFailure {
    ReadFailure::Corrupt(match download {
        Download::OtherSize(found) => Corruption::WrongSize { expected: known.size().unwrap_or_default(), found },
        Download::Missing | Download::Bytes(_) => Corruption::Missing,
    })
}
