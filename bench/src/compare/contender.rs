//! What people would use instead, and the floors: each saves a state and gives it back.

use crate::workload::Workload;
use minisnap::{At, Operation, SnapStore};
use std::{
    error::Error,
    fs::{self, File},
    io::{BufWriter, Write},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};
use tokio::runtime::Runtime;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

pub const NAMES: [&str; 8] =
    ["minisnap", "minisnap-owned", "0.1.3", "atomic-write-file", "redb", "sqlite", "one file", "protocol"];

pub enum Contender {
    /// This.
    Minisnap(Runtime, SnapStore),
    /// This, with `create_owned`.
    Owned(Runtime, SnapStore),
    /// The published crate of the same name.
    Old(Runtime, minisnap_013::SnapStore<minisnap_013::JsonCodec>),
    AtomicWriteFile(PathBuf),
    Redb(redb::Database),
    Sqlite(rusqlite::Connection),
    /// The bare calls for one file: encode, write, sync, rename, sync the folder. No pair, no seal, no history.
    OneFile(PathBuf),
    /// The calls of minisnap's own protocol, by hand, and nothing else.
    Protocol(PathBuf),
}

const TABLE: redb::TableDefinition<&str, &[u8]> = redb::TableDefinition::new("snapshot");

impl Contender {
    pub fn open(name: &str, folder: &Path) -> Result<Self> {
        let runtime = || tokio::runtime::Builder::new_current_thread().build();
        let file = folder.join("snapshot.json");
        Ok(match name {
            "minisnap" => Self::Minisnap(runtime()?, SnapStore::new(folder)),
            "minisnap-owned" => Self::Owned(runtime()?, SnapStore::new(folder)),
            "0.1.3" => Self::Old(runtime()?, minisnap_013::SnapStore::new(folder, minisnap_013::JsonCodec)),
            "atomic-write-file" => Self::AtomicWriteFile(file),
            "redb" => Self::Redb(redb::Database::create(folder.join("snapshot.redb"))?),
            "sqlite" => {
                let connection = rusqlite::Connection::open(folder.join("snapshot.sqlite"))?;
                connection.pragma_update(None, "journal_mode", "wal")?;
                connection.pragma_update(None, "synchronous", "full")?;
                connection
                    .execute("create table if not exists snapshot (id integer primary key, seq, json blob)", ())?;
                Self::Sqlite(connection)
            }
            "one file" => Self::OneFile(file),
            "protocol" => {
                fs::create_dir_all(folder.join("snapshots"))?;
                Self::Protocol(folder.into())
            }
            other => return Err(format!("no contender {other:?}").into()),
        })
    }

    /// Saves a state. The clone that 0.1.3 takes by value is a part of its price.
    pub fn create<S: Workload>(&mut self, state: &Arc<S>, seq: u64) -> Result<()> {
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
                let transaction = database.begin_write()?;
                {
                    let mut table = transaction.open_table(TABLE)?;
                    table.insert("json", &*serde_json::to_vec_pretty(&**state)?)?;
                    table.insert("seq", &*seq.to_string().into_bytes())?;
                }
                transaction.commit()?;
            }
            Self::Sqlite(connection) => {
                let json = serde_json::to_vec_pretty(&**state)?;
                connection.execute("insert or replace into snapshot values (1, ?1, ?2)", (seq as i64, json))?;
            }
            Self::OneFile(path) => {
                let new = path.with_extension("new");
                write_json(&new, &**state)?.sync_all()?;
                fs::rename(&new, &*path)?;
                sync(path.parent().unwrap_or(path))?;
            }
            Self::Protocol(folder) => publish_by_hand(folder, &**state, seq)?,
        }
        Ok(())
    }

    pub fn restore<S: Workload>(&mut self) -> Result<S> {
        Ok(match self {
            Self::Minisnap(runtime, store) | Self::Owned(runtime, store) => runtime.block_on(store.restore())?.0,
            Self::Old(runtime, store) => runtime.block_on(store.restore())?.0,
            Self::AtomicWriteFile(path) | Self::OneFile(path) => serde_json::from_slice(&fs::read(path)?)?,
            Self::Redb(database) => {
                use redb::ReadableDatabase;
                let table = database.begin_read()?.open_table(TABLE)?;
                serde_json::from_slice(table.get("json")?.ok_or("nothing there")?.value())?
            }
            Self::Sqlite(connection) => {
                let json: Vec<u8> =
                    connection.query_row("select json from snapshot where id = 1", (), |row| row.get(0))?;
                serde_json::from_slice(&json)?
            }
            Self::Protocol(folder) => {
                serde_json::from_slice(&fs::read(folder.join("snapshots/current/snapshot.json"))?)?
            }
        })
    }
}

/// With the fastest way to write pretty JSON that there is here: minisnap's own.
fn write_json(path: &Path, state: &impl serde::Serialize) -> Result<File> {
    let file = File::create(path)?;
    let at = || At::new(Operation::Write, path.display().to_string());
    minisnap_core::format::write_json(&file, state, at)?;
    Ok(file)
}

fn sync(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}

/// A stage, two files and two links, a rename, a round of syncs, the swap, a sync, and the one before the last removed.
fn publish_by_hand(folder: &Path, state: &impl serde::Serialize, seq: u64) -> Result<()> {
    let snapshots = folder.join("snapshots");
    let current = snapshots.join("current");
    let before = fs::read_link(&current).ok();
    let stage = snapshots.join("stage");
    fs::create_dir(&stage)?;
    let json = write_json(&stage.join("snapshot.json"), state)?;
    let mut seq_file = File::create(stage.join("snapshot.seq"))?;
    writeln!(seq_file, "{seq}")?;
    if let Some(before) = &before {
        symlink(Path::new("..").join(before), stage.join("parent"))?;
    }
    symlink("2", stage.join("retained"))?;
    let name = format!("{seq:020}-0000000000000000-0000000000000000");
    let generation = snapshots.join(&name);
    fs::rename(&stage, &generation)?;
    thread::scope(|scope| {
        let others =
            [scope.spawn(|| seq_file.sync_all()), scope.spawn(|| sync(&generation)), scope.spawn(|| sync(&snapshots))];
        json.sync_all()?;
        others.into_iter().try_for_each(|other| other.join().unwrap_or_else(|_| unreachable!("it doesn't panic")))
    })?;
    symlink(&name, snapshots.join("next"))?;
    fs::rename(snapshots.join("next"), &current)?;
    sync(&snapshots)?;
    if let Some(parent) = before.and_then(|before| fs::read_link(snapshots.join(before).join("parent")).ok()) {
        fs::remove_dir_all(generation.join(parent))?;
    }
    Ok(())
}
