//! What an error of the library is to this program: an exit code, a word, and its causes.

use crate::exit::Exit;
use minisnap::MiniSnapError;
use std::error::Error;

/// How the program ends.
pub(crate) fn exit(error: &MiniSnapError) -> Exit {
    match error {
        MiniSnapError::Corrupt { .. }
        | MiniSnapError::InvalidSequence { .. }
        | MiniSnapError::Serde { generation: Some(_), .. } => Exit::Corrupt,
        MiniSnapError::ExternalChange { .. } => Exit::ExternalChange,
        MiniSnapError::Serde { .. } | MiniSnapError::MapKey { .. } | MiniSnapError::Unrestorable { .. } => {
            Exit::NotRestorable
        }
        MiniSnapError::NotFound { .. } | MiniSnapError::Expired { .. } => Exit::NoSnapshot,
        MiniSnapError::Stale { .. } | MiniSnapError::Conflict { .. } => Exit::Refused,
        MiniSnapError::Busy { .. } | MiniSnapError::StageLost { .. } => Exit::Busy,
        MiniSnapError::OutcomeUnknown { .. } => Exit::OutcomeUnknown,
        MiniSnapError::Unsupported { .. } | MiniSnapError::NewerFormat { .. } => Exit::Unsupported,
        MiniSnapError::InvalidUrl { .. } => Exit::Usage,
        _ => Exit::CouldNotLook,
    }
}

/// What kind of error it is, in a word that programs can rely on.
pub(crate) fn kind(error: &MiniSnapError) -> &'static str {
    match error {
        MiniSnapError::InvalidSequence { .. } => "invalid_sequence",
        MiniSnapError::Expired { .. } => "expired",
        MiniSnapError::Stale { .. } => "stale",
        MiniSnapError::Conflict { .. } => "conflict",
        MiniSnapError::StageLost { .. } => "stage_lost",
        MiniSnapError::Backend { .. } => "backend",
        MiniSnapError::InvalidUrl { .. } => "invalid_url",
        MiniSnapError::InsideStore { .. } => "inside_store",
        MiniSnapError::NewerFormat { .. } => "newer_format",
        // These are what their exit code says, also where a command ends with another.
        error => exit(error).kind(),
    }
}

/// Why, the nearest cause first, each on one line. What says no more than the one before is left out.
pub(crate) fn causes(error: &dyn Error) -> Vec<String> {
    let mut causes: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string().lines().map(str::trim).collect::<Vec<_>>().join(" ");
        if !causes.last().is_some_and(|before| before.contains(&text)) {
            causes.push(text);
        }
        next = cause.source();
    }
    causes
}

/// What an error says and why, in one line.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    [vec![error.to_string()], causes(error)].concat().join(": ")
}
