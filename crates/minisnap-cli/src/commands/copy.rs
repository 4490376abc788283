//! `minisnap copy`: snapshots of one store, committed in another, and read back there.
//!
//! 1. Look at both. What the target has of the source's history already is not copied again (`resume.rs`); with `--onto`,
//!    only what is newer is copied (`onto.rs`).
//! 2. Read each snapshot that is missing, which checks its digest, and commit it, the oldest first, each only over the one
//!    that was seen or committed before it. With `--history`, one that is corrupt is left out.
//! 3. Read everything back.
//!
//! An interruption leaves the target with a part of the history, whole and in order: to run it again is to go on. If what
//! is about to be read expires in the source, it is the same.

mod onto;
mod plan;
mod refused;
mod resume;

use crate::{
    args::{CopyArgs, RetainArgs, StoreOptions},
    commit::commit,
    exit::{Exit, Failure, Outcome},
    open_store::{LOOKS, Place},
    out,
    progress::Progress,
    text,
};
use minisnap::{Bytes, Digest, Generation, MiniSnapError, Precondition};
use plan::{Look, content};
use resume::Content;
use serde_json::{Value, json};
use std::num::NonZeroUsize;

pub(crate) async fn run(args: CopyArgs) -> Outcome {
    let from = Place::open(&args.from, &StoreOptions { options: args.from_option.clone() })?;
    let to = Place::open(&args.to, &StoreOptions { options: args.to_option.clone() })?;
    let mut copy = Copy { from, to, args, committed: Vec::new(), left_out: Vec::new() };
    for _ in 0..LOOKS {
        if let Some(contents) = copy.missing().await? {
            return copy.finish(&contents).await;
        }
    }
    Err(Failure::new(
        Exit::NoSnapshot,
        format!("{}: its snapshots expire faster than they can be copied", copy.from.name()),
    )
    .advice("run it again, which goes on; the programs that commit there should retain more"))
}

struct Copy {
    from: Place,
    to: Place,
    args: CopyArgs,
    /// What this run committed in the target, oldest first.
    committed: Vec<Generation>,
    /// What is corrupt in the source, and how.
    left_out: Vec<LeftOut>,
}

struct LeftOut {
    generation: Generation,
    problem: String,
}

/// What came of reading a snapshot of the source.
enum Read {
    Whole(Bytes),
    Corrupt(LeftOut),
    Expired,
}

impl Copy {
    /// Copies what is missing. Returns what the target is to end with, oldest first; `None` if some of it expired in
    /// the source, which is to be looked at again.
    async fn missing(&mut self) -> Outcome<Option<Vec<Content>>> {
        // 1.
        let look = Look::at(&self.from, &self.to).await?;
        let Some(mut plan) = self.plan(&look).await? else { return Ok(None) };
        for index in plan.passed_over {
            self.say(&format!("left out seq {} (gone back from, or replaced)\n", look.source[index].seq()))?;
        }
        // 2.
        let mut current = look.target.last().cloned();
        for index in plan.missing {
            let generation = &look.source[index];
            let json = match self.read(generation).await? {
                Read::Whole(json) => json,
                Read::Corrupt(corrupt) => {
                    self.leave_out(corrupt)?;
                    plan.expected.retain(|expected| *expected != index);
                    continue;
                }
                Read::Expired => return Ok(None),
            };
            let is_new = current.is_none();
            let when = Precondition::IfCurrent(current);
            let committed = commit(&self.to, &json, generation.seq(), when, self.retain()).await?;
            if is_new {
                out::note(&format!("{}: this makes a new store", self.to.name()));
            }
            self.committed.push(committed.generation().clone());
            current = self.committed.last().cloned();
            self.say(&format!("copied seq {} ({})\n", generation.seq(), text::size(json.len() as u64)))?;
        }
        Ok(Some(plan.expected.into_iter().map(|index| look.contents[index]).collect()))
    }

    async fn read(&self, generation: &Generation) -> Outcome<Read> {
        let _reading = Progress::of_unknown_length("reading");
        let problem = match self.from.backend().read(generation).await {
            Ok(json) => return Ok(Read::Whole(json)),
            Err(MiniSnapError::Expired { .. }) => return Ok(Read::Expired),
            Err(error @ (MiniSnapError::Corrupt { .. } | MiniSnapError::InvalidSequence { .. }))
                if self.args.history =>
            {
                error.to_string()
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Read::Corrupt(LeftOut { generation: generation.clone(), problem }))
    }

    fn leave_out(&mut self, corrupt: LeftOut) -> Outcome {
        if self.left_out.iter().any(|known| known.generation == corrupt.generation) {
            return Ok(());
        }
        let told = format!("left out seq {} (corrupt)\n", corrupt.generation.seq());
        self.left_out.push(corrupt);
        self.say(&told)
    }

    /// With its history, the target retains all that is copied, and what it had.
    fn retain(&self) -> RetainArgs {
        RetainArgs { retain: self.args.retain.or(self.args.history.then_some(NonZeroUsize::MAX)) }
    }

    /// 3. Reads everything back, and tells what was done.
    async fn finish(&self, contents: &[Content]) -> Outcome {
        let corrupt = self.corrupt(contents);
        let same = match contents.last() {
            Some(newest) => Some(self.read_back(contents, newest).await?),
            None => None,
        };
        // Where nothing is intact, the failure says it all.
        if let Some(same) = same {
            self.report(same, corrupt.as_ref())?;
        }
        corrupt.map_or(Ok(()), Err)
    }

    /// What was left out because it is corrupt.
    fn corrupt(&self, contents: &[Content]) -> Option<Failure> {
        if self.left_out.is_empty() {
            return None;
        }
        let problems: Vec<_> =
            self.left_out.iter().map(|LeftOut { generation, problem }| format!("{generation}: {problem}")).collect();
        let what = format!("{}: what is corrupt was not copied: {}", self.from.name(), problems.join("; "));
        let check = self.from.command("verify", &[]);
        Some(Failure::new(Exit::Corrupt, what).advice(match contents {
            [] => format!("nothing was copied; {check} tells what is corrupt"),
            _ => format!("the intact ones are in {}; {check} tells what is corrupt", self.to.name()),
        }))
    }

    /// Reads back what the target has of `contents`, newest first, and counts it.
    async fn read_back(&self, contents: &[Content], newest: &Content) -> Outcome<usize> {
        let history = self.to.history().await?;
        let position =
            history.iter().position(|generation| content(&self.to, generation).ok().as_ref() == Some(newest));
        let Some(position) = position else {
            let what = format!("{}: what was copied expired there before it could be read back", self.to.name());
            return Err(Failure::new(Exit::Refused, what).advice("see who else commits there, and copy again"));
        };
        let mut same = 0;
        for (generation, expected) in history[position..].iter().zip(contents.iter().rev()) {
            let _reading = Progress::of_unknown_length("reading back");
            let json = self.to.backend().read(generation).await?;
            if (Content { seq: generation.seq(), digest: Digest::of(&json) }) != *expected {
                let what = format!("{}: {generation} is not what was copied", self.to.name());
                return Err(Failure::new(Exit::Corrupt, what).advice("see to that store, and copy again"));
            }
            same += 1;
        }
        Ok(same)
    }

    fn report(&self, same: usize, failure: Option<&Failure>) -> Outcome {
        let copied = self.committed.len();
        if self.args.form.json {
            return out::report(&format!(
                "{:#}\n",
                json!({
                    "from": self.from.name(),
                    "to": self.to.name(),
                    "copied": self.committed.iter().map(text::generation).collect::<Vec<_>>(),
                    "left_out": self.left_out.iter().map(LeftOut::for_programs).collect::<Vec<_>>(),
                    "read_back": same,
                    "error": failure.map(Failure::for_programs),
                })
            ));
        }
        self.say(&format!("copied {copied}; read back and found the same: {same}, in {}\n", self.to.name()))
    }

    fn say(&self, text: &str) -> Outcome {
        if self.args.form.json { Ok(()) } else { out::report(text) }
    }
}

impl LeftOut {
    fn for_programs(&self) -> Value {
        let mut snapshot = text::generation(&self.generation);
        snapshot["problem"] = json!(self.problem);
        snapshot
    }
}
