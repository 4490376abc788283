//! What a publish retires is removed after its answer: to free what three files and folders occupied takes the system as
//! long as a sync, and nobody waits for it.
//!
//! 1. Under `.lock`, after the commit: one small generation is claimed, by the lock on its JSON (`retire.rs`).
//! 2. Without `.lock`: it is handed to the runtime's blocking pool, and the publish answers. If the one before is still
//!    waiting or under way there, this writer removes its own itself: no more than one ever waits.
//! 3. The pool removes it; or, if the runtime shuts down before that, whoever drops it from the queue; or, if the process
//!    dies, the next writer, who finds it unlocked.

use crate::{lock::Owner, retire::Doomed};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use tokio::runtime::Handle;

/// The one that waits to be removed, of all clones of a backend.
#[derive(Debug, Clone)]
pub(crate) struct Later {
    /// Held while it is being removed.
    waiting: Arc<Mutex<Option<Doomed>>>,
    owner: Owner,
}

impl Later {
    pub(crate) fn new() -> Self {
        Self { waiting: Arc::default(), owner: Owner::this_process() }
    }

    /// Steps 2 and 3. What can't be removed waits for the next publish.
    pub(crate) fn remove(&self, doomed: Doomed) {
        if let Some(doomed) = self.put(doomed) {
            let _ = doomed.remove();
        } else if let Ok(runtime) = Handle::try_current() {
            let finish = FinishOnDrop(self.clone());
            runtime.spawn_blocking(move || drop(finish));
        } else {
            self.finish();
        }
    }

    /// Removes, now, the one that waits, and waits for the one that is being removed.
    pub(crate) fn finish(&self) {
        // A forked child may have inherited it in the middle of a removal that goes on only in its parent.
        if self.owner.is_this_process() {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(doomed) = waiting.take() {
                let _ = doomed.remove();
            }
        }
    }

    /// Gives it back if there is one already.
    fn put(&self, doomed: Doomed) -> Option<Doomed> {
        let mut waiting = match self.waiting.try_lock() {
            Ok(waiting) => waiting,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Some(doomed),
        };
        match &*waiting {
            Some(_) => Some(doomed),
            None => {
                *waiting = Some(doomed);
                None
            }
        }
    }
}

/// A runtime that shuts down drops what it hasn't begun.
struct FinishOnDrop(Later);

impl Drop for FinishOnDrop {
    fn drop(&mut self) {
        self.0.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        disk::Disk,
        layout::{GENERATION_ENTRIES, GenerationName, Layout},
        lock::{Caller, StoreLock, Writer, writer_of},
        record::History,
        retire::clean_but_one,
    };
    use minisnap_core::{Digest, Operation};
    use std::{
        fs::{self, File},
        path::PathBuf,
        sync::mpsc,
        time::Duration,
    };
    use tempfile::TempDir;
    use tokio::runtime::{Builder, Runtime};

    /// A store in which nothing is retained.
    struct Store {
        _guard: TempDir,
        disk: Disk,
        layout: Layout,
    }

    impl Store {
        fn new() -> Self {
            let guard = TempDir::new().expect("a temporary folder");
            let (disk, layout) = (Disk::new(Operation::Publish), Layout::new(guard.path().into()));
            disk.create_folders(&layout.snapshots()).expect("a folder");
            Self { _guard: guard, disk, layout }
        }

        /// A generation with `bytes` of JSON.
        fn generation(&self, bytes: u64) -> PathBuf {
            let name = GenerationName::new(1, Digest::of(b"")).expect("a name");
            let folder = self.layout.generation(&name);
            fs::create_dir(&folder).expect("a folder");
            GENERATION_ENTRIES.iter().for_each(|entry| fs::write(folder.join(entry), "").expect("a file"));
            File::options()
                .write(true)
                .open(folder.join("snapshot.json"))
                .and_then(|json| json.set_len(bytes))
                .expect("a length");
            folder
        }

        fn retire(&self) -> Option<Doomed> {
            let caller = Caller::default();
            let lock = StoreLock::acquire(self.disk, &self.layout, Duration::ZERO, &caller.watch()).expect("a lock");
            clean_but_one(self.disk, &self.layout, &lock, &History::default())
        }

        /// Retires a new generation.
        fn doomed(&self) -> (Doomed, PathBuf) {
            let folder = self.generation(1);
            (self.retire().expect("one"), folder)
        }
    }

    /// A runtime whose only thread for what blocks is busy until something is sent.
    fn busy() -> (Runtime, mpsc::Sender<()>) {
        let runtime = Builder::new_current_thread().max_blocking_threads(1).build().expect("a runtime");
        let (go_on, wait) = mpsc::channel();
        let (begun, has_begun) = mpsc::channel();
        runtime.spawn_blocking(move || {
            begun.send(()).expect("somebody waits");
            wait.recv()
        });
        has_begun.recv().expect("it begins");
        (runtime, go_on)
    }

    #[test]
    fn who_leaves_one_for_later_does_not_wait_for_it_and_the_pool_removes_it() {
        let (store, later, (runtime, go_on)) = (Store::new(), Later::new(), busy());
        let (doomed, folder) = store.doomed();
        let within = runtime.enter();
        later.remove(doomed);
        assert!(folder.exists(), "the pool is busy");
        assert!(matches!(writer_of(store.disk, &folder), Writer::Lives), "another writer leaves it alone");
        go_on.send(()).expect("it waits for that");
        drop(within);
        runtime.block_on(runtime.spawn_blocking(|| {})).expect("it is the last in the queue");
        assert!(!folder.exists());
    }

    #[test]
    fn no_more_than_one_waits() {
        let (store, later, (runtime, _go_on)) = (Store::new(), Later::new(), busy());
        let _within = runtime.enter();
        let (first, first_folder) = store.doomed();
        later.remove(first);
        let (second, second_folder) = store.doomed();
        later.remove(second);
        assert!(first_folder.exists() && !second_folder.exists());
        later.finish();
        assert!(!first_folder.exists(), "and a sweep doesn't wait for the pool");
    }

    #[test]
    fn a_runtime_that_shuts_down_removes_what_it_did_not_come_to() {
        let (store, later, (runtime, go_on)) = (Store::new(), Later::new(), busy());
        let (doomed, folder) = store.doomed();
        let within = runtime.enter();
        later.remove(doomed);
        drop(within);
        go_on.send(()).expect("it waits for that");
        drop(runtime);
        assert!(!folder.exists());
    }

    #[test]
    fn without_a_runtime_it_is_removed_at_once() {
        let store = Store::new();
        let (doomed, folder) = store.doomed();
        Later::new().remove(doomed);
        assert!(!folder.exists());
    }

    #[test]
    fn what_is_large_or_not_the_only_one_is_removed_under_the_lock() {
        let store = Store::new();
        let large = store.generation((8 << 20) + 1);
        assert!(store.retire().is_none());
        assert!(!large.exists());
        let small = [store.generation(8 << 20), store.generation(1), store.generation(1)];
        let left = store.retire().expect("one");
        assert_eq!(small.iter().filter(|folder| folder.exists()).count(), 1);
        drop(left);
    }

    #[test]
    fn what_has_its_name_by_now_stays() {
        let store = Store::new();
        let (doomed, folder) = store.doomed();
        fs::rename(&folder, store.layout.dir().join("elsewhere")).expect("an operator may move it");
        fs::create_dir(&folder).expect("a folder");
        let restored = folder.join("snapshot.json");
        fs::write(&restored, "1").expect("a restored backup");
        Later::new().remove(doomed);
        assert!(restored.exists());
    }

    #[test]
    fn what_cannot_be_removed_whole_is_still_known_for_somebodys() {
        let store = Store::new();
        let (doomed, folder) = store.doomed();
        fs::remove_file(folder.join("snapshot.seq")).expect("it is there");
        fs::create_dir(folder.join("snapshot.seq")).expect("what can't be removed like a file");
        doomed.remove().expect_err("it can't be removed");
        assert!(folder.join("snapshot.json").exists(), "others tell by its lock whose it is: it goes last");
    }

    #[test]
    fn whoever_died_before_it_was_removed_leaves_it_to_the_next() {
        let store = Store::new();
        let (doomed, folder) = store.doomed();
        drop(doomed);
        assert!(folder.exists());
        store.retire().expect("it is nobody's").remove().expect("it can be removed");
        assert!(!folder.exists());
    }
}
