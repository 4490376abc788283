//! The simulation that all clients of a history share: the store, the clock, the random choices, and the recorded operations.

use super::{
    invariants::StoreLog,
    operations::{Attempt, Expiry, Observation},
    profile::Profile,
    violation::{Kind, Violation},
};
use crate::layout::Layout;
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use minisnap_core::{Digest, Generation};
use minisnap_fault_proxy::Rng;
use object_store::{ObjectStore, ObjectStoreExt, memory::InMemory, path::Path};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

pub(super) const PREFIX: &str = "app";

#[derive(Debug)]
pub(super) struct Simulation {
    pub(super) store: InMemory,
    pub(super) profile: Profile,
    pub(super) layout: Layout,
    start: Instant,
    state: Mutex<SharedState>,
}

/// How often each kind of event happened.
pub(super) type Tally = BTreeMap<&'static str, u64>;

#[derive(Debug)]
pub(super) struct SharedState {
    pub(super) rng: Rng,
    /// No more faults are injected.
    pub(super) faults_stopped: bool,
    /// How many more processes may be killed.
    pub(super) kills_left: u64,
    pub(super) requests: u64,
    /// Numbers the events of the history. Their order is finer than that of the clock.
    pub(super) events: u64,
    pub(super) trace: Option<Vec<String>>,
    pub(super) tally: Tally,
    pub(super) store_log: StoreLog,
    pub(super) attempts: Vec<Attempt>,
    pub(super) observations: Vec<Observation>,
    pub(super) expiries: Vec<Expiry>,
    /// The first and the last event of each loss of the record; `u64::MAX` while it is lost.
    pub(super) losses: Vec<(u64, u64)>,
    /// The first violation of each kind, in the order of their detection.
    pub(super) violations: Vec<Violation>,
}

impl Simulation {
    pub(super) fn new(seed: u64, traced: bool) -> Self {
        let mut rng = Rng::new(seed);
        let profile = Profile::draw(&mut rng, &mut Rng::new(seed ^ 0x6578_7069));
        let state = SharedState {
            rng,
            faults_stopped: false,
            kills_left: if profile.kills { 2 } else { 0 },
            requests: 0,
            events: 0,
            trace: traced.then(Vec::new),
            tally: Tally::new(),
            store_log: StoreLog::default(),
            attempts: Vec::new(),
            observations: Vec::new(),
            expiries: Vec::new(),
            losses: Vec::new(),
            violations: Vec::new(),
        };
        Self {
            store: InMemory::new(),
            layout: Layout::new(PREFIX.into()),
            profile,
            start: Instant::now(),
            state: Mutex::new(state),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, SharedState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time since the history began.
    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Counts an event, unless faults have been stopped.
    pub(super) fn count(&self, event: &'static str) {
        let mut state = self.state();
        if !state.faults_stopped {
            *state.tally.entry(event).or_default() += 1;
        }
    }

    /// Adds a line to the trace, if there is one.
    pub(super) fn note(&self, line: impl FnOnce() -> String) {
        let at = self.elapsed().as_millis();
        let mut state = self.state();
        if let Some(trace) = &mut state.trace {
            trace.push(format!("{at:>8} ms  {}", line()));
        }
    }

    pub(super) fn violation(&self, kind: Kind, found: impl Into<String>) {
        let violation = Violation::new(kind, found);
        self.note(|| format!("VIOLATION: {violation}"));
        let violations = &mut self.state().violations;
        if violations.iter().all(|known| known.kind != kind) {
            violations.push(violation);
        }
    }

    /// The number of a new event.
    pub(super) fn event(&self) -> u64 {
        self.state().event()
    }

    /// An object of the store, read without faults.
    pub(super) fn object(&self, path: &Path) -> Option<Bytes> {
        let found = self.store.get(path).now_or_never()?.ok()?;
        found.bytes().now_or_never()?.ok()
    }

    /// All objects of the store, listed without faults.
    pub(super) fn objects(&self) -> Vec<Path> {
        let all = self.store.list(None).filter_map(async |meta| meta.ok().map(|meta| meta.location)).collect();
        all.now_or_never().unwrap_or_default()
    }

    /// Checks both files of a generation against the record's entry.
    pub(super) fn check_files(&self, generation: &Generation) -> Result<(), String> {
        let name = generation.name();
        let [json, seq] = self.layout.files(name).map(|path| self.object(&path));
        let json = json.ok_or_else(|| format!("the JSON of {} is missing", short_name(name)))?;
        let seq = seq.ok_or_else(|| format!("the seq of {} is missing", short_name(name)))?;
        if Some(Digest::of(&json)) != generation.digest() || Some(json.len() as u64) != generation.size() {
            return Err(format!("the JSON of {} doesn't match the record", short_name(name)));
        }
        if seq != format!("{}\n", generation.seq()) {
            return Err(format!("the seq of {} is {seq:?}", short_name(name)));
        }
        Ok(())
    }

    /// The number of the attempt that wrote this JSON.
    pub(super) fn attempt_of(&self, json: &[u8]) -> Option<usize> {
        let text = std::str::from_utf8(json).ok()?;
        let number: usize = text.strip_prefix("{\"attempt\":")?.split(',').next()?.parse().ok()?;
        self.state().attempts.get(number).is_some_and(|attempt| attempt.json == json).then_some(number)
    }
}

impl SharedState {
    pub(super) fn event(&mut self) -> u64 {
        self.events += 1;
        self.events
    }
}

/// A generation's name in traces: the sequence number and the beginning of the random part.
pub(super) fn short_name(name: &str) -> String {
    match name.split_once('-') {
        Some((seq, random)) => {
            let seq = seq.parse::<u64>().unwrap_or_default();
            format!("{seq}-{}", &random[..random.len().min(4)])
        }
        None => name.to_owned(),
    }
}
