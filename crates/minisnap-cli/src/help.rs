//! The advice about an error of the library: what a person can do, with the commands that do it, about this store.

use crate::{given::quoted, open_store::Place, text};
use minisnap::{Corruption, ExternalChange, Generation, MiniSnapError, Operation};
use std::{borrow::Cow, io::ErrorKind, time::Duration};

/// What is left of a store in which something is corrupt.
pub(crate) enum Left {
    /// The history can be read.
    InHistory {
        /// The current generation, corrupt or not.
        current: Generation,
        /// The retained ones that are intact, newest first.
        intact: Vec<Generation>,
    },
    /// The history can't be read.
    Unknown,
}

/// The advice about everything but corruption.
pub(crate) fn help(error: &MiniSnapError, place: &Place) -> String {
    let command = |name: &str| place.command(name, &[]);
    match error {
        MiniSnapError::ExternalChange { found: ExternalChange::Replaced { .. }, .. } => format!(
            "{} shows what was changed and accepts it as the newest snapshot; {} moves it aside",
            command("accept"),
            command("revert")
        ),
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

/// What is wrong with the store around its generations: its commit record and links. The library says how those are made again.
fn is_of_the_store(found: &Corruption) -> bool {
    use Corruption::{DanglingLinks, HistoryGap, LinkAsText, RecordMissing, RecordUnreadable, WrongLink};
    matches!(
        found,
        RecordMissing { .. }
            | DanglingLinks
            | RecordUnreadable { .. }
            | WrongLink { .. }
            | LinkAsText { .. }
            | HistoryGap { .. }
    )
}

/// What an editor may have done on purpose.
pub(crate) fn may_be_an_edit(found: &Corruption) -> bool {
    matches!(found, Corruption::WrongSize { .. } | Corruption::WrongDigest { .. } | Corruption::WrongSeq { .. })
}

/// The advice about corruption. To go back is advised only where something intact is left, and only to the newest of that.
pub(crate) fn of_corruption(error: &MiniSnapError, place: &Place, left: &Left) -> String {
    let remedy = match error {
        MiniSnapError::InvalidSequence { .. } => {
            return "write the seq of the last change in snapshot.json into that file, in digits".into();
        }
        MiniSnapError::Corrupt { help: Some(help), .. } => help.as_str(),
        _ => "bring the store back from a backup",
    };
    match left {
        Left::InHistory { current, intact } => match error {
            MiniSnapError::Corrupt { found, .. } if is_of_the_store(found) => remedy.into(),
            MiniSnapError::Corrupt { found, .. } => of_generation(place, current, intact, may_be_an_edit(found)),
            _ => of_generation(place, current, intact, false),
        },
        Left::Unknown => remedy.into(),
    }
}

/// The advice about a corrupt generation; `may_be_an_edit` if somebody may have edited it on purpose.
pub(crate) fn of_generation(
    place: &Place,
    current: &Generation,
    intact: &[Generation],
    may_be_an_edit: bool,
) -> String {
    let back = match intact {
        [newest, ..] if newest == current => {
            return format!(
                "the current snapshot, seq {}, is intact: there is nothing to go back from; intact are: {}",
                current.seq(),
                text::seqs(intact)
            );
        }
        [newest, ..] => format!(
            "{} goes back to the newest intact snapshot, seq {}; a program replays its log from there",
            place.command("rollback", &["--to", newest.name()]),
            newest.seq()
        ),
        [] => "no intact snapshot is left here: bring the store back from a backup".into(),
    };
    match place.folder() {
        Some(_) if may_be_an_edit => {
            format!("{back}; if somebody edited it on purpose, {} commits the edit", place.command("accept", &[]))
        }
        Some(_) => back,
        None => format!("{back}; or put back an earlier version of this object, if the bucket keeps versions"),
    }
}
