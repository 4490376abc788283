//! `minisnap rollback`: commits an older snapshot again, as a new generation. The history is never rewritten.
//!
//! If the commit record or its generation is lost, no current generation exists. Then one of the readable generations becomes
//! the current one again. A seq selects only generations that were certainly committed; a generation that possibly was never
//! committed must be given by its name.

use crate::{
    args::RollbackArgs,
    commands::external_changes::revert,
    commit::commit,
    exit::{Exit, Failure, Outcome},
    open_store::OpenStore,
    pending_change::PendingChange,
    select::{Candidates, SeqMatch, SnapshotRef, have_same_content},
    stdio, text,
};
use minisnap::{Committed, Corruption, Generation, MiniSnapError, Precondition, SnapshotBackend};
use serde_json::{Value, json};
use std::num::NonZeroUsize;

pub(crate) async fn run(args: RollbackArgs) -> Outcome {
    let store = OpenStore::of(&args.store)?;
    let history = match store.history().await {
        Ok(history) => history,
        Err(failure) => return reset(&args, &store, failure).await,
    };
    let current = &history[0];
    let selection = Candidates::of(&store, &history).choose(&args.to, SeqMatch::Exact)?;
    if have_same_content(current, &selection.newest) && store.backend().read(current).await.is_ok() {
        return keep_current(&args, &store, &history).await;
    }
    // Only the text describes the log. By another handle: a handle that found the current generation corrupt would no longer
    // retain it.
    let is_undo = !args.form.json && OpenStore::of(&args.store)?.backend().read(current).await.is_ok();
    let (older, json) = store.read_selection(&selection).await?;
    // Conditional: a snapshot that another writer commits at the same time is not replaced.
    let precondition = Precondition::IfCurrent(Some(current.clone()));
    let committed = commit(&store, &json, older.seq(), precondition, args.retain).await?;
    match args.form.json {
        true => stdio::report(&format!("{:#}\n", to_json(&store, &committed, true).await)),
        false => stdio::report(&to_text(&store, current, is_undo, &committed)),
    }
}

/// Goes back to a generation of a store whose commit record is lost. `failure` lists the readable generations.
async fn reset(args: &RollbackArgs, store: &OpenStore, failure: Failure) -> Outcome {
    let (Some((_, backend)), Some(error)) = (store.fs(), failure.error()) else { return Err(failure) };
    let MiniSnapError::Corrupt { found, intact, unconfirmed, .. } = error else { return Err(failure) };
    if !matches!(
        found,
        Corruption::RecordMissing { .. } | Corruption::RecordUnreadable { .. } | Corruption::ContainerMissing
    ) {
        return Err(failure);
    }
    let named = |generation: &&Generation| matches!(&args.to, SnapshotRef::Name(name) if name == generation.name());
    let (generation, is_confirmed) = match unconfirmed.iter().find(named) {
        Some(generation) => (generation.clone(), false),
        None => match Candidates::of_lost(store, intact).choose(&args.to, SeqMatch::Exact) {
            Ok(selection) => (selection.newest, true),
            Err(ambiguous) if ambiguous.exit() != Exit::NoSnapshot => return Err(ambiguous),
            Err(_) => {
                return Err(failure.with_detail(&format!("none of the intact and committed snapshots is {}", args.to)));
            }
        },
    };
    PendingChange::Store.begin();
    let Some(mut committed) = backend.reset_to(&generation).await? else {
        let what =
            format!("{}: another process repaired the store at the same time; nothing was changed", store.name());
        return Err(Failure::new(Exit::Refused, what).with_help("run the same command again"));
    };
    if let Some(retain) = args.retain.retain {
        backend.expire(retain).await?;
        committed = Committed::new(committed.generation().clone(), &committed.retained()[1..], retain);
    }
    // If a copy followed the links, regular files have their names.
    let links = revert(backend).await?.lines();
    if args.form.json {
        return stdio::report(&format!("{:#}\n", to_json(store, &committed, is_confirmed).await));
    }
    let seq = generation.seq();
    let uncertainty = if is_confirmed { "" } else { ", which possibly was never committed," };
    let report = format!(
        "{links}seq {seq} ({generation}){uncertainty} is the current snapshot of {} again; retained: {}; \
         {} lists the generations that were moved aside\n{}\n",
        store.name(),
        text::seqs(committed.retained()),
        store.command("verify", &[]),
        describe_log(seq, false)
    );
    stdio::report(&report)
}

async fn to_json(store: &OpenStore, committed: &Committed, is_confirmed: bool) -> Value {
    let mut json = text::committed(committed, store.truncation_point(committed).await);
    json["possibly_never_committed"] = json!(!is_confirmed);
    json
}

/// The selected snapshot is the current one, and intact: only restores the links. So a second run changes nothing.
async fn keep_current(args: &RollbackArgs, store: &OpenStore, history: &[Generation]) -> Outcome {
    let links = match store.fs() {
        Some((_, backend)) => revert(backend).await?.lines(),
        None => String::new(),
    };
    match args.form.json {
        true => {
            let as_if_committed = Committed::new(history[0].clone(), &history[1..], NonZeroUsize::MAX);
            stdio::print(&format!("{:#}\n", to_json(store, &as_if_committed, true).await))
        }
        false if links.is_empty() => {
            stdio::print(&format!("{} is already the current snapshot; nothing was changed\n", args.to))
        }
        false => stdio::report(&format!("{links}{} is already the current snapshot\n", args.to)),
    }
}

fn to_text(store: &OpenStore, replaced: &Generation, is_undo: bool, committed: &Committed) -> String {
    let seq = committed.generation().seq();
    let replaced = match committed.retained().contains(replaced) {
        true => format!("seq {} stays in the history", replaced.seq()),
        false => format!("seq {} expired because of --retain", replaced.seq()),
    };
    format!(
        "committed seq {seq} again, in {}; {replaced}; retained: {}\n{}\n",
        store.name(),
        text::seqs(committed.retained()),
        describe_log(seq, is_undo)
    )
}

/// What a rollback means for the log. Only a rollback from an intact snapshot, `is_undo`, undoes changes: otherwise the program
/// needs every record.
fn describe_log(seq: u64, is_undo: bool) -> String {
    if !is_undo {
        return format!("the log was not changed: when the program starts, it replays every record after seq {seq}");
    }
    let next = seq.checked_add(1).map_or_else(String::new, |next| format!("; the next record is {next}"));
    format!(
        "the log was not changed: when the program starts, it replays every record after seq {seq}, including the undone \
         changes. To skip them, first run `minisnap log cut JOURNAL --after {seq}`, which moves these records to another file; \
         in a log of another kind, remove the records after {seq}{next}."
    )
}
