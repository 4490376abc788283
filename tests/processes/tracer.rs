//! A peer run under a tracer, call by call; or up to any one of its system calls, and killed there: the call is not done
//! any more.
//!
//! The tracer stops every thread of the peer at each call's beginning and end. Calls are counted over all threads. Those
//! that concern nothing but the process itself, its memory and its threads, don't count: what a kill leaves behind is the
//! same before and after them, and how many there are is a matter of luck. Where threads work side by side, it is up to the
//! system whose call comes first.

use super::system;
use crate::peers::{Peer, Start};
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

/// How a traced run ended. The peer is dead in any case.
#[derive(Debug)]
pub(crate) enum Traced {
    /// At the call that was asked for.
    Killed { at: &'static str },
    /// It said something: it had done its job, in so many calls.
    Done { calls: usize },
}

/// Tells a peer to go, lets it make `calls` system calls, and kills it at the next, in place of that; or when it has said
/// something, which is its answer.
///
/// # Panics
///
/// If this process may not trace another: a test that can't kill must not pass.
pub(crate) fn run(peer: &mut Peer, calls: usize) -> Traced {
    trace(peer, |tracer| tracer.kill_at(calls))
}

/// A peer whose calls are the same ones each time, but for their order. The C library's allocator gives each thread a part of
/// the memory of its own, and looks up how many processors there are before it makes one too many: three calls (of a file in
/// `/sys`), by whichever thread that comes to, before the peer is ready or in the middle of its deed. With them, the same
/// number of calls is another place in each run, and a place that is only two calls long may be met by none.
pub(super) fn without_calls_by_chance(peer: Start) -> Start {
    peer.env("GLIBC_TUNABLES", "glibc.malloc.arena_max=1")
}

/// Does `act` with a tracer of the peer, on a thread of its own: only the thread that attached may trace. When that ends,
/// the system lets go of the peer and kills it.
pub(super) fn trace<T: Send>(peer: &mut Peer, act: impl FnOnce(Tracer<'_>) -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(|| act(Tracer::attach(peer))).join())
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Where a thread of the peer stands still.
pub(super) enum Stop {
    Beginning(Call),
    /// With what the call returned; below zero, that is an error.
    End(i64),
}

pub(super) struct Tracer<'a> {
    peer: &'a mut Peer,
    id: Pid,
}

impl<'a> Tracer<'a> {
    fn attach(peer: &'a mut Peer) -> Self {
        let options = Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_EXITKILL;
        let id = process(peer.id());
        let tracer = Self { peer, id };
        // A thread may begin another before it is attached; then that is found in the next round.
        let mut attached = HashSet::new();
        loop {
            let new: Vec<_> = tracer.threads().into_iter().filter(|thread| !attached.contains(thread)).collect();
            if new.is_empty() {
                return tracer;
            }
            for thread in new {
                ptrace::seize(thread, options).unwrap_or_else(|error| refuse(error));
                ptrace::interrupt(thread).expect("to interrupt it");
                attached.insert(thread);
                // Its first stop: from there on it stops at each call.
                let stopped = waitpid(thread, Some(WaitPidFlag::__WALL)).expect("its stop");
                assert!(matches!(stopped, WaitStatus::PtraceEvent(..)), "{stopped:?}");
                ptrace::syscall(thread, None).expect("to resume it");
            }
        }
    }

    fn threads(&self) -> Vec<Pid> {
        let entries = fs::read_dir(format!("/proc/{}/task", self.id)).expect("its threads");
        let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("a thread").file_name();
        entries.map(|entry| process(name(entry).to_str().and_then(|id| id.parse().ok()).expect("a number"))).collect()
    }

    pub(super) fn id(&self) -> Pid {
        self.id
    }

    pub(super) fn tell_to_go(&mut self) {
        self.peer.say("go");
    }

    /// The next thread that stands at a call's beginning or end, until it is resumed. What else stops is resumed here.
    pub(super) fn next(&self) -> (Pid, Stop) {
        loop {
            // Of this thread's own: the processes of other tests are theirs.
            let stop = waitpid(None, Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD)).expect("a stop");
            match stop {
                WaitStatus::PtraceSyscall(thread) => return (thread, system::stop_of(thread)),
                WaitStatus::Stopped(thread, signal) => resume(thread, Some(signal)),
                // A new thread, and the one that began it.
                WaitStatus::PtraceEvent(thread, ..) => resume(thread, None),
                WaitStatus::Exited(thread, _) | WaitStatus::Signaled(thread, ..) => {
                    assert_ne!(thread, self.id, "the peer ended by itself: {stop:?}");
                }
                WaitStatus::Continued(_) | WaitStatus::StillAlive => panic!("{stop:?}"),
            }
        }
    }

    pub(super) fn resume(&self, thread: Pid) {
        resume(thread, None);
    }

    fn kill_at(mut self, calls: usize) -> Traced {
        self.tell_to_go();
        let (mut counted, mut answering) = (0, None);
        loop {
            let (thread, stop) = self.next();
            match stop {
                Stop::Beginning(call) if call.counts() => {
                    if counted == calls {
                        kill(self.id, Signal::SIGKILL).expect("to kill it");
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
    ptrace::syscall(thread, signal).expect("to resume it");
}

fn refuse(error: Errno) -> ! {
    panic!(
        "this process may not trace its own children ({error}). In a container, allow ptrace (--cap-add=SYS_PTRACE); or \
         leave these tests out, by name: --skip processes::calls --skip at_each_call --skip power_lost --skip \
         recorded --skip restore_order"
    )
}

fn process(id: u32) -> Pid {
    Pid::from_raw(id.try_into().expect("a process number"))
}

/// A system call at its beginning.
pub(super) struct Call {
    pub(super) number: c_long,
    pub(super) arguments: [u64; 6],
}

impl Call {
    /// Whether it has to do with anything outside of the process. In doubt, it has.
    fn counts(&self) -> bool {
        let listens = self.number == libc::SYS_read && self.arguments[0] == libc::STDIN_FILENO as u64;
        !listens && !PRIVATE.contains(&self.number)
    }

    pub(super) fn is_answer(&self) -> bool {
        self.number == libc::SYS_write && self.arguments[0] == libc::STDOUT_FILENO as u64
    }

    fn name(&self) -> &'static str {
        if self.is_answer() {
            return "the answer";
        }
        let known = NAMES.iter().find(|(number, _)| *number == self.number);
        known.map_or("others", |(_, name)| name)
    }
}

/// What concerns memory, threads, signals and time of the process alone.
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
