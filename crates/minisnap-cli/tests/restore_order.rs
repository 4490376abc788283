//! `minisnap restore --output`, call by call: the old file stays until the new one is complete and durable.

use crate::{
    kit::{STORE, document, folder, name_of},
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
fn a_restored_file_is_synced_before_it_takes_the_name() {
    let place = folder();
    let json = document(1 << 20);
    place.create(1, &json);
    place.write("out", "the old one");
    let out = place.path("out");
    fs::set_permissions(&out, Permissions::from_mode(OLD_MODE)).expect("it is ours");
    // It keeps the old file: what is written into that can be seen here.
    fs::hard_link(&out, place.path("old")).expect("a second name");
    let old = inode(&out);
    let scratch = out.parent().expect("a folder").canonicalize().expect("a folder");

    let done = RefCell::new(Vec::new());
    let code = trace(&place, &["restore", STORE, "--output", "out"], |call| {
        if let Some(step) = step_of(call, &scratch) {
            done.borrow_mut().push(step);
        }
        assert_no_wider(&scratch);
        // Whatever call it was that changed it.
        let mut done = done.borrow_mut();
        if inode(&out) != old && !done.contains(&Step::Replaced) {
            assert_eq!(
                fs::read_to_string(&out).expect("a file"),
                json,
                "another file took the name before it was whole"
            );
            done.push(Step::Replaced);
        }
    });

    assert_eq!(code, 0);
    assert_eq!(fs::read_to_string(place.path("old")).expect("a file"), "the old one", "written in place");
    assert_eq!(fs::read_to_string(&out).expect("a file"), json);
    let done = done.into_inner();
    let last =
        |step: Step| done.iter().rposition(|found| *found == step).unwrap_or_else(|| panic!("no {step:?}: {done:?}"));
    let order = [Step::Written, Step::Synced, Step::Replaced, Step::FolderSynced, Step::Told].map(last);
    assert!(order.is_sorted(), "{done:?}");
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Bytes were written to a file in the folder.
    Written,
    /// Such a file was synced.
    Synced,
    /// The old file's name leads to another file.
    Replaced,
    FolderSynced,
    /// The answer was printed.
    Told,
}

/// What a call that is done was for.
fn step_of(call: &Call, scratch: &Path) -> Option<Step> {
    let is_write = call.is_one_of(&[libc::SYS_write, libc::SYS_pwrite64, libc::SYS_writev, libc::SYS_ftruncate]);
    let is_sync = call.is_one_of(&[libc::SYS_fsync, libc::SYS_fdatasync]);
    if is_write && call.arguments[0] == libc::STDOUT_FILENO as u64 {
        return Some(Step::Told);
    }
    let path = call.path_of_descriptor()?;
    match (path.parent() == Some(scratch), path == scratch) {
        (true, _) if is_write => Some(Step::Written),
        (true, _) if is_sync => Some(Step::Synced),
        (_, true) if is_sync => Some(Step::FolderSynced),
        _ => None,
    }
}

/// Nobody may read the new file who may not read the old one, at any time.
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
