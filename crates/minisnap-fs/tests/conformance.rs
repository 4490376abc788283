//! The conformance suite on the file system backend.

use minisnap_core::{
    Generation, SnapshotBackend, async_trait,
    conformance::{Capability, StoreUnderTest},
    format::JSON_NAME,
};
use minisnap_fs::FsBackend;
use std::{
    fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;

/// A store in the folder `name` of a temporary folder.
struct Folder {
    parent: Arc<TempDir>,
    name: &'static str,
}

impl Folder {
    fn path(&self) -> PathBuf {
        self.parent.path().join(self.name)
    }
}

#[async_trait]
impl StoreUnderTest for Folder {
    async fn fresh() -> Self {
        Self { parent: Arc::new(TempDir::new().expect("a temporary folder")), name: "state" }
    }

    async fn open(&self) -> Arc<dyn SnapshotBackend> {
        Arc::new(FsBackend::new(self.path()))
    }

    async fn garbage(&self) -> Vec<String> {
        let history = self.open().await.history().await.expect("a history");
        let mut known = vec!["snapshot.json", "snapshot.seq", "snapshots", "current", "format", "last-commit", ".lock"];
        known.extend(history.iter().map(|generation| generation.name()));
        let mut found = Vec::new();
        for folder in [self.path(), self.path().join("snapshots")] {
            let Ok(entries) = fs::read_dir(folder) else { continue };
            found.extend(entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a text")));
        }
        found.retain(|name| !known.contains(&name.as_str()));
        found
    }

    fn lacks() -> &'static [Capability] {
        &[]
    }

    fn address(&self) -> Option<String> {
        Some(self.path().to_str().expect("a text").to_owned())
    }

    async fn open_address(address: &str) -> Option<Arc<dyn SnapshotBackend>> {
        Some(Arc::new(FsBackend::new(address)))
    }

    async fn hold_write_lock(&self) -> Option<Box<dyn Send>> {
        let lock = fs::File::options()
            .read(true)
            .write(true)
            .open(self.path().join("snapshots/.lock"))
            .expect("the lock file");
        lock.lock().expect("the lock");
        Some(Box::new(lock))
    }

    async fn corrupt(&self, generation: &Generation) -> Option<()> {
        change_a_byte(&self.path().join("snapshots").join(generation.name()).join(JSON_NAME));
        Some(())
    }

    /// A path through a file. Root can't create a folder there either.
    async fn unreachable(&self) -> Option<Arc<dyn SnapshotBackend>> {
        let file = self.parent.path().join("file");
        fs::write(&file, "not a folder").expect("a file");
        Some(Arc::new(FsBackend::new(file.join(self.name))))
    }

    async fn neighbour(&self) -> Option<Self> {
        Some(Self { parent: self.parent.clone(), name: "state-2" })
    }
}

fn change_a_byte(path: &Path) {
    let file = fs::File::options().read(true).write(true).open(path).expect("a JSON");
    let middle = file.metadata().expect("its size").len() / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, middle).expect("a byte in the middle");
    file.write_all_at(&[byte[0] ^ 1], middle).expect("the JSON can be written");
}

minisnap_core::conformance_tests!(Folder, hooks = [processes, write_lock, corrupt, unreachable, neighbour]);
