//! Running programs: starting, pausing and killing them.

use crate::support::{RunResult, Sandbox};
use minisnap_s3_server::S3Server;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Starts the program, with nothing on its standard input.
pub(crate) fn start(sandbox: &Sandbox, args: &[&str]) -> Child {
    spawn(sandbox, args, Stdio::null())
}

/// Starts the program, with a pipe as its standard input.
pub(crate) fn start_with_input_pipe(sandbox: &Sandbox, args: &[&str]) -> Child {
    spawn(sandbox, args, Stdio::piped())
}

fn spawn(sandbox: &Sandbox, args: &[&str], stdin: Stdio) -> Child {
    let mut command = sandbox.command(args);
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
}

pub(crate) fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().try_into().expect("a process id")), signal).expect("a running process");
}

/// Waits until `condition` holds.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "waited too long until {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Runs the program, and pauses it during its upload while `action` runs.
pub(crate) fn run_during_upload(
    server: &S3Server,
    sandbox: &Sandbox,
    args: &[&str],
    action: impl FnOnce(),
) -> RunResult {
    let parts = || fs::read_dir(server.parts_folder()).expect("a folder").count();
    let before = parts();
    let child = start(sandbox, args);
    wait_until("a part has arrived", || parts() > before);
    send(&child, Signal::SIGSTOP);
    action();
    send(&child, Signal::SIGCONT);
    RunResult::of(child.wait_with_output().expect("the program ends"))
}
