//! The results of a history: all operations that its clients recorded, and the commits of its store.

use super::{
    linearizability::{self, Action, Commit, Operation},
    operations::{Attempt, Condition, Expiry, Observation, Outcome},
    simulation::short_name,
    violation::{Kind, Violation},
};
use std::collections::HashMap;

/// All results of a history.
#[derive(Debug)]
pub(super) struct Results {
    pub(super) attempts: Vec<Attempt>,
    pub(super) observations: Vec<Observation>,
    pub(super) expiries: Vec<Expiry>,
    /// All commits of the store in order: the name, and the number of the attempt.
    pub(super) committed: Vec<(String, usize)>,
}

impl Results {
    /// Checks that all results are consistent: with the commits of the store, and with each other. Returns the violations, and
    /// the longest partial explanation of results that no order explains.
    pub(super) fn check(&self) -> (Vec<Violation>, Vec<Operation>) {
        let mut violations = Vec::new();
        for (name, number) in &self.committed {
            let outcome = &self.attempts[*number].outcome;
            if matches!(outcome, Outcome::Refused(_) | Outcome::Failed(_)) {
                let found = format!("{} was committed, and its writer got {outcome:?}", short_name(name));
                violations.push(Violation::new(Kind::IncorrectResult, found));
            }
        }
        let mut explained = Vec::new();
        match self.operations() {
            Err(name) => {
                let found = format!("a client got {name}, which was never committed");
                violations.push(Violation::new(Kind::NeverCommitted, found));
            }
            Ok(operations) => {
                let seqs: Vec<_> = self.attempts.iter().map(|attempt| attempt.seq).collect();
                if let Err(longest) = linearizability::check(&operations, &seqs) {
                    explained = longest;
                    let found = "no order of the operations explains their results";
                    violations.push(Violation::new(Kind::NotLinearizable, found));
                }
            }
        }
        (violations, explained)
    }

    /// The operations that the checker of linearizability has to explain. `Err` has a name that was never committed.
    fn operations(&self) -> Result<Vec<Operation>, String> {
        let numbers: HashMap<_, _> = self.committed.iter().map(|(name, number)| (name, *number)).collect();
        let number = |name: &String| numbers.get(name).copied();
        (self.attempts.iter().enumerate())
            .filter_map(|(index, attempt)| attempt_operation(index, attempt, &number).transpose())
            .chain(self.observations.iter().map(|observation| observation_operation(observation, &number)))
            .chain(self.expiries.iter().filter(|expiry| !expiry.failed).map(|expiry| expiry_operation(expiry, &number)))
            .chain(self.expiries.iter().filter_map(earlier_expiry_operation).map(Ok))
            .collect()
    }
}

/// Finds the number of the attempt that committed a name.
type FindNumber<'a> = &'a dyn Fn(&String) -> Option<usize>;

/// The operation of an attempt; `None` if it certainly had no effect. `Err` has a name that was never committed.
fn attempt_operation(index: usize, attempt: &Attempt, number: FindNumber<'_>) -> Result<Option<Operation>, String> {
    let find = |name: &String| number(name).ok_or_else(|| name.clone());
    let condition = match &attempt.condition {
        Condition::Always => linearizability::Condition::Always,
        Condition::Newer => linearizability::Condition::Newer,
        Condition::Current(expected) => linearizability::Condition::Current(expected.as_ref().map(find).transpose()?),
    };
    let commit = Commit { number: index, seq: attempt.seq, retain: attempt.retain, condition };
    let Some(called) = attempt.called else { return Ok(None) };
    let (returned, action) = match &attempt.outcome {
        Outcome::Failed(_) => return Ok(None),
        Outcome::Open => (None, Action::Commit { commit, result: None }),
        Outcome::Committed(retained) => {
            let retained = retained.iter().map(find).collect::<Result<_, _>>()?;
            (attempt.ended, Action::Commit { commit, result: Some(retained) })
        }
        Outcome::Refused(current) => {
            let current = current.as_ref().map(find).transpose()?;
            (attempt.ended, Action::Refuse { commit, current })
        }
    };
    Ok(Some(Operation { called, returned, action }))
}

/// The operation of an expiry. Without a result it may have taken effect, or may do so later.
fn expiry_operation(expiry: &Expiry, number: FindNumber<'_>) -> Result<Operation, String> {
    let find = |name: &String| number(name).ok_or_else(|| name.clone());
    let result: Option<Vec<_>> =
        expiry.returned.as_ref().map(|expired| expired.iter().map(find).collect()).transpose()?;
    let returned = result.as_ref().and(expiry.ended);
    let action = Action::Expire { retain: expiry.retain, result, until: None };
    Ok(Operation { called: expiry.called, returned, action })
}

/// A second operation of an expiry that returned several generations. If a first attempt has an unknown outcome, the call
/// repeats it, so both may have taken effect before it returned.
fn earlier_expiry_operation(expiry: &Expiry) -> Option<Operation> {
    let until = expiry.ended?;
    expiry.returned.as_ref().filter(|expired| expired.len() > 1)?;
    let action = Action::Expire { retain: expiry.retain, result: None, until: Some(until) };
    Some(Operation { called: expiry.called, returned: None, action })
}

fn observation_operation(observation: &Observation, number: FindNumber<'_>) -> Result<Operation, String> {
    let find = |name: &String| number(name).ok_or_else(|| name.clone());
    let retained = observation.retained.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    let action = match observation.only_current {
        true => Action::Current(retained.first().copied()),
        false => Action::History(retained),
    };
    Ok(Operation { called: observation.called, returned: Some(observation.ended), action })
}
