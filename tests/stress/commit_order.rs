//! The order of the commits, as far as the outcomes of the operations determine it.
//!
//! A committed create returns the retained generations, and so its parent: the generation that was current before. That
//! links the commits into chains, usually a single one. Only an unconditional create with `retain(1)` doesn't return its
//! parent, so it may begin another chain.

use super::{
    log::{Call, Condition, Create, Outcome},
    operations::{Check, Operation, Operations},
};
use std::collections::HashMap;

/// A generation that certainly was committed.
#[derive(Debug)]
pub(crate) struct Commit<'a> {
    pub(crate) create: &'a Create,
    /// The seqs that are retained while it is current, newest first. `None` if no outcome shows them.
    pub(crate) retained: Option<Vec<u64>>,
    /// It was committed between these two lines of the log.
    pub(crate) after: usize,
    pub(crate) before: usize,
    /// It was still current at this line.
    pub(crate) seen: usize,
    /// It was no longer current at this line.
    pub(crate) until: usize,
}

#[derive(Debug, Default)]
pub(crate) struct CommitOrder<'a> {
    pub(crate) commits: HashMap<u64, Commit<'a>>,
    /// For each commit with a known parent, that parent. `None` if the store was empty.
    parents: HashMap<u64, Option<u64>>,
    children: HashMap<Option<u64>, u64>,
}

impl<'a> CommitOrder<'a> {
    pub(crate) fn of(operations: &'a Operations) -> Check<Self> {
        let mut order = Self::default();
        for operation in &operations.all {
            order.add_operation(operations, operation)?;
        }
        let chains = order.chains()?;
        for chain in &chains {
            chain.iter().try_for_each(|seq| order.check_commit(*seq))?;
            check_cancelled(operations, chain)?;
        }
        super::intervals::assign(&mut order.commits, &chains)?;
        Ok(order)
    }

    /// Adds the commits that an outcome proves.
    fn add_operation(&mut self, operations: &'a Operations, operation: &Operation) -> Check<()> {
        match (&operation.call, &operation.outcome) {
            (Call::Create(create), Some(Outcome::Committed(retained))) => {
                self.add_retained(operations, retained, operation)?;
                match retained.as_slice() {
                    [seq] if *seq == create.seq && create.retain > 1 => self.link(*seq, None),
                    [seq, ..] if *seq == create.seq => Ok(()),
                    _ => Err(format!("the create of {} returned that {retained:?} are retained", create.seq)),
                }
            }
            (Call::Create(_), Some(Outcome::Rejected(Some(current))))
            | (Call::ReadCurrent, Some(Outcome::Found(Some(current)))) => {
                self.add_current(operations, *current, operation).map(drop)
            }
            (Call::History, Some(Outcome::Retained(retained))) if !retained.is_empty() => {
                self.add_retained(operations, retained, operation)
            }
            // The generation was committed, whether or not it was current. If its creator was killed, perhaps no other
            // operation shows the commit.
            (Call::RestoreAt(_) | Call::RestoreGeneration(_), Some(Outcome::Found(Some(seq)))) => {
                self.add_commit(operations, *seq, operation.end).map(drop)
            }
            _ => Ok(()),
        }
    }

    fn add_retained(&mut self, operations: &'a Operations, retained: &[u64], operation: &Operation) -> Check<()> {
        let current = self.add_current(operations, retained.first().copied().unwrap_or_default(), operation)?;
        if let Some(known) = current.retained.replace(retained.into())
            && known != retained
        {
            return Err(format!("with the same current generation, {known:?} were retained, and {retained:?}"));
        }
        for pair in retained.windows(2) {
            self.add_commit(operations, pair[1], operation.end)?;
            self.link(pair[0], Some(pair[1]))?;
        }
        Ok(())
    }

    /// Adds a commit that was current at some moment of the operation.
    fn add_current(&mut self, operations: &'a Operations, seq: u64, operation: &Operation) -> Check<&mut Commit<'a>> {
        let commit = self.add_commit(operations, seq, operation.end)?;
        commit.seen = commit.seen.max(operation.begin);
        Ok(commit)
    }

    /// Adds a commit that happened before a line of the log.
    fn add_commit(&mut self, operations: &'a Operations, seq: u64, before: usize) -> Check<&mut Commit<'a>> {
        if !self.commits.contains_key(&seq) {
            self.insert(operations, seq)?;
        }
        let commit = self.commits.get_mut(&seq).expect("an inserted commit");
        commit.before = commit.before.min(before);
        Ok(commit)
    }

    /// Inserts a commit with what its create operation determines.
    fn insert(&mut self, operations: &'a Operations, seq: u64) -> Check<()> {
        let creator = operations.creator(seq).ok_or_else(|| format!("{seq} is current, and no client created it"))?;
        let Call::Create(create) = &creator.call else { unreachable!("only creates have a seq") };
        if let Some(outcome @ (Outcome::Rejected(_) | Outcome::Failed)) = &creator.outcome {
            return Err(format!("{seq} was committed, and its create returned {outcome:?}"));
        }
        let (after, before) = (creator.begin, operations.commit_deadline(creator));
        let commit = Commit { create, retained: None, after, before, seen: after, until: usize::MAX };
        self.commits.insert(seq, commit);
        if let Condition::IfCurrent(expected) = create.condition {
            self.link(seq, expected)?;
            expected.map(|expected| self.add_commit(operations, expected, before).map(drop)).transpose()?;
        }
        Ok(())
    }

    /// Records the parent of a commit. Each commit has one parent, and each parent one child.
    fn link(&mut self, seq: u64, parent: Option<u64>) -> Check<()> {
        let other_parent = self.parents.insert(seq, parent).filter(|known| *known != parent);
        let other_child = self.children.insert(parent, seq).filter(|known| *known != seq);
        match (other_parent, other_child) {
            (Some(other), _) => Err(format!("{seq} was committed over {other:?}, and over {parent:?}")),
            (_, Some(other)) => Err(format!("both {other} and {seq} were committed over {parent:?}")),
            (None, None) => Ok(()),
        }
    }

    /// Returns the chains of linked commits, each in the order of its commits.
    fn chains(&self) -> Check<Vec<Vec<u64>>> {
        let is_first = |seq: &u64| !matches!(self.parents.get(seq), Some(Some(_)));
        let next = |seq: &u64| self.children.get(&Some(*seq)).copied();
        let firsts = self.commits.keys().copied().filter(is_first);
        let chains: Vec<Vec<u64>> = firsts.map(|first| std::iter::successors(Some(first), next).collect()).collect();
        match chains.iter().map(Vec::len).sum::<usize>() == self.commits.len() {
            true => Ok(chains),
            false => Err("a generation was committed over itself".into()),
        }
    }

    /// Checks that `min(retain, retained before + 1)` generations are retained, and that the precondition held. Call it in
    /// the order of the commits: it fills in the retained generations that no outcome shows.
    fn check_commit(&mut self, seq: u64) -> Check<()> {
        let parent = self.parents.get(&seq).copied();
        let before = match parent {
            None => None,
            Some(None) => Some(Vec::new()),
            Some(Some(parent)) => self.commits[&parent].retained.clone(),
        };
        let commit = self.commits.get_mut(&seq).expect("a chain holds only commits");
        let Create { retain, condition, .. } = commit.create;
        let expected = match before {
            Some(before) => Some([seq].into_iter().chain(before.iter().copied()).take(*retain).collect()),
            None if *retain == 1 => Some(vec![seq]),
            None => None,
        };
        let retained = commit.retained.clone().or(expected.clone());
        if expected.is_some() && expected != retained {
            return Err(format!("with retain {retain}, {retained:?} are retained instead of {expected:?}"));
        }
        commit.retained = retained;
        match parent.flatten() {
            Some(parent) if *condition == Condition::IfNewer && parent >= seq => {
                Err(format!("{seq} was committed over {parent}, which is newer"))
            }
            _ => Ok(()),
        }
    }
}

/// Checks that no cancelled create was committed over an acknowledged create that began after the cancellation.
fn check_cancelled(operations: &Operations, chain: &[u64]) -> Check<()> {
    let mut latest = None;
    for (seq, creator) in chain.iter().filter_map(|seq| Some((seq, operations.creator(*seq)?))) {
        match (&creator.outcome, latest) {
            (Some(Outcome::Committed(_)), _) => latest = latest.max(Some((creator.begin, seq))),
            (Some(Outcome::Cancelled), Some((begin, other))) if begin > creator.end => {
                return Err(format!("{seq} was cancelled before {other} began, and committed after it"));
            }
            _ => {}
        }
    }
    Ok(())
}
