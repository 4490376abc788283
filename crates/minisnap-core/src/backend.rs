//! The trait that every backend implements, and its contract.

use crate::{Bytes, ChunkStream, Collected, CommitOptions, Committed, Generation, Result, Verification};
use async_trait::async_trait;
use std::{fmt::Debug, io, num::NonZeroUsize, sync::Arc};

/// A store of snapshots on some medium: a folder, memory, an object store, a database.
///
/// A program uses a backend through `SnapStore` of the crate `minisnap`, which serializes states. Call this trait's methods
/// directly to move JSON bytes, or to write a backend.
///
/// A value of an implementing type is a *handle*. Any number of handles, in any number of processes, may share a location.
///
/// # Contract
///
/// Every backend has these properties, and users rely on them. The suite in the module `conformance` (feature `conformance`)
/// tests each of them.
///
/// 1. *Atomic.* A reader gets the complete old pair or the complete new pair, concurrently with writers, and after a crash at any
///    point. A read never combines the JSON of one generation with the sequence number of another.
/// 2. *Durable.* When [`commit`](StagedSnapshot::commit) returns `Ok`, the pair survives power loss. So does every
///    generation that [`history`](Self::history) returns, and the generation that a [`Stale`](crate::MiniSnapError::Stale)
///    error names, including those of other writers.
/// 3. *Isolated.* A staged snapshot is invisible until it is committed. A later stage or commit deletes the orphans of crashed
///    writers (in an object store after a grace time). [`collect_garbage`](Self::collect_garbage) deletes them at once.
/// 4. *Conditional.* A commit evaluates its [`Precondition`](crate::Precondition) in the same atomic step, against the latest
///    commit record. Contention never makes a writer write its JSON again; only a forced collection does, with
///    [`StageLost`](crate::MiniSnapError::StageLost). The number of attempts is bounded. After the last one the commit returns
///    [`Busy`](crate::MiniSnapError::Busy), and the old pair is untouched.
/// 5. *Known outcome.* Every error guarantees that the old pair is untouched, except
///    [`OutcomeUnknown`](crate::MiniSnapError::OutcomeUnknown). After that error the backend deletes no generation that was
///    retained before. A failure after the commit (expiry, collection) is not an error of the commit: a later writer retries,
///    and [`verify`](Self::verify) reports it.
/// 6. *Reads are passive.* A read needs no write access, takes no lock, and changes nothing.
/// 7. *Cancel safe.* A commit that is cancelled before its atomic step never happens, so it can't overwrite a later commit. A
///    commit that is cancelled during its atomic step may happen; readers see the old or the new pair. From that step on,
///    dropping the future deletes nothing.
/// 8. *No background work.* When a call has returned, none of its threads, tasks or retries continues. A cancelled call may still
///    delete its own files. After an unknown outcome, a request that was sent may still arrive.
///
/// A backend that lacks a property returns [`Unsupported`](crate::MiniSnapError::Unsupported) instead of a weaker guarantee.
///
/// # Cancel safety
///
/// Every method is cancel safe: see property 7 and the methods.
///
/// # For implementers
///
/// The module `conformance` has a tutorial and the tests. The sections "For implementers" have rules that callers don't see. If a
/// later release adds a method to this trait, the method has a default implementation.
///
/// # Examples
///
/// Read the current generation of any backend as bytes:
///
/// ```
/// use minisnap_core::{Bytes, Result, SnapshotBackend};
///
/// async fn current_json(backend: &dyn SnapshotBackend) -> Result<Option<Bytes>> {
///     match backend.current().await? {
///         Some(generation) => backend.read(&generation).await.map(Some),
///         None => Ok(None),
///     }
/// }
/// ```
#[async_trait]
pub trait SnapshotBackend: Debug + Send + Sync + 'static {
    /// Returns the location of the store, for messages: a path, or a URL without credentials. This does no I/O.
    fn location(&self) -> &str;

    /// Looks up the current generation; `None` if the store is empty.
    ///
    /// # Errors
    ///
    /// - [`NotFound`](crate::MiniSnapError::NotFound): the store has no snapshot, for a reason that the error names (half of a
    ///   bare pair, for example). Handle it like `None`.
    /// - After any other error it isn't known whether there is a snapshot.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. It changes nothing.
    async fn current(&self) -> Result<Option<Generation>>;

    /// Lists the retained generations in commit order, newest first; empty if the store is empty.
    ///
    /// The first one is the current generation. Sequence numbers need not be in order: a program may commit a lower one.
    ///
    /// # Errors
    ///
    /// The errors of [`current`](Self::current).
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. It changes nothing that a reader sees.
    ///
    /// # For implementers
    ///
    /// Make every listed generation durable before you return it, also if its writer crashed before its last sync. Callers
    /// truncate logs by this list.
    async fn history(&self) -> Result<Vec<Generation>>;

    /// Reads the complete JSON of a retained generation, byte for byte as it was written.
    ///
    /// # Errors
    ///
    /// - [`Expired`](crate::MiniSnapError::Expired): the generation isn't retained, or never was.
    /// - [`Corrupt`](crate::MiniSnapError::Corrupt): the generation is retained, and its files are missing or don't match their
    ///   digest.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. It changes nothing.
    ///
    /// # For implementers
    ///
    /// Check the bytes against the digest, where one is known. The name of the generation is untrusted: refuse a name that isn't
    /// in your grammar, and a known name with another sequence number.
    async fn read(&self, generation: &Generation) -> Result<Bytes>;

    /// Reads like [`read`](Self::read), as a stream of chunks in bounded memory.
    ///
    /// The digest is checked after the last chunk: a stream that doesn't match it ends with an error. Don't trust a chunk before
    /// the stream has ended with `None`.
    ///
    /// # Errors
    ///
    /// The errors of [`read`](Self::read), from this call or from the stream. If the generation expires while it is streamed, a folder
    /// and memory deliver all of it; an object store may end the stream with [`Expired`](crate::MiniSnapError::Expired).
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. It changes nothing.
    async fn read_chunks(&self, generation: &Generation) -> Result<ChunkStream>;

    /// Opens a staged snapshot, which is invisible until it is committed. The caller writes the JSON to it.
    ///
    /// Any number of snapshots may be staged concurrently, by any number of handles and processes.
    ///
    /// # Errors
    ///
    /// Returns an error if the medium can't be written to.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. Files that a cancelled call created are deleted like those of a dropped stage.
    async fn stage(&self, seq: u64) -> Result<Box<dyn StagedSnapshot>>;

    /// Expires all but the newest `retain` generations, without a commit. Returns the expired ones, newest first.
    ///
    /// An expired generation can't be read any more. The current generation stays current under the same name.
    ///
    /// # Errors
    ///
    /// - [`Busy`](crate::MiniSnapError::Busy): other writers held the store until the deadline.
    /// - [`Corrupt`](crate::MiniSnapError::Corrupt): the retained generations can't be determined.
    ///
    /// After every error the current generation is untouched.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. If the future is dropped, the older generations are all retained or all expired. A call that
    /// is cancelled before its atomic step never happens, so it can't expire a later commit's generations.
    ///
    /// # For implementers
    ///
    /// Make the reduced retention durable before you delete a file.
    async fn expire(&self, retain: NonZeroUsize) -> Result<Vec<Generation>>;

    /// Verifies the store: compares every retained generation with its digest, checks the commit record and the links, and counts
    /// the garbage. Changes nothing.
    ///
    /// # Errors
    ///
    /// Returns an error only if the store can't be verified. Corruption, also of the commit record, is reported in the [`Verification`].
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. It changes nothing.
    async fn verify(&self) -> Result<Verification>;

    /// Deletes expired generations and the orphans of crashed or cancelled writers, now.
    ///
    /// No retained generation is deleted. If the medium shows that the writer of a stage is running, the stage is preserved. An
    /// object store doesn't show that, so the stage may be deleted, and its commit returns
    /// [`StageLost`](crate::MiniSnapError::StageLost).
    ///
    /// # Errors
    ///
    /// - [`Busy`](crate::MiniSnapError::Busy): other writers held the store until the deadline.
    /// - The error of the first failed deletion. The other deletions are attempted, too.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. A cancelled call may leave garbage; call it again.
    async fn collect_garbage(&self) -> Result<Collected>;
}

/// A snapshot that is being written: an [`io::Write`] for the bytes of its JSON. Dropping it discards it.
///
/// [`flush`](io::Write::flush) has no effect that a caller can rely on.
///
/// # For implementers
///
/// Return write errors as a [`MiniSnapError`](crate::MiniSnapError) converted by [`io::Error::from`], so that the location passes
/// through the serializer. The typed store writes in chunks of [`CHUNK`](crate::format::CHUNK) bytes, so you need no buffer for
/// it. Other callers may write pieces of any size.
#[async_trait]
pub trait StagedSnapshot: io::Write + Debug + Send {
    /// Waits until only a bounded part of the written bytes is in memory. Call it between writes of a large JSON.
    ///
    /// A backend without a buffer returns at once.
    ///
    /// # Errors
    ///
    /// The error of an earlier write in the background. After an error the stage can't be committed.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. Call it again before the commit.
    async fn drain(&mut self) -> Result<()>;

    /// Makes this the current generation, if the [precondition](CommitOptions::precondition) holds.
    ///
    /// The newest [`retain`](CommitOptions::retain) generations are retained, including this one. The older generations expire: they
    /// can't be read any more, and their files are deleted.
    ///
    /// After `Ok`, the pair is durable, complete and current. The log can be truncated through
    /// [`truncation_point`](Committed::truncation_point).
    ///
    /// # Errors
    ///
    /// - [`Stale`](crate::MiniSnapError::Stale), [`Conflict`](crate::MiniSnapError::Conflict): the precondition doesn't hold.
    /// - [`Busy`](crate::MiniSnapError::Busy): other writers held the store until the deadline.
    /// - [`StageLost`](crate::MiniSnapError::StageLost): a forced collection deleted this stage. Stage and write it again.
    /// - [`OutcomeUnknown`](crate::MiniSnapError::OutcomeUnknown): the commit may or may not have happened.
    ///
    /// After every error but `OutcomeUnknown` the old pair is untouched.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. If the future is dropped, the current pair is the complete old one or the complete new one. A
    /// commit that is cancelled before its atomic step never happens.
    ///
    /// # For implementers
    ///
    /// - Evaluate the precondition in the same atomic step that commits, against the latest commit record.
    /// - Make the generation that a `Stale` error names durable before you return the error.
    /// - A failure after the commit record was sent is `OutcomeUnknown`, unless you can read the outcome.
    async fn commit(self: Box<Self>, options: CommitOptions) -> Result<Committed>;

    /// Deletes the stage, and returns after the deletion.
    ///
    /// Dropping the stage deletes it, too. A backend that deletes by requests over a network sends them in the background.
    ///
    /// # Errors
    ///
    /// Returns an error if a file of the stage could not be deleted. A later collection retries.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. A cancelled call may leave orphans, which a later collection deletes.
    async fn discard(self: Box<Self>) -> Result<()>;
}

/// Forwards the trait through a pointer, for `SnapStore<Arc<dyn SnapshotBackend>>`.
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
