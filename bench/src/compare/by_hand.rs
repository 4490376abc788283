//! The floors: the bare system calls, and nothing else.

use crate::Result;
use minisnap::{ErrorContext, Operation};
use serde::Serialize;
use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::symlink,
    path::Path,
    thread,
};

/// The bare calls for one file: encode, write, sync, rename, sync the folder. No pair, no seal, no history.
pub fn replace_file(path: &Path, state: &impl Serialize) -> Result<()> {
    let new = path.with_extension("new");
    write_json(&new, state)?.sync_all()?;
    fs::rename(&new, path)?;
    sync(path.parent().unwrap_or(path))?;
    Ok(())
}

/// The calls of minisnap's own protocol: a stage, two files and two links, a rename, a round of syncs, the swap, a sync, and
/// the one before the last removed.
pub fn commit(folder: &Path, state: &impl Serialize, seq: u64) -> Result<()> {
    let snapshots = folder.join("snapshots");
    let current = snapshots.join("current");
    let before = fs::read_link(&current).ok();
    let stage = snapshots.join("stage");
    fs::create_dir(&stage)?;
    let json = write_json(&stage.join("snapshot.json"), state)?;
    let mut seq_file = File::create(stage.join("snapshot.seq"))?;
    writeln!(seq_file, "{seq}")?;
    if let Some(before) = &before {
        symlink(Path::new("..").join(before), stage.join("parent"))?;
    }
    symlink("2", stage.join("retained"))?;
    let name = format!("{seq:020}-0000000000000000-0000000000000000");
    let generation = snapshots.join(&name);
    fs::rename(&stage, &generation)?;
    thread::scope(|scope| {
        let others =
            [scope.spawn(|| seq_file.sync_all()), scope.spawn(|| sync(&generation)), scope.spawn(|| sync(&snapshots))];
        json.sync_all()?;
        others.into_iter().try_for_each(|other| other.join().unwrap_or_else(|_| unreachable!("it doesn't panic")))
    })?;
    symlink(&name, snapshots.join("next"))?;
    fs::rename(snapshots.join("next"), &current)?;
    sync(&snapshots)?;
    if let Some(parent) = before.and_then(|before| fs::read_link(snapshots.join(before).join("parent")).ok()) {
        fs::remove_dir_all(generation.join(parent))?;
    }
    Ok(())
}

/// With the fastest way to write pretty JSON that there is here: minisnap's own.
fn write_json(path: &Path, state: &impl Serialize) -> Result<File> {
    let file = File::create(path)?;
    let at = || ErrorContext::new(Operation::Write, path.display().to_string());
    minisnap_core::format::write_json(&file, state, at)?;
    Ok(file)
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
