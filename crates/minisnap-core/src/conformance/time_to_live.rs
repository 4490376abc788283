//! Hook `time_to_live`: what the medium deletes by itself after a time is never retained.

use super::{Hook, StoreUnderTest, support::*};
use crate::Precondition;

async fn end_times_to_live<T: StoreUnderTest>(store: &T) {
    Hook::TimeToLive.must(store.end_times_to_live().await);
}

/// After each time to live has ended, the retained generations are the same, and the next commit works.
pub async fn retained_generations_have_no_time_to_live<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    commit_all(&backend, &[1, 2]).await;
    // The data of a generation was a stage before, which may have a time to live.
    let large = commit_always(&backend, &Sample::large::<T>(3, 2, 6 << 20)).await;
    let small = commit(&backend, &Sample::new(4, 3), Precondition::Always, retain(3)).await;
    let small = small.must("a commit with `Always` is never refused").generation().clone();
    let before = StoreState::of(&backend).await;
    end_times_to_live(&store).await;
    for handle in [&backend, &store.open().await] {
        before.assert_unchanged(handle, "retained generations have no time to live").await;
    }
    let next = commit_always(&backend, &Sample::new(5, 4)).await;
    assert_eq!(history(&backend).await[..3], [next, small, large], "the history has no time to live");
}

/// A stage whose time to live has ended is committed completely, or it is `StageLost` and can be written again.
pub async fn stage_is_complete_or_lost_after_its_time_to_live<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    for (seq, size) in (1..).zip([0, 20_000, 6 << 20]) {
        let sample = Sample::large::<T>(seq, 0, size);
        let staged = stage(&backend, &sample).await.must("a stage can be opened");
        end_times_to_live(&store).await;
        let committed = commit_or_stage_again(staged, &backend, &sample, Precondition::Always, RETAIN_ALL).await;
        let generation = committed.must("a stage is committed or lost after its time to live").generation().clone();
        let promise = "a generation whose stage had a time to live is complete";
        assert_bytes(&read(&backend, &generation).await, &sample.json, promise);
        end_times_to_live(&store).await;
        assert_bytes(&read(&backend, &generation).await, &sample.json, promise);
    }
    assert_commits_collect(&store, &backend, "stages whose time to live has ended").await;
}
