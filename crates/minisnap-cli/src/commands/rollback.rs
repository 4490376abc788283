//! `minisnap rollback`: an older snapshot becomes the current one again, as a new generation. History is never rewritten.
//!
//! Where the commit record is lost, or the generation that it leads to, there is nothing to commit over: then one of those that are
//! left becomes the current one. A seq means only what certainly was committed; what may never have been has to be named.

use crate::{
    args::RollbackArgs,
    commands::external_changes::put_links_back,
    commit::commit,
    exit::{Exit, Failure, Outcome},
    open_store::Place,
    out,
    pending_change::PendingChange,
    select::{Choices, Reach, Which, say_the_same},
    text,
};
use minisnap::{Committed, Corruption, Generation, MiniSnapError, Precondition, SnapshotBackend};
use serde_json::{Value, json};
use std::num::NonZeroUsize;

pub(crate) async fn run(args: RollbackArgs) -> Outcome {
    let place = Place::of(&args.store)?;
    let history = match place.history().await {
        Ok(history) => history,
        Err(failure) => return reset(&args, &place, failure).await,
    };
    let current = &history[0];
    let choice = Choices::of(&place, &history).choose(&args.to, Reach::Exact)?;
    if say_the_same(current, &choice.newest) && place.backend().read(current).await.is_ok() {
        return stay(&args, &place, &history).await;
    }
    let (older, json) = place.read_choice(&choice).await?;
    // What is gone back from is what was looked at: a snapshot that somebody commits meanwhile is not overwritten.
    let when = Precondition::IfCurrent(Some(current.clone()));
    let committed = commit(&place, &json, older.seq(), when, args.retain).await?;
    match args.form.json {
        true => out::report(&format!("{:#}\n", for_programs(&place, &committed, true).await)),
        false => out::report(&told(&place, current, &committed)),
    }
}

/// Goes back to a generation of a store of which the failure says that it is lost, and what is left.
async fn reset(args: &RollbackArgs, place: &Place, failure: Failure) -> Outcome {
    let (Some((_, backend)), Some(error)) = (place.fs(), failure.error()) else { return Err(failure) };
    let MiniSnapError::Corrupt { found, intact, unconfirmed, .. } = error else { return Err(failure) };
    if !matches!(
        found,
        Corruption::RecordMissing { .. } | Corruption::RecordUnreadable { .. } | Corruption::ContainerMissing
    ) {
        return Err(failure);
    }
    let named = |generation: &&Generation| matches!(&args.to, Which::Name(name) if name == generation.name());
    let (generation, is_confirmed) = match unconfirmed.iter().find(named) {
        Some(generation) => (generation.clone(), false),
        None => match Choices::of_lost(place, intact).choose(&args.to, Reach::Exact) {
            Ok(choice) => (choice.newest, true),
            Err(choice) if choice.exit() != Exit::NoSnapshot => return Err(choice),
            Err(_) => {
                return Err(failure.and(&format!("{} is none of those that are intact and were committed", args.to)));
            }
        },
    };
    PendingChange::Store.begin();
    let Some(mut committed) = backend.reset_to(&generation).await? else {
        let what = format!("{}: somebody repaired the store meanwhile; nothing was changed", place.name());
        return Err(Failure::new(Exit::Refused, what).advice("run the same command again"));
    };
    if let Some(retain) = args.retain.retain {
        backend.expire(retain).await?;
        committed = Committed::new(committed.generation().clone(), &committed.retained()[1..], retain);
    }
    // Where the store was copied through its links, plain files stand at their names.
    let links = put_links_back(backend).await?.lines();
    if args.form.json {
        return out::report(&format!("{:#}\n", for_programs(place, &committed, is_confirmed).await));
    }
    let seq = generation.seq();
    let doubt = if is_confirmed { "" } else { ", which was possibly never committed," };
    let told = format!(
        "{links}seq {seq} ({generation}){doubt} is the current snapshot of {} again; retained: {}; what else was there is moved aside: {} \
         lists it\n{}\n",
        place.name(),
        text::seqs(committed.retained()),
        place.command("verify", &[]),
        about_the_log(seq)
    );
    out::report(&told)
}

async fn for_programs(place: &Place, committed: &Committed, is_confirmed: bool) -> Value {
    let mut told = text::committed(committed, place.truncation_point(committed).await);
    told["possibly_never_committed"] = json!(!is_confirmed);
    told
}

/// What is current is intact, and what was meant: who runs it again is where they wanted to be.
async fn stay(args: &RollbackArgs, place: &Place, history: &[Generation]) -> Outcome {
    let links = match place.fs() {
        Some((_, backend)) => put_links_back(backend).await?.lines(),
        None => String::new(),
    };
    match args.form.json {
        true => {
            let as_if_committed = Committed::new(history[0].clone(), &history[1..], NonZeroUsize::MAX);
            out::print(&format!("{:#}\n", for_programs(place, &as_if_committed, true).await))
        }
        false if links.is_empty() => {
            out::print(&format!("{} is the current snapshot already; nothing was changed\n", args.to))
        }
        false => out::report(&format!("{links}{} is the current snapshot already\n", args.to)),
    }
}

fn told(place: &Place, left: &Generation, committed: &Committed) -> String {
    let seq = committed.generation().seq();
    let fate = match committed.retained().contains(left) {
        true => format!("seq {} stays in the history", left.seq()),
        false => format!("seq {} expired, as --retain says", left.seq()),
    };
    format!(
        "committed seq {seq} again, in {}; {fate}; retained: {}\n{}\n",
        place.name(),
        text::seqs(committed.retained()),
        about_the_log(seq)
    )
}

fn about_the_log(seq: u64) -> String {
    let next = seq.checked_add(1).map_or_else(String::new, |next| format!("; the next record is {next}"));
    format!(
        "the log was not touched: a program that starts now replays every record after seq {seq}, with the changes you went \
         back from among them. To leave those out, run `minisnap log cut JOURNAL --after {seq}` before it starts, which moves \
         them to a file of their own (of a log of another kind, remove the records after {seq}){next}."
    )
}
