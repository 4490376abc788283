//! What a person does about an edit, or about what another program wrote: take it as the newest snapshot, or move it aside.
//! Never by itself: each is one named call.

use crate::{
    caller::CallerWatch,
    garbage::{self, RecordSync},
    generation::{self, read_seq},
    history::{self, History},
    layout::{CommitRecord, GenerationName},
    links,
    lock::StoreLock,
    modes::Modes,
    public_names::{self, AtName},
    record, replace_record, settle,
    stage::Stage,
    store_dir::StoreDir,
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
/// 2. The JSON must be JSON: a slip of the editor's is refused, and can be mended.
/// 3. Commit the two as a new generation. Its parent is the current generation, if that is as it was committed (then the
///    edit was made to a copy, and the intact one stays in the history), else the parent of that (the edited one is
///    replaced).
/// 4. Place the links over plain files, which say the same now; remove an edited generation, of which there is a copy.
pub(crate) fn accept(
    store: &StoreDir,
    agreed: Option<(u64, Digest)>,
    caller: &CallerWatch,
) -> Result<Option<Committed>> {
    let Some(_) = record::read(store)?.into_current() else { return Ok(None) };
    let lock = StoreLock::acquire(store, caller)?;
    let Some(current) = record::read(store)?.into_current() else { return Ok(None) };
    // 1.
    let Edit { json, seq, current_is_intact } = read_edit(store, &current)?;
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
    if !current_is_intact {
        before.skip_newest();
    }
    let parent = if current_is_intact { Some(current.clone()) } else { history::parent_of(store, &current)? };
    let mut stage = Stage::create(store, seq, false)?;
    stage.write_all(&json)?;
    stage.complete(
        parent.as_ref(),
        before.count().saturating_add(1),
        Modes::after_external_change(store, &current)?,
    )?;
    let name = stage.move_to_new_name()?;
    stage.sync()?;
    let generation = history::describe(store, &name)?;
    let older = before.describe(store)?;
    replace_record::swap(&lock, &mut stage, &name)
        .map_err(|failure| failure.of_commit(store, &name, Some(&current)))?;
    // 4.
    events::best_effort("place the links", settle::settle(store, &lock));
    let cleaned =
        History::from(store, Some(&name)).and_then(|history| garbage::clean(store, &lock, &history, RecordSync::Done));
    events::best_effort("remove garbage", cleaned);
    Ok(Some(Committed::new(generation, &older, NonZeroUsize::MAX)))
}

/// Moves what isn't ours at the two names to names of its own, and puts all links back that are missing or came back as files
/// with their text. Returns the new names.
pub(crate) fn revert(store: &StoreDir, caller: &CallerWatch) -> Result<Vec<PathBuf>> {
    if read_or_text(store)?.current().is_none() {
        // Plain files are the snapshot itself, or are moved aside by the next create.
        return Ok(Vec::new());
    }
    let lock = StoreLock::acquire(store, caller)?;
    let record = read_or_text(store)?;
    if sys::entry(&store.current())? == Entry::File {
        replace_record::renew(store, &lock, record.current())?;
    }
    for (path, text) in links::texts(store, &History::from(store, record.current())?)? {
        // Not synced: readers understand either.
        store.replace_link(Path::new(&text), &path, &store.next())?;
    }
    settle::put_links_back(store, &lock)
}

/// The commit record, also where it came back as a file with the text of its link: that says what the link said.
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
}

fn read_edit(store: &StoreDir, current: &GenerationName) -> Result<Edit> {
    let [json_name, seq_name] = store.public_names();
    let [json_found, seq_found] = public_names::look(store)?;
    let folder = store.generation(current);
    let folder_is_there = store.folder_of(current)?.is_some();
    let path =
        |found: AtName, plain: PathBuf, file: &str| if found == AtName::File { plain } else { folder.join(file) };
    let (json_path, seq_path) = (path(json_found, json_name.path, JSON_NAME), path(seq_found, seq_name.path, SEQ_NAME));
    // By way of a link in the folder's place, another's files would be taken.
    let open = |path: &Path| if path.starts_with(&folder) && !folder_is_there { Ok(None) } else { sys::open(path) };
    let (json, seq) = (open(&json_path)?, open(&seq_path)?);
    let (Some(json), Some(seq)) = (&json, &seq) else {
        return Err(MiniSnapError::NotFound {
            at: sys::at(&json_path),
            found: Absence::NoPairToAccept { missing: if json.is_none() { JSON_NAME } else { SEQ_NAME } },
        });
    };
    let current_is_intact = generation::check(store, current)?.is_none();
    let seq = read_seq(seq, &seq_path)?;
    Ok(Edit { json: sys::read(json, &json_path)?, seq, current_is_intact })
}
