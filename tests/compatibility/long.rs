//! Thousands of changes by one writer, by two tasks and by two threads, with snapshots and reopenings in between: each time
//! there is what was acknowledged, once, in its order, to the bit.
//!
//! ```text
//! MINISNAP_REOPENINGS=80 cargo test --package minisnap-tests compatibility:: -- --nocapture
//! ```
//!
//! A seed draws the changes, and when a snapshot is created; it is printed, and `MINISNAP_CHANGES_SEED` sets it.

use super::{books::Draw, watched::Watched};
use std::{
    collections::hash_map::RandomState,
    env,
    hash::{BuildHasher, Hasher},
    sync::Arc,
    thread,
};
use tokio::{runtime, sync::Barrier};

/// How often it is reopened, if nobody says.
const REOPENINGS: u64 = 8;
/// By all writers together, between two reopenings.
const CHANGES: u64 = 160;
/// After how many changes a writer creates a snapshot, on average.
const CHANGES_PER_SNAPSHOT: u64 = 30;

#[tokio::test]
async fn by_one_writer_over_many_reopenings_nothing_is_lost_doubled_or_altered() {
    let mut draw = Draw::new(seed());
    let mut watched = Watched::start().await;
    for _ in 0..reopenings() {
        // At times none, and so none or several snapshots, and at times one right before the end.
        let changes = draw.below(2 * CHANGES);
        write(&watched, 0, &mut draw, changes).await;
        if draw.below(3) == 0 {
            watched.create_snapshot().await;
        }
        watched = watched.reopen().await;
    }
    finish("one writer", watched).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_two_tasks_at_once_over_many_reopenings_nothing_is_lost_doubled_or_altered() {
    let mut draws = two_draws();
    let mut watched = Watched::start().await;
    for _ in 0..reopenings() {
        let shared = Arc::new(watched);
        let start = Arc::new(Barrier::new(2));
        let writers = draws.map(|(whose, mut draw)| {
            let (shared, start) = (shared.clone(), start.clone());
            tokio::spawn(async move {
                start.wait().await;
                write(&shared, whose, &mut draw, CHANGES / 2).await;
                (whose, draw)
            })
        });
        let [one, other] = writers;
        draws = [one.await.expect("a writer"), other.await.expect("a writer")];
        watched = Arc::into_inner(shared).expect("its writers ended").reopen().await;
    }
    assert_ne!(watched.turns(), 0, "they were never there at once");
    finish("two tasks", watched).await;
}

/// Each has a runtime of its own, and they share the state manager.
#[test]
fn by_two_threads_at_once_over_many_reopenings_nothing_is_lost_doubled_or_altered() {
    let mut draws = two_draws();
    let here = runtime();
    let mut watched = here.block_on(Watched::start());
    for _ in 0..reopenings() {
        let start = Barrier::new(2);
        thread::scope(|scope| {
            for (whose, draw) in &mut draws {
                let (watched, start) = (&watched, &start);
                scope.spawn(move || {
                    runtime().block_on(async {
                        start.wait().await;
                        write(watched, *whose, draw, CHANGES / 2).await;
                    });
                });
            }
        });
        watched = here.block_on(watched.reopen());
    }
    assert_ne!(watched.turns(), 0, "they were never there at once");
    here.block_on(finish("two threads", watched));
}

async fn write(watched: &Watched, whose: usize, draw: &mut Draw, changes: u64) {
    for _ in 0..changes {
        watched.apply(whose, draw.change()).await;
        match draw.below(2 * CHANGES_PER_SNAPSHOT) {
            0 => watched.create_snapshot().await,
            1 => watched.create_snapshot_beside_changes().await,
            _ => (),
        }
    }
}

async fn finish(who: &str, watched: Watched) {
    let (changes, snapshots, turns) = (watched.acknowledged(), watched.snapshots().await, watched.turns());
    println!("{who}: {changes} changes, {snapshots} snapshots, {turns} times the other's turn");
    watched.create_snapshot().await;
    let watched = watched.reopen().await;
    watched.reopen_without_snapshots().await;
}

fn two_draws() -> [(usize, Draw); 2] {
    let seed = seed();
    [(0, Draw::new(seed)), (1, Draw::new(seed + 1))]
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
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}, which is no number")))
}

fn runtime() -> runtime::Runtime {
    runtime::Builder::new_current_thread().build().expect("a runtime")
}
