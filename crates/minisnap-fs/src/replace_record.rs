//! The one step that commits: replacing the commit record. And what makes durable what others may have placed without a sync.

use crate::{
    layout::{GenerationName, NOTHING_COMMITTED, RETAINED},
    lock::StoreLock,
    stage::Stage,
    store_dir::StoreDir,
    sys::{self, Entry},
};
use minisnap_core::{MiniSnapError, Result, events};
use std::path::Path;

/// The error of a commit of `name` over `previous` whose outcome isn't known.
pub(crate) fn outcome_unknown(
    store: &StoreDir,
    name: &GenerationName,
    previous: Option<&GenerationName>,
) -> impl Fn(MiniSnapError) -> MiniSnapError {
    move |error| MiniSnapError::OutcomeUnknown {
        at: sys::at(&store.current()),
        generation: name.to_generation(),
        previous: previous.map(GenerationName::to_generation),
        source: Box::new(error),
    }
}

/// Points the commit record to `name`, durably. `stage`, which is synced, is kept from here on unless the record certainly
/// didn't change.
///
/// # Errors
///
/// What `unknown` makes of the cause, if the record may have changed, or not durably. After any other, it certainly didn't change.
pub(crate) fn swap(
    lock: &StoreLock,
    stage: &mut Stage,
    name: &GenerationName,
    unknown: impl Fn(MiniSnapError) -> MiniSnapError,
) -> Result<()> {
    stage.check_still_there()?;
    lock.check_still_the_stores()?;
    let (next, current, snapshots) = (stage.store().next(), stage.store().current(), stage.store().snapshots());
    stage.store().link_anew(Path::new(name.as_str()), &next)?;
    // Opened before, so that nothing but the sync itself can fail after the rename.
    let folder = sys::open_folder(&snapshots)?;
    stage.keep();
    if let Err(error) = sys::rename(&next, &current) {
        // A rename that answers with an error hasn't happened, unless the disk itself failed.
        let disk_failed = sys::code(&error) == Some(libc::EIO);
        let unchanged = sys::entry(&current).is_ok_and(|entry| entry != Entry::Link(name.as_str().into()));
        if disk_failed || !unchanged {
            return Err(unknown(error));
        }
        stage.discard();
        return Err(error);
    }
    // Before the sync, so that it is as durable as the commit.
    note(stage.store(), name);
    sys::sync(&folder, &snapshots).map_err(unknown)
}

/// Notes what was committed last. Best effort: it is needed only if somebody moves the record back by hand.
pub(crate) fn note(store: &StoreDir, name: &GenerationName) {
    events::best_effort("note the last commit", store.replace_link(name.as_str(), &store.last_commit()));
}

/// Makes the commit record durable as it is. It is placed anew: if the sync of the old one failed, a
/// second sync of the same link may say that all is well.
pub(crate) fn renew(store: &StoreDir, _lock: &StoreLock, current: Option<&GenerationName>) -> Result<()> {
    let target = current.map_or(NOTHING_COMMITTED, GenerationName::as_str);
    store.replace_link(target, &store.current())?;
    sys::sync_folder(&store.snapshots())
}

/// Makes a generation say, durably, how many of its history are retained. The link is placed anew also where it says so
/// already, for the same reason.
pub(crate) fn set_retained(store: &StoreDir, _lock: &StoreLock, name: &GenerationName, retained: usize) -> Result<()> {
    let folder = store.generation(name);
    store.replace_link(&retained.to_string(), &folder.join(RETAINED))?;
    sys::sync_folder(&folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::Caller;
    use minisnap_core::Digest;
    use std::time::Duration;

    #[test]
    fn commit_is_refused_when_the_lock_file_was_removed() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = StoreDir::new(folder.path().into(), Duration::ZERO);
        store.create_folders().unwrap();
        let caller = Caller::default();
        let lock = StoreLock::acquire(&store, &caller.watch()).unwrap();
        let mut stage = Stage::create(&store, 1, true).unwrap();
        let name = GenerationName::new(1, Digest::of(b"")).unwrap();
        sys::remove(&store.lock()).unwrap();
        let swapped = swap(&lock, &mut stage, &name, |_| panic!("it is known"));
        assert!(matches!(swapped, Err(MiniSnapError::Busy { .. })));
        assert_eq!(sys::entry(&store.current()).unwrap(), Entry::Missing);
    }
}
