//! The advice about an error of the library: what a person can do, with the commands that do it, about this store.

use crate::{given::quoted, place::Place, text};
use minisnap::{Generation, MiniSnapError, Operation, backend::format::JSON_NAME};
use std::{borrow::Cow, io::ErrorKind, path::Path, time::Duration};

/// What is left of a store in which something is damaged.
pub(crate) enum Left {
    /// The history can be read.
    InHistory {
        /// The current generation, damaged or not.
        current: Generation,
        /// The retained ones that are intact, newest first.
        intact: Vec<Generation>,
    },
    /// The history can't be read.
    Unknown,
}

/// The advice about everything but damage.
pub(crate) fn help(error: &MiniSnapError, place: &Place) -> String {
    let command = |name: &str| place.command(name, &[]);
    match error {
        MiniSnapError::ExternalChange { at, .. } => match place.has_replaced(Path::new(at.location())) {
            true if at.operation() != Operation::AcceptExternalChanges => format!(
                "{} shows what was changed and takes it as the newest snapshot; {} moves it aside",
                command("reseal"),
                place.command("reseal", &["--set-aside"])
            ),
            _ => error.help().map(Cow::into_owned).unwrap_or_default(),
        },
        MiniSnapError::NotFound { .. } => {
            "put the missing file back, from a backup or from where it was moved; or publish a new snapshot".into()
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
            format!("keep the log, and publish again; {} tells what readers see now", command("show"))
        }
        MiniSnapError::Backend { .. } => {
            "check the URL, the network, and the endpoint and credentials in the environment; then try again".into()
        }
        MiniSnapError::Io { source, .. } if source.kind() == ErrorKind::NotADirectory => {
            "a store is a folder, and so is all above it; there is a file at that path".into()
        }
        MiniSnapError::Io { source, .. } if source.kind() == ErrorKind::OutOfMemory => {
            "free memory, or raise the limit (`ulimit -v`); then try again".into()
        }
        MiniSnapError::Io { at, .. } if at.operation() == Operation::Write => {
            "nothing was changed: see to the disk, and try again".into()
        }
        error => without_store(error)
            .unwrap_or_else(|| "see to the path, its permissions and the disk; then try again".into()),
    }
}

/// The advice where no store could be opened, or none is needed.
pub(crate) fn without_store(error: &MiniSnapError) -> Option<String> {
    Some(match error {
        MiniSnapError::Serde { .. } | MiniSnapError::Unrestorable { .. } => {
            "mend the JSON at that line and column, and try again".into()
        }
        MiniSnapError::Unsupported { .. } => "use another store or file system".into(),
        MiniSnapError::InsideStore { store: Some(store), .. } => format!("did you mean {}?", quoted(store.as_ref())),
        MiniSnapError::InsideStore { store: None, .. } => {
            "give the folder in which snapshot.json and snapshot.seq are links to here".into()
        }
        MiniSnapError::InvalidUrl { .. } => "a store is a folder or a URL: `minisnap --help` lists them".into(),
        _ => return None,
    })
}

/// The advice about damage. To go back is advised only where something intact is left, and only to the newest of that.
pub(crate) fn of_damage(error: &MiniSnapError, place: &Place, left: &Left) -> String {
    let remedy = match error {
        MiniSnapError::InvalidSequence { .. } => {
            return "write the seq of the last change in snapshot.json into that file, in digits".into();
        }
        MiniSnapError::Corrupt { help: Some(help), .. } => help.as_str(),
        _ => "bring the store back from a backup",
    };
    match left {
        // Of the store's own links, the library says how they are made again.
        Left::InHistory { current, intact } if !place.is_link(&error.at().location()) => {
            of_generation(error, place, current, intact)
        }
        Left::InHistory { .. } | Left::Unknown => remedy.into(),
    }
}

fn of_generation(error: &MiniSnapError, place: &Place, current: &Generation, intact: &[Generation]) -> String {
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
        // What isn't JSON, or isn't there, is no edit that could be accepted.
        Some(folder) if matches!(error, MiniSnapError::Corrupt { .. }) && folder.join(JSON_NAME).is_file() => {
            format!("{back}; if somebody edited it on purpose, {} publishes the edit", place.command("reseal", &[]))
        }
        Some(_) => back,
        None => format!("{back}; or put back an earlier version of this object, if the bucket keeps versions"),
    }
}
