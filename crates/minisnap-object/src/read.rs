//! Reading generations, whole or in pieces, and what is wrong with one that can't be read.

use crate::{
    ObjectBackend, layout,
    transfer::{Download, Ranges},
};
use futures_util::TryStreamExt;
use minisnap_core::{Bytes, ChunkStream, Corruption, Digest, Digester, Generation, MiniSnapError, Operation, Result};

/// What came instead of a generation's JSON.
#[derive(Debug)]
pub(crate) enum Wrong {
    Corrupt(Corruption),
    Failed(object_store::Error),
}

/// The JSON of a generation, piece by piece: at most as many at a time as parts may be on their way.
pub(crate) struct Pieces {
    known: Generation,
    ranges: Ranges,
    digester: Digester,
}

impl Pieces {
    /// The next piece; `None` at the end, if all of them together are what was committed.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Wrong> {
        match self.ranges.try_next().await.map_err(Wrong::Failed)? {
            Some(Download::Bytes(piece)) => {
                self.digester.update(&piece);
                Ok(Some(piece))
            }
            Some(other) => Err(wrong_with(&self.known, other)),
            None => match wrong_digest(&self.known, self.digester.digest()) {
                None => Ok(None),
                Some(found) => Err(Wrong::Corrupt(found)),
            },
        }
    }
}

impl ObjectBackend {
    /// The JSON of a generation, in one.
    pub(crate) async fn read_whole(&self, generation: &Generation) -> Result<Bytes> {
        if layout::parse_name(generation.name()).is_none() {
            return Err(self.not_retained(generation));
        }
        let path = self.layout.json(generation.name());
        // Side by side, if the size is known: it is by a generation that came from the record.
        if let Some(size) = generation.size() {
            let (known, json) = tokio::join!(self.find_retained(generation), self.download(&path, size));
            let known = known?;
            if known.size() == generation.size() {
                return self.checked(&known, json).await;
            }
        }
        let known = self.find_retained(generation).await?;
        let json = self.download(&path, known.size().unwrap_or_default()).await;
        self.checked(&known, json).await
    }

    /// The JSON of a generation as a stream.
    pub(crate) async fn read_in_pieces(&self, generation: &Generation) -> Result<ChunkStream> {
        let known = self.find_retained(generation).await?;
        let state = (self.clone(), self.pieces(&known));
        Ok(ChunkStream::unfold(state, |(backend, mut pieces)| async move {
            loop {
                match pieces.next().await {
                    // A JSON of no bytes is one empty piece.
                    Ok(Some(piece)) if piece.is_empty() => {}
                    Ok(Some(piece)) => return Ok(Some((piece, (backend, pieces)))),
                    Ok(None) => {
                        backend.met_intact(&pieces.known);
                        return Ok(None);
                    }
                    Err(wrong) => return Err(backend.why_unreadable(&pieces.known, wrong).await),
                }
            }
        }))
    }

    /// The pieces of a generation with all that the record knows of it.
    pub(crate) fn pieces(&self, known: &Generation) -> Pieces {
        let ranges = self.ranges(&self.layout.json(known.name()), known.size().unwrap_or_default());
        Pieces { known: known.clone(), ranges, digester: Digester::new() }
    }

    /// Whether the JSON is what was committed, in bounded memory.
    pub(crate) async fn check_json(&self, known: &Generation) -> Result<(), Wrong> {
        let mut pieces = self.pieces(known);
        while pieces.next().await?.is_some() {}
        Ok(())
    }

    /// Whether it is retained now.
    pub(crate) async fn is_retained(&self, operation: Operation, known: &Generation) -> Result<bool> {
        Ok(self.look(operation).await?.record.find_retained(known).is_some())
    }

    /// The generation of that name and sequence number as the record knows it, if it is retained.
    async fn find_retained(&self, generation: &Generation) -> Result<Generation> {
        if layout::parse_name(generation.name()).is_none() {
            return Err(self.not_retained(generation));
        }
        let look = self.look(Operation::Read).await?;
        let known = look.record.find_retained(generation).filter(|known| known.seq() == generation.seq());
        known.cloned().ok_or_else(|| self.not_retained(generation))
    }

    async fn checked(&self, known: &Generation, json: Result<Download, object_store::Error>) -> Result<Bytes> {
        let wrong = match json {
            Ok(Download::Bytes(json)) => match wrong_digest(known, Digest::of(&json)) {
                None => {
                    self.met_intact(known);
                    return Ok(json);
                }
                Some(found) => Wrong::Corrupt(found),
            },
            Ok(other) => wrong_with(known, other),
            Err(error) => Wrong::Failed(error),
        };
        Err(self.why_unreadable(known, wrong).await)
    }

    /// The error for a generation that was retained a moment ago.
    async fn why_unreadable(&self, known: &Generation, wrong: Wrong) -> MiniSnapError {
        // Expired and deleted since, perhaps. Who may not list is told that it is forbidden.
        match self.is_retained(Operation::Read, known).await {
            Err(error) => return error,
            Ok(false) => return self.not_retained(known),
            Ok(true) => {}
        }
        let path = self.layout.json(known.name());
        let found = match wrong {
            Wrong::Failed(error) => return self.failed(Operation::Read, &path, &error),
            Wrong::Corrupt(found) => found,
        };
        self.met_corrupt(known);
        let intact = self.intact_but(known).await;
        MiniSnapError::Corrupt { at: self.at(Operation::Read, &path), found, intact, unconfirmed: Vec::new() }
    }

    /// The retained generations that are whole, other than `damaged`.
    async fn intact_but(&self, damaged: &Generation) -> Vec<Generation> {
        let mut intact = Vec::new();
        let Ok(look) = self.look(Operation::Read).await else { return intact };
        for generation in look.record.retained().filter(|generation| *generation != damaged) {
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

/// What is wrong with a JSON of the right size.
fn wrong_digest(known: &Generation, digest: Digest) -> Option<Corruption> {
    match known.digest() {
        Some(_) => Corruption::of_json(known, known.size().unwrap_or_default(), digest),
        None => Some(Corruption::NoDigest),
    }
}

fn wrong_with(known: &Generation, download: Download) -> Wrong {
    Wrong::Corrupt(match download {
        Download::OtherSize(found) => Corruption::WrongSize { expected: known.size().unwrap_or_default(), found },
        Download::Missing | Download::Bytes(_) => Corruption::Missing,
    })
}
