//! The two locks: `.lock`, held while the commit record is replaced, and that on a stage's JSON, held as long as its writer
//! lives. Both are the system's (`flock`), so a writer that dies lets go of them. Readers take none.

use crate::{
    caller::CallerWatch,
    store_dir::StoreDir,
    sys::{self, Identity},
};
use minisnap_core::{MiniSnapError, Result, format::JSON_NAME};
use std::{
    fs::File,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// `.lock`, held. Only its holder changes what is current.
#[derive(Debug)]
pub(crate) struct StoreLock {
    file: File,
    identity: Identity,
    path: PathBuf,
    process: Process,
}

impl StoreLock {
    /// Takes the lock, waiting as long as the store says. A cancelled caller never acquires it, so it changes nothing any more.
    pub(crate) fn acquire(store: &StoreDir, caller: &CallerWatch) -> Result<Self> {
        Self::acquire_within(store, caller, store.busy_timeout)
    }

    /// The same, waiting so long.
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
                if caller.is_gone() {
                    return Err(busy("the caller is gone"));
                }
                // The file may have been removed while this waited: then others lock a new one.
                if is_at(&lock.identity, &path)? {
                    return Ok(lock);
                }
                drop(lock);
                file = store.open_or_create(&path)?;
            }
            if caller.is_gone() {
                return Err(busy("the caller is gone"));
            }
            if start.elapsed() >= timeout {
                return Err(busy(&held_by_another(&file)));
            }
            // Polling, because a blocked `flock` has no deadline and can't be called off.
            thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Makes sure that no other writer can hold the store's lock.
    ///
    /// # Errors
    ///
    /// `Busy` if the file was removed: then others may hold a new one.
    pub(crate) fn check_still_the_stores(&self) -> Result<()> {
        if is_at(&self.identity, &self.path)? {
            return Ok(());
        }
        Err(busy(&self.path, Duration::ZERO, "another program removed the lock file while it was held"))
    }
}

fn busy(path: &Path, waited: Duration, reason: &str) -> MiniSnapError {
    MiniSnapError::Busy { at: sys::at(path), waited, reason: reason.into() }
}

/// Says who holds the lock, where the system tells.
fn held_by_another(file: &File) -> String {
    #[cfg(target_os = "linux")]
    let holder = crate::holder::of(file);
    #[cfg(not(target_os = "linux"))]
    let holder: Option<String> = None;
    match holder {
        Some(holder) => format!("another writer holds the lock: {holder}"),
        None => "another writer holds the lock (`fuser` on this path shows which)".into(),
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

/// The process that made something, and may undo it. A forked child has the same open files: if it unlocked or removed what
/// it inherited, it would do so under its living parent.
#[derive(Debug, Clone, Copy)]
struct Process(u32);

impl Process {
    fn this() -> Self {
        Self(std::process::id())
    }

    /// One that no process is.
    #[cfg(test)]
    fn nobody() -> Self {
        Self(0)
    }

    fn is_this(self) -> bool {
        self.0 == std::process::id()
    }
}

/// A stage's or generation's JSON, locked for as long as its writer lives.
#[derive(Debug)]
pub(crate) struct WriterLock {
    file: File,
    path: PathBuf,
    process: Process,
}

impl WriterLock {
    /// Creates the JSON in a new `folder` and locks it. Under the [`StoreLock`], so that nobody sees it unlocked.
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

    /// Whether the process that made it is this one, and not a forked child of it.
    pub(crate) fn is_owned(&self) -> bool {
        self.process.is_this()
    }

    /// Whether the file is still where this put it.
    pub(crate) fn is_still_there(&self) -> Result<bool> {
        is_at(&Identity::of(&sys::metadata_of(&self.file, &self.path)?), &self.path)
    }

    /// The file was renamed along with its folder.
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

/// Whether the writer of a stage or generation is gone: nobody has locked its JSON, or there is none. To be asked under the
/// [`StoreLock`]. In doubt, its writer lives.
pub(crate) fn is_writer_gone(folder: &Path) -> bool {
    let path = folder.join(JSON_NAME);
    match sys::open(&path) {
        Ok(None) => true,
        Ok(Some(file)) => {
            let is_gone = sys::try_lock(&file, &path).unwrap_or(false);
            if is_gone {
                // Closing it isn't enough: a child that was forked meanwhile has it open, too.
                sys::unlock(&file);
            }
            is_gone
        }
        Err(_) => false,
    }
}

/// Whether the writer of a stage or generation lives, as far as that can be seen without a lock. To try the lock takes it for a
/// moment, and a writer that tries meanwhile would take this reader for a living writer.
///
/// `false` where the system doesn't tell: it isn't Linux, `/proc` isn't mounted, or the writer is in another namespace.
pub(crate) fn is_writer_seen(folder: &Path) -> Result<bool> {
    let Some(file) = sys::open(&folder.join(JSON_NAME))? else { return Ok(false) };
    #[cfg(target_os = "linux")]
    let is_locked = crate::holder::is_locked(&file);
    #[cfg(not(target_os = "linux"))]
    let is_locked = drop(file) != ();
    Ok(is_locked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::Caller;
    use tempfile::TempDir;

    /// A folder with both locks taken, and the open files as a forked child would have them.
    fn locked() -> (TempDir, StoreLock, WriterLock, [File; 2]) {
        let folder = TempDir::new().expect("a temporary folder");
        let dir = store_of(&folder);
        dir.create_folders().expect("a folder");
        let store = store_lock(&folder).expect("nobody has it yet");
        let writer = WriterLock::create(&dir, folder.path(), 0o666).expect("nobody has it yet");
        let inherited = [&store.file, &writer.file].map(|file| file.try_clone().expect("another handle"));
        (folder, store, writer, inherited)
    }

    fn store_of(folder: &TempDir) -> StoreDir {
        StoreDir::new(folder.path().into(), Duration::ZERO)
    }

    fn store_lock(folder: &TempDir) -> Result<StoreLock> {
        let caller = Caller::default();
        StoreLock::acquire(&store_of(folder), &caller.watch())
    }

    fn writer_is_gone(folder: &TempDir) -> bool {
        assert!(folder.path().join(JSON_NAME).exists());
        is_writer_gone(folder.path())
    }

    #[test]
    fn lock_is_released_when_a_forked_child_inherited_it() {
        let (folder, store, writer, _inherited) = locked();
        assert!(store_lock(&folder).is_err());
        assert!(!writer_is_gone(&folder));
        drop((store, writer));
        drop(store_lock(&folder).expect("it was let go"));
        assert!(writer_is_gone(&folder));
        assert!(writer_is_gone(&folder), "who asked let go of it");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn living_writer_is_seen_without_taking_its_lock() {
        let (folder, _store, writer, inherited) = locked();
        let is_seen = || is_writer_seen(folder.path()).expect("it can be looked at");
        assert!(is_seen());
        drop((writer, inherited));
        assert!(!is_seen());
        assert!(writer_is_gone(&folder));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn busy_error_names_the_process_that_holds_the_lock() {
        let (folder, store, _writer, inherited) = locked();
        let holder = format!("another writer holds the lock: this process itself ({})", std::process::id());
        let error = store_lock(&folder).expect_err("it is held").to_string();
        assert!(error.contains(&holder), "{error}");
        drop((store, inherited));
        assert_eq!(crate::holder::of(&File::open(folder.path().join("snapshots/.lock")).expect("the lock")), None);
    }

    #[test]
    fn lock_stays_when_a_forked_child_drops_it() {
        let (folder, mut store, mut writer, _parents) = locked();
        (store.process, writer.process) = (Process::nobody(), Process::nobody());
        assert!(!writer.is_owned());
        drop((store, writer));
        assert!(store_lock(&folder).is_err());
        assert!(!writer_is_gone(&folder));
    }
}
