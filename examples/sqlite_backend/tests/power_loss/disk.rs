//! A disk in memory for SQLite: a virtual file system that applies each call to the model, and records it.
//!
//! The path `/7/state.db` is the file `state.db` in the root folder of disk 7.

use minisnap_crash_model::{Event, Listing, Model, Tree};
use sqlite_vfs::{DatabaseHandle, LockKind, OpenAccess, OpenKind, OpenOptions, Vfs, WalDisabled};
use std::{
    collections::HashMap,
    io::{Error, ErrorKind, Result},
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// A disk with one folder.
#[derive(Clone)]
pub(crate) struct Disk {
    number: usize,
    state: Arc<Mutex<State>>,
}

struct State {
    model: Model,
    events: Vec<Event>,
    locks: HashMap<String, Locks>,
    /// How often the power was cut. Files that were opened before can't be used.
    cuts: usize,
    /// Whether the sync that ends the next commit succeeds, and its answer is lost.
    loses_answer: bool,
}

/// The locks on a file, as in SQLite's own file systems.
#[derive(Default)]
struct Locks {
    readers: usize,
    /// The lock of the one connection that holds more than a shared lock.
    writer: Option<LockKind>,
}

/// Every disk of this process, by number. The file system is registered with the first one.
static DISKS: LazyLock<Mutex<Vec<Disk>>> = LazyLock::new(|| {
    sqlite_vfs::register("recorded", RecordedDisks, false).expect("the name is free");
    Mutex::default()
});

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Disk {
    pub(crate) fn new() -> Self {
        let mut disks = lock(&DISKS);
        let model = Model::of(&Tree::Folder(Listing::new()));
        let state = State { model, events: Vec::new(), locks: HashMap::new(), cuts: 0, loses_answer: false };
        let disk = Self { number: disks.len(), state: Arc::new(Mutex::new(state)) };
        disks.push(disk.clone());
        disk
    }

    /// The URI of a database on this disk.
    pub(crate) fn uri(&self, name: &str) -> String {
        format!("file:/{}/{name}?vfs=recorded", self.number)
    }

    /// What SQLite did until now.
    pub(crate) fn events(&self) -> Vec<Event> {
        lock(&self.state).events.clone()
    }

    /// Cuts the power, and starts again with the state that `choose` returns.
    pub(crate) fn cut_power(&self, choose: impl FnOnce(&Model) -> Arc<Tree>) {
        let mut state = lock(&self.state);
        let left = choose(&state.model);
        let cuts = state.cuts + 1;
        *state =
            State { model: Model::of(&left), events: Vec::new(), locks: HashMap::new(), cuts, loses_answer: false };
    }

    /// Loses the answer to the sync of the truncated journal that ends the next commit.
    pub(crate) fn lose_next_answer(&self) {
        lock(&self.state).loses_answer = true;
    }

    /// The disk and the name of a path.
    fn find(path: &str) -> Result<(Self, &str)> {
        let (number, name) = path.trim_start_matches('/').split_once('/').ok_or(ErrorKind::NotFound)?;
        let disk = number.parse().ok().and_then(|number: usize| lock(&DISKS).get(number).cloned());
        Ok((disk.ok_or(ErrorKind::NotFound)?, name))
    }
}

impl State {
    fn apply(&mut self, event: Event) {
        self.model.apply(&event);
        self.events.push(event);
    }
}

struct RecordedDisks;

impl Vfs for RecordedDisks {
    type Handle = RecordedFile;

    fn open(&self, path: &str, options: OpenOptions) -> Result<RecordedFile> {
        let (disk, name) = Disk::find(path)?;
        let creates = matches!(options.access, OpenAccess::Create | OpenAccess::CreateNew);
        let mut state = lock(&disk.state);
        match state.model.read(name).is_some() {
            true => {}
            false if creates => state.apply(Event::CreateFile(name.into())),
            false => return Err(ErrorKind::NotFound.into()),
        }
        let cuts = state.cuts;
        drop(state);
        // SQLite's file system for Unix syncs the folder after the first sync of a journal that it may have created.
        let syncs_folder = creates && options.kind == OpenKind::MainJournal;
        Ok(RecordedFile { disk, name: name.into(), cuts, syncs_folder, lock: LockKind::None })
    }

    fn delete(&self, path: &str) -> Result<()> {
        let (disk, name) = Disk::find(path)?;
        let mut state = lock(&disk.state);
        state.model.read(name).ok_or(ErrorKind::NotFound)?;
        state.apply(Event::Remove(name.into()));
        Ok(())
    }

    /// An empty file counts as missing, as in SQLite's file system for Unix.
    fn exists(&self, path: &str) -> Result<bool> {
        let (disk, name) = Disk::find(path)?;
        Ok(lock(&disk.state).model.read(name).is_some_and(|bytes| !bytes.is_empty()))
    }

    fn temporary_name(&self) -> String {
        "no temporary files".into()
    }

    /// Not random, so that each run records the same bytes.
    fn random(&self, buffer: &mut [i8]) {
        buffer.fill(42);
    }

    fn sleep(&self, duration: Duration) -> Duration {
        std::thread::sleep(duration);
        duration
    }
}

/// A file that a connection has opened.
pub(crate) struct RecordedFile {
    disk: Disk,
    name: String,
    cuts: usize,
    syncs_folder: bool,
    lock: LockKind,
}

impl RecordedFile {
    /// The disk, unless its power was cut after the file was opened.
    fn state(&self) -> Result<MutexGuard<'_, State>> {
        let state = lock(&self.disk.state);
        if state.cuts == self.cuts { Ok(state) } else { Err(Error::other("the power was cut")) }
    }
}

impl DatabaseHandle for RecordedFile {
    type WalIndex = WalDisabled;

    fn size(&self) -> Result<u64> {
        let length = self.state()?.model.length(&self.name).ok_or(ErrorKind::NotFound)?;
        Ok(length as u64)
    }

    /// SQLite requires that bytes beyond the end are zeros.
    fn read_exact_at(&mut self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let state = self.state()?;
        let bytes = state.model.read(&self.name).ok_or(ErrorKind::NotFound)?;
        let bytes = bytes.get(to_usize(offset)..).unwrap_or_default();
        let there = bytes.len().min(buffer.len());
        buffer[..there].copy_from_slice(&bytes[..there]);
        buffer[there..].fill(0);
        if there == buffer.len() { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> Result<()> {
        self.state()?.apply(Event::WriteAt(self.name.clone(), to_usize(offset), bytes.to_vec()));
        Ok(())
    }

    fn sync(&mut self, _data_only: bool) -> Result<()> {
        let mut state = self.state()?;
        state.apply(Event::Sync(self.name.clone()));
        if self.syncs_folder {
            state.apply(Event::Sync(String::new()));
        }
        let ends_commit = self.name.ends_with("-journal") && state.model.length(&self.name) == Some(0);
        if ends_commit && std::mem::take(&mut state.loses_answer) {
            return Err(Error::other("the answer is lost"));
        }
        drop(state);
        self.syncs_folder = false;
        Ok(())
    }

    fn set_len(&mut self, length: u64) -> Result<()> {
        let mut state = self.state()?;
        if state.model.length(&self.name) != Some(to_usize(length)) {
            state.apply(Event::SetLength(self.name.clone(), to_usize(length)));
        }
        Ok(())
    }

    fn lock(&mut self, wanted: LockKind) -> Result<bool> {
        let held = self.lock;
        let granted = self.state()?.locks.entry(self.name.clone()).or_default().change(held, wanted);
        let is_granted = granted == wanted;
        self.lock = granted;
        Ok(is_granted)
    }

    fn reserved(&mut self) -> Result<bool> {
        Ok(self.state()?.locks.get(&self.name).is_some_and(|locks| locks.writer.is_some()))
    }

    fn current_lock(&self) -> Result<LockKind> {
        Ok(self.lock)
    }

    fn wal_index(&self, _readonly: bool) -> Result<WalDisabled> {
        Ok(WalDisabled)
    }
}

impl Drop for RecordedFile {
    fn drop(&mut self) {
        let _ = self.lock(LockKind::None); // fails only after the power was cut
    }
}

impl Locks {
    /// Changes the lock of a connection if the others allow it. Returns the lock that it holds then.
    fn change(&mut self, held: LockKind, wanted: LockKind) -> LockKind {
        match wanted {
            LockKind::None => {
                self.readers -= usize::from(held >= LockKind::Shared);
                self.writer.take_if(|_| held > LockKind::Shared);
            }
            LockKind::Shared if held > LockKind::Shared => self.writer = None,
            LockKind::Shared if held == LockKind::Shared => {}
            LockKind::Shared if self.writer >= Some(LockKind::Pending) => return held,
            LockKind::Shared => self.readers += 1,
            _ if held <= LockKind::Shared && self.writer.is_some() => return held,
            LockKind::Reserved => self.writer = Some(LockKind::Reserved),
            LockKind::Pending | LockKind::Exclusive if self.readers > 1 => {
                self.writer = Some(LockKind::Pending); // no new readers
                return LockKind::Pending;
            }
            LockKind::Pending | LockKind::Exclusive => self.writer = Some(wanted),
        }
        wanted
    }
}

fn to_usize(offset: u64) -> usize {
    usize::try_from(offset).expect("the files of these tests are small")
}
