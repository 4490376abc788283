//! What a person can do about an error.

use super::{Absence, Corruption, ExternalChange, MiniSnapError};
use crate::Generation;
use crate::format::{JSON_NAME, SEQ_NAME};
use std::{
    borrow::Cow,
    io::ErrorKind,
    path::{Path, PathBuf},
};

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
            Self::InvalidSequence { .. } => OF_A_SEQ,
            Self::Corrupt { at, found, intact, unconfirmed } => {
                let left = Left { newest_intact: intact.first(), unconfirmed, is_current_intact: false };
                return Some(of_corruption(found, at.location(), left));
            }
            Self::Unsupported { help: Some(help), .. } | Self::InvalidUrl { help: Some(help), .. } => {
                return Some(help.into());
            }
            Self::NewerFormat { .. } => "use the version of minisnap that wrote it, or a later one",
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
        Absence::NothingToImport { is_store: false } => "check the path, and whether its disk is mounted",
        Absence::NothingToImport { is_store: true } => {
            "open this folder as a store; `minisnap copy OLD STORE` copies it to another one"
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
            "`minisnap import OLD STORE`, or `minisnap::import` in a program, brings the newest one into a store in another \
             folder, and leaves this one as it is; or move the files elsewhere"
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

const MOVE_IT: &str = "to import the snapshot before it, move this file to another folder";

const OF_A_SEQ: &str = "write the number of the last change in snapshot.json into it, in digits";

/// What is left of a store in which something is wrong.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a> {
    /// The newest generation that is known to be intact and committed.
    pub(crate) newest_intact: Option<&'a Generation>,
    /// The generations that are intact, and may never have been committed, newest first.
    pub(crate) unconfirmed: &'a [Generation],
    /// The current generation is the newest intact one: nobody needs to go back.
    pub(crate) is_current_intact: bool,
}

/// What a person can do about `found` at `location`.
pub(crate) fn of_corruption(found: &Corruption, location: &str, left: Left<'_>) -> Cow<'static, str> {
    match found {
        Corruption::WrongLink { found: None, .. } if is_of_pair(location) => {
            "the next commit makes it again; or `FsBackend::revert_external_changes` puts the store's links back".into()
        }
        Corruption::WrongLink { .. } if is_of_pair(location) => {
            "`FsBackend::revert_external_changes` puts the store's links back".into()
        }
        // Nothing else says what it said.
        Corruption::WrongLink { .. } => {
            "bring this link back from a backup; else nothing expires until as many generations as are retained were \
             committed after it"
                .into()
        }
        Corruption::LinkAsText { .. } => {
            "`FsBackend::revert_external_changes` puts the store's links back; or copy again with links kept (cp -a, tar, \
             rsync -a)"
                .into()
        }
        Corruption::DanglingLinks => {
            "bring the folder `snapshots` back (is a disk not mounted?), or remove the links snapshot.json and \
             snapshot.seq to start anew"
                .into()
        }
        Corruption::HistoryGap { .. } => {
            "bring the missing generation's folder back, from a backup or from where it was moved; else nothing expires \
             until as many generations as are retained were committed after the gap"
                .into()
        }
        Corruption::Forbidden { .. } => {
            "give the program the right to read this, and to list what is around it: without that, what is missing looks \
             like this, too"
                .into()
        }
        Corruption::WrongName { found, .. } => {
            let mut name = PathBuf::from(format!("snapshot_{found:020}"));
            name.set_extension(Path::new(location).extension().unwrap_or_default());
            format!("if its content is what was meant, rename it to {}; {MOVE_IT}", name.display()).into()
        }
        Corruption::NoOldSnapshot { .. } => MOVE_IT.into(),
        Corruption::WrongOwner { expected, .. } => {
            format!("give it to that user: `chown -h {expected} {location}`; and give them the right to write there").into()
        }
        Corruption::ExternalChange(found) => of_external_change(found).into(),
        Corruption::NoSnapshot(found) => of_absence(found).into(),
        Corruption::NotASeq { .. } => OF_A_SEQ.into(),
        Corruption::RecordMissing { .. } | Corruption::RecordUnreadable { .. } => of_record(location, left).into(),
        Corruption::Missing
        | Corruption::ContainerMissing
        | Corruption::WrongSize { .. }
        | Corruption::WrongDigest { .. }
        | Corruption::NoDigest
        | Corruption::WrongSeq { .. }
        | Corruption::InvalidSeq { .. }
        | Corruption::Unreadable { .. }
        | Corruption::Other(_) => of_generation(found, location, left).into(),
    }
}

/// About a generation that can't be restored as committed.
fn of_generation(found: &Corruption, location: &str, left: Left<'_>) -> String {
    if is_url(location) {
        return format!("{}; or put back an earlier version of this object, if the bucket keeps versions", back(left));
    }
    let back = match (found, left.newest_intact) {
        // The commit record leads nowhere, and the way to the older generations leads through it.
        (Corruption::ContainerMissing, Some(_)) if !left.is_current_intact => reset(left),
        _ => back(left),
    };
    match is_of_pair(location) && found.may_be_an_edit() {
        true => format!(
            "if somebody edited it on purpose, `FsBackend::accept_external_changes` commits the edit; else {back}"
        ),
        false => back,
    }
}

/// About a commit record that is lost, or that can't be understood.
fn of_record(location: &str, left: Left<'_>) -> String {
    if is_url(location) {
        return "stop all writers, and put back the latest version of this object that can be understood, if the bucket \
                keeps versions; or start anew: `ObjectBackend::give_up_lost_store` moves the generations aside, each a \
                folder with snapshot.json and snapshot.seq"
            .into();
    }
    format!("if this is a copy, copy again with links kept (cp -a, tar, rsync -a); else {}", reset(left))
}

fn back(left: Left<'_>) -> String {
    match left.newest_intact {
        Some(_) if left.is_current_intact => {
            "bring this back from a backup; else nobody can go back to this generation, and it takes no place in the \
             retention of a program that has met it"
                .into()
        }
        Some(newest) => {
            let back = format!(
                "restore the newest intact generation, {newest} (`SnapStore::restore_generation`), and replay the log from \
                 there"
            );
            back + &or_unconfirmed(left)
        }
        None => nothing_intact(left, "start from an empty state and the whole log"),
    }
}

fn reset(left: Left<'_>) -> String {
    match left.newest_intact {
        Some(newest) => {
            let back = format!(
                "`FsBackend::reset_to` makes the newest intact generation, {newest}, the current one; replay the log from \
                 there"
            );
            back + &or_unconfirmed(left)
        }
        None => nothing_intact(
            left,
            "start anew with the whole log: `FsBackend::give_up_lost_store` moves what is left aside",
        ),
    }
}

fn nothing_intact(left: Left<'_>, anew: &str) -> String {
    let known = if left.unconfirmed.is_empty() { "intact" } else { "intact and committed" };
    format!(
        "no generation is known to be {known}: bring the store back from a backup (a folder with links kept: cp -a, tar, \
         rsync -a), or {anew}{}",
        or_unconfirmed(left)
    )
}

/// A person may know that one was committed; nothing else may take it.
fn or_unconfirmed(left: Left<'_>) -> String {
    let names: Vec<_> = left.unconfirmed.iter().map(Generation::name).collect();
    match names.is_empty() {
        true => String::new(),
        false => format!(
            "; intact, and possibly never committed: {}; `FsBackend::reset_to` takes the one that you choose",
            names.join(", ")
        ),
    }
}

/// A location is a path or a URL.
fn is_url(location: &str) -> bool {
    location.split_once("://").is_some_and(|(scheme, _)| {
        !scheme.is_empty() && scheme.chars().all(|char| char.is_ascii_alphanumeric() || "+-.".contains(char))
    })
}

/// Whether it is one of a pair's two files in a folder, or the link to it.
fn is_of_pair(location: &str) -> bool {
    Path::new(location).file_name().is_some_and(|name| name == JSON_NAME || name == SEQ_NAME)
}
