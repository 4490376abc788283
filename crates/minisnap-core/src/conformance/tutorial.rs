//! How to write a backend: the steps, and two complete backends. One is a list in memory, the other an SQLite database.
//!
//! The contract is on [`SnapshotBackend`](crate::SnapshotBackend), and [the suite](super) tests it. To begin, copy the folder
//! [`examples/backend_template`](https://github.com/ArcellaTeam/mini-rs/tree/main/examples/backend_template): a crate with a stub of each
//! method, the suite, and a CI workflow.
//!
//! The crate has [helpers](crate#helpers-for-backends) for the work that every backend has.
//!
//! # The steps
//!
//! 1. **Choose the commit record.** No file system or object store replaces two names in one atomic step. So write each pair to a
//!    location of its own, and let one record name the current pair: a link, a row, an object. Replacing this record is the
//!    commit. A reader reads the record once, and then only the pair that the record names.
//! 2. **Never reuse a name.** The name of a [`Generation`](crate::Generation) identifies its bytes permanently, even after they
//!    were deleted. [`random_name_part`](crate::random_name_part) makes a unique name without coordination. A name that a caller
//!    passes in is untrusted: compare it with the names you know, or check it against your grammar.
//! 3. **Stage.** [`stage`](crate::SnapshotBackend::stage) returns a writer whose bytes no reader sees. Its `Drop` discards them. A killed
//!    process can't discard its files, so a later writer has to find and delete them. The later writer must not delete the files
//!    of a running writer: see "Several processes" in the contract.
//! 4. **Commit,** in this order. Make the bytes durable. In one atomic step read the record, evaluate the precondition with
//!    [`Precondition::evaluate`](crate::Precondition::evaluate), and replace the record. A transaction, a lock or a
//!    compare-and-swap makes the step atomic. Make the record durable. Then delete the data of the expired generations; a failed
//!    deletion isn't an error of the commit.
//! 5. **Expect cancellation at every `await`.** The caller may drop the future there. A commit that is dropped before its atomic
//!    step must never happen, not even later. So work on another thread checks, under the lock and right before the commit, whether
//!    the caller was cancelled: [`CallerWatch`](crate::CallerWatch) lists the steps. After the atomic step has begun, dropping the
//!    future must delete nothing.
//! 6. **Return `OutcomeUnknown` if the outcome is unknown.** If the commit was sent and no answer came, read the record. If that
//!    fails too, return [`OutcomeUnknown`](crate::MiniSnapError::OutcomeUnknown) and delete nothing. Every other error
//!    guarantees that the old pair is untouched.
//! 7. **Refuse what the medium can't do** with [`Unsupported`](crate::MiniSnapError::Unsupported). List the preconditions that it can't
//!    evaluate in [`StoreUnderTest::lacks`](super::StoreUnderTest::lacks), and its limit in
//!    [`StoreUnderTest::max_size`](super::StoreUnderTest::max_size). The suite checks the refusals. Everything else is mandatory.
//!
//! # A list in memory
//!
//! The simplest medium is a list behind a mutex. It lives in one process. A commit has no `await` between the lock and its end, so it
//! can't be cancelled there:
//!
//! ```
//! use minisnap_core::{
//!     Bytes, ChunkStream, Collected, CommitOptions, Committed, Digest, ErrorContext, Generation, MiniSnapError, Operation,
//!     Result, SnapshotBackend, StagedSnapshot, Verification, VerifiedGeneration, async_trait, random_name_part,
//! };
//! use std::{fmt, io, num::NonZeroUsize, sync::{Arc, Mutex, MutexGuard, PoisonError}};
//!
//! /// A handle; clones share the store. The list holds the retained generations, newest first.
//! #[derive(Clone, Default)]
//! struct ListBackend(Arc<Mutex<Vec<(Generation, Bytes)>>>);
//!
//! impl ListBackend {
//!     fn lock(&self) -> MutexGuard<'_, Vec<(Generation, Bytes)>> {
//!         // The list is changed in single steps, so it is consistent after a panic.
//!         self.0.lock().unwrap_or_else(PoisonError::into_inner)
//!     }
//!
//!     fn generations(list: &[(Generation, Bytes)]) -> Vec<Generation> {
//!         list.iter().map(|(generation, _)| generation.clone()).collect()
//!     }
//! }
//!
//! impl fmt::Debug for ListBackend {
//!     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
//!         f.write_str("ListBackend") // without the JSON
//!     }
//! }
//!
//! #[async_trait]
//! impl SnapshotBackend for ListBackend {
//!     fn location(&self) -> &str {
//!         "list:"
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
//!         // Generations are equal by name alone, and a caller can construct one: compare the sequence number, too.
//!         let matches = |known: &Generation| known == generation && known.seq() == generation.seq();
//!         let json = self.lock().iter().find(|(known, _)| matches(known)).map(|(_, json)| json.clone());
//!         json.ok_or_else(|| MiniSnapError::Expired {
//!             at: ErrorContext::new(Operation::Read, self.location()),
//!             generation: generation.clone(),
//!         })
//!     }
//!
//!     async fn stage(&self, seq: u64) -> Result<Box<dyn StagedSnapshot>> {
//!         let at = || ErrorContext::new(Operation::Stage, self.location());
//!         let random = random_name_part(16);
//!         let random = random.map_err(|source| MiniSnapError::Io { at: at(), action: "name the generation", source })?;
//!         Ok(Box::new(Stage { backend: self.clone(), seq, name: format!("{seq}-{random}"), json: Vec::new() }))
//!     }
//!
//!     async fn read_chunks(&self, generation: &Generation) -> Result<ChunkStream> {
//!         self.read(generation).await.map(ChunkStream::from_bytes) // the JSON is in memory already
//!     }
//!
//!     async fn expire(&self, retain: NonZeroUsize) -> Result<Vec<Generation>> {
//!         let mut list = self.lock();
//!         let retained = retain.get().min(list.len());
//!         Ok(Self::generations(&list.split_off(retained)))
//!     }
//!
//!     async fn verify(&self) -> Result<Verification> {
//!         // The bytes in memory need no check.
//!         Ok(Verification::new(self.history().await?.into_iter().map(VerifiedGeneration::intact).collect()))
//!     }
//!
//!     async fn collect_garbage(&self) -> Result<Collected> {
//!         Ok(Collected::default()) // a stage is in its writer's memory only
//!     }
//! }
//!
//! /// A snapshot being written.
//! #[derive(Debug)]
//! struct Stage {
//!     backend: ListBackend,
//!     seq: u64,
//!     name: String,
//!     json: Vec<u8>,
//! }
//!
//! impl io::Write for Stage {
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
//! impl StagedSnapshot for Stage {
//!     async fn drain(&mut self) -> Result<()> {
//!         Ok(()) // nothing is buffered
//!     }
//!
//!     async fn discard(self: Box<Self>) -> Result<()> {
//!         Ok(()) // dropping it is enough
//!     }
//!
//!     async fn commit(self: Box<Self>, options: CommitOptions) -> Result<Committed> {
//!         let Self { backend, seq, name, json } = *self;
//!         let generation = Generation::new(name, seq).with_size(json.len() as u64).with_digest(Digest::of(&json));
//!
//!         // The atomic step. It holds the lock and has no await, so it can't be cancelled.
//!         let mut list = backend.lock();
//!         let before = ListBackend::generations(&list);
//!         let at = ErrorContext::new(Operation::Commit, backend.location());
//!         options.precondition().evaluate(seq, before.first(), &at)?;
//!         list.insert(0, (generation.clone(), json.into()));
//!         list.truncate(Committed::retained_after(options.retain(), before.len()));
//!         Ok(Committed::new(generation, &before, options.retain()))
//!     }
//! }
//!
//! // The suite needs to create a store, to open it, and to list its garbage.
//! use minisnap_core::conformance::{Capability, StoreUnderTest};
//!
//! struct ListStore(ListBackend);
//!
//! #[async_trait]
//! impl StoreUnderTest for ListStore {
//!     async fn fresh() -> Self {
//!         Self(ListBackend::default())
//!     }
//!
//!     async fn open(&self) -> Arc<dyn SnapshotBackend> {
//!         Arc::new(self.0.clone())
//!     }
//!
//!     async fn garbage(&self) -> Vec<String> {
//!         Vec::new() // a list has none
//!     }
//!
//!     fn lacks() -> &'static [Capability] {
//!         &[]
//!     }
//! }
//!
//! // Runs every case, one after the other. In tests/conformance.rs, use `conformance_tests!` instead.
//! let report = minisnap_core::conformance::run_all::<ListStore>(&[]);
//! println!("{report}");
//! ```
//!
//! # A medium without compare-and-swap
//!
//! A medium without locks, transactions and compare-and-swap can't evaluate `IfCurrent` in the atomic step. Its backend refuses that
//! precondition at the start of `commit`, for any expected generation, and lists it in `lacks`. The same applies to `IfNewer`:
//!
//! ```
//! # use minisnap_core::{ErrorContext, MiniSnapError, Operation, Precondition, Result, conformance::Capability};
//! # fn commit(precondition: &Precondition) -> Result<()> {
//! if let Precondition::IfCurrent(_) = precondition {
//!     let at = ErrorContext::new(Operation::Commit, "list:");
//!     let help = Some("commit with `Precondition::Always`".into());
//!     return Err(MiniSnapError::Unsupported { at, what: "this medium has no compare-and-swap".into(), help });
//! }
//! # Ok(())
//! # }
//! fn lacks() -> &'static [Capability] {
//!     &[Capability::IfCurrent]
//! }
//! # assert!(commit(&Precondition::IfCurrent(None)).is_err() && commit(&Precondition::Always).is_ok());
//! ```
//!
//! # An SQLite database
//!
//! A real backend has blocking calls, other processes, power losses and unclear errors. This is the complete source of the example
//! [`examples/sqlite_backend`](https://github.com/ArcellaTeam/mini-rs/tree/main/examples/sqlite_backend). The suite tests it with every
//! hook except `time_to_live`. A crash test cuts the power at each point of several commits: see
//! [docs/power-loss.md](https://github.com/ArcellaTeam/mini-rs/blob/main/docs/power-loss.md).
//!
//! Read `blocking` first, then `commit` of `Stage`. The other methods resemble those of the list.
#![doc = "\n```rust,ignore"]
#![doc = include_str!("../../tutorial/sqlite_backend.rs")]
#![doc = "```"]
