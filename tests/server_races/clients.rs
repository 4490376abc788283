//! The processes: writers that restore and commit the next seq over what they restored, and a reader.

use super::events::{Commit, Event, now};
use crate::child_process::Job;
use minisnap::{Generation, MiniSnapError, SnapStore};
use minisnap_object::ObjectBackend;
use serde::{Deserialize, Serialize};
use std::{
    future::Future,
    time::{Duration, Instant},
};
use tokio::runtime::{Builder, Runtime};

/// The pause after a failed call.
const PAUSE: Duration = Duration::from_millis(100);

/// A server that was killed answers after this time.
const LONGEST_OUTAGE: Duration = Duration::from_secs(90);

/// A state with the writer and the number of its attempt.
#[derive(Serialize, Deserialize)]
struct State {
    seq: u64,
    author: String,
    filler: String,
}

impl State {
    fn new(seq: u64, author: &str) -> Self {
        Self { seq, author: author.into(), filler: author.repeat(500) }
    }
}

/// A handle on the store, with a runtime.
pub(super) struct Store {
    runtime: Runtime,
    snapshots: SnapStore<ObjectBackend>,
}

impl Store {
    /// The endpoint and the credentials are in the environment.
    pub(super) fn open(prefix: &str) -> Self {
        let backend = ObjectBackend::open(&format!("s3://minisnap/{prefix}"), [("busy_timeout", "60")]);
        let snapshots = SnapStore::with_backend(backend.expect("a store, by the variables that the script sets"));
        Self { runtime: Builder::new_current_thread().enable_all().build().expect("a runtime"), snapshots }
    }

    fn run<T>(&self, future: impl IntoFuture<Output = T, IntoFuture: Future<Output = T>>) -> T {
        self.runtime.block_on(future.into_future())
    }
}

/// Commits the first generation.
pub(super) fn commit_first(store: &Store) -> Commit {
    let author = "first";
    let committed = store.run(store.snapshots.create(&State::new(0, author), 0)).expect("the first commit");
    Commit { generation: committed.generation().name().into(), parent: "none".into(), author: author.into() }
}

/// The name of the current generation.
pub(super) fn current(store: &Store) -> String {
    store.run(store.snapshots.current()).expect("a look at the store").expect("a generation").name().into()
}

/// Waits until the store can be read.
pub(super) fn await_answer(store: &Store) {
    let start = Instant::now();
    while let Err(error) = store.run(store.snapshots.current()) {
        assert!(start.elapsed() < LONGEST_OUTAGE, "no answer after {LONGEST_OUTAGE:?}: {error}");
        std::thread::sleep(PAUSE);
    }
}

/// Runs a child process until the test sends a line.
pub(super) fn run(job: &Job) {
    let mut client = Client {
        store: Store::open(&job.arg::<String>("prefix")),
        job,
        number: job.arg("number"),
        errors_are_allowed: job.arg("killed"),
        seen: 0,
    };
    for attempt in 0_u64.. {
        if job.try_receive().is_some() {
            break;
        }
        if let Some(current) = client.read()
            && job.role() == "writer"
        {
            client.commit_over(&current, attempt);
        }
    }
}

struct Client<'a> {
    store: Store,
    job: &'a Job,
    number: u64,
    /// A server is killed.
    errors_are_allowed: bool,
    /// The newest seq that this process has read, or committed with an acknowledgement.
    seen: u64,
}

impl Client<'_> {
    /// Reads the current generation and its state. `None` if that failed, or the generation expired.
    fn read(&mut self) -> Option<Generation> {
        let snapshots = &self.store.snapshots;
        let read = self.store.run(async {
            let current = snapshots.current().await?.expect("a store that had a snapshot always has one");
            let (state, seq): (State, u64) = snapshots.restore_generation(&current).await?;
            Ok((current, state, seq))
        });
        let (current, state, seq) = match read {
            Ok(read) => read,
            Err(MiniSnapError::Expired { .. }) => return None,
            Err(error) => {
                self.allow(&error, Event::ReadFailed(error.to_string()));
                return None;
            }
        };
        assert!(seq >= self.seen, "{seq} was read after {}", self.seen);
        assert!(seq == current.seq() && seq == state.seq, "a mixed pair: {current}, {seq}, {}", state.seq);
        assert!(state.filler == state.author.repeat(500), "the state of {current} is corrupt");
        self.seen = seq;
        self.send(&Event::Read { generation: current.name().into(), author: state.author });
        Some(current)
    }

    /// Commits the next seq over `current`.
    fn commit_over(&mut self, current: &Generation, attempt: u64) {
        let seq = current.seq() + 1;
        let author = format!("{}-{attempt}", self.number);
        let state = State::new(seq, &author);
        let commit = |generation: &Generation, parent: &Generation| Commit {
            generation: generation.name().into(),
            parent: parent.name().into(),
            author: author.clone(),
        };
        match self.store.run(self.store.snapshots.create(&state, seq).if_current(current)) {
            Ok(committed) => {
                self.seen = seq;
                self.send(&Event::Committed(commit(committed.generation(), current), now()));
            }
            Err(MiniSnapError::Conflict { .. }) => self.send(&Event::Conflict),
            Err(error @ MiniSnapError::OutcomeUnknown { .. }) => {
                let MiniSnapError::OutcomeUnknown { generation, previous, .. } = &error else {
                    unreachable!("this error")
                };
                assert_eq!(previous.as_ref(), Some(current), "the error names the expected generation");
                self.allow(&error, Event::Unknown(commit(generation, current)));
            }
            Err(error) => self.allow(&error, Event::Failed(error.to_string())),
        }
    }

    /// Sends the event of a failure, and pauses. Only a kill of a server allows failures, and only transient ones.
    fn allow(&self, error: &MiniSnapError, event: Event) {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        assert!(self.errors_are_allowed && error.is_transient(), "an unexpected error: {error}; its cause: {cause:?}");
        self.send(&event);
        std::thread::sleep(PAUSE);
    }

    fn send(&self, event: &Event) {
        self.job.send(serde_json::to_string(event).expect("JSON"));
    }
}
