//! The effects of system calls on the disk.
//!
//! Each call must be in one of two lists: calls without an effect on any file, and supported calls ([`Watch::begin`]). Any
//! other call fails the test. So does a change that the model lacks: an overwrite within a file, a second name of a file,
//! and shared memory. A recording that lacks such a change would prove nothing.

use super::procfs::{Buffer, Process, Target};
use crate::processes::tracer::{Call, PRIVATE};
use libc::c_long;
use minisnap_crash_model::{Event, Model};
use nix::unistd::Pid;
use std::path::Path;

/// The effect of a call.
pub(super) enum Effect {
    Change(Event),
    /// Bytes written to the standard output.
    Output(Vec<u8>),
}

/// The effect that a call will have if it succeeds.
pub(super) enum Attempt {
    Nothing,
    Open {
        creates: bool,
        empties: bool,
    },
    Append(String, Vec<Buffer>),
    Output(Vec<Buffer>),
    Change(Event),
    /// The path leads to a missing folder, so the call must fail.
    Fail,
}

/// A process, and the current state of its disk.
pub(super) struct Watch {
    process: Process,
    disk: Model,
}

impl Call {
    /// Whether the call may concern files. True when in doubt.
    pub(super) fn may_have_an_effect(&self) -> bool {
        !WITHOUT_EFFECT.contains(&self.number)
            && (!PRIVATE.contains(&self.number) || PRIVATE_WITH_POSSIBLE_EFFECT.contains(&self.number))
    }
}

impl Watch {
    pub(super) fn new(process: Pid, root: &Path, disk: Model) -> Self {
        Self { process: Process::new(process, root), disk }
    }

    /// Returns the attempt of a call that may have an effect.
    pub(super) fn begin(&self, call: &Call) -> Attempt {
        let [first, second, third, fourth, fifth, _] = call.arguments;
        let cwd = libc::AT_FDCWD as u64;
        match call.number {
            #[cfg(target_arch = "x86_64")]
            libc::SYS_open => open(second),
            libc::SYS_openat => open(third),

            libc::SYS_write | libc::SYS_pwrite64 if call.is_answer() => Attempt::Output(vec![buffer(second, third)]),
            libc::SYS_write => self.write(first, None, vec![buffer(second, third)]),
            libc::SYS_pwrite64 => self.write(first, Some(fourth), vec![buffer(second, third)]),
            libc::SYS_writev => self.write(first, None, self.buffers(second, third)),
            libc::SYS_ftruncate => self.of_open(first, |path| Event::SetLength(path, length(second))),
            libc::SYS_fsync | libc::SYS_fdatasync => self.of_open(first, Event::Sync),

            #[cfg(target_arch = "x86_64")]
            libc::SYS_mkdir => self.at(cwd, first, Event::CreateFolder),
            libc::SYS_mkdirat => self.at(first, second, Event::CreateFolder),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_unlink | libc::SYS_rmdir => self.at(cwd, first, Event::Remove),
            libc::SYS_unlinkat => self.at(first, second, Event::Remove),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_symlink => self.link(first, cwd, second),
            libc::SYS_symlinkat => self.link(first, second, third),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_rename => self.rename([cwd, first], [cwd, second]),
            libc::SYS_renameat => self.rename([first, second], [third, fourth]),
            libc::SYS_renameat2 => {
                assert_eq!(fifth & !u64::from(libc::RENAME_NOREPLACE), 0, "a rename of an unknown kind");
                self.rename([first, second], [third, fourth])
            }

            libc::SYS_mmap => {
                let is_shared = fourth & libc::MAP_SHARED as u64 != 0;
                assert!(!is_shared || self.process.path_of(fifth).is_none(), "a file in shared memory");
                Attempt::Nothing
            }
            libc::SYS_ioctl => {
                assert_eq!(self.process.path_of(first), None, "an ioctl of a file");
                Attempt::Nothing
            }
            libc::SYS_clone => check_is_thread(first),
            libc::SYS_clone3 => check_is_thread(self.process.numbers(first, 1)[0]),
            other => panic!("system call {other} isn't supported here"),
        }
    }

    /// Returns the effect of a call that has ended.
    pub(super) fn end(&mut self, attempt: Attempt, result: i64) -> Option<Effect> {
        // A failed call has no effect.
        let result = u64::try_from(result).ok()?;
        let change = match attempt {
            Attempt::Nothing => return None,
            Attempt::Output(buffers) => return Some(Effect::Output(self.written(&buffers, length(result)))),
            Attempt::Fail => panic!("a call with a missing folder succeeded"),
            Attempt::Change(event) => event,
            Attempt::Append(_, _) if result == 0 => return None,
            Attempt::Append(path, buffers) => Event::Write(path, self.written(&buffers, length(result))),
            Attempt::Open { creates, empties } => {
                let path = self.process.path_of(result)?;
                match self.disk.length(&path) {
                    None if creates => Event::CreateFile(path),
                    Some(1..) if empties => Event::SetLength(path, 0),
                    _ => return None,
                }
            }
        };
        self.disk.apply(&change);
        Some(Effect::Change(change))
    }

    fn write(&self, file: u64, at: Option<u64>, buffers: Vec<Buffer>) -> Attempt {
        let Some(path) = self.process.path_of(file) else { return Attempt::Nothing };
        let (flags, position) = self.process.flags_and_position(file);
        if flags & libc::O_APPEND == 0 {
            let (at, end) = (length(at.unwrap_or(position)), self.disk.length(&path));
            if Some(at) != end {
                // Writing equal bytes changes nothing.
                let bytes = self.written(&buffers, usize::MAX);
                let held = self.process.content_at(&path, at, bytes.len());
                assert!(held == bytes, "{path}: a file is only ever written to at its end");
                return Attempt::Nothing;
            }
        }
        Attempt::Append(path, buffers)
    }

    fn of_open(&self, file: u64, event: impl FnOnce(String) -> Event) -> Attempt {
        self.process.path_of(file).map_or(Attempt::Nothing, |path| Attempt::Change(event(path)))
    }

    fn at(&self, folder: u64, path: u64, event: impl FnOnce(String) -> Event) -> Attempt {
        match self.process.target(folder, path) {
            Target::Inside(path) => Attempt::Change(event(path)),
            Target::Outside => Attempt::Nothing,
            Target::Missing => Attempt::Fail,
        }
    }

    fn link(&self, target: u64, folder: u64, path: u64) -> Attempt {
        let target = self.process.text(target).into_os_string().into_string().expect("a link that is text");
        self.at(folder, path, |path| Event::Link(target, path))
    }

    fn rename(&self, from: [u64; 2], to: [u64; 2]) -> Attempt {
        let [from, to] = [from, to].map(|[folder, path]| self.process.target(folder, path));
        match (from, to) {
            (Target::Inside(from), Target::Inside(to)) => Attempt::Change(Event::Rename(from, to)),
            (Target::Outside, Target::Outside) => Attempt::Nothing,
            (Target::Missing, _) | (_, Target::Missing) => Attempt::Fail,
            targets => panic!("a rename to or from another disk: {targets:?}"),
        }
    }

    fn buffers(&self, address: u64, count: u64) -> Vec<Buffer> {
        let numbers = self.process.numbers(address, 2 * length(count));
        numbers.chunks_exact(2).map(|pair| buffer(pair[0], pair[1])).collect()
    }

    fn written(&self, buffers: &[Buffer], count: usize) -> Vec<u8> {
        let mut bytes: Vec<_> = buffers.iter().flat_map(|buffer| self.process.bytes(*buffer)).collect();
        bytes.truncate(count);
        bytes
    }
}

fn open(flags: u64) -> Attempt {
    let has = |flag: i32| flags & flag as u64 == flag as u64;
    assert!(!has(libc::O_TMPFILE), "a file without a name");
    Attempt::Open { creates: has(libc::O_CREAT), empties: has(libc::O_TRUNC) }
}

fn check_is_thread(flags: u64) -> Attempt {
    assert_ne!(flags & libc::CLONE_THREAD as u64, 0, "a child of the traced process isn't traced");
    Attempt::Nothing
}

fn buffer(address: u64, count: u64) -> Buffer {
    Buffer { address, length: length(count) }
}

fn length(number: u64) -> usize {
    number.try_into().expect("a size that fits into memory")
}

/// Calls that may also concern files or processes, in addition to memory and threads.
const PRIVATE_WITH_POSSIBLE_EFFECT: [c_long; 3] = [libc::SYS_clone, libc::SYS_clone3, libc::SYS_mmap];

/// Calls that read, wait or lock.
const WITHOUT_EFFECT: &[c_long] = &[
    libc::SYS_chdir,
    libc::SYS_close,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_exit_group,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    // The model has no permissions.
    libc::SYS_fchmod,
    libc::SYS_fcntl,
    libc::SYS_flock,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_getcwd,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getdents64,
    libc::SYS_lseek,
    libc::SYS_newfstatat,
    libc::SYS_pipe2,
    libc::SYS_ppoll,
    libc::SYS_pread64,
    libc::SYS_prlimit64,
    libc::SYS_read,
    libc::SYS_readlinkat,
    libc::SYS_readv,
    libc::SYS_statfs,
    libc::SYS_statx,
    // This call starts a write-back, and only a sync waits for its end.
    libc::SYS_sync_file_range,
    libc::SYS_uname,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_access,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lstat,
];
