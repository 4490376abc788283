//! Runs the program under a tracer, which observes each completed system call.

use crate::support::Sandbox;
use nix::{
    libc::{PTRACE_SYSCALL_INFO_EXIT, c_long},
    sys::{
        ptrace::{self, Options},
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

/// A completed system call.
pub(crate) struct Call {
    process: Pid,
    number: c_long,
    pub(crate) arguments: Vec<u64>,
}

impl Call {
    /// Reads the call at whose end a thread is stopped: its number, and its arguments in hexadecimal digits.
    fn of(process: Pid, thread: Pid) -> Option<Self> {
        let output = fs::read_to_string(format!("/proc/{thread}/syscall")).expect("a stopped thread");
        let mut words = output.split_whitespace();
        let number = words.next()?.parse().ok()?;
        let number_of = |word: &str| u64::from_str_radix(word.trim_start_matches("0x"), 16).expect("a number");
        Some(Self { process, number, arguments: words.take(6).map(number_of).collect() })
    }

    pub(crate) fn is_one_of(&self, numbers: &[c_long]) -> bool {
        numbers.contains(&self.number)
    }

    /// The path of the descriptor in the first argument.
    pub(crate) fn path_of_descriptor(&self) -> Option<PathBuf> {
        fs::read_link(format!("/proc/{}/fd/{}", self.process, self.arguments.first()?)).ok()
    }
}

/// Runs the program, and calls `observe` after each call. Returns the exit code.
///
/// # Panics
///
/// If this process may not trace its children: without calls, a test must not pass.
#[expect(clippy::zombie_processes, reason = "the tracer waits for it, call by call, until it ends")]
pub(crate) fn trace(sandbox: &Sandbox, args: &[&str], mut observe: impl FnMut(&Call)) -> i32 {
    // The shell stops until it is traced, and then runs the program.
    let mut command = Command::new("sh");
    sandbox.prepare(&mut command);
    command.args(["-c", r#"kill -STOP $$; exec "$0" "$@""#, env!("CARGO_BIN_EXE_minisnap")]).args(sandbox.args(args));
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("sh");
    let process = Pid::from_raw(child.id().try_into().expect("a process id"));
    let stopped = waitpid(process, Some(WaitPidFlag::WUNTRACED)).expect("a child");
    assert_eq!(stopped, WaitStatus::Stopped(process, Signal::SIGSTOP));
    let options = Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_EXITKILL;
    ptrace::seize(process, options)
        .expect("this process may trace its children (in a container: --cap-add=SYS_PTRACE)");
    ptrace::interrupt(process).expect("a traced process");
    kill(process, Signal::SIGCONT).expect("an existing file");
    loop {
        // Only children of this thread: other tests wait for theirs.
        let stop = waitpid(None, Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD)).expect("a traced process");
        let (thread, signal) = match stop {
            WaitStatus::PtraceSyscall(thread) => {
                let info = ptrace::syscall_info(thread).expect("a thread at a call");
                if info.op == PTRACE_SYSCALL_INFO_EXIT {
                    Call::of(process, thread).iter().for_each(&mut observe);
                }
                (thread, None)
            }
            WaitStatus::Stopped(thread, signal) => (thread, Some(signal)),
            WaitStatus::PtraceEvent(thread, ..) => (thread, None),
            WaitStatus::Exited(ended, code) if ended == process => return code,
            WaitStatus::Signaled(ended, signal, _) if ended == process => panic!("it was killed by {signal}"),
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => continue,
            other => panic!("{other:?}"),
        };
        ptrace::syscall(thread, signal).expect("to resume it");
    }
}
