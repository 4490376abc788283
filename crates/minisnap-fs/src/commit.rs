//! The one step that publishes: replacing the commit record.

use crate::{
    disk::{Disk, Entry},
    layout::{GenerationName, Layout},
    lock::StoreLock,
    stage::Stage,
};
use minisnap_core::{MiniSnapError, Result};
use std::path::Path;

/// Points the commit record to `name`, durably. `stage`, which is there and synced, is kept from here on unless the record
/// certainly didn't change.
///
/// # Errors
///
/// `OutcomeUnknown` from the moment the record may have changed.
pub(crate) fn swap(
    disk: Disk,
    layout: &Layout,
    _lock: &StoreLock,
    stage: &mut Stage,
    name: &GenerationName,
    previous: Option<&GenerationName>,
) -> Result<()> {
    let (next, current) = (layout.next(), layout.current());
    disk.remove(&next)?;
    disk.link(Path::new(name.as_str()), &next)?;
    let unknown = |source: MiniSnapError| MiniSnapError::OutcomeUnknown {
        at: disk.at(&current),
        generation: name.to_generation(),
        previous: previous.map(GenerationName::to_generation),
        source: Box::new(source),
    };
    stage.keep();
    if let Err(error) = disk.rename(&next, &current) {
        // A rename that answers with an error hasn't happened, unless the disk itself failed.
        let disk_failed =
            matches!(&error, MiniSnapError::Io { source, .. } if source.raw_os_error() == Some(libc::EIO));
        let unchanged = disk.entry(&current).is_ok_and(|entry| entry != Entry::Link(name.as_str().into()));
        if disk_failed || !unchanged {
            return Err(unknown(error));
        }
        stage.discard();
        return Err(error);
    }
    disk.sync_folder(&layout.snapshots()).map_err(unknown)
}
