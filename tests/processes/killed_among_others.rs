//! Several writers on one folder, of which one after the other is killed while the rest go on: those never meet an error,
//! and nothing that was acknowledged is lost, though each builds on what another wrote.

use super::killed::kills;
use crate::{
    folders::assert_tidy,
    peers::{self, Job, Peer, Start},
    whole::mix,
};
use minisnap::{MiniSnapError, Precondition, SnapStore};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::Path, thread, time::Duration};

/// How many kills, if nobody says.
const KILLS: u64 = 60;
/// Writers that nobody kills.
const SURVIVORS: u64 = 2;
/// Writers at any time that will be killed.
const VICTIMS: u64 = 2;

/// Counters, one of each writer's. The seq is their sum.
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
async fn writers_killed_among_others_lose_nothing_and_the_others_meet_no_error() {
    if let Some(job) = peers::job() {
        return count_until_told(&job).await;
    }
    let peer = || {
        peers::of(writers_killed_among_others_lose_nothing_and_the_others_meet_no_error)
            .deadline(Duration::from_secs(3600))
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = SnapStore::new(folder.path());
    let mut writers = Writers { peer, dir: folder.path(), started: 0 };
    let survivors: Vec<_> = (0..SURVIVORS).map(|_| writers.start()).collect();
    let mut victims: Vec<_> = (0..VICTIMS).map(|_| writers.start()).collect();

    let kills = kills().unwrap_or(KILLS);
    // What each writer is known to have counted.
    let mut known = BTreeMap::new();
    let mut unacknowledged = 0;
    for kill in 0..kills {
        let (writer, victim) = victims.remove(0);
        victims.push(writers.start());
        let mut acknowledged = 0;
        for _ in 0..mix(kill) % 3 {
            acknowledged = victim.hear().parse().expect("a count");
        }
        thread::sleep(Duration::from_micros((mix(kill) >> 16) % 4000));
        if let Some(last) = victim.kill().last() {
            acknowledged = last.parse().expect("a count");
        }
        let (found, seq): (Counters, u64) = store.restore().await.expect("a reader never meets an error");
        assert_eq!(found.seq(), seq, "a mixed pair");
        let count = found.of(writer);
        assert!(count == acknowledged || count == acknowledged + 1, "{count} after {acknowledged} was acknowledged");
        unacknowledged += count - acknowledged;
        known.insert(writer, count);
        for (writer, count) in &known {
            assert_eq!(found.of(*writer), *count, "writer {writer} is dead, and what it wrote is another now");
        }
    }

    for (_, victim) in victims {
        victim.kill();
    }
    let mut by_survivors = Vec::new();
    for (writer, mut survivor) in survivors {
        survivor.say("stop");
        let last: u64 = survivor.finish().last().expect("a count").parse().expect("a count");
        let (found, _): (Counters, u64) = store.restore().await.expect("a snapshot");
        assert_eq!(found.of(writer), last, "nothing that was acknowledged is lost");
        by_survivors.push(last);
    }
    let (mut last, seq): (Counters, u64) = store.restore().await.expect("a snapshot");
    for (writer, count) in &known {
        assert_eq!(last.of(*writer), *count);
    }
    *last.counts.entry(writers.started).or_default() += 1;
    store.create(&last, seq + 1).await.expect("a last snapshot");
    assert_tidy(folder.path(), &store.history().await.expect("a history"));
    println!(
        "{kills} kills of writers that had published {} times, {unacknowledged} of them unacknowledged, while others \
         published {by_survivors:?} times",
        known.values().sum::<u64>()
    );
}

struct Writers<'a, P> {
    peer: P,
    dir: &'a Path,
    started: u64,
}

impl<P: Fn() -> Start> Writers<'_, P> {
    fn start(&mut self) -> (u64, Peer) {
        let number = self.started;
        self.started += 1;
        (number, (self.peer)().dir(self.dir).arg("writer", number).start())
    }
}

/// Counts its own counter up, each time on top of what is there, and says so.
async fn count_until_told(job: &Job) {
    let store = SnapStore::new(job.dir());
    for count in 1_u64.. {
        count_one(&store, job.arg("writer"), count).await;
        job.say(count);
        if job.heard().is_some() {
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
                // Others have published twice since.
                Err(MiniSnapError::Expired { .. }) => continue,
                Err(error) => panic!("{error}"),
            },
        };
        assert_eq!(counters.of(writer), count - 1, "what writer {writer} wrote before");
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
