//! What a log tells: operations, from where in the log to where, and what they were told.

use super::log::{Action, Answer, Event, process_of};
use std::collections::HashMap;

/// `Err` is what was found wrong.
pub(crate) type Found<T> = Result<T, String>;

#[derive(Debug)]
pub(crate) struct Operation {
    /// The line it began after.
    pub(crate) begin: usize,
    /// The line it was over before.
    pub(crate) end: usize,
    pub(crate) action: Action,
    /// `None` if its process was killed.
    pub(crate) answer: Option<Answer>,
}

#[derive(Debug)]
pub(crate) struct Story {
    /// In the order in which they began.
    pub(crate) operations: Vec<Operation>,
    /// How many processes were killed.
    pub(crate) deaths: u64,
    /// By seq, the place of the operation that creates it.
    creators: HashMap<u64, usize>,
    /// Where acknowledged creates began, and the first line by which one that began there or later was over.
    settling: Vec<(usize, usize)>,
}

impl Story {
    pub(crate) fn of(events: Vec<Event>) -> Found<Self> {
        let mut operations = Vec::<Operation>::new();
        let mut open = HashMap::new();
        let (mut creators, mut deaths) = (HashMap::new(), 0);
        for (line, event) in events.into_iter().enumerate() {
            match event {
                Event::Begin(number, action) => {
                    if let Action::Create(create) = &action {
                        creators.insert(create.seq, operations.len());
                    }
                    open.insert(number, operations.len());
                    operations.push(Operation { begin: line, end: usize::MAX, action, answer: None });
                }
                Event::End(number, answer) => {
                    let place = open.remove(&number).ok_or("an operation was over that never began")?;
                    let operation = &mut operations[place];
                    if let Answer::Wrong(wrong) = answer {
                        return Err(format!("{:?}: {wrong}", operation.action));
                    }
                    (operation.end, operation.answer) = (line, Some(answer));
                }
                Event::Died(process) => {
                    deaths += 1;
                    let died = open.extract_if(|number, _| process_of(*number) == process);
                    died.for_each(|(_, place)| operations[place].end = line);
                }
            }
        }
        match open.values().next() {
            Some(place) => Err(format!("it never ended, and nobody killed it: {:?}", operations[*place].action)),
            None => Ok(Self { settling: settling(&operations), operations, deaths, creators }),
        }
    }

    /// The operation that was to create this.
    pub(crate) fn creator(&self, seq: u64) -> Option<&Operation> {
        self.creators.get(&seq).map(|place| &self.operations[*place])
    }

    /// The line before which it is settled whether this create happened. One that was dropped may happen later than that,
    /// but not later than another that began after it.
    pub(crate) fn settled(&self, create: &Operation) -> usize {
        match create.answer {
            Some(Answer::Dropped) => {
                let later = self.settling.partition_point(|(begin, _)| *begin < create.end);
                self.settling.get(later).map_or(usize::MAX, |(_, end)| *end)
            }
            _ => create.end,
        }
    }
}

fn settling(operations: &[Operation]) -> Vec<(usize, usize)> {
    let acknowledged = operations.iter().filter(|operation| matches!(operation.answer, Some(Answer::Committed(_))));
    let mut settling: Vec<_> = acknowledged.map(|operation| (operation.begin, operation.end)).collect();
    let mut first = usize::MAX;
    for (_, end) in settling.iter_mut().rev() {
        first = first.min(*end);
        *end = first;
    }
    settling
}
