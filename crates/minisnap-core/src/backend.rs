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
/// tests them. It tests some parts only with *hooks*, optional methods that the backend's author writes for the suite.
///
/// 1. *Atomic.* A reader gets the complete old pair or the complete new pair, concurrently with writers, and after a crash at any
///    point. A read never combines the JSON of one generation with the sequence number of another.
/// 2. *Durable.* When [`commit`](StagedSnapshot::commit) returns `Ok`, the pair survives power loss. So does every
///    generation that [`history`](Self::history) returns, and the generation that a [`Stale`](crate::MiniSnapError::Stale)
///    error names, including those of other writers.
/// 3. *Isolated.* A staged snapshot is invisible until it is committed. A later stage or commit deletes the orphans of crashed
///    writers. An object store doesn't show which writers are running, so it waits for a grace time first.
///    [`collect_garbage`](Self::collect_garbage) deletes orphans at once.
/// 4. *Conditional.* A commit evaluates its [`Precondition`](crate::Precondition) in the same atomic step, against the latest
///    commit record. Contention never makes a writer write its JSON again. Only a deleted stage does, with
///    [`StageLost`](crate::MiniSnapError::StageLost). The number of attempts is bounded. After the last one the commit returns
///    [`Busy`](crate::MiniSnapError::Busy), and the old pair is untouched.
/// 5. *Known outcome.* Every error guarantees that the old pair is untouched, except
///    [`OutcomeUnknown`](crate::MiniSnapError::OutcomeUnknown). After that error the old or the new pair is current and complete,
///    and the backend starts no deletion. A failed deletion after the commit isn't an error of the commit. A later writer retries it,
///    and [`verify`](Self::verify) counts the garbage.
/// 6. *Reads are passive.* A read needs no write access, takes no lock, and changes nothing.
/// 7. *Cancel safe.* A commit that is cancelled before its atomic step never happens, so it can't overwrite a later commit. A
///    commit that is cancelled during its atomic step may happen; readers see the old or the new pair. From that step on,
///    dropping the future deletes nothing.
/// 8. *No background work.* When a call has returned, none of its threads, tasks or retries continues. A cancelled call, or a
///    dropped stage, may still delete its own files. After an unknown outcome, a request that was sent may still arrive.
///
/// A call that can't keep these properties on its medium returns [`Unsupported`](crate::MiniSnapError::Unsupported) instead of a weaker
/// guarantee. The suite accepts `Unsupported` in two cases only: a precondition that the backend lacks, and a JSON above its maximal
/// size.
///
/// # Cancel safety
///
/// Every method is cancel safe: see property 7 and the methods.
///
/// # For implementers
///
/// The module `conformance` has a tutorial and the tests. [Helpers](crate#helpers-for-backends) do the common work. Each method has a
/// section "For implementers" if it has rules of its own. If a later release adds a method to this trait, the method has a default
/// implementation. These rules hold for all methods:
///
/// **Bytes and names**
///
/// - The JSON is bytes: perhaps none, perhaps not UTF-8, perhaps not valid JSON. Never parse or convert them. Use a column for bytes:
///   a column of type text can't store them all.
/// - A write may end inside a character, so never convert a piece to text.
/// - Store a JSON of 32 MiB at least. A medium with a lower limit stores 64 KiB at least. Refuse a larger JSON with
///   [`Unsupported`](crate::MiniSnapError::Unsupported), from `write`, `drain` or `commit`, and leave the old pair untouched. Declare
///   the limit to the suite: `StoreUnderTest::max_size`.
/// - `seq` is any `u64`. Many databases have only signed integers: store it in a text or a decimal column.
/// - Compare names byte by byte. Many SQL collations ignore the case or trailing blanks: give the column of names a binary one.
/// - Keep name, sequence number, size and digest of a generation in the commit record. [`Generation::to_text`] is a form for stores of
///   strings.
///
/// **Errors**
///
/// - Each error names the operation, and a location that contains [`location`](Self::location): see
///   [`ErrorContext`](crate::ErrorContext).
/// - A medium that can't be reached is an error, never `None` and never an empty list.
/// - [`read`](Self::read), [`read_chunks`](Self::read_chunks) and [`verify`](Self::verify) compare the bytes with the committed
///   digest.
/// - A [`Corrupt`](crate::MiniSnapError::Corrupt) error lists the intact generations: see
///   [`with_verification`](crate::MiniSnapError::with_verification) and [`with_intact`](crate::MiniSnapError::with_intact).
///
/// **Runtimes**
///
/// - The async methods never wait on their thread for a lock, a sync or a network: other tasks of a current-thread runtime would stop.
///   Call a blocking client by [`run_blocking`](crate::run_blocking), and if the call changes what readers see, by
///   [`run_blocking_cancellable`](crate::run_blocking_cancellable).
/// - A backend may need a Tokio runtime, or its timer or I/O driver. Then the documentation of the backend says so.
/// - A handle may be used from several runtimes, also after one of them has ended. A connection whose task ended with its runtime has
///   to be opened again.
/// - A stage, or the future of a call, may be dropped outside of a runtime. `Drop` must not panic there. If it needs a runtime, call
///   [`Handle::try_current`](tokio::runtime::Handle::try_current); without one, leave an orphan.
///
/// **Several processes**
///
/// - A lock, a transaction or a compare-and-swap of the *medium* makes a commit atomic. A mutex covers one process only.
/// - A name is unique among all processes: see [`random_name_part`](crate::random_name_part).
/// - A killed process runs no `Drop`. A later writer finds the stage, and deletes it.
/// - Before you delete a stage of another process, find out whether its writer is running. Use a lock that the system or the server
///   releases when the process ends. A lease that a background task renews would violate property 8.
/// - If the medium has no such lock, delete only stages that are older than a *grace time*. Take minutes as the default, and let the
///   program set it. Your tests set a short one: the suite waits for the deletion for ten seconds.
/// - Wait for other writers for a limited time, and return [`Busy`](crate::MiniSnapError::Busy) then. Half a minute is a usual limit.
///   The suite allows a minute.
/// - In a database, a read may use a short read transaction: that isn't a lock in the sense of property 6, as long as no reader waits for a
///   writer that has stopped.
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
    ///
    /// # For implementers
    ///
    /// Programs log the location, so a URL has no user, password, query or fragment: see
    /// [`ErrorContext::of_url`](crate::ErrorContext::of_url). Remove a password from any other connection string yourself: the suite
    /// checks URLs only. If a database has several stores, their locations differ: append the name of the store to the path.
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
    ///
    /// # For implementers
    ///
    /// Return `None` only if the medium has answered that the store is empty: a program starts from an empty state then. For a missing
    /// database or table, return `None` or an error; document your choice. A read never creates it.
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
    /// This method is cancel safe. It may sync, and changes nothing that a reader sees.
    ///
    /// # For implementers
    ///
    /// Make every listed generation durable before you return it, also if its writer crashed before its last sync. Callers
    /// truncate logs by this list. A user who may only read calls it, too.
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
    /// - Check the bytes against the digest in the commit record. The digest, the size and the time of the argument are untrusted.
    /// - The name is untrusted, too. For an unknown name, and for a known name with another sequence number, return `Expired`. Never build
    ///   a path or an SQL text from it.
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
    ///
    /// # For implementers
    ///
    /// If several requests read the chunks, use one transaction, or return `Expired` if the generation expires in between.
    /// [`ChunkStream::checked`] checks the digest: pass the generation of the commit record.
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
    /// - Make the reduced retention durable before you delete a file.
    /// - A cancelled call must not take effect after a later commit: the rules of [`CallerWatch`](crate::CallerWatch) apply.
    async fn expire(&self, retain: NonZeroUsize) -> Result<Vec<Generation>>;

    /// Verifies the store: compares every retained generation with its digest, checks the commit record, and counts the garbage.
    /// Changes nothing.
    ///
    /// # Errors
    ///
    /// Returns an error only if the store can't be verified. Corruption, also of the commit record, is reported in the [`Verification`].
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. It changes nothing.
    ///
    /// # For implementers
    ///
    /// - Read all bytes of each retained generation, and continue after a corrupt generation: callers fall back to the
    ///   [intact](Verification::intact) ones.
    /// - A commit record that can't be parsed is a problem of the store: convert its error to a [`Problem`](crate::Problem).
    /// - Leave out a generation that expires during the call.
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
    ///
    /// # For implementers
    ///
    /// - Ignore the grace time: the caller knows that no writer is running, or accepts `StageLost`.
    /// - Delete nothing of other stores on the medium: a neighbour may have a name that begins with the name of this store.
    async fn collect_garbage(&self) -> Result<Collected>;
}

/// A snapshot that is being written: an [`io::Write`] for the bytes of its JSON. Dropping it discards it.
///
/// [`flush`](io::Write::flush) has no effect that a caller can rely on.
///
/// # For implementers
///
/// - Return write errors as a [`MiniSnapError`](crate::MiniSnapError) converted by [`io::Error::from`], so that the location passes
///   through the serializer.
/// - The typed store writes in chunks of [`CHUNK`](crate::format::CHUNK) bytes, so you need no buffer for it. Other callers write
///   pieces of any size: single bytes, nothing, 32 MiB at once.
/// - `write` runs on the thread of the caller, often inside a runtime, and can't await. It may write to a file. It must not wait for a
///   network or a lock. A client that is only asynchronous needs an [`UploadBuffer`](crate::UploadBuffer).
/// - After a failed write refuse the commit, also if the caller ignored the error: bytes are missing. Return the first error again.
/// - `Drop` doesn't panic. It may delete local files, and doesn't wait for a network. It may leave an orphan.
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
    ///
    /// # For implementers
    ///
    /// - Some callers call it after each chunk. `SnapStore::create` never does, because it serializes without an await. So `commit` has to
    ///   write all that remains.
    /// - A caller may call it before the first write, or twice in a row. A caller may cancel it at any await, and call it again. Remove a
    ///   part from the buffer only after its upload has succeeded: see [`UploadBuffer`](crate::UploadBuffer).
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
    /// - [`StageLost`](crate::MiniSnapError::StageLost): the stage was deleted, by a forced collection or because it was older than the
    ///   grace time. Stage and write it again.
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
    /// - If the commit record was sent and no answer came, read the record. If that fails, too, return `OutcomeUnknown`.
    /// - Work that continues after its future was dropped checks for the cancellation: see [`CallerWatch`](crate::CallerWatch).
    /// - Older generations expire inside the atomic step, or after it and before `commit` returns. In a database, inside is simpler: one
    ///   transaction adds the new generation and deletes the rows beyond the retention.
    /// - Each retained generation is complete after every outcome, also an unknown one. A deletion in the transaction takes effect exactly
    ///   if the commit does, so it is safe. A separate deletion waits until the commit has succeeded.
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
