//! The conformance suite for the SQLite backend, with each hook that a database file allows.
//!
//! The hooks `power_cut` and `lost_answer` need a disk that fails, so `tests/power_loss` has them.

use example_sqlite_backend::SqliteBackend;
use minisnap_core::{
    Generation, SnapshotBackend, async_trait,
    conformance::{Capability, StoreUnderTest},
    conformance_tests,
};
use rusqlite::Connection;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;

/// A database file in a temporary folder, which the stores of the hook `neighbour` share.
struct SqliteFile {
    folder: Arc<TempDir>,
    path: PathBuf,
}

fn open(path: impl AsRef<Path>) -> Arc<dyn SnapshotBackend> {
    let path = path.as_ref().to_str().expect("the paths of temporary folders are text");
    Arc::new(SqliteBackend::open(path).expect("the folder exists"))
}

#[async_trait]
impl StoreUnderTest for SqliteFile {
    async fn fresh() -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("temporary folders can be created"));
        let path = folder.path().join("state.db");
        drop(open(&path)); // creates it: a user who may only read can't
        Self { folder, path }
    }

    async fn open(&self) -> Arc<dyn SnapshotBackend> {
        open(&self.path)
    }

    /// There is never garbage: a stage is in memory, and every row of the table is a retained generation.
    async fn garbage(&self) -> Vec<String> {
        Vec::new()
    }

    fn lacks() -> &'static [Capability] {
        &[]
    }

    fn address(&self) -> Option<String> {
        self.path.to_str().map(str::to_owned)
    }

    async fn open_address(address: &str) -> Option<Arc<dyn SnapshotBackend>> {
        Some(open(address))
    }

    async fn open_read_only(&self) -> Option<Arc<dyn SnapshotBackend>> {
        Some(open(format!("file:{}?mode=ro", self.path.display())))
    }

    async fn hold_write_lock(&self) -> Option<Box<dyn Send>> {
        let connection = Connection::open(&self.path).expect("the store was opened before");
        connection.execute_batch("BEGIN IMMEDIATE").expect("no other writer");
        Some(Box::new(connection))
    }

    async fn corrupt(&self, generation: &Generation) -> Option<()> {
        let connection = Connection::open(&self.path).expect("the store was opened before");
        let select = "SELECT json FROM generation WHERE name = ?";
        let json = connection.query_row(select, [generation.name()], |row| row.get(0));
        let mut json: Vec<u8> = json.expect("the generation is retained");
        json[0] ^= 1;
        let update = "UPDATE generation SET json = ? WHERE name = ?";
        connection.execute(update, (json, generation.name())).expect("the row can be updated");
        Some(())
    }

    /// The file disappears after the handle was opened, as on a disk that was removed.
    async fn unreachable(&self) -> Option<Arc<dyn SnapshotBackend>> {
        let path = self.folder.path().join("removed.db");
        let handle = open(&path);
        std::fs::remove_file(path).expect("the file was created");
        Some(handle)
    }

    async fn neighbour(&self) -> Option<Self> {
        let path = format!("{}2", self.path.display()).into();
        Some(Self { folder: self.folder.clone(), path })
    }
}

conformance_tests!(SqliteFile, hooks = [processes, read_only, write_lock, corrupt, unreachable, neighbour]);
