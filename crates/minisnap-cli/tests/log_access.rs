//! The owner of journals when root runs the tool: the user of the program that logs.

use crate::support::{RunResult, Sandbox, folder};
use std::{
    fs::{self, Permissions},
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
};

/// An unused user and group id.
const OTHER: u32 = 61_234;

fn access(path: &Path) -> (u32, u32, u32) {
    let found = fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (found.uid(), found.gid(), found.mode() & 0o7777)
}

/// A journal of another user with ten records, in a folder of that user.
fn journal_of_other_user(mode: u32) -> Sandbox {
    let sandbox = folder();
    sandbox.run(&["log", "begin", "journal", "--after", "0"]).ok();
    let records: String = (1..=10).map(|record| format!("{record}\n")).collect();
    let journal = sandbox.path("journal");
    let header = fs::read_to_string(&journal).expect("a journal");
    fs::write(&journal, header + &records).expect("room for records");
    fs::set_permissions(&journal, Permissions::from_mode(mode)).expect("permission");
    chown(&journal, Some(OTHER), Some(OTHER + 1)).expect("this is root");
    chown(sandbox.path("."), Some(OTHER), Some(OTHER + 2)).expect("this is root");
    sandbox
}

/// Otherwise the program could no longer append.
#[test]
#[ignore = "needs root to give files to other users: run with --ignored, as .ci/run does"]
fn journal_keeps_owner_and_mode_when_root_cuts_it() {
    for mode in [0o600, 0o660, 0o666, 0o640] {
        let sandbox = journal_of_other_user(mode);
        let expected = (OTHER, OTHER + 1, mode);
        sandbox.run(&["log", "cut", "journal", "--before", "4"]).ok();
        assert_eq!(access(&sandbox.path("journal")), expected);
        sandbox.run(&["log", "cut", "journal", "--after", "8"]).ok();
        assert_eq!(access(&sandbox.path("journal")), expected);
        assert_eq!(access(&sandbox.path("journal.after-8")), expected, "the moved records have the same owner");
        sandbox.run(&["log", "begin", "journal", "--after", "20", "--move-aside"]).ok();
        assert_eq!(access(&sandbox.path("journal")), expected);
        assert_eq!(access(&sandbox.path("journal.after-3")), expected);
    }
}

#[test]
#[ignore = "needs root to give files to other users: run with --ignored, as .ci/run does"]
fn new_journal_belongs_to_the_folder_owner_when_root_begins() {
    let sandbox = folder();
    chown(sandbox.path("."), Some(OTHER), Some(OTHER + 2)).expect("this is root");
    for name in ["journal", "made/for it/journal"] {
        sandbox.run(&["log", "begin", name, "--after", "7"]).succeeds();
        let (user, group, _) = access(&sandbox.path(name));
        assert_eq!((user, group), (OTHER, OTHER + 2), "{name}");
    }
    let (user, group, _) = access(&sandbox.path("made/for it"));
    assert_eq!((user, group), (OTHER, OTHER + 2), "the new parent folders, too");
}

/// Otherwise the owner's program could no longer append.
#[test]
#[ignore = "needs root to run a program as another user: run with --ignored, as .ci/run does"]
fn cut_is_refused_when_the_owner_cannot_be_preserved() {
    let sandbox = journal_of_other_user(0o666);
    let (journal, program) = (sandbox.path("journal"), sandbox.path("minisnap"));
    chown(&journal, Some(0), Some(0)).expect("this is root");
    fs::copy(env!("CARGO_BIN_EXE_minisnap"), &program).expect("room for the program");
    let before = (fs::read(&journal).expect("a journal"), fs::read_dir(sandbox.path(".")).expect("a folder").count());
    for cut in [["--before", "4"], ["--after", "8"]] {
        let mut command = Command::new(&program);
        sandbox.prepare(&mut command);
        command.uid(OTHER).gid(OTHER).args(["log", "cut", "journal"]).args(cut).stdin(Stdio::null());
        let message = RunResult::of(command.output().expect("this is root")).fails(9);
        assert!(message.contains("set the owner of"), "{message}");
        let after =
            (fs::read(&journal).expect("a journal"), fs::read_dir(sandbox.path(".")).expect("a folder").count());
        assert_eq!((after == before, access(&journal)), (true, (0, 0, 0o666)), "nothing was written");
    }
}
