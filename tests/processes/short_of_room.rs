//! A disk with room for the first so many pages or files that a writer needs, and for no more: whichever it is that finds
//! no room, the error says so, and what was there before is untouched.

use super::{deeds::Deed, found, mounts::Disk};
use crate::peers;
use std::{collections::BTreeMap, fs, path::PathBuf};

#[tokio::test]
#[ignore = "needs root to mount a tmpfs: run with --ignored, as .ci/run does"]
async fn with_room_for_some_pages_each_deed_is_done_or_leaves_what_was_there() {
    if peers::did_it_alone(with_room_for_some_pages_each_deed_is_done_or_leaves_what_was_there) {
        return;
    }
    let disk = Disk::with_room(1024);
    for deed in Deed::ALL.into_iter().filter(|deed| !matches!(deed, Deed::Owned)) {
        with_room_for_some(6, deed, &disk, |pages| disk.fill_but_pages(pages as u64)).await;
    }
}

#[tokio::test]
#[ignore = "needs root to mount a tmpfs: run with --ignored, as .ci/run does"]
async fn with_room_for_parts_of_a_big_state_it_is_published_or_leaves_what_was_there() {
    if peers::did_it_alone(with_room_for_parts_of_a_big_state_it_is_published_or_leaves_what_was_there) {
        return;
    }
    // It takes about 270 pages.
    let disk = Disk::with_room(4096);
    with_room_for_some(12, Deed::Owned, &disk, |parts| disk.fill_but_pages(parts as u64 * 30)).await;
}

#[tokio::test]
#[ignore = "needs root to mount a tmpfs: run with --ignored, as .ci/run does"]
async fn with_room_for_some_files_each_deed_is_done_or_leaves_what_was_there() {
    if peers::did_it_alone(with_room_for_some_files_each_deed_is_done_or_leaves_what_was_there) {
        return;
    }
    let disk = Disk::with_inodes(128);
    for deed in Deed::ALL {
        with_room_for_some(24, deed, &disk, |inodes| disk.fill_but_inodes(inodes)).await;
    }
}

/// Does the deed with room for nothing, for one thing, and so on up to `most`, which is room enough. `fill` leaves so much,
/// and returns what to remove again.
async fn with_room_for_some(most: usize, deed: Deed, disk: &Disk, fill: impl Fn(usize) -> PathBuf) {
    let root = disk.path().join("root");
    let (mut refused, mut done) = (BTreeMap::<_, usize>::new(), 0);
    for room in 0..=most {
        fs::create_dir(&root).expect("a folder");
        let dir = deed.prepare(&root).await;
        let ballast = fill(room);
        let result = deed.perform(&dir).await;
        let states = deed.states();
        // Moving aside is two steps, and the second is the link.
        let allowed = match &result {
            Ok(()) => &states[states.len() - 1..],
            Err(error) => {
                assert_eq!(done, 0, "{deed:?} was done with less room than {room}");
                *refused.entry(found::assert_error(error, libc::ENOSPC, &root)).or_default() += 1;
                if deed.aside().is_some() { &states[..2] } else { &states[..1] }
            }
        };
        found::one_of(allowed, &dir).await;
        if ballast.is_dir() { fs::remove_dir_all(ballast) } else { fs::remove_file(ballast) }.expect("it to go");
        found::one_of(allowed, &dir).await;
        found::go_on(deed, &dir).await;
        fs::remove_dir_all(&root).expect("it to go");
        done += usize::from(result.is_ok());
    }
    peers::print(format!("{deed:?}: with ever more room, it failed at {refused:?}, and was then done {done} times"));
    assert!(done > 0, "{deed:?} needs more room than {most}");
}
