//! Checks the events of all processes:
//!
//! 1. Each generation has one commit, and no two acknowledged commits replace the same generation.
//! 2. From the current generation, the commits lead back to the first one, each with the next seq. A generation whose create
//!    failed isn't among them.
//! 3. Each acknowledged commit is in this chain.
//! 4. Each generation that was read is in this chain, and its state is that of its author.

use super::events::{Commit, Event};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// The number of events of each kind.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Summary {
    pub(super) acknowledged: usize,
    /// Commits with an unknown outcome, and how many of them happened.
    pub(super) unknown: (usize, usize),
    pub(super) conflicts: usize,
    pub(super) failed: usize,
    pub(super) reads: usize,
    pub(super) failed_reads: usize,
}

/// Returns what the events are, or a violation. `first` is the commit of the first generation, and `current` the name of the last.
pub(super) fn check(first: &Commit, current: &str, events: &[Event]) -> Result<Summary, String> {
    let (mut commits, mut replaced) = (BTreeMap::from([(first.generation.as_str(), first)]), BTreeSet::new());
    let mut summary = Summary::default();
    // 1
    for event in events {
        match event {
            Event::Committed(commit, _) => {
                summary.acknowledged += 1;
                if !replaced.insert(&commit.parent) {
                    return Err(format!("two acknowledged commits replaced {}", commit.parent));
                }
                add(&mut commits, commit)?;
            }
            Event::Unknown(commit) => {
                summary.unknown.0 += 1;
                add(&mut commits, commit)?;
            }
            Event::Conflict => summary.conflicts += 1,
            Event::Failed(_) => summary.failed += 1,
            Event::Read { .. } => summary.reads += 1,
            Event::ReadFailed(_) => summary.failed_reads += 1,
        }
    }
    // 2
    let mut chain = BTreeMap::from([(first.generation.as_str(), first.author.as_str())]);
    let mut name = current;
    while name != first.generation {
        let commit = commits
            .get(name)
            .ok_or_else(|| format!("{name} is current or was replaced, but no create committed it"))?;
        let (seq, before) = (seq_of(name), seq_of(&commit.parent));
        if seq != before + 1 {
            return Err(format!("{name} replaced {}", commit.parent));
        }
        chain.insert(name, &commit.author);
        name = &commit.parent;
    }
    // 3
    for event in events {
        match event {
            Event::Committed(commit, _) if !chain.contains_key(commit.generation.as_str()) => {
                return Err(format!("the acknowledged commit {} is lost", commit.generation));
            }
            Event::Unknown(commit) if chain.contains_key(commit.generation.as_str()) => summary.unknown.1 += 1,
            // 4
            Event::Read { generation, author } => match chain.get(generation.as_str()) {
                None => return Err(format!("{generation} was read, but isn't in the chain")),
                Some(expected) if expected != author => {
                    return Err(format!(
                        "a mixed pair: {generation} of {expected} was read with the state of {author}"
                    ));
                }
                Some(_) => {}
            },
            _ => {}
        }
    }
    Ok(summary)
}

fn add<'a>(commits: &mut BTreeMap<&'a str, &'a Commit>, commit: &'a Commit) -> Result<(), String> {
    match commits.insert(&commit.generation, commit) {
        None => Ok(()),
        Some(other) => Err(format!("{} has two commits, by {} and {}", commit.generation, other.author, commit.author)),
    }
}

/// The seq in the name of a generation.
fn seq_of(name: &str) -> u64 {
    let seq = name.split('-').next().and_then(|digits| digits.parse().ok());
    seq.unwrap_or_else(|| panic!("not the name of a generation: {name}"))
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acknowledged, unknown: (unknown, happened), conflicts, failed, reads, failed_reads } = self;
        write!(
            f,
            "{acknowledged} commits acknowledged, {unknown} unknown ({happened} of them happened), {conflicts} conflicts, \
             {failed} failed; {reads} reads, {failed_reads} failed"
        )
    }
}
