//! Resource limits of the process.

use crate::support::{RunResult, STORE, Sandbox, document, folder};
use std::{
    fs,
    process::{Command, Stdio},
};

/// Runs the program with a limit of the size of its files, in blocks of 512 bytes.
fn run_with_small_files(sandbox: &Sandbox, blocks: u32, args: &[&str]) -> RunResult {
    let mut command = Command::new("sh");
    sandbox.prepare(&mut command);
    command.args(["-c", &format!(r#"ulimit -f {blocks} && exec "$0" "$@""#), env!("CARGO_BIN_EXE_minisnap")]);
    command.args(sandbox.args(args)).stdin(Stdio::null());
    RunResult::of(command.output().expect("sh"))
}

fn names(sandbox: &Sandbox, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(sandbox.path(folder)).expect("a folder");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect();
    names.sort();
    names
}

// The limit raises SIGXFSZ. Its default action would end the program, and leave the stage as an orphan.
#[test]
fn stage_is_deleted_when_it_exceeds_the_file_size_limit() {
    let sandbox = folder();
    sandbox.create(1, "[1]");
    let before = names(&sandbox, "state/snapshots");
    let large = sandbox.write("large.json", document(1 << 20));
    for args in [&["create", STORE, "--seq", "2", &large][..], &["create", "new", "--seq", "2", &large]] {
        let message = run_with_small_files(&sandbox, 100, args).fails(2);
        assert!(message.contains("File too large") && message.contains("`ulimit -f`"), "{message}");
    }
    assert_eq!(names(&sandbox, "state/snapshots"), before);
    assert_eq!(sandbox.run(&["restore", STORE]).ok(), "[\n  1\n]");
    let remaining = names(&sandbox, "new/snapshots");
    assert!(remaining.iter().all(|name| !name.starts_with(".stage-") && !name.starts_with('0')), "{remaining:?}");
    sandbox.run(&["show", "new"]).fails(3);
}

#[test]
fn restore_keeps_the_old_file_when_the_limit_is_exceeded() {
    let sandbox = folder();
    sandbox.create(1, &document(1 << 20));
    sandbox.write("out", "the old file");
    let message = run_with_small_files(&sandbox, 100, &["restore", STORE, "--output", "out"]).fails(9);
    assert!(message.contains("File too large"), "{message}");
    assert_eq!(fs::read_to_string(sandbox.path("out")).expect("a file"), "the old file");
    assert_eq!(names(&sandbox, "."), ["out", "state"]);
    // Standard output that is redirected to a file.
    let out = fs::File::create(sandbox.path("redirected")).expect("a file");
    let mut command = Command::new("sh");
    sandbox.prepare(&mut command);
    command.args(["-c", r#"ulimit -f 100 && exec "$0" "$@""#, env!("CARGO_BIN_EXE_minisnap"), "cat", &sandbox.store]);
    let message = RunResult::of(command.stdout(out).output().expect("sh")).fails(9);
    assert!(message.contains("File too large"), "{message}");
}
