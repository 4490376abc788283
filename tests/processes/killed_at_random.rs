//! A writer that is killed at random moments, `MINISNAP_KILLS` times.

use crate::{
    checked_state::{self, CheckedState},
    child_process::{self, Job},
    folder_contents::{assert_no_garbage, names, stages},
    random::mix,
};
use minisnap::SnapStore;
use std::{env, path::Path, thread, time::Duration};

/// The default number of kills.
const KILLS: u64 = 120;
/// After this number of kills, a new folder is used.
const KILLS_PER_FOLDER: u64 = 3;

/// The numbers of kills by the state that they left.
#[derive(Debug, Default)]
struct Tally {
    acknowledged: u64,
    committed_unacknowledged: u64,
    no_commit: u64,
    left_a_stage: u64,
    left_a_generation: u64,
}

#[tokio::test]
async fn acknowledged_snapshot_survives_a_kill_at_a_random_moment() {
    if let Some(job) = child_process::job() {
        return create_until_killed(&job).await;
    }
    let mut tally = Tally::default();
    let mut folder = tempfile::tempdir().expect("a temporary folder");
    let mut last = None;
    let kills = kills().unwrap_or(KILLS);
    for kill in 0..kills {
        if kill % KILLS_PER_FOLDER == 0 {
            folder = tempfile::tempdir().expect("a temporary folder");
            last = None;
        }
        let dir = folder.path().join("state");
        last = kill_one(kill, &dir, last, &mut tally).await;
        // The next writer collects the garbage: this process after every second kill, and otherwise the next child.
        if kill % 2 == 0 {
            let seq = last.map_or(0, |last| last + 1);
            let store = SnapStore::new(&dir);
            store.create(&CheckedState::new(seq, 100), seq).await.expect("a create after a kill");
            assert_no_garbage(&dir, &checked_state::restore_history(&store).await);
            last = Some(seq);
        }
    }
    println!("{kills} kills: {tally:?}");
    assert!(tally.left_a_stage + tally.left_a_generation > 0, "no kill interrupted anything: {tally:?}");
}

/// Returns the number of kills that the environment sets.
pub(super) fn kills() -> Option<u64> {
    env::var("MINISNAP_KILLS").ok().map(|text| text.parse().expect("MINISNAP_KILLS, a number"))
}

/// Starts a writer that continues after `last`, kills it, checks the current snapshot, and returns its seq.
async fn kill_one(kill: u64, dir: &Path, last: Option<u64>, tally: &mut Tally) -> Option<u64> {
    let number = mix(kill);
    let limit = [64, 4_096, 100_000, 1_000_000][(number % 4) as usize];
    let next = last.map_or(0, |last| last + 1);
    let writer = child_process::of(acknowledged_snapshot_survives_a_kill_at_a_random_moment);
    let writer = writer.dir(dir).arg("first", next).arg("limit", limit).start();
    // Kills the writer after 0 to 2 creates, and up to 4 ms more.
    let mut acknowledged = last;
    for _ in 0..(number >> 8) % 3 {
        acknowledged = Some(writer.receive().parse().expect("a seq"));
    }
    thread::sleep(Duration::from_micros((number >> 16) % 4000));
    for line in writer.kill() {
        acknowledged = Some(line.parse().expect("a seq"));
    }

    let store = SnapStore::new(dir);
    let current = checked_state::try_restore(&store).await;
    assert!(
        current == acknowledged || current == Some(acknowledged.map_or(0, |seq| seq + 1)),
        "after kill {kill}, {current:?} is current, and {acknowledged:?} was acknowledged last"
    );
    let history = checked_state::restore_history(&store).await;
    assert_eq!(history.first().map(minisnap::Generation::seq), current);
    match current {
        None => tally.no_commit += 1,
        _ if current == acknowledged => tally.acknowledged += 1,
        _ => tally.committed_unacknowledged += 1,
    }
    if dir.join("snapshots").exists() {
        tally.left_a_stage += u64::from(!stages(dir).is_empty());
        let generations = names(&dir.join("snapshots")).iter().filter(|name| name.len() == 54).count();
        tally.left_a_generation += u64::from(generations > history.len());
    }
    current
}

async fn create_until_killed(job: &Job) {
    let store = SnapStore::new(job.dir());
    let limit = job.arg("limit");
    for seq in job.arg::<u64>("first").. {
        store.create(&CheckedState::new(seq, limit), seq).await.expect("a snapshot");
        job.send(seq);
    }
}
