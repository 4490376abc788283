//! Replaces the commit record: the atomic step of a commit. Also makes links durable that another writer may not have synced.

use crate::{
    layout::{GenerationName, NOTHING_COMMITTED, RETAINED},
    lock::StoreLock,
    stage::Stage,
    store_dir::StoreDir,
    sys::{self, Entry},
};
use minisnap_core::{MiniSnapError, Result, events};
use std::path::Path;

/// Returns a function that converts an error to the `OutcomeUnknown` of a commit of `name` over `previous`.
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

/// Points the commit record to `name`, durably. The caller has synced the stage. From the rename on, dropping the stage doesn't
/// remove it, unless the record certainly didn't change.
///
/// # Errors
///
/// The cause, converted by `unknown`, if the record may have changed or isn't durable. After any other error, the record certainly
/// didn't change.
pub(crate) fn replace(
    lock: &StoreLock,
    stage: &mut Stage,
    name: &GenerationName,
    unknown: impl Fn(MiniSnapError) -> MiniSnapError,
) -> Result<()> {
    stage.check_still_there()?;
    lock.check_still_held()?;
    let (next, current, snapshots) = (stage.store().next(), stage.store().current(), stage.store().snapshots());
    stage.store().link_anew(Path::new(name.as_str()), &next)?;
    // Opened before the rename: after it, only the sync can fail.
    let folder = sys::open_folder(&snapshots)?;
    stage.keep_on_drop();
    if let Err(error) = sys::rename(&next, &current) {
        // A rename that returns an error hasn't happened, unless the disk failed.
        let disk_failed = sys::code(&error) == Some(libc::EIO);
        let unchanged = sys::entry(&current).is_ok_and(|entry| entry != Entry::Link(name.as_str().into()));
        if disk_failed || !unchanged {
            return Err(unknown(error));
        }
        stage.remove_on_drop();
        return Err(error);
    }
    // Before the sync, which then makes both links durable.
    note_last_commit(stage.store(), name);
    sys::sync(&folder, &snapshots).map_err(unknown)
}

/// Notes the last commit in `last-commit`. Best effort: it is needed only if an operator moves the record back by hand.
pub(crate) fn note_last_commit(store: &StoreDir, name: &GenerationName) {
    events::best_effort("note the last commit", store.replace_link(name.as_str(), &store.last_commit()));
}

/// Makes the present commit record durable. It creates the link again: if a sync of the old link failed, a second sync of it may
/// return success although the link isn't durable.
pub(crate) fn rewrite(store: &StoreDir, _lock: &StoreLock, current: Option<&GenerationName>) -> Result<()> {
    let target = current.map_or(NOTHING_COMMITTED, GenerationName::as_str);
    store.replace_link(target, &store.current())?;
    sys::sync_folder(&store.snapshots())
}

/// Sets the link `retained` of a generation, durably. It creates the link again also if the number doesn't change, for the same
/// reason as [`rewrite`].
pub(crate) fn set_retained(store: &StoreDir, _lock: &StoreLock, name: &GenerationName, retained: usize) -> Result<()> {
    let folder = store.generation(name);
    store.replace_link(&retained.to_string(), &folder.join(RETAINED))?;
    sys::sync_folder(&folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use minisnap_core::Digest;
    use std::time::Duration;

    #[test]
    fn commit_is_refused_when_the_lock_file_was_removed() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = StoreDir::new(folder.path().into(), Duration::ZERO);
        store.create_folders().unwrap();
        let caller = minisnap_core::Caller::new();
        let lock = StoreLock::acquire(&store, &caller.watch()).unwrap();
        let mut stage = Stage::create(&store, 1, true).unwrap();
        let name = GenerationName::new(1, Digest::of(b"")).unwrap();
        sys::remove(&store.lock()).unwrap();
        let replaced = replace(&lock, &mut stage, &name, |_| panic!("the outcome is known"));
        assert!(matches!(replaced, Err(MiniSnapError::Busy { .. })));
        assert_eq!(sys::entry(&store.current()).unwrap(), Entry::Missing);
    }
}
