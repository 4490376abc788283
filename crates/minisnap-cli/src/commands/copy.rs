//! `minisnap copy`: snapshots of one store, published in another, and read back there.
//!
//! 1. Look at both. What the target has of the source's history already is not copied again (`resume.rs`).
//! 2. Read each snapshot that is missing, which checks its digest, and publish it, the oldest first, each only over the one
//!    that was seen or published before it.
//! 3. Read everything back.
//!
//! An interruption leaves the target with a part of the history, whole and in order: to run it again is to go on. If the
//! source retires what is about to be read, it is the same.

mod resume;

use crate::{
    args::{CopyArgs, KeepArgs, StoreOptions},
    exit::{Exit, Failure, Outcome},
    out,
    place::{LOOKS, Place},
    progress::Progress,
    publish::publish,
    text,
};
use minisnap::{Digest, Generation, MiniSnapError, Precondition};
use resume::{Content, history_missing, newest_missing};
use serde_json::json;
use std::num::NonZeroUsize;

pub(crate) async fn run(args: CopyArgs) -> Outcome {
    let from = Place::open(&args.from, &StoreOptions { options: args.from_option.clone() })?;
    let to = Place::open(&args.to, &StoreOptions { options: args.to_option.clone() })?;
    let mut copy = Copy { from, to, args, published: Vec::new() };
    for _ in 0..LOOKS {
        if let Some(contents) = copy.missing().await? {
            return copy.read_back(&contents).await;
        }
    }
    Err(Failure::new(
        Exit::NoSnapshot,
        format!("{}: it retires snapshots faster than they can be copied", copy.from.name()),
    )
    .advice("run it again, which goes on; whoever publishes there should keep more"))
}

struct Copy {
    from: Place,
    to: Place,
    args: CopyArgs,
    /// What this run published in the target, oldest first.
    published: Vec<Generation>,
}

impl Copy {
    /// Copies what is missing. Returns what the target is to end with, oldest first; `None` if the source retired some of
    /// it, and is to be looked at again.
    async fn missing(&mut self) -> Outcome<Option<Vec<Content>>> {
        // 1.
        let mut source = self.from.history().await?;
        let mut target = self.to.history_if_any().await?;
        source.reverse();
        target.reverse();
        let mut contents = contents(&self.from, &source)?;
        let first = self.first_missing(&contents, &target)?;
        // 2.
        let mut current = target.pop();
        for generation in &source[first..] {
            let json = {
                let _reading = Progress::of_unknown_length("reading");
                match self.from.backend().read(generation).await {
                    Err(MiniSnapError::Retired { .. }) => return Ok(None),
                    json => json?,
                }
            };
            let when = Precondition::IfCurrent(current);
            let published = publish(&self.to, &json, generation.seq(), when, self.keep()).await?;
            self.published.push(published.generation().clone());
            current = self.published.last().cloned();
            self.say(&format!("copied seq {} ({})\n", generation.seq(), text::size(json.len() as u64)))?;
        }
        if !self.args.history {
            contents.drain(..contents.len() - 1);
        }
        Ok(Some(contents))
    }

    /// The first of the source's snapshots that is to be copied. Both are oldest first.
    fn first_missing(&self, source: &[Content], target: &[Generation]) -> Outcome<usize> {
        let there = contents(&self.to, target)?;
        let (first, all) = match self.args.history {
            true => (history_missing(source, &there), 0),
            false => (newest_missing(source, &there), source.len() - 1),
        };
        if let Some(first) = first {
            return Ok(first);
        }
        // Of what this run itself published, the source may have retired everything since.
        let is_ours = target.last().is_some_and(|last| self.published.contains(last));
        if self.args.onto || is_ours {
            return Ok(all);
        }
        let what = format!(
            "{}: what it has ({}) is no part of the history of {}; nothing was changed",
            self.to.name(),
            text::seqs(target),
            self.from.name()
        );
        Err(Failure::new(Exit::Refused, what)
            .advice("is the target named rightly? `--onto` publishes on top of what it has; or copy to a new place"))
    }

    /// With its history, the target keeps all that is copied, and what it had.
    fn keep(&self) -> KeepArgs {
        KeepArgs { keep: self.args.keep.or(self.args.history.then_some(NonZeroUsize::MAX)) }
    }

    /// 3. Reads back what the target has of `contents`, newest first.
    async fn read_back(&self, contents: &[Content]) -> Outcome {
        let history = self.to.history().await?;
        let newest = contents.last();
        let position = history.iter().position(|generation| content(&self.to, generation).ok().as_ref() == newest);
        let Some(position) = position else {
            let what = format!("{}: what was copied was retired there before it could be read back", self.to.name());
            return Err(Failure::new(Exit::Refused, what).advice("see who else publishes there, and copy again"));
        };
        let mut same = 0;
        for (generation, expected) in history[position..].iter().zip(contents.iter().rev()) {
            let _reading = Progress::of_unknown_length("reading back");
            let json = self.to.backend().read(generation).await?;
            if (Content { seq: generation.seq(), digest: Digest::of(&json) }) != *expected {
                let what = format!("{}: {generation} is not what was copied", self.to.name());
                return Err(Failure::new(Exit::Damaged, what).advice("see to that store, and copy again"));
            }
            same += 1;
        }
        self.report(same)
    }

    fn report(&self, same: usize) -> Outcome {
        let copied = self.published.len();
        if self.args.form.json {
            return out::report(&format!(
                "{:#}\n",
                json!({
                    "from": self.from.name(),
                    "to": self.to.name(),
                    "copied": self.published.iter().map(text::generation).collect::<Vec<_>>(),
                    "read_back": same,
                })
            ));
        }
        self.say(&format!("copied {copied}; read back and found the same: {same}, in {}\n", self.to.name()))
    }

    fn say(&self, text: &str) -> Outcome {
        if self.args.form.json { Ok(()) } else { out::report(text) }
    }
}

fn contents(place: &Place, history: &[Generation]) -> Outcome<Vec<Content>> {
    history.iter().map(|generation| content(place, generation)).collect()
}

fn content(place: &Place, generation: &Generation) -> Outcome<Content> {
    match generation.digest() {
        Some(digest) => Ok(Content { seq: generation.seq(), digest }),
        None => Err(Failure::new(Exit::Unsupported, format!("{}: no digest is known of {generation}", place.name()))),
    }
}
