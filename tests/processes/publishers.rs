//! Several processes and several tasks publish at once on one folder, while other processes restore from it.

use crate::{
    folders::{assert_tidy, names},
    peers::{self, Job, Start},
    whole::{self, Whole},
};
use minisnap::{Precondition, SnapStore};
use std::{collections::HashSet, path::Path, time::Instant};

const TASKS: u64 = 3;
const PROCESSES: u64 = 2;
const READERS: u64 = 2;
/// By each task and each process.
const SNAPSHOTS: u64 = 25;
const KEEP: usize = 2;
const LIMIT: usize = 4096;

#[test]
fn all_publish_at_once_and_no_reader_meets_an_error_or_a_mixed_pair() {
    match peers::job() {
        Some(job) => run(play(&job)),
        None => run(all_at_once(|| peers::of(all_publish_at_once_and_no_reader_meets_an_error_or_a_mixed_pair))),
    }
}

async fn all_at_once(peer: impl Fn() -> Start) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("state");
    let begun = Instant::now();
    let mut readers: Vec<_> = (0..READERS).map(|_| peer().role("reader").dir(&dir).start()).collect();
    let mut writers: Vec<_> = (0..PROCESSES)
        .map(|number| peer().role("writer").dir(&dir).arg("first", first_seq(TASKS + number)).start())
        .collect();

    let ready = begun.elapsed();
    writers.iter_mut().for_each(|writer| writer.say("go"));
    let tasks = (0..TASKS).map(|number| {
        let dir = dir.clone();
        tokio::spawn(async move { commit(&dir, first_seq(number)).await })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("a task without an error");
    }
    for writer in writers {
        writer.finish();
    }
    let took = begun.elapsed().checked_sub(ready).unwrap();
    readers.iter_mut().for_each(|reader| reader.say("stop"));
    let (mut restores, mut different) = (Vec::new(), Vec::new());
    for reader in readers {
        let said = reader.hear();
        let (count, seen) = said.split_once(' ').expect("two numbers");
        restores.push(count.parse::<u64>().expect("how many restores"));
        different.push(seen.parse::<u64>().expect("how many snapshots it saw"));
        reader.finish();
    }

    let snapshots = (TASKS + PROCESSES) * SNAPSHOTS;
    println!(
        "{snapshots} snapshots by {TASKS} tasks and {PROCESSES} processes in {:.1} s ({:.0} a second); {} restores by \
         {READERS} readers, of {} snapshots ({restores:?}, {different:?})",
        took.as_secs_f64(),
        snapshots as f64 / took.as_secs_f64(),
        restores.iter().sum::<u64>(),
        different.iter().sum::<u64>(),
    );
    assert!(different.iter().all(|seen| *seen > 0), "every reader restored something");
    let store = SnapStore::new(&dir);
    let history = whole::restore_history(&store).await;
    assert_eq!(history.len(), KEEP, "{history:?}");
    assert_tidy(&dir, &history);
    // The last to publish is the last of one of them.
    let last = whole::restore(&store).await;
    assert!((0..TASKS + PROCESSES).any(|number| last == first_seq(number) + SNAPSHOTS - 1), "{last}");
}

/// Each publisher has seqs of its own.
fn first_seq(publisher: u64) -> u64 {
    (publisher + 1) * 1_000_000
}

async fn play(job: &Job) {
    match job.role() {
        "writer" => {
            job.hear();
            commit(&job.dir(), job.arg("first")).await;
        }
        _ => read(job).await,
    }
}

async fn commit(dir: &Path, first: u64) {
    let store = SnapStore::new(dir).retain(KEEP);
    for seq in first..first + SNAPSHOTS {
        let published = store.create(&Whole::new(seq, LIMIT), seq).await.expect("a publisher never meets an error");
        assert_eq!(published.generation().seq(), seq);
    }
}

async fn read(job: &Job) {
    let store = SnapStore::new(job.dir());
    let (mut restores, mut seen) = (0_u64, HashSet::new());
    loop {
        let stop = job.heard().is_some();
        if let Some(seq) = whole::try_restore(&store).await {
            restores += 1;
            seen.insert(seq);
        }
        if stop {
            break;
        }
        if restores % 8 == 0 {
            let history = store.history().await.expect("a reader never meets an error");
            assert!(history.len() <= KEEP, "{history:?}");
        }
    }
    job.say(format!("{restores} {}", seen.len()));
}

fn run(future: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(future);
}

#[test]
fn of_many_processes_that_expect_the_same_snapshot_exactly_one_creates() {
    const PROCESSES: u64 = 4;
    const ROUNDS: u64 = 15;
    if let Some(job) = peers::job() {
        return run(async {
            let store = SnapStore::new(job.dir());
            for round in 0..ROUNDS {
                let expected = store.current().await.expect("the current generation");
                job.say("ready");
                job.hear();
                let seq = round * PROCESSES + job.arg::<u64>("number");
                match store.create(&Whole::new(seq, LIMIT), seq).precondition(Precondition::IfCurrent(expected)).await {
                    Ok(_) => job.say("won"),
                    Err(minisnap::MiniSnapError::Conflict { current: Some(_), .. }) => job.say("lost"),
                    Err(error) => panic!("{error}"),
                }
                job.hear();
            }
        });
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut writers: Vec<_> = (0..PROCESSES)
        .map(|number| {
            let start = peers::of(of_many_processes_that_expect_the_same_snapshot_exactly_one_creates);
            start.dir(folder.path()).arg("number", number).start()
        })
        .collect();
    for round in 0..ROUNDS {
        assert!(writers.iter().all(|writer| writer.hear() == "ready"));
        writers.iter_mut().for_each(|writer| writer.say("go"));
        let won: Vec<_> = writers.iter().map(|writer| writer.hear() == "won").collect();
        assert_eq!(won.iter().filter(|won| **won).count(), 1, "{won:?}");
        run(async {
            let winner = won.iter().position(|won| *won).expect("a winner") as u64;
            assert_eq!(whole::restore(&SnapStore::new(folder.path())).await, round * PROCESSES + winner);
        });
        writers.iter_mut().for_each(|writer| writer.say("next"));
    }
    for writer in writers {
        writer.finish();
    }
    assert_eq!(names(&folder.path().join("snapshots")).len(), KEEP + 4, "with current, last-commit, format and .lock");
}
