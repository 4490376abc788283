//! What a person can do about an error.

use super::{Absence, ExternalChange, MiniSnapError};
use crate::Generation;
use std::{borrow::Cow, io::ErrorKind};

impl MiniSnapError {
    /// What a person can do about it: a sentence without a full stop, or commands for a shell. `None` where `Display` and the
    /// cause say it all.
    #[must_use]
    pub fn help(&self) -> Option<Cow<'_, str>> {
        let advice = match self {
            Self::NotFound { found, .. } => of_absence(found),
            Self::Expired { .. } => {
                "look up the current generation and read that; retain more generations if reading one takes longer than \
                 that many commits"
            }
            Self::Stale { .. } => "restore the current snapshot; a newer one needs a higher sequence number",
            Self::Conflict { .. } => "restore the current snapshot, decide again, and commit over that",
            Self::WriterClosed { .. } => "restore the current snapshot, decide again, and begin a new exclusive writer",
            Self::Busy { .. } => "try again later, or wait longer",
            Self::StageLost { .. } => "stage and write the snapshot again",
            Self::OutcomeUnknown { .. } => "keep the log, and create again: both snapshots are intact",
            Self::Io { source, .. } => return of_io(source.kind()).map(Cow::from),
            Self::Backend { transient: true, .. } => "try again later",
            Self::Serde { generation: Some(_), .. } => {
                "to read old snapshots with a new type, give new fields #[serde(default)] and renamed ones \
                 #[serde(alias = \"old_name\")]"
            }
            Self::MapKey { .. } => {
                "write the map as a list of pairs, with serde_with's #[serde_as(as = \"Vec<(_, _)>\")] or a \
                 #[serde(with = \"...\")] of your own, or give it a key that serializes as a string"
            }
            Self::InvalidSequence { .. } => "write the number of the last change in snapshot.json into it, in digits",
            Self::Corrupt { help: Some(help), .. }
            | Self::Unsupported { help: Some(help), .. }
            | Self::InvalidUrl { help: Some(help), .. } => return Some(help.into()),
            Self::Corrupt { intact, .. } => return Some(fall_back(intact.first())),
            Self::ExternalChange { found, .. } => of_external_change(found),
            Self::InsideStore { store: Some(store), .. } => return Some(format!("did you mean {store}?").into()),
            Self::InsideStore { store: None, .. } => {
                "give the folder in which snapshot.json and snapshot.seq are links to here"
            }
            Self::Backend { .. }
            | Self::Serde { .. }
            | Self::Unrestorable { .. }
            | Self::Unsupported { .. }
            | Self::InvalidUrl { .. } => return None,
        };
        Some(advice.into())
    }
}

fn of_absence(found: &Absence) -> &'static str {
    match found {
        Absence::Empty => "start from an empty state, or check the location",
        Absence::OnlyAbove { .. } => "restore one of those, or replay the whole log",
        Absence::HalfPair { .. } | Absence::NoPairToAccept { .. } => {
            "put the missing file back, from a backup or from where it was moved; or create a new snapshot"
        }
    }
}

fn of_external_change(found: &ExternalChange) -> &'static str {
    match found {
        ExternalChange::Replaced { .. } => {
            "take it as the newest snapshot with `FsBackend::accept_external_changes`, or move it aside with \
             `FsBackend::revert_external_changes`"
        }
        ExternalChange::NameTaken { .. } => "minisnap needs this name for itself: move what is there elsewhere",
        ExternalChange::ChangedSince => "look at it again, and find out who else writes there",
        ExternalChange::KeepsChanging => "stop it: a version before 0.1.4 can't share a folder with this one",
        ExternalChange::OtherFormat => {
            "restore it with that version and save it with this one, in another folder; or move it elsewhere"
        }
    }
}

fn of_io(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free disk space, and try again: nothing was changed",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "give the program's user the right to write there, and to the folder above"
        }
        ErrorKind::NotADirectory => "a store is a folder, and so is all above it; there is a file at that path",
        ErrorKind::OutOfMemory => "free memory, or raise the limit; then try again",
        _ => return None,
    })
}

fn fall_back(newest_intact: Option<&Generation>) -> Cow<'static, str> {
    match newest_intact {
        Some(newest) => format!("restore the newest intact generation, {newest}, and replay the log from there").into(),
        None => {
            "no generation is known to be intact: restore from a backup, or start from an empty state and the whole \
                 log"
            .into()
        }
    }
}
