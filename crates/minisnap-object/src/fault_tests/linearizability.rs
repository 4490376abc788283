//! The linearizability checker. It searches for an order of all operations, each between its call and its return, that
//! explains their results.
//!
//! The search is that of Wing and Gong, with the memoization of Lowe. The project has its own checker, because those
//! on crates.io have many dependencies (`stateright` a web server, `porcupine-rs` a benchmark harness). Besides, half of the
//! operations here may take effect at any later time, or never.

use std::collections::HashSet;

/// The numbers of the retained commits, newest first.
pub(super) type State = Vec<usize>;

#[derive(Debug, Clone)]
pub(super) struct Operation {
    pub(super) called: u64,
    /// `None` if the result doesn't show whether the operation took effect. It may take effect at any later time, or never.
    pub(super) returned: Option<u64>,
    pub(super) action: Action,
}

#[derive(Debug, Clone)]
pub(super) enum Action {
    /// A commit. If `result`, the retained commits, is known, it took effect; otherwise it may have.
    Commit { commit: Commit, result: Option<State> },
    /// A commit that was refused because this is current.
    Refuse { commit: Commit, current: Option<usize> },
    /// An expiry. If `result`, the expired commits, is known, it took effect; otherwise it may have. It takes no effect
    /// after `until`.
    Expire { retain: usize, result: Option<State>, until: Option<u64> },
    /// A read of the current commit.
    Current(Option<usize>),
    /// A read of the retained commits.
    History(State),
}

#[derive(Debug, Clone)]
pub(super) struct Commit {
    pub(super) number: usize,
    pub(super) seq: u64,
    pub(super) retain: usize,
    pub(super) condition: Condition,
}

#[derive(Debug, Clone)]
pub(super) enum Condition {
    Always,
    Newer,
    Current(Option<usize>),
}

/// Searches for an order that explains at most 128 `operations`. `seqs` are the sequence numbers of the commits, by number.
/// `Err` has the longest partial explanation.
pub(super) fn check(operations: &[Operation], seqs: &[u64]) -> Result<(), Vec<Operation>> {
    assert!(operations.len() <= 128, "{} operations are too many for one history", operations.len());
    let certain = operations.iter().enumerate().filter(|(_, operation)| operation.returned.is_some());
    let certain = certain.fold(0u128, |set, (index, _)| set | 1 << index);
    let mut search = Search { operations, seqs, certain, seen: HashSet::new(), order: Vec::new(), longest: Vec::new() };
    match search.explain(0, &State::new()) {
        true => Ok(()),
        false => Err(search.longest.iter().map(|index| operations[*index].clone()).collect()),
    }
}

struct Search<'a> {
    operations: &'a [Operation],
    seqs: &'a [u64],
    /// The set of the operations that the order must contain.
    certain: u128,
    seen: HashSet<(u128, State)>,
    order: Vec<usize>,
    longest: Vec<usize>,
}

impl Search<'_> {
    /// Whether the operations outside the set `done` can follow on `state`.
    fn explain(&mut self, done: u128, state: &State) -> bool {
        if done & self.certain == self.certain {
            return true;
        }
        if !self.seen.insert((done, state.clone())) {
            return false;
        }
        if self.order.len() > self.longest.len() {
            self.longest.clone_from(&self.order);
        }
        let is_open = |index: &usize| done & 1 << index == 0;
        let open = (0..self.operations.len()).filter(is_open);
        let first_return = open.clone().filter_map(|index| self.operations[index].returned).min().unwrap_or(u64::MAX);
        for index in open.collect::<Vec<_>>() {
            // An operation can't precede one that returned before its call.
            if self.operations[index].called > first_return {
                continue;
            }
            // An operation with a limit can't follow on one that was called after the limit.
            if let Action::Expire { until: Some(until), .. } = self.operations[index].action
                && self.order.iter().any(|earlier| self.operations[*earlier].called > until)
            {
                continue;
            }
            let Some(next) = self.apply(state, &self.operations[index].action) else { continue };
            self.order.push(index);
            if self.explain(done | 1 << index, &next) {
                return true;
            }
            self.order.pop();
        }
        false
    }

    /// The specification: the state after an action. `None` if the action can't have had its result in `state`.
    fn apply(&self, state: &State, action: &Action) -> Option<State> {
        match action {
            Action::Commit { commit, result } => {
                let next = self.allows(state, commit).then(|| {
                    let older = commit.retain.min(state.len() + 1) - 1;
                    std::iter::once(commit.number).chain(state[..older].iter().copied()).collect::<State>()
                })?;
                result.as_ref().is_none_or(|result| *result == next).then_some(next)
            }
            Action::Refuse { commit, current } => {
                (!self.allows(state, commit) && state.first() == current.as_ref()).then(|| state.clone())
            }
            Action::Expire { retain, result, .. } => {
                let (retained, expired) = state.split_at(state.len().min(*retain));
                // The result may include commits that another operation expired.
                let fits = |result: &State| {
                    expired.iter().all(|number| result.contains(number))
                        && !retained.iter().any(|number| result.contains(number))
                };
                result.as_ref().is_none_or(fits).then(|| retained.to_vec())
            }
            Action::Current(current) => (state.first() == current.as_ref()).then(|| state.clone()),
            Action::History(retained) => (state == retained).then(|| state.clone()),
        }
    }

    fn allows(&self, state: &State, commit: &Commit) -> bool {
        match &commit.condition {
            Condition::Always => true,
            Condition::Newer => state.first().is_none_or(|current| self.seqs[*current] < commit.seq),
            Condition::Current(expected) => state.first() == expected.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(number: usize, retain: usize, condition: Condition) -> Commit {
        Commit { number, seq: number as u64, retain, condition }
    }

    fn committed(number: usize, result: &[usize]) -> Action {
        Action::Commit { commit: commit(number, 2, Condition::Always), result: Some(result.to_vec()) }
    }

    fn between(called: u64, returned: u64, action: Action) -> Operation {
        Operation { called, returned: Some(returned), action }
    }

    /// Whether an order explains commit 1, commit 2 and the `other` operations.
    fn is_explained(other: &[Operation]) -> bool {
        let mut all = vec![between(10, 20, committed(1, &[1])), between(30, 40, committed(2, &[2, 1]))];
        all.extend_from_slice(other);
        check(&all, &[0, 1, 2, 3]).is_ok()
    }

    #[test]
    fn read_returns_a_state_between_its_call_and_its_return() {
        for (called, returned, current, expected) in [
            (1, 2, None, true),
            (1, 2, Some(1), false),
            (21, 22, Some(1), true),
            (21, 22, None, false),
            (21, 31, Some(2), true),
            (35, 36, Some(1), true),
            (41, 42, Some(1), false),
        ] {
            let read = between(called, returned, Action::Current(current));
            assert_eq!(is_explained(&[read]), expected, "{current:?} from {called} to {returned}");
        }
        let (new, old) = (between(32, 33, Action::Current(Some(2))), between(34, 35, Action::Current(Some(1))));
        assert!(!is_explained(&[new, old]), "a later read doesn't return an older state");
    }

    #[test]
    fn open_commit_takes_effect_at_most_once_or_never() {
        let open = Action::Commit { commit: commit(3, 1, Condition::Always), result: None };
        let open = Operation { called: 5, returned: None, action: open };
        let read = |called, retained: &[usize]| between(called, called + 1, Action::History(retained.to_vec()));
        assert!(is_explained(&[open.clone(), read(50, &[2, 1])]));
        assert!(is_explained(&[open.clone(), read(50, &[2, 1]), read(60, &[3])]));
        assert!(!is_explained(&[open.clone(), read(50, &[3]), read(60, &[2, 1])]));
        assert!(!is_explained(&[read(50, &[3])]), "no writer committed it");
        let late = Operation { called: 55, ..open };
        assert!(!is_explained(&[late, read(50, &[3])]), "it wasn't called yet");
    }

    #[test]
    fn refusal_needs_a_state_that_breaks_the_condition() {
        let refuse = |condition, current| Action::Refuse { commit: commit(1, 1, condition), current };
        assert!(is_explained(&[between(41, 42, refuse(Condition::Newer, Some(2)))]));
        assert!(!is_explained(&[between(41, 42, refuse(Condition::Newer, Some(1)))]), "commit 1 isn't current");
        assert!(!is_explained(&[between(1, 2, refuse(Condition::Newer, None))]), "nothing is current");
        assert!(!is_explained(&[between(41, 42, refuse(Condition::Current(Some(2)), Some(2)))]), "the condition holds");
        assert!(is_explained(&[between(41, 42, refuse(Condition::Current(Some(1)), Some(2)))]));
    }

    #[test]
    fn expired_commits_are_no_longer_retained() {
        let expire = |called, result: &[usize]| {
            between(called, called + 1, Action::Expire { retain: 1, result: Some(result.to_vec()), until: None })
        };
        let read = |retained: &[usize]| between(60, 61, Action::History(retained.to_vec()));
        assert!(is_explained(&[expire(50, &[1]), read(&[2])]));
        assert!(!is_explained(&[expire(50, &[1]), read(&[2, 1])]), "commit 1 has expired");
        assert!(!is_explained(&[expire(50, &[]), read(&[2])]), "commit 1 has expired");
        assert!(!is_explained(&[expire(50, &[2, 1]), read(&[2])]), "the current commit is retained");
        assert!(is_explained(&[expire(25, &[]), read(&[2, 1])]), "there was only one commit");
    }

    #[test]
    fn commit_retains_exactly_its_retention() {
        let too_many = between(50, 60, committed(3, &[3, 2, 1]));
        let two = between(50, 60, committed(3, &[3, 2]));
        assert!(is_explained(&[two]) && !is_explained(&[too_many]));
    }
}
