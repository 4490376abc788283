//! The backend: the methods for tests, and the implementation of the trait. `backend/stage.rs` has the staged snapshot.

mod stage;

use crate::fault::{Failing, Fault, FaultPlans};
use crate::record::{CommitRecord, Stored};
use crate::sync::AtomicUsize;
use async_trait::async_trait;
use minisnap_core::{
    Bytes, ChunkStream, Collected, Corruption, Digest, ErrorContext, Generation, MiniSnapError, Operation, Problem,
    Result, SnapshotBackend, StagedSnapshot, Verification, VerifiedGeneration, format, random_name_part,
};
use stage::Stage;
use std::{
    fmt, io,
    num::NonZeroUsize,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

const LOCATION: &str = "memory:";

/// A handle to a store in memory, for unit tests.
///
/// Clones share the store, its planned failures and its counts. The store is dropped with its last handle and its last stage.
///
/// # Examples
///
/// A test of a program is in the [crate documentation](crate).
#[derive(Clone, Default)]
pub struct MemBackend(Arc<Store>);

#[derive(Default)]
struct Store {
    record: CommitRecord,
    plans: FaultPlans,
    stages: AtomicUsize,
}

impl MemBackend {
    /// Creates a new, empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the content of `snapshot.json`: the JSON of the current snapshot; `None` if the store is empty.
    ///
    /// This doesn't count as a call, and never fails. Bytes that aren't UTF-8 are replaced.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap_core::Result<()> {
    /// # use minisnap_core::{CommitOptions, SnapshotBackend};
    /// # use std::{io::Write, num::NonZeroUsize};
    /// let mem = minisnap_mem::MemBackend::new();
    /// assert_eq!(mem.json(), None);
    /// let mut staged = mem.stage(10).await?;
    /// staged.write_all(b"[1]").expect("memory");
    /// staged.commit(CommitOptions::new(NonZeroUsize::MIN)).await?;
    /// assert_eq!(mem.json().as_deref(), Some("[1]"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn json(&self) -> Option<String> {
        self.0.record.now().current().map(|stored| String::from_utf8_lossy(&stored.json).into_owned())
    }

    /// Returns the content of `snapshot.seq`: the sequence number and a newline; `None` if the store is empty.
    ///
    /// This doesn't count as a call, and never fails.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap_core::Result<()> {
    /// # use minisnap_core::{CommitOptions, SnapshotBackend};
    /// # use std::{io::Write, num::NonZeroUsize};
    /// let mem = minisnap_mem::MemBackend::new();
    /// let mut staged = mem.stage(10).await?;
    /// staged.write_all(b"[1]").expect("memory");
    /// staged.commit(CommitOptions::new(NonZeroUsize::MIN)).await?;
    /// assert_eq!(mem.seq_text().as_deref(), Some("10\n"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn seq_text(&self) -> Option<String> {
        self.0.record.now().current().map(|stored| format::seq_text(stored.generation.seq()))
    }

    /// Returns how many stages are open: neither committed nor dropped.
    ///
    /// Assert that it is 0 when no call is running, to detect a stage that the program leaks.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap_core::Result<()> {
    /// # use minisnap_core::{CommitOptions, SnapshotBackend};
    /// # use std::{io::Write, num::NonZeroUsize};
    /// let mem = minisnap_mem::MemBackend::new();
    /// let staged = mem.stage(10).await?;
    /// assert_eq!(mem.stages(), 1);
    /// drop(staged);
    /// assert_eq!(mem.stages(), 0);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn stages(&self) -> usize {
        self.0.stages.load(Ordering::SeqCst)
    }

    /// Returns how many commits happened, including those with a planned unknown outcome that were applied.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap_core::Result<()> {
    /// # use minisnap_core::{CommitOptions, SnapshotBackend};
    /// # use std::{io::Write, num::NonZeroUsize};
    /// let mem = minisnap_mem::MemBackend::new();
    /// let mut staged = mem.stage(10).await?;
    /// staged.write_all(b"[1]").expect("memory");
    /// staged.commit(CommitOptions::new(NonZeroUsize::MIN)).await?;
    /// assert_eq!(mem.commits(), 1);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn commits(&self) -> usize {
        self.0.record.now().commits
    }

    /// Returns how often `operation` was called through any handle, including failed calls.
    ///
    /// [`Write`](Operation::Write) counts the chunks of a JSON.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap_core::Result<()> {
    /// # use minisnap_core::{CommitOptions, SnapshotBackend};
    /// # use std::{io::Write, num::NonZeroUsize};
    /// let mem = minisnap_mem::MemBackend::new();
    /// mem.current().await?;
    /// assert_eq!(mem.calls(minisnap_core::Operation::Current), 1);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn calls(&self, operation: Operation) -> usize {
        self.0.plans.calls(operation)
    }

    /// Plans a failure of `operation`, through any handle.
    ///
    /// The operation is `Current`, `History`, `Read`, `Stage`, `Write`, `Commit`, `Expire`, `Verify` or `CollectGarbage`. Several plans
    /// for one operation apply one after the other, in the order of their creation. Plans for different operations are independent.
    ///
    /// # Panics
    ///
    /// Panics if `operation` is another one, because the backend never runs it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use minisnap_core::Operation;
    /// # use minisnap_mem::{Fault, MemBackend};
    /// # use std::io::ErrorKind;
    /// # let mem = MemBackend::new();
    /// mem.fail(Operation::Commit).once(); //                             the next commit fails with an I/O error
    /// mem.fail(Operation::Commit).after(2).with(Fault::Busy).times(3); // then two succeed, and three are busy
    /// mem.fail(Operation::Read).with(ErrorKind::PermissionDenied).always();
    /// mem.clear_faults();
    /// ```
    #[track_caller]
    pub fn fail(&self, operation: Operation) -> Failing<'_> {
        self.0.plans.fail(operation)
    }

    /// Cancels every plan made with [`fail`](Self::fail). The counts of calls don't change.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap_core::Result<()> {
    /// # use minisnap_core::{Operation, SnapshotBackend};
    /// let mem = minisnap_mem::MemBackend::new();
    /// mem.fail(Operation::Current).always();
    /// assert!(mem.current().await.is_err());
    /// mem.clear_faults();
    /// assert!(mem.current().await?.is_none());
    /// # Ok(()) }
    /// ```
    pub fn clear_faults(&self) {
        self.0.plans.clear();
    }

    /// Counts a call, and returns its planned failure, if any.
    fn call(&self, operation: Operation) -> Result<ErrorContext> {
        match self.0.plans.call(operation) {
            None => Ok(at(operation)),
            Some(fault) => Err(planned_error(fault, operation)),
        }
    }
}

impl fmt::Debug for MemBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemBackend")
            .field("history", &self.0.record.now().history())
            .field("stages", &self.stages())
            .field("planned", &self.0.plans)
            .finish()
    }
}

#[async_trait]
impl SnapshotBackend for MemBackend {
    fn location(&self) -> &str {
        LOCATION
    }

    async fn current(&self) -> Result<Option<Generation>> {
        self.call(Operation::Current)?;
        Ok(self.0.record.now().current().map(|stored| stored.generation.clone()))
    }

    async fn history(&self) -> Result<Vec<Generation>> {
        self.call(Operation::History)?;
        Ok(self.0.record.now().history())
    }

    async fn read(&self, generation: &Generation) -> Result<Bytes> {
        let fault = self.0.plans.call(Operation::Read);
        let at = at(Operation::Read);
        let record = self.0.record.now();
        let expired = || MiniSnapError::Expired { at: at.clone(), generation: generation.clone() };
        match fault {
            None => record.find(generation).map(|stored| stored.json.clone()).ok_or_else(expired),
            Some(Fault::Expired) => Err(expired()),
            Some(Fault::Corrupt) => {
                let found = Corruption::Other(format!("generation {generation} is corrupt, as the test planned"));
                let intact = record.history().into_iter().filter(|other| other != generation);
                Err(MiniSnapError::corrupt(at, found).with_intact(intact))
            }
            Some(fault) => Err(planned_error(fault, Operation::Read)),
        }
    }

    async fn stage(&self, seq: u64) -> Result<Box<dyn StagedSnapshot>> {
        let at = self.call(Operation::Stage)?;
        let random =
            random_name_part(16).map_err(|source| MiniSnapError::Io { at, action: "name the generation", source })?;
        let generation = Generation::new(format!("{seq:020}-{random}"), seq);
        Ok(Box::new(Stage::new(self.clone(), generation)))
    }

    async fn read_chunks(&self, generation: &Generation) -> Result<ChunkStream> {
        self.read(generation).await.map(ChunkStream::from_bytes)
    }

    async fn expire(&self, retain: NonZeroUsize) -> Result<Vec<Generation>> {
        self.call(Operation::Expire)?;
        Ok(self.0.record.expire(retain))
    }

    async fn verify(&self) -> Result<Verification> {
        let at = self.call(Operation::Verify)?;
        let record = self.0.record.now();
        let verified = |stored: &Stored| {
            let generation = stored.generation.clone();
            match Corruption::of_json(&generation, stored.json.len() as u64, Digest::of(&stored.json)) {
                None => VerifiedGeneration::intact(generation),
                Some(found) => VerifiedGeneration::corrupt(generation, Problem::new(at.location(), found)),
            }
        };
        Ok(Verification::new(record.retained.iter().map(verified).collect()))
    }

    /// Memory has no orphans, and a commit drops expired generations at once, so there is never any garbage.
    async fn collect_garbage(&self) -> Result<Collected> {
        self.call(Operation::CollectGarbage).map(|_| Collected::default())
    }
}

const PLANNED: &str = "a failure the test planned";

fn at(operation: Operation) -> ErrorContext {
    ErrorContext::new(operation, LOCATION)
}

fn io_error(operation: Operation, source: io::Error) -> MiniSnapError {
    let action = match operation {
        Operation::Current | Operation::History => "read the commit record",
        Operation::Read => "read",
        Operation::Stage => "open a stage",
        Operation::Write => "write",
        Operation::Commit => "commit",
        Operation::Expire => "expire",
        Operation::Verify => "verify",
        _ => "collect garbage",
    };
    MiniSnapError::Io { at: at(operation), action, source }
}

/// The error of a planned fault, for the faults that need no generation.
fn planned_error(fault: Fault, operation: Operation) -> MiniSnapError {
    let at = at(operation);
    match fault {
        Fault::Io(kind) => io_error(operation, io::Error::new(kind, PLANNED)),
        Fault::Busy => MiniSnapError::Busy { at, waited: Duration::ZERO, reason: PLANNED.into() },
        Fault::StageLost => MiniSnapError::StageLost { at, reason: PLANNED.into() },
        Fault::Expired | Fault::Corrupt | Fault::OutcomeUnknown { .. } => {
            unreachable!("planned for {operation:?}, which `Fault::fits` rules out")
        }
    }
}
