//! Large states: uploads in parts that fail, are given up, or whose last answer is lost.

use minisnap_core::{Digest, MiniSnapError, Operation, Precondition, SnapshotBackend, StagedSnapshot};
use minisnap_object::{
    ObjectBackend,
    object_store::{
        CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
        PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart, memory::InMemory, path::Path,
    },
};
use minisnap_s3_server::{Conditions, S3Server};
use std::{
    fmt, fs,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use support::servers;

mod support;

const KEEP: NonZeroUsize = NonZeroUsize::new(2).expect("it is not zero");
const PART: usize = 5 << 20;

/// Bytes that tell where they are.
fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|at| u8::try_from((at / 7 + at / 4_099) % 251).expect("a byte")).collect()
}

fn files_in(folder: &std::path::Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { files_in(&entry.path()) } else { 1 }).sum()
}

#[tokio::test]
async fn every_size_around_a_part_comes_back_over_http() {
    let store = servers::s3s();
    let backend = ObjectBackend::new(store, "sizes").with_part_size(PART).with_parts_in_flight(2);
    for (seq, size) in (1..).zip([0, 1, PART - 1, PART, PART + 1, 2 * PART, 2 * PART + 1, 3 * PART + 17]) {
        let json = bytes(size);
        let mut staged = backend.stage(seq).await.expect("a stage");
        staged.write_all(&json).expect("a stage takes bytes");
        let published = staged.publish(Precondition::Always, KEEP).await.expect("a publish");
        assert_eq!(published.generation().digest(), Some(Digest::of(&json)));
        let back = backend.read(published.generation()).await.expect("the JSON");
        assert!(back == json, "{size} bytes came back as {} others", back.len());
    }
}

#[tokio::test]
async fn a_dropped_stage_aborts_its_upload() {
    let server = S3Server::start(Conditions::Atomic);
    let backend = ObjectBackend::new(servers::client_of(&server), "app").with_part_size(PART).with_parts_in_flight(2);
    // The first stage checks the store, which leaves files.
    drop(backend.stage(0).await.expect("a stage"));
    let before = files_in(server.parts_folder());
    let mut staged = backend.stage(1).await.expect("a stage");
    for _ in 0..4 {
        staged.write_all(&bytes(PART)).expect("a stage takes bytes");
        staged.drain().await.expect("room");
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    let wait = async |what: &str, so: &dyn Fn(usize) -> bool| {
        while !so(files_in(server.parts_folder()) - before) {
            assert!(Instant::now() < deadline, "{what}: {} parts", files_in(server.parts_folder()) - before);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    wait("parts go out while the rest is written", &|parts| parts >= 2).await;
    drop(staged);
    wait("they are removed when the stage is dropped", &|parts| parts == 0).await;
}

#[tokio::test]
async fn what_a_refused_or_dropped_publish_uploaded_is_removed_without_waiting_for_a_sweep() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let backend = ObjectBackend::new(store.clone(), "app").with_part_size(100);
    let deadline = Instant::now() + Duration::from_secs(30);
    let wait_until_tidy = async |what: &str| {
        while !support::debris(&store, "app").await.is_empty() {
            assert!(Instant::now() < deadline, "{what}: {:?}", support::debris(&store, "app").await);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    backend.stage(5).await.expect("a stage").publish(Precondition::Always, KEEP).await.expect("a publish");
    for size in [10, 1_000] {
        let mut staged = backend.stage(5).await.expect("a stage");
        staged.write_all(&bytes(size)).expect("a stage takes bytes");
        let refused = staged.publish(Precondition::IfNewer, KEEP).await.expect_err("the same seq is not newer");
        assert!(matches!(refused, MiniSnapError::Stale { .. }), "{refused}");
        wait_until_tidy("refused").await;
        // Dropped at each of its awaits, before the record is on its way: a first poll of the record's replacement commits.
        for polls in 0..30 {
            let mut staged = backend.stage(5).await.expect("a stage");
            staged.write_all(&bytes(size)).expect("a stage takes bytes");
            let mut publishing = staged.publish(Precondition::IfNewer, KEEP);
            for _ in 0..polls {
                if futures_util::poll!(&mut publishing).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(publishing);
            wait_until_tidy("dropped").await;
        }
    }
}

/// How an upload goes wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    Begin,
    /// This part.
    Part(usize),
    Complete,
    /// It was completed, and the answer is lost.
    AnswerOfComplete,
    /// Nothing goes wrong, but each part takes a second.
    Slow,
    /// The record was replaced, and the answer is lost; asked again, the store has forgotten what it can do.
    AnswerOfRecord,
    /// The same, but the record was not replaced, and may still be.
    Record,
    /// No replacement of the record is ever answered.
    Silence,
    /// The store can't replace a record under a condition.
    Incapable,
    /// The first replacement of the record is refused, though the record is the one it names.
    Refusal,
    /// Before the second publish, somebody puts an older record in its place.
    OlderRecord,
}

#[derive(Debug)]
struct Faulty {
    inner: InMemory,
    fault: Fault,
    aborted: Arc<AtomicUsize>,
    replaced: AtomicUsize,
}

fn lost<T>() -> Result<T> {
    Err(Error::Generic { store: "Faulty", source: "the connection was reset, as the test planned".into() })
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

#[minisnap_core::async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let replaces = location.as_ref().ends_with("current") && matches!(opts.mode, PutMode::Update(_));
        let earlier = if replaces { self.replaced.fetch_add(1, Ordering::SeqCst) } else { 0 };
        match (self.fault, earlier) {
            (Fault::AnswerOfRecord, 0) if replaces => {
                self.inner.put_opts(location, payload, opts).await?;
                lost()
            }
            (Fault::Record, 0) | (Fault::Silence, _) if replaces => lost(),
            (Fault::AnswerOfRecord | Fault::Record, 1..) | (Fault::Incapable, _) if replaces => {
                Err(Error::NotImplemented { operation: "put_opts".into(), implementer: "Faulty".into() })
            }
            (Fault::Refusal, 0) if replaces => {
                Err(Error::Precondition { path: location.to_string(), source: "as the test planned".into() })
            }
            (Fault::OlderRecord, 1) => {
                let older = "minisnap-record 1\npublished 0\nsweeps 0\nretained 0\n";
                self.inner.put_opts(location, older.into(), PutOptions::default()).await?;
                self.inner.put_opts(location, payload, opts).await
            }
            _ => self.inner.put_opts(location, payload, opts).await,
        }
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        if self.fault == Fault::Begin {
            return lost();
        }
        let inner = self.inner.put_multipart_opts(location, opts).await?;
        Ok(Box::new(FaultyUpload { inner, fault: self.fault, part: 0, aborted: self.aborted.clone() }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: futures_util::stream::BoxStream<'static, Result<Path>>,
    ) -> futures_util::stream::BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> futures_util::stream::BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct FaultyUpload {
    inner: Box<dyn MultipartUpload>,
    fault: Fault,
    part: usize,
    aborted: Arc<AtomicUsize>,
}

#[minisnap_core::async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let part = self.inner.put_part(data);
        self.part += 1;
        match self.fault {
            Fault::Part(failing) if failing == self.part => Box::pin(async { lost() }),
            Fault::Slow => Box::pin(async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                part.await
            }),
            _ => part,
        }
    }

    async fn complete(&mut self) -> Result<PutResult> {
        match self.fault {
            Fault::Complete => lost(),
            Fault::AnswerOfComplete => {
                self.inner.complete().await?;
                lost()
            }
            _ => self.inner.complete().await,
        }
    }

    async fn abort(&mut self) -> Result<()> {
        self.aborted.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

fn faulty(fault: Fault, aborted: Arc<AtomicUsize>) -> Faulty {
    Faulty { inner: InMemory::new(), fault, aborted, replaced: AtomicUsize::new(0) }
}

/// Writes eight parts, each followed by a drain.
async fn write(staged: &mut dyn StagedSnapshot) -> minisnap_core::Result<()> {
    let at = || minisnap_core::At::new(Operation::Write, "nowhere");
    for piece in bytes(800).chunks(100) {
        staged.write_all(piece).map_err(|error| MiniSnapError::from_write(error, at))?;
        staged.drain().await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_upload_that_fails_is_an_error_and_aborted_and_the_old_pair_stays() {
    for fault in [Fault::Begin, Fault::Part(1), Fault::Part(3), Fault::Part(8), Fault::Complete] {
        let aborted = Arc::new(AtomicUsize::new(0));
        let store: Arc<dyn ObjectStore> = Arc::new(faulty(fault, aborted.clone()));
        let backend = ObjectBackend::new(store.clone(), "app").with_part_size(100).with_parts_in_flight(2);
        let old = backend.stage(1).await.expect("a stage").publish(Precondition::Always, KEEP).await;
        let old = old.expect("a small one").generation().clone();

        let mut staged = backend.stage(2).await.expect("a stage");
        let written = write(&mut *staged).await;
        if written.is_err() {
            // Overlooked by its caller, it is not published either.
            assert!(staged.write(b"more").is_err(), "{fault:?}");
            assert!(staged.drain().await.is_err(), "{fault:?}");
        }
        let published = staged.publish(Precondition::Always, KEEP).await.expect_err("an upload failed");
        let error = written.err().unwrap_or(published);
        assert!(error.outcome_known(), "{fault:?}: {error}");
        let text = error.to_string();
        assert!(text.contains("Faulty/app/snapshots/") && text.contains("as the test planned"), "{fault:?}: {text}");
        assert_eq!(backend.current().await.expect("a look"), Some(old), "{fault:?}");
        if fault != Fault::Begin {
            assert_eq!(aborted.load(Ordering::SeqCst), 1, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn a_complete_whose_answer_is_lost_is_looked_for_and_found() {
    let aborted = Arc::new(AtomicUsize::new(0));
    let faulty = faulty(Fault::AnswerOfComplete, aborted.clone());
    let backend = ObjectBackend::new(Arc::new(faulty), "app").with_part_size(100).with_parts_in_flight(2);
    let mut staged = backend.stage(1).await.expect("a stage");
    write(&mut *staged).await.expect("a stage takes bytes");
    let published = staged.publish(Precondition::Always, KEEP).await.expect("it was completed");
    assert_eq!(backend.read(published.generation()).await.expect("the JSON"), bytes(800));
    assert_eq!(aborted.load(Ordering::SeqCst), 0);
}

/// An attempt that has no answer may have arrived, whatever the next one is told.
#[tokio::test]
async fn a_store_that_can_no_more_after_an_answer_was_lost_is_looked_at() {
    let faulty = faulty(Fault::AnswerOfRecord, Arc::default());
    let backend = ObjectBackend::new(Arc::new(faulty), "app");
    let staged = backend.stage(1).await.expect("a stage");
    let published = staged.publish(Precondition::Always, KEEP).await.expect("it was published");
    assert_eq!(backend.current().await.expect("a look").as_ref(), Some(published.generation()));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(backend.read(published.generation()).await.expect("its files are there"), "");
}

/// The first attempt may still arrive, though the store says that it can do no such thing.
#[tokio::test(start_paused = true)]
async fn a_store_that_can_no_more_while_an_attempt_is_on_its_way_leaves_the_outcome_unknown() {
    let backend = ObjectBackend::new(Arc::new(faulty(Fault::Record, Arc::default())), "app");
    let staged = backend.stage(1).await.expect("a stage");
    let error = staged.publish(Precondition::Always, KEEP).await.expect_err("no answer came");
    assert!(!error.outcome_known(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_never_answered_is_tried_until_the_deadline_and_then_unknown() {
    let limit = Duration::from_secs(2);
    let backend = ObjectBackend::new(Arc::new(faulty(Fault::Silence, Arc::default())), "app").with_busy_timeout(limit);
    let staged = backend.stage(1).await.expect("a stage");
    let began = tokio::time::Instant::now();
    let error = staged.publish(Precondition::Always, KEEP).await.expect_err("no answer came");
    assert!(!error.outcome_known(), "{error}");
    assert!(began.elapsed() >= limit && began.elapsed() < 2 * limit, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_could_replace_the_record_is_refused_at_once() {
    let backend = ObjectBackend::new(Arc::new(faulty(Fault::Incapable, Arc::default())), "app");
    let staged = backend.stage(1).await.expect("a stage");
    let error = staged.publish(Precondition::Always, KEEP).await.expect_err("it can't be published here");
    assert!(matches!(error, MiniSnapError::Unsupported { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_record_that_is_still_there_is_no_reason_to_give_up() {
    let backend = ObjectBackend::new(Arc::new(faulty(Fault::Refusal, Arc::default())), "app");
    let staged = backend.stage(1).await.expect("a stage");
    let published = staged.publish(Precondition::Always, KEEP).await.expect("the second attempt is not refused");
    assert_eq!(backend.current().await.expect("a look").as_ref(), Some(published.generation()));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_went_back_during_a_publish_leaves_its_outcome_unknown_and_is_named() {
    let backend = ObjectBackend::new(Arc::new(faulty(Fault::OlderRecord, Arc::default())), "app");
    backend.stage(1).await.expect("a stage").publish(Precondition::Always, KEEP).await.expect("the first");
    let staged = backend.stage(2).await.expect("a stage");
    let error = staged.publish(Precondition::Always, KEEP).await.expect_err("what was published is gone");
    assert!(!error.outcome_known(), "{error}");
    assert!(error.to_string().contains("an older one put in its place"), "{error}");
}

/// What keeps a large state from being in memory as a whole: of eight parts written seven are full, and at most two may be
/// on their way, so five have to be through, two a second.
#[tokio::test(start_paused = true)]
async fn draining_waits_until_no_more_parts_are_left_than_may_be_on_their_way() {
    let faulty = faulty(Fault::Slow, Arc::default());
    let backend = ObjectBackend::new(Arc::new(faulty), "app").with_part_size(100).with_parts_in_flight(2);
    let mut staged = backend.stage(1).await.expect("a stage");
    let began = tokio::time::Instant::now();
    write(&mut *staged).await.expect("a stage takes bytes");
    assert_eq!(began.elapsed().as_secs(), 3, "{:?}", began.elapsed());
    let published = staged.publish(Precondition::Always, KEEP).await.expect("a publish");
    assert_eq!(began.elapsed().as_secs(), 4, "eight parts, two at a time: {:?}", began.elapsed());
    assert_eq!(backend.read(published.generation()).await.expect("the JSON"), bytes(800));
}
