//! States of a store's folder: valid, corrupt, changed by another program, or migrated; and what each operation does with
//! them.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic like the test")]

mod bare_pair;
mod cached_history;
mod commit_over_corruption;
mod corrupt_generation;
mod expire;
mod external_changes;
mod format_version;
mod give_up_lost_store;
mod hostile;
mod layout;
mod lost_record;
mod modes;
mod next_link;
mod other_disk;
mod path_inside_store;
mod reset;
mod staged_in_memory;
mod text_links;
mod unrelated_files;
mod verify;

use minisnap_core::{
    CommitOptions, Committed, Generation, MiniSnapError, Precondition, Result, SnapshotBackend, format,
};
use minisnap_fs::FsBackend;
use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    num::NonZeroUsize,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// A temporary folder with a store.
struct Folder {
    guard: TempDir,
    backend: FsBackend,
}

impl Folder {
    fn new() -> Self {
        let guard = TempDir::new().expect("a temporary folder");
        let backend = FsBackend::new(guard.path());
        Self { guard, backend }
    }

    /// A new handle without cached state. It stages on the disk at once; a handle that has committed may stage in memory.
    fn fresh(&self) -> FsBackend {
        FsBackend::new(self.backend.dir())
    }

    /// A store with snapshots of these seqs, committed in this order; see [`json_of`].
    async fn with_snapshots(seqs: &[u64]) -> Self {
        let folder = Self::new();
        for seq in seqs {
            folder.commit(*seq).await.expect("a commit");
        }
        folder
    }

    /// A folder with a bare pair, as the first release writes it.
    fn with_bare_pair(json: &str, seq: &str) -> Self {
        let folder = Self::new();
        folder.write("snapshot.json", json);
        folder.write("snapshot.seq", seq);
        folder
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.guard.path().join(name)
    }

    /// A file of the current generation.
    fn in_current(&self, name: &str) -> PathBuf {
        self.path("snapshots").join(fs::read_link(self.path("snapshots/current")).expect("a commit record")).join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).expect("to write a file");
    }

    /// The text of a file, if it exists.
    fn cat(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path(name)).ok()
    }

    async fn commit(&self, seq: u64) -> Result<Committed> {
        self.commit_retaining(seq, 3, Precondition::Always).await
    }

    async fn commit_retaining(&self, seq: u64, retain: usize, precondition: Precondition) -> Result<Committed> {
        let mut stage = self.backend.stage(seq).await?;
        stage.write_all(json_of(seq).as_bytes()).expect("room for a few bytes");
        let retain = NonZeroUsize::new(retain).expect("not zero");
        stage.commit(CommitOptions::new(retain).with_precondition(precondition)).await
    }

    /// The current pair.
    async fn restore(&self) -> Result<Option<(String, u64)>> {
        let Some(generation) = self.backend.current().await? else { return Ok(None) };
        let json = self.backend.read(&generation).await?;
        Ok(Some((String::from_utf8(json.into()).expect("text"), generation.seq())))
    }

    async fn history(&self) -> Vec<u64> {
        self.backend.history().await.expect("a history").iter().map(Generation::seq).collect()
    }

    /// The inode, the mode, the times and the content of each path in the folder. Equal listings mean that nothing changed.
    fn listing(&self) -> BTreeMap<PathBuf, String> {
        let mut listing = BTreeMap::new();
        list(self.guard.path(), &mut listing);
        listing
    }

    /// The names in `snapshots` that are neither the commit record, the lock, nor one of the retained generations.
    async fn garbage(&self) -> Vec<String> {
        let history = self.backend.history().await.expect("a history");
        let names = fs::read_dir(self.path("snapshots")).expect("the folder");
        let names = names.map(|entry| entry.expect("an entry").file_name().into_string().expect("text"));
        names
            .filter(|name| !["current", "format", "last-commit", ".lock"].contains(&name.as_str()))
            .filter(|name| history.iter().all(|generation| generation.name() != name))
            .collect()
    }
}

/// The causes of an error, one per line.
fn causes(error: &MiniSnapError) -> String {
    let first = std::error::Error::source(error);
    let all = std::iter::successors(first, |cause| cause.source());
    all.map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn help(error: &MiniSnapError) -> String {
    error.help().map(String::from).unwrap_or_default()
}

fn json_of(seq: u64) -> String {
    format!("{{\n  \"seq\": {seq}\n}}")
}

fn pair_of(seq: u64) -> Option<(String, u64)> {
    Some((json_of(seq), seq))
}

fn list(folder: &Path, listing: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let metadata = fs::symlink_metadata(&path).expect("the file exists");
        let content = match metadata.file_type() {
            kind if kind.is_symlink() => format!("-> {}", fs::read_link(&path).expect("a link").display()),
            kind if kind.is_file() => fs::read(&path).expect("a file").escape_ascii().to_string(),
            kind if kind.is_dir() => {
                list(&path, listing);
                "a folder".into()
            }
            _ => "something else".into(),
        };
        let attributes = (metadata.ino(), metadata.mode(), metadata.mtime(), metadata.mtime_nsec());
        listing.insert(path, format!("{attributes:?} {content}"));
    }
}

/// The text of a `snapshot.seq`.
fn seq_file(seq: u64) -> Option<String> {
    Some(format::seq_text(seq))
}
