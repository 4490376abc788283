//! What is to be copied, by one look at both stores.

use super::{
    Copy, LeftOut, Read,
    onto::newer,
    resume::{Content, history_missing, newest_missing},
};
use crate::{
    exit::{Exit, Failure, Outcome},
    open_store::Place,
};
use minisnap::Generation;

/// Both histories, oldest first, and what each snapshot says.
pub(super) struct Look {
    pub(super) source: Vec<Generation>,
    pub(super) contents: Vec<Content>,
    pub(super) target: Vec<Generation>,
    pub(super) there: Vec<Content>,
}

impl Look {
    pub(super) async fn at(from: &Place, to: &Place) -> Outcome<Self> {
        let mut source = from.history().await?;
        let mut target = to.history_if_any().await?;
        source.reverse();
        target.reverse();
        let contents = |place: &Place, history: &[Generation]| {
            history.iter().map(|generation| content(place, generation)).collect::<Outcome<Vec<_>>>()
        };
        Ok(Self { contents: contents(from, &source)?, there: contents(to, &target)?, source, target })
    }
}

/// Positions in the source, oldest first.
pub(super) struct Plan {
    /// What is to be copied.
    pub(super) missing: Vec<usize>,
    /// What the target is to end with: what it has already, and what is copied.
    pub(super) expected: Vec<usize>,
    /// What is newer than what the target has, and is left out, since the seq would have to go down after it.
    pub(super) passed_over: Vec<usize>,
}

impl Plan {
    fn new(missing: Vec<usize>, expected: Vec<usize>) -> Self {
        Self { missing, expected, passed_over: Vec::new() }
    }
}

impl Copy {
    /// `None` if what had to be read for it expired in the source.
    pub(super) async fn plan(&mut self, look: &Look) -> Outcome<Option<Plan>> {
        let newest = look.source.len() - 1;
        let mut plan = match (self.args.onto, self.args.history) {
            (true, _) => newer(&look.contents, look.there.last().copied()).map(|missing| onto(look, missing)),
            (false, true) => match self.plan_history(look).await? {
                History::Related(plan) => Some(plan),
                History::Unrelated => None,
                History::Expired => return Ok(None),
            },
            (false, false) => newest_missing(&look.contents, &look.there)
                .map(|first| Plan::new((first..=newest).collect(), vec![newest])),
        };
        // Of what this run itself committed, everything may have expired in the source since.
        let is_ours = look.target.last().is_some_and(|last| self.committed.contains(last));
        if plan.is_none() && is_ours && !self.args.onto {
            let all: Vec<_> = (0..=newest).collect();
            plan = Some(Plan::new(all.clone(), all));
        }
        let mut plan = plan.ok_or_else(|| self.refused(look))?;
        if !self.args.history {
            plan.missing.retain(|index| *index == newest);
            plan.expected = vec![newest];
            plan.passed_over.clear();
        }
        Ok(Some(plan))
    }

    async fn plan_history(&mut self, look: &Look) -> Outcome<History> {
        let all: Vec<_> = (0..look.source.len()).collect();
        if let Some(plan) = related(look, &all) {
            return Ok(History::Related(plan));
        }
        if look.there.last().is_none_or(|last| !look.contents.contains(last)) {
            return Ok(History::Unrelated);
        }
        // An earlier run may have left out what is corrupt, so that the target's history is the source's without it.
        let mut corrupt = Vec::new();
        for index in all.iter().copied().filter(|index| !look.there.contains(&look.contents[*index])) {
            match self.read(&look.source[index]).await? {
                Read::Whole(_) => {}
                Read::Corrupt(left_out) => corrupt.push((index, left_out)),
                Read::Expired => return Ok(History::Expired),
            }
        }
        let is_intact = |index: &usize| corrupt.iter().all(|(corrupt, _): &(usize, LeftOut)| corrupt != index);
        let intact: Vec<_> = all.into_iter().filter(is_intact).collect();
        let Some(plan) = related(look, &intact) else { return Ok(History::Unrelated) };
        for (_, left_out) in corrupt {
            self.leave_out(left_out)?;
        }
        Ok(History::Related(plan))
    }
}

/// What the target has to do with the source's history.
enum History {
    Related(Plan),
    Unrelated,
    /// What had to be read to find out expired in the source.
    Expired,
}

/// The plan if the target is a part of the history of the source's snapshots at `positions`.
fn related(look: &Look, positions: &[usize]) -> Option<Plan> {
    let source: Vec<_> = positions.iter().map(|index| look.contents[*index]).collect();
    let first = history_missing(&source, &look.there)?;
    Some(Plan::new(positions[first..].to_vec(), positions.to_vec()))
}

/// The plan of `--onto`. What the target ends with already of the source's, from earlier runs, is read back, too.
fn onto(look: &Look, missing: Vec<usize>) -> Plan {
    let mut before = missing.first().copied().unwrap_or(look.contents.len());
    let mut expected = missing.clone();
    for content in look.there.iter().rev() {
        let Some(index) = look.contents[..before].iter().rposition(|source| source == content) else { break };
        expected.insert(0, index);
        before = index;
    }
    let is_newer = |index: &usize| look.there.last().is_none_or(|current| look.contents[*index].seq > current.seq);
    let newer = (0..look.contents.len()).filter(is_newer);
    let passed_over = newer.filter(|index| !missing.is_empty() && !missing.contains(index)).collect();
    Plan { missing, expected, passed_over }
}

pub(super) fn content(place: &Place, generation: &Generation) -> Outcome<Content> {
    match generation.digest() {
        Some(digest) => Ok(Content { seq: generation.seq(), digest }),
        None => Err(Failure::new(Exit::Unsupported, format!("{}: no digest is known of {generation}", place.name()))),
    }
}
