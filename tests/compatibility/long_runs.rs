//! Thousands of changes by one writer, by two tasks and by two threads, with snapshots and reopenings between them. After each
//! reopening, the state has each acknowledged change exactly once, in order, bit for bit.
//!
//! ```text
//! MINISNAP_REOPENINGS=80 cargo test --package minisnap-tests compatibility:: -- --nocapture
//! ```
//!
//! A seed chooses the changes, and when a snapshot is created. The test prints the seed, and `MINISNAP_CHANGES_SEED` sets it.

use super::{checked_manager::CheckedManager, ledger::ChangeGenerator};
use std::{
    collections::hash_map::RandomState,
    env,
    hash::{BuildHasher, Hasher},
    sync::Arc,
    thread,
};
use tokio::{runtime, sync::Barrier};

/// The default number of reopenings.
const REOPENINGS: u64 = 8;
/// The changes of all writers between two reopenings.
const CHANGES: u64 = 160;
/// The average number of changes between two snapshots of a writer.
const CHANGES_PER_SNAPSHOT: u64 = 30;

#[tokio::test]
async fn one_writers_changes_survive_many_reopenings() {
    let mut generator = ChangeGenerator::new(seed());
    let mut checked = CheckedManager::start().await;
    for _ in 0..reopenings() {
        // Sometimes no change, and sometimes a snapshot immediately before the reopening.
        let changes = generator.below(2 * CHANGES);
        write(&checked, 0, &mut generator, changes).await;
        if generator.below(3) == 0 {
            checked.create_snapshot().await;
        }
        checked = checked.reopen().await;
    }
    finish("one writer", checked).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_tasks_changes_survive_many_reopenings() {
    let mut generators = two_generators();
    let mut checked = CheckedManager::start().await;
    for _ in 0..reopenings() {
        let shared = Arc::new(checked);
        let start = Arc::new(Barrier::new(2));
        let writers = generators.map(|(writer, mut generator)| {
            let (shared, start) = (shared.clone(), start.clone());
            tokio::spawn(async move {
                start.wait().await;
                write(&shared, writer, &mut generator, CHANGES / 2).await;
                (writer, generator)
            })
        });
        let [first, second] = writers;
        generators = [first.await.expect("a writer"), second.await.expect("a writer")];
        checked = Arc::into_inner(shared).expect("no other writer").reopen().await;
    }
    assert_ne!(checked.writer_switches(), 0, "the writers never ran concurrently");
    finish("two tasks", checked).await;
}

/// Each thread has its own runtime. Both share the state manager.
#[test]
fn two_threads_changes_survive_many_reopenings() {
    let mut generators = two_generators();
    let here = runtime();
    let mut checked = here.block_on(CheckedManager::start());
    for _ in 0..reopenings() {
        let start = Barrier::new(2);
        thread::scope(|scope| {
            for (writer, generator) in &mut generators {
                let (checked, start) = (&checked, &start);
                scope.spawn(move || {
                    runtime().block_on(async {
                        start.wait().await;
                        write(checked, *writer, generator, CHANGES / 2).await;
                    });
                });
            }
        });
        checked = here.block_on(checked.reopen());
    }
    assert_ne!(checked.writer_switches(), 0, "the writers never ran concurrently");
    here.block_on(finish("two threads", checked));
}

async fn write(checked: &CheckedManager, writer: usize, generator: &mut ChangeGenerator, changes: u64) {
    for _ in 0..changes {
        checked.apply(writer, generator.change()).await;
        match generator.below(2 * CHANGES_PER_SNAPSHOT) {
            0 => checked.create_snapshot().await,
            1 => checked.create_snapshot_during_changes().await,
            _ => (),
        }
    }
}

async fn finish(writers: &str, checked: CheckedManager) {
    let (changes, snapshots, switches) = (checked.acknowledged(), checked.snapshots().await, checked.writer_switches());
    println!(
        "{writers}: {changes} changes, {snapshots} snapshots, {switches} changes that follow a change of the other writer"
    );
    checked.create_snapshot().await;
    let checked = checked.reopen().await;
    checked.reopen_without_snapshots().await;
}

fn two_generators() -> [(usize, ChangeGenerator); 2] {
    let seed = seed();
    [(0, ChangeGenerator::new(seed)), (1, ChangeGenerator::new(seed + 1))]
}

fn seed() -> u64 {
    let seed = number("MINISNAP_CHANGES_SEED").unwrap_or_else(|| RandomState::new().build_hasher().finish() >> 32);
    println!("MINISNAP_CHANGES_SEED={seed}");
    seed
}

fn reopenings() -> u64 {
    number("MINISNAP_REOPENINGS").unwrap_or(REOPENINGS)
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}, which is not a number")))
}

fn runtime() -> runtime::Runtime {
    runtime::Builder::new_current_thread().build().expect("a runtime")
}
