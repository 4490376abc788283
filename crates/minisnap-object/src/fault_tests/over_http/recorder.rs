//! What the clients of a history over HTTP record: their operations, with real times, and what they got.

use crate::{
    fault_tests::{
        operations::{Attempt, Expiry, Observation, Outcome},
        violation::{Kind, Violation},
    },
    layout::Layout,
};
use bytes::Bytes;
use minisnap_fault_proxy::Rng;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// The record of a history, which all its clients share. An event is a time: the nanoseconds since the history began.
#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) layout: Layout,
    start: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) rng: Rng,
    pub(super) attempts: Vec<Attempt>,
    pub(super) observations: Vec<Observation>,
    pub(super) expiries: Vec<Expiry>,
    pub(super) reads: Vec<Read>,
    pub(super) tally: BTreeMap<String, u64>,
    /// The first violation of each kind, in the order of their detection.
    pub(super) violations: Vec<Violation>,
    pub(super) trace: Vec<String>,
}

/// One read of a generation's JSON that ended in the JSON, or in `Expired`.
#[derive(Debug, Clone)]
pub(super) struct Read {
    pub(super) called: u64,
    pub(super) ended: u64,
    pub(super) name: String,
    pub(super) seq: u64,
    /// `None` if the generation was reported as expired.
    pub(super) json: Option<Bytes>,
}

impl Recorder {
    pub(super) fn new(seed: u64, layout: Layout) -> Self {
        let state = State {
            rng: Rng::new(seed),
            attempts: Vec::new(),
            observations: Vec::new(),
            expiries: Vec::new(),
            reads: Vec::new(),
            tally: BTreeMap::new(),
            violations: Vec::new(),
            trace: Vec::new(),
        };
        Self { layout, start: Instant::now(), state: Mutex::new(state) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The event of this moment.
    pub(super) fn event(&self) -> u64 {
        self.event_at(Instant::now())
    }

    pub(super) fn event_at(&self, instant: Instant) -> u64 {
        instant.duration_since(self.start).as_nanos() as u64
    }

    pub(super) fn count(&self, event: impl Into<String>) {
        *self.state().tally.entry(event.into()).or_default() += 1;
    }

    pub(super) fn note(&self, line: impl Into<String>) {
        let (at, line) = (self.event(), line.into());
        self.note_at(at, &line);
    }

    pub(super) fn note_at(&self, event: u64, line: &str) {
        let at = event / 1_000;
        self.state().trace.push(format!("{:>5}.{:03} ms  {line}", at / 1_000, at % 1_000));
    }

    pub(super) fn violation(&self, kind: Kind, found: impl Into<String>) {
        let violation = Violation::new(kind, found);
        self.note(format!("VIOLATION: {violation}"));
        let violations = &mut self.state().violations;
        if violations.iter().all(|known| known.kind != kind) {
            violations.push(violation);
        }
    }

    pub(super) fn chance(&self, per_mille: u64) -> bool {
        self.state().rng.chance(per_mille)
    }

    pub(super) fn below(&self, end: u64) -> u64 {
        self.state().rng.below(end)
    }

    pub(super) fn end_attempt(&self, number: usize, outcome: Outcome) {
        let event = self.event();
        let attempt = &mut self.state().attempts[number];
        attempt.ended = Some(event);
        attempt.outcome = outcome;
    }

    /// Ends the attempts of a writer that the kill of its process interrupted. Their outcome is open.
    pub(super) fn end_interrupted(&self, writer: &str) {
        let event = self.event();
        let mut state = self.state();
        for attempt in state.attempts.iter_mut().filter(|attempt| attempt.writer == writer) {
            attempt.ended.get_or_insert(event);
        }
    }
}
