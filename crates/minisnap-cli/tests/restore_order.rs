//! The order of system calls of `minisnap restore --output`: the old file stays until the new one is complete and durable.

use crate::{
    support::{STORE, document, folder, name_of},
    tracer::{Call, trace},
};
use nix::libc;
use std::{
    cell::RefCell,
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

const OLD_MODE: u32 = 0o640;

#[test]
fn restored_file_is_synced_before_it_is_renamed() {
    let sandbox = folder();
    let json = document(1 << 20);
    sandbox.create(1, &json);
    sandbox.write("out", "the old file");
    let out = sandbox.path("out");
    fs::set_permissions(&out, Permissions::from_mode(OLD_MODE)).expect("permission");
    // A second link to the old file, to detect a write into it.
    fs::hard_link(&out, sandbox.path("old")).expect("a second name");
    let old = inode(&out);
    let scratch = out.parent().expect("a folder").canonicalize().expect("a folder");

    let done = RefCell::new(Vec::new());
    let code = trace(&sandbox, &["restore", STORE, "--output", "out"], |call| {
        if let Some(step) = step_of(call, &scratch) {
            done.borrow_mut().push(step);
        }
        assert_no_wider(&scratch);
        // Independent of the call that changed it.
        let mut done = done.borrow_mut();
        if inode(&out) != old && !done.contains(&Step::Replaced) {
            assert_eq!(
                fs::read_to_string(&out).expect("a file"),
                json,
                "the new file was incomplete when it was renamed"
            );
            done.push(Step::Replaced);
        }
    });

    assert_eq!(code, 0);
    assert_eq!(
        fs::read_to_string(sandbox.path("old")).expect("a file"),
        "the old file",
        "the old file was written in place"
    );
    assert_eq!(fs::read_to_string(&out).expect("a file"), json);
    let done = done.into_inner();
    let last =
        |step: Step| done.iter().rposition(|found| *found == step).unwrap_or_else(|| panic!("no {step:?}: {done:?}"));
    let order = [Step::Written, Step::Synced, Step::Replaced, Step::FolderSynced, Step::Printed].map(last);
    assert!(order.is_sorted(), "{done:?}");
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Bytes were written to a file in the folder.
    Written,
    /// A file in the folder was synced.
    Synced,
    /// The name of the old file leads to another file.
    Replaced,
    FolderSynced,
    /// The result was printed.
    Printed,
}

/// The step of a completed call.
fn step_of(call: &Call, scratch: &Path) -> Option<Step> {
    let is_write = call.is_one_of(&[libc::SYS_write, libc::SYS_pwrite64, libc::SYS_writev, libc::SYS_ftruncate]);
    let is_sync = call.is_one_of(&[libc::SYS_fsync, libc::SYS_fdatasync]);
    if is_write && call.arguments[0] == libc::STDOUT_FILENO as u64 {
        return Some(Step::Printed);
    }
    let path = call.path_of_descriptor()?;
    match (path.parent() == Some(scratch), path == scratch) {
        (true, _) if is_write => Some(Step::Written),
        (true, _) if is_sync => Some(Step::Synced),
        (_, true) if is_sync => Some(Step::FolderSynced),
        _ => None,
    }
}

/// At no time may the new file have a wider mode than the old one.
fn assert_no_wider(scratch: &Path) {
    let paths = fs::read_dir(scratch).expect("a folder").map(|entry| entry.expect("an entry").path());
    let is_new = |path: &PathBuf| name_of(path).starts_with(".minisnap-restore-");
    for new in paths.filter(is_new) {
        let mode = fs::metadata(&new).map_or(0, |found| found.mode() & 0o7777);
        assert_eq!(mode & !OLD_MODE, 0, "{mode:o}");
    }
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).expect("the name is always there").ino()
}
