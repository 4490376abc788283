//! The floors: the bare system calls, and nothing else.

use crate::Result;
use minisnap::{ErrorContext, Operation};
use serde::Serialize;
use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    os::unix::fs::symlink,
    path::Path,
};

/// What is in a generation's folder.
const JSON: &str = "snapshot.json";
const SEQ: &str = "snapshot.seq";
const PARENT: &str = "parent";
const RETAINED: &str = "retained";

/// The bare calls for one file: encode, write, sync, rename, sync the folder. No pair, no seal, no history.
pub fn replace_file(path: &Path, state: &impl Serialize) -> Result<()> {
    let new = path.with_extension("new");
    write_json(&new, state)?.sync_all()?;
    fs::rename(&new, path)?;
    sync(path.parent().unwrap_or(path))?;
    Ok(())
}

/// The calls of minisnap's own protocol, one after the other, with the expiry of the one before the last:
///
/// 1. Stage a folder with both files and two links.
/// 2. Rename it to its final name.
/// 3. Sync the files, the folder, and the folder that it is in.
/// 4. Commit: replace the link `current`, and sync its folder.
/// 5. Remove the generation that has expired.
pub fn commit(folder: &Path, state: &impl Serialize, seq: u64) -> Result<()> {
    let snapshots = folder.join("snapshots");
    let current = snapshots.join("current");
    let before = fs::read_link(&current).ok();
    // 1.
    let stage = snapshots.join("stage");
    fs::create_dir(&stage)?;
    let json = write_json(&stage.join(JSON), state)?;
    let mut seq_file = File::create(stage.join(SEQ))?;
    writeln!(seq_file, "{seq}")?;
    if let Some(before) = &before {
        symlink(Path::new("..").join(before), stage.join(PARENT))?;
    }
    symlink("2", stage.join(RETAINED))?;
    // 2.
    let name = format!("{seq:020}-0000000000000000-0000000000000000");
    let generation = snapshots.join(&name);
    fs::rename(&stage, &generation)?;
    // 3.
    json.sync_all()?;
    seq_file.sync_all()?;
    sync(&generation)?;
    sync(&snapshots)?;
    // 4.
    let next = snapshots.join("next");
    symlink(&name, &next)?;
    fs::rename(&next, &current)?;
    sync(&snapshots)?;
    // 5.
    if let Some(parent) = before.and_then(|before| fs::read_link(snapshots.join(before).join(PARENT)).ok()) {
        remove(&generation.join(parent))?;
    }
    Ok(())
}

/// Reads what was committed last. The path leads through `current`, and before its end is reached the generation may have
/// expired: then there is a newer one.
pub fn read(folder: &Path) -> io::Result<Vec<u8>> {
    const ATTEMPTS: usize = 100;
    let path = folder.join("snapshots/current").join(JSON);
    for _ in 1..ATTEMPTS {
        match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            read => return read,
        }
    }
    fs::read(&path)
}

/// Removes a generation without a listing of it: its files are known.
fn remove(generation: &Path) -> io::Result<()> {
    for name in [JSON, SEQ, PARENT, RETAINED] {
        match fs::remove_file(generation.join(name)) {
            // The first one has no parent.
            Err(error) if name == PARENT && error.kind() == ErrorKind::NotFound => {}
            removed => removed?,
        }
    }
    fs::remove_dir(generation)
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
