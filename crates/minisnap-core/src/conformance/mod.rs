//! The suite every backend is held to, and how to write a backend of your own.
//!
//! Each property of the contract on [`SnapshotBackend`] has a case here, by name: see the modules below, a group each. A
//! backend's tests make a `#[test]` of each with [`conformance_tests!`](crate::conformance_tests), run on a current-thread
//! and on a multi-thread Tokio runtime:
//!
//! ```toml
//! [dev-dependencies]
//! minisnap-core = { version = "0.1", features = ["conformance"] }
//! ```
//!
//! # Write your own backend
//!
//! 1. **Find the atomic step.** Two names can't be replaced together on any medium, so let the pair go to a place of its own
//!    first and have *one* thing that says which pair is current: a link, a row, an object. Replacing that one thing is the
//!    publish. A reader looks at it once, and then only at what it named.
//! 2. **Give names once.** A [`Generation`](crate::Generation)'s name stands for its bytes for ever, also after they are
//!    gone: [`random_name_part`](crate::random_name_part) makes one without asking anybody. When you are asked for a name,
//!    compare it with those you know, or check it against your grammar: it may be anything.
//! 3. **Stage.** What [`stage`](SnapshotBackend::stage) returns takes bytes that nobody sees. Its `Drop` is how a caller gives
//!    up; what a killed process left has to be found and removed by a later one, without touching what a living one writes.
//! 4. **Publish.** In this order: make the bytes durable; then, in one step, look at what is current, judge the precondition by
//!    [`Precondition::evaluate`](crate::Precondition::evaluate), and commit; make the commit durable; then remove what isn't
//!    retained any more, whose failure is no error. A transaction, a lock or a compare-and-swap makes the one step. Judging
//!    on what a handle remembers, or before the lock is taken, is what the group [`race`] finds.
//! 5. **Think of every `await` as the last.** The caller may drop the future there. Before the commit this must come to
//!    nothing, *also later*: work that was handed to another thread goes on by itself, so it has to ask whether the caller is
//!    still there when it holds the lock and before it commits. Once the commit is on its way, dropping must delete nothing.
//! 6. **Say what you don't know.** If the commit was sent and no answer came, look; if you can't, that is
//!    [`OutcomeUnknown`](crate::MiniSnapError::OutcomeUnknown), and nothing is deleted. Every other error promises that the old
//!    pair is untouched.
//! 7. **Refuse what you can't do** with [`Unsupported`](crate::MiniSnapError::Unsupported), and name it in
//!    [`StoreUnderTest::lacks`]. The cases that would test it then assert the refusal: none is skipped.
//!
//! Here is all of it for the simplest medium, a list in memory behind a mutex:
//!
//! ```
//! use minisnap_core::{
//!     Bytes, ChunkStream, Collected, CommitOptions, Committed, Digest, ErrorContext, Generation, MiniSnapError, Operation,
//!     Result, SnapshotBackend, StagedSnapshot, Verification, VerifiedGeneration, async_trait, random_name_part,
//! };
//! use std::{fmt, io, num::NonZeroUsize, sync::{Arc, Mutex, MutexGuard, PoisonError}};
//!
//! /// A handle. Clones, and whoever else has the list, share the store.
//! #[derive(Clone, Default)]
//! struct Shelf(Arc<Mutex<Vec<(Generation, Bytes)>>>); // the retained ones, newest first: record and files in one
//!
//! impl Shelf {
//!     fn lock(&self) -> MutexGuard<'_, Vec<(Generation, Bytes)>> {
//!         // The list is changed in single steps: a panic elsewhere left it whole.
//!         self.0.lock().unwrap_or_else(PoisonError::into_inner)
//!     }
//!
//!     fn generations(shelf: &[(Generation, Bytes)]) -> Vec<Generation> {
//!         shelf.iter().map(|(generation, _)| generation.clone()).collect()
//!     }
//! }
//!
//! impl fmt::Debug for Shelf {
//!     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
//!         f.write_str("Shelf") // and not megabytes of JSON
//!     }
//! }
//!
//! #[async_trait]
//! impl SnapshotBackend for Shelf {
//!     fn location(&self) -> &str {
//!         "shelf:"
//!     }
//!
//!     async fn current(&self) -> Result<Option<Generation>> {
//!         Ok(self.lock().first().map(|(generation, _)| generation.clone()))
//!     }
//!
//!     async fn history(&self) -> Result<Vec<Generation>> {
//!         Ok(Self::generations(&self.lock()))
//!     }
//!
//!     async fn read(&self, generation: &Generation) -> Result<Bytes> {
//!         // Equal by name alone, and it may come from outside: its sequence number has to be that of the name.
//!         let is_it = |known: &Generation| known == generation && known.seq() == generation.seq();
//!         let json = self.lock().iter().find(|(known, _)| is_it(known)).map(|(_, json)| json.clone());
//!         json.ok_or_else(|| MiniSnapError::Expired {
//!             at: ErrorContext::new(Operation::Read, self.location()),
//!             generation: generation.clone(),
//!         })
//!     }
//!
//!     async fn stage(&self, seq: u64) -> Result<Box<dyn StagedSnapshot>> {
//!         let at = || ErrorContext::new(Operation::Stage, self.location());
//!         let random = random_name_part(16);
//!         let random = random.map_err(|source| MiniSnapError::Io { at: at(), action: "name it", source })?;
//!         Ok(Box::new(Draft { shelf: self.clone(), seq, name: format!("{seq}-{random}"), json: Vec::new() }))
//!     }
//!
//!     async fn read_chunks(&self, generation: &Generation) -> Result<ChunkStream> {
//!         self.read(generation).await.map(ChunkStream::from_bytes) // it is in memory anyway
//!     }
//!
//!     async fn expire(&self, retain: NonZeroUsize) -> Result<Vec<Generation>> {
//!         let mut list = self.lock();
//!         let retained = retain.get().min(list.len());
//!         Ok(Self::generations(&list.split_off(retained)))
//!     }
//!
//!     async fn verify(&self) -> Result<Verification> {
//!         // Memory doesn't rot.
//!         Ok(Verification::new(self.history().await?.into_iter().map(VerifiedGeneration::intact).collect()))
//!     }
//!
//!     async fn collect_garbage(&self) -> Result<Collected> {
//!         Ok(Collected::default()) // a draft is nowhere but in its writer's memory
//!     }
//! }
//!
//! /// A snapshot being written.
//! #[derive(Debug)]
//! struct Draft {
//!     shelf: Shelf,
//!     seq: u64,
//!     name: String,
//!     json: Vec<u8>,
//! }
//!
//! impl io::Write for Draft {
//!     fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
//!         self.json.write(bytes)
//!     }
//!
//!     fn flush(&mut self) -> io::Result<()> {
//!         Ok(())
//!     }
//! }
//!
//! #[async_trait]
//! impl StagedSnapshot for Draft {
//!     async fn drain(&mut self) -> Result<()> {
//!         Ok(()) // the memory is where it goes
//!     }
//!
//!     async fn discard(self: Box<Self>) -> Result<()> {
//!         Ok(()) // it was dropped
//!     }
//!
//!     async fn commit(self: Box<Self>, options: CommitOptions) -> Result<Committed> {
//!         let Self { shelf, seq, name, json } = *self;
//!         let generation = Generation::new(name, seq).with_size(json.len() as u64).with_digest(Digest::of(&json));
//!
//!         // The atomic step: from here on no other writer and no reader, and no await either: this can't be cancelled.
//!         let mut list = shelf.lock();
//!         let before = Shelf::generations(&list);
//!         let at = ErrorContext::new(Operation::Commit, shelf.location());
//!         options.precondition().evaluate(seq, before.first(), &at)?;
//!         list.insert(0, (generation.clone(), json.into()));
//!         list.truncate(Committed::retained_after(options.retain(), before.len()));
//!         Ok(Committed::new(generation, &before, options.retain()))
//!     }
//! }
//!
//! // What the suite needs to know: how to make a store, to open it, and to see what lies around in it.
//! use minisnap_core::conformance::{Capability, StoreUnderTest};
//!
//! struct ShelfStore(Shelf);
//!
//! #[async_trait]
//! impl StoreUnderTest for ShelfStore {
//!     async fn fresh() -> Self {
//!         Self(Shelf::default())
//!     }
//!
//!     async fn open(&self) -> Arc<dyn SnapshotBackend> {
//!         Arc::new(self.0.clone())
//!     }
//!
//!     async fn garbage(&self) -> Vec<String> {
//!         Vec::new() // there is no place for any
//!     }
//!
//!     fn lacks() -> &'static [Capability] {
//!         &[]
//!     }
//! }
//!
//! // Every case, one after the other. In tests/conformance.rs: the macro below.
//! minisnap_core::conformance::run_all::<ShelfStore>();
//! ```
//!
//! In the crate's `tests/conformance.rs` one line makes the tests:
//!
//! ```
//! # use minisnap_core::{SnapshotBackend, async_trait, conformance::{Capability, StoreUnderTest}};
//! # use std::sync::Arc;
//! # struct ShelfStore;
//! # #[async_trait]
//! # impl StoreUnderTest for ShelfStore {
//! #     async fn fresh() -> Self { Self }
//! #     async fn open(&self) -> Arc<dyn SnapshotBackend> { unreachable!() }
//! #     async fn garbage(&self) -> Vec<String> { Vec::new() }
//! #     fn lacks() -> &'static [Capability] { &[] }
//! # }
//! minisnap_core::conformance_tests!(ShelfStore);
//! // test current_thread::round_trip::every_seq_round_trips ... ok
//! // test multi_thread::cancel::cancelled_commit_never_overtakes_a_later_one ... ok
//! ```
//!
//! A medium that can't compare and swap has no way to judge `IfCurrent` in the step that publishes. It says so at the start of
//! `commit`, whatever is current, and in `lacks`:
//!
//! ```
//! # use minisnap_core::{ErrorContext, MiniSnapError, Operation, Precondition, Result, conformance::Capability};
//! # fn commit(precondition: &Precondition) -> Result<()> {
//! if let Precondition::IfCurrent(_) = precondition {
//!     let at = ErrorContext::new(Operation::Commit, "shelf:");
//!     let help = Some("commit with `Always`".into());
//!     return Err(MiniSnapError::Unsupported { at, what: "a shelf can't compare".into(), help });
//! }
//! # Ok(())
//! # }
//! fn lacks() -> &'static [Capability] {
//!     &[Capability::IfCurrent]
//! }
//! # assert!(commit(&Precondition::IfCurrent(None)).is_err() && commit(&Precondition::Always).is_ok());
//! ```
//!
//! # What the suite can't see
//!
//! A test process doesn't lose power. The suite reopens a store through new handles; that every `fsync` is where it has to be
//! takes a medium that can forget, and a killed process, and those are a backend's own tests. So are a full disk, an answer
//! that never comes, and several processes.

#![allow(clippy::missing_panics_doc, reason = "a case that fails panics: that is its answer")]
#![allow(clippy::wildcard_imports, reason = "the words of the kit are those in which all cases are told")]

pub mod atomic;
pub mod cancel;
pub mod chunks;
pub mod conditional;
pub mod durable;
pub mod expire;
pub mod garbage;
pub mod isolated;
mod kit;
pub mod outcome;
pub mod race;
pub mod reading;
pub mod retention;
pub mod round_trip;
mod run;
mod table;
pub mod verify;

pub use run::{Case, Flavour, run, run_all};
pub use table::cases;

use crate::{SnapshotBackend, async_trait};
use std::sync::Arc;

/// A store that the suite can make, open, and look at from the outside. The value is the guard: dropping it removes the
/// store.
#[async_trait]
pub trait StoreUnderTest: Sized + Send + Sync + 'static {
    /// Makes an empty store in a place of its own.
    async fn fresh() -> Self;

    /// Opens the store: a new handle. If all earlier handles were dropped this is a *reopen*: it must see only what the
    /// medium holds.
    async fn open(&self) -> Arc<dyn SnapshotBackend>;

    /// Names of everything the store holds beyond its commit record, the retained generations and what is always there (a
    /// lock file, links): stages, files of retired generations, files of generations that were never published.
    ///
    /// The suite expects it to be empty after later publishes, and after a sweep. A backend that spares the young for a grace
    /// time is to be opened with none.
    async fn garbage(&self) -> Vec<String>;

    /// What this backend can't do, and must refuse with [`Unsupported`](crate::MiniSnapError::Unsupported). The suite
    /// asserts that it does.
    fn lacks() -> &'static [Capability];
}

/// Something a backend may lack. Whatever is not here, every backend has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Capability {
    /// Publishing with [`Precondition::IfNewer`](crate::Precondition::IfNewer).
    IfNewer,
    /// Publishing with [`Precondition::IfCurrent`](crate::Precondition::IfCurrent).
    IfCurrent,
}
