//! The two locks: `.lock`, held while the commit record is replaced, and the lock on a stage's JSON, held while its writer runs.
//! Both are `flock` locks, which the system releases when the process ends. Readers take none.

use crate::{
    store_dir::StoreDir,
    sys::{self, Identity},
};
use minisnap_core::{CallerWatch, MiniSnapError, Result, format::JSON_NAME};
use std::{
    fs::File,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// `.lock`, held. Only its holder replaces the commit record.
#[derive(Debug)]
pub(crate) struct StoreLock {
    file: File,
    identity: Identity,
    path: PathBuf,
    process: Process,
}

impl StoreLock {
    /// Acquires the lock, waiting at most the store's timeout. A cancelled caller never acquires the lock, so it changes nothing any
    /// more.
    pub(crate) fn acquire(store: &StoreDir, caller: &CallerWatch) -> Result<Self> {
        Self::acquire_within(store, caller, store.busy_timeout)
    }

    /// Acquires the lock, waiting at most `timeout`.
    pub(crate) fn acquire_within(store: &StoreDir, caller: &CallerWatch, timeout: Duration) -> Result<Self> {
        const SHORTEST_PAUSE: Duration = Duration::from_micros(50);
        const LONGEST_PAUSE: Duration = Duration::from_millis(2);
        let path = store.lock();
        let start = Instant::now();
        let busy = |reason: &str| busy(&path, start.elapsed(), reason);
        let mut pause = SHORTEST_PAUSE;
        let mut file = store.open_or_create(&path)?;
        loop {
            if sys::try_lock(&file, &path)? {
                let identity = Identity::of(&sys::metadata_of(&file, &path)?);
                let lock = Self { file, identity, path: path.clone(), process: Process::this() };
                caller.check(|| sys::at(&path))?;
                // If the file was removed during the wait, other writers lock a new one.
                if is_at(&lock.identity, &path)? {
                    return Ok(lock);
                }
                drop(lock);
                file = store.open_or_create(&path)?;
            }
            caller.check(|| sys::at(&path))?;
            if start.elapsed() >= timeout {
                return Err(busy(&held_by_another(&file)));
            }
            // Polling, since a blocking `flock` has no timeout and can't be cancelled.
            thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Checks that no other writer can hold the store's lock.
    ///
    /// # Errors
    ///
    /// `Busy` if the file was removed: then another writer may hold the lock on a new file.
    pub(crate) fn check_still_held(&self) -> Result<()> {
        if is_at(&self.identity, &self.path)? {
            return Ok(());
        }
        Err(busy(&self.path, Duration::ZERO, "another program removed the lock file while it was held"))
    }
}

fn busy(path: &Path, waited: Duration, reason: &str) -> MiniSnapError {
    MiniSnapError::Busy { at: sys::at(path), waited, reason: reason.into() }
}

/// The reason of `Busy`: names the process that holds the lock, if it can be found.
fn held_by_another(file: &File) -> String {
    #[cfg(target_os = "linux")]
    let holder = crate::lock_holder::describe(file);
    #[cfg(not(target_os = "linux"))]
    let holder: Option<String> = None;
    match holder {
        Some(holder) => format!("another writer holds the lock: {holder}"),
        None => "another writer holds the lock: its process is unknown".into(),
    }
}

impl Drop for StoreLock {
    fn drop(&mut self) {
        if self.process.is_this() {
            sys::unlock(&self.file);
        }
    }
}

/// Whether a file is still the one at `path`.
fn is_at(file: &Identity, path: &Path) -> Result<bool> {
    Ok(sys::metadata(path)?.is_some_and(|found| Identity::of(&found).is_same_file(file)))
}

/// The process that acquired a lock. Only this process releases it: a forked child inherits the open file, and would release the
/// lock of its running parent.
#[derive(Debug, Clone, Copy)]
struct Process(u32);

impl Process {
    fn this() -> Self {
        Self(std::process::id())
    }

    /// An id that no process has.
    #[cfg(test)]
    fn none() -> Self {
        Self(0)
    }

    fn is_this(self) -> bool {
        self.0 == std::process::id()
    }
}

/// The JSON of a stage or generation, locked while its writer runs.
#[derive(Debug)]
pub(crate) struct WriterLock {
    file: File,
    path: PathBuf,
    process: Process,
}

impl WriterLock {
    /// Creates the JSON in a new `folder` and locks it. The caller holds the [`StoreLock`], so that no garbage collection finds the
    /// file unlocked.
    pub(crate) fn create(store: &StoreDir, folder: &Path, mode: u32) -> Result<Self> {
        let path = folder.join(JSON_NAME);
        let file = store.create_file(&path, mode)?;
        let lock = Self { file, path, process: Process::this() };
        if sys::try_lock(&lock.file, &lock.path)? {
            return Ok(lock);
        }
        Err(busy(&lock.path, Duration::ZERO, "another program locked the new file"))
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this process acquired the lock. False in a forked child.
    pub(crate) fn is_owned(&self) -> bool {
        self.process.is_this()
    }

    /// Whether the file is still at its path.
    pub(crate) fn is_still_there(&self) -> Result<bool> {
        is_at(&Identity::of(&sys::metadata_of(&self.file, &self.path)?), &self.path)
    }

    /// Notes that the file was renamed along with its folder.
    pub(crate) fn moved_to(&mut self, folder: &Path) {
        self.path = folder.join(JSON_NAME);
    }
}

impl Drop for WriterLock {
    fn drop(&mut self) {
        if self.is_owned() {
            sys::unlock(&self.file);
        }
    }
}

/// Whether a stage or generation has no running writer: its JSON isn't locked, or doesn't exist. If that can't be determined, the
/// writer counts as running. The caller holds the [`StoreLock`].
pub(crate) fn has_no_writer(folder: &Path) -> bool {
    let path = folder.join(JSON_NAME);
    match sys::open(&path) {
        Ok(None) => true,
        Ok(Some(file)) => {
            let is_unlocked = sys::try_lock(&file, &path).unwrap_or(false);
            if is_unlocked {
                // Closing the file isn't enough: a child that was just forked has it open, too.
                sys::unlock(&file);
            }
            is_unlocked
        }
        Err(_) => false,
    }
}

/// Whether a running writer of a stage or generation is visible in `/proc`. A reader must not use `try_lock`: it would hold the lock for
/// a moment, and a garbage collection would take the reader for a running writer.
///
/// `false` if this can't be determined: the system isn't Linux, `/proc` isn't mounted, or the writer is in another namespace.
pub(crate) fn has_visible_writer(folder: &Path) -> Result<bool> {
    let Some(file) = sys::open(&folder.join(JSON_NAME))? else { return Ok(false) };
    #[cfg(target_os = "linux")]
    let is_locked = crate::lock_holder::is_locked(&file);
    #[cfg(not(target_os = "linux"))]
    let is_locked = {
        drop(file);
        false
    };
    Ok(is_locked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    /// A folder with both locks held, and copies of the open files, as a forked child has them.
    fn locked() -> (TempDir, StoreLock, WriterLock, [File; 2]) {
        let folder = TempDir::new().expect("a temporary folder");
        let dir = store_of(&folder);
        dir.create_folders().expect("a folder");
        let store = store_lock(&folder).expect("it is free");
        let writer = WriterLock::create(&dir, folder.path(), 0o666).expect("it is free");
        let inherited = [&store.file, &writer.file].map(|file| file.try_clone().expect("another handle"));
        (folder, store, writer, inherited)
    }

    fn store_of(folder: &TempDir) -> StoreDir {
        StoreDir::new(folder.path().into(), Duration::ZERO)
    }

    fn store_lock(folder: &TempDir) -> Result<StoreLock> {
        let caller = minisnap_core::Caller::new();
        StoreLock::acquire(&store_of(folder), &caller.watch())
    }

    fn is_without_writer(folder: &TempDir) -> bool {
        assert!(folder.path().join(JSON_NAME).exists());
        has_no_writer(folder.path())
    }

    #[test]
    fn lock_is_released_when_a_forked_child_inherited_it() {
        let (folder, store, writer, _inherited) = locked();
        assert!(store_lock(&folder).is_err());
        assert!(!is_without_writer(&folder));
        drop((store, writer));
        drop(store_lock(&folder).expect("it was released"));
        assert!(is_without_writer(&folder));
        assert!(is_without_writer(&folder), "the check released the lock");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn running_writer_is_visible_without_taking_its_lock() {
        let (folder, _store, writer, inherited) = locked();
        let is_visible = || has_visible_writer(folder.path()).expect("it can be read");
        assert!(is_visible());
        drop((writer, inherited));
        assert!(!is_visible());
        assert!(is_without_writer(&folder));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn busy_error_names_the_process_that_holds_the_lock() {
        let (folder, store, _writer, inherited) = locked();
        let holder = format!("another writer holds the lock: this process itself ({})", std::process::id());
        let error = store_lock(&folder).expect_err("it is held").to_string();
        assert!(error.contains(&holder), "{error}");
        drop((store, inherited));
        assert_eq!(
            crate::lock_holder::describe(&File::open(folder.path().join("snapshots/.lock")).expect("the lock")),
            None
        );
    }

    #[test]
    fn lock_stays_held_when_a_forked_child_drops_it() {
        let (folder, mut store, mut writer, _parents) = locked();
        (store.process, writer.process) = (Process::none(), Process::none());
        assert!(!writer.is_owned());
        drop((store, writer));
        assert!(store_lock(&folder).is_err());
        assert!(!is_without_writer(&folder));
    }
}
