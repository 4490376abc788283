//! The one step that commits: replacing the commit record. And what makes durable what others may have placed without a sync.

use crate::{
    disk::{Disk, Entry},
    layout::{GenerationName, Layout, NOTHING_PUBLISHED, RETAINED},
    lock::StoreLock,
    stage::Stage,
};
use minisnap_core::{MiniSnapError, Result};
use std::path::Path;

/// A commit that didn't go well.
pub(crate) enum Failure {
    /// The record certainly didn't change.
    Untouched(MiniSnapError),
    /// It may have, or not durably.
    Unknown(MiniSnapError),
}

impl From<MiniSnapError> for Failure {
    fn from(error: MiniSnapError) -> Self {
        Self::Untouched(error)
    }
}

impl Failure {
    /// What it means where another generation than `previous` was to become current.
    pub(crate) fn of_publishing(
        self,
        disk: Disk,
        layout: &Layout,
        name: &GenerationName,
        previous: Option<&GenerationName>,
    ) -> MiniSnapError {
        match self {
            Self::Untouched(error) => error,
            Self::Unknown(error) => MiniSnapError::OutcomeUnknown {
                at: disk.at(&layout.current()),
                generation: name.to_generation(),
                previous: previous.map(GenerationName::to_generation),
                source: Box::new(error),
            },
        }
    }

    /// What it means where the old pair and the new one are the same.
    pub(crate) fn of_adopting(self) -> MiniSnapError {
        match self {
            Self::Untouched(error) | Self::Unknown(error) => error,
        }
    }
}

/// Points the commit record to `name`, durably. `stage`, which is synced, is kept from here on unless the record certainly
/// didn't change.
pub(crate) fn swap(
    disk: Disk,
    layout: &Layout,
    lock: &StoreLock,
    stage: &mut Stage,
    name: &GenerationName,
) -> Result<(), Failure> {
    stage.check_still_there()?;
    lock.check_still_the_stores()?;
    let (next, current, snapshots) = (layout.next(), layout.current(), layout.snapshots());
    disk.remove(&next)?;
    disk.link(Path::new(name.as_str()), &next)?;
    // Opened before, so that nothing but the sync itself can fail after the rename.
    let folder = disk.open_folder(&snapshots)?;
    stage.keep();
    if let Err(error) = disk.rename(&next, &current) {
        // A rename that answers with an error hasn't happened, unless the disk itself failed.
        let disk_failed =
            matches!(&error, MiniSnapError::Io { source, .. } if source.raw_os_error() == Some(libc::EIO));
        let unchanged = disk.entry(&current).is_ok_and(|entry| entry != Entry::Link(name.as_str().into()));
        if disk_failed || !unchanged {
            return Err(Failure::Unknown(error));
        }
        stage.discard();
        return Err(Failure::Untouched(error));
    }
    disk.sync(&folder, &snapshots).map_err(Failure::Unknown)
}

/// Makes the commit record durable as it is, whoever placed it. It is placed anew: if the sync of the old one failed, a
/// second sync of the same link may say that all is well.
pub(crate) fn renew(disk: Disk, layout: &Layout, _lock: &StoreLock, current: Option<&GenerationName>) -> Result<()> {
    let target = current.map_or(NOTHING_PUBLISHED, GenerationName::as_str);
    place_link(disk, layout, Path::new(target), &layout.current())?;
    disk.sync_folder(&layout.snapshots())
}

/// Makes a generation say, durably, how many of its history are retained. The link is placed anew also where it says so
/// already, for the same reason.
pub(crate) fn set_retained(
    disk: Disk,
    layout: &Layout,
    _lock: &StoreLock,
    name: &GenerationName,
    retained: usize,
) -> Result<()> {
    let folder = layout.generation(name);
    place_link(disk, layout, Path::new(&retained.to_string()), &folder.join(RETAINED))?;
    disk.sync_folder(&folder)
}

/// Places a link in one step over whatever stands at `path`.
pub(crate) fn place_link(disk: Disk, layout: &Layout, target: &Path, path: &Path) -> Result<()> {
    let next = layout.next();
    disk.remove(&next)?;
    disk.link(target, &next)?;
    disk.rename(&next, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::Caller;
    use minisnap_core::{Digest, Operation};
    use std::time::Duration;

    #[test]
    fn whoever_lost_the_lock_file_does_not_commit() {
        let folder = tempfile::TempDir::new().unwrap();
        let (disk, layout) = (Disk::new(Operation::Commit), Layout::new(folder.path().into()));
        disk.create_folders(&layout.snapshots()).unwrap();
        let caller = Caller::default();
        let lock = StoreLock::acquire(disk, &layout, Duration::ZERO, &caller.watch()).unwrap();
        let mut stage = Stage::create(disk, &layout, 1).unwrap();
        let name = GenerationName::new(1, Digest::of(b"")).unwrap();
        disk.remove(&layout.lock()).unwrap();
        let swapped = swap(disk, &layout, &lock, &mut stage, &name);
        assert!(matches!(swapped, Err(Failure::Untouched(MiniSnapError::Busy { .. }))));
        assert_eq!(disk.entry(&layout.current()).unwrap(), Entry::Missing);
    }
}
