//! Maps an error of the library to an exit code, a kind and its causes.

use crate::exit::Exit;
use minisnap::MiniSnapError;
use std::error::Error;

/// The exit code.
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

/// The kind of error, as `--json` prints it. Stable.
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
        // The kind follows from the exit code of the error, even if the command ends with another exit code.
        error => exit(error).kind(),
    }
}

/// The causes, nearest first, each on one line. A cause that the previous one contains is omitted.
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

/// The message and the causes, in one line.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    [vec![error.to_string()], causes(error)].concat().join(": ")
}
