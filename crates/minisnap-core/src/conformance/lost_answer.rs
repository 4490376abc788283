//! Hook `lost_answer`: the outcome of a commit without an answer is found out, or reported as unknown.

use super::{Capability, Hook, StoreUnderTest, support::*};
use crate::{Generation, MiniSnapError, Precondition, Result};
use std::num::NonZeroUsize;

/// A store, and a handle that loses the answer to its next commit.
struct LosingStore<T> {
    store: T,
    backend: Handle,
    /// The generations from before that commit, newest first.
    before: Vec<Generation>,
}

impl<T: StoreUnderTest> LosingStore<T> {
    async fn new(seqs: &[u64]) -> Self {
        let store = T::fresh().await;
        let mut before = commit_all(&store.open().await, seqs).await;
        before.reverse();
        let backend = Hook::LostAnswer.must(store.lose_next_answer().await);
        Self { store, backend, before }
    }

    /// Commits `sample`, and loses the answer. Asserts that the result is the truth or `OutcomeUnknown`. Returns the new generation, and
    /// whether the outcome was reported as unknown.
    async fn commit(&self, sample: &Sample, precondition: Precondition, retain: NonZeroUsize) -> (Generation, bool) {
        let result = commit(&self.backend, sample, precondition, retain).await.map(|done| done.generation().clone());
        let reader = self.store.open().await;
        let Some(new) = current(&reader).await.filter(|now| Some(now) != self.before.first()) else {
            panic!(
                "a commit whose answer is lost has taken effect; its result was {result:?}, and the old pair is current"
            );
        };
        let json = reader.read(&new).await.must("a generation whose commit got no answer can be read");
        assert_bytes(&json, &sample.json, "a generation whose commit got no answer is complete");
        assert_facts(&new, &json);
        let is_unknown = result.is_err();
        assert_truth(result, &new, self.before.first());
        (new, is_unknown)
    }
}

/// Asserts that `result` is the truth about the commit of `new` over `old`, or `OutcomeUnknown` that names both.
#[track_caller]
fn assert_truth(result: Result<Generation>, new: &Generation, old: Option<&Generation>) {
    match result {
        Ok(generation) => assert_eq!(&generation, new, "a commit returns the generation that it made current"),
        Err(MiniSnapError::OutcomeUnknown { generation, previous, .. }) => {
            assert_eq!(&generation, new, "`OutcomeUnknown` names the generation that was being committed");
            assert_eq!(generation.seq(), new.seq(), "`OutcomeUnknown` names the generation with its seq");
            assert_eq!(previous.as_ref(), old, "`OutcomeUnknown` names the generation that was current before");
        }
        Err(error) => panic!(
            "a commit that took effect returns `Ok` or `OutcomeUnknown`; any other error guarantees that the old pair \
             is untouched; but: {}",
            with_causes(&error)
        ),
    }
}

/// A commit whose answer is lost returns `Ok`, or `OutcomeUnknown` with the old and the new generation. It commits once.
pub async fn lost_answer_is_ok_or_outcome_unknown<T: StoreUnderTest>() {
    for seqs in [&[][..], &[5], &[5, 9, 7]] {
        let losing = LosingStore::<T>::new(seqs).await;
        let sample = Sample::large::<T>(8, 8, 100_000);
        let (new, _) = losing.commit(&sample, Precondition::Always, RETAIN_ALL).await;
        let mut expected = losing.before.clone();
        expected.insert(0, new);
        for backend in [&losing.backend, &losing.store.open().await] {
            assert_eq!(history(backend).await, expected, "a commit whose answer is lost is in the history once");
        }
    }
}

/// The same with preconditions: an attempt that is repeated inside the commit finds its own generation, and isn't refused because of it.
pub async fn lost_commit_never_conflicts_with_itself<T: StoreUnderTest>() {
    for (capability, number) in [(Capability::IfNewer, 0), (Capability::IfCurrent, 1), (Capability::IfCurrent, 2)] {
        if lacks::<T>(capability).await {
            continue;
        }
        let losing = LosingStore::<T>::new(if number == 2 { &[] } else { &[5, 7] }).await;
        let precondition = match capability {
            Capability::IfNewer => Precondition::IfNewer,
            Capability::IfCurrent => Precondition::IfCurrent(losing.before.first().cloned()),
        };
        losing.commit(&Sample::new(8, 1), precondition, RETAIN_ALL).await;
        assert_eq!(history(&losing.backend).await.len(), losing.before.len() + 1, "the commit is in the history once");
    }
}

/// After `OutcomeUnknown`, the new generation and every one that the commit retains stay readable, through every handle.
pub async fn lost_answer_loses_no_generation<T: StoreUnderTest>() {
    for retained in [RETAIN_ALL, retain(4), retain(2), retain(1)] {
        let losing = LosingStore::<T>::new(&[5, 9, 7]).await;
        let (new, is_unknown) = losing.commit(&Sample::new(8, 1), Precondition::Always, retained).await;
        for backend in [&losing.backend, &losing.store.open().await] {
            let listed = history(backend).await;
            // After an unknown outcome, a backend may retain more than the commit asked for.
            let least = retained.get().min(losing.before.len() + 1);
            assert!(
                listed.len() == least || is_unknown && listed.len() > least,
                "a commit whose answer is lost expires nothing that it retains ({retained}); {} are listed",
                listed.len()
            );
            assert_eq!(listed[0], new, "a commit whose answer is lost stays current");
            let older: Vec<_> = losing.before.iter().take(listed.len().saturating_sub(1)).cloned().collect();
            assert_eq!(listed.get(1..), Some(&older[..]), "the older ones are listed, newest first");
            for generation in &listed {
                let json = backend.read(generation).await;
                assert_pair(generation, &json.must("nothing is deleted after an unknown outcome"));
            }
        }
    }
}

/// After a lost answer, the same handle and others commit over the new generation, and no garbage stays.
pub async fn commits_continue_after_a_lost_answer<T: StoreUnderTest>() {
    let if_current = !lacks::<T>(Capability::IfCurrent).await;
    for handle in 0..2 {
        let losing = LosingStore::<T>::new(&[5, 9]).await;
        let (new, _) = losing.commit(&Sample::new(8, 1), Precondition::Always, retain(3)).await;
        let other = losing.store.open().await;
        let backend = if handle == 0 { &losing.backend } else { &other };
        let precondition = if if_current { Precondition::IfCurrent(Some(new.clone())) } else { Precondition::Always };
        let next = commit(backend, &Sample::new(6, 2), precondition, retain(3)).await;
        let next = next.must("a commit succeeds after one whose answer was lost").generation().clone();
        let expected = [next, new, losing.before[0].clone()];
        for backend in [&losing.backend, &other] {
            assert_eq!(history(backend).await, expected, "the next commit is over the one whose answer was lost");
            for generation in &expected {
                assert_pair(generation, &read(backend, generation).await);
            }
        }
        assert_commits_collect(&losing.store, backend, "what a commit left whose answer was lost").await;
    }
}
