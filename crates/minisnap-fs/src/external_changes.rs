//! External changes, an edit or what another program wrote: each is accepted as the newest snapshot, or moved aside, by a call of
//! its own.

use crate::{
    caller::CallerWatch,
    garbage::{self, RecordSync},
    generation::{self, read_seq},
    healing,
    history::{self, History},
    layout::{CommitRecord, GenerationName},
    links,
    lock::StoreLock,
    modes::Modes,
    public_names::{self, AtName},
    record, replace_record, settle,
    stage::Stage,
    store_dir::{PublicName, StoreDir},
    sys::{self, Entry},
};
use minisnap_core::{
    Absence, Committed, Corruption, Digest, ExternalChange, MiniSnapError, Result, events,
    format::{JSON_NAME, SEQ_NAME, check_json},
};
use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

/// Commits what stands at the two names now, if it isn't what was committed last.
///
/// 1. Under `.lock`: read both files, each from its own name if a plain file stands there, else from the current
///    generation. If they are not what was `agreed` to, refuse. If they are as committed, there is nothing to do.
/// 2. The JSON must be JSON: a slip of the editor's is refused, and can be corrected.
/// 3. Commit the two as a new generation. Its parent is the current generation, if that is as it was committed (then the
///    edit was made to a copy, and the intact one stays in the history), else the parent of that (the edited one is
///    replaced). One that is corrupt, and not what was read, is marked: there is no copy of it.
/// 4. Place the links over plain files, which say the same now; remove an edited generation, of which there is a copy, and move
///    a marked one aside.
pub(crate) fn accept(
    store: &StoreDir,
    agreed: Option<(u64, Digest)>,
    caller: &CallerWatch,
) -> Result<Option<Committed>> {
    if record::read(store)?.current().is_none() {
        return Ok(None);
    }
    let lock = StoreLock::acquire(store, caller)?;
    let CommitRecord::Current(current) = record::read(store)? else { return Ok(None) };
    // 1.
    let Edit { json, seq, current_is_intact, current_is_read } = read_edit(store, &current)?;
    let (at, found) = (sys::at(&store.path().join(JSON_NAME)), (seq, Digest::of(&json)));
    if agreed.is_some_and(|agreed| agreed != found) {
        return Err(MiniSnapError::ExternalChange { at, found: ExternalChange::ChangedSince });
    }
    if found == (current.seq, current.digest) {
        // As committed, though perhaps by way of plain files: an unfinished migration, or an edit that was undone.
        settle::settle(store, &lock)?;
        return Ok(None);
    }
    // 2.
    check_json(&json).map_err(|source| MiniSnapError::Serde { at, generation: None, source })?;
    // 3.
    let mut before = History::from(store, Some(&current))?;
    healing::mark_detached(store, &lock, &before)?;
    let parent = if current_is_intact {
        Some(current.clone())
    } else {
        before.skip_newest();
        history::parent_of(store, &current)?
    };
    let mut stage = Stage::create(store, seq, false)?;
    stage.write_all(&json)?;
    let modes = Modes::after_external_change(store, &current)?;
    stage.complete(parent.as_ref(), before.count().saturating_add(1), modes)?;
    let name = stage.move_to_new_name()?;
    stage.sync()?;
    if !current_is_intact && !current_is_read && store.folder_of(&current)?.is_some() {
        healing::mark(store, &current)?;
    }
    let generation = history::describe(store, &name)?;
    let older = before.describe(store)?;
    let unknown = replace_record::outcome_unknown(store, &name, Some(&current));
    replace_record::swap(&lock, &mut stage, &name, unknown)?;
    // 4.
    events::best_effort("place the links", settle::settle(store, &lock));
    let cleaned =
        History::from(store, Some(&name)).and_then(|history| garbage::clean(store, &lock, &history, RecordSync::Done));
    events::best_effort("remove garbage", cleaned);
    Ok(Some(Committed::new(generation, &older, NonZeroUsize::MAX)))
}

/// Moves what isn't ours at the two names to names of its own, and puts all links back that are missing or became files
/// with their text. Returns the new names.
pub(crate) fn revert(store: &StoreDir, caller: &CallerWatch) -> Result<Vec<PathBuf>> {
    if read_or_text(store)? == CommitRecord::Absent {
        return Ok(Vec::new());
    }
    let lock = StoreLock::acquire(store, caller)?;
    let record = read_or_text(store)?;
    if sys::entry(&store.current())? == Entry::File {
        replace_record::renew(store, &lock, record.current())?;
    }
    for (path, text) in links::texts(store, &History::from(store, record.current())?)? {
        // Not synced: readers understand either.
        store.replace_link(&text, &path)?;
    }
    settle::put_links_back(store, &lock, &record)
}

/// The commit record, also where it became a file with the text of its link: that says what the link said.
fn read_or_text(store: &StoreDir) -> Result<CommitRecord> {
    match record::read(store) {
        Err(MiniSnapError::Corrupt { at, found: Corruption::LinkAsText { expected }, .. }) => {
            let unreadable = || Corruption::RecordUnreadable { found: format!("it says {expected}") };
            CommitRecord::parse(&expected).ok_or_else(|| MiniSnapError::corrupt(at, unreadable()))
        }
        record => record,
    }
}

struct Edit {
    json: Vec<u8>,
    seq: u64,
    current_is_intact: bool,
    /// The JSON is that in the current generation.
    current_is_read: bool,
}

fn read_edit(store: &StoreDir, current: &GenerationName) -> Result<Edit> {
    let [json_name, seq_name] = store.public_names();
    let [json_found, seq_found] = public_names::look(store)?;
    let folder = store.generation(current);
    let folder_is_there = store.folder_of(current)?.is_some();
    let path = |found, name: PublicName| if found == AtName::File { name.path } else { folder.join(name.file) };
    let (json_path, seq_path) = (path(json_found, json_name), path(seq_found, seq_name));
    // By way of a link in the folder's place, another's files would be taken.
    let open = |path: &Path| if path.starts_with(&folder) && !folder_is_there { Ok(None) } else { sys::open(path) };
    let (json, seq) = (open(&json_path)?, open(&seq_path)?);
    let (Some(json), Some(seq)) = (&json, &seq) else {
        return Err(MiniSnapError::NotFound {
            at: sys::at(&json_path),
            found: Absence::NoPairToAccept { missing: if json.is_none() { JSON_NAME } else { SEQ_NAME } },
        });
    };
    let current_is_intact = match generation::check(store, current) {
        Err(MiniSnapError::Corrupt { .. }) => false,
        checked => checked.map(|()| true)?,
    };
    let (json, seq) = (sys::read(json, &json_path)?, read_seq(seq, &seq_path)?);
    Ok(Edit { json, seq, current_is_intact, current_is_read: json_path.starts_with(&folder) })
}
