//! The operations in a log: each with the lines of the log between which it ran, and its outcome.

use super::log::{Call, Event, Outcome, process_of};
use std::collections::HashMap;

/// `Err` describes the violation.
pub(crate) type Check<T> = Result<T, String>;

#[derive(Debug)]
pub(crate) struct Operation {
    /// The operation began after this line.
    pub(crate) begin: usize,
    /// The operation ended before this line.
    pub(crate) end: usize,
    pub(crate) call: Call,
    /// `None` if its process was killed.
    pub(crate) outcome: Option<Outcome>,
}

#[derive(Debug)]
pub(crate) struct Operations {
    /// In the order in which they began.
    pub(crate) all: Vec<Operation>,
    /// The number of killed processes.
    pub(crate) kills: u64,
    /// For each seq, the index of the operation that creates it.
    creators: HashMap<u64, usize>,
    /// For each acknowledged create: the line where it began, and the first line where it or a later
    /// acknowledged create ended.
    acknowledged: Vec<(usize, usize)>,
}

impl Operations {
    pub(crate) fn of(events: Vec<Event>) -> Check<Self> {
        let mut all = Vec::<Operation>::new();
        let mut open = HashMap::new();
        let (mut creators, mut kills) = (HashMap::new(), 0);
        for (line, event) in events.into_iter().enumerate() {
            match event {
                Event::Begin(number, call) => {
                    if let Call::Create(create) = &call {
                        creators.insert(create.seq, all.len());
                    }
                    open.insert(number, all.len());
                    all.push(Operation { begin: line, end: usize::MAX, call, outcome: None });
                }
                Event::End(number, outcome) => {
                    let index = open.remove(&number).ok_or("an operation ended that never began")?;
                    let operation = &mut all[index];
                    if let Outcome::Violation(violation) = outcome {
                        return Err(format!("{:?}: {violation}", operation.call));
                    }
                    (operation.end, operation.outcome) = (line, Some(outcome));
                }
                Event::Killed(process) => {
                    kills += 1;
                    let killed = open.extract_if(|number, _| process_of(*number) == process);
                    killed.for_each(|(_, index)| all[index].end = line);
                }
            }
        }
        match open.values().next() {
            Some(index) => Err(format!("it never ended, and its process wasn't killed: {:?}", all[*index].call)),
            None => Ok(Self { acknowledged: acknowledged(&all), all, kills, creators }),
        }
    }

    /// Returns the operation that creates this seq.
    pub(crate) fn creator(&self, seq: u64) -> Option<&Operation> {
        self.creators.get(&seq).map(|index| &self.all[*index])
    }

    /// Returns the line before which this create is committed, or never is. A cancelled create may be committed after it
    /// was cancelled, but not after an acknowledged create that began later.
    pub(crate) fn commit_deadline(&self, create: &Operation) -> usize {
        match create.outcome {
            Some(Outcome::Cancelled) => {
                let later = self.acknowledged.partition_point(|(begin, _)| *begin < create.end);
                self.acknowledged.get(later).map_or(usize::MAX, |(_, end)| *end)
            }
            _ => create.end,
        }
    }
}

fn acknowledged(operations: &[Operation]) -> Vec<(usize, usize)> {
    let acknowledged = operations.iter().filter(|operation| matches!(operation.outcome, Some(Outcome::Committed(_))));
    let mut spans: Vec<_> = acknowledged.map(|operation| (operation.begin, operation.end)).collect();
    let mut first = usize::MAX;
    for (_, end) in spans.iter_mut().rev() {
        first = first.min(*end);
        *end = first;
    }
    spans
}
