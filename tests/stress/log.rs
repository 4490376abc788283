//! The history of one round: the start and the end of each operation, in one file that all processes append to.
//!
//! The order of the lines is the order of the events, so no clock is needed. An operation begins after its first line is
//! written, and ends before its second line is written. An operation of a killed process has no second line.

use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

/// The number of an operation has its process in the bits above these.
const BITS_WITHIN_PROCESS: u32 = 20;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Event {
    /// The operation with this number begins.
    Begin(u64, Call),
    /// The operation with this number has ended.
    End(u64, Outcome),
    /// The process with this number was killed, and has ended.
    Killed(u64),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Call {
    Create(Create),
    /// Restores the current snapshot, or only reads its generation.
    ReadCurrent,
    History,
    TruncationPoint,
    /// Restores the newest snapshot with a seq of at most this.
    RestoreAt(u64),
    /// Restores the generation with this seq, which was retained at some time before.
    RestoreGeneration(u64),
    CollectGarbage,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Create {
    /// Unique in a round, so that the seq identifies the generation.
    pub(crate) seq: u64,
    pub(crate) retain: usize,
    pub(crate) condition: Condition,
}

/// A precondition, with seqs instead of generations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Condition {
    Always,
    IfNewer,
    IfCurrent(Option<u64>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// The retained seqs, newest first.
    Committed(Vec<u64>),
    /// `Stale` or `Conflict`, with the current seq.
    Rejected(Option<u64>),
    /// Certainly not committed: `Busy` after the timeout, or `StageLost`.
    Failed,
    /// The future was dropped.
    Cancelled,
    /// The seq that is current, or that was restored.
    Found(Option<u64>),
    Retained(Vec<u64>),
    TruncationPoint(Option<u64>),
    Expired,
    Done,
    /// The client itself detected a violation.
    Violation(String),
}

/// The log file, opened by one process.
#[derive(Debug)]
pub(crate) struct Log {
    file: File,
    next: AtomicU64,
}

impl Log {
    pub(crate) fn open(path: &Path, process: u64) -> Self {
        let file = File::options().append(true).create(true).open(path).expect("the log");
        Self { file, next: AtomicU64::new(process << BITS_WITHIN_PROCESS) }
    }

    /// Returns the number of a new operation, and its seq: all seqs of a higher level are above those of a lower level.
    pub(crate) fn number(&self, level: u64) -> (u64, u64) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number, level << 32 | number)
    }

    /// Returns how many numbers this process has used.
    pub(crate) fn used(&self) -> u64 {
        self.next.load(Ordering::Relaxed) & ((1 << BITS_WITHIN_PROCESS) - 1)
    }

    /// Appends an event with a single write. The line break comes first, since a killed process may leave a partial line.
    pub(crate) fn write(&self, event: &Event) {
        let line = format!("\n{}", serde_json::to_string(event).expect("JSON"));
        (&self.file).write_all(line.as_bytes()).expect("to write to the log");
    }
}

/// Returns the process of an operation.
pub(crate) fn process_of(number: u64) -> u64 {
    number >> BITS_WITHIN_PROCESS
}

/// Returns the level of a seq.
pub(crate) fn level_of(seq: u64) -> u64 {
    seq >> 32
}

/// Reads all events. Each killed process may have left one partial line.
pub(crate) fn read(path: &Path) -> Vec<Event> {
    let text = fs::read_to_string(path).expect("the log");
    let lines: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
    let events: Vec<Event> = lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let kills = events.iter().filter(|event| matches!(event, Event::Killed(_))).count();
    assert!(lines.len() - events.len() <= kills, "more partial lines than killed processes");
    events
}
