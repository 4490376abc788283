//! Hook `corrupt`: a read detects corruption, and names the intact generations.

use super::{Hook, StoreUnderTest, support::*};
use crate::{CommitOptions, Generation, MiniSnapError, Operation, Precondition, Result};

/// The generations of the store of a case, before any of them is corrupt.
const GENERATIONS: usize = 4;

/// A store with some corrupt generations. The handle was opened after they became corrupt.
struct CorruptStore<T> {
    store: T,
    backend: Handle,
    /// All generations, newest first.
    generations: Vec<Generation>,
    /// The corrupt generations, newest first.
    corrupt: Vec<Generation>,
}

impl<T: StoreUnderTest> CorruptStore<T> {
    /// Creates a store of four generations. Corrupts those at the indices `corrupt`, which are counted from the newest on.
    async fn new(corrupt: &[usize]) -> Self {
        let store = T::fresh().await;
        let backend = store.open().await;
        let mut generations = commit_all(&backend, &[5, 2, 8]).await;
        generations.push(commit_always(&backend, &Sample::large::<T>(9, 9, 2 << 20)).await);
        assert_eq!(generations.len(), GENERATIONS);
        generations.reverse();
        drop(backend);
        let corrupt: Vec<Generation> = corrupt.iter().map(|&index| generations[index].clone()).collect();
        for generation in &corrupt {
            Hook::Corrupt.must(store.corrupt(generation).await);
        }
        let backend = store.open().await;
        Self { store, backend, generations, corrupt }
    }

    /// The intact generations, newest first.
    fn intact(&self) -> Vec<Generation> {
        self.generations.iter().filter(|generation| !self.corrupt.contains(generation)).cloned().collect()
    }

    /// Asserts that the intact generations are listed and readable, and that the corrupt ones aren't readable.
    async fn assert_intact_ones(&self, promise: &str) {
        for backend in [&self.backend, &self.store.open().await] {
            let listed = history(backend).await;
            for generation in self.intact() {
                assert!(listed.contains(&generation), "{promise}: {generation} isn't in the history any more");
                assert_pair(&generation, &backend.read(&generation).await.must(promise));
            }
            for generation in &self.corrupt {
                let read = backend.read(generation).await.map(|json| json.len());
                assert!(read.is_err(), "corrupt bytes are never returned; of {generation}: {read:?}");
            }
        }
    }
}

/// A read of a corrupt generation returns `Corrupt`, which names the location. The current generation and older ones are checked.
pub async fn read_of_a_corrupt_generation_is_corrupt<T: StoreUnderTest>() {
    for index in 0..GENERATIONS {
        let corrupt = CorruptStore::<T>::new(&[index]).await;
        let generation = &corrupt.corrupt[0];
        // A caller may know the name and the sequence number alone.
        for asked in [generation.clone(), Generation::new(generation.name(), generation.seq())] {
            let read = corrupt.backend.read(&asked).await;
            let error = assert_corrupt(read.map(|json| json.len()), &asked);
            assert_names_location(&error, &corrupt.backend, Operation::Read);
        }
    }
}

/// The error lists exactly the other intact generations, newest first, so that the caller can fall back to one of them.
pub async fn corrupt_error_lists_the_intact_generations<T: StoreUnderTest>() {
    for indices in [&[0][..], &[2], &[0, 1], &[0, 2, 3], &[0, 1, 2, 3]] {
        let corrupt = CorruptStore::<T>::new(indices).await;
        for generation in &corrupt.corrupt {
            let read = corrupt.store.open().await.read(generation).await;
            let MiniSnapError::Corrupt { intact, .. } = assert_corrupt(read.map(|json| json.len()), generation) else {
                unreachable!("asserted before");
            };
            assert_eq!(
                intact,
                corrupt.intact(),
                "`Corrupt` of {generation} lists exactly the other intact generations, newest first"
            );
        }
    }
}

/// A stream of a corrupt generation ends with `Corrupt`, and never with a clean end.
pub async fn stream_of_a_corrupt_generation_ends_with_an_error<T: StoreUnderTest>() {
    for index in 0..GENERATIONS {
        let corrupt = CorruptStore::<T>::new(&[index]).await;
        let generation = &corrupt.corrupt[0];
        for asked in [generation.clone(), Generation::new(generation.name(), generation.seq())] {
            let error = assert_corrupt(stream(&corrupt.backend, &asked).await, &asked);
            assert_names_location(&error, &corrupt.backend, Operation::Read);
        }
        for intact in corrupt.intact() {
            stream(&corrupt.backend, &intact).await.must("an intact generation can be streamed");
        }
    }
}

/// A verification reports each corrupt generation with its location, and no other one. It is no error.
pub async fn verification_names_the_corrupt_generations<T: StoreUnderTest>() {
    for indices in [&[0][..], &[3], &[1, 2], &[0, 1, 2, 3]] {
        let corrupt = CorruptStore::<T>::new(indices).await;
        let found = corrupt.backend.verify().await.must("a store with corrupt generations can be verified");
        assert!(!found.is_intact(), "a store with corrupt generations isn't reported intact: {found:?}");
        let listed: Vec<_> = found.generations.iter().map(|verified| verified.generation.clone()).collect();
        assert_eq!(listed, corrupt.generations, "a verification lists every retained generation, newest first");
        for verified in &found.generations {
            let is_corrupt = corrupt.corrupt.contains(&verified.generation);
            assert_eq!(
                verified.is_intact(),
                !is_corrupt,
                "a verification reports exactly the corrupt generations; {verified:?}, corrupt: {is_corrupt}"
            );
            if let Some(problem) = &verified.problem {
                let location = corrupt.backend.location();
                assert!(problem.location.contains(location), "a problem names the location, {location}: {problem}");
            }
        }
        assert_eq!(found.newest_intact(), corrupt.intact().first(), "the newest intact generation is found");
    }
}

/// The current generation and the history stay the same, and the other generations stay readable.
pub async fn corrupt_generation_stays_in_the_history<T: StoreUnderTest>() {
    for index in 0..GENERATIONS {
        let corrupt = CorruptStore::<T>::new(&[index]).await;
        let promise = "the other generations of a store with a corrupt one can be read";
        for _ in 0..2 {
            let found = current(&corrupt.backend).await;
            assert_eq!(found.as_ref(), corrupt.generations.first(), "a corrupt JSON doesn't change what is current");
            let found = history(&corrupt.backend).await;
            assert_eq!(found, corrupt.generations, "a corrupt JSON doesn't change the history");
            corrupt.assert_intact_ones(promise).await;
        }
    }
}

/// The next commit succeeds, also over a corrupt current generation, and the intact generations stay retained.
pub async fn commit_over_a_corrupt_generation_preserves_intact_ones<T: StoreUnderTest>() {
    for (seq, indices) in (10..).zip([&[0][..], &[1], &[0, 1, 2]]) {
        let corrupt = CorruptStore::<T>::new(indices).await;
        // Half of the rounds commit through a handle that has detected the corruption.
        if seq % 2 == 0 {
            let read = corrupt.backend.read(&corrupt.corrupt[0]).await;
            assert_corrupt(read.map(|json| json.len()), &corrupt.corrupt[0]);
        }
        let sample = Sample::new(seq, 1);
        let committed = commit(&corrupt.backend, &sample, Precondition::Always, RETAIN_ALL).await;
        let committed = committed.must("a commit over a corrupt generation succeeds").generation().clone();
        assert_eq!(current(&corrupt.backend).await.as_ref(), Some(&committed), "a committed generation is current");
        assert_pair(&committed, &read(&corrupt.backend, &committed).await);
        corrupt.assert_intact_ones("a commit preserves the intact generations of a store with a corrupt one").await;
    }
}

/// A collection preserves the intact generations of a store with corrupt ones, and what a writer has staged before.
pub async fn collecting_preserves_intact_ones_of_a_corrupt_store<T: StoreUnderTest>() {
    for indices in [&[0][..], &[1], &[0, 2]] {
        let corrupt = CorruptStore::<T>::new(indices).await;
        let promise = "a collection preserves the intact generations of a store with a corrupt one";
        for backend in [&corrupt.store.open().await, &corrupt.backend] {
            backend.collect_garbage().await.must("garbage of a store with a corrupt generation can be collected");
            corrupt.assert_intact_ones(promise).await;
        }
        let staged = stage(&corrupt.backend, &Sample::new(10, 0)).await.must("a stage can be opened");
        staged.commit(CommitOptions::new(RETAIN_ALL)).await.must("a commit over a corrupt generation succeeds");
        corrupt.assert_intact_ones(promise).await;
    }
}

/// Asserts that a read or a stream of `generation` is `Corrupt`. Returns the error.
#[track_caller]
fn assert_corrupt(read: Result<usize>, generation: &Generation) -> MiniSnapError {
    match read {
        Err(error @ MiniSnapError::Corrupt { .. }) => error,
        Ok(bytes) => panic!("corrupt bytes are never returned as intact; of {generation} came {bytes} bytes"),
        Err(error) => panic!("a read of a corrupt generation is `Corrupt`; of {generation}: {}", with_causes(&error)),
    }
}

/// The size of a generation that is streamed to its end.
async fn stream(backend: &Handle, generation: &Generation) -> Result<usize> {
    let mut chunks = backend.read_chunks(generation).await?;
    let mut size = 0;
    while let Some(chunk) = chunks.next().await {
        size += chunk?.len();
    }
    Ok(size)
}
