//! `minisnap watch`: prints a line for each new snapshot, until Ctrl-C or until the reader closes the output.

use crate::{
    add_help::add_help,
    args::WatchArgs,
    exit::{Exit, Failure, Outcome},
    open_store::OpenStore,
    stdio, text,
};
use minisnap::Generation;
use serde_json::Value;
use std::{num::NonZeroUsize, time::Duration};

/// The minimum interval between two checks.
const MIN_INTERVAL: Duration = Duration::from_millis(10);

pub(crate) async fn run(args: WatchArgs) -> Outcome {
    tokio::select! {
        biased;
        done = watch(args) => done,
        () = stdio::reader_closed() => Err(Failure::silent(Exit::BrokenPipe)),
    }
}

async fn watch(args: WatchArgs) -> Outcome {
    let store = OpenStore::of(&args.store)?;
    let mut watch = Watch { store: &store, seen: None, reported: None };
    let mut left = args.count.map_or(usize::MAX, NonZeroUsize::get);
    // A failure of the first check ends the command: the location is probably a mistake. A later one may be temporary.
    let mut found = watch.new_generations().await.map(|new| Vec::from_iter(new.last().cloned()))?;
    loop {
        for generation in found {
            stdio::print(&line(&store, &generation, args.form.json))?;
            left -= 1;
            if left == 0 {
                return Ok(());
            }
        }
        tokio::time::sleep(MIN_INTERVAL.max(*args.every)).await;
        found = watch.new_generations_or_report().await;
    }
}

struct Watch<'a> {
    store: &'a OpenStore,
    /// The newest generation that was printed.
    seen: Option<Generation>,
    /// The last failure that was printed; it is not printed again.
    reported: Option<String>,
}

impl Watch<'_> {
    /// The generations that were committed since the last check, oldest first.
    async fn new_generations(&mut self) -> Outcome<Vec<Generation>> {
        // One small request if nothing changed; reading the history costs more.
        if self.store.current_if_any().await? == self.seen && self.seen.is_some() {
            return Ok(Vec::new());
        }
        let history = self.store.history_if_any().await?;
        if history.is_empty() && self.seen.is_some() {
            let what = format!("{}: no snapshot any more", self.store.name());
            return Err(Failure::new(Exit::NoSnapshot, what)
                .with_help("check that the store was not moved, and that its disk is mounted"));
        }
        let position = self.seen.as_ref().and_then(|seen| history.iter().position(|generation| generation == seen));
        let mut new = history[..position.unwrap_or(history.len())].to_vec();
        if position.is_none() && self.seen.is_some() {
            stdio::warning(
                "snapshots may be missing here: more were committed than are retained; check more often with --every",
            );
        }
        new.reverse();
        if let Some(newest) = new.last() {
            self.seen = Some(newest.clone());
        }
        Ok(new)
    }

    /// The same. A failure is printed to stderr once; the next check may succeed.
    async fn new_generations_or_report(&mut self) -> Vec<Generation> {
        match self.new_generations().await {
            Ok(new) => {
                self.reported = None;
                new
            }
            Err(failure) => {
                // Without the help, which also depends on the state of the store.
                let text = failure.text();
                if self.reported.as_ref() != Some(&text) {
                    add_help(failure, self.store).await.print();
                    self.reported = Some(text);
                }
                Vec::new()
            }
        }
    }
}

fn line(store: &OpenStore, generation: &Generation, json: bool) -> String {
    if json {
        let mut json = text::generation(generation);
        json["store"] = Value::from(store.name());
        return format!("{json}\n");
    }
    let time = generation.time().map_or_else(|| "-".into(), text::time);
    let size = generation.size().map_or_else(|| "-".into(), text::size);
    format!("{time}  seq {}  {size}  {generation}\n", generation.seq())
}
