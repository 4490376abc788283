//! The advice about an error of the library: what a person can do, with the commands that do it, about this store.

use crate::{given::quoted, open_store::Place, text};
use minisnap::{
    Corruption, ExternalChange, Generation, MiniSnapError, Operation, Problem, Verification,
    backend::format::{JSON_NAME, SEQ_NAME},
};
use std::{borrow::Cow, io::ErrorKind, path::Path, time::Duration};

/// What is left of a store in which something is corrupt.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// The current generation, corrupt or not; `None` if the history can't be read.
    pub(crate) current: Option<Generation>,
    /// The generations that are intact and were committed, newest first.
    pub(crate) intact: Vec<Generation>,
    /// Those that are intact, and may never have been committed, newest first.
    pub(crate) unconfirmed: Vec<Generation>,
}

/// The advice about everything but corruption.
pub(crate) fn help(error: &MiniSnapError, place: &Place) -> String {
    let command = |name: &str| place.command(name, &[]);
    match error {
        MiniSnapError::ExternalChange { found: ExternalChange::Replaced { .. }, .. } => of_replaced(place),
        MiniSnapError::ExternalChange { found: ExternalChange::OtherFormat, .. } => {
            let old = place.folder().map_or_else(|| "OLD".into(), |folder| quoted(folder.as_os_str()));
            format!(
                "`minisnap import {old} NEW` brings the newest one into a store in another folder, NEW; {old} stays as it is"
            )
        }
        MiniSnapError::Expired { .. } => format!("it expired meanwhile; {} lists what there is", command("history")),
        MiniSnapError::Stale { .. } => format!("run {}, then retry with a higher `--seq`", command("show")),
        MiniSnapError::Conflict { .. } => format!("run {}, then retry", command("show")),
        MiniSnapError::Busy { waited, .. } => {
            let longer = waited.max(&Duration::from_secs(30)).as_secs_f64() * 2.0;
            format!("try again later, or wait longer with `--option busy_timeout={longer:.0}`")
        }
        MiniSnapError::StageLost { .. } => "run it again".into(),
        MiniSnapError::OutcomeUnknown { .. } => {
            format!("keep the log, and commit again; {} tells what readers see now", command("show"))
        }
        MiniSnapError::Backend { .. } => {
            "check the URL, the network, and the endpoint and credentials in the environment; then try again".into()
        }
        MiniSnapError::Io { source, .. } if source.kind() == ErrorKind::OutOfMemory => {
            "free memory, or raise the limit (`ulimit -v`); then try again".into()
        }
        MiniSnapError::Io { at, .. } if at.operation() == Operation::Write => {
            "nothing was changed: see to the disk, and try again".into()
        }
        error => without_store(error)
            .or_else(|| error.help().map(Cow::into_owned))
            .unwrap_or_else(|| "see to the path, its permissions and the disk; then try again".into()),
    }
}

/// The advice where no store could be opened, or none is needed.
pub(crate) fn without_store(error: &MiniSnapError) -> Option<String> {
    Some(match error {
        MiniSnapError::Serde { .. } | MiniSnapError::Unrestorable { .. } => {
            "mend the JSON at that line and column, and try again".into()
        }
        MiniSnapError::Unsupported { help: Some(help), .. } | MiniSnapError::InvalidUrl { help: Some(help), .. } => {
            help.clone()
        }
        MiniSnapError::Unsupported { .. } => "use another store or file system".into(),
        MiniSnapError::InsideStore { store: Some(store), .. } => format!("did you mean {}?", quoted(store.as_ref())),
        MiniSnapError::InvalidUrl { .. } => "a store is a folder or a URL: `minisnap --help` lists them".into(),
        _ => return None,
    })
}

/// The advice about an error that is corruption.
pub(crate) fn of_corruption(error: &MiniSnapError, place: &Place, left: &Left) -> String {
    match error {
        MiniSnapError::Corrupt { at, found, .. } => of_found(found, at.location(), place, left),
        MiniSnapError::InvalidSequence { .. } => OF_A_SEQ.into(),
        _ => of_generation(place, left, false),
    }
}

/// The advice about what was found at `location`. What there is no command for is said as the library says it.
pub(crate) fn of_found(found: &Corruption, location: &str, place: &Place, left: &Left) -> String {
    match found {
        // One of the two links that people open, and nothing in its place.
        Corruption::WrongLink { found: None, .. }
            if [JSON_NAME, SEQ_NAME].iter().any(|name| ends_with(location, name)) =>
        {
            format!("the next commit makes it again; or {}", links_back(place))
        }
        Corruption::WrongLink { .. } if [JSON_NAME, SEQ_NAME].iter().any(|name| ends_with(location, name)) => {
            links_back(place)
        }
        Corruption::LinkAsText { .. } => format!("{}; or {COPY_AGAIN}", links_back(place)),
        Corruption::ExternalChange(ExternalChange::Replaced { .. }) => of_replaced(place),
        Corruption::NotASeq { .. } => OF_A_SEQ.into(),
        Corruption::WrongOwner { expected, .. } => of_owner(*expected, location),
        Corruption::RecordMissing { .. } | Corruption::RecordUnreadable { .. } => of_record(place, left),
        Corruption::DanglingLinks
        | Corruption::HistoryGap { .. }
        | Corruption::WrongLink { .. }
        | Corruption::ExternalChange(_)
        | Corruption::NoSnapshot(_)
        | Corruption::Forbidden { .. } => {
            Verification::default().help(&Problem::new(location, found.clone())).into_owned()
        }
        found => of_generation(place, left, found.may_be_an_edit()),
    }
}

/// The advice about a corrupt generation; `may_be_an_edit` if somebody may have edited it on purpose.
pub(crate) fn of_generation(place: &Place, left: &Left, may_be_an_edit: bool) -> String {
    if let (Some(newest), Some(current)) = (left.intact.first(), &left.current)
        && newest == current
    {
        return format!(
            "the current snapshot, seq {}, is intact: there is nothing to go back from; intact are: {}",
            current.seq(),
            text::seqs(&left.intact)
        );
    }
    let back = back(place, left);
    match place.folder() {
        Some(_) if may_be_an_edit => {
            format!("{back}; if somebody edited it on purpose, {} commits the edit", place.command("accept", &[]))
        }
        Some(_) => back,
        None => format!("{back}; or put back an earlier version of this object, if the bucket keeps versions"),
    }
}

const OF_A_SEQ: &str = "write the seq of the last change in snapshot.json into that file, in digits";

const COPY_AGAIN: &str = "copy again with links kept (cp -a, tar, rsync -a)";

fn ends_with(location: &str, name: &str) -> bool {
    Path::new(location).ends_with(name)
}

fn of_replaced(place: &Place) -> String {
    format!(
        "{} shows what was changed and accepts it as the newest snapshot; {} moves it aside",
        place.command("accept", &[]),
        place.command("revert", &[])
    )
}

/// With what is in it: who may remove a folder of another user's may not remove what is in there.
fn of_owner(expected: u32, location: &str) -> String {
    let path = quoted(location.as_ref());
    format!("as root, `chown -hR {expected} {path} && chmod -R u+rwX {path}` gives it to the store's owner")
}

fn links_back(place: &Place) -> String {
    format!("{} puts the store's links back", place.command("revert", &[]))
}

fn of_record(place: &Place, left: &Left) -> String {
    match place.folder() {
        Some(_) => format!("{}; if this is a copy, {COPY_AGAIN}", back(place, left)),
        None => "stop all writers, and put back the latest version of this object that can be understood, if the bucket keeps \
                 versions; or, to start anew, copy what you need of the snapshots elsewhere (each has a folder of its own \
                 beside this object), and remove them all"
            .into(),
    }
}

/// To go back is advised only where something intact is left, and only to the newest of that. What may never have been
/// committed is named, for a person to choose.
fn back(place: &Place, left: &Left) -> String {
    let rollback = |generation: &Generation| place.command("rollback", &["--to", generation.name()]);
    let back = match left.intact.first() {
        Some(newest) => format!(
            "{} goes back to the newest intact snapshot, seq {}; a program replays its log from there",
            rollback(newest),
            newest.seq()
        ),
        None if left.unconfirmed.is_empty() => {
            "no intact snapshot is left here: bring the store back from a backup".into()
        }
        None => "no snapshot is known to be intact and committed: bring the store back from a backup".into(),
    };
    let unconfirmed = left.unconfirmed.iter().map(|generation| {
        format!("; {} takes seq {}, intact, and possibly never committed", rollback(generation), generation.seq())
    });
    back + &unconfirmed.collect::<String>()
}
