//! What writes: the ways to make a snapshot, all of them one loop of stage, write, publish.

use crate::{
    Committed, ErrorContext, Generation, MiniSnapError, Operation, Precondition, Result, SnapStore, SnapshotBackend,
    StagedSnapshot, format, run_blocking,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    io::{self, Write},
    sync::{Arc, Weak},
};
use tokio::runtime::Handle;

/// How often a snapshot was written again because the store lost what was staged.
#[derive(Default)]
struct Restages(usize);

impl Restages {
    const MOST: usize = 8;

    /// Whether to write it once more after this.
    fn again_after(&mut self, published: &Result<Committed>) -> bool {
        self.0 += 1;
        matches!(published, Err(MiniSnapError::StageLost { .. })) && self.0 <= Self::MOST
    }
}

impl<B: SnapshotBackend> SnapStore<B> {
    /// Makes `state` the current snapshot; `seq` is the number of the last change in it. The last to create wins, also with
    /// the same seq or a lower one.
    ///
    /// `Ok` means that the snapshot is durable, whole, and can be read back as JSON, and that the log up to
    /// [`truncation_point`](Committed::truncation_point) may go. (That it is *equal* when it comes back is up to the
    /// state's type: see [`create_verified`](Self::create_verified).)
    ///
    /// The state is serialized on the calling task and needs no bound but `Serialize`; for a large one see
    /// [`create_owned`](Self::create_owned).
    ///
    /// # Errors
    ///
    /// After any error but [`OutcomeUnknown`](MiniSnapError::OutcomeUnknown) the old snapshot is untouched. Never delete
    /// log after an error.
    ///
    /// A state that can't be read back as JSON is refused: [`MapKey`](MiniSnapError::MapKey),
    /// [`Unrestorable`](MiniSnapError::Unrestorable), [`Serde`](MiniSnapError::Serde).
    ///
    /// # On cancel
    ///
    /// If the future is dropped, the snapshot is the old one or the new one, and it is settled which: it can't change
    /// after a later `create` has answered.
    pub async fn create<S: Serialize + ?Sized>(&self, state: &S, seq: u64) -> Result<Committed> {
        self.create_with(state, seq, Precondition::Always).await
    }

    /// Like [`create`](Self::create), if `seq` is above that of the current snapshot: the seq never goes down.
    ///
    /// This is no fence by itself. It stops an old leader that wakes up only where `seq` counts committed changes alone, as
    /// in Raft: where an old leader may have counted further than its successor, it overwrites the successor's snapshot. To
    /// notice any other writer, whatever its seq, use [`create_if_current`](Self::create_if_current).
    ///
    /// # Errors
    ///
    /// [`Stale`](MiniSnapError::Stale) if it isn't; nothing is changed then.
    pub async fn create_if_newer<S: Serialize + ?Sized>(&self, state: &S, seq: u64) -> Result<Committed> {
        self.create_with(state, seq, Precondition::IfNewer).await
    }

    /// Like [`create`](Self::create), if `expected` is still the current snapshot (`None`: if there is none yet). Of any
    /// number of programs that expect the same, exactly one creates.
    ///
    /// # Errors
    ///
    /// [`Conflict`](MiniSnapError::Conflict) if it isn't; nothing is changed then.
    pub async fn create_if_current<S: Serialize + ?Sized>(
        &self,
        state: &S,
        seq: u64,
        expected: Option<Generation>,
    ) -> Result<Committed> {
        self.create_with(state, seq, Precondition::IfCurrent(expected)).await
    }

    /// Like [`create`](Self::create), if `when` holds.
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create) and of the precondition.
    pub async fn create_with<S: Serialize + ?Sized>(
        &self,
        state: &S,
        seq: u64,
        when: Precondition,
    ) -> Result<Committed> {
        let mut restages = Restages::default();
        loop {
            let mut staged = self.backend.stage(seq).await?;
            format::write_json(&mut staged, state, || self.at(Operation::Write))?;
            let published = staged.commit(when.clone(), self.retain).await;
            if !restages.again_after(&published) {
                return published;
            }
        }
    }

    /// Like [`create`](Self::create), for a large state: it is serialized on the blocking pool, in bounded memory, and
    /// the runtime is not held up, whichever flavour it is.
    ///
    /// If the future is dropped, serializing stops at the next chunk.
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create).
    pub async fn create_owned<S: Serialize + Send + Sync + 'static>(
        &self,
        state: Arc<S>,
        seq: u64,
    ) -> Result<Committed> {
        self.create_owned_with(state, seq, Precondition::Always).await
    }

    /// Like [`create_owned`](Self::create_owned), if `when` holds.
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create) and of the precondition.
    pub async fn create_owned_with<S: Serialize + Send + Sync + 'static>(
        &self,
        state: Arc<S>,
        seq: u64,
        when: Precondition,
    ) -> Result<Committed> {
        let mut restages = Restages::default();
        loop {
            let staged = self.backend.stage(seq).await?;
            let staged = write_on_blocking_pool(staged, Arc::clone(&state), self.at(Operation::Write)).await?;
            let published = staged.commit(when.clone(), self.retain).await;
            if !restages.again_after(&published) {
                return published;
            }
        }
    }

    /// Like [`create`](Self::create), after a proof that the state comes back: it is serialized to memory, parsed, and
    /// compared, and only then published. A NaN that became `null`, or a `Serialize` that doesn't match its
    /// `Deserialize`, is an error now and not at the next restart.
    ///
    /// Costs the memory of the JSON and of a second state, and the time of a restore.
    ///
    /// # Errors
    ///
    /// [`Unrestorable`](MiniSnapError::Unrestorable) if the state would not come back equal; else those of
    /// [`create`](Self::create).
    pub async fn create_verified<S>(&self, state: &S, seq: u64) -> Result<Committed>
    where
        S: Serialize + DeserializeOwned + PartialEq,
    {
        self.create_verified_with(state, seq, Precondition::Always).await
    }

    /// Like [`create_verified`](Self::create_verified), if `when` holds.
    ///
    /// # Errors
    ///
    /// Those of [`create_verified`](Self::create_verified) and of the precondition.
    pub async fn create_verified_with<S>(&self, state: &S, seq: u64, when: Precondition) -> Result<Committed>
    where
        S: Serialize + DeserializeOwned + PartialEq,
    {
        let json = self.verify(state)?;
        let mut restages = Restages::default();
        loop {
            let mut staged = self.backend.stage(seq).await?;
            for chunk in json.chunks(format::CHUNK) {
                staged
                    .write_all(chunk)
                    .map_err(|error| MiniSnapError::from_write(error, || self.at(Operation::Write)))?;
                staged.drain().await?;
            }
            let published = staged.commit(when.clone(), self.retain).await;
            if !restages.again_after(&published) {
                return published;
            }
        }
    }

    fn verify<S: Serialize + DeserializeOwned + PartialEq>(&self, state: &S) -> Result<Vec<u8>> {
        let mut json = Vec::new();
        format::write_json(&mut json, state, || self.at(Operation::Write))?;
        let unrestorable = |reason| MiniSnapError::Unrestorable { at: self.at(Operation::Write), reason };
        match serde_json::from_slice::<S>(&json) {
            Ok(back) if back == *state => Ok(json),
            Ok(_) => Err(unrestorable("parsed again, it is not equal to what was saved".into())),
            Err(error) => Err(unrestorable(format!("its JSON can't be parsed again: {error}"))),
        }
    }
}

async fn write_on_blocking_pool<S: Serialize + Send + Sync + 'static>(
    mut staged: Box<dyn StagedSnapshot>,
    state: Arc<S>,
    at: ErrorContext,
) -> Result<Box<dyn StagedSnapshot>> {
    let unable = |source| MiniSnapError::Io { at: at.clone(), action: "run on the blocking pool", source };
    let runtime = Handle::try_current().map_err(|error| unable(io::Error::other(error)))?;
    // Dropped with this future, which is how the blocking pool learns that nobody waits any more.
    let caller = Arc::new(());
    let watch = Arc::downgrade(&caller);
    let of_writing = at.clone();
    let written = run_blocking(move || {
        let sink = DrainedSink { staged: &mut *staged, runtime, caller: watch };
        format::write_json(sink, &*state, || of_writing.clone())?;
        Ok(staged)
    });
    written.await.unwrap_or_else(|source| Err(unable(source)))
}

/// Waits after each chunk until the stage has room for the next, on a thread that may wait.
struct DrainedSink<'a> {
    staged: &'a mut dyn StagedSnapshot,
    runtime: Handle,
    caller: Weak<()>,
}

impl Write for DrainedSink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.caller.strong_count() == 0 {
            return Err(io::Error::other("the caller is gone"));
        }
        let written = self.staged.write(bytes)?;
        self.runtime.block_on(self.staged.drain()).map_err(MiniSnapError::into_io)?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
