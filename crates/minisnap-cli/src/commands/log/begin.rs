//! `minisnap log begin`: creates a journal whose first record follows a given number. A journal that holds records, or held
//! later ones, is never overwritten: the command refuses, or moves the records aside.

use super::{describe_records, failure::failure_with_seq, incomplete_append, open, read, records};
use crate::{
    args::log::LogBeginArgs,
    exit::{Exit, Failure, Outcome},
    pending_change::PendingChange,
    shell::quoted,
    stdio,
};
use minisnap::FsBackend;
use minisnap_wal::{Inspection, Journal, Log};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

pub(super) async fn run(args: LogBeginArgs) -> Outcome {
    let cannot = |error| failure_with_seq(error, &args.file, Some(args.after));
    if FsBackend::is_part_of_store(&args.file) {
        let what = format!("{} is part of a store; nothing was changed", args.file.display());
        return Err(
            Failure::new(Exit::Refused, what).with_help("give a path next to snapshot.json, or in another folder")
        );
    }
    PendingChange::Journal.begin();
    let (journal, moved_to): (Journal<Value>, Option<PathBuf>) = match read(&args.file).await {
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
    stdio::report_of(
        "the journal was created",
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
                let moved = moved_to.map_or_else(String::new, |moved_to| format!("moved its records to {moved_to}; "));
                let dropped = incomplete_append(journal.torn_bytes())
                    .map_or_else(String::new, |bytes| format!("dropped {bytes}; "));
                format!("{moved}{dropped}{path} holds {}\n", describe_records(journal.records(), journal.last()))
            }
        },
    )
}

/// Notes a new folder: the path may be a mistake, or its disk is not mounted.
fn note_new_folder(file: &Path) {
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        stdio::note(&format!("{}: creating this folder for the journal", folder.display()));
    }
}

/// Refuses to replace a journal that holds records or has used later numbers.
fn check(found: &Inspection, args: &LogBeginArgs) -> Outcome {
    let holds = match found.records() {
        _ if args.move_aside => return Ok(()),
        0 if found.last <= args.after => return Ok(()),
        0 => format!("held records up to {}, whose numbers would be assigned again", found.last),
        _ => format!("holds {}", records(found.first, found.last)),
    };
    let what = format!("{}: a journal exists, which {holds}; nothing was changed", found.path.display());
    Err(Failure::new(Exit::Refused, what).with_help(format!(
        "`minisnap log begin {} --after {} --move-aside` moves its records to a file of their own first",
        quoted(args.file.as_os_str()),
        args.after
    )))
}
