//! Names the process that holds a lock, for error messages. Best effort: it reads `/proc` of Linux, which may not be accessible.
//!
//! 1. `/proc/locks` lists the process that acquired each lock, by the file's device and inode.
//! 2. That process may have ended, or closed the file, while a child that it forked still has the file open. The lock is then still
//!    held, under the id of the parent. `/proc/PID/fdinfo` lists the locks of each open file of a process.

use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process,
};

/// Names the process that holds the lock on `file`: `process 4711 (app, stopped)`.
pub(crate) fn describe(file: &File) -> Option<String> {
    let found = file.metadata().ok()?;
    // 1.
    let owner = fs::read_to_string("/proc/locks").ok().and_then(|locks| pid_of_lock(&locks, found.dev(), found.ino()));
    if let Some(owner) = owner.filter(|pid| is_running(*pid) && has_locked(*pid, &found) != Some(false)) {
        return Some(name(owner));
    }
    // 2. Also for Btrfs, whose files have another device number than their locks.
    let holder = name(processes().find(|pid| has_locked(*pid, &found) == Some(true))?);
    Some(owner.map_or_else(|| holder.clone(), |owner| format!("{holder}, which inherited it from process {owner}")))
}

/// Whether a visible process has a lock on `file`. Unlike `try_lock`, this never holds the lock.
pub(crate) fn is_locked(file: &File) -> bool {
    let Ok(found) = file.metadata() else { return false };
    let is_listed = |locks: String| flocks_on(&locks, found.dev(), found.ino()).next().is_some();
    fs::read_to_string("/proc/locks").is_ok_and(is_listed)
        || processes().any(|pid| has_locked(pid, &found) == Some(true))
}

/// The process that acquired a `flock` on this file. The lines of waiting processes have an arrow, and are skipped.
fn pid_of_lock(locks: &str, device: u64, inode: u64) -> Option<u32> {
    // A process of another PID namespace is listed as 0.
    flocks_on(locks, device, inode).find(|pid| *pid > 0)
}

/// The processes that acquired a `flock` on this file.
fn flocks_on(locks: &str, device: u64, inode: u64) -> impl Iterator<Item = u32> {
    let file = format!("{:02x}:{:02x}:{inode}", libc::major(device), libc::minor(device));
    locks.lines().filter_map(move |line| {
        let mut words = line.split_whitespace().skip(1);
        let (kind, _mode, _access) = (words.next()?, words.next()?, words.next()?);
        let (pid, locked) = (words.next()?, words.next()?);
        (kind == "FLOCK" && locked == file).then_some(pid)?.parse().ok()
    })
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Whether a process has this file open with a lock on it. `None` if this process may not list the other's open files.
fn has_locked(pid: u32, file: &fs::Metadata) -> Option<bool> {
    let process = PathBuf::from(format!("/proc/{pid}"));
    for entry in fs::read_dir(process.join("fd")).ok()? {
        let Ok(entry) = entry else { continue };
        // Through the link, to the open file itself.
        let Ok(open) = fs::metadata(entry.path()) else { continue };
        let is_same = (open.dev(), open.ino()) == (file.dev(), file.ino());
        if is_same && holds_a_lock(&process.join("fdinfo").join(entry.file_name())) {
            return Some(true);
        }
    }
    Some(false)
}

fn holds_a_lock(fdinfo: &Path) -> bool {
    let info = fs::read_to_string(fdinfo).unwrap_or_default();
    info.lines().any(|line| line.starts_with("lock:") && line.contains("FLOCK"))
}

fn is_running(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

fn name(pid: u32) -> String {
    if pid == process::id() {
        return format!("this process itself ({pid})");
    }
    let process = PathBuf::from(format!("/proc/{pid}"));
    let program = fs::read_to_string(process.join("comm")).unwrap_or_default();
    // The state follows the name, which is in brackets and may contain any character.
    let state = fs::read_to_string(process.join("stat")).unwrap_or_default();
    let is_stopped = state.rsplit(") ").next().is_some_and(|rest| rest.starts_with(['T', 't']));
    match (program.trim(), is_stopped) {
        ("", _) => format!("process {pid}"),
        (program, true) => format!("process {pid} ({program}, stopped)"),
        (program, false) => format!("process {pid} ({program})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_holder_is_found_among_waiters_and_other_locks() {
        let locks = "1: -> FLOCK  ADVISORY  WRITE 7 fe:00:12 0 EOF\n2: POSIX  ADVISORY  WRITE 8 fe:00:12 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 9 fe:00:123 0 EOF\n4: FLOCK  ADVISORY  WRITE 10 fe:00:12 0 EOF\n";
        let device = libc::makedev(0xfe, 0);
        assert_eq!(pid_of_lock(locks, device, 12), Some(10));
        assert_eq!(pid_of_lock(locks, device, 13), None);
        assert_eq!(
            pid_of_lock("1: FLOCK  ADVISORY  WRITE 0 fe:00:12 0 EOF\n", device, 12),
            None,
            "of another namespace"
        );
    }
}
