//! Advice on an error: what a person can do.

use super::{Absence, Corruption, ExternalChange, MiniSnapError};
use crate::Generation;
use crate::format::{JSON_NAME, SEQ_NAME};
use std::{
    borrow::Cow,
    io::ErrorKind,
    path::{Path, PathBuf},
};

impl MiniSnapError {
    /// Returns advice for a person: a sentence without a full stop, or commands for a shell. `None` if there is none.
    ///
    /// # Examples
    ///
    /// ```
    /// use minisnap_core::{Absence, ErrorContext, MiniSnapError, Operation};
    ///
    /// let at = ErrorContext::new(Operation::Restore, "/var/lib/app");
    /// let error = MiniSnapError::NotFound { at, found: Absence::Empty };
    /// assert_eq!(error.help().as_deref(), Some("start from an empty state, or check the location"));
    /// ```
    #[must_use]
    pub fn help(&self) -> Option<Cow<'_, str>> {
        let advice = match self {
            Self::NotFound { found, .. } => advice_on_absence(found),
            Self::Expired { .. } => {
                "look up the current generation and read that; if reads are slower than commits, retain more generations"
            }
            Self::Stale { .. } => "restore the current snapshot, then retry with a higher sequence number",
            Self::Conflict { .. } => "restore the current snapshot, then retry over its generation",
            Self::WriterClosed { .. } => {
                "restore the current snapshot, then open a new writer with `SnapStore::exclusive`"
            }
            Self::Busy { .. } => "try again later, or wait longer (option `busy_timeout`)",
            Self::StageLost { .. } => "stage and write the snapshot again",
            Self::OutcomeUnknown { .. } => "keep the log, and create the snapshot again: both generations are intact",
            Self::Io { source, .. } => return advice_on_io(source.kind()).map(Cow::from),
            Self::Backend { transient: true, help: None, .. } => "try again later",
            Self::Serde { generation: Some(_), .. } => {
                "to read old snapshots with a new type, give new fields #[serde(default)] and renamed ones \
                 #[serde(alias = \"old_name\")]"
            }
            Self::MapKey { .. } => {
                "write the map as a list of pairs, with serde_with's #[serde_as(as = \"Vec<(_, _)>\")] or a \
                 #[serde(with = \"...\")] of your own, or give it a key that serializes as a string"
            }
            Self::InvalidSequence { .. } => WRITE_SEQ,
            Self::Corrupt { at, found, intact, unconfirmed } => {
                let remaining =
                    RemainingGenerations { newest_intact: intact.first(), unconfirmed, is_current_intact: false };
                return Some(advice_on_corruption(found, at.location(), remaining));
            }
            Self::Unsupported { help: Some(help), .. }
            | Self::InvalidUrl { help: Some(help), .. }
            | Self::Backend { help: Some(help), .. } => return Some(help.into()),
            Self::NewerFormat { .. } => "use the version of minisnap that wrote it, or a later one",
            Self::ExternalChange { found, .. } => advice_on_external_change(found),
            Self::InsideStore { store: Some(store), .. } => return Some(format!("did you mean {store}?").into()),
            Self::InsideStore { store: None, .. } => {
                "open the folder whose snapshot.json and snapshot.seq are links into this one"
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

fn advice_on_absence(found: &Absence) -> &'static str {
    match found {
        Absence::Empty => "start from an empty state, or check the location",
        Absence::OnlyAbove { .. } => "restore one of these snapshots, or replay the complete log",
        Absence::HalfPair { .. } | Absence::NoPairToAccept { .. } => {
            "put the missing file back, from a backup or from where it was moved; or create a new snapshot"
        }
        Absence::NothingToImport { is_store: false } => "check the path, and whether its disk is mounted",
        Absence::NothingToImport { is_store: true } => {
            "open this folder as a store; `minisnap copy OLD STORE` copies it to another one"
        }
    }
}

fn advice_on_external_change(found: &ExternalChange) -> &'static str {
    match found {
        ExternalChange::Replaced { .. } => {
            "`FsBackend::accept_external_changes` commits it as the newest snapshot; `FsBackend::revert_external_changes` \
             moves it aside"
        }
        ExternalChange::NameTaken { .. } => "move the file or folder at this path elsewhere: minisnap needs the name",
        ExternalChange::ChangedSince => "read it again before you accept it, and stop the program that writes there",
        ExternalChange::KeepsChanging => {
            "stop that program: minisnap before 0.1.4 can't share a folder with this version"
        }
        ExternalChange::OtherFormat => {
            "`minisnap import OLD STORE` (in a program: `minisnap::import`) copies the newest one into a store in another \
             folder; or move these files elsewhere"
        }
    }
}

fn advice_on_io(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "free disk space (`minisnap prune STORE --retain 1` deletes the older snapshots), and try again: nothing was changed"
        }
        ErrorKind::FileTooLarge => "raise the limit on file sizes (`ulimit -f`), and try again: nothing was changed",
        ErrorKind::PermissionDenied => {
            "give the program's user the right to read there; to commit, also to write there and in the folder above"
        }
        ErrorKind::ReadOnlyFilesystem => {
            "the file system is mounted read-only: mount it writable, or use another folder"
        }
        ErrorKind::NotADirectory => {
            "correct the path, or move the file that is in its way: a store and its parents are folders"
        }
        ErrorKind::OutOfMemory => "free memory, or raise the limit (`ulimit -v`); then try again",
        _ => return None,
    })
}

const MOVE_FILE: &str = "to import the snapshot before it, move this file to another folder";

const WRITE_SEQ: &str = "write the sequence number of the last change in snapshot.json into this file, in digits";

/// The readable generations of a corrupt store, which the advice depends on.
#[derive(Clone, Copy)]
pub(crate) struct RemainingGenerations<'a> {
    /// The newest generation that is known to be intact and committed.
    pub(crate) newest_intact: Option<&'a Generation>,
    /// The generations that are intact, and may never have been committed, newest first.
    pub(crate) unconfirmed: &'a [Generation],
    /// Whether the current generation is the newest intact one, so that no fallback is needed.
    pub(crate) is_current_intact: bool,
}

/// Advice on `found` at `location`.
pub(crate) fn advice_on_corruption(
    found: &Corruption,
    location: &str,
    remaining: RemainingGenerations<'_>,
) -> Cow<'static, str> {
    match found {
        Corruption::WrongLink { found: None, .. } if is_pair_file(location) => {
            "the next commit creates it again; or `FsBackend::revert_external_changes` puts the store's links back".into()
        }
        Corruption::WrongLink { .. } if is_pair_file(location) => {
            "`FsBackend::revert_external_changes` puts the store's links back".into()
        }
        // Nothing else in the store has the target of this link, so no command can restore the link.
        Corruption::WrongLink { .. } => {
            "bring this link back from a backup; without it, nothing expires until `retain` newer generations were committed"
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
            "put back what is missing, from a backup or from where it was moved: the folder of a generation, or its link \
             `parent` or `retained`; to go on without it, retain fewer in the next commit than were found"
                .into()
        }
        Corruption::Forbidden { .. } => {
            "give the program the right to read this and to list the folder around it: if listing is forbidden, a missing \
             file looks the same"
                .into()
        }
        Corruption::WrongName { found, .. } => {
            let mut name = PathBuf::from(format!("snapshot_{found:020}"));
            name.set_extension(Path::new(location).extension().unwrap_or_default());
            format!("if its content is correct, rename it to {}; {MOVE_FILE}", name.display()).into()
        }
        Corruption::NoOldSnapshot { .. } => MOVE_FILE.into(),
        Corruption::WrongOwner { expected, .. } => {
            format!("run `chown -h {expected} {location}`, and give that user write permission there").into()
        }
        Corruption::ExternalChange(found) => advice_on_external_change(found).into(),
        Corruption::NoSnapshot(found) => advice_on_absence(found).into(),
        Corruption::NotASeq { .. } => WRITE_SEQ.into(),
        Corruption::RecordMissing { .. } | Corruption::RecordUnreadable { .. } => advice_on_record(location, remaining).into(),
        Corruption::Missing
        | Corruption::ContainerMissing
        | Corruption::WrongSize { .. }
        | Corruption::WrongDigest { .. }
        | Corruption::NoDigest
        | Corruption::WrongSeq { .. }
        | Corruption::InvalidSeq { .. }
        | Corruption::Unreadable { .. }
        | Corruption::Other(_) => advice_on_generation(found, location, remaining).into(),
    }
}

/// Advice on a corrupt generation.
fn advice_on_generation(found: &Corruption, location: &str, remaining: RemainingGenerations<'_>) -> String {
    if is_url(location) {
        return format!(
            "{}; or put back an earlier version of this object, if the bucket has versioning",
            fall_back(remaining)
        );
    }
    let fallback = match (found, remaining.newest_intact) {
        // The older generations are found through the folder of the current one, which is missing.
        (Corruption::ContainerMissing, Some(_)) if !remaining.is_current_intact => reset(remaining),
        _ => fall_back(remaining),
    };
    match is_pair_file(location) && found.may_be_an_edit() {
        true => {
            format!(
                "if this is an intended edit, `FsBackend::accept_external_changes` commits the edit; else {fallback}"
            )
        }
        false => fallback,
    }
}

/// Advice on a commit record that is missing or can't be parsed.
fn advice_on_record(location: &str, remaining: RemainingGenerations<'_>) -> String {
    if is_url(location) {
        return "stop all writers, and put back the latest version of this object that can be parsed, if the bucket has \
                versioning; or start anew: `ObjectBackend::give_up_lost_store` moves the generations aside, each a \
                folder with snapshot.json and snapshot.seq"
            .into();
    }
    format!("if this is a copy, copy again with links kept (cp -a, tar, rsync -a); else {}", reset(remaining))
}

/// Advice to restore the newest intact generation.
fn fall_back(remaining: RemainingGenerations<'_>) -> String {
    match remaining.newest_intact {
        Some(_) if remaining.is_current_intact => {
            "bring this back from a backup; else this generation stays unreadable, and a program that has detected the \
             corruption doesn't count the generation as retained"
                .into()
        }
        Some(newest) => {
            let advice = format!(
                "restore the newest intact generation, {newest} (`SnapStore::restore_generation`), and replay the log from \
                 there"
            );
            advice + &unconfirmed_choice(remaining)
        }
        None => nothing_is_intact(remaining, "start from an empty state and the complete log"),
    }
}

/// Advice to make the newest intact generation the current one.
fn reset(remaining: RemainingGenerations<'_>) -> String {
    match remaining.newest_intact {
        Some(newest) => {
            let advice = format!(
                "`FsBackend::reset_to` makes the newest intact generation, {newest}, the current one; replay the log from \
                 there"
            );
            advice + &unconfirmed_choice(remaining)
        }
        None => nothing_is_intact(
            remaining,
            "start anew with the complete log: `FsBackend::give_up_lost_store` moves the old files aside",
        ),
    }
}

/// Advice if no generation is known to be intact and committed.
fn nothing_is_intact(remaining: RemainingGenerations<'_>, last_resort: &str) -> String {
    let known = if remaining.unconfirmed.is_empty() { "intact" } else { "intact and committed" };
    format!(
        "no generation is known to be {known}: bring the store back from a backup (a folder with links kept: cp -a, tar, \
         rsync -a), or {last_resort}{}",
        unconfirmed_choice(remaining)
    )
}

/// Names the unconfirmed generations. Only a person may know that one of them was committed, so a person has to choose.
fn unconfirmed_choice(remaining: RemainingGenerations<'_>) -> String {
    let names: Vec<_> = remaining.unconfirmed.iter().map(Generation::name).collect();
    match names.is_empty() {
        true => String::new(),
        false => format!(
            "; intact, and possibly never committed: {}; `FsBackend::reset_to` makes the chosen one current",
            names.join(", ")
        ),
    }
}

/// Whether a location is a URL. Otherwise it is a path.
fn is_url(location: &str) -> bool {
    location.split_once("://").is_some_and(|(scheme, _)| {
        !scheme.is_empty() && scheme.chars().all(|char| char.is_ascii_alphanumeric() || "+-.".contains(char))
    })
}

/// Whether a location is `snapshot.json` or `snapshot.seq`, as a file or a link.
fn is_pair_file(location: &str) -> bool {
    Path::new(location).file_name().is_some_and(|name| name == JSON_NAME || name == SEQ_NAME)
}
