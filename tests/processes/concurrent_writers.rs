//! Several processes and tasks that commit to one folder in parallel, while other processes restore from it.

use crate::{
    checked_state::{self, CheckedState},
    child_process::{self, ChildBuilder, Job},
    folder_contents::{assert_no_garbage, names},
};
use minisnap::{Precondition, SnapStore};
use std::{collections::HashSet, path::Path, time::Instant};

const TASKS: u64 = 3;
const PROCESSES: u64 = 2;
const READERS: u64 = 2;
/// The number of snapshots of each task and each process.
const SNAPSHOTS: u64 = 25;
const RETAIN: usize = 2;
const LIMIT: usize = 4096;

#[test]
fn readers_see_complete_pairs_during_concurrent_commits() {
    match child_process::job() {
        Some(job) => run(run_job(&job)),
        None => run(run_all(|| child_process::of(readers_see_complete_pairs_during_concurrent_commits))),
    }
}

async fn run_all(child: impl Fn() -> ChildBuilder) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("state");
    let begun = Instant::now();
    let mut readers: Vec<_> = (0..READERS).map(|_| child().role("reader").dir(&dir).start()).collect();
    let mut writers: Vec<_> = (0..PROCESSES)
        .map(|number| child().role("writer").dir(&dir).arg("first", first_seq(TASKS + number)).start())
        .collect();

    let ready = begun.elapsed();
    writers.iter_mut().for_each(|writer| writer.send("go"));
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
    readers.iter_mut().for_each(|reader| reader.send("stop"));
    let (mut restores, mut different) = (Vec::new(), Vec::new());
    for reader in readers {
        let output = reader.receive();
        let (count, seen) = output.split_once(' ').expect("two numbers");
        restores.push(count.parse::<u64>().expect("the number of restores"));
        different.push(seen.parse::<u64>().expect("the number of snapshots"));
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
    assert!(different.iter().all(|seen| *seen > 0), "each reader restored a snapshot");
    let store = SnapStore::new(&dir);
    let history = checked_state::restore_history(&store).await;
    assert_eq!(history.len(), RETAIN, "{history:?}");
    assert_no_garbage(&dir, &history);
    // The last commit is the last one of some writer.
    let last = checked_state::restore(&store).await;
    assert!((0..TASKS + PROCESSES).any(|number| last == first_seq(number) + SNAPSHOTS - 1), "{last}");
}

/// Each writer has its own seqs.
fn first_seq(writer: u64) -> u64 {
    (writer + 1) * 1_000_000
}

async fn run_job(job: &Job) {
    match job.role() {
        "writer" => {
            job.receive();
            commit(&job.dir(), job.arg("first")).await;
        }
        _ => read(job).await,
    }
}

async fn commit(dir: &Path, first: u64) {
    let store = SnapStore::new(dir).retain(RETAIN);
    for seq in first..first + SNAPSHOTS {
        let committed = store.create(&CheckedState::new(seq, LIMIT), seq).await.expect("a create without an error");
        assert_eq!(committed.generation().seq(), seq);
    }
}

async fn read(job: &Job) {
    let store = SnapStore::new(job.dir());
    let (mut restores, mut seen) = (0_u64, HashSet::new());
    loop {
        let stop = job.try_receive().is_some();
        if let Some(seq) = checked_state::try_restore(&store).await {
            restores += 1;
            seen.insert(seq);
        }
        if stop {
            break;
        }
        if restores % 8 == 0 {
            let history = store.history().await.expect("a read without an error");
            assert!(history.len() <= RETAIN, "{history:?}");
        }
    }
    job.send(format!("{restores} {}", seen.len()));
}

fn run(future: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(future);
}

#[test]
fn one_process_commits_when_many_expect_the_same_generation() {
    const PROCESSES: u64 = 4;
    const ROUNDS: u64 = 15;
    if let Some(job) = child_process::job() {
        return run(async {
            let store = SnapStore::new(job.dir());
            for round in 0..ROUNDS {
                let expected = store.current().await.expect("the current generation");
                job.send("ready");
                job.receive();
                let seq = round * PROCESSES + job.arg::<u64>("number");
                match store
                    .create(&CheckedState::new(seq, LIMIT), seq)
                    .precondition(Precondition::IfCurrent(expected))
                    .await
                {
                    Ok(_) => job.send("won"),
                    Err(minisnap::MiniSnapError::Conflict { current: Some(_), .. }) => job.send("lost"),
                    Err(error) => panic!("{error}"),
                }
                job.receive();
            }
        });
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut writers: Vec<_> = (0..PROCESSES)
        .map(|number| {
            let start = child_process::of(one_process_commits_when_many_expect_the_same_generation);
            start.dir(folder.path()).arg("number", number).start()
        })
        .collect();
    for round in 0..ROUNDS {
        assert!(writers.iter().all(|writer| writer.receive() == "ready"));
        writers.iter_mut().for_each(|writer| writer.send("go"));
        let won: Vec<_> = writers.iter().map(|writer| writer.receive() == "won").collect();
        assert_eq!(won.iter().filter(|won| **won).count(), 1, "{won:?}");
        run(async {
            let winner = won.iter().position(|won| *won).expect("a winner") as u64;
            assert_eq!(checked_state::restore(&SnapStore::new(folder.path())).await, round * PROCESSES + winner);
        });
        writers.iter_mut().for_each(|writer| writer.send("next"));
    }
    for writer in writers {
        writer.finish();
    }
    assert_eq!(
        names(&folder.path().join("snapshots")).len(),
        RETAIN + 4,
        "with current, last-commit, format and .lock"
    );
}
