//! Decides what to copy, by the histories of both stores.

use super::{
    Copy, Omitted, Read,
    resume::{Content, history_missing, newest_missing},
    select_newer::select_newer,
};
use crate::{
    exit::{Exit, Failure, Outcome},
    open_store::OpenStore,
};
use minisnap::Generation;

/// Both histories, oldest first, and the content of each snapshot.
pub(super) struct Histories {
    pub(super) source: Vec<Generation>,
    pub(super) source_contents: Vec<Content>,
    pub(super) target: Vec<Generation>,
    pub(super) target_contents: Vec<Content>,
}

impl Histories {
    pub(super) async fn read(from: &OpenStore, to: &OpenStore) -> Outcome<Self> {
        let mut source = from.history().await?;
        let mut target = to.history_if_any().await?;
        source.reverse();
        target.reverse();
        let contents = |store: &OpenStore, history: &[Generation]| {
            history.iter().map(|generation| content(store, generation)).collect::<Outcome<Vec<_>>>()
        };
        Ok(Self { source_contents: contents(from, &source)?, target_contents: contents(to, &target)?, source, target })
    }
}

/// Positions in the source's history, oldest first.
pub(super) struct Plan {
    /// The snapshots to copy.
    pub(super) missing: Vec<usize>,
    /// The expected end of the target's history: the snapshots that it has, and those that are copied.
    pub(super) expected: Vec<usize>,
    /// Snapshots that are newer than the target's, but are skipped: a later one has a lower seq.
    pub(super) skipped: Vec<usize>,
}

impl Plan {
    fn new(missing: Vec<usize>, expected: Vec<usize>) -> Self {
        Self { missing, expected, skipped: Vec::new() }
    }
}

impl Copy {
    /// `None` if a snapshot that had to be read expired in the source.
    pub(super) async fn plan(&mut self, histories: &Histories) -> Outcome<Option<Plan>> {
        let newest = histories.source.len() - 1;
        let mut plan = match (self.args.onto, self.args.history) {
            (true, _) => select_newer(&histories.source_contents, histories.target_contents.last().copied())
                .map(|missing| plan_onto(histories, missing)),
            (false, true) => match self.plan_history(histories).await? {
                History::Related(plan) => Some(plan),
                History::Unrelated => None,
                History::Expired => return Ok(None),
            },
            (false, false) => newest_missing(&histories.source_contents, &histories.target_contents)
                .map(|first| Plan::new((first..=newest).collect(), vec![newest])),
        };
        // The source may have expired everything that this run committed before.
        let is_ours = histories.target.last().is_some_and(|last| self.committed.contains(last));
        if plan.is_none() && is_ours && !self.args.onto {
            let all: Vec<_> = (0..=newest).collect();
            plan = Some(Plan::new(all.clone(), all));
        }
        let mut plan = plan.ok_or_else(|| self.refusal(histories))?;
        if !self.args.history {
            plan.missing.retain(|index| *index == newest);
            plan.expected = vec![newest];
            plan.skipped.clear();
        }
        Ok(Some(plan))
    }

    async fn plan_history(&mut self, histories: &Histories) -> Outcome<History> {
        let all: Vec<_> = (0..histories.source.len()).collect();
        if let Some(plan) = related(histories, &all) {
            return Ok(History::Related(plan));
        }
        if histories.target_contents.last().is_none_or(|last| !histories.source_contents.contains(last)) {
            return Ok(History::Unrelated);
        }
        // An earlier run may have omitted corrupt snapshots. Then the target has the source's history without them.
        let mut corrupt = Vec::new();
        for index in
            all.iter().copied().filter(|index| !histories.target_contents.contains(&histories.source_contents[*index]))
        {
            match self.read(&histories.source[index]).await? {
                Read::Intact(_) => {}
                Read::Corrupt(omitted) => corrupt.push((index, omitted)),
                Read::Expired => return Ok(History::Expired),
            }
        }
        let is_intact = |index: &usize| corrupt.iter().all(|(corrupt, _): &(usize, Omitted)| corrupt != index);
        let intact: Vec<_> = all.into_iter().filter(is_intact).collect();
        let Some(plan) = related(histories, &intact) else { return Ok(History::Unrelated) };
        for (_, omitted) in corrupt {
            self.omit(omitted)?;
        }
        Ok(History::Related(plan))
    }
}

/// Whether the target's history is a part of the source's.
enum History {
    Related(Plan),
    Unrelated,
    /// Unknown: a snapshot that had to be read expired in the source.
    Expired,
}

/// The plan if the target's history is a part of the source's snapshots at `positions`.
fn related(histories: &Histories, positions: &[usize]) -> Option<Plan> {
    let source: Vec<_> = positions.iter().map(|index| histories.source_contents[*index]).collect();
    let first = history_missing(&source, &histories.target_contents)?;
    Some(Plan::new(positions[first..].to_vec(), positions.to_vec()))
}

/// The plan of `--onto`. Snapshots that earlier runs copied are read back, too.
fn plan_onto(histories: &Histories, missing: Vec<usize>) -> Plan {
    let mut before = missing.first().copied().unwrap_or(histories.source_contents.len());
    let mut expected = missing.clone();
    for content in histories.target_contents.iter().rev() {
        let Some(index) = histories.source_contents[..before].iter().rposition(|source| source == content) else {
            break;
        };
        expected.insert(0, index);
        before = index;
    }
    let is_newer = |index: &usize| {
        histories.target_contents.last().is_none_or(|current| histories.source_contents[*index].seq > current.seq)
    };
    let newer = (0..histories.source_contents.len()).filter(is_newer);
    let skipped = newer.filter(|index| !missing.is_empty() && !missing.contains(index)).collect();
    Plan { missing, expected, skipped }
}

pub(super) fn content(store: &OpenStore, generation: &Generation) -> Outcome<Content> {
    match generation.digest() {
        Some(digest) => Ok(Content { seq: generation.seq(), digest }),
        None => {
            Err(Failure::new(Exit::Unsupported, format!("{}: the digest of {generation} is unknown", store.name())))
        }
    }
}
