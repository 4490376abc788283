//! `verify` by a store's owner, when root has created files in the store.

use crate::support::{RunResult, STORE, Sandbox, folder};
use std::{
    fs::{self, Permissions},
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
};

/// An unused user id.
const OTHER: u32 = 61_234;

/// Runs the program as the store's owner. The program is copied to the sandbox, since that user may not read elsewhere.
fn verify_as_owner(sandbox: &Sandbox) -> RunResult {
    let program = sandbox.path("minisnap");
    if !program.exists() {
        fs::copy(env!("CARGO_BIN_EXE_minisnap"), &program).expect("room for the program");
    }
    let mut command = Command::new(&program);
    sandbox.prepare(&mut command);
    command.uid(OTHER).gid(OTHER).args(["verify", &sandbox.store]).stdin(Stdio::null());
    RunResult::of(command.output().expect("this is root"))
}

fn sh(command: &str) {
    assert!(Command::new("sh").args(["-c", command]).status().expect("sh").success(), "{command}");
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("this is root");
}

/// Regression test: `verify` failed without the command, or reported the snapshots as intact.
#[test]
#[ignore = "needs root to run a program as another user: run with --ignored, as .ci/run does"]
fn verify_prints_the_chown_for_files_that_root_created() {
    for (seq, file, mode) in [(2, "", 0o700), (1, "", 0o700), (1, "", 0o755), (2, "snapshot.json", 0o600)] {
        let mut sandbox = folder();
        sandbox.rename("it's a state");
        (1..=2).for_each(|seq| sandbox.create(seq, &format!("[{seq}]")));
        sh(&format!("chown -hR {OTHER} '{}'", sandbox.path(".").display()));
        set_mode(&sandbox.path("."), 0o755);
        let generation = sandbox.json_of(seq).parent().expect("a generation").to_path_buf();
        let hidden = if file.is_empty() { generation } else { generation.join(file) };
        chown(&hidden, Some(0), Some(0)).expect("this is root");
        set_mode(&hidden, mode);
        let result = verify_as_owner(&sandbox);
        assert!(result.stdout.contains("who owns the store, can't use it: it belongs to user 0"), "{result:?}");
        let message = result.fails(1);
        assert_eq!(message.contains("the snapshots are intact"), mode == 0o755, "{message}");
        let command = message.split('`').find(|part| part.starts_with("chown")).expect("a command");
        sh(command);
        verify_as_owner(&sandbox).ok();
    }
    let sandbox = folder();
    sandbox.create(1, "[1]");
    sandbox.run(&["verify", STORE]).ok();
}
