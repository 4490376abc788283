//! `minisnap rollback`: an older snapshot becomes the current one again, as a new generation. History is never rewritten.

use crate::{
    args::RollbackArgs,
    commit::commit,
    exit::Outcome,
    open_store::Place,
    out,
    select::{Choices, Reach, say_the_same},
    text,
};
use minisnap::{Committed, Generation, Precondition};
use std::num::NonZeroUsize;

pub(crate) async fn run(args: RollbackArgs) -> Outcome {
    let place = Place::of(&args.store)?;
    let history = place.history().await?;
    let current = &history[0];
    let choice = Choices::of(&place, &history).choose(&args.to, Reach::Exact)?;
    if say_the_same(current, &choice.newest) && place.backend().read(current).await.is_ok() {
        return stay(&args, &history);
    }
    let (older, json) = place.read_choice(&choice).await?;
    // What is gone back from is what was looked at: a snapshot that somebody commits meanwhile is not overwritten.
    let when = Precondition::IfCurrent(Some(current.clone()));
    let committed = commit(&place, &json, older.seq(), when, args.retain).await?;
    match args.form.json {
        true => out::report(&format!("{:#}\n", text::committed(&committed))),
        false => out::report(&told(&place, current, &committed)),
    }
}

/// What is current is intact, and what was meant: who runs it again is where they wanted to be.
fn stay(args: &RollbackArgs, history: &[Generation]) -> Outcome {
    match args.form.json {
        true => {
            let as_if_committed = Committed::new(history[0].clone(), &history[1..], NonZeroUsize::MAX);
            out::print(&format!("{:#}\n", text::committed(&as_if_committed)))
        }
        false => out::print(&format!("{} is the current snapshot already; nothing was changed\n", args.to)),
    }
}

fn told(place: &Place, left: &Generation, committed: &Committed) -> String {
    let seq = committed.generation().seq();
    let fate = match committed.retained().contains(left) {
        true => format!("seq {} stays in the history", left.seq()),
        false => format!("seq {} expired, as --retain says", left.seq()),
    };
    let next = seq.checked_add(1).map_or_else(String::new, |next| format!("; the next record is {next}"));
    format!(
        "committed seq {seq} again, in {}; {fate}; retained: {}\n\
         the log was not touched: a program that starts now replays every record after seq {seq}, with the changes you went \
         back from among them. To leave those out, run `minisnap log cut JOURNAL --after {seq}` before it starts, which moves \
         them to a file of their own (of a log of another kind, remove the records after {seq}){next}.\n",
        place.name(),
        text::seqs(committed.retained())
    )
}
