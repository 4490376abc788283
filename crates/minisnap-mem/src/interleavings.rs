//! Tests with loom, which runs every interleaving of threads. A stress test can't hit a gap of nanoseconds, such as one between the
//! evaluation of a precondition and the commit.

use crate::MemBackend;
use loom::thread;
use minisnap_core::{
    CommitOptions, Committed, Generation, MiniSnapError, Operation, Precondition, Result, SnapshotBackend,
};
use std::{
    num::NonZeroUsize,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

/// Runs `threads` in every interleaving, and prints their number.
fn run_in_every_order(threads: fn()) {
    let orders = Arc::new(AtomicU64::new(0));
    let counted = orders.clone();
    loom::model(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        threads();
    });
    println!("{} orders", orders.load(Ordering::Relaxed));
}

/// Polls a future once, and returns its output. Every future of the memory backend completes at its first poll.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a future of the memory backend is pending"),
    }
}

/// Commits `seq` as the JSON.
fn commit(mem: &MemBackend, seq: u64, precondition: Precondition, retain: usize) -> Result<Committed> {
    let mut staged = now(mem.stage(seq)).expect("a stage");
    staged.write_all(seq.to_string().as_bytes()).expect("memory takes bytes");
    now(staged
        .commit(CommitOptions::new(NonZeroUsize::new(retain).expect("it is not zero")).with_precondition(precondition)))
}

/// Commits seq 1 and seq 2 in two threads, and returns their results.
fn commit_concurrently(mem: &MemBackend, precondition: &Precondition, retain: usize) -> [Result<Committed>; 2] {
    let (other, condition) = (mem.clone(), precondition.clone());
    let other = thread::spawn(move || commit(&other, 1, condition, retain));
    let second = commit(mem, 2, precondition.clone(), retain);
    [other.join().expect("a thread that doesn't panic"), second]
}

fn seqs(generations: &[Generation]) -> Vec<u64> {
    generations.iter().map(Generation::seq).collect()
}

fn history(mem: &MemBackend) -> Vec<u64> {
    seqs(&now(mem.history()).expect("the history"))
}

#[test]
fn one_of_two_commits_with_the_same_if_current_succeeds() {
    run_in_every_order(|| {
        let mem = MemBackend::new();
        let results = commit_concurrently(&mem, &Precondition::IfCurrent(None), 2);
        let (winner, loser) = match &results {
            [Ok(winner), Err(loser)] | [Err(loser), Ok(winner)] => (winner, loser),
            both => panic!("{both:?}"),
        };
        let is_winner = |current: &Option<Generation>| current.as_ref() == Some(winner.generation());
        assert!(matches!(loser, MiniSnapError::Conflict { current, .. } if is_winner(current)), "{loser}");
        assert_eq!(history(&mem), seqs(winner.retained()));
    });
}

#[test]
fn seq_never_falls_with_if_newer() {
    run_in_every_order(|| {
        let mem = MemBackend::new();
        let [first, second] = commit_concurrently(&mem, &Precondition::IfNewer, 2);
        assert_eq!(seqs(second.expect("seq 2 is always newer").retained())[0], 2);
        match first {
            Ok(_) => assert_eq!(history(&mem), [2, 1]),
            Err(error) => {
                assert!(matches!(error, MiniSnapError::Stale { seq: 1, .. }), "{error}");
                assert_eq!(history(&mem), [2]);
            }
        }
    });
}

#[test]
fn two_writers_return_one_consistent_history() {
    run_in_every_order(|| {
        let mem = MemBackend::new();
        let results = commit_concurrently(&mem, &Precondition::Always, 3)
            .map(|results| seqs(results.expect("a commit").retained()));
        assert!(results == [vec![1], vec![2, 1]] || results == [vec![1, 2], vec![2]], "{results:?}");
        assert!(results.contains(&history(&mem)));
        assert_eq!((mem.commits(), mem.stages()), (2, 0));
    });
}

#[test]
fn reader_gets_a_matching_pair_and_never_an_older_one() {
    run_in_every_order(|| {
        let mem = MemBackend::new();
        commit(&mem, 1, Precondition::Always, 1).expect("a commit");
        let other = mem.clone();
        let writer = thread::spawn(move || commit(&other, 2, Precondition::Always, 1).map(drop));
        let mut last = 0;
        for _ in 0..2 {
            let current = now(mem.current()).expect("a lookup").expect("there is one");
            assert!(current.seq() >= last, "{current} after {last}");
            last = current.seq();
            match now(mem.read(&current)) {
                Ok(json) => assert_eq!(json, current.seq().to_string()),
                Err(error) => assert!(matches!(error, MiniSnapError::Expired { .. }) && last == 1, "{error}"),
            }
            assert_eq!(history(&mem).len(), 1);
        }
        writer.join().expect("a thread that doesn't panic").expect("a commit");
        assert_eq!(history(&mem), [2]);
    });
}

#[test]
fn failure_planned_once_fails_one_call() {
    run_in_every_order(|| {
        let mem = MemBackend::new();
        mem.fail(Operation::Commit).once();
        let results = commit_concurrently(&mem, &Precondition::Always, 2);
        assert_eq!(results.iter().filter(|results| results.is_err()).count(), 1, "{results:?}");
        assert_eq!((mem.calls(Operation::Commit), mem.commits(), mem.stages()), (2, 1, 0));
    });
}
