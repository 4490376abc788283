//! What is outside of the writers: the store, the clock, the dice, and a book about all that happens.

use super::{
    dice::Dice,
    ledger::Ledger,
    profile::Profile,
    violation::{Kind, Violation},
};
use crate::layout::Layout;
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use minisnap_core::{Digest, Generation};
use object_store::{ObjectStore, ObjectStoreExt, memory::InMemory, path::Path};
use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

pub(super) const PREFIX: &str = "app";

#[derive(Debug)]
pub(super) struct World {
    pub(super) store: InMemory,
    pub(super) profile: Profile,
    pub(super) layout: Layout,
    began: Instant,
    book: Mutex<Book>,
}

/// How often what happened.
pub(super) type Tally = BTreeMap<&'static str, u64>;

#[derive(Debug)]
pub(super) struct Book {
    pub(super) dice: Dice,
    /// From now on nothing goes wrong any more.
    pub(super) calm: bool,
    /// How many more processes may die.
    pub(super) deaths: u64,
    pub(super) requests: u64,
    /// Counts what happens, so that it has an order finer than the clock's.
    pub(super) events: u64,
    pub(super) trace: Option<Vec<String>>,
    pub(super) tally: Tally,
    pub(super) ledger: Ledger,
    pub(super) attempts: Vec<Attempt>,
    pub(super) sightings: Vec<Sighting>,
    pub(super) expiries: Vec<Expiry>,
    /// From which event to which the record was lost; open-ended while it is.
    pub(super) losses: Vec<(u64, u64)>,
    /// What was found wrong, in that order: of each kind the first.
    pub(super) violations: Vec<Violation>,
}

/// One publish, from its call on.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) who: String,
    pub(super) seq: u64,
    pub(super) keep: usize,
    pub(super) json: Bytes,
    pub(super) when: When,
    /// The event at which `commit` was called; `None` before.
    pub(super) called: Option<u64>,
    /// The event at which it returned, was dropped, or died with its process.
    pub(super) over: Option<u64>,
    pub(super) outcome: Outcome,
    /// How many sweeps had been announced when it was staged.
    pub(super) sweeps_before: u64,
    /// How often its JSON was uploaded.
    pub(super) uploads: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum When {
    Always,
    Newer,
    Current(Option<String>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It didn't return, or said that it doesn't know.
    Open,
    /// What it says is retained, newest first, itself at the head.
    Committed(Vec<String>),
    /// What it says is current.
    Refused(Option<String>),
    /// Certainly not published, for this reason.
    Failed(&'static str),
}

/// What a reader was told is retained.
#[derive(Debug, Clone)]
pub(super) struct Sighting {
    pub(super) called: u64,
    pub(super) over: u64,
    pub(super) retained: Vec<String>,
    /// It was only told the first of them.
    pub(super) only_current: bool,
}

/// One reduction of the retention, from its call on.
#[derive(Debug, Clone)]
pub(super) struct Expiry {
    pub(super) called: u64,
    pub(super) over: Option<u64>,
    pub(super) retain: usize,
    /// What it was told has expired, newest first; `None` if it wasn't told.
    pub(super) told: Option<Vec<String>>,
    /// It certainly did nothing.
    pub(super) failed: bool,
}

/// A process: once it is dead, nothing of it sends a request any more.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) name: String,
    dead: AtomicBool,
    /// Not a `watch`, which wakes in a random order.
    death: Notify,
}

impl Process {
    pub(super) fn new(name: String) -> Self {
        Self { name, dead: AtomicBool::new(false), death: Notify::new() }
    }

    pub(super) fn kill(&self) {
        self.dead.store(true, Ordering::Relaxed);
        self.death.notify_waiters();
    }

    pub(super) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    pub(super) async fn death(&self) {
        let death = self.death.notified();
        if !self.is_dead() {
            death.await;
        }
    }
}

impl World {
    pub(super) fn new(seed: u64, traced: bool) -> Self {
        let mut dice = Dice::new(seed);
        let profile = Profile::draw(&mut dice, &mut Dice::new(seed ^ 0x6578_7069));
        let book = Book {
            dice,
            calm: false,
            deaths: if profile.kills { 2 } else { 0 },
            requests: 0,
            events: 0,
            trace: traced.then(Vec::new),
            tally: Tally::new(),
            ledger: Ledger::default(),
            attempts: Vec::new(),
            sightings: Vec::new(),
            expiries: Vec::new(),
            losses: Vec::new(),
            violations: Vec::new(),
        };
        Self {
            store: InMemory::new(),
            layout: Layout::new(PREFIX.into()),
            profile,
            began: Instant::now(),
            book: Mutex::new(book),
        }
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Since the history began.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Counts what happens while something may go wrong.
    pub(super) fn count(&self, what: &'static str) {
        let mut book = self.book();
        if !book.calm {
            *book.tally.entry(what).or_default() += 1;
        }
    }

    /// Notes a line, if anybody is going to read it.
    pub(super) fn note(&self, line: impl FnOnce() -> String) {
        let at = self.elapsed().as_millis();
        let mut book = self.book();
        if let Some(trace) = &mut book.trace {
            trace.push(format!("{at:>8} ms  {}", line()));
        }
    }

    pub(super) fn violation(&self, kind: Kind, found: impl Into<String>) {
        let violation = Violation::new(kind, found);
        self.note(|| format!("WRONG: {violation}"));
        let violations = &mut self.book().violations;
        if violations.iter().all(|known| known.kind != kind) {
            violations.push(violation);
        }
    }

    /// The number of what happens now.
    pub(super) fn event(&self) -> u64 {
        self.book().event()
    }

    /// What is in the store, past all that may go wrong.
    pub(super) fn object(&self, path: &Path) -> Option<Bytes> {
        let found = self.store.get(path).now_or_never()?.ok()?;
        found.bytes().now_or_never()?.ok()
    }

    /// All that is in the store.
    pub(super) fn objects(&self) -> Vec<Path> {
        let all = self.store.list(None).filter_map(async |meta| meta.ok().map(|meta| meta.location)).collect();
        all.now_or_never().unwrap_or_default()
    }

    /// Whether both files of a generation are whole; else what is wrong.
    pub(super) fn check_files(&self, generation: &Generation) -> Result<(), String> {
        let name = generation.name();
        let [json, seq] = self.layout.files(name).map(|path| self.object(&path));
        let json = json.ok_or_else(|| format!("the JSON of {} is not there", short(name)))?;
        let seq = seq.ok_or_else(|| format!("the seq of {} is not there", short(name)))?;
        if Some(Digest::of(&json)) != generation.digest() || Some(json.len() as u64) != generation.size() {
            return Err(format!("the JSON of {} is not what the record says", short(name)));
        }
        if seq != format!("{}\n", generation.seq()) {
            return Err(format!("the seq of {} is {seq:?}", short(name)));
        }
        Ok(())
    }

    /// Which attempt wrote this JSON.
    pub(super) fn attempt_of(&self, json: &[u8]) -> Option<usize> {
        let text = std::str::from_utf8(json).ok()?;
        let number: usize = text.strip_prefix("{\"attempt\":")?.split(',').next()?.parse().ok()?;
        self.book().attempts.get(number).is_some_and(|attempt| attempt.json == json).then_some(number)
    }
}

impl Book {
    pub(super) fn event(&mut self) -> u64 {
        self.events += 1;
        self.events
    }
}

/// A name as a trace shows it: the seq, and enough of the random part.
pub(super) fn short(name: &str) -> String {
    match name.split_once('-') {
        Some((seq, random)) => {
            let seq = seq.parse::<u64>().unwrap_or_default();
            format!("{seq}-{}", &random[..random.len().min(4)])
        }
        None => name.to_owned(),
    }
}
