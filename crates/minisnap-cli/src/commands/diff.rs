//! `minisnap diff`: what changed between two snapshots.

use crate::{
    args::DiffArgs,
    compare::{Named, Pair},
    exit::Outcome,
    open_store::{LOOKS, Place},
    out,
    select::{Choice, Choices, Reach},
    text,
};
use minisnap::{Bytes, Generation, MiniSnapError};

pub(crate) async fn run(args: DiffArgs) -> Outcome {
    let place = Place::of(&args.store)?;
    let [(old, old_json), (new, new_json)] = both(&place, &args).await?;
    let heading = format!("{title}seq {} -> seq {}{title:#}\n", old.seq(), new.seq(), title = text::TITLE);
    let named = |generation: &Generation, json| Named { json, name: format!("{}: {generation}", place.name()) };
    let (old, new) = (named(&old, old_json), named(&new, new_json));
    let compared = out::run_aside(move || {
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
    compared.await?
}

/// The two snapshots, and what is in them. Looks again when one expires meanwhile.
async fn both(place: &Place, args: &DiffArgs) -> Outcome<[(Generation, Bytes); 2]> {
    let mut looks = 0;
    loop {
        let [old, new] = chosen(place, &place.history().await?, args)?;
        let read = async { Ok([place.read_choice(&old).await?, place.read_choice(&new).await?]) };
        match read.await {
            Err(MiniSnapError::Expired { .. }) if looks < LOOKS => looks += 1,
            read => {
                let read = read?;
                old.tell();
                new.tell();
                return Ok(read);
            }
        }
    }
}

/// One argument means the older one, which is looked for before the current one: after an accepted edit, both may have the same seq.
fn chosen(place: &Place, history: &[Generation], args: &DiffArgs) -> Outcome<[Choice; 2]> {
    let (all, before) = (Choices::of(place, history), Choices::before_current(place, history));
    let old = match (&args.old, &args.new) {
        (None, _) => before.newest()?,
        (Some(old), None) => before.choose(old, Reach::AtMost)?,
        (Some(old), Some(_)) => all.choose(old, Reach::AtMost)?,
    };
    let new = match &args.new {
        None => all.newest()?,
        Some(new) => all.choose(new, Reach::AtMost)?,
    };
    Ok([old, new])
}
