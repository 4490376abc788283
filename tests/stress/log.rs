//! What everybody did and was told, in one file that all processes append to.
//!
//! The order of its lines is the order in which things happened, on whatever processor, and no clock is needed: an
//! operation begins after its first line was written, and is over before its second one is. What a killed process had begun
//! has no second line.

use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

/// Numbers of operations have this many bits for the process they are of.
const BITS_WITHIN_PROCESS: u32 = 20;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Event {
    /// The operation of this number begins.
    Begin(u64, Action),
    /// It is over.
    End(u64, Answer),
    /// The process of this number was killed, and is no more.
    Died(u64),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Action {
    Create(Create),
    /// What is current, restored or only looked up.
    Look,
    History,
    TruncationPoint,
    /// Restores the newest with a seq of at most this.
    RestoreAt(u64),
    /// Restores the generation of this seq, which was retained once.
    RestoreGeneration(u64),
    Sweep,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Create {
    /// Used once: it stands for the generation, too.
    pub(crate) seq: u64,
    pub(crate) keep: usize,
    pub(crate) when: When,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum When {
    Always,
    Newer,
    /// If this is current.
    Over(Option<u64>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// With what is retained, newest first.
    Committed(Vec<u64>),
    /// Stale, or a conflict: this is current.
    Refused(Option<u64>),
    /// Certainly not published: busy for as long as was allowed, or swept away.
    Failed,
    /// The future was dropped.
    Dropped,
    /// This is current, or is what was asked for.
    Saw(Option<u64>),
    Retained(Vec<u64>),
    Point(Option<u64>),
    Expired,
    Done,
    /// What must not be.
    Wrong(String),
}

/// One process's end of the file.
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

    /// A number for an operation, which is part of its seq: the seqs of a higher level are all above those of a lower one.
    pub(crate) fn number(&self, level: u64) -> (u64, u64) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number, level << 32 | number)
    }

    /// How many numbers this process has drawn.
    pub(crate) fn drawn(&self) -> u64 {
        self.next.load(Ordering::Relaxed) & ((1 << BITS_WITHIN_PROCESS) - 1)
    }

    /// In one write, on a line of its own even if a killed process left half a line.
    pub(crate) fn write(&self, event: &Event) {
        let line = format!("\n{}", serde_json::to_string(event).expect("JSON"));
        (&self.file).write_all(line.as_bytes()).expect("to write to the log");
    }
}

/// The process that an operation is of.
pub(crate) fn process_of(number: u64) -> u64 {
    number >> BITS_WITHIN_PROCESS
}

/// The level that a seq was drawn on.
pub(crate) fn level_of(seq: u64) -> u64 {
    seq >> 32
}

/// All that was written. A line that was cut short is what a killed process left.
pub(crate) fn read(path: &Path) -> Vec<Event> {
    let text = fs::read_to_string(path).expect("the log");
    let lines: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
    let events: Vec<Event> = lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let kills = events.iter().filter(|event| matches!(event, Event::Died(_))).count();
    assert!(lines.len() - events.len() <= kills, "more lines were cut short than processes killed");
    events
}
