//! `minisnap diff`: shows what changed between two snapshots.

use crate::{
    args::DiffArgs,
    compare::{Comparison, NamedJson},
    detached,
    exit::Outcome,
    open_store::{OpenStore, READ_ATTEMPTS},
    select::{Candidates, Selection, SeqMatch},
    stdio, text,
};
use minisnap::{Bytes, Generation, MiniSnapError};

pub(crate) async fn run(args: DiffArgs) -> Outcome {
    let store = OpenStore::of(&args.store)?;
    let [(old, old_json), (new, new_json)] = read_both(&store, &args).await?;
    let heading = format!("{title}seq {} -> seq {}{title:#}\n", old.seq(), new.seq(), title = text::TITLE);
    let named = |generation: &Generation, json| NamedJson { json, name: format!("{}: {generation}", store.name()) };
    let (old, new) = (named(&old, old_json), named(&new, new_json));
    let compared = detached::run(move || {
        let pair = Comparison::of(old, new)?;
        let mut pieces = if args.form.json { stdio::Pieces::raw() } else { stdio::Pieces::of_lines() };
        match args.form.json {
            true => pair.to_json(|piece| pieces.add(piece))?,
            false => {
                pieces.add(&heading)?;
                pair.to_text(|line| pieces.add(line))?;
            }
        }
        pieces.end()
    });
    compared.await?
}

/// Reads both snapshots. Selects again if one expires before it is read.
async fn read_both(store: &OpenStore, args: &DiffArgs) -> Outcome<[(Generation, Bytes); 2]> {
    let mut retries = 0;
    loop {
        let [old, new] = select(store, &store.history().await?, args)?;
        let read = async { Ok([store.read_selection(&old).await?, store.read_selection(&new).await?]) };
        match read.await {
            Err(MiniSnapError::Expired { .. }) if retries < READ_ATTEMPTS => retries += 1,
            read => {
                let read = read?;
                old.print_note();
                new.print_note();
                return Ok(read);
            }
        }
    }
}

/// A single argument selects the older snapshot, from those before the current one: after an accepted edit, both may have
/// the same seq.
fn select(store: &OpenStore, history: &[Generation], args: &DiffArgs) -> Outcome<[Selection; 2]> {
    let (all, before) = (Candidates::of(store, history), Candidates::before_current(store, history));
    let old = match (&args.old, &args.new) {
        (None, _) => before.newest()?,
        (Some(old), None) => before.choose(old, SeqMatch::AtMost)?,
        (Some(old), Some(_)) => all.choose(old, SeqMatch::AtMost)?,
    };
    let new = match &args.new {
        None => all.newest()?,
        Some(new) => all.choose(new, SeqMatch::AtMost)?,
    };
    Ok([old, new])
}
