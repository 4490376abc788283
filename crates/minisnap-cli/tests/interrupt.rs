//! Ctrl-C, SIGTERM, SIGQUIT and SIGXCPU: the old snapshot stays, and no orphans remain.

use crate::support::{RunResult, STORE, Sandbox, document, folder, name_of, s3_on, sandboxes};
use minisnap_s3_server::{Conditions, S3Server};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs,
    io::Write,
    os::fd::AsFd,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

fn start(sandbox: &Sandbox, args: &[&str]) -> Child {
    // Restores the default actions, which a shell changes for background jobs.
    let mut command = Command::new("env");
    sandbox.prepare(&mut command);
    command.args(["--default-signal=QUIT,XCPU", env!("CARGO_BIN_EXE_minisnap")]).args(sandbox.args(args));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
}

fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().try_into().expect("a process id")), signal).expect("a running process");
}

/// Waits until `condition` holds.
fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "waited too long until {what}");
        thread::sleep(Duration::from_micros(200));
    }
}

/// Large enough to stop the program while it writes.
const SIZE: u64 = 96 << 20;

/// Starts the program and stops it while it writes, as `written` reports. `None` if it was already done.
fn stopped_while_writing(sandbox: &Sandbox, args: &[&str], written: impl Fn() -> u64) -> Option<Child> {
    let mut child = start(sandbox, args);
    wait_until("something is written", || written() > 0 || child.try_wait().expect("a child").is_some());
    if child.try_wait().expect("a child").is_some() {
        return None;
    }
    send(&child, Signal::SIGSTOP);
    if (1..SIZE * 9 / 10).contains(&written()) {
        return Some(child);
    }
    child.kill().expect("a child");
    child.wait().expect("the program ends");
    None
}

/// Repeats `attempt` until the program was stopped while it writes.
fn retry_until_stopped(attempt: impl Fn() -> Option<()>) {
    (0..20).find_map(|_| attempt()).expect("it was never stopped while writing");
}

#[test]
fn stage_is_deleted_when_a_create_is_interrupted() {
    for (signal, code) in
        [(Signal::SIGINT, 130), (Signal::SIGTERM, 143), (Signal::SIGQUIT, 131), (Signal::SIGXCPU, 152)]
    {
        retry_until_stopped(|| {
            let sandbox = folder();
            sandbox.create(1, "[1]");
            let before =
                (sandbox.generations(), fs::read_link(sandbox.files.join("snapshots/current")).expect("a link"));
            let file = sandbox.write("large.json", document(SIZE as usize));
            let staged = || {
                let is_stage = |folder: &PathBuf| name_of(folder).starts_with(".stage-");
                let json = sandbox.generations().into_iter().find(is_stage)?.join("snapshot.json");
                Some(fs::metadata(json).ok()?.len())
            };
            let written = || staged().unwrap_or(0);
            let child = stopped_while_writing(&sandbox, &["create", STORE, "--seq", "2", &file], written)?;
            send(&child, signal);
            send(&child, Signal::SIGCONT);
            let message = RunResult::of(child.wait_with_output().expect("the program ends")).fails(code);
            assert!(message.contains("interrupted: the current snapshot is the old one"), "{message}");
            assert_eq!(sandbox.run(&["restore", STORE]).ok(), "[\n  1\n]");
            let after =
                (sandbox.generations(), fs::read_link(sandbox.files.join("snapshots/current")).expect("a link"));
            assert_eq!(after, before, "orphans");
            Some(())
        });
    }
}

#[test]
fn parts_are_deleted_when_an_upload_is_interrupted() {
    // Slow enough that the upload is still running when the first part has arrived.
    let server = S3Server::start_with_latency(Conditions::Atomic, Duration::from_millis(200));
    let sandbox = s3_on(&server);
    sandbox.create(1, "[1]");
    let before = sandbox.generations();
    let parts = || {
        let files = fs::read_dir(server.parts_folder()).expect("a folder").map(|entry| entry.expect("an entry").path());
        files.filter(|path| name_of(path).contains("upload")).collect::<Vec<_>>()
    };
    let none = parts();
    let file = sandbox.write("large.json", document(64 << 20));
    let slowly = ["--option", "part_size=5242880", "--option", "parts_in_flight=1"];
    let child = start(&sandbox, &[&["create", STORE, "--seq", "2", &file], &slowly[..]].concat());
    wait_until("a part has arrived", || parts().len() > none.len());
    send(&child, Signal::SIGINT);
    let message = RunResult::of(child.wait_with_output().expect("the program ends")).fails(130);
    assert!(message.contains(&format!("`minisnap show {} ", sandbox.store)), "{message}");
    assert_eq!((parts(), sandbox.generations()), (none, before), "orphans");
    assert_eq!(sandbox.run(&["restore", STORE]).ok(), "[\n  1\n]");
}

#[test]
fn old_file_stays_when_a_restore_is_interrupted() {
    let sandbox = folder();
    sandbox.create(1, &document(SIZE as usize));
    let new_files = || {
        let paths = fs::read_dir(sandbox.path(".")).expect("a folder").map(|entry| entry.expect("an entry").path());
        paths.filter(|path| name_of(path).starts_with(".minisnap-restore-")).collect::<Vec<_>>()
    };
    let written = || new_files().first().and_then(|path| fs::metadata(path).ok()).map_or(0, |file| file.len());
    retry_until_stopped(|| {
        // Deletes the file of an attempt that was stopped too late.
        new_files().iter().for_each(|path| fs::remove_file(path).expect("a file"));
        sandbox.write("out", "the old file");
        let child = stopped_while_writing(&sandbox, &["restore", STORE, "--output", "out"], written)?;
        send(&child, Signal::SIGINT);
        send(&child, Signal::SIGCONT);
        RunResult::of(child.wait_with_output().expect("the program ends")).is_silent(130);
        assert_eq!(new_files(), [""; 0].map(PathBuf::from), "orphans");
        assert_eq!(fs::read_to_string(sandbox.path("out")).expect("a file"), "the old file");
        Some(())
    });
}

#[test]
fn interrupted_create_ends_while_it_waits_for_input() {
    for sandbox in sandboxes() {
        let mut child = sandbox.start_on_pipes(&["create", STORE, "--seq", "1"]);
        let mut input = child.stdin.take().expect("a pipe");
        // More than the buffer of a pipe, so the program is reading when this returns.
        input.write_all(&vec![b' '; 1 << 20]).expect("the program reads");
        let began = Instant::now();
        send(&child, Signal::SIGINT);
        RunResult::of(child.wait_with_output().expect("the program ends")).is_silent(130);
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        drop(input);
        assert_eq!(sandbox.generations(), [""; 0].map(PathBuf::from));
    }
}

#[test]
fn interrupted_restore_ends_while_its_reader_is_idle() {
    let json = document(32 << 20);
    for sandbox in sandboxes() {
        sandbox.create(1, &json);
        let mut child = start(&sandbox, &["restore", STORE]);
        let output = child.stdout.take().expect("a pipe");
        // The pipe fills up long before the end.
        wait_until("it writes", || has_data(&output));
        send(&child, Signal::SIGTERM);
        RunResult::of(child.wait_with_output().expect("the program ends")).is_silent(143);
        drop(output);
    }
}

/// Whether a pipe has data to read.
fn has_data(pipe: &impl AsFd) -> bool {
    poll(&mut [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO).expect("a pipe") > 0
}
