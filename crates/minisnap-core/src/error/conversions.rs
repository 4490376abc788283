//! Conversions to and from [`io::Error`], for errors that pass through an [`io::Write`].

use super::{ErrorContext, MiniSnapError};
use std::io::{self, ErrorKind};

impl MiniSnapError {
    /// Unwraps the error of a stage's `write`; any other [`io::Error`] becomes an [`Io`](Self::Io) error at `at`.
    pub fn from_write(error: io::Error, at: impl FnOnce() -> ErrorContext) -> Self {
        match error.downcast::<Self>() {
            Ok(inner) => inner,
            Err(source) => Self::Io { at: at(), action: "write", source },
        }
    }
}

/// For the `write` of a [`StagedSnapshot`](crate::StagedSnapshot), and for programs whose errors are I/O errors. An I/O error
/// keeps its kind; any other error gets the kind that fits best. [`MiniSnapError::from_write`] unwraps it again.
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
