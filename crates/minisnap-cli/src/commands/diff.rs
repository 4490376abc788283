//! `minisnap diff`: what changed between two snapshots.

use crate::{
    args::DiffArgs,
    compare::{Named, Pair},
    exit::{Exit, Failure, Outcome},
    out,
    place::{LOOKS, Place},
    progress::Progress,
    text,
};
use minisnap::{Bytes, Generation, MiniSnapError};

pub(crate) async fn run(args: DiffArgs) -> Outcome {
    let place = Place::of(&args.store)?;
    let [(old, old_json), (new, new_json)] = both(&place, &args).await?;
    let heading = format!("{title}seq {} -> seq {}{title:#}\n", old.seq(), new.seq(), title = text::TITLE);
    let named = |generation: &Generation, json| Named { json, name: format!("{}: {generation}", place.name()) };
    let (old, new) = (named(&old, old_json), named(&new, new_json));
    let compared = out::aside(move || {
        let pair = Pair::of(old, new)?;
        let mut pieces = if args.form.json { out::Pieces::raw() } else { out::Pieces::of_lines() };
        match args.form.json {
            true => pair.for_programs(|piece| pieces.add(piece))?,
            false => {
                pieces.add(&heading)?;
                pair.for_people(|line| pieces.add(line))?;
            }
        }
        pieces.end()
    });
    compared.await.map_err(out::failed)?
}

/// The two snapshots, and what is in them. Looks again when one is retired meanwhile.
async fn both(place: &Place, args: &DiffArgs) -> Outcome<[(Generation, Bytes); 2]> {
    let mut looks = 0;
    loop {
        let [old, new] = chosen(place, &place.history().await?, args)?;
        let _reading = Progress::of_unknown_length("reading");
        let read = async { Ok([place.backend().read(&old).await?, place.backend().read(&new).await?]) };
        match read.await {
            Err(MiniSnapError::Retired { .. }) if looks < LOOKS => looks += 1,
            read => {
                let [old_json, new_json] = read?;
                return Ok([(old, old_json), (new, new_json)]);
            }
        }
    }
}

/// Of two seqs, each names what `--at` names. One names the older one, which is looked for before the current one: after a
/// reseal, both may have the same seq.
fn chosen(place: &Place, history: &[Generation], args: &DiffArgs) -> Outcome<[Generation; 2]> {
    let (current, before) = (&history[0], &history[1..]);
    let old = match (args.old, args.new) {
        (None, _) => before.first(),
        (Some(seq), None) => at_most(before, seq),
        (Some(seq), Some(_)) => at_most(history, seq),
    };
    let new = args.new.map_or(Some(current), |seq| at_most(history, seq));
    if let (Some(old), Some(new)) = (old, new) {
        return Ok([old.clone(), new.clone()]);
    }
    let which = match (args.old, args.new) {
        (None, _) => "there is none before the current one".into(),
        (Some(old), None) => format!("there is none before the current one with a seq of at most {old}"),
        (Some(old), Some(new)) => format!("there is none with a seq of at most {}", old.min(new)),
    };
    Err(Failure::new(Exit::NoSnapshot, format!("{}: {which}; retained: {}", place.name(), text::seqs(history)))
        .advice("choose among the retained ones; `--keep N` with each command that publishes retains more"))
}

fn at_most(history: &[Generation], seq: u64) -> Option<&Generation> {
    history.iter().find(|generation| generation.seq() <= seq)
}
