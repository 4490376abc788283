//! A backend in a folder, for the cases with several processes. It satisfies the contract, except for one injected fault.
//!
//! The folder has a lock file, the record (a line for each retained generation), a file for each generation, and a file for each
//! stage, which its process keeps locked.

use crate::{
    file_stage::{CACHED, Stage},
    process_faults::ProcessFault,
};
use minisnap_core::{
    Bytes, ChunkStream, Collected, ErrorContext, Generation, MiniSnapError, Operation, Result, SnapshotBackend,
    StagedSnapshot, Verification, VerifiedGeneration, async_trait, random_name_part,
};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// The names of the files in a folder.
pub fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Deletes a file, which its own process may delete concurrently.
fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// The stages of this process, for faults only.
static STAGES_OF_THIS_PROCESS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// A handle. Not generic over the fault, which would compile each fault.
#[derive(Clone, Debug)]
pub struct Handle {
    pub folder: PathBuf,
    pub fault: ProcessFault,
}

/// The lock of the store, until this is dropped.
pub enum Lock {
    OfProcesses { _file: File },
    OfThisProcess { _guard: MutexGuard<'static, ()> },
    Name(PathBuf),
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Self::Name(name) = self {
            fs::remove_file(name).unwrap();
        }
    }
}

impl Handle {
    pub fn new(folder: &Path, fault: ProcessFault) -> Self {
        Self { folder: folder.to_owned(), fault }
    }

    pub fn at(&self, operation: Operation) -> ErrorContext {
        ErrorContext::new(operation, self.location())
    }

    pub fn generation(&self, name: &str) -> PathBuf {
        self.folder.join("generations").join(name)
    }

    pub fn stage(&self, name: &str) -> PathBuf {
        self.folder.join("stages").join(name)
    }

    /// Locks the store.
    pub fn lock(&self) -> io::Result<Lock> {
        static OF_THIS_PROCESS: Mutex<()> = Mutex::new(());
        match self.fault {
            ProcessFault::LocksInTheProcess => Ok(Lock::OfThisProcess { _guard: OF_THIS_PROCESS.lock().unwrap() }),
            ProcessFault::KeepsTheLockWhenKilled => {
                let (name, start) = (self.folder.join("locked"), Instant::now());
                loop {
                    match File::create_new(&name) {
                        Ok(_) => return Ok(Lock::Name(name)),
                        Err(error) if start.elapsed() > Duration::from_secs(2) => return Err(error),
                        Err(_) => thread::sleep(Duration::from_millis(1)),
                    }
                }
            }
            _ => {
                let file = File::options().create(true).append(true).open(self.folder.join("lock"))?;
                file.lock()?;
                Ok(Lock::OfProcesses { _file: file })
            }
        }
    }

    /// With the fault `WritesInPlace`, readers and writers of this process exclude each other.
    pub fn lock_in_place(&self) -> Option<MutexGuard<'static, ()>> {
        static IN_PLACE: Mutex<()> = Mutex::new(());
        (self.fault == ProcessFault::WritesInPlace).then(|| IN_PLACE.lock().unwrap())
    }

    /// The retained generations, newest first.
    pub fn record(&self) -> io::Result<Vec<Generation>> {
        let text = match fs::read_to_string(self.folder.join("record")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text?,
        };
        let parse = |line: &str| {
            let (seq, name) = line.split_once(' ').unwrap();
            Generation::new(name, seq.parse().unwrap())
        };
        Ok(text.lines().map(parse).collect())
    }

    /// The retained generations, as readers see them.
    fn retained(&self) -> Result<Vec<Generation>> {
        let cached = CACHED.lock().unwrap().get(&self.folder).cloned();
        cached.map_or_else(|| self.record().at(self, Operation::History), Ok)
    }

    /// Replaces the record. The caller has the lock.
    pub fn replace_record(&self, generations: &[Generation]) -> io::Result<()> {
        let lines: Vec<String> =
            generations.iter().map(|known| format!("{} {}\n", known.seq(), known.name())).collect();
        // A name of its own, so that the fault without a lock is a lost update and no error.
        let new = self.folder.join(format!("record-{}", random_name_part(16)?));
        fs::write(&new, lines.concat())?;
        fs::rename(new, self.folder.join("record"))
    }

    /// A name for a generation.
    fn new_name(&self, seq: u64) -> io::Result<String> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        Ok(match self.fault {
            ProcessFault::NamesByCounter => format!("{seq}-{}", COUNTER.fetch_add(1, Ordering::Relaxed)),
            _ => format!("{seq}-{}", random_name_part(16)?),
        })
    }

    /// Deletes orphans and expired generations. The caller has the lock.
    pub fn collect(&self) -> io::Result<Collected> {
        let (mut orphans, mut expired) = (0, 0);
        for name in self.orphans()? {
            remove(&self.stage(&name))?;
            orphans += 1;
        }
        let record = self.record()?;
        for name in names(&self.folder.join("generations")) {
            if record.iter().all(|known| known.name() != name) {
                remove(&self.generation(&name))?;
                expired += 1;
            }
        }
        Ok(Collected::new(expired, orphans))
    }

    /// The stages whose process doesn't have them open.
    fn orphans(&self) -> io::Result<Vec<String>> {
        let mut orphans = Vec::new();
        for name in names(&self.folder.join("stages")) {
            let is_of_this_process = STAGES_OF_THIS_PROCESS.lock().unwrap().contains(&name);
            let is_orphan = match self.fault {
                ProcessFault::KeepsOrphansOfOthers => is_of_this_process && self.is_unlocked(&name)?,
                ProcessFault::RemovesStagesOfOthers => !is_of_this_process || self.is_unlocked(&name)?,
                _ => self.is_unlocked(&name)?,
            };
            if is_orphan {
                orphans.push(name);
            }
        }
        Ok(orphans)
    }

    fn is_unlocked(&self, name: &str) -> io::Result<bool> {
        match File::open(self.stage(name)) {
            Ok(file) => Ok(file.try_lock().is_ok()),
            // Its process has committed or dropped it just now.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Converts an error of a file.
pub trait AtStore<T> {
    fn at(self, handle: &Handle, operation: Operation) -> Result<T>;
}

impl<T> AtStore<T> for io::Result<T> {
    fn at(self, handle: &Handle, operation: Operation) -> Result<T> {
        self.map_err(|source| MiniSnapError::Io { at: handle.at(operation), action: "access the files", source })
    }
}

#[async_trait]
impl SnapshotBackend for Handle {
    fn location(&self) -> &str {
        self.folder.to_str().unwrap()
    }

    async fn current(&self) -> Result<Option<Generation>> {
        Ok(self.history().await?.into_iter().next())
    }

    async fn history(&self) -> Result<Vec<Generation>> {
        self.retained()
    }

    async fn read(&self, generation: &Generation) -> Result<Bytes> {
        let _guard = self.lock_in_place();
        let history = self.retained()?;
        let expired = || MiniSnapError::Expired { at: self.at(Operation::Read), generation: generation.clone() };
        let is_known = |known: &Generation| known == generation && known.seq() == generation.seq();
        let index = history.iter().position(is_known).ok_or_else(expired)?;
        let in_place = index == 0 && self.fault == ProcessFault::WritesInPlace;
        match fs::read(if in_place { self.folder.join("newest") } else { self.generation(generation.name()) }) {
            // Expired just now.
            Err(_) if !self.retained()?.contains(generation) => Err(expired()),
            json => Ok(json.at(self, Operation::Read)?.into()),
        }
    }

    async fn read_chunks(&self, generation: &Generation) -> Result<ChunkStream> {
        self.read(generation).await.map(ChunkStream::from_bytes)
    }

    async fn stage(&self, seq: u64) -> Result<Box<dyn StagedSnapshot>> {
        let name = self.new_name(seq).at(self, Operation::Stage)?;
        // Under the lock, so that no collection finds the file before it is locked.
        let _lock = self.lock().at(self, Operation::Stage)?;
        let file = File::create(self.stage(&name)).at(self, Operation::Stage)?;
        // Another process may have the file of that name.
        if self.fault != ProcessFault::NamesByCounter {
            file.lock().at(self, Operation::Stage)?;
        }
        STAGES_OF_THIS_PROCESS.lock().unwrap().insert(name.clone());
        Ok(Box::new(Stage { handle: self.clone(), generation: Generation::new(name, seq), file, size: 0 }))
    }

    async fn expire(&self, retain: NonZeroUsize) -> Result<Vec<Generation>> {
        let expire = || {
            let _lock = self.lock()?;
            let mut record = self.record()?;
            let expired = record.split_off(retain.get().min(record.len()));
            self.replace_record(&record)?;
            self.collect()?;
            Ok(expired)
        };
        expire().at(self, Operation::Expire)
    }

    async fn verify(&self) -> Result<Verification> {
        let generations = self.history().await?.into_iter().map(VerifiedGeneration::intact).collect();
        let mut verification = Verification::new(generations);
        if self.fault != ProcessFault::CountsNoGarbage {
            verification.orphans = self.orphans().at(self, Operation::Verify)?.len();
        }
        Ok(verification)
    }

    async fn collect_garbage(&self) -> Result<Collected> {
        let collect = || {
            let _lock = self.lock()?;
            match self.fault {
                ProcessFault::CollectsNothing => return Ok(Collected::default()),
                ProcessFault::FailsWhenCollected => {
                    for name in names(&self.folder.join("stages")) {
                        remove(&self.stage(&name))?;
                    }
                }
                _ => {}
            }
            self.collect()
        };
        collect().at(self, Operation::CollectGarbage)
    }
}
