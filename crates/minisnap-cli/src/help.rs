//! The help for an error of the library: what the operator can do, with commands about this store that can be pasted.

use crate::{open_store::OpenStore, shell::quoted, text};
use minisnap::{
    Corruption, ExternalChange, Generation, MiniSnapError, Operation, Problem, Verification,
    backend::format::{JSON_NAME, SEQ_NAME},
};
use std::{borrow::Cow, io::ErrorKind, path::Path, time::Duration};

/// The readable snapshots of a store in which something is corrupt.
#[derive(Debug, Default)]
pub(crate) struct Remaining {
    /// The current generation, corrupt or not; `None` if the history can't be read.
    pub(crate) current: Option<Generation>,
    /// The generations that are intact and committed, newest first.
    pub(crate) intact: Vec<Generation>,
    /// The generations that are intact, and possibly never committed, newest first.
    pub(crate) unconfirmed: Vec<Generation>,
}

/// The help for an error that is no corruption.
pub(crate) fn for_error(error: &MiniSnapError, store: &OpenStore) -> String {
    let command = |name: &str| store.command(name, &[]);
    match error {
        MiniSnapError::ExternalChange { found: ExternalChange::Replaced { .. }, .. } => for_replaced_file(store),
        MiniSnapError::ExternalChange { found: ExternalChange::OtherFormat, .. } => {
            let old = store.folder().map_or_else(|| "OLD".into(), |folder| quoted(folder.as_os_str()));
            format!(
                "run `minisnap import {old} NEW` to commit the newest snapshot to a store in another folder, NEW; {old} is \
                 not changed"
            )
        }
        MiniSnapError::Expired { .. } => {
            format!("the snapshot expired during the read; run {} to list the retained ones", command("history"))
        }
        MiniSnapError::Stale { .. } => format!("run {}, then retry with a higher `--seq`", command("show")),
        MiniSnapError::Conflict { .. } => format!("run {}, then retry", command("show")),
        MiniSnapError::Busy { waited, .. } => {
            let longer = waited.max(&Duration::from_secs(30)).as_secs_f64() * 2.0;
            format!("retry later, or wait longer with `--option busy_timeout={longer:.0}`")
        }
        MiniSnapError::StageLost { .. } => "run the same command again".into(),
        MiniSnapError::OutcomeUnknown { .. } => {
            format!("keep the log, and commit again; {} shows what readers see now", command("show"))
        }
        MiniSnapError::Backend { help: None, .. } => {
            "check the URL, the network, and the endpoint and credentials in the environment; then retry".into()
        }
        MiniSnapError::Io { source, .. }
            if matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) =>
        {
            format!(
                "nothing was changed; free disk space, for example with {}, then retry",
                store.command("prune", &["--retain", "1"])
            )
        }
        MiniSnapError::Io { at, .. } if at.operation() == Operation::Write && error.help().is_none() => {
            "nothing was changed; check the disk, then retry".into()
        }
        error => without_store(error)
            .or_else(|| error.help().map(Cow::into_owned))
            .unwrap_or_else(|| "check the path, its permissions and the disk; then retry".into()),
    }
}

/// The help for an error that concerns no opened store.
pub(crate) fn without_store(error: &MiniSnapError) -> Option<String> {
    Some(match error {
        MiniSnapError::Serde { .. } | MiniSnapError::Unrestorable { .. } => {
            "correct the JSON at that line and column, then retry".into()
        }
        MiniSnapError::Unsupported { help: Some(help), .. } | MiniSnapError::InvalidUrl { help: Some(help), .. } => {
            help.clone()
        }
        MiniSnapError::Unsupported { .. } => "use another store or file system".into(),
        MiniSnapError::InsideStore { store: Some(store), .. } => {
            format!("give the path of the store: {}", quoted(store.as_ref()))
        }
        MiniSnapError::InvalidUrl { .. } => "give a folder or a URL; `minisnap --help` lists the kinds of URL".into(),
        _ => return None,
    })
}

/// The help for an error that is corruption.
pub(crate) fn for_corruption(error: &MiniSnapError, store: &OpenStore, remaining: &Remaining) -> String {
    match error {
        MiniSnapError::Corrupt { at, found, .. } => for_finding(found, at.location(), store, remaining),
        MiniSnapError::InvalidSequence { .. } => FIX_SEQ.into(),
        _ => for_generation(store, remaining, false),
    }
}

/// The help for the corruption at `location`. Where no command of this tool helps, it is the library's help.
pub(crate) fn for_finding(found: &Corruption, location: &str, store: &OpenStore, remaining: &Remaining) -> String {
    match found {
        // One of the two public links, and no file in its place.
        Corruption::WrongLink { found: None, .. }
            if [JSON_NAME, SEQ_NAME].iter().any(|name| ends_with(location, name)) =>
        {
            format!("the next commit creates the link again, or {}", restore_links(store))
        }
        Corruption::WrongLink { .. } if [JSON_NAME, SEQ_NAME].iter().any(|name| ends_with(location, name)) => {
            restore_links(store)
        }
        Corruption::LinkAsText { .. } => format!("{}; or {COPY_AGAIN}", restore_links(store)),
        Corruption::ExternalChange(ExternalChange::Replaced { .. }) => for_replaced_file(store),
        Corruption::NotASeq { .. } => FIX_SEQ.into(),
        Corruption::WrongOwner { expected, .. } => for_wrong_owner(*expected, location),
        Corruption::RecordMissing { .. } | Corruption::RecordUnreadable { .. } => for_lost_record(store, remaining),
        Corruption::DanglingLinks
        | Corruption::HistoryGap { .. }
        | Corruption::WrongLink { .. }
        | Corruption::ExternalChange(_)
        | Corruption::NoSnapshot(_)
        | Corruption::Forbidden { .. } => {
            Verification::default().help(&Problem::new(location, found.clone())).into_owned()
        }
        found => for_generation(store, remaining, found.may_be_an_edit()),
    }
}

/// The help for a corrupt generation; `may_be_an_edit` if it may have been edited on purpose.
pub(crate) fn for_generation(store: &OpenStore, remaining: &Remaining, may_be_an_edit: bool) -> String {
    if let (Some(newest), Some(current)) = (remaining.intact.first(), &remaining.current)
        && newest == current
    {
        return format!(
            "the current snapshot, seq {}, is intact, so no rollback is needed; intact are: {}",
            current.seq(),
            text::seqs(&remaining.intact)
        );
    }
    let rollback = rollback_help(store, remaining);
    match store.folder() {
        Some(_) if may_be_an_edit => {
            format!("{rollback}; if it was edited on purpose, {} commits the edit", store.command("accept", &[]))
        }
        Some(_) => rollback,
        None => format!("{rollback}; or restore an earlier version of this object, if the bucket has versioning"),
    }
}

const FIX_SEQ: &str = "write the seq of the last change in snapshot.json to that file, in digits";

const COPY_AGAIN: &str = "copy the store again with its links preserved (cp -a, tar, rsync -a)";

fn ends_with(location: &str, name: &str) -> bool {
    Path::new(location).ends_with(name)
}

fn for_replaced_file(store: &OpenStore) -> String {
    format!(
        "{} shows the changes and commits them as the newest snapshot; {} moves the files aside",
        store.command("accept", &[]),
        store.command("revert", &[])
    )
}

/// Recursive: permission to delete another user's folder is no permission to delete the files in it.
fn for_wrong_owner(expected: u32, location: &str) -> String {
    let path = quoted(location.as_ref());
    format!("as root, run `chown -hR {expected} {path} && chmod -R u+rwX {path}` to give it to the store's owner")
}

fn restore_links(store: &OpenStore) -> String {
    format!("{} restores the store's links", store.command("revert", &[]))
}

fn for_lost_record(store: &OpenStore, remaining: &Remaining) -> String {
    match store.folder() {
        Some(_) => format!("{}; if this store is a copy, {COPY_AGAIN}", rollback_help(store, remaining)),
        None => "stop all writers, and restore the latest valid version of this object, if the bucket has versioning; or, to \
                 create the store anew, copy the snapshots you need elsewhere (each has a prefix of its own next to this \
                 object), and delete them all"
            .into(),
    }
}

/// Recommends a rollback to the newest generation that is intact and committed. Lists the generations that possibly were
/// never committed: only the operator can decide on those.
fn rollback_help(store: &OpenStore, remaining: &Remaining) -> String {
    let rollback = |generation: &Generation| store.command("rollback", &["--to", generation.name()]);
    let help = match remaining.intact.first() {
        Some(newest) => format!(
            "{} goes back to the newest intact snapshot, seq {}; the program replays its log from there",
            rollback(newest),
            newest.seq()
        ),
        None if remaining.unconfirmed.is_empty() => "no snapshot is intact: restore the store from a backup".into(),
        None => "no snapshot is known to be intact and committed: restore the store from a backup".into(),
    };
    let unconfirmed = remaining.unconfirmed.iter().map(|generation| {
        format!(
            "; {} makes seq {} current, which is intact, but possibly was never committed",
            rollback(generation),
            generation.seq()
        )
    });
    help + &unconfirmed.collect::<String>()
}
