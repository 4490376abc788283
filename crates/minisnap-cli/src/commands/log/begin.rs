//! `minisnap log begin`: a journal whose first record follows a number. One that holds records, or had later ones, is never
//! overwritten: it is refused, or its records are moved aside.

use super::{failure::failure_beside, held, look, open, records, torn};
use crate::{
    args::log::LogBeginArgs,
    exit::{Exit, Failure, Outcome},
    given::quoted,
    out,
    pending_change::PendingChange,
};
use minisnap::FsBackend;
use minisnap_wal::{Inspection, Journal, Log};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

pub(super) async fn run(args: LogBeginArgs) -> Outcome {
    let cannot = |error| failure_beside(error, &args.file, Some(args.after));
    if FsBackend::is_part_of_store(&args.file) {
        let what = format!("{} is, or would be, part of a store; nothing was changed", args.file.display());
        return Err(
            Failure::new(Exit::Refused, what).advice("give a path beside the store's folder, or in another one")
        );
    }
    PendingChange::Journal.begin();
    let (journal, moved_to): (Journal<Value>, Option<PathBuf>) = match look(&args.file).await {
        Err(error) if error.is_not_found() => {
            note_new_folder(&args.file);
            (Journal::begin_after(&args.file, args.after).await.map_err(cannot)?, None)
        }
        found => {
            check(&found.map_err(cannot)?, &args)?;
            let mut journal = open(&args.file).await?;
            let moved_to = journal.reset_after(args.after).await.map_err(cannot)?;
            (journal, moved_to)
        }
    };
    let path = journal.path().display().to_string();
    let moved_to = moved_to.map(|path| path.display().to_string());
    out::report_of(
        "the journal has begun",
        &match args.form.json {
            true => {
                let done = json!({
                    "path": path,
                    "first": journal.first(),
                    "last": journal.last(),
                    "moved_to": moved_to,
                    "dropped_bytes": journal.torn_bytes(),
                });
                format!("{done:#}\n")
            }
            false => {
                let moved =
                    moved_to.map_or_else(String::new, |moved_to| format!("moved what was in it to {moved_to}; "));
                let dropped = torn(journal.torn_bytes()).map_or_else(String::new, |torn| format!("dropped {torn}; "));
                format!("{moved}{dropped}{path} holds {}\n", held(journal.records(), journal.last()))
            }
        },
    )
}

/// A folder that is made may be one that was meant to be mounted, or a slip.
fn note_new_folder(file: &Path) {
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        out::note(&format!("{}: this makes a new folder for the journal", folder.display()));
    }
}

/// Whether a journal may begin where this one is.
fn check(found: &Inspection, args: &LogBeginArgs) -> Outcome {
    let holds = match found.records() {
        _ if args.move_aside => return Ok(()),
        0 if found.last <= args.after => return Ok(()),
        0 => format!("held records up to {}, and numbers would be given again", found.last),
        _ => format!("holds {}", records(found.first, found.last)),
    };
    let what = format!("{}: there is a journal, which {holds}; nothing was changed", found.path.display());
    Err(Failure::new(Exit::Refused, what).advice(format!(
        "`minisnap log begin {} --after {} --move-aside` moves its records to a file of their own first",
        quoted(args.file.as_os_str()),
        args.after
    )))
}
