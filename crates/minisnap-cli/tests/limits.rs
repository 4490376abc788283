//! Limits that the program was started with.

use crate::kit::{Place, Ran, STORE, document, folder};
use std::{
    fs,
    process::{Command, Stdio},
};

/// Runs the program in a shell that set a limit before: of the size of its files, in blocks of 512 bytes.
fn run_with_small_files(place: &Place, blocks: u32, args: &[&str]) -> Ran {
    let mut command = Command::new("sh");
    place.prepare(&mut command);
    command.args(["-c", &format!(r#"ulimit -f {blocks} && exec "$0" "$@""#), env!("CARGO_BIN_EXE_minisnap")]);
    command.args(place.args(args)).stdin(Stdio::null());
    Ran::of(command.output().expect("sh"))
}

fn names(place: &Place, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(place.path(folder)).expect("a folder");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect();
    names.sort();
    names
}

// The limit raises SIGXFSZ, which ends a program that doesn't expect it, and so it left its stage behind.
#[test]
fn a_stage_is_removed_when_it_exceeds_the_file_limit() {
    let place = folder();
    place.create(1, "[1]");
    let before = names(&place, "state/snapshots");
    let large = place.write("large.json", document(1 << 20));
    for args in [&["create", STORE, "--seq", "2", &large][..], &["create", "new", "--seq", "2", &large]] {
        let said = run_with_small_files(&place, 100, args).fails(2);
        assert!(said.contains("File too large"), "{said}");
    }
    assert_eq!(names(&place, "state/snapshots"), before);
    assert_eq!(place.run(&["restore", STORE]).ok(), "[\n  1\n]");
    let left = names(&place, "new/snapshots");
    assert!(left.iter().all(|name| !name.starts_with(".stage-") && !name.starts_with('0')), "{left:?}");
    place.run(&["show", "new"]).fails(3);
}

#[test]
fn a_restored_file_stays_old_when_it_exceeds_the_limit() {
    let place = folder();
    place.create(1, &document(1 << 20));
    place.write("out", "the old one");
    let said = run_with_small_files(&place, 100, &["restore", STORE, "--output", "out"]).fails(9);
    assert!(said.contains("File too large"), "{said}");
    assert_eq!(fs::read_to_string(place.path("out")).expect("a file"), "the old one");
    assert_eq!(names(&place, "."), ["out", "state"]);
    // Standard output, where that is a file.
    let out = fs::File::create(place.path("redirected")).expect("a file");
    let mut command = Command::new("sh");
    place.prepare(&mut command);
    command.args(["-c", r#"ulimit -f 100 && exec "$0" "$@""#, env!("CARGO_BIN_EXE_minisnap"), "cat", &place.store]);
    let said = Ran::of(command.stdout(out).output().expect("sh")).fails(9);
    assert!(said.contains("File too large"), "{said}");
}
