//! Signals to a program whose output nobody takes, and whose terminal is gone.

use crate::{
    kit::{Place, Ran, folder},
    meanwhile::send,
};
use nix::sys::signal::Signal;
use std::{
    fs,
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A place with two snapshots whose difference is more than a pipe holds.
fn with_much_between() -> Place {
    let place = folder();
    place.create(1, "[]");
    place.create(2, &format!("[{}1]", "1,".repeat(50_000)));
    place
}

/// `diff`, in the middle of printing, and its output, which nobody reads.
fn stalled(place: &Place) -> (Child, ChildStdout) {
    // SIGHUP as at a terminal, also where these tests were started to outlive one.
    let mut command = Command::new("env");
    place.prepare(&mut command);
    let mut child = command
        .args(["--default-signal=HUP", env!("CARGO_BIN_EXE_minisnap"), "diff", &place.store])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let output = child.stdout.take().expect("a pipe");
    // By then it waits for room in the pipe: of all its threads, by the kernel, the first waits to write.
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
fn while_nobody_reads_what_it_prints_it_ends_all_the_same() {
    let place = with_much_between();
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143), (Signal::SIGHUP, 129)] {
        let (child, output) = stalled(&place);
        send(&child, signal);
        // It only reads.
        ends(child, Duration::from_secs(20)).is_silent(code);
        drop(output);
    }
}

/// What came of it, which must be soon.
fn ends(mut child: Child, within: Duration) -> Ran {
    let deadline = Instant::now() + within;
    while child.try_wait().expect("a child").is_none() {
        if Instant::now() > deadline {
            child.kill().expect("it runs");
            child.wait().expect("it ends");
            panic!("it doesn't end");
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ran::of(child.wait_with_output().expect("it has ended"))
}

#[test]
fn what_was_started_to_outlive_its_terminal_does() {
    let place = folder();
    place.create(1, "1");
    let mut command = Command::new("sh");
    place.prepare(&mut command);
    let watch =
        format!("trap '' HUP; exec {} watch {} --every 10ms --count 2", env!("CARGO_BIN_EXE_minisnap"), place.store);
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
    place.create(2, "2");
    let ran = ends(child, Duration::from_secs(60));
    assert!(ran.ok().contains("  seq 2  "));
}
