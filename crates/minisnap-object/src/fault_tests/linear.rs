//! Whether a history is linearizable: whether all that was answered can be explained by an order in which everything
//! happened one after the other, each between its call and its answer.
//!
//! A search after Wing and Gong, that remembers where it has been (Lowe). It is our own because the checkers on crates.io
//! bring much along (`stateright` a web server, `porcupine-rs` a benchmark harness), and operations that may take effect at
//! any time later, or never, are half of what happens here.

use std::collections::HashSet;

/// What is retained, newest first.
pub(super) type State = Vec<usize>;

#[derive(Debug, Clone)]
pub(super) struct Operation {
    pub(super) called: u64,
    /// `None` if there was no answer that says whether it took effect: it may have, at any time, or never.
    pub(super) answered: Option<u64>,
    pub(super) action: Action,
}

#[derive(Debug, Clone)]
pub(super) enum Action {
    /// Committed, or perhaps; `told` is what its caller was told is retained now.
    Publish { publish: Publish, told: Option<State> },
    /// Refused, because this is current.
    Refuse { publish: Publish, current: Option<usize> },
    /// No more than `retain` are retained, or perhaps; `told` is what its caller was told has expired.
    Expire { retain: usize, told: Option<State>, until: Option<u64> },
    /// A reader was told that this is current.
    Current(Option<usize>),
    /// A reader was told that this is retained.
    History(State),
}

#[derive(Debug, Clone)]
pub(super) struct Publish {
    pub(super) number: usize,
    pub(super) seq: u64,
    pub(super) keep: usize,
    pub(super) when: When,
}

#[derive(Debug, Clone)]
pub(super) enum When {
    Always,
    Newer,
    Current(Option<usize>),
}

/// Searches an order that explains `operations`, at most 128; `seqs` are those of all that may be published, by number.
/// `Err` has the longest explanation of a part.
pub(super) fn check(operations: &[Operation], seqs: &[u64]) -> Result<(), Vec<Operation>> {
    assert!(operations.len() <= 128, "{} operations are too many for one history", operations.len());
    let all = operations.iter().enumerate().filter(|(_, operation)| operation.answered.is_some());
    let definite = all.fold(0u128, |set, (place, _)| set | 1 << place);
    let mut search =
        Search { operations, seqs, definite, seen: HashSet::new(), order: Vec::new(), longest: Vec::new() };
    match search.explain(0, &State::new()) {
        true => Ok(()),
        false => Err(search.longest.iter().map(|place| operations[*place].clone()).collect()),
    }
}

struct Search<'a> {
    operations: &'a [Operation],
    seqs: &'a [u64],
    definite: u128,
    seen: HashSet<(u128, State)>,
    order: Vec<usize>,
    longest: Vec<usize>,
}

impl Search<'_> {
    /// Whether what is not in the set `done` can follow on `state`.
    fn explain(&mut self, done: u128, state: &State) -> bool {
        if done & self.definite == self.definite {
            return true;
        }
        if !self.seen.insert((done, state.clone())) {
            return false;
        }
        if self.order.len() > self.longest.len() {
            self.longest.clone_from(&self.order);
        }
        let left = |place: &usize| done & 1 << place == 0;
        let places = (0..self.operations.len()).filter(left);
        let first_answer = places.clone().filter_map(|place| self.operations[place].answered).min().unwrap_or(u64::MAX);
        for place in places.collect::<Vec<_>>() {
            // What was called after another was answered can't come before it.
            if self.operations[place].called > first_answer {
                continue;
            }
            // It may take effect, but not after that.
            if let Action::Expire { until: Some(until), .. } = self.operations[place].action
                && self.order.iter().any(|earlier| self.operations[*earlier].called > until)
            {
                continue;
            }
            let Some(next) = self.step(state, &self.operations[place].action) else { continue };
            self.order.push(place);
            if self.explain(done | 1 << place, &next) {
                return true;
            }
            self.order.pop();
        }
        false
    }

    /// The specification: what comes of an action on a state; `None` if it can't have been answered like that.
    fn step(&self, state: &State, action: &Action) -> Option<State> {
        match action {
            Action::Publish { publish, told } => {
                let next = self.allows(state, publish).then(|| {
                    let older = publish.keep.min(state.len() + 1) - 1;
                    std::iter::once(publish.number).chain(state[..older].iter().copied()).collect::<State>()
                })?;
                told.as_ref().is_none_or(|told| *told == next).then_some(next)
            }
            Action::Refuse { publish, current } => {
                (!self.allows(state, publish) && state.first() == current.as_ref()).then(|| state.clone())
            }
            Action::Expire { retain, told, .. } => {
                let (left, expired) = state.split_at(state.len().min(*retain));
                // Others may have expired some of those it was told of.
                let fits = |told: &State| {
                    expired.iter().all(|one| told.contains(one)) && !left.iter().any(|one| told.contains(one))
                };
                told.as_ref().is_none_or(fits).then(|| left.to_vec())
            }
            Action::Current(current) => (state.first() == current.as_ref()).then(|| state.clone()),
            Action::History(retained) => (state == retained).then(|| state.clone()),
        }
    }

    fn allows(&self, state: &State, publish: &Publish) -> bool {
        match &publish.when {
            When::Always => true,
            When::Newer => state.first().is_none_or(|current| self.seqs[*current] < publish.seq),
            When::Current(expected) => state.first() == expected.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(number: usize, keep: usize, when: When) -> Publish {
        Publish { number, seq: number as u64, keep, when }
    }

    fn told(number: usize, told: &[usize]) -> Action {
        Action::Publish { publish: commit(number, 2, When::Always), told: Some(told.to_vec()) }
    }

    fn between(called: u64, answered: u64, action: Action) -> Operation {
        Operation { called, answered: Some(answered), action }
    }

    /// Publishes 1 and then 2, each told what fits, and what `more` did.
    fn fits(more: &[Operation]) -> bool {
        let mut all = vec![between(10, 20, told(1, &[1])), between(30, 40, told(2, &[2, 1]))];
        all.extend_from_slice(more);
        check(&all, &[0, 1, 2, 3]).is_ok()
    }

    #[test]
    fn a_read_sees_what_was_current_between_its_call_and_its_answer() {
        for (called, answered, current, expected) in [
            (1, 2, None, true),
            (1, 2, Some(1), false),
            (21, 22, Some(1), true),
            (21, 22, None, false),
            (21, 31, Some(2), true),
            (35, 36, Some(1), true),
            (41, 42, Some(1), false),
        ] {
            let read = between(called, answered, Action::Current(current));
            assert_eq!(fits(&[read]), expected, "{current:?} from {called} to {answered}");
        }
        let (new, old) = (between(32, 33, Action::Current(Some(2))), between(34, 35, Action::Current(Some(1))));
        assert!(!fits(&[new, old]), "it doesn't go back");
    }

    #[test]
    fn what_had_no_answer_may_take_effect_once_later_or_never() {
        let open = Action::Publish { publish: commit(3, 1, When::Always), told: None };
        let open = Operation { called: 5, answered: None, action: open };
        let sees = |called, retained: &[usize]| between(called, called + 1, Action::History(retained.to_vec()));
        assert!(fits(&[open.clone(), sees(50, &[2, 1])]));
        assert!(fits(&[open.clone(), sees(50, &[2, 1]), sees(60, &[3])]));
        assert!(!fits(&[open.clone(), sees(50, &[3]), sees(60, &[2, 1])]));
        assert!(!fits(&[sees(50, &[3])]), "nobody published it");
        let late = Operation { called: 55, ..open };
        assert!(!fits(&[late, sees(50, &[3])]), "it wasn't called yet");
    }

    #[test]
    fn a_refusal_needs_a_reason() {
        let refuse = |when, current| Action::Refuse { publish: commit(1, 1, when), current };
        assert!(fits(&[between(41, 42, refuse(When::Newer, Some(2)))]));
        assert!(!fits(&[between(41, 42, refuse(When::Newer, Some(1)))]), "that isn't current");
        assert!(!fits(&[between(1, 2, refuse(When::Newer, None))]), "there is none");
        assert!(!fits(&[between(41, 42, refuse(When::Current(Some(2)), Some(2)))]), "that is current");
        assert!(fits(&[between(41, 42, refuse(When::Current(Some(1)), Some(2)))]));
    }

    #[test]
    fn what_expired_is_not_retained_any_more() {
        let expire = |called, told: &[usize]| {
            between(called, called + 1, Action::Expire { retain: 1, told: Some(told.to_vec()), until: None })
        };
        let sees = |retained: &[usize]| between(60, 61, Action::History(retained.to_vec()));
        assert!(fits(&[expire(50, &[1]), sees(&[2])]));
        assert!(!fits(&[expire(50, &[1]), sees(&[2, 1])]), "it has expired");
        assert!(!fits(&[expire(50, &[]), sees(&[2])]), "one expired");
        assert!(!fits(&[expire(50, &[2, 1]), sees(&[2])]), "the current one stays");
        assert!(fits(&[expire(25, &[]), sees(&[2, 1])]), "there was only one");
    }

    #[test]
    fn what_is_retained_is_counted() {
        let wrong = between(50, 60, told(3, &[3, 2, 1]));
        let right = between(50, 60, told(3, &[3, 2]));
        assert!(fits(&[right]) && !fits(&[wrong]));
    }
}
