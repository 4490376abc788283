//! A simulated machine, on whose disk programs use a store. Every change of the disk is recorded.

use super::{
    expected::{Expected, Recovery, Snapshots},
    recorder::{Recording, Step},
    trace::Trace,
};
use crate::FsBackend;
use minisnap_crash_model::Tree;
use std::{
    fs,
    future::Future,
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;

/// A machine with a store in the folder `dir` of its disk, and the recording of its programs, which run one after the other.
pub(super) struct Run {
    machine: TempDir,
    dir: &'static str,
    pub(super) start: Arc<Tree>,
    pub(super) first_expected: Arc<Expected>,
    pub(super) expect: Arc<Expected>,
    pub(super) recording: Recording,
    /// Power losses before this step aren't checked.
    pub(super) from: usize,
    /// The handle of all operations; with `None`, each operation has a handle of its own.
    handle: Option<FsBackend>,
}

impl Run {
    /// A machine with `tree` on its disk, all of it durable. `expect` describes its state.
    pub(super) fn new(dir: &'static str, tree: Tree, expect: Expected) -> Self {
        Self::on(Arc::new(tree), dir, Arc::new(expect), 0)
    }

    pub(super) fn on(tree: Arc<Tree>, dir: &'static str, expect: Arc<Expected>, numbers: usize) -> Self {
        let machine = test_dir();
        fs::remove_dir(machine.path()).and_then(|()| tree.write_to(machine.path())).expect("write the disk");
        let recording = Recording::start(machine.path(), numbers);
        Self { machine, dir, start: tree, first_expected: expect.clone(), expect, recording, from: 0, handle: None }
    }

    /// The root of the disk.
    pub(super) fn root(&self) -> &Path {
        self.machine.path()
    }

    pub(super) fn path(&self) -> PathBuf {
        self.machine.path().join(self.dir)
    }

    /// From here on all operations use one handle, with its cache, and with stages in memory. Not for a run after a kill.
    pub(super) fn by_one_handle(mut self) -> Self {
        self.handle = Some(FsBackend::new(self.path()));
        self
    }

    pub(super) fn backend(&self) -> FsBackend {
        self.handle.clone().unwrap_or_else(|| FsBackend::new(self.path()))
    }

    /// Whether nothing has changed the disk since [`make_all_durable`](Self::make_all_durable).
    pub(super) fn has_no_steps(&self) -> bool {
        self.recording.steps().is_empty()
    }

    /// The histories of which one may be found now.
    pub(super) fn expected(&self) -> Vec<Snapshots> {
        self.expect.one_of.clone()
    }

    pub(super) fn recovery(&self) -> Recovery {
        self.expect.recovery
    }

    /// From here on, one of these histories must be found.
    pub(super) fn expect(&mut self, one_of: Vec<Snapshots>, recovery: Recovery) {
        self.expect = Arc::new(Expected { one_of, recovery });
        self.recording.push(Step::Expect(self.expect.clone()));
    }

    /// Declares everything so far durable.
    pub(super) fn make_all_durable(mut self) -> Self {
        self.recording.truncate(0);
        self.first_expected = self.expect.clone();
        let normalize = |text: &str| self.recording.normalize(text);
        self.start = Tree::read_from(self.machine.path(), &normalize).expect("read the disk");
        self
    }

    /// Checks power losses only from here on: an earlier one may lose what another program didn't sync.
    pub(super) fn check_from_here(mut self) -> Self {
        self.from = self.recording.steps().len();
        self
    }

    pub(super) fn end(self) -> Trace {
        self.recording.end();
        Trace {
            dir: self.dir,
            start: self.start,
            expect: self.first_expected,
            steps: self.recording.steps(),
            from: self.from,
            numbers: self.recording.numbers(),
        }
    }
}

/// A new temporary folder, in memory if possible.
pub(super) fn test_dir() -> TempDir {
    let memory = Path::new("/dev/shm");
    let location = if memory.is_dir() { memory.into() } else { std::env::temp_dir() };
    let location = fs::canonicalize(location).expect("a folder for temporary files");
    tempfile::tempdir_in(location).or_else(|_| TempDir::new()).expect("a temporary folder")
}

/// Runs a future to its end.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().expect("a runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(future))
}
