//! The conformance suite on the file system backend.

use minisnap_core::{
    SnapshotBackend, async_trait,
    conformance::{Capability, StoreUnderTest},
};
use minisnap_fs::FsBackend;
use std::{fs, sync::Arc};
use tempfile::TempDir;

struct Folder(TempDir);

#[async_trait]
impl StoreUnderTest for Folder {
    async fn fresh() -> Self {
        Self(TempDir::new().expect("a temporary folder"))
    }

    async fn open(&self) -> Arc<dyn SnapshotBackend> {
        Arc::new(FsBackend::new(self.0.path().join("state")))
    }

    async fn garbage(&self) -> Vec<String> {
        let history = self.open().await.history().await.expect("a history");
        let mut known = vec!["snapshot.json", "snapshot.seq", "snapshots", "current", "format", "last-commit", ".lock"];
        known.extend(history.iter().map(|generation| generation.name()));
        let mut found = Vec::new();
        for folder in ["state", "state/snapshots"] {
            let Ok(entries) = fs::read_dir(self.0.path().join(folder)) else { continue };
            found.extend(entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a text")));
        }
        found.retain(|name| !known.contains(&name.as_str()));
        found
    }

    fn lacks() -> &'static [Capability] {
        &[]
    }
}

minisnap_core::conformance_tests!(Folder);
