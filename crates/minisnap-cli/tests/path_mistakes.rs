//! A path inside a store, links that became text, and a system that starts no thread.

use crate::support::{self, STORE};
use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::Path,
    process::Command,
};

/// Tab completion leads to such paths.
#[test]
fn commands_name_the_store_when_the_path_is_inside_it() {
    let sandbox = support::folder();
    sandbox.create(1, "[1]");
    let json = sandbox.write("new.json", "[2]");
    let within = format!("{}/snapshots/current", sandbox.store);
    let other = sandbox.path_text("other");
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
        let message = sandbox.run(args).fails(2);
        assert!(
            message.contains(&format!("help: give the path of the store: {}", sandbox.store)),
            "{args:?}: {message}"
        );
    }
    assert_eq!(sandbox.seqs(), [1]);
    assert!(!Path::new(&other).exists());
    sandbox.run(&["verify", STORE]).ok();
}

#[test]
fn commands_print_the_fix_when_links_are_text() {
    for is_record_text in [true, false] {
        let sandbox = support::folder();
        (1..=3).for_each(|seq| sandbox.create(seq, &format!("[{seq}]")));
        let json = sandbox.write("new.json", "[9]");
        let names = ["snapshot.json", "snapshot.seq", "snapshots/current"];
        for name in &names[..if is_record_text { 3 } else { 2 }] {
            replace_by_text(&sandbox.files.join(name));
        }
        let fix = format!("help: `minisnap revert {}` restores the store's links", sandbox.store);
        let create = ["create", STORE, "--seq", "9", &json];
        let accept = ["accept", STORE, "--yes"];
        for args in [&["cat", STORE][..], &["verify", STORE], &["show", STORE], &create, &accept] {
            let message = sandbox.run(args).fails(1);
            assert!(message.contains(&fix), "{args:?}: {message}");
        }
        sandbox.run(&["revert", STORE]).ok();
        sandbox.run(&["verify", STORE]).ok();
        assert_eq!(sandbox.seqs(), [3, 2]);
    }
}

/// Replaces a link by a text file with its target.
fn replace_by_text(path: &Path) {
    let target = fs::read_link(path).expect("a link");
    fs::remove_file(path).expect("permission to delete");
    fs::write(path, target.to_str().expect("text")).expect("a file");
}

/// The same help for both is printed once.
#[test]
fn verify_lists_history_links_that_are_text() {
    let sandbox = support::folder();
    (1..=2).for_each(|seq| sandbox.create(seq, "[]"));
    let current =
        sandbox.files.join("snapshots").join(fs::read_link(sandbox.files.join("snapshots/current")).expect("a link"));
    for name in ["parent", "retained"] {
        replace_by_text(&current.join(name));
    }
    assert_eq!(sandbox.seqs(), [2, 1]);
    let result = sandbox.run(&["verify", STORE]);
    assert_eq!(result.stdout.matches("this is a file with the text of a link").count(), 2, "{result:?}");
    assert_eq!(result.fails(1).matches(&format!("`minisnap revert {}`", sandbox.store)).count(), 1);
}

/// Without care, Tokio would panic, or wait for ever if only some of its threads were started.
#[test]
fn commands_fail_cleanly_when_no_thread_can_be_started() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // A copy that another user may run. `cp` makes it: a process that this one forks at the same time would keep it open
    // for writing.
    let program = folder.path().join("minisnap");
    assert!(Command::new("cp").arg(env!("CARGO_BIN_EXE_minisnap")).arg(&program).status().expect("cp").success());
    for path in [folder.path(), &program] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("permission");
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
                // The limit doesn't apply to root. The user id is unused, so no other processes count.
                command.uid(61_234).gid(61_234);
            }
            let result = support::RunResult::of(command.current_dir("/").output().expect("timeout, of coreutils"));
            assert!(!result.stderr.contains("panicked"), "{result:?}");
            if result.stderr.starts_with("error: cannot start\n") {
                result.fails(2);
                refused += 1;
            } else {
                // The folder is not writable; or no thread could be started to read the file.
                result.fails(if args[0] == "show" { 3 } else { 2 });
            }
        }
    }
    assert!((2..16).contains(&refused), "{refused} of 16 were refused");
    assert!(!store.exists());
}
