//! External changes, by an editor or another program: one call accepts them as the newest snapshot, another reverts them.

use crate::{
    garbage::{self, RecordSync},
    generation::{self, read_seq},
    healing,
    history::{self, History},
    layout::{CommitRecord, GenerationName},
    link_check,
    lock::StoreLock,
    modes::Modes,
    public_links,
    public_names::{self, PublicEntry},
    record, replace_record,
    stage::Stage,
    store_dir::{PublicName, StoreDir},
    sys::{self, Entry},
};
use minisnap_core::{
    Absence, CallerWatch, Committed, Corruption, Digest, ExternalChange, MiniSnapError, Result, events,
    format::{JSON_NAME, SEQ_NAME, check_json},
};
use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

/// Commits the content of the two public files, if it differs from the last committed snapshot.
///
/// 1. Under `.lock`: read both files, each from its public name if there is a plain file, else from the current generation. If they
///    differ from `reviewed`, return an error. If they equal the current generation, stop.
/// 2. Check that the JSON is valid: a mistake in an edit is rejected, and can be corrected.
/// 3. Commit the files as a new generation. If the current generation is intact, it becomes the parent. Else its parent becomes the
///    parent, and the new generation replaces it. If the JSON was not read from the replaced generation, mark that generation
///    first: there is no other copy of it.
/// 4. Replace the plain files by links: their content is committed now. Remove an edited generation, and move a marked one aside.
pub(crate) fn accept(
    store: &StoreDir,
    reviewed: Option<(u64, Digest)>,
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
    if reviewed.is_some_and(|reviewed| reviewed != found) {
        return Err(MiniSnapError::ExternalChange { at, found: ExternalChange::ChangedSince });
    }
    if found == (current.seq, current.digest) {
        // There may be plain files with the committed content, after a killed migration, or an edit that was undone.
        public_links::ensure(store, &lock)?;
        return Ok(None);
    }
    // 2.
    check_json(&json).map_err(|source| MiniSnapError::Serde { at, generation: None, source })?;
    // 3.
    let mut before = History::from(store, Some(&current))?;
    healing::mark_newer(store, &lock, &before)?;
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
    replace_record::replace(&lock, &mut stage, &name, unknown)?;
    // 4.
    events::best_effort("create the public links", public_links::ensure(store, &lock));
    let collected = History::from(store, Some(&name))
        .and_then(|history| garbage::collect(store, &lock, &history, RecordSync::Done));
    events::best_effort("collect garbage", collected);
    Ok(Some(Committed::new(generation, &older, NonZeroUsize::MAX)))
}

/// Moves external files at the public names aside, and restores all links that are missing or became files with their text. Returns the
/// new paths.
pub(crate) fn revert(store: &StoreDir, caller: &CallerWatch) -> Result<Vec<PathBuf>> {
    if read_or_text(store)? == CommitRecord::Absent {
        return Ok(Vec::new());
    }
    let lock = StoreLock::acquire(store, caller)?;
    let record = read_or_text(store)?;
    if sys::entry(&store.current())? == Entry::File {
        replace_record::rewrite(store, &lock, record.current())?;
    }
    for (path, text) in link_check::texts(store, &History::from(store, record.current())?)? {
        // This needs no sync: readers understand both forms.
        store.replace_link(&text, &path)?;
    }
    public_links::restore(store, &lock, &record)
}

/// The commit record, also if it became a file with the text of its link.
fn read_or_text(store: &StoreDir) -> Result<CommitRecord> {
    match record::read(store) {
        Err(MiniSnapError::Corrupt { at, found: Corruption::LinkAsText { expected }, .. }) => {
            let unreadable = || Corruption::RecordUnreadable { found: format!("it contains {expected}") };
            CommitRecord::parse(&expected).ok_or_else(|| MiniSnapError::corrupt(at, unreadable()))
        }
        record => record,
    }
}

struct Edit {
    json: Vec<u8>,
    seq: u64,
    current_is_intact: bool,
    /// The JSON was read from the current generation, and not from a plain file.
    current_is_read: bool,
}

fn read_edit(store: &StoreDir, current: &GenerationName) -> Result<Edit> {
    let [json_name, seq_name] = store.public_names();
    let [json_found, seq_found] = public_names::read_entries(store)?;
    let folder = store.generation(current);
    let folder_is_there = store.folder_of(current)?.is_some();
    let path = |found, name: PublicName| if found == PublicEntry::File { name.path } else { folder.join(name.file) };
    let (json_path, seq_path) = (path(json_found, json_name), path(seq_found, seq_name));
    // A link in place of the folder would lead to files that aren't the store's.
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
