//! Every order in which threads can get at what the handles share: loom runs them all, one after the other. A gap of
//! nanoseconds, say between judging a condition and publishing, is met by no stress, and here it is one of the orders.

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

/// Runs `threads` in every order there is, and says how many there are.
fn in_every_order(threads: fn()) {
    let orders = Arc::new(AtomicU64::new(0));
    let counted = orders.clone();
    loom::model(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        threads();
    });
    println!("{} orders", orders.load(Ordering::Relaxed));
}

/// Every future of this backend is complete at its first poll.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a future of the memory backend waits"),
    }
}

/// Publishes its seq as the JSON.
fn commit(mem: &MemBackend, seq: u64, when: Precondition, retain: usize) -> Result<Committed> {
    let mut staged = now(mem.stage(seq)).expect("a stage");
    staged.write_all(seq.to_string().as_bytes()).expect("memory takes bytes");
    now(staged.commit(CommitOptions::new(NonZeroUsize::new(retain).expect("it is not zero")).with_precondition(when)))
}

/// Two publishers at once, as [`commit`] has it; what they were told, and the store as they leave it.
fn two(mem: &MemBackend, when: &Precondition, retain: usize) -> [Result<Committed>; 2] {
    let (other, condition) = (mem.clone(), when.clone());
    let other = thread::spawn(move || commit(&other, 1, condition, retain));
    let second = commit(mem, 2, when.clone(), retain);
    [other.join().expect("a thread that doesn't panic"), second]
}

fn seqs(generations: &[Generation]) -> Vec<u64> {
    generations.iter().map(Generation::seq).collect()
}

fn history(mem: &MemBackend) -> Vec<u64> {
    seqs(&now(mem.history()).expect("the history"))
}

#[test]
fn of_two_that_expect_the_same_one_publishes_and_the_other_is_told_of_it() {
    in_every_order(|| {
        let mem = MemBackend::new();
        let told = two(&mem, &Precondition::IfCurrent(None), 2);
        let (winner, loser) = match &told {
            [Ok(winner), Err(loser)] | [Err(loser), Ok(winner)] => (winner, loser),
            both => panic!("{both:?}"),
        };
        let of_the_winner = |current: &Option<Generation>| current.as_ref() == Some(winner.generation());
        assert!(matches!(loser, MiniSnapError::Conflict { current, .. } if of_the_winner(current)), "{loser}");
        assert_eq!(history(&mem), seqs(winner.retained()));
    });
}

#[test]
fn the_seq_never_goes_down_where_all_demand_a_newer_one() {
    in_every_order(|| {
        let mem = MemBackend::new();
        let [first, second] = two(&mem, &Precondition::IfNewer, 2);
        assert_eq!(seqs(second.expect("it is newer, whatever is there").retained())[0], 2);
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
fn two_publishers_are_told_of_one_and_the_same_line() {
    in_every_order(|| {
        let mem = MemBackend::new();
        let told = two(&mem, &Precondition::Always, 3).map(|told| seqs(told.expect("a publish").retained()));
        assert!(told == [vec![1], vec![2, 1]] || told == [vec![1, 2], vec![2]], "{told:?}");
        assert!(told.contains(&history(&mem)));
        assert_eq!((mem.commits(), mem.stages()), (2, 0));
    });
}

#[test]
fn a_reader_gets_what_belongs_together_and_never_goes_back() {
    in_every_order(|| {
        let mem = MemBackend::new();
        commit(&mem, 1, Precondition::Always, 1).expect("a publish");
        let other = mem.clone();
        let publisher = thread::spawn(move || commit(&other, 2, Precondition::Always, 1).map(drop));
        let mut last = 0;
        for _ in 0..2 {
            let current = now(mem.current()).expect("a look").expect("there is one");
            assert!(current.seq() >= last, "{current} after {last}");
            last = current.seq();
            match now(mem.read(&current)) {
                Ok(json) => assert_eq!(json, current.seq().to_string()),
                Err(error) => assert!(matches!(error, MiniSnapError::Expired { .. }) && last == 1, "{error}"),
            }
            assert_eq!(history(&mem).len(), 1);
        }
        publisher.join().expect("a thread that doesn't panic").expect("a publish");
        assert_eq!(history(&mem), [2]);
    });
}

#[test]
fn a_failure_planned_once_falls_on_one() {
    in_every_order(|| {
        let mem = MemBackend::new();
        mem.fail(Operation::Commit).once();
        let told = two(&mem, &Precondition::Always, 2);
        assert_eq!(told.iter().filter(|told| told.is_err()).count(), 1, "{told:?}");
        assert_eq!((mem.calls(Operation::Commit), mem.commits(), mem.stages()), (2, 1, 0));
    });
}
