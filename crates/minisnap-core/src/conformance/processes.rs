//! Hook `processes`: several processes share a store, and some of them are killed.
//!
//! The test starts its own binary again, so that the other processes use the same type of store. It opens the store there by
//! [`open_address`](StoreUnderTest::open_address).

use super::{
    Capability, Profile, StoreUnderTest,
    child::Child,
    child_commands::{Answer, Command, name},
    process_checks::*,
    support::*,
};
use crate::{Generation, MiniSnapError, Precondition};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// How many stages are opened by another process before one of them must survive. A store with a grace time may lose a stage whose
/// process was too slow.
const STAGES: u64 = 20;

/// The smallest and the largest number of processes that are killed during a commit.
const MIN_KILLS: u64 = 6;
const MAX_KILLS: u64 = 25;

/// The commit of another process that a reader sees at least, counted from the first one.
const MIN_SEEN: u64 = 3;

/// The longest time in which a commit takes a lock that a killed process held.
const LOCK_TIME: Duration = Duration::from_secs(10);

/// When 3 processes commit with `IfCurrent`, each acknowledged commit replaces the generation that its writer saw. The history has
/// all of them, and no other.
pub async fn commits_of_3_processes_with_if_current_form_a_chain<T: StoreUnderTest>() {
    if !lacks::<T>(Capability::IfCurrent).await {
        assert_commits_form_a_chain::<T>(true).await;
    }
}

/// When 3 processes commit with `Always`, each acknowledged commit is in the history once, under a name of its own.
pub async fn commits_of_3_processes_with_always_form_a_chain<T: StoreUnderTest>() {
    assert_commits_form_a_chain::<T>(false).await;
}

/// A handle sees a commit of another process as soon as it is acknowledged, and commits over it.
pub async fn open_handle_sees_commits_of_another_process<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    commit_always(&backend, &Sample::new(0, 0)).await;
    let mut other = Child::start(&store);
    other.ready().await;
    for n in 1..=10 {
        let sample = Sample::new(100 - n, n);
        let theirs = expect_commit(other.ask(&Command::Commit { seq: sample.seq, tag: n }).await).generation();
        let promise = "a commit that another process acknowledged is seen by a handle that was opened before";
        assert_eq!(current(&backend).await.as_ref(), Some(&theirs), "{promise}");
        assert_eq!(history(&backend).await.first(), Some(&theirs), "{promise}");
        assert_bytes(&read(&backend, &theirs).await, &sample.json, promise);

        let sample = Sample::new(n, n);
        let ours = match commit(&backend, &sample, Precondition::IfCurrent(Some(theirs)), RETAIN_ALL).await {
            Err(MiniSnapError::Unsupported { .. }) if T::lacks().contains(&Capability::IfCurrent) => {
                commit_always(&backend, &sample).await
            }
            result => {
                let promise = "a commit over the latest generation of another process succeeds";
                result.must(promise).generation().clone()
            }
        };
        match other.ask(&Command::Look).await {
            Answer::Seen(history) => assert_eq!(history.first(), Some(&name(&ours)), "another process: {promise}"),
            answer => panic!("a process looks at the store, not: {answer:?}"),
        }
    }
}

/// While another process commits, a reader gets complete pairs of one generation each, or `Expired`.
pub async fn readers_see_no_mixed_pair_of_another_process<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    commit_always(&backend, &Sample::new(0, 0)).await;
    let mut writer = Child::start(&store);
    writer.ready().await;
    writer.send(&Command::CommitUntilKilled { seq: 1, size: 20_000, retain: 2 });
    let start = Instant::now();
    let (mut reads, mut seen) = (0, 0);
    // The writer begins late on a loaded machine, and a reader of the first generation alone finds nothing.
    while start.elapsed() < Profile::RACE_TIME || reads < Profile::MIN_COMMITS || seen < MIN_SEEN {
        let generation = current(&backend).await.expect("a store that had a snapshot always has one");
        assert!(generation.seq() >= seen, "no reader sees an older generation after a newer one, as {generation}");
        seen = generation.seq();
        match backend.read(&generation).await {
            Ok(json) => assert_pair(&generation, &json),
            Err(MiniSnapError::Expired { .. }) => {}
            Err(error) => {
                panic!(
                    "a reader gets a complete pair or `Expired` while another process commits; but: {}",
                    with_causes(&error)
                )
            }
        }
        reads += 1;
        tokio::task::yield_now().await;
    }
    writer.kill();
}

/// The stages of a killed process are never visible, and later commits of another process delete them.
pub async fn commits_remove_orphans_of_a_killed_process<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    leave_orphans(&store, &backend).await;
    assert_commits_collect(&store, &backend, "the stages of a killed process").await;
    let seqs: Vec<u64> = history(&backend).await.iter().map(Generation::seq).collect();
    assert!(!seqs.contains(&7), "a stage of a killed process is never in the history: {seqs:?}");
}

/// A collection alone deletes the stages of a killed process, at once. Before that, a verification counts them.
pub async fn collection_removes_orphans_of_a_killed_process<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    leave_orphans(&store, &backend).await;
    let garbage = store.garbage().await;
    let verified = backend.verify().await.must("a store with orphans can be verified");
    assert!(verified.is_intact(), "a store with orphans is intact: {verified:?}");
    // A server may delete the orphans by itself, also just now.
    if !garbage.is_empty() && !store.garbage().await.is_empty() {
        let counted = verified.orphans + verified.expired;
        assert!(counted > 0, "a verification counts the orphans of a killed process; it counted none of {garbage:?}");
    }
    let before = StoreState::of(&backend).await;
    assert_collection_removes(&store, &backend, "the stages of a killed process").await;
    before.assert_unchanged(&backend, "collecting the orphans of a killed process changes nothing else").await;
}

/// A stage of a running process survives the commits of another process, and can be committed after them.
pub async fn stage_survives_commits_of_another_process<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let mut other = Child::start(&store);
    other.ready().await;
    let mut survived = 0;
    for n in 0..STAGES {
        let size = if n == 0 { LARGE } else { 100 };
        stage_in(&mut other, n, size).await;
        for seq in [100, 101] {
            commit(&backend, &Sample::new(seq, n), Precondition::Always, retain(2)).await.must("a commit succeeds");
        }
        survived += u32::from(commits_stage_or_loses_it::<T>(&mut other, &backend, n, size).await);
    }
    assert!(
        survived > 0,
        "a stage of a running process survives the commits of another process; {STAGES} of {STAGES} were lost (a store with a grace \
         time is opened with one that is longer than a commit)"
    );
}

/// A stage of a running process can be committed after a collection by another process, or it is lost and can be staged again.
pub async fn collection_preserves_stages_of_another_or_loses_them<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let mut other = Child::start(&store);
    other.ready().await;
    for (n, size) in (0..).zip([100, LARGE, 20_000]) {
        stage_in(&mut other, n, size).await;
        for _ in 0..2 {
            backend.collect_garbage().await.must("garbage can be collected while another process has a stage");
        }
        if !commits_stage_or_loses_it::<T>(&mut other, &backend, n, size).await {
            stage_in(&mut other, n, size).await;
            let survived = commits_stage_or_loses_it::<T>(&mut other, &backend, n, size).await;
            assert!(survived, "a stage that a collection has deleted can be staged again");
        }
    }
}

/// A process that is killed during a commit loses no acknowledged one. Its last commit is complete or absent, and it holds no lock.
pub async fn process_killed_in_a_commit_loses_no_acknowledged_one<T: StoreUnderTest>() {
    const RETAINED: usize = 4;
    const SEQS: u64 = 1_000_000;
    let store = T::fresh().await;
    let backend = store.open().await;
    let mut acknowledged = commit_all(&backend, &[0, 1, 2, 3]).await;
    let mut cut = BTreeSet::new();
    let start = Instant::now();
    for kill in 1..=MAX_KILLS {
        let sizes = [100_000, 1_000];
        let size = sizes[usize::from(kill % 2 == 0)];
        cut.extend(kill_in_a_commit(&store, &mut acknowledged, SEQS * kill, size, RETAINED).await);
        for handle in [&backend, &store.open().await] {
            let current = current(handle).await.expect("a store that had a snapshot always has one");
            assert_pair(&current, &read(handle, &current).await);
            assert_history(handle, &acknowledged, &cut, RETAINED).await;
        }
        let before = Instant::now();
        let next =
            commit(&backend, &Sample::new(SEQS * kill + 999_999, kill), Precondition::Always, retain(RETAINED)).await;
        let next = next.must("after a process was killed during a commit, the next commit succeeds");
        let took = before.elapsed();
        assert!(took < LOCK_TIME, "a killed process holds no lock; the next commit took {took:?}");
        acknowledged.push(next.generation().clone());
        assert_history(&backend, &acknowledged, &cut, RETAINED).await;
        if kill >= MIN_KILLS && start.elapsed() > Profile::RACE_TIME {
            break;
        }
    }
}
