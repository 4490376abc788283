//! Signals to a program whose output is not read, or whose terminal was closed.

use crate::{
    processes::send,
    support::{RunResult, Sandbox, folder},
};
use nix::sys::signal::Signal;
use std::{
    fs,
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A store with two snapshots whose diff is larger than the buffer of a pipe.
fn with_large_diff() -> Sandbox {
    let sandbox = folder();
    sandbox.create(1, "[]");
    sandbox.create(2, &format!("[{}1]", "1,".repeat(50_000)));
    sandbox
}

/// A running `diff`, whose output fills the pipe and is not read.
fn start_blocked_diff(sandbox: &Sandbox) -> (Child, ChildStdout) {
    // Restores the default action of SIGHUP, which `nohup` would have changed.
    let mut command = Command::new("env");
    sandbox.prepare(&mut command);
    let mut child = command
        .args(["--default-signal=HUP", env!("CARGO_BIN_EXE_minisnap"), "diff", &sandbox.store])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let output = child.stdout.take().expect("a pipe");
    // Waits until its main thread blocks in a write to the pipe.
    let waits = || {
        let channel = fs::read_to_string(format!("/proc/{}/wchan", child.id())).unwrap_or_default();
        channel.contains("pipe_write")
    };
    let deadline = Instant::now() + Duration::from_secs(3);
    while !waits() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(5));
    }
    (child, output)
}

#[test]
fn signal_ends_a_command_whose_output_is_blocked() {
    let sandbox = with_large_diff();
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143), (Signal::SIGHUP, 129)] {
        let (child, output) = start_blocked_diff(&sandbox);
        send(&child, signal);
        // `diff` changes nothing, so no message is printed.
        wait_for_end(child, Duration::from_secs(20)).is_silent(code);
        drop(output);
    }
}

/// Waits until the program ends, for at most `within`.
fn wait_for_end(mut child: Child, within: Duration) -> RunResult {
    let deadline = Instant::now() + within;
    while child.try_wait().expect("a child").is_none() {
        if Instant::now() > deadline {
            child.kill().expect("a running process");
            child.wait().expect("the program ends");
            panic!("it doesn't end");
        }
        thread::sleep(Duration::from_millis(5));
    }
    RunResult::of(child.wait_with_output().expect("the program ended"))
}

#[test]
fn ignored_sighup_does_not_end_a_command() {
    let sandbox = folder();
    sandbox.create(1, "1");
    let mut command = Command::new("sh");
    sandbox.prepare(&mut command);
    let watch =
        format!("trap '' HUP; exec {} watch {} --every 10ms --count 2", env!("CARGO_BIN_EXE_minisnap"), sandbox.store);
    let mut child = command
        .args(["-c", &watch])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sh");
    let mut first = [0; 1];
    std::io::Read::read_exact(child.stdout.as_mut().expect("a pipe"), &mut first).expect("a line");
    send(&child, Signal::SIGHUP);
    thread::sleep(Duration::from_millis(100));
    sandbox.create(2, "2");
    let result = wait_for_end(child, Duration::from_secs(60));
    assert!(result.ok().contains("  seq 2  "));
}
