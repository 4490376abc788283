//! Whose the journals are that the program writes: those of the program that logs, also when root runs this one.

use crate::kit::{Place, Ran, folder};
use std::{
    fs::{self, Permissions},
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
};

/// A user and a group that nobody has.
const OTHER: u32 = 61_234;

fn access(path: &Path) -> (u32, u32, u32) {
    let found = fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (found.uid(), found.gid(), found.mode() & 0o7777)
}

/// A journal of another user with ten records, in a folder of that user.
fn others_journal(mode: u32) -> Place {
    let place = folder();
    place.run(&["log", "begin", "journal", "--after", "0"]).ok();
    let records: String = (1..=10).map(|record| format!("{record}\n")).collect();
    let journal = place.path("journal");
    let header = fs::read_to_string(&journal).expect("a journal");
    fs::write(&journal, header + &records).expect("room for records");
    fs::set_permissions(&journal, Permissions::from_mode(mode)).expect("it is ours");
    chown(&journal, Some(OTHER), Some(OTHER + 1)).expect("this is root");
    chown(place.path("."), Some(OTHER), Some(OTHER + 2)).expect("this is root");
    place
}

/// Else the program could no longer append, and would fail at its next record.
#[test]
#[ignore = "needs root to give files to other users: run with --ignored, as .ci/run does"]
fn journal_keeps_owner_and_mode_when_root_cuts_it() {
    for mode in [0o600, 0o660, 0o666, 0o640] {
        let place = others_journal(mode);
        let expected = (OTHER, OTHER + 1, mode);
        place.run(&["log", "cut", "journal", "--before", "4"]).ok();
        assert_eq!(access(&place.path("journal")), expected);
        place.run(&["log", "cut", "journal", "--after", "8"]).ok();
        assert_eq!(access(&place.path("journal")), expected);
        assert_eq!(access(&place.path("journal.after-8")), expected, "what is moved out is theirs, too");
        place.run(&["log", "begin", "journal", "--after", "20", "--move-aside"]).ok();
        assert_eq!(access(&place.path("journal")), expected);
        assert_eq!(access(&place.path("journal.after-3")), expected);
    }
}

#[test]
#[ignore = "needs root to give files to other users: run with --ignored, as .ci/run does"]
fn new_journal_is_its_folders_owners_when_root_begins_it() {
    let place = folder();
    chown(place.path("."), Some(OTHER), Some(OTHER + 2)).expect("this is root");
    for name in ["journal", "made/for it/journal"] {
        place.run(&["log", "begin", name, "--after", "7"]).done();
        let (user, group, _) = access(&place.path(name));
        assert_eq!((user, group), (OTHER, OTHER + 2), "{name}");
    }
    let (user, group, _) = access(&place.path("made/for it"));
    assert_eq!((user, group), (OTHER, OTHER + 2), "and so are the folders on the way to it");
}

/// Who may write a journal, and may not give its successor to its owner, would take it away from that owner's program.
#[test]
#[ignore = "needs root to run a program as another user: run with --ignored, as .ci/run does"]
fn cut_is_refused_when_the_owner_cannot_be_kept() {
    let place = others_journal(0o666);
    let (journal, program) = (place.path("journal"), place.path("minisnap"));
    chown(&journal, Some(0), Some(0)).expect("this is root");
    fs::copy(env!("CARGO_BIN_EXE_minisnap"), &program).expect("room for the program");
    let before = (fs::read(&journal).expect("a journal"), fs::read_dir(place.path(".")).expect("a folder").count());
    for cut in [["--before", "4"], ["--after", "8"]] {
        let mut command = Command::new(&program);
        place.prepare(&mut command);
        command.uid(OTHER).gid(OTHER).args(["log", "cut", "journal"]).args(cut).stdin(Stdio::null());
        let said = Ran::of(command.output().expect("this is root")).fails(9);
        assert!(said.contains("set the owner of"), "{said}");
        let after = (fs::read(&journal).expect("a journal"), fs::read_dir(place.path(".")).expect("a folder").count());
        assert_eq!((after == before, access(&journal)), (true, (0, 0, 0o666)), "nothing was written");
    }
}
