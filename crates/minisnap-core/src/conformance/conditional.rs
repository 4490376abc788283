//! A publish happens if its precondition holds, and the precondition is judged as it happens.

use super::{Capability, StoreUnderTest, kit::*};
use crate::{CommitOptions, Committed, Generation, MiniSnapError, Precondition, Result};
use Precondition::{IfCurrent, IfNewer};

/// `Always` publishes over anything: a higher seq, a lower one, the same, nothing at all.
pub async fn always_is_never_refused<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let handles = [store.open().await, store.open().await];
    for ((tag, seq), backend) in (0..).zip([5, 6, 2, 2, u64::MAX, 0, 1]).zip(handles.iter().cycle()) {
        let generation = put(backend, &Sample::new(seq, tag)).await;
        assert_eq!(current(backend).await, Some(generation), "the last to publish with `Always` wins");
    }
}

/// `IfNewer` publishes a seq above the current one's; the same or a lower one is `Stale`, with both seqs.
pub async fn if_newer_commits_above_and_refuses_the_rest<T: StoreUnderTest>() {
    if lacks::<T>(Capability::IfNewer).await {
        return;
    }
    let store = T::fresh().await;
    let backend = store.open().await;
    put(&backend, &Sample::new(10, 0)).await;
    let newer = commit(&backend, &Sample::new(11, 1), IfNewer, ALL).await;
    let newer = newer.must("`IfNewer` publishes a seq above the current one's").generation().clone();
    assert_eq!(current(&backend).await.as_ref(), Some(&newer), "what `IfNewer` published is current");
    for seq in [11, 10, 0] {
        let refused = commit(&backend, &Sample::new(seq, 2), IfNewer, ALL).await;
        assert_stale(refused, seq, &newer);
        assert_eq!(current(&backend).await.as_ref(), Some(&newer), "what is stale is not published");
    }
    let jump = commit(&backend, &Sample::new(1_000_000, 3), IfNewer, ALL).await;
    jump.must("`IfNewer` publishes any seq above, not just the next");
}

/// Where nothing was published yet, anything is newer.
pub async fn if_newer_commits_into_an_empty_store<T: StoreUnderTest>() {
    if lacks::<T>(Capability::IfNewer).await {
        return;
    }
    for seq in [0, 7] {
        let store = T::fresh().await;
        let published = commit(&store.open().await, &Sample::new(seq, 0), IfNewer, ALL).await;
        published.must("`IfNewer` publishes any seq into an empty store");
    }
}

/// `IfNewer` compares the whole range of seqs as unsigned numbers.
pub async fn if_newer_works_at_both_ends_of_seq<T: StoreUnderTest>() {
    if lacks::<T>(Capability::IfNewer).await {
        return;
    }
    let store = T::fresh().await;
    let backend = store.open().await;
    // Also where text would sort otherwise (9 and 10), and a signed number.
    for seq in [0, 1, 9, 10, (1 << 63) - 1, 1 << 63, u64::MAX] {
        let published = commit(&backend, &Sample::new(seq, 0), IfNewer, ALL).await;
        let published = published.must("`IfNewer` publishes a seq above the current one's");
        for below in [seq, seq.saturating_sub(1), 0] {
            assert_stale(commit(&backend, &Sample::new(below, 1), IfNewer, ALL).await, below, published.generation());
        }
    }
}

/// `IfCurrent` publishes over that generation, and over no other: not an older one, not one of the same seq and state.
pub async fn if_current_commits_over_that_generation_only<T: StoreUnderTest>() {
    if lacks::<T>(Capability::IfCurrent).await {
        return;
    }
    let store = T::fresh().await;
    let backend = store.open().await;
    let sample = Sample::new(10, 0);
    let first = put(&backend, &sample).await;
    let over_first = IfCurrent(Some(first.clone()));
    let second = commit(&backend, &sample, over_first.clone(), ALL).await;
    let second = second.must("`IfCurrent` publishes over the current generation").generation().clone();
    let refused = commit(&backend, &sample, over_first.clone(), ALL).await;
    assert_conflict(refused, Some(&first), Some(&second));
    let lower = commit(&backend, &Sample::new(3, 1), IfCurrent(Some(second.clone())), ALL).await;
    let lower = lower.must("`IfCurrent` publishes a lower seq, too").generation().clone();
    for older in [first, second] {
        let refused = commit(&backend, &Sample::new(20, 2), IfCurrent(Some(older.clone())), ALL).await;
        assert_conflict(refused, Some(&older), Some(&lower));
    }
    assert_eq!(current(&backend).await, Some(lower), "what conflicts is not published");
}

/// `IfCurrent(None)` publishes the first snapshot, and nothing after it.
pub async fn if_current_none_commits_into_an_empty_store_only<T: StoreUnderTest>() {
    if lacks::<T>(Capability::IfCurrent).await {
        return;
    }
    let store = T::fresh().await;
    let backend = store.open().await;
    let first = commit(&backend, &Sample::new(1, 0), IfCurrent(None), ALL).await;
    let first = first.must("`IfCurrent(None)` publishes into an empty store").generation().clone();
    for backend in [&backend, &store.open().await] {
        assert_conflict(commit(backend, &Sample::new(2, 1), IfCurrent(None), ALL).await, None, Some(&first));
    }
    assert_eq!(current(&backend).await, Some(first), "what conflicts is not published");
}

/// `IfCurrent` of a name this store never gave conflicts, in an empty store as well.
pub async fn if_current_of_a_generation_that_never_was_conflicts<T: StoreUnderTest>() {
    if lacks::<T>(Capability::IfCurrent).await {
        return;
    }
    let store = T::fresh().await;
    let backend = store.open().await;
    let strangers = ["never-was", "", "../../etc/passwd"].map(|name| Generation::new(name, 1));
    for stranger in &strangers {
        let refused = commit(&backend, &Sample::new(2, 0), IfCurrent(Some(stranger.clone())), ALL).await;
        assert_conflict(refused, Some(stranger), None);
        assert_eq!(current(&backend).await, None, "what conflicts is not published");
    }
    let real = put(&backend, &Sample::new(1, 1)).await;
    for stranger in &strangers {
        let refused = commit(&backend, &Sample::new(2, 0), IfCurrent(Some(stranger.clone())), ALL).await;
        assert_conflict(refused, Some(stranger), Some(&real));
    }
}

/// A refused publish changes nothing: nothing is current, retained or retired that wasn't, also by its `keep`.
pub async fn refusal_changes_nothing<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let old = put_all(&backend, &[1, 2, 3]).await;
    let before = Picture::of(&backend).await;
    // Whatever a backend lacks, it refuses, and that changes nothing either.
    for when in [IfNewer, IfCurrent(None), IfCurrent(old.first().cloned())] {
        let refused = commit(&backend, &Sample::new(3, 9), when.clone(), retain(1)).await;
        let error = refused.expect_err("a precondition that doesn't hold refuses the publish");
        assert!(error.outcome_known(), "a refusal is a known outcome: {error}");
        for handle in [&backend, &store.open().await] {
            before.assert_unchanged(handle, &format!("a publish refused by {when:?} changes nothing")).await;
        }
    }
    drop(backend);
    before.assert_unchanged(&store.open().await, "a refused publish changes nothing on the medium").await;
}

/// A precondition is judged against what is current at the publish, whatever was current when the stage began.
pub async fn evaluated_when_committing_not_when_staging<T: StoreUnderTest>() {
    let (no_newer, no_current) = (lacks::<T>(Capability::IfNewer).await, lacks::<T>(Capability::IfCurrent).await);
    let store = T::fresh().await;
    let (slow, quick) = (store.open().await, store.open().await);
    let first = put(&slow, &Sample::new(10, 0)).await;
    let promise = "a stage can begin";

    let always = stage(&slow, &Sample::new(12, 1)).await.must(promise);
    let newer = stage(&slow, &Sample::new(15, 2)).await.must(promise);
    let stale = stage(&slow, &Sample::new(18, 3)).await.must(promise);
    let over_first = stage(&slow, &Sample::new(30, 4)).await.must(promise);
    let over_second = stage(&slow, &Sample::new(31, 5)).await.must(promise);
    let second = put(&quick, &Sample::new(20, 6)).await;
    if !no_newer {
        assert_stale(stale.commit(CommitOptions::new(ALL).with_precondition(IfNewer)).await, 18, &second);
    }
    if !no_current {
        assert_conflict(
            over_first.commit(CommitOptions::new(ALL).with_precondition(IfCurrent(Some(first.clone())))).await,
            Some(&first),
            Some(&second),
        );
        let published =
            over_second.commit(CommitOptions::new(ALL).with_precondition(IfCurrent(Some(second.clone())))).await;
        published.must("`IfCurrent` holds for what became current after the stage began");
    }
    put(&quick, &Sample::new(5, 7)).await;
    if !no_newer {
        // Below what was current when it was staged, above what is current now.
        let published = newer.commit(CommitOptions::new(ALL).with_precondition(IfNewer)).await;
        published.must("`IfNewer` holds above what is current at the publish, though higher seqs came before");
    }
    let over = history(&quick).await;
    let published =
        always.commit(CommitOptions::new(ALL)).await.must("`Always` is never refused, however old the stage");
    assert_eq!(published.retained()[1..], over, "an old stage is published over what is current at the publish");
}

/// A handle that saw an older state of the store refuses nothing that holds, and publishes nothing that doesn't.
pub async fn refused_only_on_a_fresh_look<T: StoreUnderTest>() {
    let (no_newer, no_current) = (lacks::<T>(Capability::IfNewer).await, lacks::<T>(Capability::IfCurrent).await);
    let store = T::fresh().await;
    let (old, other) = (store.open().await, store.open().await);
    let fresh_look = "a publish is refused only on a fresh look";
    if !no_current {
        assert_eq!(current(&old).await, None);
        let first = put(&other, &Sample::new(50, 0)).await;
        assert_conflict(commit(&old, &Sample::new(51, 0), IfCurrent(None), ALL).await, None, Some(&first));
    }
    for round in 0..3 {
        let seen = put(&old, &Sample::new(100, round)).await;
        assert_eq!(current(&old).await.as_ref(), Some(&seen), "what was published is current");
        let moved = put(&other, &Sample::new(50, round)).await;
        if !no_newer {
            let between = commit(&old, &Sample::new(60, round), IfNewer, ALL).await.must(fresh_look);
            put(&other, &Sample::new(70, round)).await;
            let stale = commit(&old, &Sample::new(65, round), IfNewer, ALL).await;
            assert!(
                matches!(&stale, Err(MiniSnapError::Stale { current, .. }) if current.seq() == 70),
                "what another handle published counts, though this one published {} last: {stale:?}",
                between.generation()
            );
        }
        if !no_current {
            let newest = put(&other, &Sample::new(40, round)).await;
            for gone in [&seen, &moved] {
                let refused = commit(&old, &Sample::new(99, round), IfCurrent(Some(gone.clone())), ALL).await;
                assert_conflict(refused, Some(gone), Some(&newest));
            }
            let newest = put(&other, &Sample::new(41, round)).await;
            commit(&old, &Sample::new(30, round), IfCurrent(Some(newest)), ALL).await.must(fresh_look);
        }
    }
}

/// A backend refuses with `Unsupported` what it says it lacks, and nothing else.
pub async fn what_is_lacking_is_refused<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let first = put(&backend, &Sample::new(1, 0)).await;
    if !lacks::<T>(Capability::IfCurrent).await {
        let published = commit(&backend, &Sample::new(2, 0), IfCurrent(Some(first)), ALL).await;
        published.must("a backend that doesn't name `IfCurrent` as lacking has it");
    }
    if !lacks::<T>(Capability::IfNewer).await {
        let published = commit(&backend, &Sample::new(3, 0), IfNewer, ALL).await;
        published.must("a backend that doesn't name `IfNewer` as lacking has it");
    }
}

#[track_caller]
fn assert_stale(refused: Result<Committed>, expected_seq: u64, expected: &Generation) {
    match refused {
        Err(MiniSnapError::Stale { seq, current, .. }) => {
            assert_eq!(seq, expected_seq, "`Stale` names the seq that was to be published");
            assert_eq!(&current, expected, "`Stale` names the generation that is current");
            assert_eq!(current.seq(), expected.seq(), "`Stale` names the current seq");
        }
        other => panic!("`IfNewer` with seq {expected_seq} over seq {} is `Stale`, not {other:?}", expected.seq()),
    }
}

#[track_caller]
fn assert_conflict(refused: Result<Committed>, demanded: Option<&Generation>, found: Option<&Generation>) {
    match refused {
        Err(MiniSnapError::Conflict { expected, current, .. }) => {
            assert_eq!(expected.as_ref(), demanded, "`Conflict` names the generation that was demanded");
            assert_eq!(current.as_ref(), found, "`Conflict` names the generation that is current");
            assert_eq!(current.map(|current| current.seq()), found.map(Generation::seq), "and its seq");
        }
        other => panic!("`IfCurrent({demanded:?})` over {found:?} is a `Conflict`, not {other:?}"),
    }
}

/// The generation that `Stale` names is current and retained on the medium, for whoever opens the store next.
pub async fn stale_names_a_durable_generation<T: StoreUnderTest>() {
    if lacks::<T>(Capability::IfNewer).await {
        return;
    }
    let store = T::fresh().await;
    for seq in 10..14 {
        let (writer, late) = (store.open().await, store.open().await);
        let sample = Sample::new(seq, seq);
        put(&writer, &sample).await;
        let refused = commit(&late, &Sample::new(seq, 99), IfNewer, retain(1)).await;
        let Err(MiniSnapError::Stale { current: named, .. }) = refused else {
            panic!("the same seq again is `Stale`, not: {refused:?}");
        };
        drop((writer, late));
        let reopened = store.open().await;
        assert_eq!(history(&reopened).await.first(), Some(&named), "what `Stale` names is durable");
        assert_bytes(&read(&reopened, &named).await, &sample.json, "what `Stale` names can be read");
    }
}
