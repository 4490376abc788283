//! Shared by `accept`, `revert` and `rollback`: restoring the links of a folder. Objects can't be edited in place, so
//! `accept` and `revert` refuse an object store.

use crate::{
    exit::{Exit, Failure, Outcome},
    open_store::OpenStore,
    pending_change::PendingChange,
};
use minisnap::{FsBackend, Generation};
use std::path::{Path, PathBuf};

/// The store's folder, and its backend.
pub(super) async fn folder_of(store: &OpenStore) -> Outcome<(&Path, &FsBackend)> {
    match store.fs() {
        Some(fs) => Ok(fs),
        None => Err(not_a_folder(store, &store.current().await?)),
    }
}

/// The result of reverting external changes and restoring links.
#[derive(Default)]
pub(super) struct Reverted {
    /// The new paths of the files that were moved aside.
    moved: Vec<PathBuf>,
    /// The output about restored links, a line each.
    links: String,
}

impl Reverted {
    /// The output, a line for each file and link.
    pub(super) fn lines(&self) -> String {
        let moved = self.moved.iter().map(|path| format!("moved aside: {}\n", path.display()));
        moved.chain([self.links.clone()]).collect()
    }
}

/// Reverts external changes, if there are any.
pub(super) async fn revert(backend: &FsBackend) -> minisnap::Result<Reverted> {
    let links = BrokenLinks::find(backend).await?;
    if links.broken.is_empty() {
        return Ok(Reverted::default());
    }
    PendingChange::Store.begin();
    let moved = backend.revert_external_changes().await?;
    Ok(Reverted { moved, links: links.restored().await? })
}

/// The broken links of a folder, to report later which were restored.
pub(super) struct BrokenLinks<'a> {
    backend: &'a FsBackend,
    broken: Vec<String>,
}

impl<'a> BrokenLinks<'a> {
    pub(super) async fn find(backend: &'a FsBackend) -> minisnap::Result<Self> {
        let broken = backend.broken_links().await?.into_iter().map(|problem| problem.location).collect();
        Ok(Self { backend, broken })
    }

    /// A line for each link that was restored since.
    pub(super) async fn restored(self) -> minisnap::Result<String> {
        let now = Self::find(self.backend).await?.broken;
        let restored = self.broken.iter().filter(|link| !now.contains(link));
        Ok(restored.map(|link| format!("restored the link {link}\n")).collect())
    }
}

fn not_a_folder(store: &OpenStore, current: &Generation) -> Failure {
    let what = format!("{}: only a folder can have external changes: objects can't be edited in place", store.name());
    let seq = current.seq().to_string();
    Failure::new(Exit::Unsupported, what).with_help(format!(
        "run {}, edit that file, then run {}",
        store.command("restore", &["--output", "edited.json"]),
        store.command("create", &["--seq", &seq, "edited.json"])
    ))
}
