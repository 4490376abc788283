//! How often a create waits for the disk, one wait after the other: what it costs on a slow disk, told on a fast one.
//!
//! A disk makes what several threads sync at once durable in about the time of one. So each thread that begins a sync is held
//! there, until nothing happens any more: all that go on side by side are held then, and let go together, as one round.

use super::{
    calls::{folder_with_three, play},
    tracer::{self, Call, Stop, Tracer},
};
use crate::peers;
use minisnap::SnapStore;
use std::{mem, time::Duration};

/// One before the commit record is replaced, one after.
const ROUNDS: usize = 2;
/// For so long nothing happens before a round is over. On a machine that is too busy for that, more rounds are counted than
/// there are, and never less; then it is counted again.
const QUIET: Duration = Duration::from_millis(400);
const TRIES: usize = 5;

#[test]
fn a_create_waits_for_the_disk_twice() {
    if let Some(job) = peers::job() {
        return play(&job, |dir, runtime| {
            runtime.block_on(SnapStore::new(dir).create("state 4", 4)).expect("a snapshot");
        });
    }
    let mut counts = Vec::new();
    while !counts.contains(&ROUNDS) {
        assert!(counts.len() < TRIES, "{counts:?} rounds of syncs, and never {ROUNDS}");
        let folder = folder_with_three();
        let mut peer = peers::of(a_create_waits_for_the_disk_twice).dir(folder.path()).start();
        assert_eq!(peer.hear(), "ready");
        counts.push(tracer::trace(&mut peer, count_rounds));
        peer.kill();
    }
    assert!(counts.iter().all(|rounds| *rounds >= ROUNDS), "{counts:?} rounds: what is skipped?");
}

fn count_rounds(mut tracer: Tracer<'_>) -> usize {
    tracer.tell_to_go();
    let (mut rounds, mut held, mut answering) = (0, Vec::new(), None);
    loop {
        match tracer.next_within(QUIET) {
            Some((thread, Stop::Beginning(call))) if is_sync(&call) => held.push(thread),
            Some((thread, Stop::Beginning(call))) => {
                if call.is_answer() {
                    answering = Some(thread);
                }
                tracer.resume(thread);
            }
            Some((thread, Stop::End(_))) if answering == Some(thread) => return rounds,
            Some((thread, Stop::End(_))) => tracer.resume(thread),
            None => {
                rounds += usize::from(!held.is_empty());
                mem::take(&mut held).into_iter().for_each(|thread| tracer.resume(thread));
            }
        }
    }
}

fn is_sync(call: &Call) -> bool {
    [libc::SYS_fsync, libc::SYS_fdatasync, libc::SYS_syncfs, libc::SYS_sync, libc::SYS_sync_file_range]
        .contains(&call.number)
}
