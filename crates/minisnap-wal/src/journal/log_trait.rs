//! The implementation of the trait [`Log`] for a journal.

use super::{Journal, blocking, open::active_segment, replay::Replay, truncate};
use crate::{Log, Result, WalError, log::check_end};
use async_trait::async_trait;
use serde::{Serialize, de::DeserializeOwned};
use std::sync::atomic::Ordering;

/// After some errors, and after a cancelled call, a journal has to be opened again.
///
/// # Errors
///
/// After an unknown outcome, and after a truncation that failed partway, this handle rejects further operations with
/// [`Interrupted`](WalError::Interrupted). Open the journal again. After any other error, for example a full disk, the handle
/// stays usable.
///
/// # Cancel safety
///
/// Dropping a future of [`append`](Log::append) or [`truncate`](Log::truncate) doesn't stop the file operation that has begun.
/// Afterwards this handle rejects further operations with [`Interrupted`](WalError::Interrupted). Open the journal again.
#[async_trait]
impl<R: Serialize + DeserializeOwned + Send + Sync + 'static> Log for Journal<R> {
    type Record = R;

    fn location(&self) -> &str {
        &self.location
    }

    fn first(&self) -> u64 {
        self.start().saturating_add(1)
    }

    fn last(&self) -> u64 {
        self.end()
    }

    async fn append(&mut self, record: &R) -> Result<u64> {
        if self.end() == u64::MAX {
            return Err(WalError::Log {
                location: self.location.clone(),
                source: "the last record has the highest possible seq".into(),
            });
        }
        let line = self.line(record)?;
        let length = line.len() as u64;
        self.check_readable().await?;
        let mut writer = self.writer.take().ok_or_else(|| self.interrupted())?;
        let (writer, appended) = blocking(&self.path, move || {
            let appended = writer.append(&line);
            (writer, appended)
        })
        .await?;
        if matches!(appended, Ok(()) | Err(WalError::Io { .. })) {
            self.writer = Some(writer);
        }
        appended?;
        let active = active_segment(&mut self.segments);
        active.records += 1;
        active.end += length;
        Ok(active.last())
    }

    async fn replay(&self, after: u64, apply: &mut (dyn FnMut(u64, R) + Send)) -> Result<()> {
        if self.writer.is_none() {
            return Err(self.interrupted());
        }
        self.check_reach(after)?;
        let mut replay = Replay::after(after, &self.segments);
        loop {
            let (next, batch) = blocking(&self.path, move || {
                let batch = replay.batch();
                (replay, batch)
            })
            .await?;
            let batch = batch?;
            if batch.is_empty() {
                self.is_readable.store(true, Ordering::Relaxed);
                return Ok(());
            }
            batch.into_iter().for_each(|(number, record)| apply(number, record));
            replay = next;
        }
    }

    async fn truncate(&mut self, through: u64) -> Result<()> {
        check_end(self, through)?;
        let writer = self.writer.take().ok_or_else(|| self.interrupted())?;
        if through <= self.start() {
            self.writer = Some(writer);
            return Ok(());
        }
        self.change(writer, move |writer, segments| Ok((truncate::truncate(writer, segments, through)?, ()))).await
    }
}

impl<R: Serialize + DeserializeOwned + Send + Sync + 'static> Journal<R> {
    /// Checks that a replay can reach the next append: all lines before it must be valid records. Reads all records, unless a
    /// replay has already done so.
    async fn check_readable(&self) -> Result<()> {
        if self.is_readable.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.replay(self.start(), &mut |_, _| {}).await
    }
}

impl<R: Serialize + DeserializeOwned> Journal<R> {
    /// Serializes a record to its line, and checks that the line can be parsed: an acknowledged record must not fail a
    /// recovery.
    fn line(&self, record: &R) -> Result<Vec<u8>> {
        let unreplayable = |source| WalError::Unreplayable { path: self.path.clone(), source };
        let mut line = serde_json::to_vec(record).map_err(|error| unreplayable(error.into()))?;
        serde_json::from_slice::<R>(&line).map_err(|error| unreplayable(error.into()))?;
        if line.contains(&b'\n') {
            return Err(unreplayable("its JSON contains a line break".into()));
        }
        line.push(b'\n');
        Ok(line)
    }
}
