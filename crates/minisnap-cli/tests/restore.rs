//! `minisnap restore` and `minisnap cat`.

use crate::support::{RunResult, STORE, Sandbox, document, folder, sandboxes};
use std::{
    fs,
    io::Read,
    os::unix::fs::{PermissionsExt, symlink},
    process::Stdio,
};

fn with_three(sandbox: &Sandbox) {
    for (seq, retain) in [("10", "3"), ("30", "3"), ("20", "3")] {
        sandbox.run_with_input(&["create", STORE, "--seq", seq, "--retain", retain], format!("[{seq}]")).succeeds();
    }
}

#[test]
fn at_restores_the_latest_commit_below_a_missing_seq() {
    for sandbox in sandboxes() {
        with_three(&sandbox);
        for (at, expected) in [("20", "20"), ("29", "20"), ("99", "20"), ("19", "10"), ("10", "10")] {
            for command in ["restore", "cat"] {
                assert_eq!(sandbox.run(&[command, STORE, "--at", at]).ok(), format!("[\n  {expected}\n]"), "{at}");
            }
        }
        assert_eq!(sandbox.run(&["restore", STORE]).ok(), "[\n  20\n]");
        assert_eq!(sandbox.run(&["cat", STORE]).ok(), "[\n  20\n]", "on a pipe, only the bytes");
        let message = sandbox.run(&["restore", STORE, "--at", "9"]).fails(3);
        assert!(message.contains("at most 9; retained are: seq 20 (0"), "{message}");
        assert!(message.find("seq 30 (") < message.find("seq 10 ("), "newest first: {message}");
    }
}

#[test]
fn restore_replaces_a_file_atomically() {
    for sandbox in sandboxes() {
        with_three(&sandbox);
        let message = sandbox.run(&["restore", STORE, "--output", "out.json", "--at", "10"]).ok();
        assert_eq!(message, "restored seq 10 (8 B) to out.json\n");
        assert_eq!(fs::read(sandbox.path("out.json")).expect("a file"), b"[\n  10\n]");
        // An existing file is replaced, and its permissions are preserved. A link still leads to it.
        fs::set_permissions(sandbox.path("out.json"), fs::Permissions::from_mode(0o666)).expect("permissions");
        symlink("out.json", sandbox.path("link")).expect("a link");
        sandbox.run(&["restore", STORE, "--output", "link"]).ok();
        assert!(sandbox.path("link").is_symlink());
        let out = fs::metadata(sandbox.path("out.json")).expect("a file");
        assert_eq!(
            (fs::read(sandbox.path("link")).expect("a file"), out.permissions().mode() & 0o777),
            (b"[\n  20\n]".to_vec(), 0o666)
        );

        for (output, why) in [("no/such/folder", "No such file or directory"), (".", "directory")] {
            let message = sandbox.run(&["restore", STORE, "--output", output]).fails(9);
            assert!(message.contains(output) && message.contains(why), "{message}");
        }
        let mut left: Vec<_> = fs::read_dir(sandbox.path("."))
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        left.sort();
        left.retain(|name| name != "state");
        assert_eq!(left, ["link", "out.json"], "no other file remains");
    }
}

#[test]
fn new_file_has_default_permissions() {
    let sandbox = folder();
    sandbox.create(1, "1");
    sandbox.write("any new file", "");
    sandbox.run(&["restore", STORE, "-o", "out"]).ok();
    let mode = |name: &str| fs::metadata(sandbox.path(name)).expect("a file").permissions().mode();
    assert_eq!(mode("out"), mode("any new file"));
}

#[test]
fn restore_writes_into_a_pipe_without_replacing_it() {
    let sandbox = folder();
    sandbox.create(1, "1");
    let pipe = sandbox.path("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a named pipe");
    let child = sandbox
        .command(&["restore", STORE, "-o", "pipe"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    assert_eq!(fs::read(&pipe).expect("a pipe that is written to"), b"1");
    RunResult::of(child.wait_with_output().expect("the program ends")).ok();
    assert!(!fs::symlink_metadata(&pipe).expect("the pipe").is_file());
}

#[test]
fn closed_output_ends_the_command_without_a_message() {
    let json = document(4 << 20);
    for sandbox in sandboxes() {
        sandbox.create(1, &json);
        for command in ["restore", "cat"] {
            let mut child = sandbox
                .command(&[command, STORE])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the program starts");
            let mut output = child.stdout.take().expect("a pipe");
            output.read_exact(&mut [0; 10]).expect("a beginning");
            drop(output);
            let result = RunResult::of(child.wait_with_output().expect("the program ends"));
            assert_eq!((result.code, result.stderr.as_str()), (Some(141), ""), "{command}");
        }
    }
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let sandbox = folder();
    sandbox.create(1, "1");
    for command in ["restore", "cat", "show", "history", "verify", "man"] {
        let args: &[&str] = if command == "man" { &["man"] } else { &[command, STORE] };
        let message = sandbox.run_onto_full_output(args).fails(9);
        assert!(message.contains("standard output\ncause: No space left"), "{command}: {message}");
    }
}
