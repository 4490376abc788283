//! A store's folder: its paths, the state that operations share, and the creation of files in it.

use crate::{
    cache::Cache,
    known_corrupt::KnownCorrupt,
    layout::{
        CURRENT, FORMAT, GenerationName, LAST_COMMIT, LINKS_PENDING, LOCK, NEXT, NEXT_PUBLIC, SNAPSHOTS, new_path_aside,
    },
    sys::{self, Owner},
};
use minisnap_core::{
    Generation, MiniSnapError, Result, events,
    format::{JSON_NAME, SEQ_NAME},
};
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

/// The folder of one store, as one operation sees it.
#[derive(Debug)]
pub(crate) struct StoreDir {
    path: PathBuf,
    /// How long to wait for the lock.
    pub(crate) busy_timeout: Duration,
    pub(crate) known_corrupt: KnownCorrupt,
    pub(crate) cache: Cache,
    /// See [`owner`](Self::owner).
    owner: OnceLock<Option<Owner>>,
}

/// A clone is for another operation, which determines the store's owner again.
impl Clone for StoreDir {
    fn clone(&self) -> Self {
        let (path, known_corrupt, cache) = (self.path.clone(), self.known_corrupt.clone(), self.cache.clone());
        Self { path, busy_timeout: self.busy_timeout, known_corrupt, cache, owner: OnceLock::new() }
    }
}

/// `DIR/snapshot.json` or `DIR/snapshot.seq`.
#[derive(Debug)]
pub(crate) struct PublicName {
    /// The file's name, in the store's folder and in a generation's folder.
    pub(crate) file: &'static str,
    pub(crate) path: PathBuf,
    /// The target of the link.
    pub(crate) target: PathBuf,
}

impl StoreDir {
    /// A copy for another step of the same operation. It doesn't determine the store's owner again.
    pub(crate) fn for_next_step(&self) -> Self {
        Self { owner: self.owner.clone(), ..self.clone() }
    }

    /// `path` should be absolute: then a change of the working directory has no effect.
    pub(crate) fn new(path: PathBuf, busy_timeout: Duration) -> Self {
        let (known_corrupt, cache) = (KnownCorrupt::default(), Cache::default());
        Self { path, busy_timeout, known_corrupt, cache, owner: OnceLock::new() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The two names that people and other programs open, the JSON's first.
    pub(crate) fn public_names(&self) -> [PublicName; 2] {
        [JSON_NAME, SEQ_NAME].map(|file| PublicName {
            file,
            path: self.path.join(file),
            target: PathBuf::from(format!("{SNAPSHOTS}/{CURRENT}/{file}")),
        })
    }

    pub(crate) fn snapshots(&self) -> PathBuf {
        self.path.join(SNAPSHOTS)
    }

    pub(crate) fn current(&self) -> PathBuf {
        self.snapshots().join(CURRENT)
    }

    pub(crate) fn last_commit(&self) -> PathBuf {
        self.snapshots().join(LAST_COMMIT)
    }

    pub(crate) fn format(&self) -> PathBuf {
        self.snapshots().join(FORMAT)
    }

    pub(crate) fn next(&self) -> PathBuf {
        self.snapshots().join(NEXT)
    }

    pub(crate) fn next_public(&self) -> PathBuf {
        self.path.join(NEXT_PUBLIC)
    }

    pub(crate) fn links_pending(&self) -> PathBuf {
        self.snapshots().join(LINKS_PENDING)
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.snapshots().join(LOCK)
    }

    pub(crate) fn generation(&self, name: &GenerationName) -> PathBuf {
        self.snapshots().join(name.as_str())
    }

    /// The folder of a generation, if it exists. A link to a folder doesn't count: its target isn't a part of the store.
    pub(crate) fn folder_of(&self, name: &GenerationName) -> Result<Option<PathBuf>> {
        let folder = self.generation(name);
        Ok(sys::is_folder(&folder)?.then_some(folder))
    }

    /// The name of a generation that a caller passes.
    ///
    /// # Errors
    ///
    /// `Expired` if it can't be a generation of this store: the name is malformed, or doesn't match the seq. The seq is compared here,
    /// since `Generation` compares only names, and the caller relies on its seq.
    pub(crate) fn name_of(&self, generation: &Generation) -> Result<GenerationName> {
        let name = GenerationName::parse(generation.name()).filter(|name| name.seq == generation.seq());
        name.ok_or_else(|| self.expired(generation))
    }

    /// The error for a generation that isn't retained.
    pub(crate) fn expired(&self, generation: &Generation) -> MiniSnapError {
        MiniSnapError::Expired { at: sys::at(&self.path), generation: generation.clone() }
    }

    /// The names of the generations in `snapshots`, committed or not.
    pub(crate) fn generations(&self) -> Result<Vec<GenerationName>> {
        let names = sys::names_in(&self.snapshots())?;
        Ok(names.iter().filter_map(|name| GenerationName::parse(name)).collect())
    }
}

/// Durability.
impl StoreDir {
    /// Syncs the folder and its ancestors up to the mount point. It stops at an ancestor that this process may not open. Such a folder
    /// belongs to a user with more rights, and wasn't created for this store.
    pub(crate) fn sync_with_ancestors(&self) -> Result<()> {
        let folder = sys::canonical(&self.path)?;
        sync_up(&folder)?;
        // If `snapshots` is a link, its target has other ancestors.
        match sys::target_metadata(&self.snapshots())?.map(|_| sys::canonical(&self.snapshots())).transpose()? {
            Some(snapshots) if snapshots.parent() != Some(&folder) => sync_up(&snapshots),
            _ => Ok(()),
        }
    }
}

/// Creating files. Files that root creates get the store's owner: else the owner could not use or remove them. If the owner can't be
/// changed, the new file is removed.
impl StoreDir {
    /// Creates the missing folders, down to `snapshots`.
    pub(crate) fn create_folders(&self) -> Result<()> {
        let snapshots = self.snapshots();
        if sys::target_metadata(&snapshots)?.is_some() {
            return Ok(());
        }
        // While there is no `snapshots`, the owner is that of the store's folder.
        let owner = self.owner()?;
        sys::create_folders(&snapshots)?;
        let changed =
            owner.map_or(Ok(()), |owner| sys::change_owner(&sys::open_own_folder(&snapshots)?, &snapshots, owner));
        // If `snapshots` stayed, the next writer would take root for the store's owner.
        changed.inspect_err(|_| undo_folder(&snapshots))
    }

    /// Creates a folder, and opens it.
    pub(crate) fn create_folder(&self, path: &Path, mode: u32) -> Result<File> {
        sys::create_folder(path, mode)?;
        let folder = sys::open_own_folder(path).and_then(|folder| self.set_owner(&folder, path).map(|()| folder));
        folder.inspect_err(|_| undo_folder(path))
    }

    pub(crate) fn create_file(&self, path: &Path, mode: u32) -> Result<File> {
        let file = sys::create_file(path, mode)?;
        self.set_owner(&file, path).inspect_err(|_| undo_file(path))?;
        Ok(file)
    }

    /// Opens or creates a file to lock.
    pub(crate) fn open_or_create(&self, path: &Path) -> Result<File> {
        let (file, is_new) = sys::open_or_create(path)?;
        if is_new {
            self.set_owner(&file, path).inspect_err(|_| undo_file(path))?;
        }
        Ok(file)
    }

    pub(crate) fn link(&self, target: &Path, path: &Path) -> Result<()> {
        // Before the link is created: if the owner can't be determined, there is nothing to undo.
        let owner = self.owner()?;
        sys::link(target, path)?;
        owner.map_or(Ok(()), |owner| sys::change_link_owner(path, owner)).inspect_err(|_| undo_file(path))
    }

    /// Replaces the entry at `path`, which is below `snapshots`, by a link, atomically.
    pub(crate) fn replace_link(&self, target: &str, path: &Path) -> Result<()> {
        let next = self.next();
        self.link_anew(Path::new(target), &next)?;
        // It fails if a folder is at `path`, for example.
        sys::rename(&next, path).inspect_err(|_| {
            events::best_effort("remove a link", sys::remove(&next));
        })
    }

    /// Creates a link where a killed writer may have left one.
    pub(crate) fn link_anew(&self, target: &Path, path: &Path) -> Result<()> {
        match self.link(target, path) {
            Err(error) if sys::kind(&error) == Some(io::ErrorKind::AlreadyExists) => {
                sys::remove(path)?;
                self.link(target, path)
            }
            linked => linked,
        }
    }

    fn set_owner(&self, file: &File, path: &Path) -> Result<()> {
        self.owner()?.map_or(Ok(()), |owner| sys::change_owner(file, path, owner))
    }

    /// The owner that new files must get: that of `snapshots`, or of the store's folder while there is no `snapshots`. `None` if this
    /// process is that owner, or isn't root: only root can change an owner.
    fn owner(&self) -> Result<Option<Owner>> {
        if let Some(owner) = self.owner.get() {
            return Ok(*owner);
        }
        let this_process = Owner::of_this_process();
        let mut owner = None;
        if this_process.user == 0 {
            let found = match sys::target_metadata(&self.snapshots())? {
                Some(found) => Some(found),
                None => sys::target_metadata(&self.path)?,
            };
            owner = found.as_ref().map(Owner::of).filter(|owner| *owner != this_process);
        }
        Ok(*self.owner.get_or_init(|| owner))
    }
}

/// An unused path in the same folder as `path`.
pub(crate) fn path_aside(path: &Path) -> Result<PathBuf> {
    new_path_aside(path).map_err(|error| sys::error("choose a new name", path, error))
}

/// Moves the entry at `path` to an unused name in the same folder, and returns its new path.
pub(crate) fn move_aside(path: &Path) -> Result<PathBuf> {
    let aside = path_aside(path)?;
    sys::rename(path, &aside).map(|()| aside)
}

fn undo_file(path: &Path) {
    events::best_effort("remove a file whose owner can't be changed", sys::remove(path));
}

fn undo_folder(path: &Path) {
    events::best_effort("remove a folder whose owner can't be changed", sys::remove_folder(path));
}

/// Syncs a folder and its ancestors on the same file system, up to the first that this process may not open.
fn sync_up(folder: &Path) -> Result<()> {
    let device = sys::device(folder)?;
    for ancestor in folder.ancestors() {
        if sys::device(ancestor)? != device || !sys::sync_folder_if_allowed(ancestor)? {
            break;
        }
    }
    Ok(())
}
