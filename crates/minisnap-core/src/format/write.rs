//! Writes a state as `snapshot.json`, in chunks. Every incomplete or unreadable text is an error.

use super::{
    CHUNK,
    map_key::{self, BadKey},
    pretty::{Flaw, OutputCheck, Pretty},
};
use crate::{ErrorContext, MiniSnapError, Result};
use serde::Serialize;
use serde_json::Serializer;
use std::io::{self, Write};

/// Writes `state` to `sink` as `snapshot.json`: the bytes of [`serde_json::to_string_pretty`], in chunks of [`CHUNK`] bytes.
///
/// `at` is the context for errors.
///
/// # Errors
///
/// The first of these errors, even if the state's `Serialize` wraps or ignores it. The sink then holds a part of the JSON.
///
/// 1. The error of the sink, which is not written to again.
/// 2. [`Unrestorable`](MiniSnapError::Unrestorable): the JSON could not be parsed. The state nests deeper than
///    [`MAX_DEPTH`](super::MAX_DEPTH), its `Serialize` breaks the rules of serde, or it has a `RawValue` that isn't a valid
///    [`Value`](serde_json::Value).
/// 3. [`MapKey`](MiniSnapError::MapKey): a map has a key that JSON can't represent, such as a tuple.
/// 4. [`Serde`](MiniSnapError::Serde): the error of the state's own `Serialize`.
///
/// # Examples
///
/// ```
/// use minisnap_core::{ErrorContext, Operation, format};
/// let mut json = Vec::new();
/// format::write_json(&mut json, &[1, 2], || ErrorContext::new(Operation::Write, "a Vec"))?;
/// assert_eq!(json, b"[\n  1,\n  2\n]");
/// # Ok::<(), minisnap_core::MiniSnapError>(())
/// ```
pub fn write_json<W: Write, S: Serialize + ?Sized>(sink: W, state: &S, at: impl Fn() -> ErrorContext) -> Result<()> {
    let mut chunks = Chunks { sink, buffer: Vec::with_capacity(CHUNK), failure: None };
    let mut check = OutputCheck::default();
    let serialized = state.serialize(&mut Serializer::with_formatter(&mut chunks, Pretty(&mut check)));
    if serialized.is_ok() && check.is_complete() {
        // The error, if any, is in `failure`.
        let _ = chunks.flush();
    }
    match (chunks.failure, check.into_flaw(), serialized) {
        (None, None, Ok(())) => Ok(()),
        (Some(error), _, _) => Err(MiniSnapError::from_write(error, at)),
        (None, flaw, serialized) => Err(rejection(state, flaw, serialized.err(), at())),
    }
}

/// Returns one of the errors 2 to 4. A state may ignore the error of a key, and leave only a flaw in the JSON. So this searches for the
/// key first.
#[cold]
fn rejection<S: Serialize + ?Sized>(
    state: &S,
    flaw: Option<Flaw>,
    error: Option<serde_json::Error>,
    at: ErrorContext,
) -> MiniSnapError {
    let unrestorable = |at, flaw: &Flaw| MiniSnapError::Unrestorable { at, reason: flaw.to_string() };
    match (flaw, error) {
        (Some(flaw @ (Flaw::TooDeep | Flaw::Raw(_))), _) => unrestorable(at, &flaw),
        (flaw, error) => match (map_key::find(state), flaw, error) {
            (Some(BadKey { path, key_type, source }), _, _) => MiniSnapError::MapKey { at, path, key_type, source },
            (None, None | Some(Flaw::Unfinished), Some(source)) => {
                MiniSnapError::Serde { at, generation: None, source }
            }
            (None, flaw, _) => unrestorable(at, &flaw.unwrap_or(Flaw::Unfinished)),
        },
    }
}

/// Collects small writes and splits large ones, so that each chunk but the last has [`CHUNK`] bytes. `BufWriter` writes smaller
/// and larger pieces.
struct Chunks<W> {
    sink: W,
    buffer: Vec<u8>,
    /// The error of the sink, since the state's `Serialize` may hide it.
    failure: Option<io::Error>,
}

impl<W: Write> Chunks<W> {
    fn write_chunk(&mut self) -> io::Result<()> {
        if self.failure.is_none() {
            match self.sink.write_all(&self.buffer) {
                Ok(()) => {
                    self.buffer.clear();
                    return Ok(());
                }
                Err(error) => self.failure = Some(error),
            }
        }
        Err(io::Error::other("the sink has failed"))
    }
}

impl<W: Write> Write for Chunks<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let fitting = bytes.len().min(CHUNK - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..fitting]);
        if self.buffer.len() == CHUNK {
            self.write_chunk()?;
        }
        Ok(fitting)
    }

    // Almost every write of a serializer has a few bytes, which fit.
    #[inline]
    fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while bytes.len() >= CHUNK - self.buffer.len() {
            let written = self.write(bytes)?;
            bytes = &bytes[written..];
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_chunk()
    }
}
