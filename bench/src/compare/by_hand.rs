//! The lower bounds: bare system calls without a library.

use crate::Result;
use minisnap::{ErrorContext, Operation};
use serde::Serialize;
use std::{
    fs::{self, File, Permissions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    thread,
};

// The files of a generation.
const JSON: &str = "snapshot.json";
const SEQ: &str = "snapshot.seq";
const PARENT: &str = "parent";
const RETAINED: &str = "retained";

/// Replaces one file: encode, write, sync, rename, sync the folder. No pair, no digest, no history.
pub fn replace_file(path: &Path, state: &impl Serialize) -> Result<()> {
    let new = path.with_extension("new");
    write_json(&new, state)?.sync_all()?;
    fs::rename(&new, path)?;
    sync(path.parent().unwrap_or(path))?;
    Ok(())
}

/// The order of the syncs in step 3 of [`commit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syncs {
    /// The order of minisnap.
    InOrder,
    /// The same, without the early write-back of the smaller file.
    WithoutEarlyWriteBack,
    /// First the folders, then the files.
    FoldersFirst,
    /// Each of the four on its own thread.
    InParallel,
    /// One sync of the whole file system, with the data of other programs: a lower bound, not an option for minisnap.
    FileSystem,
}

/// The system calls of minisnap's commit with a retention of two:
///
/// 1. Stage a folder with both files and two links, and set their modes.
/// 2. Rename it to its final name.
/// 3. Start the write-back of the smaller file. Sync the files, their folder, and `snapshots`.
/// 4. Commit: replace the links `current` and `last-commit`, and sync `snapshots`.
/// 5. Remove the expired generation.
pub fn commit(folder: &Path, state: &impl Serialize, seq: u64, syncs: Syncs) -> Result<()> {
    let snapshots = folder.join("snapshots");
    let current = snapshots.join("current");
    let before = fs::read_link(&current).ok();
    // 1.
    let stage = snapshots.join("stage");
    fs::create_dir(&stage)?;
    let stage_folder = File::open(&stage)?;
    let json = write_json(&stage.join(JSON), state)?;
    let mut seq_file = File::create(stage.join(SEQ))?;
    writeln!(seq_file, "{seq}")?;
    if let Some(before) = &before {
        symlink(Path::new("..").join(before), stage.join(PARENT))?;
    }
    symlink("2", stage.join(RETAINED))?;
    for (file, mode) in [(&seq_file, 0o644), (&json, 0o644), (&stage_folder, 0o755)] {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    // 2.
    let name = format!("{seq:020}-0000000000000000-0000000000000000");
    let generation = snapshots.join(&name);
    fs::rename(&stage, &generation)?;
    // 3.
    let snapshots_folder = File::open(&snapshots)?;
    sync_all(syncs, [&json, &seq_file, &stage_folder, &snapshots_folder])?;
    // 4.
    let next = snapshots.join("next");
    symlink(&name, &next)?;
    fs::rename(&next, &current)?;
    symlink(&name, &next)?;
    fs::rename(&next, snapshots.join("last-commit"))?;
    snapshots_folder.sync_all()?;
    // 5.
    if let Some(parent) = before.and_then(|before| fs::read_link(snapshots.join(before).join(PARENT)).ok()) {
        remove(&generation.join(parent))?;
    }
    Ok(())
}

fn sync_all(syncs: Syncs, files: [&File; 4]) -> io::Result<()> {
    let [_, seq, _, snapshots] = files;
    match syncs {
        Syncs::InOrder => {
            start_write_back(seq);
            files.iter().try_for_each(|file| file.sync_all())
        }
        Syncs::WithoutEarlyWriteBack => files.iter().try_for_each(|file| file.sync_all()),
        Syncs::FoldersFirst => files.iter().rev().try_for_each(|file| file.sync_all()),
        Syncs::InParallel => thread::scope(|scope| {
            let threads = files.map(|file| scope.spawn(|| file.sync_all()));
            threads
                .into_iter()
                .try_for_each(|thread| thread.join().unwrap_or_else(|_| unreachable!("a sync doesn't panic")))
        }),
        Syncs::FileSystem => sync_file_system(snapshots),
    }
}

/// Reads the current generation. If it expires between the lookup of `current` and the open, there is a newer one: retry.
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

/// Removes a generation by the known names of its files, without a listing.
fn remove(generation: &Path) -> io::Result<()> {
    for name in [JSON, SEQ, PARENT, RETAINED] {
        match fs::remove_file(generation.join(name)) {
            // The first generation has no parent.
            Err(error) if name == PARENT && error.kind() == ErrorKind::NotFound => {}
            removed => removed?,
        }
    }
    fs::remove_dir(generation)
}

/// Starts the write-back without waiting for it, where the system supports that.
fn start_write_back(file: &File) {
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd;
        // SAFETY: the call takes no pointer, and the file stays open while it is borrowed.
        #[allow(unsafe_code)]
        let _ = unsafe { libc::sync_file_range(file.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}

#[cfg(target_os = "linux")]
fn sync_file_system(file: &File) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    // SAFETY: the call takes no pointer, and the file stays open while it is borrowed.
    #[allow(unsafe_code)]
    let synced = unsafe { libc::syncfs(file.as_raw_fd()) };
    if synced == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(not(target_os = "linux"))]
fn sync_file_system(_file: &File) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

/// Writes pretty JSON with minisnap's own writer, the fastest one available.
fn write_json(path: &Path, state: &impl Serialize) -> Result<File> {
    let file = File::create(path)?;
    let at = || ErrorContext::new(Operation::Write, path.display().to_string());
    minisnap_core::format::write_json(&file, state, at)?;
    Ok(file)
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
