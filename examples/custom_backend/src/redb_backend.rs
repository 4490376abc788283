//! The backend: a commit is one write transaction of the database.
//!
//! The transaction evaluates the precondition, stores the JSON, and adds the generation to the history. It is atomic, and durable after
//! it has returned. The code around the transaction reports unknown outcomes, and prevents a cancelled commit from taking effect later.

use minisnap::{
    Bytes, ChunkStream, Collected, Committed, Corruption, Digest, ErrorContext, Generation, MiniSnapError, Operation,
    Problem, Result, SnapshotBackend, Verification, VerifiedGeneration,
    backend::{CommitOptions, StagedSnapshot, async_trait, random_name_part, run_blocking},
};
use redb::{CommitError, Database, Durability, ReadableDatabase, ReadableTableMetadata};
use std::{
    fs::File,
    io,
    num::NonZeroUsize,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

mod tables;
#[cfg(test)]
mod tests;

use tables::{EXPIRED, HISTORY, JSON, delete_expired, expire_beyond, history, insert, read_checked};

/// A backend on a database file. A file can be opened only once at a time; clone the handle to share it.
#[derive(Debug, Clone)]
pub(crate) struct RedbBackend {
    db: Arc<Database>,
    location: Arc<str>,
}

impl RedbBackend {
    /// Opens or creates the database file at `path`. Its folder must exist. Does blocking I/O.
    ///
    /// # Errors
    ///
    /// [`Busy`](MiniSnapError::Busy): the file is open already, in this or in another process.
    pub(crate) fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let location = path.display().to_string();
        let open = || {
            let backend = Self::with_database(Database::create(path)?, &location)?;
            // The database syncs its file, but not the entry in the folder. Without the entry the file is lost after a power loss. Each
            // open syncs the folder, since the process that created the file may have been killed before.
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
            Ok(backend)
        };
        open().map_err(|error| to_error(error, ErrorContext::new(Operation::Open, &location)))
    }

    fn with_database(db: Database, location: &str) -> Result<Self, redb::Error> {
        // Creates the tables, so that every read finds them.
        let transaction = db.begin_write()?;
        transaction.open_table(HISTORY)?;
        transaction.open_table(JSON)?;
        transaction.open_table(EXPIRED)?;
        transaction.commit()?;
        Ok(Self { db: Arc::new(db), location: location.into() })
    }

    fn at(&self, operation: Operation) -> ErrorContext {
        ErrorContext::new(operation, &*self.location)
    }

    /// Runs `work` on the blocking pool. The outer result is an error of the database, the inner one the result of the operation.
    async fn blocking<T, F>(&self, operation: Operation, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Database) -> Result<Result<T>, redb::Error> + Send + 'static,
    {
        let (db, at) = (Arc::clone(&self.db), self.at(operation));
        // `run_blocking` passes on a panic of `work`, whose effect is unknown.
        match run_blocking(move || work(&db)).await {
            Ok(outcome) => outcome.map_err(|error| to_error(error, at)).flatten(),
            Err(pool_error) => Err(MiniSnapError::Backend { at, transient: false, source: pool_error.into() }),
        }
    }
}

// Each read is a read transaction, which sees a consistent state and doesn't wait for writers.
#[async_trait]
impl SnapshotBackend for RedbBackend {
    fn location(&self) -> &str {
        &self.location
    }

    async fn current(&self) -> Result<Option<Generation>> {
        let current = |db: &Database| Ok(Ok(history(&db.begin_read()?.open_table(HISTORY)?)?.into_iter().next()));
        self.blocking(Operation::Current, current).await
    }

    async fn history(&self) -> Result<Vec<Generation>> {
        self.blocking(Operation::History, |db| Ok(Ok(history(&db.begin_read()?.open_table(HISTORY)?)?))).await
    }

    async fn read(&self, generation: &Generation) -> Result<Bytes> {
        let (wanted, at) = (generation.clone(), self.at(Operation::Read));
        let read = move |db: &Database| {
            let transaction = db.begin_read()?;
            let jsons = transaction.open_table(JSON)?;
            let history = history(&transaction.open_table(HISTORY)?)?;
            // Checks the digest in the history. The digest that the caller passed is untrusted.
            let Some(retained) = history.iter().find(|known| **known == wanted && known.seq() == wanted.seq()) else {
                return Ok(Err(MiniSnapError::Expired { at, generation: wanted }));
            };
            let found = match read_checked(&jsons, retained)? {
                Ok(json) => return Ok(Ok(json)),
                Err(found) => found,
            };
            let mut intact = Vec::new();
            for generation in &history {
                intact.extend(read_checked(&jsons, generation)?.ok().map(|_| generation.clone()));
            }
            let at = ErrorContext::new(Operation::Read, generation_location(at.location(), retained));
            Ok(Err(MiniSnapError::Corrupt { at, found, intact, unconfirmed: Vec::new() }))
        };
        self.blocking(Operation::Read, read).await
    }

    async fn stage(&self, seq: u64) -> Result<Box<dyn StagedSnapshot>> {
        let at = self.at(Operation::Stage);
        let random =
            random_name_part(16).map_err(|source| MiniSnapError::Io { at, action: "name the generation", source })?;
        let generation = Generation::new(format!("{seq:020}-{random}"), seq);
        Ok(Box::new(Stage { backend: self.clone(), generation, json: Vec::new() }))
    }

    /// The database returns a value in one piece, so this needs as much memory as [`read`](Self::read).
    async fn read_chunks(&self, generation: &Generation) -> Result<ChunkStream> {
        self.read(generation).await.map(ChunkStream::from_bytes)
    }

    async fn expire(&self, retain: NonZeroUsize) -> Result<Vec<Generation>> {
        let at = self.at(Operation::Expire);
        // As for a commit: a call that is cancelled while it waits must not take effect after a later commit.
        let on_drop = SetOnDrop(Arc::new(AtomicBool::new(false)));
        let is_cancelled = Arc::clone(&on_drop.0);
        let expire = move |db: &Database| {
            let mut transaction = db.begin_write()?;
            transaction.set_durability(Durability::Immediate)?;
            let before = history(&transaction.open_table(HISTORY)?)?;
            expire_beyond(&transaction, retain.get())?;
            if is_cancelled.load(Ordering::SeqCst) {
                return Ok(Err(cancelled(at)));
            }
            transaction.commit()?;
            Ok(Ok(before.into_iter().skip(retain.get()).collect()))
        };
        self.blocking(Operation::Expire, expire).await
    }

    async fn verify(&self) -> Result<Verification> {
        let location = self.location.clone();
        let verify = move |db: &Database| {
            let transaction = db.begin_read()?;
            let jsons = transaction.open_table(JSON)?;
            let mut generations = Vec::new();
            for generation in history(&transaction.open_table(HISTORY)?)? {
                generations.push(match read_checked(&jsons, &generation)? {
                    Ok(_) => VerifiedGeneration::intact(generation),
                    Err(found) => {
                        let problem = Problem::new(generation_location(&location, &generation), found);
                        VerifiedGeneration::corrupt(generation, problem)
                    }
                });
            }
            let mut verification = Verification::new(generations);
            verification.expired = usize::try_from(transaction.open_table(EXPIRED)?.len()?).unwrap_or(usize::MAX);
            Ok(Ok(verification))
        };
        self.blocking(Operation::Verify, verify).await
    }

    async fn collect_garbage(&self) -> Result<Collected> {
        let collect = |db: &Database| {
            let transaction = db.begin_write()?;
            let expired = delete_expired(&transaction)?;
            transaction.commit()?;
            Ok(Ok(Collected::new(expired, 0)))
        };
        self.blocking(Operation::CollectGarbage, collect).await
    }
}

/// A staged snapshot, in memory only: dropping it, or a crash, leaves nothing in the database.
#[derive(Debug)]
struct Stage {
    backend: RedbBackend,
    generation: Generation,
    json: Vec<u8>,
}

impl io::Write for Stage {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.json.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[async_trait]
impl StagedSnapshot for Stage {
    async fn drain(&mut self) -> Result<()> {
        Ok(())
    }

    async fn discard(self: Box<Self>) -> Result<()> {
        Ok(())
    }

    async fn commit(self: Box<Self>, options: CommitOptions) -> Result<Committed> {
        let Self { backend, generation, json } = *self;
        let at = backend.at(Operation::Commit);
        // The work on the blocking pool continues after this future is dropped, so the work checks for the cancellation.
        let on_drop = SetOnDrop(Arc::new(AtomicBool::new(false)));
        let is_cancelled = Arc::clone(&on_drop.0);
        let work = move |db: &Database| commit(db, &generation, &json, &options, at, &is_cancelled);
        backend.blocking(Operation::Commit, work).await
    }
}

/// Sets a flag when the future of a call is dropped.
struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The commit, in one write transaction. A return before `transaction.commit()` rolls it back.
fn commit(
    db: &Database,
    generation: &Generation,
    json: &[u8],
    options: &CommitOptions,
    at: ErrorContext,
    is_cancelled: &AtomicBool,
) -> Result<Result<Committed>, redb::Error> {
    let now = SystemTime::now();
    let generation = generation.clone().with_size(json.len() as u64).with_digest(Digest::of(json)).with_time(now);
    // Only one write transaction runs at a time, so the history in this transaction is the latest.
    let mut transaction = db.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    let before = history(&transaction.open_table(HISTORY)?)?;
    if let Err(refused) = options.precondition().evaluate(generation.seq(), before.first(), &at) {
        return Ok(Err(refused));
    }
    // Deletes the JSON that expired earlier. The JSON that expires now stays until the next commit, since a commit with an unknown outcome
    // must delete nothing.
    delete_expired(&transaction)?;
    insert(&transaction, &generation, json)?;
    let committed = Committed::new(generation, &before, options.retain());
    expire_beyond(&transaction, committed.retained().len())?;
    // This is the last step before the commit, inside the transaction. A commit that begins after the cancellation waits for this
    // transaction to end, so a cancelled commit can't take effect after it.
    if is_cancelled.load(Ordering::SeqCst) {
        return Ok(Err(cancelled(at)));
    }
    match transaction.commit() {
        Ok(()) => Ok(Ok(committed)),
        Err(rolled_back @ CommitError::TransactionPoisoned) => Err(rolled_back.into()),
        // After any other error the outcome is unknown until the file is opened again.
        Err(error) => Ok(Err(MiniSnapError::OutcomeUnknown {
            at,
            generation: committed.generation().clone(),
            previous: before.into_iter().next(),
            source: error.into(),
        })),
    }
}

/// The error of a cancelled call, which no caller receives.
fn cancelled(at: ErrorContext) -> MiniSnapError {
    MiniSnapError::Backend { at, transient: false, source: "cancelled".into() }
}

/// The location of a generation in the database at `location`.
fn generation_location(location: &str, generation: &Generation) -> String {
    format!("{location}/{generation}")
}

/// Converts an error of the database after which nothing was committed.
fn to_error(error: redb::Error, at: ErrorContext) -> MiniSnapError {
    match error {
        redb::Error::Io(source) => MiniSnapError::Io { at, action: "use the database", source },
        redb::Error::DatabaseAlreadyOpen => {
            let reason = "another handle, in this or another process, has opened the file".into();
            MiniSnapError::Busy { at, waited: Duration::ZERO, reason }
        }
        redb::Error::Corrupted(found) => MiniSnapError::corrupt(at, Corruption::Other(found)),
        other => MiniSnapError::Backend { at, transient: false, source: other.into() },
    }
}
