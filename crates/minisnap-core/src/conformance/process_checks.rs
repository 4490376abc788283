//! What the cases with several processes have in common: races, orphans, stages of other processes, and killed commits.

use super::{
    StoreUnderTest,
    cancel_points::wait_until,
    child::Child,
    child_commands::{Acknowledged, Answer, Command, name},
    support::*,
};
use crate::Generation;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

const PROCESSES: u64 = 3;

/// A stage that is in part on the medium.
pub(super) const LARGE: usize = 8 << 20;

/// Starts processes that commit concurrently, and checks their acknowledged commits.
pub(super) async fn assert_commits_form_a_chain<T: StoreUnderTest>(is_conditional: bool) {
    let store = T::fresh().await;
    let backend = store.open().await;
    let first = commit_always(&backend, &Sample::new(0, 0)).await;
    let mut writers: Vec<Child> = (0..PROCESSES).map(|_| Child::start(&store)).collect();
    for writer in &mut writers {
        writer.ready().await;
    }
    for (number, writer) in (1..).zip(&mut writers) {
        writer.send(&Command::Race { writer: number, is_conditional });
    }
    let mut acknowledged = BTreeMap::new();
    let mut predecessors = BTreeSet::new();
    for writer in &mut writers {
        loop {
            let commit = match writer.answer().await {
                Answer::Done => break,
                answer => expect_commit(answer),
            };
            let generation = commit.generation();
            let predecessor =
                commit.predecessor.clone().expect("a commit into a store with a snapshot has a predecessor");
            assert!(
                predecessors.insert(predecessor.clone()),
                "only one acknowledged commit replaces a generation; two processes replaced {predecessor:?}"
            );
            let other = acknowledged.insert(name(&generation), commit);
            assert!(other.is_none(), "a name is used once, also by several processes, and not twice: {generation}");
        }
    }
    let history = history(&backend).await;
    assert_eq!(
        history.len(),
        acknowledged.len() + 1,
        "the history has each acknowledged commit of several processes once, and the first generation"
    );
    assert_eq!(history.last(), Some(&first), "the history begins with the first generation");
    for pair in history.windows(2) {
        let [generation, older] = pair else { unreachable!("windows of two") };
        let commit = acknowledged.remove(&name(generation));
        let commit =
            commit.unwrap_or_else(|| panic!("the history has no commit that nothing acknowledged: {generation}"));
        assert_eq!(
            commit.predecessor,
            Some(name(older)),
            "a commit is the next one after its predecessor: {generation}"
        );
        let expected = Sample::new(commit.seq, commit.tag).json;
        assert_bytes(
            &read(&backend, generation).await,
            &expected,
            "each of several processes' commits has its own bytes",
        );
    }
}

/// Leaves the stages of a killed process in the store, a small one and a large one, and checks that they aren't visible.
pub(super) async fn leave_orphans<T: StoreUnderTest>(store: &T, backend: &Handle) {
    commit_all(backend, &[1, 2]).await;
    let before = StoreState::of(backend).await;
    let mut killed = Child::start(store);
    killed.ready().await;
    stage_in(&mut killed, 7, 100).await;
    stage_in(&mut killed, 7, LARGE).await;
    before.assert_unchanged(backend, "a stage of another process is invisible").await;
    killed.kill();
    for handle in [backend, &store.open().await] {
        before.assert_unchanged(handle, "a stage of a killed process is invisible").await;
    }
}

pub(super) async fn stage_in(process: &mut Child, seq: u64, size: usize) {
    let answer = process.ask(&Command::Stage { seq, tag: seq, size }).await;
    assert!(matches!(answer, Answer::Staged), "another process stages a snapshot, not: {answer:?}");
}

/// Lets a process commit its stage. Returns whether it survived: `false` after `StageLost`.
pub(super) async fn commits_stage_or_loses_it<T: StoreUnderTest>(
    process: &mut Child,
    backend: &Handle,
    seq: u64,
    size: usize,
) -> bool {
    match process.ask(&Command::CommitStage).await {
        Answer::StageLost => false,
        answer => {
            let generation = expect_commit(answer).generation();
            let promise = "a stage of a running process is complete after another process's commits and collections";
            assert_eq!(current(backend).await.as_ref(), Some(&generation), "a committed stage is current");
            assert_bytes(&read(backend, &generation).await, &Sample::large::<T>(seq, seq, size).json, promise);
            true
        }
    }
}

#[track_caller]
pub(super) fn expect_commit(answer: Answer) -> Acknowledged {
    match answer {
        Answer::Committed(acknowledged) => acknowledged,
        answer => panic!("another process acknowledges a commit, not: {answer:?}"),
    }
}

/// Kills a process at a random moment of its commits. Appends those that it acknowledged to `acknowledged`, and returns the seq of the
/// commit that was under way.
pub(super) async fn kill_in_a_commit<T: StoreUnderTest>(
    store: &T,
    acknowledged: &mut Vec<Generation>,
    seq: u64,
    size: usize,
    retain: usize,
) -> Option<u64> {
    let mut killed = Child::start(store);
    killed.ready().await;
    killed.send(&Command::CommitUntilKilled { seq, size, retain });
    let mut answers = Vec::new();
    let mut start = Instant::now();
    // The first commit of a process takes longer than the others.
    while answers.len() < 6 {
        if answers.len() == 4 {
            start = Instant::now();
        }
        answers.push(killed.answer().await);
    }
    // A busy wait would take the core that the process needs for its commit.
    wait_until(tokio::time::Instant::now() + random_below(start.elapsed() * 2)).await;
    answers.extend(killed.kill());
    let mut under_way = None;
    for answer in answers {
        match answer {
            Answer::Committing(seq) => under_way = Some(seq),
            answer => {
                acknowledged.push(expect_commit(answer).generation());
                under_way = None;
            }
        }
    }
    under_way
}

fn random_below(limit: Duration) -> Duration {
    let random = crate::random_name_part(4).expect("the system gives random bytes");
    let number = random.bytes().fold(0, |number: u32, byte| number.wrapping_mul(31).wrapping_add(u32::from(byte)));
    limit * (number % 1_000) / 1_000
}

/// Asserts that the history has the newest acknowledged commits, and between them nothing but commits that were cut, all complete.
pub(super) async fn assert_history(
    backend: &Handle,
    acknowledged: &[Generation],
    cut: &BTreeSet<u64>,
    retained: usize,
) {
    let history = history(backend).await;
    assert_eq!(history.len(), retained, "after a process was killed, as many as it asked are retained: {history:?}");
    let (known, others): (Vec<_>, Vec<_>) = history.iter().partition(|generation| acknowledged.contains(generation));
    let newest: Vec<_> = acknowledged.iter().rev().take(known.len()).collect();
    assert_eq!(known, newest, "after a process was killed, the history has every acknowledged commit that is retained");
    for generation in others {
        assert!(
            cut.contains(&generation.seq()),
            "the history has no generation but acknowledged ones and those under way when a process was killed: {generation}"
        );
    }
    for generation in &history {
        let json = backend.read(generation).await;
        let json = json.must("after a process was killed during a commit, every retained generation can be read");
        assert_pair(generation, &json);
    }
}
