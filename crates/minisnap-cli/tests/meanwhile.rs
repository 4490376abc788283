use crate::kit::{Place, Ran};
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
pub(crate) fn start(place: &Place, args: &[&str]) -> Child {
    spawn(place, args, Stdio::null())
}

/// Starts the program, which may ask something.
pub(crate) fn start_asking(place: &Place, args: &[&str]) -> Child {
    spawn(place, args, Stdio::piped())
}

fn spawn(place: &Place, args: &[&str], stdin: Stdio) -> Child {
    let mut command = place.command(args);
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
}

pub(crate) fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().try_into().expect("a process id")), signal).expect("it runs");
}

/// Waits until something is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited too long until {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Runs the program, and when its upload in parts has begun, stops it until `act` is done.
pub(crate) fn it_uploads(server: &S3Server, place: &Place, args: &[&str], act: impl FnOnce()) -> Ran {
    let parts = || fs::read_dir(server.parts_folder()).expect("a folder").count();
    let before = parts();
    let child = start(place, args);
    wait_until("a part has arrived", || parts() > before);
    send(&child, Signal::SIGSTOP);
    act();
    send(&child, Signal::SIGCONT);
    Ran::of(child.wait_with_output().expect("it ends"))
}
