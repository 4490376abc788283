//! System calls that the standard library lacks. All unsafe code of these tests is here.
#![allow(unsafe_code)]

use std::io;

/// Forks a child that inherits all open files and does nothing. It ends when its standard input ends, or after two minutes.
pub(crate) fn fork_sleeper() {
    // SAFETY: the child of a process with threads may only call async-signal-safe functions. It calls alarm, close, poll and
    // _exit, which are async-signal-safe, with values on its own stack, and never returns from this function.
    unsafe {
        match libc::fork() {
            -1 => panic!("cannot fork: {}", io::Error::last_os_error()),
            0 => {
                libc::alarm(120);
                // If this stayed open, the reader of the parent's output would wait for this child, too.
                libc::close(1);
                // It waits only for the end of its input, and leaves the lines to its parent.
                let mut input = libc::pollfd { fd: 0, events: 0, revents: 0 };
                while libc::poll(&raw mut input, 1, -1) < 0 {}
                libc::_exit(0);
            }
            _ => {}
        }
    }
}

/// Forks a child that only drops a value, and waits for the child. A program that forks and then exits normally does this.
pub(crate) fn drop_in_a_forked_child<T>(value: &T) {
    // SAFETY: the child has its own copy of the memory and never returns from this function, so each process drops its own
    // value once. The drop may allocate, which glibc allows after a fork. The alarm ends a child that waits for another
    // lock. The status is a local variable.
    unsafe {
        match libc::fork() {
            -1 => panic!("cannot fork: {}", io::Error::last_os_error()),
            0 => {
                libc::alarm(60);
                drop(std::ptr::read(value));
                libc::_exit(0);
            }
            child => {
                let mut status = 0;
                assert_eq!(libc::waitpid(child, &raw mut status, 0), child, "{}", io::Error::last_os_error());
                assert!(libc::WIFEXITED(status), "the child was killed: {status}");
            }
        }
    }
}

/// Ignores a signal that would end this process.
#[cfg(target_os = "linux")]
pub(super) fn ignore(signal: nix::sys::signal::Signal) {
    // SAFETY: an ignored signal runs no code of this process.
    unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::SigIgn) }.expect("to ignore a signal");
}

/// Returns the system call at whose begin or end a traced thread is stopped.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(super) fn stop_of(thread: nix::unistd::Pid) -> super::tracer::Stop {
    use super::tracer::{Call, Stop};
    let info = nix::sys::ptrace::syscall_info(thread).expect("a thread that is stopped at a call");
    match info.op {
        libc::PTRACE_SYSCALL_INFO_ENTRY => {
            // SAFETY: at the start of a call, the kernel fills in this field.
            let entry = unsafe { info.u.entry };
            Stop::Beginning(Call { number: entry.nr.try_into().expect("a small number"), arguments: entry.args })
        }
        libc::PTRACE_SYSCALL_INFO_EXIT => {
            // SAFETY: at the end of a call, the kernel fills in this field.
            Stop::End(unsafe { info.u.exit }.sval)
        }
        other => panic!("stopped neither at the start nor at the end of a call: {other}"),
    }
}

/// Stops a child of this process, and waits until it is stopped.
pub(crate) fn stop(child: u32) {
    signal(child, libc::SIGSTOP);
    let mut status = 0;
    // SAFETY: the status is a local variable. This call doesn't reap the child, since the child is stopped and hasn't ended.
    let found = unsafe { libc::waitpid(pid(child), &raw mut status, libc::WUNTRACED) };
    assert!(found == pid(child) && libc::WIFSTOPPED(status), "it did not stop: {found}, {status}");
}

/// Resumes a stopped child of this process.
pub(crate) fn resume(child: u32) {
    signal(child, libc::SIGCONT);
}

fn signal(child: u32, signal: libc::c_int) {
    // SAFETY: kill accesses no memory of this process. The process started the child and hasn't reaped it, so the id still
    // belongs to the child.
    let sent = unsafe { libc::kill(pid(child), signal) };
    assert_eq!(sent, 0, "cannot signal {child}: {}", io::Error::last_os_error());
}

fn pid(child: u32) -> libc::pid_t {
    child.try_into().expect("a process number")
}
