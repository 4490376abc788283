//! What was published, one over the other, as far as anybody was told.
//!
//! Whoever publishes is told what is retained, and so over what. That makes chains, as a rule one. Only what is published
//! unconditionally and with `keep(1)` says nothing of its parent: there a chain may begin.

use super::{
    log::{Action, Answer, Create, When},
    story::{Found, Operation, Story},
};
use std::collections::HashMap;

/// A generation that certainly was published.
#[derive(Debug)]
pub(crate) struct Committed<'a> {
    pub(crate) create: &'a Create,
    /// All that is retained while it is current, newest first, where that is known.
    pub(crate) retained: Option<Vec<u64>>,
    /// It was published after this line of the log, and before that.
    pub(crate) after: usize,
    pub(crate) before: usize,
    /// It was current after this line, and not any more after that.
    pub(crate) seen: usize,
    pub(crate) until: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Line<'a> {
    pub(crate) published: HashMap<u64, Committed<'a>>,
    /// What each was published over, if that was told: the first of all over nothing.
    parents: HashMap<u64, Option<u64>>,
    children: HashMap<Option<u64>, u64>,
}

impl<'a> Line<'a> {
    pub(crate) fn of(story: &'a Story) -> Found<Self> {
        let mut line = Self::default();
        for operation in &story.operations {
            line.hear(story, operation)?;
        }
        let chains = line.chains()?;
        for chain in &chains {
            chain.iter().try_for_each(|seq| line.check_rules(*seq))?;
            check_dropped(story, chain)?;
        }
        super::times::set(&mut line.published, &chains)?;
        Ok(line)
    }

    /// What an operation was told of what is current.
    fn hear(&mut self, story: &'a Story, operation: &Operation) -> Found<()> {
        match (&operation.action, &operation.answer) {
            (Action::Create(create), Some(Answer::Committed(retained))) => {
                self.hear_retained(story, retained, operation)?;
                match retained.as_slice() {
                    [seq] if *seq == create.seq && create.keep > 1 => self.was_over(*seq, None),
                    [seq, ..] if *seq == create.seq => Ok(()),
                    _ => Err(format!("{} was told that {retained:?} are retained", create.seq)),
                }
            }
            (Action::Create(_), Some(Answer::Refused(Some(current))))
            | (Action::Look, Some(Answer::Saw(Some(current)))) => {
                self.hear_current(story, *current, operation).map(drop)
            }
            (Action::History, Some(Answer::Retained(retained))) if !retained.is_empty() => {
                self.hear_retained(story, retained, operation)
            }
            // Current or not: it was published. Its creator may have been killed, and nobody else may have seen it.
            (Action::RestoreAt(_) | Action::RestoreGeneration(_), Some(Answer::Saw(Some(seq)))) => {
                self.hear_published(story, *seq, operation.end).map(drop)
            }
            _ => Ok(()),
        }
    }

    fn hear_retained(&mut self, story: &'a Story, retained: &[u64], operation: &Operation) -> Found<()> {
        let current = self.hear_current(story, retained.first().copied().unwrap_or_default(), operation)?;
        if let Some(known) = current.retained.replace(retained.into())
            && known != retained
        {
            return Err(format!("while the same was current, {known:?} were retained, and {retained:?}"));
        }
        for pair in retained.windows(2) {
            self.hear_published(story, pair[1], operation.end)?;
            self.was_over(pair[0], Some(pair[1]))?;
        }
        Ok(())
    }

    /// It was current at some moment of this operation.
    fn hear_current(&mut self, story: &'a Story, seq: u64, operation: &Operation) -> Found<&mut Committed<'a>> {
        let published = self.hear_published(story, seq, operation.end)?;
        published.seen = published.seen.max(operation.begin);
        Ok(published)
    }

    /// It was published before this line of the log.
    fn hear_published(&mut self, story: &'a Story, seq: u64, before: usize) -> Found<&mut Committed<'a>> {
        if !self.published.contains_key(&seq) {
            self.introduce(story, seq)?;
        }
        let published = self.published.get_mut(&seq).expect("it was put there");
        published.before = published.before.min(before);
        Ok(published)
    }

    /// What is known of it from its creator.
    fn introduce(&mut self, story: &'a Story, seq: u64) -> Found<()> {
        let creator = story.creator(seq).ok_or_else(|| format!("{seq} is current, and nobody created it"))?;
        let Action::Create(create) = &creator.action else { unreachable!("only those have a seq") };
        if let Some(answer @ (Answer::Refused(_) | Answer::Failed)) = &creator.answer {
            return Err(format!("{seq} was published, and its creator was told {answer:?}"));
        }
        let (after, before) = (creator.begin, story.settled(creator));
        let published = Committed { create, retained: None, after, before, seen: after, until: usize::MAX };
        self.published.insert(seq, published);
        if let When::Over(expected) = create.when {
            self.was_over(seq, expected)?;
            expected.map(|expected| self.hear_published(story, expected, before).map(drop)).transpose()?;
        }
        Ok(())
    }

    /// Each was published over one, and of those published over the same there is one.
    fn was_over(&mut self, seq: u64, parent: Option<u64>) -> Found<()> {
        let other_parent = self.parents.insert(seq, parent).filter(|known| *known != parent);
        let other_child = self.children.insert(parent, seq).filter(|known| *known != seq);
        match (other_parent, other_child) {
            (Some(other), _) => Err(format!("{seq} was published over {other:?}, and over {parent:?}")),
            (_, Some(other)) => Err(format!("both {other} and {seq} were published over {parent:?}")),
            (None, None) => Ok(()),
        }
    }

    /// In the order of publishing.
    fn chains(&self) -> Found<Vec<Vec<u64>>> {
        let begins_one = |seq: &u64| !matches!(self.parents.get(seq), Some(Some(_)));
        let next = |seq: &u64| self.children.get(&Some(*seq)).copied();
        let firsts = self.published.keys().copied().filter(begins_one);
        let chains: Vec<Vec<u64>> = firsts.map(|first| std::iter::successors(Some(first), next).collect()).collect();
        match chains.iter().map(Vec::len).sum::<usize>() == self.published.len() {
            true => Ok(chains),
            false => Err("something was published over itself".into()),
        }
    }

    /// That `min(keep, retained before + 1)` are retained, and that the condition held. To be called in the order of
    /// publishing: where nobody was told what is retained, this says so.
    fn check_rules(&mut self, seq: u64) -> Found<()> {
        let parent = self.parents.get(&seq).copied();
        let before = match parent {
            None => None,
            Some(None) => Some(Vec::new()),
            Some(Some(parent)) => self.published[&parent].retained.clone(),
        };
        let published = self.published.get_mut(&seq).expect("all of a chain are");
        let Create { keep, when, .. } = published.create;
        let by_rule = match before {
            Some(before) => Some([seq].into_iter().chain(before.iter().copied()).take(*keep).collect()),
            None if *keep == 1 => Some(vec![seq]),
            None => None,
        };
        let retained = published.retained.clone().or(by_rule.clone());
        if by_rule.is_some() && by_rule != retained {
            return Err(format!("with keep {keep}, {retained:?} are retained where {by_rule:?} should be"));
        }
        published.retained = retained;
        match parent.flatten() {
            Some(parent) if *when == When::Newer && parent >= seq => {
                Err(format!("{seq} was published over {parent}, which is newer"))
            }
            _ => Ok(()),
        }
    }
}

/// That nothing which was dropped was published over what was begun later and acknowledged.
fn check_dropped(story: &Story, chain: &[u64]) -> Found<()> {
    let mut latest = None;
    for (seq, creator) in chain.iter().filter_map(|seq| Some((seq, story.creator(*seq)?))) {
        match (&creator.answer, latest) {
            (Some(Answer::Committed(_)), _) => latest = latest.max(Some((creator.begin, seq))),
            (Some(Answer::Dropped), Some((begin, other))) if begin > creator.end => {
                return Err(format!("{seq} was dropped before {other} began, and published after it"));
            }
            _ => {}
        }
    }
    Ok(())
}
