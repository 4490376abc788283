//! A disk with too few free pages or inodes for an operation. The error has `ENOSPC`, and the old state is unchanged, no matter
//! which call fails.

use super::{operations::Operation, recovery_checks, tmpfs::Tmpfs};
use crate::child_process;
use std::{collections::BTreeMap, fs, path::PathBuf};

#[tokio::test]
#[ignore = "needs root to mount a tmpfs: run with --ignored, as .ci/run does"]
async fn operations_are_atomic_when_only_some_pages_are_free() {
    if child_process::run_in_child(operations_are_atomic_when_only_some_pages_are_free) {
        return;
    }
    let disk = Tmpfs::with_size(1024);
    for operation in Operation::ALL.into_iter().filter(|operation| !matches!(operation, Operation::Owned)) {
        with_limited_space(6, operation, &disk, |pages| disk.fill_but_pages(pages as u64)).await;
    }
}

#[tokio::test]
#[ignore = "needs root to mount a tmpfs: run with --ignored, as .ci/run does"]
async fn large_create_is_atomic_when_only_some_pages_are_free() {
    if child_process::run_in_child(large_create_is_atomic_when_only_some_pages_are_free) {
        return;
    }
    // The state needs about 270 pages.
    let disk = Tmpfs::with_size(4096);
    with_limited_space(12, Operation::Owned, &disk, |parts| disk.fill_but_pages(parts as u64 * 30)).await;
}

#[tokio::test]
#[ignore = "needs root to mount a tmpfs: run with --ignored, as .ci/run does"]
async fn operations_are_atomic_when_only_some_inodes_are_free() {
    if child_process::run_in_child(operations_are_atomic_when_only_some_inodes_are_free) {
        return;
    }
    let disk = Tmpfs::with_inodes(128);
    for operation in Operation::ALL {
        with_limited_space(24, operation, &disk, |inodes| disk.fill_but_inodes(inodes)).await;
    }
}

/// Runs the operation with no free space, with space for one unit, and so on up to `most` units, which are enough. `fill`
/// leaves this number of units free, and returns the path to remove afterwards.
async fn with_limited_space(most: usize, operation: Operation, disk: &Tmpfs, fill: impl Fn(usize) -> PathBuf) {
    let root = disk.path().join("root");
    let (mut refused, mut done) = (BTreeMap::<_, usize>::new(), 0);
    for space in 0..=most {
        fs::create_dir(&root).expect("a folder");
        let dir = operation.prepare(&root).await;
        let filler = fill(space);
        let result = operation.perform(&dir).await;
        let states = operation.states();
        // Revert has two steps: the second one restores the link.
        let allowed = match &result {
            Ok(()) => &states[states.len() - 1..],
            Err(error) => {
                assert_eq!(done, 0, "{operation:?} succeeded with less space than {space}");
                *refused.entry(recovery_checks::assert_error(error, libc::ENOSPC, &root)).or_default() += 1;
                if operation.moved_aside().is_some() { &states[..2] } else { &states[..1] }
            }
        };
        recovery_checks::assert_one_of(allowed, &dir).await;
        if filler.is_dir() { fs::remove_dir_all(filler) } else { fs::remove_file(filler) }.expect("a removal");
        recovery_checks::assert_one_of(allowed, &dir).await;
        recovery_checks::check_continues(operation, &dir).await;
        fs::remove_dir_all(&root).expect("a removal");
        done += usize::from(result.is_ok());
    }
    child_process::print(format!(
        "{operation:?}: with increasing space, it failed at {refused:?}, and then succeeded {done} times"
    ));
    assert!(done > 0, "{operation:?} needs more space than {most}");
}
