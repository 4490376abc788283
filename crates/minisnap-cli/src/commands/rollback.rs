//! `minisnap rollback`: an older snapshot becomes the current one again, as a new generation. History is never rewritten.

use crate::{
    args::{RollbackArgs, Which},
    exit::{Exit, Failure, Outcome},
    out,
    place::Place,
    progress::Progress,
    publish::publish,
    text,
};
use minisnap::{Bytes, Generation, Precondition, Published};
use std::num::NonZeroUsize;

pub(crate) async fn run(args: RollbackArgs) -> Outcome {
    let place = Place::of(&args.store)?;
    let history = place.history().await?;
    let current = history[0].clone();
    let older: Vec<_> = history[1..].iter().filter(|generation| args.to.is(generation)).collect();
    if args.to.is(&current) {
        match place.backend().read(&current).await {
            Ok(_) => return stay(&place, &args, &history, &older).await,
            Err(error) if older.is_empty() => return Err(error.into()),
            Err(_) => {}
        }
    }
    let (older, json) = first_intact(&place, &older).await?.ok_or_else(|| no_such(&place, &history[1..], &args.to))?;
    // What is gone back from is what was looked at: a snapshot that somebody publishes meanwhile is not overwritten.
    let when = Precondition::IfCurrent(Some(current.clone()));
    let published = publish(&place, &json, older.seq(), when, args.keep).await?;
    match args.form.json {
        true => out::report(&format!("{:#}\n", text::published(&published))),
        false => out::report(&told(&place, &current, &published)),
    }
}

/// The first of `wanted` that can be read, newest first; the error of the first if none can.
async fn first_intact(place: &Place, wanted: &[&Generation]) -> Outcome<Option<(Generation, Bytes)>> {
    let mut failed = None;
    for generation in wanted {
        let _reading = Progress::of_reading(generation);
        match place.backend().read(generation).await {
            Ok(json) => return Ok(Some(((*generation).clone(), json))),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(None), |error| Err(error.into()))
}

/// What is current is intact and has that seq: who runs it again is where they wanted to be. But after a reseal, an older one
/// may have the same seq and say something else, and nobody can tell here which of the two is meant.
async fn stay(place: &Place, args: &RollbackArgs, history: &[Generation], older: &[&Generation]) -> Outcome {
    let current = &history[0];
    let others: Vec<_> = older.iter().copied().filter(|older| older.digest() != current.digest()).collect();
    if others.len() == older.len()
        && let Ok(Some((other, _))) = first_intact(place, &others).await
    {
        let what = format!(
            "{}: the current snapshot is {} itself, and an older one, {other}, says something else; nothing was changed",
            place.name(),
            args.to
        );
        return Err(Failure::new(Exit::Refused, what).advice(format!(
            "`minisnap diff STORE` compares them; `minisnap rollback STORE --to {}` goes back",
            other.name()
        )));
    }
    match args.form.json {
        true => {
            let as_if_published = Published::new(current.clone(), &history[1..], NonZeroUsize::MAX);
            out::print(&format!("{:#}\n", text::published(&as_if_published)))
        }
        false => out::print(&format!("{} is the current snapshot already; nothing was changed\n", args.to)),
    }
}

fn no_such(place: &Place, older: &[Generation], which: &Which) -> Failure {
    let there_are = if older.is_empty() { "none".into() } else { text::seqs(older) };
    let what = format!("{}: no snapshot before the current one is {which}; there are: {there_are}", place.name());
    Failure::new(Exit::NoSnapshot, what).advice("choose one of these; what was retired is gone")
}

fn told(place: &Place, left: &Generation, published: &Published) -> String {
    let seq = published.generation().seq();
    let kept = match published.retained().contains(left) {
        true => format!("seq {} stays in the history", left.seq()),
        false => format!("seq {} was retired, as --keep says", left.seq()),
    };
    let next = seq.checked_add(1).map_or_else(String::new, |next| format!("; the next record is {next}"));
    format!(
        "published seq {seq} again, in {}; {kept}; retained: {}\n\
         the log was not touched: a program that starts now replays every record after seq {seq}, with the changes you went \
         back from among them. To leave those out, run `minisnap log cut JOURNAL --after {seq}` before it starts, which moves \
         them to a file of their own (of a log of another kind, remove the records after {seq}){next}.\n",
        place.name(),
        text::seqs(published.retained())
    )
}
