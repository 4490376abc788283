//! Shared by the cases: sample states, commits, reads, and assertions.

pub(super) use super::concurrent::{Task, Yields, handles, run_concurrently};
use super::{Capability, StoreUnderTest};
use crate::{
    CommitOptions, Committed, Digest, ErrorContext, Generation, MiniSnapError, Operation, Precondition, Result,
    SnapshotBackend, StagedSnapshot,
};
use bytes::Bytes;
use std::{error::Error, num::NonZeroUsize, sync::Arc, time::Duration};

/// A handle on the store.
pub(super) type Handle = Arc<dyn SnapshotBackend>;

/// The smallest [`StoreUnderTest::max_size`].
const MIN_MAX_SIZE: usize = 64 << 10;

/// The `retain` of commits after which nothing expires. The largest number has a case of its own.
pub(super) const RETAIN_ALL: NonZeroUsize = retain(1_000);

/// The maximal number of stages of a sample, if each of them is lost.
pub(super) const MAX_STAGES: usize = 100;

/// How often a case checks whether garbage was deleted in the background. The pauses between the checks add up to ten seconds.
const ATTEMPTS: u32 = 30;

/// Converts a number of generations to the type that the trait takes.
pub(super) const fn retain(generations: usize) -> NonZeroUsize {
    NonZeroUsize::new(generations).expect("a store retains at least one generation")
}

/// Unwraps a result that the contract requires to be `Ok`.
pub(super) trait ContractResult<T> {
    /// The value, or a panic with the violated `promise` and the error.
    fn must(self, promise: &str) -> T;
}

impl<T> ContractResult<T> for Result<T> {
    #[track_caller]
    fn must(self, promise: &str) -> T {
        self.unwrap_or_else(|error| panic!("{promise}; but: {}", with_causes(&error)))
    }
}

/// The text of an error with its causes: that of `Backend` and `Io` says little without them.
pub(super) fn with_causes(error: &MiniSnapError) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// A state whose JSON holds its seq, a tag, and a filling made of both. A mixed or truncated JSON is detected by this content.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) seq: u64,
    pub(super) json: Bytes,
}

impl Sample {
    /// The sample of `seq` and `tag`. The tag distinguishes samples of the same seq. Sizes vary with the tag, up to 20 KB.
    pub(super) fn new(seq: u64, tag: u64) -> Self {
        Self::sized(seq, tag, usize::try_from(tag.wrapping_mul(7_919) % 20_000).unwrap_or(0))
    }

    /// The sample of `seq` and `tag` with a filling of `size` bytes. Its characters have one to four bytes, so that pieces of it begin
    /// and end in the middle of characters.
    pub(super) fn sized(seq: u64, tag: u64, size: usize) -> Self {
        let unit = format!("{seq}.{tag};é→𝄞");
        let mut filling = unit.repeat(size / unit.len());
        let rest: String = unit.chars().take_while(|character| character.is_ascii()).collect();
        filling.extend(rest.chars().cycle().take(size % unit.len()));
        let json = format!("{{\n  \"seq\": {seq},\n  \"tag\": {tag},\n  \"filling\": \"{filling}\"\n}}");
        Self { seq, json: json.into() }
    }

    /// The sample of `seq` and `tag` with a filling of `size` bytes, or of the largest size that the store takes.
    pub(super) fn large<T: StoreUnderTest>(seq: u64, tag: u64, size: usize) -> Self {
        let Some(max) = T::max_size() else { return Self::sized(seq, tag, size) };
        assert!(max >= MIN_MAX_SIZE, "a store takes a JSON of {MIN_MAX_SIZE} bytes; its `max_size` is {max}");
        let around = Self::sized(seq, tag, 0).json.len();
        Self::sized(seq, tag, size.min(max - around))
    }

    /// A sample with arbitrary bytes.
    pub(super) fn of(seq: u64, json: impl Into<Bytes>) -> Self {
        Self { seq, json: json.into() }
    }

    /// Parses the bytes of a sample; `None` if they aren't exactly the bytes of a sample.
    fn parse(json: &[u8]) -> Option<Self> {
        let value: serde_json::Value = serde_json::from_slice(json).ok()?;
        let size = value["filling"].as_str()?.len();
        Some(Self::sized(value["seq"].as_u64()?, value["tag"].as_u64()?, size)).filter(|sample| sample.json == json)
    }
}

/// Asserts that `json` is a complete sample with the seq of `generation`.
#[track_caller]
pub(super) fn assert_pair(generation: &Generation, json: &[u8]) {
    let Some(sample) = Sample::parse(json) else {
        panic!("a reader gets the complete JSON as it was written; of {generation} it got {}", excerpt(json));
    };
    assert_eq!(
        sample.seq,
        generation.seq(),
        "a JSON is never returned with another generation's seq: {generation} has seq {}, its JSON is of seq {}",
        generation.seq(),
        sample.seq
    );
    assert_facts(generation, json);
}

/// Asserts that the size and the digest in `generation`, if any, are those of its `json`.
#[track_caller]
pub(super) fn assert_facts(generation: &Generation, json: &[u8]) {
    if let Some(size) = generation.size() {
        assert_eq!(size, json.len() as u64, "the size of a generation is that of its JSON: {generation}");
    }
    if let Some(digest) = generation.digest() {
        assert_eq!(digest, Digest::of(json), "the digest of a generation is that of its JSON: {generation}");
    }
}

/// Asserts that `json` is `expected`, without printing megabytes.
#[track_caller]
pub(super) fn assert_bytes(json: &[u8], expected: &[u8], promise: &str) {
    if json == expected {
        return;
    }
    let at = json.iter().zip(expected).take_while(|(found, expected)| found == expected).count();
    panic!("{promise}: expected {} bytes, read {}, first difference at byte {at}", expected.len(), json.len());
}

fn excerpt(json: &[u8]) -> String {
    format!("{} bytes: {}…", json.len(), json[..json.len().min(80)].escape_ascii())
}

/// Stages `sample`, written in one piece.
pub(super) async fn stage(backend: &Handle, sample: &Sample) -> Result<Box<dyn StagedSnapshot>> {
    let mut staged = backend.stage(sample.seq).await?;
    let at = || ErrorContext::new(Operation::Write, backend.location());
    staged.write_all(&sample.json).map_err(|error| MiniSnapError::from_write(error, at))?;
    staged.drain().await?;
    Ok(staged)
}

/// Stages and commits `sample`. After `StageLost` it repeats both, as the typed store does.
pub(super) async fn commit(
    backend: &Handle,
    sample: &Sample,
    precondition: Precondition,
    retain: NonZeroUsize,
) -> Result<Committed> {
    for _ in 0..MAX_STAGES {
        match stage(backend, sample)
            .await?
            .commit(CommitOptions::new(retain).with_precondition(precondition.clone()))
            .await
        {
            Err(MiniSnapError::StageLost { .. }) => {}
            Err(error) => return Err(error),
            Ok(committed) => {
                assert_committed(&committed, sample, retain);
                return Ok(committed);
            }
        }
    }
    panic!("a commit succeeds when it is staged again after `StageLost`; it failed {MAX_STAGES} times");
}

/// Commits a stage of `sample`. After `StageLost` it stages and commits `sample` again: a collection of another handle may take the stage
/// for an orphan.
pub(super) async fn commit_or_stage_again(
    staged: Box<dyn StagedSnapshot>,
    backend: &Handle,
    sample: &Sample,
    precondition: Precondition,
    retain: NonZeroUsize,
) -> Result<Committed> {
    match staged.commit(CommitOptions::new(retain).with_precondition(precondition.clone())).await {
        Err(MiniSnapError::StageLost { .. }) => commit(backend, sample, precondition, retain).await,
        result => result,
    }
}

/// Commits `sample` unconditionally. Nothing expires.
pub(super) async fn commit_always(backend: &Handle, sample: &Sample) -> Generation {
    let committed = commit(backend, sample, Precondition::Always, RETAIN_ALL).await;
    committed.must("a commit with `Always` is never refused").generation().clone()
}

/// Commits a sample of each seq, in that order, with tags from 0 on.
pub(super) async fn commit_all(backend: &Handle, seqs: &[u64]) -> Vec<Generation> {
    let mut generations = Vec::new();
    for (tag, &seq) in (0..).zip(seqs) {
        generations.push(commit_always(backend, &Sample::new(seq, tag)).await);
    }
    generations
}

/// Asserts the properties that every `Committed` has.
#[track_caller]
pub(super) fn assert_committed(committed: &Committed, sample: &Sample, retain: NonZeroUsize) {
    let (generation, retained) = (committed.generation(), committed.retained());
    assert_eq!(generation.seq(), sample.seq, "a committed generation has the seq of its stage");
    assert_facts(generation, &sample.json);
    assert_eq!(retained.first(), Some(generation), "the committed generation is the newest retained one");
    assert!(retained.len() <= retain.get(), "at most `retain` ({retain}) are retained, not {}", retained.len());
    assert_eq!(
        Some(committed.truncation_point()),
        retained.iter().map(Generation::seq).min(),
        "the log can be truncated through the smallest retained seq"
    );
}

/// The current generation.
pub(super) async fn current(backend: &Handle) -> Option<Generation> {
    match backend.current().await {
        // The trait allows both for a store without a snapshot.
        Err(MiniSnapError::NotFound { .. }) => None,
        found => found.must("the current generation can be looked up at any time"),
    }
}

/// The retained generations.
pub(super) async fn history(backend: &Handle) -> Vec<Generation> {
    backend.history().await.must("the history can be looked up at any time")
}

/// The JSON of a retained generation.
pub(super) async fn read(backend: &Handle, generation: &Generation) -> Bytes {
    let json = backend.read(generation).await.must("a retained generation can be read");
    assert_facts(generation, &json);
    json
}

/// The content of a store without concurrent commits: name, seq and digest of each retained generation, newest first.
#[derive(Debug, PartialEq)]
pub(super) struct StoreState(Vec<(String, u64, Digest)>);

impl StoreState {
    /// Reads a store without concurrent commits.
    pub(super) async fn of(backend: &Handle) -> Self {
        let history = history(backend).await;
        assert_eq!(
            current(backend).await.as_ref(),
            history.first(),
            "the current generation is the head of the history"
        );
        let mut state = Vec::new();
        for generation in &history {
            let json = read(backend, generation).await;
            state.push((generation.name().to_owned(), generation.seq(), Digest::of(&json)));
        }
        Self(state)
    }

    /// Asserts that `backend` still returns this state.
    pub(super) async fn assert_unchanged(&self, backend: &Handle, promise: &str) {
        assert_eq!(&Self::of(backend).await, self, "{promise} (left: now, right: before)");
    }
}

/// Commits until the store has no garbage. Several commits are allowed: a cancelled future's work may end a little later, and an
/// object store deletes with the next commit.
pub(super) async fn assert_commits_collect<T: StoreUnderTest>(store: &T, backend: &Handle, garbage: &str) {
    let seq = current(backend).await.map_or(0, |generation| generation.seq());
    for attempt in 0..ATTEMPTS {
        commit_always(backend, &Sample::new(seq, u64::from(attempt))).await;
        if store.garbage().await.is_empty() {
            return;
        }
        pause(attempt).await;
    }
    panic!("a later stage or commit removes {garbage}; there is still {:?}", store.garbage().await);
}

/// Collects until the store has no garbage.
pub(super) async fn assert_collection_removes<T: StoreUnderTest>(store: &T, backend: &Handle, garbage: &str) {
    for attempt in 0..ATTEMPTS {
        backend.collect_garbage().await.must("garbage can be collected at any time");
        if store.garbage().await.is_empty() {
            return;
        }
        pause(attempt).await;
    }
    panic!("`collect_garbage` removes {garbage}; there is still {:?}", store.garbage().await);
}

async fn pause(attempt: u32) {
    tokio::time::sleep(Duration::from_millis(1 << attempt.min(9))).await;
}

/// Whether the store lacks `capability`. If so, asserts first that the backend refuses it with `Unsupported`.
pub(super) async fn lacks<T: StoreUnderTest>(capability: Capability) -> bool {
    if !T::lacks().contains(&capability) {
        return false;
    }
    let store = T::fresh().await;
    let backend = store.open().await;
    let expected = commit_always(&backend, &Sample::new(10, 0)).await;
    let before = StoreState::of(&backend).await;
    let preconditions = match capability {
        Capability::IfNewer => vec![Precondition::IfNewer],
        Capability::IfCurrent => vec![Precondition::IfCurrent(Some(expected)), Precondition::IfCurrent(None)],
    };
    for precondition in preconditions {
        for seq in [5, 20] {
            let refused = commit(&backend, &Sample::new(seq, 1), precondition.clone(), retain(1)).await;
            assert!(
                matches!(refused, Err(MiniSnapError::Unsupported { .. })),
                "a backend that lacks {capability:?} refuses {precondition:?} with `Unsupported`, not: {refused:?}"
            );
            before.assert_unchanged(&backend, "a commit refused with `Unsupported` changes nothing").await;
        }
    }
    true
}

/// Asserts that `error` names the operation and the location.
#[track_caller]
pub(super) fn assert_names_location(error: &MiniSnapError, backend: &Handle, operation: Operation) {
    let location = error.at().location();
    assert_eq!(error.at().operation(), operation, "an error names the operation: {error}");
    assert!(location.contains(backend.location()), "an error names the location, {}: {error}", backend.location());
    assert!(error.to_string().contains(location), "an error's text names the location, {location}: {error}");
}
