//! `minisnap restore --output` over a file: who may read it stays as it was.

use crate::kit::{Place, Ran, STORE, folder};
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
/// A user and a group that nobody has.
const OTHER: u32 = 61_234;

/// An ACL as the kernel takes it: the owner may read and write, one named user may read, others nothing.
fn acl_for(user: u32) -> Vec<u8> {
    const NOBODY: u32 = u32::MAX;
    let entries: [(u16, u16, u32); 5] =
        [(0x01, 6, NOBODY), (0x02, 4, user), (0x04, 0, NOBODY), (0x10, 4, NOBODY), (0x20, 0, NOBODY)];
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
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
}

/// A store with a snapshot, and an old file `out`.
fn with_old_file() -> (Place, std::path::PathBuf) {
    let place = folder();
    place.create(1, "[1]");
    place.write("out", "the old one");
    let out = place.path("out");
    (place, out)
}

fn restore(place: &Place) {
    place.run(&["restore", STORE, "--output", "out"]).ok();
    assert_eq!(fs::read_to_string(place.path("out")).expect("a file"), "[\n  1\n]");
}

#[test]
fn a_replaced_file_keeps_its_acl_and_attributes() {
    let (place, out) = with_old_file();
    set(&out, ACL, &acl_for(OTHER));
    set(&out, "user.note", b"ours");
    assert_eq!(mode(&out), 0o640);
    restore(&place);
    assert_eq!(attribute(&out, ACL), Some(acl_for(OTHER)));
    assert_eq!((mode(&out), attribute(&out, "user.note")), (0o640, Some(b"ours".to_vec())));
}

// A folder gives its default ACL to each new file in it, and so to the one that replaces the old one.
#[test]
fn a_replaced_file_gets_no_acl_from_its_folder() {
    let (place, out) = with_old_file();
    set_mode(&out, 0o640);
    set(&place.path("."), DEFAULT_ACL, &acl_for(OTHER));
    restore(&place);
    assert_eq!((attribute(&out, ACL), mode(&out)), (None, 0o640));
    // A file of a new name is like any other there.
    place.write("any new file", "");
    place.run(&["restore", STORE, "--output", "new"]).ok();
    let (new, any) = (place.path("new"), place.path("any new file"));
    assert_eq!((attribute(&new, ACL), mode(&new)), (attribute(&any, ACL), mode(&any)));
    assert!(attribute(&new, ACL).is_some());
}

// New content must not run as another user because the old one did.
#[test]
fn a_replaced_file_loses_its_setuid_and_setgid_bits() {
    let (place, out) = with_old_file();
    for (before, after) in [(0o6755, 0o755), (0o4600, 0o600), (0o1640, 0o1640), (0o404, 0o404)] {
        set_mode(&out, before);
        restore(&place);
        assert_eq!(mode(&out), after, "after {before:o}");
    }
}

#[test]
#[ignore = "needs root to give files to other users: run with --ignored, as .ci/run does"]
fn a_replaced_file_keeps_its_owner_when_root_restores() {
    let (place, out) = with_old_file();
    set(&out, ACL, &acl_for(OTHER + 1));
    chown(&out, Some(OTHER), Some(OTHER)).expect("this is root");
    restore(&place);
    let found = fs::metadata(&out).expect("a file");
    assert_eq!((found.uid(), found.gid(), mode(&out)), (OTHER, OTHER, 0o640));
    assert_eq!(attribute(&out, ACL), Some(acl_for(OTHER + 1)));
}

/// Runs the program as another user, who may write in the folder. It lies there, since that user may not look elsewhere.
fn restore_as_other(place: &Place) -> Ran {
    let program = place.path("minisnap");
    fs::copy(env!("CARGO_BIN_EXE_minisnap"), &program).expect("room for the program");
    let mut command = Command::new(&program);
    place.prepare(&mut command);
    command.uid(OTHER).gid(OTHER).args(["restore", &place.store, "--output", "out"]).stdin(Stdio::null());
    Ran::of(command.output().expect("this is root"))
}

#[test]
#[ignore = "needs root to run a program as another user: run with --ignored, as .ci/run does"]
fn restore_is_refused_when_the_owner_cannot_be_kept() {
    let (place, out) = with_old_file();
    set_mode(&place.path("."), 0o777);
    let left = || fs::read_dir(place.path(".")).expect("a folder").count();
    // Of another user; then of the same user, but of a group that isn't that user's.
    for (user, group) in [(0, OTHER), (OTHER, 0)] {
        chown(&out, Some(user), Some(group)).expect("this is root");
        set_mode(&out, 0o600);
        let before = (fs::metadata(&out).expect("a file").ino(), left());
        let said = restore_as_other(&place).fails(9);
        let expected = format!("its owner and group (user {user}, group {group}) can't be kept");
        assert!(said.contains(&expected) && said.contains("nothing was written"), "{said}");
        assert!(said.contains(&format!("`minisnap cat {} > out`", place.store)), "{said}");
        assert_eq!(fs::read_to_string(&out).expect("a file"), "the old one");
        let found = fs::metadata(&out).expect("a file");
        // The program was copied there.
        assert_eq!((found.uid(), found.gid(), mode(&out), found.ino()), (user, group, 0o600, before.0));
        assert_eq!(left() - usize::from(user == 0), before.1, "nothing is left beside it");
    }
    // What is that user's own is replaced.
    chown(&out, Some(OTHER), Some(OTHER)).expect("this is root");
    restore_as_other(&place).ok();
    assert_eq!(fs::metadata(&out).expect("a file").uid(), OTHER);
}
