//! What `accept`, `revert` and `rollback` share: the folder that the first two need, since objects can't be edited in place, and
//! the links that each of them puts back.

use crate::{
    exit::{Exit, Failure, Outcome},
    open_store::Place,
    pending_change::PendingChange,
};
use minisnap::{FsBackend, Generation};
use std::path::{Path, PathBuf};

/// The store's folder, and its backend.
pub(super) async fn folder_of(place: &Place) -> Outcome<(&Path, &FsBackend)> {
    match place.fs() {
        Some(fs) => Ok(fs),
        None => Err(not_a_folder(place, &place.current().await?)),
    }
}

/// What was done about external changes and broken links.
#[derive(Default)]
pub(super) struct Reverted {
    /// Where the files of others were moved to.
    moved: Vec<PathBuf>,
    /// The links that were put back, a line each.
    links: String,
}

impl Reverted {
    /// What is printed of it, a line each.
    pub(super) fn lines(&self) -> String {
        let moved = self.moved.iter().map(|path| format!("moved aside: {}\n", path.display()));
        moved.chain([self.links.clone()]).collect()
    }
}

/// Reverts external changes, if there are any.
pub(super) async fn put_links_back(backend: &FsBackend) -> minisnap::Result<Reverted> {
    let links = Links::look(backend).await?;
    if links.broken.is_empty() {
        return Ok(Reverted::default());
    }
    PendingChange::Store.begin();
    let moved = backend.revert_external_changes().await?;
    Ok(Reverted { moved, links: links.put_back().await? })
}

/// The links of a folder that are broken, to tell later which were put back.
pub(super) struct Links<'a> {
    backend: &'a FsBackend,
    broken: Vec<String>,
}

impl<'a> Links<'a> {
    pub(super) async fn look(backend: &'a FsBackend) -> minisnap::Result<Self> {
        let broken = backend.broken_links().await?.into_iter().map(|problem| problem.location).collect();
        Ok(Self { backend, broken })
    }

    /// A line for each that was put back since.
    pub(super) async fn put_back(self) -> minisnap::Result<String> {
        let now = Self::look(self.backend).await?.broken;
        let put_back = self.broken.iter().filter(|link| !now.contains(link));
        Ok(put_back.map(|link| format!("put back the link {link}\n")).collect())
    }
}

fn not_a_folder(place: &Place, current: &Generation) -> Failure {
    let what = format!("{}: only a folder can have external changes: objects can't be edited in place", place.name());
    let seq = current.seq().to_string();
    Failure::new(Exit::Unsupported, what).advice(format!(
        "{}, edit that file, and {}, with the same seq",
        place.command("restore", &["--output", "edited.json"]),
        place.command("create", &["--seq", &seq, "edited.json"])
    ))
}
