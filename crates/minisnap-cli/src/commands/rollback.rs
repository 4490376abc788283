//! `minisnap rollback`: an older snapshot becomes the current one again, as a new generation. History is never rewritten.

use crate::{
    args::RollbackArgs,
    exit::{Exit, Failure, Outcome},
    out,
    place::Place,
    progress::Progress,
    publish::publish,
    text,
};
use minisnap::{Generation, Precondition, Published};

pub(crate) async fn run(args: RollbackArgs) -> Outcome {
    let place = Place::of(&args.store)?;
    let history = place.history().await?;
    let current = history[0].clone();
    // Who runs it again is where they wanted to be, if that is intact.
    let older = match history[1..].iter().find(|generation| generation.seq() == args.to) {
        Some(older) if is_the_same(older, &current) && place.backend().read(&current).await.is_ok() => {
            return already(args.to);
        }
        Some(older) => older,
        None if current.seq() == args.to => {
            place.backend().read(&current).await?;
            return already(args.to);
        }
        None => return Err(no_such(&place, &history[1..], args.to)),
    };
    let json = {
        let _reading = Progress::of_unknown_length("reading");
        place.backend().read(older).await?
    };
    // What is gone back from is what was looked at: a snapshot that somebody publishes meanwhile is not overwritten.
    let when = Precondition::IfCurrent(Some(current.clone()));
    let published = publish(&place, &json, older.seq(), when, args.keep).await?;
    match args.form.json {
        true => out::report(&format!("{:#}\n", text::published(&published))),
        false => out::report(&told(&place, &current, &published)),
    }
}

/// After a reseal, an older one may have the seq of the current one and say something else.
fn is_the_same(one: &Generation, other: &Generation) -> bool {
    (one.seq(), one.digest()) == (other.seq(), other.digest())
}

fn already(seq: u64) -> Outcome {
    out::print(&format!("seq {seq} is the current snapshot already; nothing was changed\n"))
}

fn no_such(place: &Place, older: &[Generation], seq: u64) -> Failure {
    let there_are = if older.is_empty() { "none".into() } else { text::seqs(older) };
    let what = format!("{}: no snapshot before the current one has seq {seq}; there are: {there_are}", place.name());
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
         back from among them. To leave those out, cut the log after {seq}, or set it aside, before it starts{next}.\n",
        place.name(),
        text::seqs(published.retained())
    )
}
