//! Publishing, from the first folder to the last lock let go. The steps and nothing else.
//!
//! 1. Make the folders that are missing. As long as nothing was published: sync the folder and every ancestor up to the
//!    mount point, whoever made them, since another process may have been killed before its sync.
//! 2. Under `.lock`: settle what stands at the two names (`migrate.rs`); remove stages and generations that aren't retained
//!    and whose writer is gone, here, so that a full disk can recover (generations only once the commit record is synced:
//!    whoever replaced it may have been killed before that); make a fresh stage, locked for as long as its writer lives.
//!    Then, unlocked, the JSON is written to it, digested on the way; and at last `snapshot.seq`, and the links to the
//!    history as it is now.
//! 3. Rename the stage to its final name. Nothing points to it yet.
//! 4. Sync both files, their folder and `snapshots`, side by side: the first round of waiting for the disk.
//! 5. Take `.lock`. If the caller is gone, discard. Settle the names and read the commit record again; evaluate the
//!    precondition (failed: discard; if it is stale, make the commit record durable first); if the history isn't what step 2
//!    linked to, or less of it is retained, link again and sync the folder. Mark corrupt generations that are left out
//!    (`healing.rs`).
//! 6. See that the generation and the lock are still where they were put (else `StageLost`, or `Busy`); replace the commit
//!    record and sync `snapshots`: the second round, and the last.
//! 7. Still locked, move what is marked aside, and remove every other generation that isn't retained and whose
//!    writer is gone. Let go of the generation's lock, then of `.lock`.
//!
//! Everything before step 6 leaves the old pair as it was. In step 6 the outcome may become unknown, and then nothing is
//! removed. After it nothing fails: what can't be removed waits for the next publish.

use crate::{
    backend::Store,
    disk::Disk,
    expire::{self, RecordSync},
    healing::Base,
    layout::{GenerationName, Layout},
    lock::{CallerWatch, StoreLock},
    migrate,
    record::{self, CommitRecord, History},
    replace_record,
    stage::Stage,
};
use minisnap_core::{Collected, CommitOptions, Committed, ErrorContext, MiniSnapError, Operation, Result, events};
use std::{num::NonZeroUsize, path::Path};

/// Steps 1 and 2, as far as an empty stage.
pub(crate) fn begin(store: &Store, seq: u64, caller: &CallerWatch) -> Result<Stage> {
    let (disk, layout) = (Disk::new(Operation::Stage), &store.layout);
    // 1.
    make_folders(disk, layout)?;
    // 2.
    let lock = StoreLock::acquire(disk, layout, store.patience, caller)?;
    let current = migrate::settle(disk, layout, &lock)?;
    // What is left over is in nobody's way but on a full disk, and there the next call says so.
    let cleaned = History::from(disk, layout, current.as_ref())
        .and_then(|history| expire::clean(disk, layout, &lock, &history, RecordSync::Unknown));
    events::best_effort("remove garbage", cleaned);
    let mut stage = Stage::create(disk, layout, seq)?;
    stage.set_disk(Disk::new(Operation::Write));
    Ok(stage)
}

/// The rest of step 2, and steps 3 to 7.
pub(crate) fn commit(
    store: &Store,
    mut stage: Stage,
    options: &CommitOptions,
    caller: &CallerWatch,
) -> Result<Committed> {
    let (disk, layout, retain) = (Disk::new(Operation::Commit), &store.layout, options.retain());
    stage.set_disk(disk);
    // 2.
    let expected = record::read(disk, layout)?.into_current();
    let foreseen = History::from(disk, layout, expected.as_ref())?;
    let base = Base::over(disk, store, &foreseen, retain)?;
    stage.complete(base.parent.as_ref(), base.retained)?;
    // 3.
    let name = stage.move_to_new_name()?;
    // 4.
    stage.sync()?;
    // 5.
    let lock = StoreLock::acquire(disk, layout, store.patience, caller)?;
    let current = migrate::settle(disk, layout, &lock)?;
    let is_current = current.as_ref().map(GenerationName::to_generation);
    let holds = options.precondition().evaluate(stage.seq(), is_current.as_ref(), &at(disk, layout));
    if let Err(MiniSnapError::Stale { .. }) = &holds {
        // Its writer may have been killed before its sync, or that failed; and the error says that it is durable.
        replace_record::renew(disk, layout, &lock, current.as_ref())?;
    }
    holds?;
    // A generation's history is what it was committed over. Only how many of it are retained may have been reduced since.
    let is_as_foreseen = current == expected
        && match &current {
            Some(current) => record::retained_by(disk, layout, current)? == foreseen.count(),
            None => true,
        };
    let base = if is_as_foreseen {
        base
    } else {
        let before = History::from(disk, layout, current.as_ref())?;
        let base = Base::over(disk, store, &before, retain)?;
        stage.relink(base.parent.as_ref(), base.retained)?;
        base
    };
    let generation = record::describe(disk, layout, &name)?;
    base.mark_left_out(disk, layout)?;
    // 6.
    replace_record::swap(disk, layout, &lock, &mut stage, &name)
        .map_err(|failure| failure.of_publishing(disk, layout, &name, current.as_ref()))?;
    // 7.
    let retained = NonZeroUsize::new(base.retained).unwrap_or(retain);
    let committed = Committed::new(generation, &base.older, retained);
    let cleaned = base.with(disk, layout, &name).and_then(|history| {
        store.found_corrupt.forget_expired(&history);
        expire::clean(disk, layout, &lock, &history, RecordSync::Done)
    });
    events::best_effort("remove expired generations", cleaned);
    drop(stage);
    drop(lock);
    Ok(committed)
}

/// Removes, now, what dead writers left, expired generations among it. Returns how many this removed.
pub(crate) fn collect_garbage(store: &Store, caller: &CallerWatch) -> Result<Collected> {
    let (disk, layout) = (Disk::new(Operation::CollectGarbage), &store.layout);
    if record::read(disk, layout)? == CommitRecord::Absent {
        // Nothing was ever staged here; a plain pair is left to the first publish.
        return Ok(Collected::default());
    }
    let lock = StoreLock::acquire(disk, layout, store.patience, caller)?;
    let history = History::of_current(disk, layout)?;
    // Known before the first is removed: then its link is gone.
    let expired = events::best_effort("tell what expired from orphans", history.expired(disk, layout));
    let removed = expire::clean(disk, layout, &lock, &history, RecordSync::Unknown)?;
    Ok(expire::tally(&removed, &expired.unwrap_or_default()))
}

fn make_folders(disk: Disk, layout: &Layout) -> Result<()> {
    if let CommitRecord::Current(_) = record::read(disk, layout)? {
        return Ok(());
    }
    disk.create_folders(&layout.snapshots())?;
    sync_with_ancestors(disk, layout.dir())
}

/// Syncs a folder and those above it, up to the mount point, or until one may not be opened: whoever made that one has
/// more rights than this process, and is not in the middle of making this store.
pub(crate) fn sync_with_ancestors(disk: Disk, folder: &Path) -> Result<()> {
    let folder = disk.canonical(folder)?;
    let device = disk.device(&folder)?;
    for ancestor in folder.ancestors() {
        if disk.device(ancestor)? != device || !disk.sync_folder_if_allowed(ancestor)? {
            break;
        }
    }
    Ok(())
}

fn at(disk: Disk, layout: &Layout) -> ErrorContext {
    disk.at(layout.dir())
}
