//! A wrong path, lost links, and a machine without room for a thread.

use crate::kit::{self, STORE};
use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::Path,
    process::Command,
};

/// `minisnap create n --seq 1`, then tab completion.
#[test]
fn each_command_names_the_store_when_the_path_is_inside_it() {
    let place = kit::folder();
    place.create(1, "[1]");
    let json = place.write("new.json", "[2]");
    let within = format!("{}/snapshots/current", place.store);
    let other = place.path_text("other");
    for args in [
        &["create", &within, "--seq", "2", &json][..],
        &["show", &within],
        &["cat", &within],
        &["restore", &within],
        &["history", &within],
        &["verify", &within],
        &["rollback", &within, "--to", "1"],
        &["accept", &within, "--yes"],
        &["revert", &within],
        &["diff", &within, "1"],
        &["copy", STORE, &within],
        &["copy", &within, &other],
        &["watch", &within],
    ] {
        let said = place.run(args).fails(2);
        assert!(said.contains(&format!("help: did you mean {}?", place.store)), "{args:?}: {said}");
    }
    assert_eq!(place.seqs(), [1]);
    assert!(!Path::new(&other).exists());
    place.run(&["verify", STORE]).ok();
}

#[test]
fn each_command_prints_the_remedy_when_links_are_text() {
    for is_record_text in [true, false] {
        let place = kit::folder();
        (1..=3).for_each(|seq| place.create(seq, &format!("[{seq}]")));
        let json = place.write("new.json", "[9]");
        let names = ["snapshot.json", "snapshot.seq", "snapshots/current"];
        for name in &names[..if is_record_text { 3 } else { 2 }] {
            make_text(&place.files.join(name));
        }
        let remedy = format!("help: `minisnap revert {}` puts the store's links back", place.store);
        let create = ["create", STORE, "--seq", "9", &json];
        let accept = ["accept", STORE, "--yes"];
        for args in [&["cat", STORE][..], &["verify", STORE], &["show", STORE], &create, &accept] {
            let said = place.run(args).fails(1);
            assert!(said.contains(&remedy), "{args:?}: {said}");
        }
        place.run(&["revert", STORE]).ok();
        place.run(&["verify", STORE]).ok();
        assert_eq!(place.seqs(), [3, 2]);
    }
}

/// Makes a file of a link, with its text.
fn make_text(path: &Path) {
    let target = fs::read_link(path).expect("a link");
    fs::remove_file(path).expect("the link to go");
    fs::write(path, target.to_str().expect("text")).expect("a file");
}

/// The same advice for both is given once.
#[test]
fn verify_says_which_links_of_the_history_are_text() {
    let place = kit::folder();
    (1..=2).for_each(|seq| place.create(seq, "[]"));
    let current =
        place.files.join("snapshots").join(fs::read_link(place.files.join("snapshots/current")).expect("a link"));
    for name in ["parent", "retained"] {
        make_text(&current.join(name));
    }
    assert_eq!(place.seqs(), [2, 1]);
    let ran = place.run(&["verify", STORE]);
    assert_eq!(ran.stdout.matches("this is a file with the text of a link").count(), 2, "{ran:?}");
    assert_eq!(ran.fails(1).matches(&format!("`minisnap revert {}`", place.store)).count(), 1);
}

/// Which ends with a panic of Tokio's, or waits for ever if only some of its threads were started.
#[test]
fn command_says_so_when_no_thread_can_be_started() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // A copy, which another user may run. By another process: one forked meanwhile would hold it open for writing.
    let program = folder.path().join("minisnap");
    assert!(Command::new("cp").arg(env!("CARGO_BIN_EXE_minisnap")).arg(&program).status().expect("cp").success());
    for path in [folder.path(), &program] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("to set permissions");
    }
    let is_root = folder.path().metadata().expect("the folder").uid() == 0;
    let json = folder.path().join("new.json");
    fs::write(&json, "[1]").expect("a file");
    let store = folder.path().join("state");
    let mut refused = 0;
    for threads in 1..=8 {
        for args in [&["show"][..], &["create", "--seq", "1"]] {
            let mut command = Command::new("timeout");
            command.args(["20", "prlimit", &format!("--nproc={threads}")]).arg(&program).args(args).arg(&store);
            if args[0] == "create" {
                command.arg(&json);
            }
            if is_root {
                // Root may start as many as it likes. A number that is nobody's, so that nobody else's processes count.
                command.uid(61_234).gid(61_234);
            }
            let ran = kit::Ran::of(command.current_dir("/").output().expect("timeout, of coreutils"));
            assert!(!ran.stderr.contains("panicked"), "{ran:?}");
            if ran.stderr.starts_with("error: cannot start\n") {
                ran.fails(2);
                refused += 1;
            } else {
                // The folder may not be written to; nor is there a thread to read the file, where one is missing.
                ran.fails(if args[0] == "show" { 3 } else { 2 });
            }
        }
    }
    assert!((2..16).contains(&refused), "{refused} of 16 were refused");
    assert!(!store.exists());
}
