//! The system calls these tests need and the standard library doesn't have: all their unsafe code is here.
#![allow(unsafe_code)]

use std::io;

/// Forks a child that inherits every open file, does nothing, and ends when its standard input does (or after two minutes).
pub(crate) fn fork_sleeper() {
    // SAFETY: the child of a process with threads may only call what is async-signal-safe until it ends. It calls alarm,
    // close, poll and _exit, which are, on values of its own stack, and it never returns from here.
    unsafe {
        match libc::fork() {
            -1 => panic!("cannot fork: {}", io::Error::last_os_error()),
            0 => {
                libc::alarm(120);
                // Or whoever reads what the parent says would wait for this child too.
                libc::close(1);
                // It waits for the end of its input alone: the lines in it are its parent's to read.
                let mut input = libc::pollfd { fd: 0, events: 0, revents: 0 };
                while libc::poll(&raw mut input, 1, -1) < 0 {}
                libc::_exit(0);
            }
            _ => {}
        }
    }
}

/// Drops a value in a forked child alone, as a program does that forks and then ends in good order, and waits for it.
pub(crate) fn drop_in_a_forked_child<T>(value: &T) {
    // SAFETY: the child works on its own copy of the memory and never returns from here, so each of the two values is
    // dropped once, in its own process. Dropping allocates, which glibc allows after a fork; the alarm ends a child that
    // hangs on another lock all the same. The status is a local variable.
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

/// From here on, a signal that would end this process is ignored.
#[cfg(target_os = "linux")]
pub(super) fn ignore(signal: nix::sys::signal::Signal) {
    // SAFETY: to ignore a signal runs no code of this process.
    unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::SigIgn) }.expect("to ignore a signal");
}

/// The system call at whose beginning or end a traced thread stands.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(super) fn stop_of(thread: nix::unistd::Pid) -> super::tracer::Stop {
    use super::tracer::{Call, Stop};
    let info = nix::sys::ptrace::syscall_info(thread).expect("a thread that stands at a call");
    match info.op {
        libc::PTRACE_SYSCALL_INFO_ENTRY => {
            // SAFETY: at the beginning of a call, this is what the system filled in.
            let entry = unsafe { info.u.entry };
            Stop::Beginning(Call { number: entry.nr.try_into().expect("a small number"), arguments: entry.args })
        }
        libc::PTRACE_SYSCALL_INFO_EXIT => {
            // SAFETY: at the end of a call, this is what the system filled in.
            Stop::End(unsafe { info.u.exit }.sval)
        }
        other => panic!("it stands neither at a call's beginning nor at its end: {other}"),
    }
}

/// Stops a child of this process, and waits until it stands still.
pub(crate) fn stop(child: u32) {
    signal(child, libc::SIGSTOP);
    let mut status = 0;
    // SAFETY: the status is a local variable. The child isn't reaped by this, since it was stopped and didn't end.
    let found = unsafe { libc::waitpid(pid(child), &raw mut status, libc::WUNTRACED) };
    assert!(found == pid(child) && libc::WIFSTOPPED(status), "it did not stop: {found}, {status}");
}

/// Lets a stopped child of this process go on.
pub(crate) fn resume(child: u32) {
    signal(child, libc::SIGCONT);
}

fn signal(child: u32, signal: libc::c_int) {
    // SAFETY: kill touches no memory of this process; the child was started by it and not waited for, so that the number
    // can't be another's.
    let sent = unsafe { libc::kill(pid(child), signal) };
    assert_eq!(sent, 0, "cannot signal {child}: {}", io::Error::last_os_error());
}

fn pid(child: u32) -> libc::pid_t {
    child.try_into().expect("a process number")
}
