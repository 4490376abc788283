//! `minisnap restore --output` preserves the access rights of the replaced file.

use crate::support::{RunResult, STORE, Sandbox, folder};
use rustix::fs::{XattrFlags, getxattr, setxattr};
use std::{
    fs::{self, Permissions},
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
};

const ACL: &str = "system.posix_acl_access";
const DEFAULT_ACL: &str = "system.posix_acl_default";
/// An unused user and group id.
const OTHER: u32 = 61_234;

/// An ACL in the format of the kernel: the owner may read and write, one named user may read, others have no access.
fn acl_for(user: u32) -> Vec<u8> {
    const NO_ID: u32 = u32::MAX;
    let entries: [(u16, u16, u32); 5] =
        [(0x01, 6, NO_ID), (0x02, 4, user), (0x04, 0, NO_ID), (0x10, 4, NO_ID), (0x20, 0, NO_ID)];
    let entry = |(tag, may, id): (u16, u16, u32)| {
        [&tag.to_le_bytes()[..], &may.to_le_bytes()[..], &id.to_le_bytes()[..]].concat()
    };
    [2u32.to_le_bytes().to_vec(), entries.map(entry).concat()].concat()
}

fn attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut buffer = [0; 1024];
    getxattr(path, name, &mut buffer[..]).ok().map(|length| buffer[..length].to_vec())
}

fn set(path: &Path, name: &str, value: &[u8]) {
    setxattr(path, name, value, XattrFlags::empty()).expect("the file system of $TMPDIR has ACLs and attributes");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("permission");
}

/// A store with a snapshot, and an old file `out`.
fn with_old_file() -> (Sandbox, std::path::PathBuf) {
    let sandbox = folder();
    sandbox.create(1, "[1]");
    sandbox.write("out", "the old file");
    let out = sandbox.path("out");
    (sandbox, out)
}

fn restore(sandbox: &Sandbox) {
    sandbox.run(&["restore", STORE, "--output", "out"]).ok();
    assert_eq!(fs::read_to_string(sandbox.path("out")).expect("a file"), "[\n  1\n]");
}

#[test]
fn replaced_file_keeps_its_acl_and_attributes() {
    let (sandbox, out) = with_old_file();
    set(&out, ACL, &acl_for(OTHER));
    set(&out, "user.note", b"ours");
    assert_eq!(mode(&out), 0o640);
    restore(&sandbox);
    assert_eq!(attribute(&out, ACL), Some(acl_for(OTHER)));
    assert_eq!((mode(&out), attribute(&out, "user.note")), (0o640, Some(b"ours".to_vec())));
}

// The default ACL of a folder applies to each new file in it, and so to the replacement.
#[test]
fn replaced_file_gets_no_acl_from_its_folder() {
    let (sandbox, out) = with_old_file();
    set_mode(&out, 0o640);
    set(&sandbox.path("."), DEFAULT_ACL, &acl_for(OTHER));
    restore(&sandbox);
    assert_eq!((attribute(&out, ACL), mode(&out)), (None, 0o640));
    // A file with a new name gets the default ACL like any other file.
    sandbox.write("any new file", "");
    sandbox.run(&["restore", STORE, "--output", "new"]).ok();
    let (new, any) = (sandbox.path("new"), sandbox.path("any new file"));
    assert_eq!((attribute(&new, ACL), mode(&new)), (attribute(&any, ACL), mode(&any)));
    assert!(attribute(&new, ACL).is_some());
}

// Restored content must not run as another user.
#[test]
fn replaced_file_loses_its_setuid_and_setgid_bits() {
    let (sandbox, out) = with_old_file();
    for (before, after) in [(0o6755, 0o755), (0o4600, 0o600), (0o1640, 0o1640), (0o404, 0o404)] {
        set_mode(&out, before);
        restore(&sandbox);
        assert_eq!(mode(&out), after, "after {before:o}");
    }
}

#[test]
#[ignore = "needs root to give files to other users: run with --ignored, as .ci/run does"]
fn replaced_file_keeps_its_owner_when_root_restores() {
    let (sandbox, out) = with_old_file();
    set(&out, ACL, &acl_for(OTHER + 1));
    chown(&out, Some(OTHER), Some(OTHER)).expect("this is root");
    restore(&sandbox);
    let found = fs::metadata(&out).expect("a file");
    assert_eq!((found.uid(), found.gid(), mode(&out)), (OTHER, OTHER, 0o640));
    assert_eq!(attribute(&out, ACL), Some(acl_for(OTHER + 1)));
}

/// Runs the program as another user who may write to the folder. The program is copied there, since that user may not read
/// elsewhere.
fn restore_as_other(sandbox: &Sandbox) -> RunResult {
    let program = sandbox.path("minisnap");
    fs::copy(env!("CARGO_BIN_EXE_minisnap"), &program).expect("room for the program");
    let mut command = Command::new(&program);
    sandbox.prepare(&mut command);
    command.uid(OTHER).gid(OTHER).args(["restore", &sandbox.store, "--output", "out"]).stdin(Stdio::null());
    RunResult::of(command.output().expect("this is root"))
}

#[test]
#[ignore = "needs root to run a program as another user: run with --ignored, as .ci/run does"]
fn restore_is_refused_when_the_owner_cannot_be_preserved() {
    let (sandbox, out) = with_old_file();
    set_mode(&sandbox.path("."), 0o777);
    let count = || fs::read_dir(sandbox.path(".")).expect("a folder").count();
    // A file of another user; then a file of the same user with a group that the user isn't in.
    for (user, group) in [(0, OTHER), (OTHER, 0)] {
        chown(&out, Some(user), Some(group)).expect("this is root");
        set_mode(&out, 0o600);
        let before = (fs::metadata(&out).expect("a file").ino(), count());
        let message = restore_as_other(&sandbox).fails(9);
        let expected = format!("its owner and group (user {user}, group {group}) can't be preserved");
        assert!(message.contains(&expected) && message.contains("nothing was written"), "{message}");
        assert!(message.contains(&format!("`minisnap cat {} > out`", sandbox.store)), "{message}");
        assert_eq!(fs::read_to_string(&out).expect("a file"), "the old file");
        let found = fs::metadata(&out).expect("a file");
        // The program was copied there.
        assert_eq!((found.uid(), found.gid(), mode(&out), found.ino()), (user, group, 0o600, before.0));
        assert_eq!(count() - usize::from(user == 0), before.1, "no other file remains");
    }
    // A file of the same user is replaced.
    chown(&out, Some(OTHER), Some(OTHER)).expect("this is root");
    restore_as_other(&sandbox).ok();
    assert_eq!(fs::metadata(&out).expect("a file").uid(), OTHER);
}
