//! The contenders: minisnap, its alternatives, and the lower bounds. Each saves and restores a state.

use crate::{
    Result,
    by_hand::{self, Syncs},
};
use minisnap::SnapStore;
use shared::{summary::MULTI_THREAD, workload::Workload};
use std::{
    fs,
    io::BufWriter,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::runtime::{Builder, Runtime, RuntimeFlavor};

pub const NAMES: [&str; 10] = [
    "minisnap",
    "minisnap, multi-thread",
    "minisnap-owned",
    "0.1.3",
    "0.1.3, multi-thread",
    "atomic-write-file",
    "redb",
    "sqlite",
    "one file",
    "protocol",
];

pub enum Contender {
    /// minisnap with `create`.
    Minisnap(Arc<Runtime>, SnapStore),
    /// minisnap with `create_owned`.
    Owned(Arc<Runtime>, SnapStore),
    /// The released version 0.1.3.
    Old(Arc<Runtime>, minisnap_013::SnapStore<minisnap_013::JsonCodec>),
    AtomicWriteFile(PathBuf),
    Redb(Arc<redb::Database>),
    /// A connection, and the path of the database.
    Sqlite(Arc<Mutex<rusqlite::Connection>>, PathBuf),
    /// The bare system calls for one file.
    OneFile(PathBuf),
    /// The bare system calls of minisnap's commit.
    Protocol(PathBuf),
}

const TABLE: redb::TableDefinition<&str, &[u8]> = redb::TableDefinition::new("snapshot");

impl Contender {
    pub fn open(name: &str, folder: &Path) -> Result<Self> {
        let file = folder.join("snapshot.json");
        // As in a program with `#[tokio::main]`, the future runs on a thread that isn't a worker of the runtime.
        let (name, flavour) = match name.strip_suffix(MULTI_THREAD) {
            Some(name) => (name, RuntimeFlavor::MultiThread),
            None => (name, RuntimeFlavor::CurrentThread),
        };
        Ok(match name {
            "minisnap" => Self::Minisnap(runtime(flavour)?, SnapStore::new(folder)),
            "minisnap-owned" => Self::Owned(runtime(flavour)?, SnapStore::new(folder)),
            "0.1.3" => Self::Old(runtime(flavour)?, minisnap_013::SnapStore::new(folder, minisnap_013::JsonCodec)),
            "atomic-write-file" => Self::AtomicWriteFile(file),
            "redb" => Self::Redb(Arc::new(redb::Database::create(folder.join("snapshot.redb"))?)),
            "sqlite" => sqlite(folder.join("snapshot.sqlite"))?,
            "one file" => Self::OneFile(file),
            "protocol" => {
                fs::create_dir_all(folder.join("snapshots"))?;
                Self::Protocol(folder.into())
            }
            other => return Err(format!("no contender {other:?}").into()),
        })
    }

    /// The same store for a reader on another thread. With its write-ahead log, SQLite's readers have connections of their
    /// own.
    pub fn reader(&self) -> Result<Self> {
        Ok(match self {
            Self::Sqlite(_, path) => sqlite(path.clone())?,
            Self::OneFile(path) => Self::OneFile(path.clone()),
            Self::Protocol(folder) => Self::Protocol(folder.clone()),
            other => other.writer()?,
        })
    }

    /// The same store for a writer on another thread.
    pub fn writer(&self) -> Result<Self> {
        Ok(match self {
            Self::Minisnap(runtime, store) => Self::Minisnap(for_another_thread(runtime)?, store.clone()),
            Self::Owned(runtime, store) => Self::Owned(for_another_thread(runtime)?, store.clone()),
            Self::Old(runtime, store) => Self::Old(for_another_thread(runtime)?, store.clone()),
            Self::AtomicWriteFile(path) => Self::AtomicWriteFile(path.clone()),
            Self::Redb(database) => Self::Redb(Arc::clone(database)),
            Self::Sqlite(connection, path) => Self::Sqlite(Arc::clone(connection), path.clone()),
            Self::OneFile(_) | Self::Protocol(_) => return Err("one writer only".into()),
        })
    }

    /// Saves a state. 0.1.3 takes it by value, so its figures include the clone.
    pub fn create<S: Workload>(&self, state: &Arc<S>, seq: u64) -> Result<()> {
        match self {
            Self::Minisnap(runtime, store) => drop(runtime.block_on(store.create(&**state, seq))?),
            Self::Owned(runtime, store) => drop(runtime.block_on(store.create_owned(Arc::clone(state), seq))?),
            Self::Old(runtime, store) => runtime.block_on(store.create(S::clone(state), seq))?,
            Self::AtomicWriteFile(path) => {
                let mut file = BufWriter::with_capacity(1 << 20, atomic_write_file::AtomicWriteFile::open(path)?);
                serde_json::to_writer_pretty(&mut file, &**state)?;
                file.into_inner()?.commit()?;
            }
            Self::Redb(database) => {
                let json = serde_json::to_vec_pretty(&**state)?;
                let transaction = database.begin_write()?;
                {
                    let mut table = transaction.open_table(TABLE)?;
                    table.insert("json", &*json)?;
                    table.insert("seq", &*seq.to_string().into_bytes())?;
                }
                transaction.commit()?;
            }
            Self::Sqlite(connection, _) => {
                let json = serde_json::to_vec_pretty(&**state)?;
                let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
                connection.execute("insert or replace into snapshot values (1, ?1, ?2)", (seq as i64, json))?;
            }
            Self::OneFile(path) => by_hand::replace_file(path, &**state)?,
            Self::Protocol(folder) => by_hand::commit(folder, &**state, seq, Syncs::InOrder)?,
        }
        Ok(())
    }

    pub fn restore<S: Workload>(&self) -> Result<S> {
        Ok(match self {
            Self::Minisnap(runtime, store) | Self::Owned(runtime, store) => runtime.block_on(store.restore())?.0,
            Self::Old(runtime, store) => runtime.block_on(store.restore())?.0,
            Self::AtomicWriteFile(path) | Self::OneFile(path) => serde_json::from_slice(&fs::read(path)?)?,
            Self::Redb(database) => {
                use redb::ReadableDatabase;
                let table = database.begin_read()?.open_table(TABLE)?;
                serde_json::from_slice(table.get("json")?.ok_or("no snapshot")?.value())?
            }
            Self::Sqlite(connection, _) => {
                let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
                let json: Vec<u8> =
                    connection.query_row("select json from snapshot where id = 1", (), |row| row.get(0))?;
                serde_json::from_slice(&json)?
            }
            Self::Protocol(folder) => serde_json::from_slice(&by_hand::read(folder)?)?,
        })
    }
}

fn runtime(flavour: RuntimeFlavor) -> Result<Arc<Runtime>> {
    Ok(Arc::new(match flavour {
        RuntimeFlavor::MultiThread => Builder::new_multi_thread().build()?,
        _ => Builder::new_current_thread().build()?,
    }))
}

/// A runtime for another thread: the same one if it is multi-threaded, otherwise a new one.
fn for_another_thread(current: &Arc<Runtime>) -> Result<Arc<Runtime>> {
    match current.handle().runtime_flavor() {
        RuntimeFlavor::MultiThread => Ok(Arc::clone(current)),
        other => runtime(other),
    }
}

fn sqlite(path: PathBuf) -> Result<Contender> {
    let connection = rusqlite::Connection::open(&path)?;
    connection.busy_timeout(Duration::from_secs(30))?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.execute("create table if not exists snapshot (id integer primary key, seq, json blob)", ())?;
    Ok(Contender::Sqlite(Arc::new(Mutex::new(connection)), path))
}
