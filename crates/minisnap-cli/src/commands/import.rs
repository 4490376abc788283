//! `minisnap import`: commits the newest intact snapshot of a minisnap 0.1.3 folder to a store.

use crate::{
    args::{ImportArgs, RetainArgs, StoreOptions},
    commit::commit,
    exit::{Failure, Outcome},
    open_store::OpenStore,
    progress::Progress,
    stdio, text,
};
use minisnap::{
    Absence, Committed, ErrorContext, MiniSnapError, Operation, Precondition,
    import::{OldFormat, OldSnapshot},
};
use serde_json::json;
use std::{borrow::Cow, io::ErrorKind, path::Path};

pub(crate) async fn run(args: ImportArgs) -> Outcome {
    let store = OpenStore::of(&args.store)?;
    let snapshot = read(&args.old, &store).await?;
    warn_about_skipped(&snapshot);
    let committed = match commit_if_newer(&snapshot, &store, args.retain).await {
        Err(MiniSnapError::Stale { current, .. }) if snapshot.is_same(&current) => None,
        // The seq of the old snapshot is fixed, so a retry with a higher one is no option.
        Err(error @ MiniSnapError::Stale { .. }) => {
            let show = store.command("show", &[]);
            let help =
                format!("run {show} to see the current snapshot; to read the old one, import it to another store");
            return Err(Failure::from(error).with_help(help));
        }
        committed => Some(committed?),
    };
    let truncation_point = match &committed {
        Some(committed) => store.truncation_point(committed).await,
        None => None,
    };
    let report = match args.form.json {
        true => to_json(&snapshot, &store, committed.as_ref(), truncation_point),
        false => to_text(&snapshot, &store, committed.as_ref(), truncation_point),
    };
    match committed {
        Some(_) => stdio::report(&report),
        None => stdio::print(&report),
    }
}

async fn commit_if_newer(snapshot: &OldSnapshot, store: &OpenStore, retain: RetainArgs) -> minisnap::Result<Committed> {
    // Refuses early, before anything is written. The commit evaluates the precondition again.
    let current = store.backend().current().await?;
    let at = ErrorContext::new(Operation::Commit, store.name());
    Precondition::IfNewer.evaluate(snapshot.seq(), current.as_ref(), &at)?;
    let committed = commit(store, snapshot.json(), snapshot.seq(), Precondition::IfNewer, retain).await?;
    if current.is_none() {
        stdio::note(&format!("{}: created a new store", store.name()));
    }
    Ok(committed)
}

async fn read(old: &Path, store: &OpenStore) -> Outcome<OldSnapshot> {
    let _reading = Progress::of_one_step("reading");
    OldSnapshot::newest(old).await.map_err(|error| {
        let help = help(&error, old, store);
        Failure::from(error).with_help(help)
    })
}

/// The help if `old` can't be imported: about that folder, not about the store.
fn help(error: &MiniSnapError, old: &Path, store: &OpenStore) -> String {
    match error {
        MiniSnapError::NotFound { found: Absence::NothingToImport { is_store: true }, .. } => {
            let same = OpenStore::open(old.as_os_str(), &StoreOptions::default());
            let copy = same.map_or_else(|_| "`minisnap copy`".into(), |old| old.copy_command(store, &[]));
            format!("this is a store already: every command reads it; {copy} copies it")
        }
        MiniSnapError::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            "run the command as the user whose program wrote that file: minisnap 0.1.3 made it readable only for that user".into()
        }
        MiniSnapError::Unrestorable { .. } | MiniSnapError::MapKey { .. } => {
            "restore it with minisnap 0.1.3 in a program, convert the state to a type that JSON can hold, and create it with \
             this version"
                .into()
        }
        MiniSnapError::Serde { .. } => {
            "no version can restore it; to import the previous snapshot, move this file to another folder".into()
        }
        error => error.help().map_or_else(|| "check that path, then retry".into(), Cow::into_owned),
    }
}

/// Warns if newer snapshots were skipped, and what that means for the log.
fn warn_about_skipped(snapshot: &OldSnapshot) {
    for passed_over in snapshot.passed_over() {
        stdio::warning(&format!("skipped {passed_over}"));
    }
    if !snapshot.passed_over().is_empty() {
        stdio::warning(&format!(
            "seq {seq} is the newest intact snapshot: the program needs every record of its log after seq {seq}; records \
             that were truncated because 0.1.3 reported a newer snapshot as saved are lost",
            seq = snapshot.seq()
        ));
    }
}

fn to_text(
    snapshot: &OldSnapshot,
    store: &OpenStore,
    committed: Option<&Committed>,
    truncation_point: Option<u64>,
) -> String {
    let (seq, from, to) = (snapshot.seq(), snapshot.path().display(), store.name());
    match committed {
        None => format!("seq {seq} of {from} is already the current snapshot of {to}; nothing was changed\n"),
        Some(committed) => format!(
            "imported seq {seq} ({}) from {from} to {to}; retained: {}; {}\n",
            text::size(snapshot.json().len() as u64),
            text::seqs(committed.retained()),
            store.describe_log(truncation_point),
        ),
    }
}

fn to_json(
    snapshot: &OldSnapshot,
    store: &OpenStore,
    committed: Option<&Committed>,
    truncation_point: Option<u64>,
) -> String {
    let format = match snapshot.format() {
        OldFormat::Json => "json",
        _ => "messagepack",
    };
    let passed_over: Vec<_> = snapshot
        .passed_over()
        .iter()
        .map(|over| json!({ "path": over.path.display().to_string(), "problem": over.flaw.to_string() }))
        .collect();
    let commit = committed.map(|committed| text::committed(committed, truncation_point)).unwrap_or_default();
    let report = json!({
        "store": store.name(),
        "imported": { "path": snapshot.path().display().to_string(), "seq": snapshot.seq(), "format": format },
        "passed_over": passed_over,
        "committed": commit["committed"],
        "retained": commit["retained"],
        "truncation_point": commit["truncation_point"],
    });
    format!("{report:#}\n")
}
