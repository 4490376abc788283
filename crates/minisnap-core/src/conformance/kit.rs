//! What the cases share: samples that are recognised when they come back, handles on a store, and looks at it.

use super::{Capability, StoreUnderTest};
use crate::{
    CommitOptions, Committed, Digest, ErrorContext, Generation, MiniSnapError, Operation, Precondition, Result,
    SnapshotBackend, StagedSnapshot,
};
use bytes::Bytes;
use std::{future::Future, num::NonZeroUsize, pin::Pin, sync::Arc, time::Duration};
use tokio::task::{JoinSet, yield_now};

/// A handle on the store.
pub(super) type Handle = Arc<dyn SnapshotBackend>;

/// For `keep` where nothing is to be retired. Not the largest number: that one has a case of its own.
pub(super) const ALL: NonZeroUsize = retain(1_000);

/// How often a publish may answer `StageLost` before that counts as never publishing.
const RESTAGES: usize = 100;

/// How often something that goes away in the background is looked for. With the pauses, ten seconds at least.
const LOOKS: u32 = 30;

/// `keep` as the trait takes it.
pub(super) const fn retain(generations: usize) -> NonZeroUsize {
    NonZeroUsize::new(generations).expect("a store keeps at least one generation")
}

/// Unwraps what the store promised.
pub(super) trait Must<T> {
    /// The value, or a panic with the `promise` that was broken and the error that broke it.
    fn must(self, promise: &str) -> T;
}

impl<T> Must<T> for Result<T> {
    #[track_caller]
    fn must(self, promise: &str) -> T {
        self.unwrap_or_else(|error| panic!("{promise}; but: {error}"))
    }
}

/// A state whose JSON tells which it is, and whether it is whole: it holds its own seq, a tag, and a filling made of both.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) seq: u64,
    pub(super) json: Bytes,
}

impl Sample {
    /// The sample of `seq` and `tag`, which tells samples of the same seq apart. Sizes vary with the tag, up to 20 KB.
    pub(super) fn new(seq: u64, tag: u64) -> Self {
        Self::sized(seq, tag, usize::try_from(tag.wrapping_mul(7_919) % 20_000).unwrap_or(0))
    }

    /// The same with a filling of `size` bytes.
    pub(super) fn sized(seq: u64, tag: u64, size: usize) -> Self {
        let grain = format!("{seq}.{tag};");
        let mut filling = grain.repeat(size.div_ceil(grain.len()));
        filling.truncate(size);
        let json = format!("{{\n  \"seq\": {seq},\n  \"tag\": {tag},\n  \"filling\": \"{filling}\"\n}}");
        Self { seq, json: json.into() }
    }

    /// A state with any bytes.
    pub(super) fn of(seq: u64, json: impl Into<Bytes>) -> Self {
        Self { seq, json: json.into() }
    }

    /// The sample that has exactly these bytes, if there is one.
    fn recognise(json: &[u8]) -> Option<Self> {
        let value: serde_json::Value = serde_json::from_slice(json).ok()?;
        let size = value["filling"].as_str()?.len();
        Some(Self::sized(value["seq"].as_u64()?, value["tag"].as_u64()?, size)).filter(|sample| sample.json == json)
    }
}

/// Asserts that `json` is a whole sample and the one of `generation`'s seq.
#[track_caller]
pub(super) fn assert_pair(generation: &Generation, json: &[u8]) {
    let Some(sample) = Sample::recognise(json) else {
        panic!("a reader gets a JSON as it was written, and whole; of {generation} it got {}", excerpt(json));
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

/// Asserts that what is known of `generation` is true of its `json`.
#[track_caller]
pub(super) fn assert_facts(generation: &Generation, json: &[u8]) {
    if let Some(size) = generation.size() {
        assert_eq!(size, json.len() as u64, "where the size of a generation is known, it is right: {generation}");
    }
    if let Some(digest) = generation.digest() {
        assert_eq!(digest, Digest::of(json), "where the digest of a generation is known, it is right: {generation}");
    }
}

/// Asserts that `json` is `expected`, without printing megabytes.
#[track_caller]
pub(super) fn assert_bytes(json: &[u8], expected: &[u8], promise: &str) {
    if json == expected {
        return;
    }
    let at = json.iter().zip(expected).take_while(|(one, other)| one == other).count();
    panic!("{promise}: of {} bytes came back {}, the first difference at {at}", expected.len(), json.len());
}

fn excerpt(json: &[u8]) -> String {
    format!("{} bytes: {}…", json.len(), json[..json.len().min(80)].escape_ascii())
}

/// As many handles as asked for, for those who publish side by side: every second one is `shared`, the others are their own.
pub(super) async fn handles<T: StoreUnderTest>(store: &T, shared: &Handle, count: usize) -> Vec<Handle> {
    let mut handles = Vec::new();
    for shares in [true, false].into_iter().cycle().take(count) {
        handles.push(if shares { shared.clone() } else { store.open().await });
    }
    handles
}

/// Stages `sample` and writes it, in one piece.
pub(super) async fn stage(backend: &Handle, sample: &Sample) -> Result<Box<dyn StagedSnapshot>> {
    let mut staged = backend.stage(sample.seq).await?;
    let at = || ErrorContext::new(Operation::Write, backend.location());
    staged.write_all(&sample.json).map_err(|error| MiniSnapError::from_write(error, at))?;
    staged.drain().await?;
    Ok(staged)
}

/// Stages `sample` and publishes it; again, as the typed store does, if the backend answers `StageLost`.
pub(super) async fn commit(
    backend: &Handle,
    sample: &Sample,
    when: Precondition,
    retain: NonZeroUsize,
) -> Result<Committed> {
    for _ in 0..RESTAGES {
        match stage(backend, sample).await?.commit(CommitOptions::new(retain).with_precondition(when.clone())).await {
            Err(MiniSnapError::StageLost { .. }) => {}
            Err(error) => return Err(error),
            Ok(published) => {
                assert_published(&published, sample, retain);
                return Ok(published);
            }
        }
    }
    panic!("writing again after `StageLost` leads somewhere; {RESTAGES} times it led to `StageLost`");
}

/// Publishes `sample` whatever is current, and retires nothing.
pub(super) async fn put(backend: &Handle, sample: &Sample) -> Generation {
    let published = commit(backend, sample, Precondition::Always, ALL).await;
    published.must("a publish with `Always` is never refused").generation().clone()
}

/// Publishes a sample of each seq, in that order, with tags from 0 on.
pub(super) async fn put_all(backend: &Handle, seqs: &[u64]) -> Vec<Generation> {
    let mut generations = Vec::new();
    for (tag, &seq) in (0..).zip(seqs) {
        generations.push(put(backend, &Sample::new(seq, tag)).await);
    }
    generations
}

/// Asserts what holds of every `Committed`.
#[track_caller]
pub(super) fn assert_published(published: &Committed, sample: &Sample, retain: NonZeroUsize) {
    let (generation, retained) = (published.generation(), published.retained());
    assert_eq!(generation.seq(), sample.seq, "what was published has the seq that was staged");
    assert_facts(generation, &sample.json);
    assert_eq!(retained.first(), Some(generation), "what was published is the newest of the retained");
    assert!(retained.len() <= retain.get(), "at most `keep` ({retain}) are retained, not {}", retained.len());
    assert_eq!(
        Some(published.truncation_point()),
        retained.iter().map(Generation::seq).min(),
        "the log may be cut at the smallest retained seq, not above it"
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

/// The JSON of a generation that is retained.
pub(super) async fn read(backend: &Handle, generation: &Generation) -> Bytes {
    let json = backend.read(generation).await.must("a retained generation can be read");
    assert_facts(generation, &json);
    json
}

/// Everything that can be seen of a store at rest: name, seq and digest of what is retained, newest first.
#[derive(Debug, PartialEq)]
pub(super) struct Picture(Vec<(String, u64, Digest)>);

impl Picture {
    /// Looks at a store that nobody is publishing to.
    pub(super) async fn of(backend: &Handle) -> Self {
        let history = history(backend).await;
        assert_eq!(
            current(backend).await.as_ref(),
            history.first(),
            "the current generation is the head of the history"
        );
        let mut picture = Vec::new();
        for generation in &history {
            let json = read(backend, generation).await;
            picture.push((generation.name().to_owned(), generation.seq(), Digest::of(&json)));
        }
        Self(picture)
    }

    /// Asserts that `backend` looks the same as it did then.
    pub(super) async fn assert_unchanged(&self, backend: &Handle, promise: &str) {
        assert_eq!(&Self::of(backend).await, self, "{promise} (left: now, right: before)");
    }
}

/// Publishes until nothing is left but what belongs there. The first publish should do; but what a cancelled future left
/// running may come to its end a little later, and an object store deletes with the next publish.
pub(super) async fn assert_cleaned_by_publishing<T: StoreUnderTest>(store: &T, backend: &Handle, remains: &str) {
    let seq = current(backend).await.map_or(0, |generation| generation.seq());
    for look in 0..LOOKS {
        put(backend, &Sample::new(seq, u64::from(look))).await;
        if store.garbage().await.is_empty() {
            return;
        }
        pause(look).await;
    }
    panic!("a later stage or publish removes {remains}; there is still {:?}", store.garbage().await);
}

/// Sweeps until nothing is left but what belongs there.
pub(super) async fn assert_cleaned_by_sweeping<T: StoreUnderTest>(store: &T, backend: &Handle, remains: &str) {
    for look in 0..LOOKS {
        backend.collect_garbage().await.must("sweeping works at any time");
        if store.garbage().await.is_empty() {
            return;
        }
        pause(look).await;
    }
    panic!("`sweep` removes {remains}, now; there is still {:?}", store.garbage().await);
}

async fn pause(look: u32) {
    tokio::time::sleep(Duration::from_millis(1 << look.min(9))).await;
}

/// Whether the store lacks `capability`; if so, after asserting that it says so and does nothing weaker.
pub(super) async fn lacks<T: StoreUnderTest>(capability: Capability) -> bool {
    if !T::lacks().contains(&capability) {
        return false;
    }
    let store = T::fresh().await;
    let backend = store.open().await;
    let expected = put(&backend, &Sample::new(10, 0)).await;
    let before = Picture::of(&backend).await;
    let preconditions = match capability {
        Capability::IfNewer => vec![Precondition::IfNewer],
        Capability::IfCurrent => vec![Precondition::IfCurrent(Some(expected)), Precondition::IfCurrent(None)],
    };
    for when in preconditions {
        for seq in [5, 20] {
            let refused = commit(&backend, &Sample::new(seq, 1), when.clone(), retain(1)).await;
            assert!(
                matches!(refused, Err(MiniSnapError::Unsupported { .. })),
                "a backend that lacks {capability:?} refuses {when:?} with `Unsupported`, not: {refused:?}"
            );
            before.assert_unchanged(&backend, "a publish refused with `Unsupported` changes nothing").await;
        }
    }
    true
}

/// A task of [`together`].
pub(super) type Task<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Lets others go on for a number of turns that keeps changing, but is the same each time the suite is run. Where tasks take
/// turns, two that repeat their steps evenly would meet at the same few points for ever.
pub(super) struct Pace(u64);

impl Pace {
    /// A pace of its own for each `seed`.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// One turn to eight.
    pub(super) async fn pause(&mut self) {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        for _ in 0..=(self.0 >> 61) {
            yield_now().await;
        }
    }
}

/// Runs tasks side by side and gives their results, in order. The first to panic ends it.
pub(super) async fn together<F>(tasks: impl IntoIterator<Item = F>) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let mut running = JoinSet::new();
    for (index, task) in tasks.into_iter().enumerate() {
        running.spawn(async move { (index, task.await) });
    }
    let mut results = Vec::new();
    while let Some(joined) = running.join_next().await {
        match joined {
            Ok(result) => results.push(result),
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Asserts that `error` says what was being done, and where.
#[track_caller]
pub(super) fn assert_names_place(error: &MiniSnapError, backend: &Handle, operation: Operation) {
    let location = error.at().location();
    assert_eq!(error.at().operation(), operation, "an error names the operation: {error}");
    assert!(location.contains(backend.location()), "an error names the location, {}: {error}", backend.location());
    assert!(error.to_string().contains(location), "an error's text names the location, {location}: {error}");
}
