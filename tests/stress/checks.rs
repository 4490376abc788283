//! All checks of a round. [`CommitOrder`] and [`intervals`](super::intervals) check that the current generation is
//! linearizable. This file checks the outcomes of all other operations.

use super::{
    commit_order::{Commit, CommitOrder},
    log::{Call, Event, Outcome},
    operations::{Check, Operation, Operations},
};

/// How often a restore retries when its generation expires.
const ATTEMPTS: usize = 16;

/// Checks the events of a log. `Err` describes the violation.
pub(crate) fn check(events: Vec<Event>, only_newer: bool) -> Check<Operations> {
    let operations = Operations::of(events)?;
    let order = CommitOrder::of(&operations)?;
    let candidates = Candidates::of(&order);
    for operation in &operations.all {
        candidates.check(operation).map_err(|violation| format!("{violation}: {operation:?}"))?;
    }
    if only_newer {
        check_truncation(&operations)?;
    }
    Ok(operations)
}

/// For each moment, the commits that may have been current.
struct Candidates<'a> {
    /// By the earliest line at which they may have been committed.
    commits: Vec<&'a Commit<'a>>,
    /// For each index, the last line at which one of the commits up to it may have been current.
    until: Vec<usize>,
    /// At this line the store certainly wasn't empty any more.
    first: usize,
}

impl<'a> Candidates<'a> {
    fn of(order: &'a CommitOrder<'a>) -> Self {
        let mut commits: Vec<_> = order.commits.values().collect();
        commits.sort_by_key(|commit| commit.after);
        let until = commits.iter().scan(0, |latest, commit| {
            *latest = commit.until.max(*latest);
            Some(*latest)
        });
        let first = commits.iter().map(|commit| commit.before).min().unwrap_or(usize::MAX);
        Self { until: until.collect(), first, commits }
    }

    /// Returns the commits that may have been current during an operation, latest first.
    fn during(&self, operation: &Operation) -> impl Iterator<Item = &'a Commit<'a>> {
        let (begin, end) = (operation.begin, operation.end);
        let indices = (0..self.commits.partition_point(|commit| commit.after < end)).rev();
        let indices = indices.take_while(move |index| self.until[*index] > begin);
        indices.map(|index| self.commits[index]).filter(move |commit| commit.until > begin)
    }

    /// Whether the retained seqs may have fulfilled a condition during an operation.
    fn may_hold_during(&self, operation: &Operation, condition: impl Fn(&[u64]) -> bool) -> bool {
        // Where the retained seqs are unknown, they may have been any.
        self.during(operation).any(|commit| commit.retained.as_ref().is_none_or(|retained| condition(retained)))
    }

    fn check(&self, operation: &Operation) -> Check<()> {
        let is_possible = match (&operation.call, &operation.outcome) {
            (_, None | Some(Outcome::Cancelled | Outcome::Done)) => true,
            // The commit order has checked these.
            (Call::Create(_), Some(Outcome::Committed(_) | Outcome::Rejected(Some(_)) | Outcome::Failed)) => true,
            (Call::ReadCurrent, Some(Outcome::Found(Some(_)))) => true,
            (Call::History, Some(Outcome::Retained(retained))) if !retained.is_empty() => true,
            (Call::CollectGarbage, Some(Outcome::Failed)) => true,

            (Call::RestoreAt(most), Some(Outcome::Found(seq))) => {
                self.may_hold_during(operation, |retained| {
                    retained.iter().find(|retained| *retained <= most) == seq.as_ref()
                }) || seq.is_none() && self.first > operation.begin
            }
            (
                _,
                Some(
                    Outcome::Found(None)
                    | Outcome::Rejected(None)
                    | Outcome::TruncationPoint(None)
                    | Outcome::Retained(_),
                ),
            ) => self.first > operation.begin,
            (Call::RestoreGeneration(seq), Some(Outcome::Found(Some(restored)))) => {
                seq == restored && self.may_hold_during(operation, |retained| retained.contains(seq))
            }
            (Call::RestoreGeneration(seq), Some(Outcome::Expired)) => {
                self.may_hold_during(operation, |retained| !retained.contains(seq))
            }
            (Call::TruncationPoint, Some(Outcome::TruncationPoint(Some(point)))) => {
                self.may_hold_during(operation, |retained| retained.iter().min() == Some(point))
            }
            // The generation of the restore expired at each attempt.
            (Call::ReadCurrent | Call::RestoreAt(_), Some(Outcome::Expired)) => {
                self.during(operation).count() >= ATTEMPTS
            }
            _ => false,
        };
        if is_possible { Ok(()) } else { Err("possible at no moment of the operation".into()) }
    }
}

/// Checks the truncation points of a round in which each create is conditional on a newer seq. An operation that begins
/// after a truncation point was returned must not find a lower seq, since the log before that point is truncated.
fn check_truncation(operations: &Operations) -> Check<()> {
    let mut points: Vec<(usize, u64)> =
        operations.all.iter().filter_map(|operation| Some((operation.end, point_of(operation)?))).collect();
    points.sort_unstable();
    let mut highest = 0;
    let highest: Vec<_> = points
        .iter()
        .map(|(end, point)| {
            highest = highest.max(*point);
            (*end, highest)
        })
        .collect();
    for operation in &operations.all {
        let before = highest.partition_point(|(end, _)| *end < operation.begin);
        let point = before.checked_sub(1).map_or(0, |index| highest[index].1);
        if lowest_of(operation).is_some_and(|lowest| lowest < point) {
            return Err(format!(
                "the log can be truncated through {point}, and a later operation found: {operation:?}"
            ));
        }
    }
    Ok(())
}

/// Returns the seq through which an outcome allows to truncate the log.
fn point_of(operation: &Operation) -> Option<u64> {
    match &operation.outcome {
        Some(Outcome::TruncationPoint(point)) => *point,
        Some(Outcome::Committed(retained)) => retained.iter().min().copied(),
        _ => None,
    }
}

/// Returns the smallest seq in an outcome.
fn lowest_of(operation: &Operation) -> Option<u64> {
    match &operation.outcome {
        Some(Outcome::Found(seq) | Outcome::Rejected(seq) | Outcome::TruncationPoint(seq)) => *seq,
        Some(Outcome::Retained(retained) | Outcome::Committed(retained)) => retained.iter().min().copied(),
        _ => None,
    }
}
