//! Property 4: a commit happens only if its precondition holds, and the commit evaluates it in the same atomic step.

use super::{Capability, StoreUnderTest, support::*};
use crate::{CommitOptions, Committed, Generation, MiniSnapError, Precondition, Result};
use Precondition::{IfCurrent, IfNewer};

/// `Always` commits over a higher seq, a lower one, the same one, and into an empty store.
pub async fn always_is_never_refused<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let handles = [store.open().await, store.open().await];
    for ((tag, seq), backend) in (0..).zip([5, 6, 2, 2, u64::MAX, 0, 1]).zip(handles.iter().cycle()) {
        let generation = commit_always(backend, &Sample::new(seq, tag)).await;
        assert_eq!(current(backend).await, Some(generation), "the last to commit with `Always` wins");
    }
}

/// `IfNewer` commits a seq above the current seq. For the same or a lower seq, the commit returns `Stale` with both seqs.
pub async fn if_newer_commits_above_and_refuses_the_rest<T: StoreUnderTest>() {
    if lacks::<T>(Capability::IfNewer).await {
        return;
    }
    let store = T::fresh().await;
    let backend = store.open().await;
    commit_always(&backend, &Sample::new(10, 0)).await;
    let newer = commit(&backend, &Sample::new(11, 1), IfNewer, RETAIN_ALL).await;
    let newer = newer.must("`IfNewer` commits a seq above the current one's").generation().clone();
    assert_eq!(current(&backend).await.as_ref(), Some(&newer), "the generation that `IfNewer` committed is current");
    for seq in [11, 10, 0] {
        let refused = commit(&backend, &Sample::new(seq, 2), IfNewer, RETAIN_ALL).await;
        assert_stale(refused, seq, &newer);
        assert_eq!(current(&backend).await.as_ref(), Some(&newer), "a stale commit changes nothing");
    }
    let jump = commit(&backend, &Sample::new(1_000_000, 3), IfNewer, RETAIN_ALL).await;
    jump.must("`IfNewer` commits any higher seq, not only the next one");
}

/// In an empty store every seq is newer.
pub async fn if_newer_commits_into_an_empty_store<T: StoreUnderTest>() {
    if lacks::<T>(Capability::IfNewer).await {
        return;
    }
    for seq in [0, 7] {
        let store = T::fresh().await;
        let committed = commit(&store.open().await, &Sample::new(seq, 0), IfNewer, RETAIN_ALL).await;
        committed.must("`IfNewer` commits any seq into an empty store");
    }
}

/// `IfNewer` compares seqs as unsigned 64-bit numbers.
pub async fn if_newer_works_at_both_ends_of_seq<T: StoreUnderTest>() {
    if lacks::<T>(Capability::IfNewer).await {
        return;
    }
    let store = T::fresh().await;
    let backend = store.open().await;
    // As text, 10 is below 9. As a signed number, 1 << 63 is below 0.
    for seq in [0, 1, 9, 10, (1 << 63) - 1, 1 << 63, u64::MAX] {
        let committed = commit(&backend, &Sample::new(seq, 0), IfNewer, RETAIN_ALL).await;
        let committed = committed.must("`IfNewer` commits a seq above the current one's");
        for below in [seq, seq.saturating_sub(1), 0] {
            assert_stale(
                commit(&backend, &Sample::new(below, 1), IfNewer, RETAIN_ALL).await,
                below,
                committed.generation(),
            );
        }
    }
}

/// `IfCurrent` commits over that generation only: not over an older one, and not over another one of the same seq and state.
pub async fn if_current_commits_over_that_generation_only<T: StoreUnderTest>() {
    if lacks::<T>(Capability::IfCurrent).await {
        return;
    }
    let store = T::fresh().await;
    let backend = store.open().await;
    let sample = Sample::new(10, 0);
    let first = commit_always(&backend, &sample).await;
    let over_first = IfCurrent(Some(first.clone()));
    let second = commit(&backend, &sample, over_first.clone(), RETAIN_ALL).await;
    let second = second.must("`IfCurrent` commits over the current generation").generation().clone();
    let refused = commit(&backend, &sample, over_first.clone(), RETAIN_ALL).await;
    assert_conflict(refused, Some(&first), Some(&second));
    let lower = commit(&backend, &Sample::new(3, 1), IfCurrent(Some(second.clone())), RETAIN_ALL).await;
    let lower = lower.must("`IfCurrent` commits a lower seq, too").generation().clone();
    for older in [first, second] {
        let refused = commit(&backend, &Sample::new(20, 2), IfCurrent(Some(older.clone())), RETAIN_ALL).await;
        assert_conflict(refused, Some(&older), Some(&lower));
    }
    assert_eq!(current(&backend).await, Some(lower), "a commit that conflicts changes nothing");
}

/// `IfCurrent(None)` commits the first snapshot only.
pub async fn if_current_none_commits_into_an_empty_store_only<T: StoreUnderTest>() {
    if lacks::<T>(Capability::IfCurrent).await {
        return;
    }
    let store = T::fresh().await;
    let backend = store.open().await;
    let first = commit(&backend, &Sample::new(1, 0), IfCurrent(None), RETAIN_ALL).await;
    let first = first.must("`IfCurrent(None)` commits into an empty store").generation().clone();
    for backend in [&backend, &store.open().await] {
        assert_conflict(commit(backend, &Sample::new(2, 1), IfCurrent(None), RETAIN_ALL).await, None, Some(&first));
    }
    assert_eq!(current(&backend).await, Some(first), "a commit that conflicts changes nothing");
}

/// `IfCurrent` of a name that this store never assigned conflicts, in an empty store as well.
pub async fn if_current_of_a_generation_that_never_was_conflicts<T: StoreUnderTest>() {
    if lacks::<T>(Capability::IfCurrent).await {
        return;
    }
    let store = T::fresh().await;
    let backend = store.open().await;
    let unknown = ["never-was", "", "../../etc/passwd"].map(|name| Generation::new(name, 1));
    for name in &unknown {
        let refused = commit(&backend, &Sample::new(2, 0), IfCurrent(Some(name.clone())), RETAIN_ALL).await;
        assert_conflict(refused, Some(name), None);
        assert_eq!(current(&backend).await, None, "a commit that conflicts changes nothing");
    }
    let real = commit_always(&backend, &Sample::new(1, 1)).await;
    for name in &unknown {
        let refused = commit(&backend, &Sample::new(2, 0), IfCurrent(Some(name.clone())), RETAIN_ALL).await;
        assert_conflict(refused, Some(name), Some(&real));
    }
}

/// A refused commit changes nothing: the current generation and the history stay, for any `retain`.
pub async fn refusal_changes_nothing<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let old = commit_all(&backend, &[1, 2, 3]).await;
    let before = StoreState::of(&backend).await;
    // A backend that lacks a capability refuses with `Unsupported`, which changes nothing either.
    for precondition in [IfNewer, IfCurrent(None), IfCurrent(old.first().cloned())] {
        let refused = commit(&backend, &Sample::new(3, 9), precondition.clone(), retain(1)).await;
        let error = refused.expect_err("a precondition that doesn't hold refuses the commit");
        assert!(error.outcome_known(), "a refusal is a known outcome: {error}");
        for handle in [&backend, &store.open().await] {
            before.assert_unchanged(handle, &format!("a commit refused by {precondition:?} changes nothing")).await;
        }
    }
    drop(backend);
    before.assert_unchanged(&store.open().await, "a refused commit changes nothing on the medium").await;
}

/// A precondition is evaluated against the generation that is current at the commit, not at the stage.
pub async fn evaluated_when_committing_not_when_staging<T: StoreUnderTest>() {
    let (lacks_if_newer, lacks_if_current) =
        (lacks::<T>(Capability::IfNewer).await, lacks::<T>(Capability::IfCurrent).await);
    let store = T::fresh().await;
    let (slow, quick) = (store.open().await, store.open().await);
    let first = commit_always(&slow, &Sample::new(10, 0)).await;
    let promise = "a stage can be opened";

    let always = stage(&slow, &Sample::new(12, 1)).await.must(promise);
    let newer = stage(&slow, &Sample::new(15, 2)).await.must(promise);
    let stale = stage(&slow, &Sample::new(18, 3)).await.must(promise);
    let over_first = stage(&slow, &Sample::new(30, 4)).await.must(promise);
    let over_second = stage(&slow, &Sample::new(31, 5)).await.must(promise);
    let second = commit_always(&quick, &Sample::new(20, 6)).await;
    if !lacks_if_newer {
        assert_stale(stale.commit(CommitOptions::new(RETAIN_ALL).with_precondition(IfNewer)).await, 18, &second);
    }
    if !lacks_if_current {
        assert_conflict(
            over_first.commit(CommitOptions::new(RETAIN_ALL).with_precondition(IfCurrent(Some(first.clone())))).await,
            Some(&first),
            Some(&second),
        );
        let committed =
            over_second.commit(CommitOptions::new(RETAIN_ALL).with_precondition(IfCurrent(Some(second.clone())))).await;
        committed.must("`IfCurrent` holds for a generation that became current after the stage was opened");
    }
    commit_always(&quick, &Sample::new(5, 7)).await;
    if !lacks_if_newer {
        // The seq is below the current one at the stage, and above the current one at the commit.
        let committed = newer.commit(CommitOptions::new(RETAIN_ALL).with_precondition(IfNewer)).await;
        committed.must("`IfNewer` compares with the current generation at the commit, not with older ones");
    }
    let over = history(&quick).await;
    let committed =
        always.commit(CommitOptions::new(RETAIN_ALL)).await.must("`Always` is never refused, however old the stage");
    assert_eq!(
        committed.retained()[1..],
        over,
        "an old stage is committed over the generation that is current at the commit"
    );
}

/// A handle evaluates preconditions on the latest commit record, not on the record that it read last.
pub async fn precondition_is_evaluated_on_the_latest_record<T: StoreUnderTest>() {
    let (lacks_if_newer, lacks_if_current) =
        (lacks::<T>(Capability::IfNewer).await, lacks::<T>(Capability::IfCurrent).await);
    let store = T::fresh().await;
    let (old, other) = (store.open().await, store.open().await);
    let promise = "a precondition is evaluated on the latest commit record";
    if !lacks_if_current {
        assert_eq!(current(&old).await, None);
        let first = commit_always(&other, &Sample::new(50, 0)).await;
        assert_conflict(commit(&old, &Sample::new(51, 0), IfCurrent(None), RETAIN_ALL).await, None, Some(&first));
    }
    for round in 0..3 {
        let seen = commit_always(&old, &Sample::new(100, round)).await;
        assert_eq!(current(&old).await.as_ref(), Some(&seen), "the last committed generation is current");
        let moved = commit_always(&other, &Sample::new(50, round)).await;
        if !lacks_if_newer {
            let between = commit(&old, &Sample::new(60, round), IfNewer, RETAIN_ALL).await.must(promise);
            commit_always(&other, &Sample::new(70, round)).await;
            let stale = commit(&old, &Sample::new(65, round), IfNewer, RETAIN_ALL).await;
            assert!(
                matches!(&stale, Err(MiniSnapError::Stale { current, .. }) if current.seq() == 70),
                "a commit of another handle counts, though this handle committed {} last: {stale:?}",
                between.generation()
            );
        }
        if !lacks_if_current {
            let newest = commit_always(&other, &Sample::new(40, round)).await;
            for expired in [&seen, &moved] {
                let refused = commit(&old, &Sample::new(99, round), IfCurrent(Some(expired.clone())), RETAIN_ALL).await;
                assert_conflict(refused, Some(expired), Some(&newest));
            }
            let newest = commit_always(&other, &Sample::new(41, round)).await;
            commit(&old, &Sample::new(30, round), IfCurrent(Some(newest)), RETAIN_ALL).await.must(promise);
        }
    }
}

/// A backend returns `Unsupported` for the capabilities in `lacks`, and for no others.
pub async fn missing_capability_is_unsupported<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let first = commit_always(&backend, &Sample::new(1, 0)).await;
    if !lacks::<T>(Capability::IfCurrent).await {
        let committed = commit(&backend, &Sample::new(2, 0), IfCurrent(Some(first)), RETAIN_ALL).await;
        committed.must("a backend whose `lacks` doesn't list `IfCurrent` supports it");
    }
    if !lacks::<T>(Capability::IfNewer).await {
        let committed = commit(&backend, &Sample::new(3, 0), IfNewer, RETAIN_ALL).await;
        committed.must("a backend whose `lacks` doesn't list `IfNewer` supports it");
    }
}

#[track_caller]
fn assert_stale(refused: Result<Committed>, expected_seq: u64, expected: &Generation) {
    match refused {
        Err(MiniSnapError::Stale { seq, current, .. }) => {
            assert_eq!(seq, expected_seq, "`Stale` names the seq of the refused commit");
            assert_eq!(&current, expected, "`Stale` names the current generation");
            assert_eq!(current.seq(), expected.seq(), "`Stale` names the current seq");
        }
        other => panic!("`IfNewer` with seq {expected_seq} over seq {} is `Stale`, not {other:?}", expected.seq()),
    }
}

#[track_caller]
fn assert_conflict(refused: Result<Committed>, wanted: Option<&Generation>, found: Option<&Generation>) {
    match refused {
        Err(MiniSnapError::Conflict { expected, current, .. }) => {
            assert_eq!(expected.as_ref(), wanted, "`Conflict` names the expected generation");
            assert_eq!(current.as_ref(), found, "`Conflict` names the current generation");
            assert_eq!(current.map(|current| current.seq()), found.map(Generation::seq), "and its seq");
        }
        other => panic!("`IfCurrent({wanted:?})` over {found:?} is a `Conflict`, not {other:?}"),
    }
}

/// The generation that `Stale` names is durable: it is current for a handle that is opened later.
pub async fn stale_names_a_durable_generation<T: StoreUnderTest>() {
    if lacks::<T>(Capability::IfNewer).await {
        return;
    }
    let store = T::fresh().await;
    for seq in 10..14 {
        let (writer, late) = (store.open().await, store.open().await);
        let sample = Sample::new(seq, seq);
        commit_always(&writer, &sample).await;
        let refused = commit(&late, &Sample::new(seq, 99), IfNewer, retain(1)).await;
        let Err(MiniSnapError::Stale { current: named, .. }) = refused else {
            panic!("the same seq again is `Stale`, not: {refused:?}");
        };
        drop((writer, late));
        let reopened = store.open().await;
        assert_eq!(history(&reopened).await.first(), Some(&named), "the generation that `Stale` names is durable");
        assert_bytes(&read(&reopened, &named).await, &sample.json, "the generation that `Stale` names can be read");
    }
}
