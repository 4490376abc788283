//! The trait that every backend implements, and its contract.

use crate::{Bytes, ChunkStream, Collected, CommitOptions, Committed, Generation, Result, Verification};
use async_trait::async_trait;
use std::{fmt::Debug, io, num::NonZeroUsize, sync::Arc};

/// A store of snapshots on some medium.
///
/// # Contract
///
/// Users rely on these properties, and every backend keeps them. The suite in the module `conformance` (feature
/// `conformance`) tests them one by one.
///
/// 1. *Atomic.* A reader gets the complete old pair or the complete new pair, at every moment, concurrently with writers,
///    and after a crash at any point. A JSON is never returned with another generation's sequence number.
/// 2. *Durable.* When [`commit`](StagedSnapshot::commit) returns `Ok`, the pair survives power loss. So does every
///    generation that [`history`](Self::history) returns, and the one that a [`Stale`](crate::MiniSnapError::Stale) error
///    names, whoever committed it.
/// 3. *Isolated.* What is staged is invisible. Orphans of crashed writers are collected by a later stage or commit (in an
///    object store after a grace time), and by [`collect_garbage`](Self::collect_garbage) at once.
/// 4. *Conditional.* The [`Precondition`](crate::Precondition) of a commit is evaluated in the same atomic step as the
///    commit, against the latest commit record. Contention never makes a writer write again: only a forced collection does,
///    with [`StageLost`](crate::MiniSnapError::StageLost). Effort is bounded and ends in
///    [`Busy`](crate::MiniSnapError::Busy), with the old pair untouched.
/// 5. *Known outcome.* An error guarantees that the old pair is untouched, or it is
///    [`OutcomeUnknown`](crate::MiniSnapError::OutcomeUnknown); after that nothing is deleted that was retained before it.
///    Failures after the commit (expiry, collection) are no errors of it: a later writer retries them, and
///    [`verify`](Self::verify) reports what is left.
/// 6. *Reads are passive.* They need no write access, take no lock, and change nothing, whatever they find.
/// 7. *Cancel-safe.* A cancelled commit that has not begun never happens, so it can't overtake a later `Ok`. One that has
///    begun may happen; readers see old or new. From then on, dropping its future deletes nothing.
/// 8. *Nothing after the answer.* When a call has returned, no thread, task or retry of it goes on. A cancelled call may
///    still clean up after itself, and after an unknown outcome a request that was sent may still arrive.
///
/// A backend that can't do one of these returns [`Unsupported`](crate::MiniSnapError::Unsupported); it never does something
/// weaker in silence.
///
/// # For implementers
///
/// What backends share is in this crate. Methods that are added to this trait in
/// later releases have default implementations, which return `Unsupported` or are built on the methods that exist today.
#[async_trait]
pub trait SnapshotBackend: Debug + Send + Sync + 'static {
    /// The location of the store, for people and for errors: a path or a URL, never with credentials in it. No I/O.
    fn location(&self) -> &str;

    /// The current generation, or `None` if nothing was ever committed.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::MiniSnapError::NotFound) says the same as `None` where there is more to say (half of a bare pair,
    /// for example). After any other error, it isn't known whether there is a snapshot.
    async fn current(&self) -> Result<Option<Generation>>;

    /// The retained generations, newest first, the current one at the head; empty if nothing was ever committed.
    ///
    /// To ensure correctness:
    /// - What is returned is durable, also when its writer crashed before its last sync: logs are truncated by it.
    /// - The order is that of the commits, not of the sequence numbers, which may go down.
    ///
    /// # Errors
    ///
    /// As for [`current`](Self::current).
    async fn history(&self) -> Result<Vec<Generation>>;

    /// The JSON of a generation, complete and as it was written.
    ///
    /// To ensure correctness:
    /// - Where a digest is known, the bytes are checked against it.
    /// - A name is data from outside: one that isn't of this backend's grammar is refused, never followed.
    ///
    /// # Errors
    ///
    /// [`Expired`](crate::MiniSnapError::Expired) if it isn't retained (any more);
    /// [`Corrupt`](crate::MiniSnapError::Corrupt) if it should be there and isn't intact.
    async fn read(&self, generation: &Generation) -> Result<Bytes>;

    /// Like [`read`](Self::read), as a stream of pieces in bounded memory.
    ///
    /// The digest is checked when the last piece was read: a stream that doesn't match it ends with an error. A consumer
    /// that acts on pieces must be able to undo that. A generation that expires while it is streamed is read to its end where
    /// the medium allows it; else the stream ends with `Expired`.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read), here or from the stream.
    async fn read_chunks(&self, generation: &Generation) -> Result<ChunkStream>;

    /// Begins a snapshot that stays invisible until it is committed. Its JSON is written to the returned stage.
    ///
    /// To ensure correctness:
    /// - Any number may be staged concurrently, by any number of handles and processes.
    /// - If this future is dropped half-way, what it made is removed like any other dropped stage.
    ///
    /// # Errors
    ///
    /// When the medium can't be written to.
    async fn stage(&self, seq: u64) -> Result<Box<dyn StagedSnapshot>>;

    /// Reduces the retention to the newest `retain` generations, without a commit: the others expire, and can't be read any
    /// more. Returns those, newest first.
    ///
    /// To ensure correctness:
    /// - The current generation stays current, under the same name.
    /// - The reduced retention is durable before a file is deleted.
    ///
    /// # Errors
    ///
    /// [`Busy`](crate::MiniSnapError::Busy); [`Corrupt`](crate::MiniSnapError::Corrupt) if it isn't known what is retained.
    /// Whatever the error is, the current generation is untouched.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the older generations are all retained or all expired. One that has not begun never happens,
    /// so that it can't expire anything after a later commit.
    async fn expire(&self, retain: NonZeroUsize) -> Result<Vec<Generation>>;

    /// Checks the whole store: reads every retained generation and compares it with its digest, looks at the links or records
    /// between them, and counts what a collection would remove. Changes nothing.
    ///
    /// # Errors
    ///
    /// Only if it can't be checked. What is wrong with the store is in the [`Verification`], also a commit record that can't
    /// be understood.
    async fn verify(&self) -> Result<Verification>;

    /// Removes, now, expired generations and the orphans of crashed or cancelled writers.
    ///
    /// To ensure correctness:
    /// - No retained generation is removed.
    /// - A stage of a living writer stays, where it can be told from an orphan. Where it can't, it may go, and its commit
    ///   returns [`StageLost`](crate::MiniSnapError::StageLost).
    ///
    /// # Errors
    ///
    /// [`Busy`](crate::MiniSnapError::Busy), or the first thing that could not be removed; the rest is removed all the same.
    async fn collect_garbage(&self) -> Result<Collected>;
}

/// A snapshot being written: an [`io::Write`] for the JSON's bytes. Dropping it discards it.
///
/// Write errors should carry a [`MiniSnapError`](crate::MiniSnapError), by [`io::Error::from`], so that the location isn't
/// lost on the way through a serializer. [`flush`](io::Write::flush) promises nothing. The typed store writes in chunks of
/// [`CHUNK`](crate::format::CHUNK) bytes, so a backend need not gather them; others may write in pieces of any size.
#[async_trait]
pub trait StagedSnapshot: io::Write + Debug + Send {
    /// Waits until only a bounded part of what was written is still in memory, so that a large state can be written in
    /// bounded memory. A backend that holds nothing back returns at once.
    ///
    /// # Errors
    ///
    /// What went wrong with earlier writes in the background. After an error the stage can't be committed.
    async fn drain(&mut self) -> Result<()>;

    /// Makes this the current generation, if the [precondition](CommitOptions::precondition) holds, and retains the newest
    /// [`retain`](CommitOptions::retain) generations: of those retained so far, and this one. The others expire: they can't
    /// be read any more, and their files are removed.
    ///
    /// After `Ok`, the pair is durable, complete, and current: the log can be truncated through
    /// [`truncation_point`](Committed::truncation_point). For errors and cancellation see the contract on
    /// [`SnapshotBackend`].
    ///
    /// To ensure correctness:
    /// - Evaluate the precondition in the same atomic step that commits, against the latest commit record.
    /// - The generation that a [`Stale`](crate::MiniSnapError::Stale) error names is durable before that error is returned.
    /// - Before the commit, every failure leaves the old pair untouched. From the commit on, a failure is
    ///   [`OutcomeUnknown`](crate::MiniSnapError::OutcomeUnknown) unless the outcome can be looked up.
    /// - If the future is dropped before the commit began, it must not commit later on.
    async fn commit(self: Box<Self>, options: CommitOptions) -> Result<Committed>;

    /// Removes what was staged, and returns when it is gone. Dropping the stage does the same in the background where the
    /// medium is reached by requests.
    ///
    /// # Errors
    ///
    /// When something could not be removed: a later collection does it.
    async fn discard(self: Box<Self>) -> Result<()>;
}

/// Forwards the trait through a pointer, so that `SnapStore<Arc<dyn SnapshotBackend>>` is a store like any other.
macro_rules! forward {
    ($pointer:ident) => {
        #[async_trait]
        #[deny(clippy::missing_trait_methods)]
        impl<B: SnapshotBackend + ?Sized> SnapshotBackend for $pointer<B> {
            fn location(&self) -> &str {
                (**self).location()
            }

            async fn current(&self) -> Result<Option<Generation>> {
                (**self).current().await
            }

            async fn history(&self) -> Result<Vec<Generation>> {
                (**self).history().await
            }

            async fn read(&self, generation: &Generation) -> Result<Bytes> {
                (**self).read(generation).await
            }

            async fn stage(&self, seq: u64) -> Result<Box<dyn StagedSnapshot>> {
                (**self).stage(seq).await
            }

            async fn read_chunks(&self, generation: &Generation) -> Result<ChunkStream> {
                (**self).read_chunks(generation).await
            }

            async fn expire(&self, retain: NonZeroUsize) -> Result<Vec<Generation>> {
                (**self).expire(retain).await
            }

            async fn verify(&self) -> Result<Verification> {
                (**self).verify().await
            }

            async fn collect_garbage(&self) -> Result<Collected> {
                (**self).collect_garbage().await
            }
        }
    };
}

forward!(Arc);
forward!(Box);
