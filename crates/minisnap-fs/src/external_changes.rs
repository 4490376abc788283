//! What a person does about an edit, or about what another program wrote: take it as the newest snapshot, or move it aside.
//! Never by itself: each is one named call.

use crate::{
    backend::Store,
    disk::Disk,
    expire::{self, RecordSync},
    files,
    layout::{GenerationName, Layout},
    lock::{CallerWatch, StoreLock},
    migrate,
    names::{self, AtName},
    record::{self, History},
    replace_record,
    stage::Stage,
};
use minisnap_core::{
    Absence, Committed, Digest, ExternalChange, MiniSnapError, Operation, Result, events,
    format::{JSON_NAME, SEQ_NAME, check_json},
};
use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

/// Publishes what stands at the two names now, if it isn't what was published last.
///
/// 1. Under `.lock`: read both files, each from its own name if a plain file stands there, else from the current
///    generation. If they are not what was `agreed` to, refuse. If they are as published, there is nothing to do.
/// 2. The JSON must be JSON: a slip of the editor's is refused, and can be mended.
/// 3. Publish the two as a new generation. Its parent is the current generation, if that is as it was published (then the
///    edit was made to a copy, and the intact one stays in the history), else the parent of that (the edited one is
///    replaced).
/// 4. Place the links over plain files, which say the same now; remove an edited generation, of which there is a copy.
pub(crate) fn accept(store: &Store, agreed: Option<(u64, Digest)>, caller: &CallerWatch) -> Result<Option<Committed>> {
    let (disk, layout) = (Disk::new(Operation::AcceptExternalChanges), &store.layout);
    let Some(_) = record::read(disk, layout)?.into_current() else { return Ok(None) };
    let lock = StoreLock::acquire(disk, layout, store.patience, caller)?;
    let Some(current) = record::read(disk, layout)?.into_current() else { return Ok(None) };
    // 1.
    let Edit { json, seq, current_is_intact } = read_edit(disk, layout, &current)?;
    let found = (seq, Digest::of(&json));
    if agreed.is_some_and(|agreed| agreed != found) {
        return Err(MiniSnapError::ExternalChange {
            at: disk.at(&layout.dir().join(JSON_NAME)),
            found: ExternalChange::ChangedSince,
        });
    }
    if found == (current.seq, current.digest) {
        // As published, though perhaps by way of plain files: an unfinished adoption, or an edit that was undone.
        migrate::settle(disk, layout, &lock)?;
        return Ok(None);
    }
    // 2.
    check_json(&json).map_err(|source| MiniSnapError::Serde {
        at: disk.at(&layout.dir().join(JSON_NAME)),
        generation: None,
        source,
    })?;
    // 3.
    let mut before = History::from(disk, layout, Some(&current))?;
    if !current_is_intact {
        before.skip_newest();
    }
    let parent = if current_is_intact { Some(current.clone()) } else { record::read_parent(disk, layout, &current)? };
    let mut stage = Stage::create(disk, layout, seq)?;
    stage.write_all(&json)?;
    stage.complete(parent.as_ref(), before.count().saturating_add(1))?;
    let name = stage.move_to_new_name()?;
    stage.sync()?;
    let generation = record::describe(disk, layout, &name)?;
    let older = before.describe(disk, layout)?;
    replace_record::swap(disk, layout, &lock, &mut stage, &name)
        .map_err(|failure| failure.of_publishing(disk, layout, &name, Some(&current)))?;
    // 4.
    events::best_effort("place the links", migrate::settle(disk, layout, &lock));
    let cleaned = History::from(disk, layout, Some(&name))
        .and_then(|history| expire::clean(disk, layout, &lock, &history, RecordSync::Done));
    events::best_effort("remove garbage", cleaned);
    Ok(Some(Committed::new(generation, &older, NonZeroUsize::MAX)))
}

/// Moves plain files that stand at the two names to names of their own, and puts the links back. Returns the new names.
pub(crate) fn revert(store: &Store, caller: &CallerWatch) -> Result<Vec<PathBuf>> {
    let (disk, layout) = (Disk::new(Operation::RevertExternalChanges), &store.layout);
    if record::read(disk, layout)?.current().is_none() {
        // Plain files are the snapshot itself, or are set aside by the next publish.
        return Ok(Vec::new());
    }
    let lock = StoreLock::acquire(disk, layout, store.patience, caller)?;
    let moved = migrate::set_aside_plain_files(disk, layout, &lock)?;
    migrate::settle(disk, layout, &lock)?;
    Ok(moved)
}

struct Edit {
    json: Vec<u8>,
    seq: u64,
    current_is_intact: bool,
}

fn read_edit(disk: Disk, layout: &Layout, current: &GenerationName) -> Result<Edit> {
    let [json_name, seq_name] = layout.names();
    let [json_found, seq_found] = names::look(disk, layout)?;
    let folder = layout.generation(current);
    let folder_is_there = record::folder(disk, layout, current)?.is_some();
    let path =
        |found: AtName, plain: PathBuf, file: &str| if found == AtName::File { plain } else { folder.join(file) };
    let (json_path, seq_path) = (path(json_found, json_name.path, JSON_NAME), path(seq_found, seq_name.path, SEQ_NAME));
    // By way of a link in the folder's place, another's files would be taken.
    let open = |path: &Path| if path.starts_with(&folder) && !folder_is_there { Ok(None) } else { disk.open(path) };
    let (json, seq) = (open(&json_path)?, open(&seq_path)?);
    let (Some(json), Some(seq)) = (&json, &seq) else {
        return Err(MiniSnapError::NotFound {
            at: disk.at(&json_path),
            found: Absence::NoPairToAccept { missing: if json.is_none() { JSON_NAME } else { SEQ_NAME } },
        });
    };
    let current_is_intact = files::check_files(disk, layout, current)?.is_none();
    let seq = names::read_seq(disk, seq, &seq_path)?;
    Ok(Edit { json: disk.read(json, &json_path)?, seq, current_is_intact })
}
