//! The backend: a publish is one write transaction.
//!
//! It judges the precondition, stores the JSON, and puts the generation at the head of the history, so the transaction is
//! the commit record: all of it is there or nothing, and when `commit` returns, it is on the disk. What remains is to say
//! honestly what happened when `commit` fails, and to keep what was cancelled from committing.

use minisnap::{
    Bytes, ChunkStream, Collected, Committed, Corruption, Digest, ErrorContext, Generation, MiniSnapError, Operation,
    Problem, Result, SnapshotBackend, Verification, VerifiedGeneration,
    backend::{CommitOptions, StagedSnapshot, async_trait, random_name_part, run_blocking},
};
use redb::{
    CommitError, Database, Durability, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition,
    WriteTransaction,
};
use std::{
    fs::File,
    io,
    num::NonZeroUsize,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

#[cfg(test)]
mod tests;

/// The retained generations in the order they were published, the current one last: name, seq, the JSON's size, Unix
/// milliseconds, digest.
const HISTORY: TableDefinition<u64, Row> = TableDefinition::new("history");
type Row = (&'static str, u64, u64, u64, &'static str);

/// The JSON of each generation, by name. Beside the history, which stays small to read.
const JSON: TableDefinition<&str, &[u8]> = TableDefinition::new("json");

/// Generations that are not retained any more, but still have their JSON.
const RETIRED: TableDefinition<&str, ()> = TableDefinition::new("retired");

/// Snapshots in a database file. A file can be opened once at a time: for another handle, clone.
#[derive(Debug, Clone)]
pub(crate) struct RedbBackend {
    db: Arc<Database>,
    location: Arc<str>,
}

impl RedbBackend {
    /// Opens the database file at `path`, or makes it; its folder must be there. Does blocking I/O.
    ///
    /// # Errors
    ///
    /// [`Busy`](MiniSnapError::Busy) if it is open already, here or in another process.
    pub(crate) fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let location = path.display().to_string();
        let open = || {
            let backend = Self::over(Database::create(path)?, &location)?;
            // The database syncs its file, but not the folder's entry for it, without which there is no file after a power
            // loss. So whoever opens it does, as whoever made it may have been killed before.
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
            Ok(backend)
        };
        open().map_err(|error| failure(error, ErrorContext::new(Operation::Open, &location)))
    }

    fn over(db: Database, location: &str) -> Result<Self, redb::Error> {
        // So that no reader meets a missing table.
        let transaction = db.begin_write()?;
        transaction.open_table(HISTORY)?;
        transaction.open_table(JSON)?;
        transaction.open_table(RETIRED)?;
        transaction.commit()?;
        Ok(Self { db: Arc::new(db), location: location.into() })
    }

    fn at(&self, operation: Operation) -> ErrorContext {
        ErrorContext::new(operation, &*self.location)
    }

    /// Runs `work` where blocking is allowed. The outer of its results is what the database said, the inner one what that
    /// means to the caller.
    async fn blocking<T, F>(&self, operation: Operation, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Database) -> Result<Result<T>, redb::Error> + Send + 'static,
    {
        let (db, at) = (Arc::clone(&self.db), self.at(operation));
        // A panic in it is passed on: no error could say what it left behind.
        match run_blocking(move || work(&db)).await {
            Ok(outcome) => outcome.map_err(|error| failure(error, at)).flatten(),
            Err(never_began) => Err(MiniSnapError::Backend { at, transient: false, source: never_began.into() }),
        }
    }
}

// Reading is a read transaction each: it sees one moment of the database, waits for no writer, and nothing it sees can be
// removed under it.
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
        let (asked, at) = (generation.clone(), self.at(Operation::Read));
        let read = move |db: &Database| {
            let transaction = db.begin_read()?;
            let jsons = transaction.open_table(JSON)?;
            let history = history(&transaction.open_table(HISTORY)?)?;
            // The digest that counts is the history's own, not that of whoever asks.
            let Some(retained) = history.iter().find(|known| **known == asked && known.seq() == asked.seq()) else {
                return Ok(Err(MiniSnapError::Expired { at, generation: asked }));
            };
            let found = match whole(&jsons, retained)? {
                Ok(json) => return Ok(Ok(json)),
                Err(found) => found,
            };
            let mut intact = Vec::new();
            for generation in &history {
                intact.extend(whole(&jsons, generation)?.ok().map(|_| generation.clone()));
            }
            let at = ErrorContext::new(Operation::Read, row(at.location(), retained));
            Ok(Err(MiniSnapError::Corrupt { at, found, intact, unconfirmed: Vec::new() }))
        };
        self.blocking(Operation::Read, read).await
    }

    async fn stage(&self, seq: u64) -> Result<Box<dyn StagedSnapshot>> {
        let at = self.at(Operation::Stage);
        let random = random_name_part(16).map_err(|source| MiniSnapError::Io { at, action: "name it", source })?;
        let generation = Generation::new(format!("{seq:020}-{random}"), seq);
        Ok(Box::new(Stage { backend: self.clone(), generation, json: Vec::new() }))
    }

    /// The database hands a value out as a whole, so this is as much memory as [`read`](Self::read).
    async fn read_chunks(&self, generation: &Generation) -> Result<ChunkStream> {
        self.read(generation).await.map(ChunkStream::from_bytes)
    }

    async fn expire(&self, retain: NonZeroUsize) -> Result<Vec<Generation>> {
        let at = self.at(Operation::Expire);
        // As for a commit: one that was cancelled before its turn must not happen after a later commit.
        let gone = SetOnDrop(Arc::new(AtomicBool::new(false)));
        let caller_gone = Arc::clone(&gone.0);
        let expire = move |db: &Database| {
            let mut transaction = db.begin_write()?;
            transaction.set_durability(Durability::Immediate)?;
            let before = history(&transaction.open_table(HISTORY)?)?;
            retire_beyond(&transaction, retain.get())?;
            if caller_gone.load(Ordering::SeqCst) {
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
                generations.push(match whole(&jsons, &generation)? {
                    Ok(_) => VerifiedGeneration::intact(generation),
                    Err(found) => {
                        let problem = Problem::new(row(&location, &generation), found);
                        VerifiedGeneration::corrupt(generation, problem)
                    }
                });
            }
            let mut verification = Verification::new(generations);
            verification.expired = usize::try_from(transaction.open_table(RETIRED)?.len()?).unwrap_or(usize::MAX);
            Ok(Ok(verification))
        };
        self.blocking(Operation::Verify, verify).await
    }

    async fn collect_garbage(&self) -> Result<Collected> {
        let collect = |db: &Database| {
            let transaction = db.begin_write()?;
            let expired = remove_retired(&transaction)?;
            transaction.commit()?;
            Ok(Ok(Collected::new(expired, 0)))
        };
        self.blocking(Operation::CollectGarbage, collect).await
    }
}

/// A snapshot being written: nothing in the database knows of it, so dropping it, or a crash, leaves nothing behind.
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
        // The blocking task outlives this future when that is dropped: it must hear of it.
        let gone = SetOnDrop(Arc::new(AtomicBool::new(false)));
        let caller_gone = Arc::clone(&gone.0);
        let work = move |db: &Database| commit(db, &generation, &json, &options, at, &caller_gone);
        backend.blocking(Operation::Commit, work).await
    }
}

struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The publish, in one write transaction. To return before the commit is to roll back.
fn commit(
    db: &Database,
    generation: &Generation,
    json: &[u8],
    options: &CommitOptions,
    at: ErrorContext,
    caller_gone: &AtomicBool,
) -> Result<Result<Committed>, redb::Error> {
    let now = SystemTime::now();
    let generation = generation.clone().with_size(json.len() as u64).with_digest(Digest::of(json)).with_time(now);
    // There is one write transaction at a time: this waits for the others, so what it then sees as current is current.
    let mut transaction = db.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    let before = history(&transaction.open_table(HISTORY)?)?;
    if let Err(refused) = options.precondition().evaluate(generation.seq(), before.first(), &at) {
        return Ok(Err(refused));
    }
    // What this publish retires keeps its JSON until the next one: nothing may be deleted by a commit that then says
    // `OutcomeUnknown`.
    remove_retired(&transaction)?;
    insert(&transaction, &generation, json)?;
    let published = Committed::new(generation, &before, options.retain());
    retire_beyond(&transaction, published.retained().len())?;
    // Asked as late as can be, and inside the transaction: any publish that begins after the caller gave this one up has to
    // wait for it to end, so this one can't overtake it.
    if caller_gone.load(Ordering::SeqCst) {
        return Ok(Err(cancelled(at)));
    }
    match transaction.commit() {
        Ok(()) => Ok(Ok(published)),
        Err(rolled_back @ CommitError::TransactionPoisoned) => Err(rolled_back.into()),
        // The rest may be on the disk or not, and only opening the file again would tell.
        Err(error) => Ok(Err(MiniSnapError::OutcomeUnknown {
            at,
            generation: published.generation().clone(),
            previous: before.into_iter().next(),
            source: error.into(),
        })),
    }
}

/// Nobody is there to be told.
fn cancelled(at: ErrorContext) -> MiniSnapError {
    MiniSnapError::Backend { at, transient: false, source: "cancelled".into() }
}

/// The retained generations, newest first.
fn history(rows: &impl ReadableTable<u64, Row>) -> Result<Vec<Generation>, redb::Error> {
    let generation = |row: Result<_, redb::StorageError>| {
        let (_, row): (_, redb::AccessGuard<'_, Row>) = row?;
        let (name, seq, size, millis, digest) = row.value();
        let known = Generation::new(name, seq).with_size(size).with_time(UNIX_EPOCH + Duration::from_millis(millis));
        Ok(match digest.parse() {
            Ok(digest) => known.with_digest(digest),
            Err(_) => known,
        })
    };
    rows.iter()?.rev().map(generation).collect()
}

/// The location of a generation in the database at `location`.
fn row(location: &str, generation: &Generation) -> String {
    format!("{location}/{generation}")
}

/// The JSON of a generation, or what is wrong with it.
fn whole(
    jsons: &impl ReadableTable<&'static str, &'static [u8]>,
    generation: &Generation,
) -> Result<Result<Bytes, Corruption>, redb::Error> {
    let Some(json) = jsons.get(generation.name())? else { return Ok(Err(Corruption::Missing)) };
    let json = Bytes::copy_from_slice(json.value());
    let found = match generation.digest() {
        Some(_) => Corruption::of_json(generation, json.len() as u64, Digest::of(&json)),
        None => Some(Corruption::NoDigest),
    };
    Ok(found.map_or(Ok(json), Err))
}

fn insert(transaction: &WriteTransaction, new: &Generation, json: &[u8]) -> Result<(), redb::Error> {
    let mut rows = transaction.open_table(HISTORY)?;
    let number = rows.last()?.map_or(0, |(number, _)| number.value() + 1);
    let since_1970 = new.time().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let digest = new.digest().map_or_else(String::new, |digest| digest.to_string());
    let millis = u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX);
    rows.insert(number, (new.name(), new.seq(), json.len() as u64, millis, digest.as_str()))?;
    transaction.open_table(JSON)?.insert(new.name(), json)?;
    Ok(())
}

fn retire_beyond(transaction: &WriteTransaction, retained: usize) -> Result<(), redb::Error> {
    let (mut rows, mut retired) = (transaction.open_table(HISTORY)?, transaction.open_table(RETIRED)?);
    while rows.len()? > retained as u64 {
        let Some((_, oldest)) = rows.pop_first()? else { break };
        retired.insert(oldest.value().0, ())?;
    }
    Ok(())
}

/// Returns how many it removed.
fn remove_retired(transaction: &WriteTransaction) -> Result<usize, redb::Error> {
    let (mut retired, mut jsons) = (transaction.open_table(RETIRED)?, transaction.open_table(JSON)?);
    let mut removed = 0;
    while let Some((name, _)) = retired.pop_first()? {
        jsons.remove(name.value())?;
        removed += 1;
    }
    Ok(removed)
}

/// What the database's error means, where nothing was committed.
fn failure(error: redb::Error, at: ErrorContext) -> MiniSnapError {
    match error {
        redb::Error::Io(source) => MiniSnapError::Io { at, action: "use the database", source },
        redb::Error::DatabaseAlreadyOpen => {
            let reason = "the file is open, here or in another process: clone that handle".into();
            MiniSnapError::Busy { at, waited: Duration::ZERO, reason }
        }
        redb::Error::Corrupted(found) => MiniSnapError::corrupt(at, Corruption::Other(found)),
        other => MiniSnapError::Backend { at, transient: false, source: other.into() },
    }
}
