//! What `verify` says to a store's owner of what root made there.

use crate::kit::{Place, Ran, STORE, folder};
use std::{
    fs::{self, Permissions},
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
};

/// A user that nobody is.
const OTHER: u32 = 61_234;

/// Runs the program as the store's owner. It lies beside the store, since that user may not look elsewhere.
fn verify_as_owner(place: &Place) -> Ran {
    let program = place.path("minisnap");
    if !program.exists() {
        fs::copy(env!("CARGO_BIN_EXE_minisnap"), &program).expect("room for the program");
    }
    let mut command = Command::new(&program);
    place.prepare(&mut command);
    command.uid(OTHER).gid(OTHER).args(["verify", &place.store]).stdin(Stdio::null());
    Ran::of(command.output().expect("this is root"))
}

fn sh(command: &str) {
    assert!(Command::new("sh").args(["-c", command]).status().expect("sh").success(), "{command}");
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("this is root");
}

/// It used to end with an error of the history, without the command; or the snapshots were called intact.
#[test]
#[ignore = "needs root to run a program as another user: run with --ignored, as .ci/run does"]
fn owner_is_told_the_command_when_root_made_it_unreadable() {
    for (seq, file, mode) in [(2, "", 0o700), (1, "", 0o700), (1, "", 0o755), (2, "snapshot.json", 0o600)] {
        let mut place = folder();
        place.rename("it's a state");
        (1..=2).for_each(|seq| place.create(seq, &format!("[{seq}]")));
        sh(&format!("chown -hR {OTHER} '{}'", place.path(".").display()));
        set_mode(&place.path("."), 0o755);
        let generation = place.json_of(seq).parent().expect("a generation").to_path_buf();
        let hidden = if file.is_empty() { generation } else { generation.join(file) };
        chown(&hidden, Some(0), Some(0)).expect("this is root");
        set_mode(&hidden, mode);
        let ran = verify_as_owner(&place);
        assert!(ran.stdout.contains("who owns the store, can't use it: it belongs to user 0"), "{ran:?}");
        let said = ran.fails(1);
        assert_eq!(said.contains("the snapshots are intact"), mode == 0o755, "{said}");
        let command = said.split('`').find(|part| part.starts_with("chown")).expect("a command");
        sh(command);
        verify_as_owner(&place).ok();
    }
    let place = folder();
    place.create(1, "[1]");
    place.run(&["verify", STORE]).ok();
}
