//! The other end of the seam in `sys/change.rs`: what took effect on the disk, in order.

use super::{expect::Expect, open_files};
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
    /// From here on this is what may be found.
    Expect(Arc<Expect>),
}

static RECORDINGS: Mutex<Vec<Arc<Tape>>> = Mutex::new(Vec::new());

struct Tape {
    root: PathBuf,
    names: Mutex<Names>,
    steps: Mutex<Vec<Step>>,
    interruption: Mutex<Option<Interruption>>,
}

/// After how many more changes of the disk to do what.
type Interruption = (usize, Box<dyn FnOnce() + Send>);

/// A copy: what is done between two calls makes calls itself, on another thread.
fn recordings() -> Vec<Arc<Tape>> {
    lock(&RECORDINGS).clone()
}

thread_local! {
    static OPERATION: Cell<Operation> = const { Cell::new(Operation::Write) };
}

/// What is done on this thread is a part of `operation`, until this is dropped.
pub(crate) fn during(operation: Operation) -> impl Drop {
    struct Before(Operation);
    impl Drop for Before {
        fn drop(&mut self) {
            OPERATION.set(self.0);
        }
    }
    Before(OPERATION.replace(operation))
}

/// Records an event in the recording whose root it is under, if any. Called by `sys/change.rs`, on whichever thread that is.
pub(crate) fn record(event: Event<&Path>) {
    for tape in recordings() {
        tape.record(&event);
    }
}

/// The same for a write to an open file, or its sync: of the file that it is, wherever that is.
pub(crate) fn record_of_open(file: &File, event: Event<&Path>) {
    for tape in recordings() {
        let path = |path: &Path| open_files::path_of(file, path, &tape.root);
        match &event {
            Event::Write(said, bytes) => {
                path(said).iter().for_each(|path| tape.record(&Event::Write(path, bytes.clone())));
            }
            Event::Sync(said) => path(said).iter().for_each(|path| tape.record(&Event::Sync(path))),
            other => unreachable!("{other:?} is not done to an open file"),
        }
    }
}

/// What happens under a folder, from `start` to `end`.
#[derive(Clone)]
pub(super) struct Recording(Arc<Tape>);

impl Recording {
    /// `root` must be a canonical path. `numbers` were given to names already: see [`Names`].
    pub(super) fn start(root: &Path, numbers: usize) -> Self {
        let names = Mutex::new(Names { next: numbers, ..Names::default() });
        let tape = Tape { root: root.into(), names, steps: Mutex::default(), interruption: Mutex::default() };
        let tape = Arc::new(tape);
        lock(&RECORDINGS).push(tape.clone());
        Self(tape)
    }

    /// Does something between two calls of a program: after the `after`th from now on that changes the disk.
    pub(super) fn interrupt(&self, after: usize, act: impl FnOnce() + Send + 'static) {
        *lock(&self.0.interruption) = Some((after, Box::new(act)));
    }

    pub(super) fn end(&self) {
        lock(&RECORDINGS).retain(|tape| !Arc::ptr_eq(tape, &self.0));
    }

    pub(super) fn push(&self, step: Step) {
        lock(&self.0.steps).push(step);
    }

    /// Forgets all but the first `length` steps.
    pub(super) fn cut(&self, length: usize) {
        lock(&self.0.steps).truncate(length);
    }

    pub(super) fn steps(&self) -> Vec<Step> {
        lock(&self.0.steps).clone()
    }

    pub(super) fn numbers(&self) -> usize {
        lock(&self.0.names).next
    }

    pub(super) fn tame(&self, text: &str) -> String {
        lock(&self.0.names).tame(text)
    }
}

impl Tape {
    fn record(&self, event: &Event<&Path>) {
        let Some(event) = self.localize(event) else { return };
        lock(&self.steps).push(Step::Did(OPERATION.get(), event.clone()));
        if matches!(event, Event::Sync(_)) {
            // Some of these are made side by side, in any order.
            return;
        }
        let now = lock(&self.interruption).take_if(|(after, _)| {
            *after -= 1;
            *after == 0
        });
        if let Some((_, act)) = now {
            // This one may be in the middle of a runtime.
            thread::spawn(act).join().unwrap_or_else(|panic| panic::resume_unwind(panic));
        }
    }

    /// The event with paths relative to the root; `None` if it isn't under it.
    fn localize(&self, event: &Event<&Path>) -> Option<Event> {
        let mut names = lock(&self.names);
        let mut local = |path: &Path| Some(names.tame(path.strip_prefix(&self.root).ok()?.to_str()?));
        Some(match event {
            Event::CreateFolders(path) => Event::CreateFolders(local(path)?),
            Event::CreateFolder(path) => Event::CreateFolder(local(path)?),
            Event::CreateFile(path) => Event::CreateFile(local(path)?),
            Event::Write(path, bytes) => Event::Write(local(path)?, bytes.clone()),
            Event::SetLength(path, length) => Event::SetLength(local(path)?, *length),
            Event::Link(target, path) => {
                let path = local(path)?;
                Event::Link(names.tame(target.to_str()?), path)
            }
            Event::Rename(from, to) => Event::Rename(local(from)?, local(to)?),
            Event::Remove(path) => Event::Remove(local(path)?),
            Event::Sync(path) => Event::Sync(local(path)?),
        })
    }
}

/// Gives random parts of names a number instead, so that equal states of different runs are equal.
#[derive(Debug, Default)]
struct Names {
    numbered: HashMap<String, String>,
    next: usize,
}

impl Names {
    fn tame(&mut self, path: &str) -> String {
        path.split('/').map(|name| self.tame_name(name)).collect::<Vec<_>>().join("/")
    }

    fn tame_name(&mut self, name: &str) -> String {
        if let Some(generation) = name.strip_suffix(".corrupt") {
            return format!("{}.corrupt", self.tame_name(generation));
        }
        match name.rsplit_once('-') {
            Some((start, random))
                if random.len() == 16 && random != "adoptedplainpair" && !random.starts_with(TAME) =>
            {
                let next = &mut self.next;
                let tame = self.numbered.entry(random.into()).or_insert_with(|| {
                    *next += 1;
                    format!("{TAME}{next:010}")
                });
                format!("{start}-{tame}")
            }
            _ => name.into(),
        }
    }
}

const TAME: &str = "random";

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
