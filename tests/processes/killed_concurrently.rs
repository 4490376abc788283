//! Several writers commit to one folder. Some are killed, one after the other; the others continue without an error.
//! No acknowledged commit is lost, though each commit builds on the commit of another writer.

use super::killed_at_random::kills;
use crate::{
    child_process::{self, ChildBuilder, ChildProcess, Job},
    folder_contents::assert_no_garbage,
    random::mix,
};
use minisnap::{MiniSnapError, Precondition, SnapStore};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::Path, thread, time::Duration};

/// The default number of kills.
const KILLS: u64 = 60;
/// The number of writers that aren't killed.
const SURVIVORS: u64 = 2;
/// The number of running writers that will be killed.
const VICTIMS: u64 = 2;

/// One counter for each writer. The seq is their sum.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Counters {
    counts: BTreeMap<u64, u64>,
    filler: String,
}

impl Counters {
    fn seq(&self) -> u64 {
        self.counts.values().sum()
    }

    fn of(&self, writer: u64) -> u64 {
        self.counts.get(&writer).copied().unwrap_or_default()
    }
}

#[tokio::test]
async fn killed_writer_loses_nothing_and_disturbs_no_other_writer() {
    if let Some(job) = child_process::job() {
        return count_until_stopped(&job).await;
    }
    let child = || {
        child_process::of(killed_writer_loses_nothing_and_disturbs_no_other_writer).deadline(Duration::from_secs(3600))
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = SnapStore::new(folder.path());
    let mut writers = Writers { child, dir: folder.path(), started: 0 };
    let survivors: Vec<_> = (0..SURVIVORS).map(|_| writers.start()).collect();
    let mut victims: Vec<_> = (0..VICTIMS).map(|_| writers.start()).collect();

    let kills = kills().unwrap_or(KILLS);
    // The last counter of each killed writer.
    let mut known = BTreeMap::new();
    let mut unacknowledged = 0;
    for kill in 0..kills {
        let (writer, victim) = victims.remove(0);
        victims.push(writers.start());
        let mut acknowledged = 0;
        for _ in 0..mix(kill) % 3 {
            acknowledged = victim.receive().parse().expect("a count");
        }
        thread::sleep(Duration::from_micros((mix(kill) >> 16) % 4000));
        if let Some(last) = victim.kill().last() {
            acknowledged = last.parse().expect("a count");
        }
        let (found, seq): (Counters, u64) = store.restore().await.expect("a restore without an error");
        assert_eq!(found.seq(), seq, "a mixed pair");
        let count = found.of(writer);
        assert!(count == acknowledged || count == acknowledged + 1, "{count} after {acknowledged} was acknowledged");
        unacknowledged += count - acknowledged;
        known.insert(writer, count);
        for (writer, count) in &known {
            assert_eq!(found.of(*writer), *count, "the counter of the killed writer {writer} changed");
        }
    }

    for (_, victim) in victims {
        victim.kill();
    }
    let mut by_survivors = Vec::new();
    for (writer, mut survivor) in survivors {
        survivor.send("stop");
        let last: u64 = survivor.finish().last().expect("a count").parse().expect("a count");
        let (found, _): (Counters, u64) = store.restore().await.expect("a snapshot");
        assert_eq!(found.of(writer), last, "an acknowledged count");
        by_survivors.push(last);
    }
    let (mut last, seq): (Counters, u64) = store.restore().await.expect("a snapshot");
    for (writer, count) in &known {
        assert_eq!(last.of(*writer), *count);
    }
    *last.counts.entry(writers.started).or_default() += 1;
    store.create(&last, seq + 1).await.expect("a last snapshot");
    assert_no_garbage(folder.path(), &store.history().await.expect("a history"));
    println!(
        "{kills} kills of writers that had committed {} times, {unacknowledged} of them unacknowledged, while others \
         committed {by_survivors:?} times",
        known.values().sum::<u64>()
    );
}

struct Writers<'a, P> {
    child: P,
    dir: &'a Path,
    started: u64,
}

impl<P: Fn() -> ChildBuilder> Writers<'_, P> {
    fn start(&mut self) -> (u64, ChildProcess) {
        let number = self.started;
        self.started += 1;
        (number, (self.child)().dir(self.dir).arg("writer", number).start())
    }
}

/// Increments its own counter in the current state until it is stopped, and sends each count.
async fn count_until_stopped(job: &Job) {
    let store = SnapStore::new(job.dir());
    for count in 1_u64.. {
        count_one(&store, job.arg("writer"), count).await;
        job.send(count);
        if job.try_receive().is_some() {
            return;
        }
    }
}

async fn count_one(store: &SnapStore, writer: u64, count: u64) {
    loop {
        let current = store.current().await.expect("the current generation");
        let mut counters = match &current {
            None => Counters::default(),
            Some(generation) => match store.restore_generation::<Counters>(generation).await {
                Ok((counters, _)) => counters,
                // Other writers have committed twice since.
                Err(MiniSnapError::Expired { .. }) => continue,
                Err(error) => panic!("{error}"),
            },
        };
        assert_eq!(counters.of(writer), count - 1, "the last count of writer {writer}");
        counters.counts.insert(writer, count);
        let seq = counters.seq();
        counters.filler = "x".repeat((mix(seq) % 20_000) as usize);
        match store.create(&counters, seq).precondition(Precondition::IfCurrent(current)).await {
            Ok(_) => return,
            Err(MiniSnapError::Conflict { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}
