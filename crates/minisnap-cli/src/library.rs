//! What an error of the library is to this program: an exit code, a word, and lines without advice.

use crate::exit::Exit;
use minisnap::{Generation, MiniSnapError};
use std::error::Error;

/// How the program ends.
pub(crate) fn exit(error: &MiniSnapError) -> Exit {
    match error {
        MiniSnapError::Corrupt { .. }
        | MiniSnapError::InvalidSequence { .. }
        | MiniSnapError::Serde { generation: Some(_), .. } => Exit::Damaged,
        MiniSnapError::ExternalChange { .. } => Exit::ExternalChange,
        MiniSnapError::Serde { .. } | MiniSnapError::MapKey { .. } | MiniSnapError::Unrestorable { .. } => {
            Exit::NotRestorable
        }
        MiniSnapError::NotFound { .. } | MiniSnapError::Expired { .. } => Exit::NoSnapshot,
        MiniSnapError::Stale { .. } | MiniSnapError::Conflict { .. } => Exit::Refused,
        MiniSnapError::Busy { .. } | MiniSnapError::StageLost { .. } => Exit::Busy,
        MiniSnapError::OutcomeUnknown { .. } => Exit::OutcomeUnknown,
        MiniSnapError::Unsupported { .. } => Exit::Unsupported,
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
        // These are what their exit code says, also where a command ends with another.
        error => exit(error).kind(),
    }
}

/// What failed, where, what was found.
pub(crate) fn message(error: &MiniSnapError) -> String {
    match error {
        MiniSnapError::Corrupt { at, found, .. } | MiniSnapError::ExternalChange { at, found, .. } => {
            format!("{at}: {found}")
        }
        MiniSnapError::Expired { at, generation } => {
            format!("{at}: generation {generation} is not retained: it expired, or was never published here")
        }
        MiniSnapError::Conflict { at, expected, current } => format!(
            "{at}: the current snapshot is {}, not {} as was demanded; nothing was changed",
            name_or_none(current.as_ref()),
            name_or_none(expected.as_ref())
        ),
        MiniSnapError::Busy { at, waited, reason } => {
            format!("{at}: still busy after {waited:.1?}: {reason}; nothing was changed")
        }
        MiniSnapError::StageLost { at, reason } => {
            format!("{at}: the staged snapshot is gone ({reason}); nothing was changed")
        }
        MiniSnapError::OutcomeUnknown { at, generation, previous, .. } => format!(
            "{at}: it is not known whether {generation} was published over {}; both are intact",
            name_or_none(previous.as_ref())
        ),
        MiniSnapError::Io { at, action, .. } => format!("{at}: cannot {action}"),
        MiniSnapError::Backend { at, .. } => format!("{at}: the store gave no answer, or an error"),
        MiniSnapError::Serde { at, generation: Some(generation), .. } => {
            format!("{at}: the JSON of generation {generation} can't be restored")
        }
        MiniSnapError::Serde { at, .. } => format!("{at}: this JSON could not be restored"),
        MiniSnapError::InvalidSequence { at, found } => format!("{at}: the file holds {found}, not a seq"),
        MiniSnapError::InsideStore { at, store: Some(store) } => {
            format!("{at}: this is inside the store {store}; nothing was changed")
        }
        MiniSnapError::InsideStore { at, store: None } => {
            format!("{at}: this is inside the folder in which another store has its generations; nothing was changed")
        }
        error => error.to_string(),
    }
}

/// Why, the nearest cause first, each on one line. What says no more than the one before is left out.
pub(crate) fn causes(error: &MiniSnapError) -> Vec<String> {
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

fn name_or_none(generation: Option<&Generation>) -> &str {
    generation.map_or("none", Generation::name)
}
