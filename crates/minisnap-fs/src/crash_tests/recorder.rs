//! Records the changes that took effect on the disk, in order, as `sys/write.rs` reports them.

use super::{expected::Expected, open_files};
use crate::layout::BARE_PAIR;
use minisnap_core::Operation;
use minisnap_crash_model::Event;
use std::{
    cell::Cell,
    collections::HashMap,
    fs::File,
    panic,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

/// An entry of a recording.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Did(Operation, Event),
    /// From here on, a power loss leaves a state that this describes.
    Expect(Arc<Expected>),
}

static RECORDINGS: Mutex<Vec<Arc<EventLog>>> = Mutex::new(Vec::new());

struct EventLog {
    root: PathBuf,
    names: Mutex<Names>,
    steps: Mutex<Vec<Step>>,
    interruption: Mutex<Option<Interruption>>,
}

/// An action, and after how many more changes of the disk it runs.
type Interruption = (usize, Box<dyn FnOnce() + Send>);

/// Returns a copy without holding the lock: an interruption makes system calls itself, on another thread.
fn recordings() -> Vec<Arc<EventLog>> {
    lock(&RECORDINGS).clone()
}

thread_local! {
    static OPERATION: Cell<Operation> = const { Cell::new(Operation::Write) };
}

/// Assigns the system calls on this thread to `operation` until the result is dropped.
pub(crate) fn during(operation: Operation) -> impl Drop {
    struct Before(Operation);
    impl Drop for Before {
        fn drop(&mut self) {
            OPERATION.set(self.0);
        }
    }
    Before(OPERATION.replace(operation))
}

/// Records an event in the recording whose root contains its path, if any. Called by `sys/write.rs` on the thread of the system call.
pub(crate) fn record(event: Event<&Path>) {
    for log in recordings() {
        log.record(&event);
    }
}

/// Records a write to an open file or its sync, with the real path of the file.
pub(crate) fn record_of_open(file: &File, event: Event<&Path>) {
    for log in recordings() {
        let path = |path: &Path| open_files::path_of(file, path, &log.root);
        match &event {
            Event::Write(named, bytes) => {
                path(named).iter().for_each(|path| log.record(&Event::Write(path, bytes.clone())));
            }
            Event::Sync(named) => path(named).iter().for_each(|path| log.record(&Event::Sync(path))),
            other => unreachable!("{other:?} is no event of an open file"),
        }
    }
}

/// The recording of the changes under a folder, from `start` to `end`.
#[derive(Clone)]
pub(super) struct Recording(Arc<EventLog>);

impl Recording {
    /// `root` must be a canonical path. `numbers` is how many numbers earlier recordings assigned: see
    /// [`Names`].
    pub(super) fn start(root: &Path, numbers: usize) -> Self {
        let names = Mutex::new(Names { next: numbers, ..Names::default() });
        let log = EventLog { root: root.into(), names, steps: Mutex::default(), interruption: Mutex::default() };
        let log = Arc::new(log);
        lock(&RECORDINGS).push(log.clone());
        Self(log)
    }

    /// Runs `act` between two system calls of a program: after the `after`th change of the disk from now on.
    pub(super) fn interrupt(&self, after: usize, act: impl FnOnce() + Send + 'static) {
        *lock(&self.0.interruption) = Some((after, Box::new(act)));
    }

    pub(super) fn end(&self) {
        lock(&RECORDINGS).retain(|log| !Arc::ptr_eq(log, &self.0));
    }

    pub(super) fn push(&self, step: Step) {
        lock(&self.0.steps).push(step);
    }

    /// Removes all but the first `length` steps.
    pub(super) fn truncate(&self, length: usize) {
        lock(&self.0.steps).truncate(length);
    }

    pub(super) fn steps(&self) -> Vec<Step> {
        lock(&self.0.steps).clone()
    }

    pub(super) fn numbers(&self) -> usize {
        lock(&self.0.names).next
    }

    pub(super) fn normalize(&self, text: &str) -> String {
        lock(&self.0.names).normalize(text)
    }
}

impl EventLog {
    fn record(&self, event: &Event<&Path>) {
        let Some(event) = self.localize(event) else { return };
        lock(&self.steps).push(Step::Did(OPERATION.get(), event.clone()));
        if matches!(event, Event::Sync(_)) {
            // Syncs don't count: they change nothing that the interrupting writer can read.
            return;
        }
        let now = lock(&self.interruption).take_if(|(after, _)| {
            *after -= 1;
            *after == 0
        });
        if let Some((_, act)) = now {
            // On another thread: this one may be inside a runtime.
            thread::spawn(act).join().unwrap_or_else(|panic| panic::resume_unwind(panic));
        }
    }

    /// The event with paths relative to the root; `None` if it isn't under it.
    fn localize(&self, event: &Event<&Path>) -> Option<Event> {
        let mut names = lock(&self.names);
        let mut local = |path: &Path| Some(names.normalize(path.strip_prefix(&self.root).ok()?.to_str()?));
        Some(match event {
            Event::CreateFolders(path) => Event::CreateFolders(local(path)?),
            Event::CreateFolder(path) => Event::CreateFolder(local(path)?),
            Event::CreateFile(path) => Event::CreateFile(local(path)?),
            Event::Write(path, bytes) => Event::Write(local(path)?, bytes.clone()),
            Event::WriteAt(path, offset, bytes) => Event::WriteAt(local(path)?, *offset, bytes.clone()),
            Event::SetLength(path, length) => Event::SetLength(local(path)?, *length),
            Event::Link(target, path) => {
                let path = local(path)?;
                Event::Link(names.normalize(target.to_str()?), path)
            }
            Event::Rename(from, to) => Event::Rename(local(from)?, local(to)?),
            Event::Remove(path) => Event::Remove(local(path)?),
            Event::Sync(path) => Event::Sync(local(path)?),
        })
    }
}

/// Replaces the random parts of names by numbers, so that equal states of different runs compare equal.
#[derive(Debug, Default)]
struct Names {
    /// The replacement of each random part.
    numbered: HashMap<String, String>,
    /// The last number that was assigned.
    next: usize,
}

impl Names {
    fn normalize(&mut self, path: &str) -> String {
        path.split('/').map(|name| self.normalize_name(name)).collect::<Vec<_>>().join("/")
    }

    fn normalize_name(&mut self, name: &str) -> String {
        if let Some(generation) = name.strip_suffix(".corrupt") {
            return format!("{}.corrupt", self.normalize_name(generation));
        }
        match name.rsplit_once('-') {
            Some((start, random)) if random.len() == 16 && random != BARE_PAIR && !random.starts_with(NORMALIZED) => {
                let next = &mut self.next;
                let number = self.numbered.entry(random.into()).or_insert_with(|| {
                    *next += 1;
                    format!("{NORMALIZED}{next:010}")
                });
                format!("{start}-{number}")
            }
            _ => name.into(),
        }
    }
}

const NORMALIZED: &str = "random";

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
