//! A writer that is killed at random moments, over and over: as often as `MINISNAP_KILLS` says.

use crate::{
    folders::{assert_tidy, names, stages},
    peers::{self, Job},
    whole::{self, Whole},
};
use minisnap::SnapStore;
use std::{env, path::Path, thread, time::Duration};

/// How many kills, if nobody says.
const KILLS: u64 = 120;
/// Every so many kills, a new folder is begun.
const KILLS_PER_FOLDER: u64 = 3;

/// What the kills hit, to see that they hit something.
#[derive(Debug, Default)]
struct Tally {
    acknowledged: u64,
    published_unacknowledged: u64,
    nothing_published: u64,
    left_a_stage: u64,
    left_a_generation: u64,
}

#[tokio::test]
async fn killed_at_any_moment_a_writer_leaves_what_it_was_told_is_safe() {
    if let Some(job) = peers::job() {
        return publish_until_killed(&job).await;
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
        // The next writer cleans up; here, in the same process that checks, and else the one that is killed next.
        if kill % 2 == 0 {
            let seq = last.map_or(0, |last| last + 1);
            let store = SnapStore::new(&dir);
            store.create(&Whole::new(seq, 100), seq).await.expect("a publish after a kill");
            assert_tidy(&dir, &whole::restore_history(&store).await);
            last = Some(seq);
        }
    }
    println!("{kills} kills: {tally:?}");
    assert!(tally.left_a_stage + tally.left_a_generation > 0, "no kill interrupted anything: {tally:?}");
}

/// How many kills are asked for.
pub(super) fn kills() -> Option<u64> {
    env::var("MINISNAP_KILLS").ok().map(|text| text.parse().expect("MINISNAP_KILLS, a number"))
}

/// Starts a writer that goes on from `last`, kills it, checks what is current, and returns it.
async fn kill_one(kill: u64, dir: &Path, last: Option<u64>, tally: &mut Tally) -> Option<u64> {
    let random = whole::mix(kill);
    let limit = [64, 4_096, 100_000, 1_000_000][(random % 4) as usize];
    let next = last.map_or(0, |last| last + 1);
    let writer = peers::of(killed_at_any_moment_a_writer_leaves_what_it_was_told_is_safe);
    let writer = writer.dir(dir).arg("first", next).arg("limit", limit).start();
    // After none to two publishes, and then up to 4 ms.
    let mut acknowledged = last;
    for _ in 0..(random >> 8) % 3 {
        acknowledged = Some(writer.hear().parse().expect("a seq"));
    }
    thread::sleep(Duration::from_micros((random >> 16) % 4000));
    for said in writer.kill() {
        acknowledged = Some(said.parse().expect("a seq"));
    }

    let store = SnapStore::new(dir);
    let current = whole::try_restore(&store).await;
    assert!(
        current == acknowledged || current == Some(acknowledged.map_or(0, |seq| seq + 1)),
        "after kill {kill}, {current:?} is current, and {acknowledged:?} was acknowledged last"
    );
    let history = whole::restore_history(&store).await;
    assert_eq!(history.first().map(minisnap::Generation::seq), current);
    match current {
        None => tally.nothing_published += 1,
        _ if current == acknowledged => tally.acknowledged += 1,
        _ => tally.published_unacknowledged += 1,
    }
    if dir.join("snapshots").exists() {
        tally.left_a_stage += u64::from(!stages(dir).is_empty());
        let generations = names(&dir.join("snapshots")).iter().filter(|name| name.len() == 54).count();
        tally.left_a_generation += u64::from(generations > history.len());
    }
    current
}

async fn publish_until_killed(job: &Job) {
    let store = SnapStore::new(job.dir());
    let limit = job.arg("limit");
    for seq in job.arg::<u64>("first").. {
        store.create(&Whole::new(seq, limit), seq).await.expect("to publish");
        job.say(seq);
    }
}
