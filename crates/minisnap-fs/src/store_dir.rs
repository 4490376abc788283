//! A store's folder: the paths in it, what each operation has to know of it, and how something is made in it.

use crate::{
    cache::Cache,
    found_corrupt::FoundCorrupt,
    layout::{
        CURRENT, FORMAT, GenerationName, LAST_COMMIT, LOCK, NEXT, NEXT_PUBLIC, SETTLING, SNAPSHOTS, new_path_aside,
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
    pub(crate) found_corrupt: FoundCorrupt,
    pub(crate) cache: Cache,
    /// See [`owner`](Self::owner).
    owner: OnceLock<Option<Owner>>,
}

/// For another operation, which looks anew whose the store is.
impl Clone for StoreDir {
    fn clone(&self) -> Self {
        let (path, found_corrupt, cache) = (self.path.clone(), self.found_corrupt.clone(), self.cache.clone());
        Self { path, busy_timeout: self.busy_timeout, found_corrupt, cache, owner: OnceLock::new() }
    }
}

/// `DIR/snapshot.json` or `DIR/snapshot.seq`.
#[derive(Debug)]
pub(crate) struct PublicName {
    /// Its name, which is also that of the file in a generation's folder.
    pub(crate) file: &'static str,
    pub(crate) path: PathBuf,
    /// What the link there says.
    pub(crate) target: PathBuf,
}

impl StoreDir {
    /// For another step of the same operation, which doesn't look again whose the store is.
    pub(crate) fn for_next_step(&self) -> Self {
        Self { owner: self.owner.clone(), ..self.clone() }
    }

    /// `path` should be absolute, so that it stays the same folder when the program changes its working directory.
    pub(crate) fn new(path: PathBuf, busy_timeout: Duration) -> Self {
        let (found_corrupt, cache) = (FoundCorrupt::default(), Cache::default());
        Self { path, busy_timeout, found_corrupt, cache, owner: OnceLock::new() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The two names that people and other programs open.
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

    pub(crate) fn settling(&self) -> PathBuf {
        self.snapshots().join(SETTLING)
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.snapshots().join(LOCK)
    }

    pub(crate) fn generation(&self, name: &GenerationName) -> PathBuf {
        self.snapshots().join(name.as_str())
    }

    /// The folder of a generation, if it is there. A link to a folder isn't one, nor is anything else: what a link leads to is
    /// not the store's, whatever it says.
    pub(crate) fn folder_of(&self, name: &GenerationName) -> Result<Option<PathBuf>> {
        let folder = self.generation(name);
        Ok(sys::is_folder(&folder)?.then_some(folder))
    }

    /// The name of a generation that a caller gives, and that may be one of this store's.
    ///
    /// # Errors
    ///
    /// `Expired` if it can't be: another text, or another seq than in the name. Generations are equal by name alone, and the caller
    /// would believe its seq.
    pub(crate) fn name_of(&self, generation: &Generation) -> Result<GenerationName> {
        let name = GenerationName::parse(generation.name()).filter(|name| name.seq == generation.seq());
        name.ok_or_else(|| self.expired(generation))
    }

    /// The error for a generation that isn't retained.
    pub(crate) fn expired(&self, generation: &Generation) -> MiniSnapError {
        MiniSnapError::Expired { at: sys::at(&self.path), generation: generation.clone() }
    }

    /// The names of the generations that are there, committed or not.
    pub(crate) fn generations(&self) -> Result<Vec<GenerationName>> {
        let names = sys::names_in(&self.snapshots())?;
        Ok(names.iter().filter_map(|name| GenerationName::parse(name)).collect())
    }
}

/// Making it durable.
impl StoreDir {
    /// Syncs the folder and those above it, up to the mount point, or until one may not be opened: its owner has more
    /// rights than this process, and is not in the middle of making this store.
    pub(crate) fn sync_with_ancestors(&self) -> Result<()> {
        let folder = sys::canonical(&self.path)?;
        sync_up(&folder)?;
        // Where `snapshots` is a link, what it leads to is below others.
        match sys::metadata_behind(&self.snapshots())?.map(|_| sys::canonical(&self.snapshots())).transpose()? {
            Some(snapshots) if snapshots.parent() != Some(&folder) => sync_up(&snapshots),
            _ => Ok(()),
        }
    }
}

/// Making something. What root makes belongs to the store's owner, who could neither use nor remove it else. What can't be given
/// away is removed again.
impl StoreDir {
    /// Makes the folders that are missing, up to `snapshots`.
    pub(crate) fn create_folders(&self) -> Result<()> {
        let snapshots = self.snapshots();
        if sys::metadata_behind(&snapshots)?.is_some() {
            return Ok(());
        }
        // Before `snapshots` is there, it is that of the folder above.
        let owner = self.owner()?;
        sys::create_folders(&snapshots)?;
        let given = owner.map_or(Ok(()), |owner| sys::give(&sys::open_own_folder(&snapshots)?, &snapshots, owner));
        // Else the next writer would take it for a store of root's.
        given.inspect_err(|_| remove_folder_again(&snapshots))
    }

    /// Makes a folder, and opens it.
    pub(crate) fn create_folder(&self, path: &Path, mode: u32) -> Result<File> {
        sys::create_folder(path, mode)?;
        let folder = sys::open_own_folder(path).and_then(|folder| self.give(&folder, path).map(|()| folder));
        folder.inspect_err(|_| remove_folder_again(path))
    }

    pub(crate) fn create_file(&self, path: &Path, mode: u32) -> Result<File> {
        let file = sys::create_file(path, mode)?;
        self.give(&file, path).inspect_err(|_| remove_again(path))?;
        Ok(file)
    }

    /// Opens a file to lock.
    pub(crate) fn open_or_create(&self, path: &Path) -> Result<File> {
        let (file, is_new) = sys::open_or_create(path)?;
        if is_new {
            self.give(&file, path).inspect_err(|_| remove_again(path))?;
        }
        Ok(file)
    }

    pub(crate) fn link(&self, target: &Path, path: &Path) -> Result<()> {
        // Before the link is there: then there is nothing to undo if this can't be known.
        let owner = self.owner()?;
        sys::link(target, path)?;
        owner.map_or(Ok(()), |owner| sys::give_link(path, owner)).inspect_err(|_| remove_again(path))
    }

    /// Places a link in one step over whatever stands at `path`, which is below `snapshots`.
    pub(crate) fn replace_link(&self, target: &str, path: &Path) -> Result<()> {
        let next = self.next();
        self.link_anew(Path::new(target), &next)?;
        // A folder stands there, for example.
        sys::rename(&next, path).inspect_err(|_| {
            events::best_effort("remove a link", sys::remove(&next));
        })
    }

    /// Makes a link where a killed writer may have left one.
    pub(crate) fn link_anew(&self, target: &Path, path: &Path) -> Result<()> {
        match self.link(target, path) {
            Err(error) if sys::kind(&error) == Some(io::ErrorKind::AlreadyExists) => {
                sys::remove(path)?;
                self.link(target, path)
            }
            linked => linked,
        }
    }

    fn give(&self, file: &File, path: &Path) -> Result<()> {
        self.owner()?.map_or(Ok(()), |owner| sys::give(file, path, owner))
    }

    /// Whose what is made here is to be, if that isn't this process anyway: that of `snapshots`, or of the folder, if there is none
    /// yet. Only root can give anything away.
    fn owner(&self) -> Result<Option<Owner>> {
        if let Some(owner) = self.owner.get() {
            return Ok(*owner);
        }
        let this_process = Owner::of_this_process();
        let mut owner = None;
        if this_process.user == 0 {
            let found = match sys::metadata_behind(&self.snapshots())? {
                Some(found) => Some(found),
                None => sys::metadata_behind(&self.path)?,
            };
            owner = found.as_ref().map(Owner::of).filter(|owner| *owner != this_process);
        }
        Ok(*self.owner.get_or_init(|| owner))
    }
}

/// A path beside `path` that nothing has yet.
pub(crate) fn aside(path: &Path) -> Result<PathBuf> {
    new_path_aside(path).map_err(|error| sys::error("name a place for", path, error))
}

/// Moves what stands at `path` to a name beside it that nothing has yet, and returns that.
pub(crate) fn move_aside(path: &Path) -> Result<PathBuf> {
    let aside = aside(path)?;
    sys::rename(path, &aside).map(|()| aside)
}

fn remove_again(path: &Path) {
    events::best_effort("remove what can't be given to the store's owner", sys::remove(path));
}

fn remove_folder_again(path: &Path) {
    events::best_effort("remove a folder that can't be given to the store's owner", sys::remove_folder(path));
}

/// Syncs a folder and those above it on the same file system, as far as this process may open them.
fn sync_up(folder: &Path) -> Result<()> {
    let device = sys::device(folder)?;
    for ancestor in folder.ancestors() {
        if sys::device(ancestor)? != device || !sys::sync_folder_if_allowed(ancestor)? {
            break;
        }
    }
    Ok(())
}
