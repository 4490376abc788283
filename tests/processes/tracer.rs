//! A tracer that runs a child process call by call, or kills it at one of its system calls. The call at the kill isn't
//! executed.
//!
//! The tracer stops each thread of the child at the start and end of each call, and counts the calls of all threads. Calls
//! that only concern the process itself, its memory and its threads, don't count: a kill before and after them leaves the
//! same state, and their number varies. When threads run in parallel, the order of their calls varies.

use super::syscalls;
use crate::child_process::{ChildBuilder, ChildProcess};
use libc::c_long;
use nix::{
    errno::Errno,
    sys::{
        ptrace::{self, Options},
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use std::{collections::HashSet, fs, thread};

/// How a traced run ended. The child has ended in each case.
#[derive(Debug)]
pub(crate) enum Traced {
    /// The child was killed at the requested call.
    Killed { at: &'static str },
    /// The child sent its answer, after this number of calls.
    Done { calls: usize },
}

/// Starts the child's job, lets it make `calls` system calls, and kills it instead of the next call, or when it has sent its
/// answer.
///
/// # Panics
///
/// If this process can't trace the child. A test that can't kill must not pass.
pub(crate) fn run(child: &mut ChildProcess, calls: usize) -> Traced {
    trace(child, |tracer| tracer.kill_at(calls))
}

/// Makes a child's calls the same in each run, except for their order. By default, the C library's allocator reads the number
/// of processors from a file in `/sys` before it adds an arena for a thread. Those three calls happen on any thread, before
/// or during the operation, so the same number of calls would be another step in each run. A step of only two calls might
/// never be interrupted.
pub(super) fn with_stable_calls(child: ChildBuilder) -> ChildBuilder {
    child.env("GLIBC_TUNABLES", "glibc.malloc.arena_max=1")
}

/// Runs `act` with a tracer of the child, on a separate thread, since only the attached thread can trace. When that thread
/// ends, the kernel kills the child.
pub(super) fn trace<T: Send>(child: &mut ChildProcess, act: impl FnOnce(Tracer<'_>) -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(|| act(Tracer::attach(child))).join())
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Where a thread of the child is stopped.
pub(super) enum Stop {
    Beginning(Call),
    /// With the return value of the call. A negative value is an error.
    End(i64),
}

pub(super) struct Tracer<'a> {
    child: &'a mut ChildProcess,
    id: Pid,
}

impl<'a> Tracer<'a> {
    fn attach(child: &'a mut ChildProcess) -> Self {
        let options = Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_EXITKILL;
        let id = process(child.id());
        let tracer = Self { child, id };
        // A thread may start another one before it is attached. The next iteration finds the new one.
        let mut attached = HashSet::new();
        loop {
            let new: Vec<_> = tracer.threads().into_iter().filter(|thread| !attached.contains(thread)).collect();
            if new.is_empty() {
                return tracer;
            }
            for thread in new {
                ptrace::seize(thread, options).unwrap_or_else(|error| panic_without_permission(error));
                ptrace::interrupt(thread).expect("to interrupt the thread");
                attached.insert(thread);
                // After its first stop, the thread stops at each call.
                let stopped = waitpid(thread, Some(WaitPidFlag::__WALL)).expect("the stop of the thread");
                assert!(matches!(stopped, WaitStatus::PtraceEvent(..)), "{stopped:?}");
                ptrace::syscall(thread, None).expect("to resume the thread");
            }
        }
    }

    fn threads(&self) -> Vec<Pid> {
        let entries = fs::read_dir(format!("/proc/{}/task", self.id)).expect("the threads of the child");
        let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("a thread").file_name();
        entries.map(|entry| process(name(entry).to_str().and_then(|id| id.parse().ok()).expect("a number"))).collect()
    }

    pub(super) fn id(&self) -> Pid {
        self.id
    }

    pub(super) fn send_go(&mut self) {
        self.child.send("go");
    }

    /// Waits for the next thread that stops at the start or end of a call. The caller resumes it. Other stops are resumed here.
    pub(super) fn next(&self) -> (Pid, Stop) {
        loop {
            // Only children that this thread traces, not those of other tests.
            let stop = waitpid(None, Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD)).expect("a stop");
            match stop {
                WaitStatus::PtraceSyscall(thread) => return (thread, syscalls::stop_of(thread)),
                WaitStatus::Stopped(thread, signal) => resume(thread, Some(signal)),
                // A new thread, and the thread that started it.
                WaitStatus::PtraceEvent(thread, ..) => resume(thread, None),
                WaitStatus::Exited(thread, _) | WaitStatus::Signaled(thread, ..) => {
                    assert_ne!(thread, self.id, "the child ended by itself: {stop:?}");
                }
                WaitStatus::Continued(_) | WaitStatus::StillAlive => panic!("{stop:?}"),
            }
        }
    }

    pub(super) fn resume(&self, thread: Pid) {
        resume(thread, None);
    }

    fn kill_at(mut self, calls: usize) -> Traced {
        self.send_go();
        let (mut counted, mut answering) = (0, None);
        loop {
            let (thread, stop) = self.next();
            match stop {
                Stop::Beginning(call) if call.is_counted() => {
                    if counted == calls {
                        kill(self.id, Signal::SIGKILL).expect("to kill the child");
                        return Traced::Killed { at: call.name() };
                    }
                    counted += 1;
                    if call.is_answer() {
                        answering = Some(thread);
                    }
                }
                Stop::Beginning(_) => {}
                Stop::End(_) if answering == Some(thread) => return Traced::Done { calls: counted },
                Stop::End(_) => {}
            }
            self.resume(thread);
        }
    }
}

fn resume(thread: Pid, signal: Option<Signal>) {
    ptrace::syscall(thread, signal).expect("to resume the thread");
}

fn panic_without_permission(error: Errno) -> ! {
    panic!(
        "this process may not trace its own children ({error}). In a container, allow ptrace (--cap-add=SYS_PTRACE); or \
         skip these tests: --skip processes::call_counts --skip at_each_call --skip power_loss --skip \
         processes::recording --skip restore_order"
    )
}

fn process(id: u32) -> Pid {
    Pid::from_raw(id.try_into().expect("a process number"))
}

/// A system call at its start.
pub(super) struct Call {
    pub(super) number: c_long,
    pub(super) arguments: [u64; 6],
}

impl Call {
    /// Whether the call concerns anything outside of the process. True when in doubt.
    fn is_counted(&self) -> bool {
        let reads_input = self.number == libc::SYS_read && self.arguments[0] == libc::STDIN_FILENO as u64;
        !reads_input && !PRIVATE.contains(&self.number)
    }

    pub(super) fn is_answer(&self) -> bool {
        self.number == libc::SYS_write && self.arguments[0] == libc::STDOUT_FILENO as u64
    }

    fn name(&self) -> &'static str {
        if self.is_answer() {
            return "the answer";
        }
        let known = NAMES.iter().find(|(number, _)| *number == self.number);
        known.map_or("other calls", |(_, name)| name)
    }
}

/// Calls that only concern the memory, threads, signals and time of the process.
pub(super) const PRIVATE: [c_long; 26] = [
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_exit,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_madvise,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_prctl,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_sigaltstack,
];

const NAMES: &[(c_long, &str)] = &[
    (libc::SYS_close, "close"),
    (libc::SYS_fcntl, "fcntl"),
    (libc::SYS_flock, "flock"),
    (libc::SYS_fstat, "fstat"),
    (libc::SYS_fsync, "fsync"),
    (libc::SYS_getdents64, "getdents64"),
    (libc::SYS_lseek, "lseek"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_mkdir, "mkdir"),
    (libc::SYS_mkdirat, "mkdirat"),
    (libc::SYS_newfstatat, "newfstatat"),
    (libc::SYS_openat, "openat"),
    (libc::SYS_read, "read"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_readlink, "readlink"),
    (libc::SYS_readlinkat, "readlinkat"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_rename, "rename"),
    (libc::SYS_renameat, "renameat"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_rmdir, "rmdir"),
    (libc::SYS_statx, "statx"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_symlink, "symlink"),
    (libc::SYS_symlinkat, "symlinkat"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_unlink, "unlink"),
    (libc::SYS_unlinkat, "unlinkat"),
    (libc::SYS_write, "write"),
];
