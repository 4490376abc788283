//! Ctrl-C, SIGTERM, SIGQUIT and SIGXCPU: the old snapshot stays, and nothing is left behind.

use crate::kit::{Place, Ran, STORE, document, folder, name_of, places, s3_on};
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

fn start(place: &Place, args: &[&str]) -> Child {
    // As at a terminal, also where these tests were started in the background.
    let mut command = Command::new("env");
    place.prepare(&mut command);
    command.args(["--default-signal=QUIT,XCPU", env!("CARGO_BIN_EXE_minisnap")]).args(place.args(args));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
}

fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().try_into().expect("a process id")), signal).expect("it runs");
}

/// Waits until something is so.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited too long until {what}");
        thread::sleep(Duration::from_micros(200));
    }
}

/// Large enough to be stopped in the middle of writing it.
const SIZE: u64 = 96 << 20;

/// Starts the program and holds it still in the middle of writing, by how much `written` says is there. `None` if the
/// machine was so busy that it was over by then.
fn stopped_in_the_middle(place: &Place, args: &[&str], written: impl Fn() -> u64) -> Option<Child> {
    let mut child = start(place, args);
    wait_until("something is written", || written() > 0 || child.try_wait().expect("a child").is_some());
    if child.try_wait().expect("a child").is_some() {
        return None;
    }
    send(&child, Signal::SIGSTOP);
    if (1..SIZE * 9 / 10).contains(&written()) {
        return Some(child);
    }
    child.kill().expect("a child");
    child.wait().expect("it ends");
    None
}

/// Tries until it was stopped in the middle.
fn until_it_was_in_the_middle(attempt: impl Fn() -> Option<()>) {
    (0..20).find_map(|_| attempt()).expect("it was never stopped in the middle");
}

#[test]
fn in_the_middle_of_writing_to_a_folder_the_stage_is_removed() {
    for (signal, code) in
        [(Signal::SIGINT, 130), (Signal::SIGTERM, 143), (Signal::SIGQUIT, 131), (Signal::SIGXCPU, 152)]
    {
        until_it_was_in_the_middle(|| {
            let place = folder();
            place.create(1, "[1]");
            let before = (place.generations(), fs::read_link(place.files.join("snapshots/current")).expect("a link"));
            let file = place.write("large.json", document(SIZE as usize));
            let staged = || {
                let is_stage = |folder: &PathBuf| name_of(folder).starts_with(".stage-");
                let json = place.generations().into_iter().find(is_stage)?.join("snapshot.json");
                Some(fs::metadata(json).ok()?.len())
            };
            let written = || staged().unwrap_or(0);
            let child = stopped_in_the_middle(&place, &["create", STORE, "--seq", "2", &file], written)?;
            send(&child, signal);
            send(&child, Signal::SIGCONT);
            let said = Ran::of(child.wait_with_output().expect("it ends")).fails(code);
            assert!(said.contains("interrupted: what is current is the old snapshot"), "{said}");
            assert_eq!(place.run(&["restore", STORE]).ok(), "[\n  1\n]");
            let after = (place.generations(), fs::read_link(place.files.join("snapshots/current")).expect("a link"));
            assert_eq!(after, before, "debris");
            Some(())
        });
    }
}

#[test]
fn in_the_middle_of_an_upload_the_parts_are_removed() {
    // Slow enough that it is not over when the first part has arrived.
    let server = S3Server::start_with_latency(Conditions::Atomic, Duration::from_millis(200));
    let place = s3_on(&server);
    place.create(1, "[1]");
    let before = place.generations();
    let parts = || {
        let files = fs::read_dir(server.parts_folder()).expect("a folder").map(|entry| entry.expect("an entry").path());
        files.filter(|path| name_of(path).contains("upload")).collect::<Vec<_>>()
    };
    let none = parts();
    let file = place.write("large.json", document(64 << 20));
    let slowly = ["--option", "part_size=5242880", "--option", "parts_in_flight=1"];
    let child = start(&place, &[&["create", STORE, "--seq", "2", &file], &slowly[..]].concat());
    wait_until("a part has arrived", || parts().len() > none.len());
    send(&child, Signal::SIGINT);
    let said = Ran::of(child.wait_with_output().expect("it ends")).fails(130);
    assert!(said.contains(&format!("`minisnap show {} ", place.store)), "{said}");
    assert_eq!((parts(), place.generations()), (none, before), "debris");
    assert_eq!(place.run(&["restore", STORE]).ok(), "[\n  1\n]");
}

#[test]
fn in_the_middle_of_restoring_to_a_file_the_old_file_stays() {
    let place = folder();
    place.create(1, &document(SIZE as usize));
    let beside = || {
        let paths = fs::read_dir(place.path(".")).expect("a folder").map(|entry| entry.expect("an entry").path());
        paths.filter(|path| name_of(path).starts_with(".minisnap-restore-")).collect::<Vec<_>>()
    };
    let written = || beside().first().and_then(|path| fs::metadata(path).ok()).map_or(0, |file| file.len());
    until_it_was_in_the_middle(|| {
        // Of one that was stopped too late.
        beside().iter().for_each(|path| fs::remove_file(path).expect("a file"));
        place.write("out", "the old one");
        let child = stopped_in_the_middle(&place, &["restore", STORE, "--output", "out"], written)?;
        send(&child, Signal::SIGINT);
        send(&child, Signal::SIGCONT);
        Ran::of(child.wait_with_output().expect("it ends")).is_silent(130);
        assert_eq!(beside(), [""; 0].map(PathBuf::from), "debris");
        assert_eq!(fs::read_to_string(place.path("out")).expect("a file"), "the old one");
        Some(())
    });
}

#[test]
fn while_it_waits_for_its_input_it_ends_at_once() {
    for place in places() {
        let mut command = place.command(&["create", STORE, "--seq", "1"]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut input = child.stdin.take().expect("a pipe");
        // More than a pipe holds: once that is through, it certainly reads.
        input.write_all(&vec![b' '; 1 << 20]).expect("it reads");
        let began = Instant::now();
        send(&child, Signal::SIGINT);
        Ran::of(child.wait_with_output().expect("it ends")).is_silent(130);
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        drop(input);
        assert_eq!(place.generations(), [""; 0].map(PathBuf::from));
    }
}

#[test]
fn while_whoever_reads_its_output_sleeps_it_ends_at_once() {
    let json = document(32 << 20);
    for place in places() {
        place.create(1, &json);
        let mut child = start(&place, &["restore", STORE]);
        let output = child.stdout.take().expect("a pipe");
        // The pipe is full long before the end.
        wait_until("it writes", || has_something(&output));
        send(&child, Signal::SIGTERM);
        Ran::of(child.wait_with_output().expect("it ends")).is_silent(143);
        drop(output);
    }
}

/// Whether something waits in a pipe.
fn has_something(pipe: &impl AsFd) -> bool {
    poll(&mut [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO).expect("a pipe") > 0
}
