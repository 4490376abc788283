//! `minisnap copy`: commits the snapshots of one store to another, and reads them back there.
//!
//! 1. Read both histories. Snapshots that the target already has are not copied again (`resume.rs`). With `--onto`, only newer
//!    snapshots are copied (`select_newer.rs`).
//! 2. Read each missing snapshot, which checks its digest, and commit it, oldest first. Each commit is conditional on the
//!    previous snapshot of the target. With `--history`, corrupt snapshots are omitted.
//! 3. Read everything back.
//!
//! An interruption leaves a prefix of the copied snapshots in the target, so running the command again continues the copy.
//! If a snapshot expires in the source before it is read, step 1 is repeated in the same way.

mod plan;
mod refusal;
mod resume;
mod select_newer;

use crate::{
    args::{CopyArgs, RetainArgs, StoreOptions},
    commit::commit,
    exit::{Exit, Failure, Outcome},
    open_store::{OpenStore, READ_ATTEMPTS},
    progress::Progress,
    stdio, text,
};
use minisnap::{Bytes, Digest, Generation, MiniSnapError, Precondition};
use plan::{Histories, content};
use resume::Content;
use serde_json::{Value, json};
use std::num::NonZeroUsize;

pub(crate) async fn run(args: CopyArgs) -> Outcome {
    let from = OpenStore::open(&args.from, &StoreOptions { options: args.from_option.clone() })?;
    let to = OpenStore::open(&args.to, &StoreOptions { options: args.to_option.clone() })?;
    let mut copy = Copy { from, to, args, committed: Vec::new(), omitted: Vec::new() };
    for _ in 0..READ_ATTEMPTS {
        if let Some(contents) = copy.copy_missing().await? {
            return copy.finish(&contents).await;
        }
    }
    Err(Failure::new(
        Exit::NoSnapshot,
        format!("{}: its snapshots expire faster than they can be copied", copy.from.name()),
    )
    .with_help("run the same command again, which continues; configure the programs that commit there to retain more"))
}

struct Copy {
    from: OpenStore,
    to: OpenStore,
    args: CopyArgs,
    /// The snapshots that this run committed to the target, oldest first.
    committed: Vec<Generation>,
    /// The corrupt snapshots of the source.
    omitted: Vec<Omitted>,
}

struct Omitted {
    generation: Generation,
    problem: String,
}

/// The result of reading a snapshot of the source.
enum Read {
    Intact(Bytes),
    Corrupt(Omitted),
    Expired,
}

impl Copy {
    /// Copies the missing snapshots. Returns the expected end of the target's history, oldest first. `None` if a snapshot
    /// expired in the source before it was read.
    async fn copy_missing(&mut self) -> Outcome<Option<Vec<Content>>> {
        // 1.
        let histories = Histories::read(&self.from, &self.to).await?;
        let Some(mut plan) = self.plan(&histories).await? else { return Ok(None) };
        for index in plan.skipped {
            self.print(&format!("omitted seq {} (rolled back or replaced)\n", histories.source[index].seq()))?;
        }
        // 2.
        let mut current = histories.target.last().cloned();
        for index in plan.missing {
            let generation = &histories.source[index];
            let json = match self.read(generation).await? {
                Read::Intact(json) => json,
                Read::Corrupt(corrupt) => {
                    self.omit(corrupt)?;
                    plan.expected.retain(|expected| *expected != index);
                    continue;
                }
                Read::Expired => return Ok(None),
            };
            let is_new = current.is_none();
            let precondition = Precondition::IfCurrent(current);
            let committed = commit(&self.to, &json, generation.seq(), precondition, self.retain()).await?;
            if is_new {
                stdio::note(&format!("{}: created a new store", self.to.name()));
            }
            self.committed.push(committed.generation().clone());
            current = self.committed.last().cloned();
            self.print(&format!("copied seq {} ({})\n", generation.seq(), text::size(json.len() as u64)))?;
        }
        Ok(Some(plan.expected.into_iter().map(|index| histories.source_contents[index]).collect()))
    }

    async fn read(&self, generation: &Generation) -> Outcome<Read> {
        let _reading = Progress::of_unknown_length("reading");
        let problem = match self.from.backend().read(generation).await {
            Ok(json) => return Ok(Read::Intact(json)),
            Err(MiniSnapError::Expired { .. }) => return Ok(Read::Expired),
            Err(error @ (MiniSnapError::Corrupt { .. } | MiniSnapError::InvalidSequence { .. }))
                if self.args.history =>
            {
                error.to_string()
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Read::Corrupt(Omitted { generation: generation.clone(), problem }))
    }

    fn omit(&mut self, corrupt: Omitted) -> Outcome {
        if self.omitted.iter().any(|known| known.generation == corrupt.generation) {
            return Ok(());
        }
        let line = format!("omitted seq {} (corrupt)\n", corrupt.generation.seq());
        self.omitted.push(corrupt);
        self.print(&line)
    }

    /// With `--history`, the target retains everything it had and everything that is copied.
    fn retain(&self) -> RetainArgs {
        RetainArgs { retain: self.args.retain.or(self.args.history.then_some(NonZeroUsize::MAX)) }
    }

    /// 3. Reads everything back, and prints the report.
    async fn finish(&self, contents: &[Content]) -> Outcome {
        let corrupt = self.corrupt(contents);
        let same = match contents.last() {
            Some(newest) => Some(self.read_back(contents, newest).await?),
            None => None,
        };
        // If no snapshot was intact, the failure is the complete report.
        if let Some(same) = same {
            self.report(same, corrupt.as_ref())?;
        }
        corrupt.map_or(Ok(()), Err)
    }

    /// The failure if corrupt snapshots were omitted.
    fn corrupt(&self, contents: &[Content]) -> Option<Failure> {
        if self.omitted.is_empty() {
            return None;
        }
        let problems: Vec<_> =
            self.omitted.iter().map(|Omitted { generation, problem }| format!("{generation}: {problem}")).collect();
        let what = format!("{}: corrupt snapshots were not copied: {}", self.from.name(), problems.join("; "));
        let check = self.from.command("verify", &[]);
        Some(Failure::new(Exit::Corrupt, what).with_help(match contents {
            [] => format!("nothing was copied; run {check} to see how to repair the source"),
            _ => format!("the intact ones are in {}; run {check} to see how to repair the source", self.to.name()),
        }))
    }

    /// Reads back the snapshots of the target that match `contents`, newest first, and returns their number.
    async fn read_back(&self, contents: &[Content], newest: &Content) -> Outcome<usize> {
        let history = self.to.history().await?;
        let position =
            history.iter().position(|generation| content(&self.to, generation).ok().as_ref() == Some(newest));
        let Some(position) = position else {
            let what = format!("{}: the copied snapshots expired before they could be read back", self.to.name());
            return Err(Failure::new(Exit::Refused, what)
                .with_help("find the program that also commits there, then copy again"));
        };
        let mut same = 0;
        for (generation, expected) in history[position..].iter().zip(contents.iter().rev()) {
            let _reading = Progress::of_unknown_length("reading back");
            let json = self.to.backend().read(generation).await?;
            if (Content { seq: generation.seq(), digest: Digest::of(&json) }) != *expected {
                let what = format!("{}: {generation} differs from the copied snapshot", self.to.name());
                return Err(
                    Failure::new(Exit::Corrupt, what).with_help("check the disk of that store, then copy again")
                );
            }
            same += 1;
        }
        Ok(same)
    }

    fn report(&self, same: usize, failure: Option<&Failure>) -> Outcome {
        let copied = self.committed.len();
        if self.args.form.json {
            return stdio::report(&format!(
                "{:#}\n",
                json!({
                    "from": self.from.name(),
                    "to": self.to.name(),
                    "copied": self.committed.iter().map(text::generation).collect::<Vec<_>>(),
                    "left_out": self.omitted.iter().map(Omitted::to_json).collect::<Vec<_>>(),
                    "read_back": same,
                    "error": failure.map(Failure::to_json),
                })
            ));
        }
        self.print(&format!("copied {copied}; verified by reading back: {same}, in {}\n", self.to.name()))
    }

    fn print(&self, text: &str) -> Outcome {
        if self.args.form.json { Ok(()) } else { stdio::report(text) }
    }
}

impl Omitted {
    fn to_json(&self) -> Value {
        let mut snapshot = text::generation(&self.generation);
        snapshot["problem"] = json!(self.problem);
        snapshot
    }
}
