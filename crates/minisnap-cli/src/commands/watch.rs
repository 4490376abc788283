//! `minisnap watch`: a line per new snapshot, until Ctrl-C, or until nobody reads the lines any more.

use crate::{
    args::WatchArgs,
    exit::{Exit, Failure, Outcome},
    explain::explain,
    open_store::Place,
    out, text,
};
use minisnap::Generation;
use serde_json::Value;
use std::{io::Write, num::NonZeroUsize, time::Duration};

/// The least time between two looks, whatever is asked for.
const SHORTEST: Duration = Duration::from_millis(10);

pub(crate) async fn run(args: WatchArgs) -> Outcome {
    tokio::select! {
        biased;
        done = watch(args) => done,
        () = out::reader_is_gone() => Err(Failure::silent(Exit::BrokenPipe)),
    }
}

async fn watch(args: WatchArgs) -> Outcome {
    let place = Place::of(&args.store)?;
    let mut watch = Watch { place: &place, seen: None, said: None };
    let mut left = args.count.map_or(usize::MAX, NonZeroUsize::get);
    // What can't be looked at from the first is a slip of the operator's; later, it may come back.
    let mut found = watch.look().await.map(|news| Vec::from_iter(news.last().cloned()))?;
    loop {
        for generation in found {
            out::print(&line(&place, &generation, args.form.json))?;
            left -= 1;
            if left == 0 {
                return Ok(());
            }
        }
        tokio::time::sleep(SHORTEST.max(*args.every)).await;
        found = watch.look_or_say().await;
    }
}

struct Watch<'a> {
    place: &'a Place,
    /// The newest generation that was told.
    seen: Option<Generation>,
    /// What was said on stderr, which is said once.
    said: Option<String>,
}

impl Watch<'_> {
    /// What was committed since the last look, in the order of committing.
    async fn look(&mut self) -> Outcome<Vec<Generation>> {
        // Without a change, one small request; the history is more.
        if self.place.current_if_any().await? == self.seen && self.seen.is_some() {
            return Ok(Vec::new());
        }
        let history = self.place.history_if_any().await?;
        if history.is_empty() && self.seen.is_some() {
            let what = format!("{}: there is no snapshot here any more", self.place.name());
            return Err(
                Failure::new(Exit::NoSnapshot, what).advice("was it moved, or is its disk not mounted any more?")
            );
        }
        let position = self.seen.as_ref().and_then(|seen| history.iter().position(|generation| generation == seen));
        let mut news = history[..position.unwrap_or(history.len())].to_vec();
        if position.is_none() && self.seen.is_some() {
            // If that can't be written to, nobody can be told.
            let _ = writeln!(
                anstream::stderr(),
                "more were committed than are retained: some may be missing here; look more often (--every)"
            );
        }
        news.reverse();
        if let Some(newest) = news.last() {
            self.seen = Some(newest.clone());
        }
        Ok(news)
    }

    /// The same; a failure is said on stderr, once, and the next look may find it gone.
    async fn look_or_say(&mut self) -> Vec<Generation> {
        match self.look().await {
            Ok(news) => {
                self.said = None;
                news
            }
            Err(failure) => {
                let failure = explain(failure, self.place).await;
                let text = failure.text();
                if self.said.as_ref() != Some(&text) {
                    failure.tell();
                    self.said = Some(text);
                }
                Vec::new()
            }
        }
    }
}

fn line(place: &Place, generation: &Generation, json: bool) -> String {
    if json {
        let mut told = text::generation(generation);
        told["store"] = Value::from(place.name());
        return format!("{told}\n");
    }
    let time = generation.time().map_or_else(|| "-".into(), text::time);
    let size = generation.size().map_or_else(|| "-".into(), text::size);
    format!("{time}  seq {}  {size}  {generation}\n", generation.seq())
}
