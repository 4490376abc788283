//! Errors on their way through an [`io::Write`], and back.

use super::{ErrorContext, MiniSnapError};
use std::io::{self, ErrorKind};

impl MiniSnapError {
    /// The error inside an [`io::Error`] that a stage's `write` returned, or that error itself at `at`.
    pub fn from_write(error: io::Error, at: impl FnOnce() -> ErrorContext) -> Self {
        match error.downcast::<Self>() {
            Ok(inner) => inner,
            Err(source) => Self::Io { at: at(), action: "write", source },
        }
    }
}

/// For a [`StagedSnapshot`](crate::StagedSnapshot)'s `write`, and for programs whose errors are I/O errors. An I/O error's
/// kind stays, and the other errors get the kind that fits best. [`MiniSnapError::from_write`] unwraps it again on the other
/// side of a serializer.
impl From<MiniSnapError> for io::Error {
    fn from(error: MiniSnapError) -> Self {
        use MiniSnapError::{
            Busy, Corrupt, Expired, ExternalChange, InsideStore, InvalidSequence, InvalidUrl, Io, MapKey, NewerFormat,
            NotFound, Serde, Unrestorable, Unsupported,
        };
        let kind = match &error {
            Io { source, .. } => source.kind(),
            NotFound { .. } | Expired { .. } => ErrorKind::NotFound,
            Busy { .. } => ErrorKind::ResourceBusy,
            Unsupported { .. } | NewerFormat { .. } => ErrorKind::Unsupported,
            InvalidUrl { .. } | InsideStore { .. } | MapKey { .. } | Unrestorable { .. } => ErrorKind::InvalidInput,
            Serde { .. } | InvalidSequence { .. } | Corrupt { .. } | ExternalChange { .. } => ErrorKind::InvalidData,
            _ => ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}
