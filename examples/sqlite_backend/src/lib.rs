//! Snapshots in an SQLite database: a backend for a transactional database with blocking calls.
//!
//! The commit record is the newest row of the table `generation`. A commit is one write transaction, so SQLite makes it atomic and
//! durable. The code around the transaction keeps the rest of the contract:
//!
//! 1. Each call runs on the blocking pool, on a connection of its own. So handles share nothing but the file, and the locks of the
//!    database also serialize the writers of other processes.
//! 2. The write transaction begins with `BEGIN IMMEDIATE`, which locks out other writers. The precondition is evaluated after that, on
//!    the rows that the transaction reads.
//! 3. Right before `COMMIT`, the work checks whether the caller was cancelled. A cancelled call rolls back.
//! 4. If `COMMIT` fails, only `SQLITE_BUSY` guarantees that nothing was committed. After other errors the outcome is unknown.
//!
//! # Limits
//!
//! - A stage is in memory until its commit, and so is a JSON that is read. A JSON has at most 1 GB.
//! - A read holds a shared lock. `COMMIT` waits until no reader holds one, and new readers wait until `COMMIT` ends. A JSON that exceeds
//!   SQLite's page cache (2 MB) delays readers also while it is inserted. Each call waits for at most 30 seconds, and returns `Busy` then.
//! - So a reader that is stopped (`SIGSTOP`) in a read delays writers, and a writer that is stopped in `COMMIT` delays readers. The latter
//!   is weaker than property 6 of the contract. A killed process delays no other: the system releases its locks.
//! - Use `journal_mode = WAL` for a database that many readers share: readers and the writer don't wait for each other then. That needs
//!   changes: `make_durable` syncs the file `-wal`, and a user who may only read needs the files `-wal` and `-shm`.
//! - After a crash during a commit, the next user who may write rolls it back, also by a read. Until then, a user who may only read gets
//!   an error.
//! - The file keeps its size. Later commits reuse the space of expired generations.

use minisnap_core::{
    Bytes, CallerWatch, ChunkStream, Collected, CommitOptions, Committed, Corruption, Digest, ErrorContext, Generation,
    MiniSnapError, Operation, ParseGenerationError, Problem, Result, SnapshotBackend, StagedSnapshot, Verification,
    VerifiedGeneration, async_trait, random_name_part, run_blocking_cancellable,
};
use rusqlite::Error::{FromSqlConversionFailure, InvalidColumnType};
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior::Immediate, types::Type};
use std::{fs::File, io, num::NonZeroUsize, sync::Arc, time::Duration, time::SystemTime};

/// The retained generations, in commit order. SQLite's integers are signed, so the `seq` is only in the description, a text.
const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS generation (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, description TEXT NOT NULL, json BLOB NOT NULL)";

/// With these settings a transaction is durable after `COMMIT`: it ends with a sync of the truncated journal. In the mode `DELETE`, which
/// is SQLite's default, the deletion of the journal isn't synced, so a power loss may roll back an acknowledged commit.
pub const DURABLE: &str = "PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = FULL;";

/// How long a call waits for the locks of other connections.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// A handle on a database file. Any number of handles, in any number of processes, may use a file.
#[derive(Debug, Clone)]
pub struct SqliteBackend {
    path: Arc<str>,
    settings: &'static str,
}

impl SqliteBackend {
    /// Opens the database at `path`, and creates it if it is missing and the user may write. Its folder must exist. Does blocking I/O.
    ///
    /// The path may be a `file:` URI with parameters of SQLite, such as `mode=ro`.
    ///
    /// # Errors
    ///
    /// Returns an error if the file can't be opened, or isn't a database.
    pub fn open(path: &str) -> Result<Self> {
        Self::open_with(path, DURABLE)
    }

    /// Opens the database with other settings, for tests that show what they lose.
    ///
    /// # Errors
    ///
    /// The errors of [`open`](Self::open).
    pub fn open_with(path: &str, settings: &'static str) -> Result<Self> {
        let backend = Self { path: path.into(), settings };
        let created = backend.connect(OpenFlags::SQLITE_OPEN_CREATE).and_then(|new| new.execute_batch(SCHEMA));
        created.map_err(|error| Failure::from(error).into_error(backend.at(Operation::Open)))?;
        Ok(backend)
    }

    /// Opens a connection. If the user may not write, SQLite opens it read-only.
    fn connect(&self, create: OpenFlags) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&*self.path, flags | create)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.execute_batch(self.settings)?;
        Ok(connection)
    }

    fn at(&self, operation: Operation) -> ErrorContext {
        ErrorContext::new(operation, &*self.path)
    }

    /// Runs `work` on the blocking pool, with a connection of its own. `work` continues after a cancellation, which it detects by the
    /// `CallerWatch`.
    async fn blocking<T: Send + 'static>(
        &self,
        operation: Operation,
        work: impl FnOnce(&mut Connection, &CallerWatch) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T> {
        let (backend, at) = (self.clone(), self.at(operation));
        let done =
            run_blocking_cancellable(move |caller| work(&mut backend.connect(OpenFlags::empty())?, caller)).await;
        match done {
            Ok(outcome) => outcome.map_err(|failure| failure.into_error(at)),
            Err(source) => Err(MiniSnapError::Io { at, action: "run on the blocking pool", source }),
        }
    }
}

/// Each read is one transaction, which sees one state of the database. It holds a shared lock, which delays commits, so it is short.
#[async_trait]
impl SnapshotBackend for SqliteBackend {
    fn location(&self) -> &str {
        &self.path
    }

    async fn current(&self) -> Result<Option<Generation>> {
        let current = |connection: &mut Connection, _: &_| Ok(retained(connection)?.into_iter().next());
        self.blocking(Operation::Current, current).await
    }

    async fn history(&self) -> Result<Vec<Generation>> {
        let history = |connection: &mut Connection, _: &_| {
            let retained = retained(connection)?;
            make_durable(connection)?;
            Ok(retained)
        };
        self.blocking(Operation::History, history).await
    }

    async fn read(&self, generation: &Generation) -> Result<Bytes> {
        let (wanted, at) = (generation.clone(), self.at(Operation::Read));
        let read = move |connection: &mut Connection, _: &_| {
            let transaction = connection.transaction()?;
            // Generations are equal by name alone, and a caller can construct one: compare the sequence number, too. The digest to
            // check is the one in the database.
            let retained = retained(&transaction)?;
            let Some(known) = retained.iter().find(|known| **known == wanted && known.seq() == wanted.seq()) else {
                return Err(MiniSnapError::Expired { at, generation: wanted }.into());
            };
            let found = match json_of(&transaction, known)? {
                Ok(json) => return Ok(json),
                Err(found) => found,
            };
            let intact = verify(&transaction, at.location())?;
            let at = ErrorContext::new(Operation::Read, format!("{}/{known}", at.location()));
            Err(MiniSnapError::corrupt(at, found).with_verification(&intact).into())
        };
        self.blocking(Operation::Read, read).await
    }

    /// Reads the JSON into memory. A read transaction for a whole stream would delay commits until the stream ends.
    async fn read_chunks(&self, generation: &Generation) -> Result<ChunkStream> {
        self.read(generation).await.map(ChunkStream::from_bytes)
    }

    async fn stage(&self, seq: u64) -> Result<Box<dyn StagedSnapshot>> {
        let unnamed =
            |source| MiniSnapError::Io { at: self.at(Operation::Stage), action: "name the generation", source };
        let name = format!("{seq}-{}", random_name_part(16).map_err(unnamed)?);
        Ok(Box::new(Stage { backend: self.clone(), generation: Generation::new(name, seq), json: Vec::new() }))
    }

    async fn expire(&self, retain: NonZeroUsize) -> Result<Vec<Generation>> {
        let at = self.at(Operation::Expire);
        let expire = move |connection: &mut Connection, caller: &CallerWatch| {
            let transaction = connection.transaction_with_behavior(Immediate)?;
            let mut before = retained(&transaction)?;
            let expired = before.split_off(retain.get().min(before.len()));
            delete(&transaction, &expired)?;
            caller.check(|| at)?; // as in a commit
            transaction.commit()?;
            Ok(expired)
        };
        self.blocking(Operation::Expire, expire).await
    }

    async fn verify(&self) -> Result<Verification> {
        let location = self.path.clone();
        let verify = move |connection: &mut Connection, _: &_| {
            let transaction = connection.transaction()?;
            Ok(verify(&transaction, &location)?)
        };
        match self.blocking(Operation::Verify, verify).await {
            Err(error) => {
                // The description of a generation is corrupt: a result of the verification. Other errors stay errors.
                let mut verification = Verification::default();
                verification.problems.push(Problem::try_from(error)?);
                Ok(verification)
            }
            verified => verified,
        }
    }

    /// There is never garbage: a stage is in memory, and the transaction that expires a generation deletes it.
    async fn collect_garbage(&self) -> Result<Collected> {
        self.blocking(Operation::CollectGarbage, |_, _| Ok(Collected::default())).await
    }
}

/// A staged snapshot, in memory only: dropping it, or a crash, leaves nothing in the database.
#[derive(Debug)]
struct Stage {
    backend: SqliteBackend,
    generation: Generation,
    json: Vec<u8>,
}

impl io::Write for Stage {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.json.write(bytes)
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
        let commit = move |connection: &mut Connection, caller: &CallerWatch| {
            let (size, time) = (json.len() as u64, SystemTime::now());
            let generation = generation.with_size(size).with_digest(Digest::of(&json)).with_time(time);
            // The atomic step begins: no other connection writes until the transaction ends. A return before `commit` rolls back.
            let transaction = connection.transaction_with_behavior(Immediate)?;
            let before = retained(&transaction)?;
            if let Err(refused) = options.precondition().evaluate(generation.seq(), before.first(), &at) {
                make_durable(&transaction)?; // `Stale` names a generation
                return Err(refused.into());
            }
            let sql = "INSERT INTO generation (name, description, json) VALUES (?, ?, ?)";
            transaction.execute(sql, (generation.name(), generation.to_text(), json))?;
            let committed = Committed::new(generation.clone(), &before, options.retain());
            delete(&transaction, &before[committed.retained().len() - 1..])?;
            caller.check(|| at.clone())?;
            match transaction.commit() {
                Ok(()) => Ok(committed),
                Err(busy) if busy.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Err(busy.into()),
                Err(error) => {
                    let (previous, source) = (before.into_iter().next(), error.into());
                    Err(MiniSnapError::OutcomeUnknown { at, generation, previous, source }.into())
                }
            }
        };
        backend.blocking(Operation::Commit, commit).await
    }
}

/// Deletes expired rows. The newest row is never deleted, so its number is never used again.
fn delete(connection: &Connection, expired: &[Generation]) -> rusqlite::Result<()> {
    let mut delete = connection.prepare("DELETE FROM generation WHERE name = ?")?;
    expired.iter().try_for_each(|generation| delete.execute([generation.name()]).map(drop))
}

/// The retained generations, newest first.
fn retained(connection: &Connection) -> rusqlite::Result<Vec<Generation>> {
    let mut rows = connection.prepare("SELECT description FROM generation ORDER BY number DESC")?;
    let rows = rows.query_map([], |row| {
        let parsed = row.get::<_, String>(0)?.parse();
        parsed.map_err(|error: ParseGenerationError| FromSqlConversionFailure(0, Type::Text, error.into()))
    });
    rows?.collect()
}

/// The JSON of a retained generation, or the corruption that was found.
fn json_of(connection: &Connection, generation: &Generation) -> rusqlite::Result<Result<Bytes, Corruption>> {
    let sql = "SELECT json FROM generation WHERE name = ?";
    let json: Vec<u8> = connection.query_row(sql, [generation.name()], |row| row.get(0))?;
    let found = Corruption::of_json(generation, json.len() as u64, Digest::of(&json));
    Ok(found.map_or(Ok(json.into()), Err))
}

fn verify(connection: &Connection, location: &str) -> rusqlite::Result<Verification> {
    let check = |generation: Generation| {
        Ok(match json_of(connection, &generation)? {
            Ok(_) => VerifiedGeneration::intact(generation),
            Err(found) => {
                let problem = Problem::new(format!("{location}/{generation}"), found);
                VerifiedGeneration::corrupt(generation, problem)
            }
        })
    };
    let verified: rusqlite::Result<_> = retained(connection)?.into_iter().map(check).collect();
    verified.map(Verification::new)
}

/// Makes the last commit durable, also if its writer was killed between the truncation of the journal and the sync. A power loss would
/// restore the journal, and the next reader would roll the commit back.
fn make_durable(connection: &Connection) -> Result<(), Failure> {
    let journal = File::open(format!("{}-journal", connection.path().unwrap_or_default()));
    match journal.and_then(|journal| journal.sync_all()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::Sync(error)),
        _ => Ok(()),
    }
}

/// Why work on a connection stopped. With this type, `?` converts the errors of SQLite and of the contract.
enum Failure {
    Sqlite(rusqlite::Error),
    Sync(io::Error),
    Contract(MiniSnapError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<MiniSnapError> for Failure {
    fn from(error: MiniSnapError) -> Self {
        Self::Contract(error)
    }
}

impl Failure {
    /// The error for the caller. Nothing was committed, unless it is `OutcomeUnknown`.
    fn into_error(self, at: ErrorContext) -> MiniSnapError {
        let error = match self {
            Self::Contract(error) => return error,
            Self::Sync(source) => return MiniSnapError::Io { at, action: "sync the journal", source },
            Self::Sqlite(error) => error,
        };
        match (error.sqlite_error_code(), &error) {
            (Some(ErrorCode::DatabaseBusy), _) => {
                MiniSnapError::Busy { at, waited: BUSY_TIMEOUT, reason: "other connections hold their locks".into() }
            }
            (Some(ErrorCode::TooBig), _) => {
                let what = "SQLite stores at most 1 GB in a value".into();
                MiniSnapError::Unsupported { at, what, help: Some("divide the state into several stores".into()) }
            }
            (Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase), _)
            | (_, FromSqlConversionFailure(..) | InvalidColumnType(..)) => {
                MiniSnapError::corrupt(at, Corruption::Other(error.to_string()))
            }
            _ => MiniSnapError::Backend { at, transient: false, source: error.into(), help: None },
        }
    }
}
