//! What a publish retires is removed after its answer: to free what three files and folders occupied takes the system as
//! long as a sync, and nobody waits for it.
//!
//! 1. Under `.lock`, after the commit: one small generation, or dead writer's stage, is claimed by the lock on its JSON
//!    (`expire.rs`).
//! 2. Without `.lock`: it is handed to the runtime's blocking pool, and the publish answers. If the one before is still
//!    waiting or under way there, this writer removes its own itself: no more than one ever waits.
//! 3. The pool removes it, if it still isn't retained; or, if the runtime shuts down before that, whoever drops it from the
//!    queue; or, if the process dies, the next writer, who finds it unlocked.

use crate::{expire::Doomed, layout::Layout, lock::Owner};
use minisnap_core::{Collected, events, spawn_blocking};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use tokio::runtime::Handle;

/// The one that waits to be removed, of all clones of a backend.
#[derive(Debug, Clone)]
pub(crate) struct Later {
    layout: Layout,
    /// Held while it is being removed.
    waiting: Arc<Mutex<Option<Doomed>>>,
    owner: Owner,
}

const REMOVE: &str = "remove an expired generation";

impl Later {
    pub(crate) fn new(layout: &Layout) -> Self {
        Self { layout: layout.clone(), waiting: Arc::default(), owner: Owner::this_process() }
    }

    /// Steps 2 and 3. What can't be removed waits for the next publish.
    pub(crate) fn remove(&self, doomed: Doomed) {
        match self.put(doomed) {
            Ok(finish) => {
                if let Ok(runtime) = Handle::try_current() {
                    // To drop it is to do it, whether the pool comes to it or not, and where no thread can be started.
                    let _ = spawn_blocking(&runtime, move || drop(finish));
                }
            }
            Err(doomed) => {
                events::best_effort(REMOVE, doomed.remove_later(&self.layout));
            }
        }
    }

    /// Removes, now, the one that waits, and waits for the one that is being removed.
    /// Returns what this removed.
    pub(crate) fn finish(&self) -> Collected {
        if !self.is_usable() {
            return Collected::default();
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let removed = waiting.take().map(|doomed| doomed.remove_later(&self.layout));
        removed.and_then(|removed| events::best_effort(REMOVE, removed)).unwrap_or_default()
    }

    /// Gives it back if there is one already.
    fn put(&self, doomed: Doomed) -> Result<FinishOnDrop, Doomed> {
        if !self.is_usable() {
            return Err(doomed);
        }
        let mut waiting = match self.waiting.try_lock() {
            Ok(waiting) => waiting,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(doomed),
        };
        if waiting.is_some() {
            return Err(doomed);
        }
        *waiting = Some(doomed);
        Ok(FinishOnDrop(self.clone()))
    }

    /// A forked child may have inherited it in the middle of a removal, which goes on only in its parent.
    fn is_usable(&self) -> bool {
        self.owner.is_this_process()
    }
}

/// A runtime that shuts down drops what it hasn't begun.
#[derive(Debug)]
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
        backend, commit,
        disk::Disk,
        expire::clean_but_one,
        healing::FoundCorrupt,
        layout::{GENERATION_ENTRIES, GenerationName, Layout},
        lock::{Caller, StoreLock, Writer, writer_of},
        record::History,
    };
    use minisnap_core::{Digest, Operation};
    use std::{
        fs::{self, File},
        path::{Path, PathBuf},
        sync::mpsc,
        thread,
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
            let (disk, layout) = (Disk::new(Operation::Commit), Layout::new(guard.path().into()));
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

        fn later(&self) -> Later {
            Later::new(&self.layout)
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
        let (store, (runtime, go_on)) = (Store::new(), busy());
        let later = store.later();
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
        let (store, (runtime, _go_on)) = (Store::new(), busy());
        let later = store.later();
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
    fn a_runtime_that_shuts_down_removes_what_it_does_not_come_to() {
        let (store, (runtime, go_on)) = (Store::new(), busy());
        let (doomed, folder) = store.doomed();
        let handle = runtime.handle().clone();
        go_on.send(()).expect("it waits for that");
        drop(runtime);
        let _within = handle.enter();
        store.later().remove(doomed);
        assert!(!folder.exists());
    }

    #[test]
    fn while_one_is_being_removed_nobody_waits_for_that() {
        let store = Store::new();
        let (later, (doomed, folder)) = (store.later(), store.doomed());
        let under_way = later.waiting.lock().expect("nobody has it");
        let (tell, hear) = mpsc::channel();
        let same = later.clone();
        thread::spawn(move || {
            same.remove(doomed);
            tell.send(())
        });
        hear.recv_timeout(Duration::from_secs(20)).expect("it comes to an end");
        assert!(!folder.exists());
        drop(under_way);
    }

    #[test]
    fn a_forked_child_removes_its_own_itself_and_leaves_its_parents_to_that() {
        let store = Store::new();
        let mut later = store.later();
        let (parents, parents_folder) = store.doomed();
        let _waiting = later.put(parents).expect("there is none yet");
        later.owner = Owner::nobody();
        let (own, own_folder) = store.doomed();
        later.remove(own);
        later.finish();
        assert!(parents_folder.exists() && !own_folder.exists());
    }

    #[test]
    fn what_is_retained_again_by_then_stays() {
        let store = Store::new();
        let (doomed, folder) = store.doomed();
        let name = folder.file_name().expect("its name");
        // As an operator may, by hand.
        store.disk.link(Path::new(name), &store.layout.current()).expect("a commit record");
        fs::remove_file(folder.join("retained")).expect("it is there");
        store.disk.link(Path::new("1"), &folder.join("retained")).expect("a link");
        store.later().remove(doomed);
        assert!(folder.join("snapshot.json").exists());
    }

    #[test]
    fn a_history_with_a_gap_protects_what_waits() {
        let store = Store::new();
        let (doomed, folder) = store.doomed();
        let name = GenerationName::new(2, Digest::of(b"")).expect("a name");
        store.disk.link(Path::new(name.as_str()), &store.layout.current()).expect("a commit record");
        store.later().remove(doomed);
        assert!(folder.exists());
    }

    #[test]
    fn a_sweep_removes_what_waits() {
        let store = Store::new();
        let later = store.later();
        let (doomed, folder) = store.doomed();
        let _waiting = later.put(doomed).expect("there is none yet");
        let caller = Caller::default();
        let swept = backend::Store {
            layout: store.layout.clone(),
            patience: Duration::ZERO,
            later,
            found_corrupt: FoundCorrupt::default(),
        };
        commit::collect_garbage(&swept, &caller.watch()).expect("nothing is in its way");
        assert!(!folder.exists());
    }

    #[test]
    fn without_a_runtime_it_is_removed_at_once() {
        let store = Store::new();
        let (doomed, folder) = store.doomed();
        store.later().remove(doomed);
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
        store.later().remove(doomed);
        assert!(restored.exists());
    }

    #[test]
    fn what_cannot_be_removed_whole_is_still_known_for_somebodys() {
        let store = Store::new();
        let (doomed, folder) = store.doomed();
        fs::remove_file(folder.join("snapshot.seq")).expect("it is there");
        fs::create_dir(folder.join("snapshot.seq")).expect("what can't be removed like a file");
        doomed.remove_later(&store.layout).expect_err("it can't be removed");
        assert!(folder.join("snapshot.json").exists(), "others tell by its lock whose it is: it goes last");
    }

    #[test]
    fn whoever_died_before_it_was_removed_leaves_it_to_the_next() {
        let store = Store::new();
        let (doomed, folder) = store.doomed();
        drop(doomed);
        assert!(folder.exists());
        store.later().remove(store.retire().expect("it is nobody's"));
        assert!(!folder.exists());
    }
}
