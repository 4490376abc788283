//! The trait of a write-ahead log, as recovery and checkpoints need it.

use crate::{Result, WalError};
use async_trait::async_trait;

/// A write-ahead log: records with consecutive sequence numbers, in the order of their appends.
///
/// [`Journal`](crate::Journal) is a log in files. Implement this trait for another log: [`recover`](crate::recover),
/// [`checkpoint`](crate::checkpoint) and [`compact`](crate::compact) then work with it. They rely on three rules:
///
/// - *Consecutive.* The first record ever has the sequence number 1, and each further record has the next higher one. A
///   restart or a [`truncate`](Self::truncate) doesn't change that.
/// - *Durable.* When [`append`](Self::append) returns `Ok`, the record survives power loss. So does every record that
///   [`replay`](Self::replay) returns, also one of a crashed writer.
/// - *Complete after a truncation.* At every moment of a truncation, also after a crash, the log holds all records after the
///   truncation point.
///
/// # Examples
///
/// A log in memory, for tests:
///
/// ```
/// use async_trait::async_trait;
/// use minisnap_wal::{Log, Result, WalError};
///
/// #[derive(Default)]
/// struct MemoryLog {
///     truncated_through: u64,
///     records: Vec<u64>,
/// }
///
/// #[async_trait]
/// impl Log for MemoryLog {
///     type Record = u64;
///
///     fn location(&self) -> &str {
///         "memory"
///     }
///     fn first(&self) -> u64 {
///         self.truncated_through + 1
///     }
///     fn last(&self) -> u64 {
///         self.truncated_through + self.records.len() as u64
///     }
///     async fn append(&mut self, record: &u64) -> Result<u64> {
///         self.records.push(*record);
///         Ok(self.last())
///     }
///     async fn replay(&self, after: u64, apply: &mut (dyn FnMut(u64, u64) + Send)) -> Result<()> {
///         if after < self.truncated_through {
///             let (from, to) = (after + 1, self.truncated_through);
///             return Err(WalError::Gap { location: self.location().into(), from, to });
///         }
///         for (seq, record) in (self.first()..).zip(&self.records).filter(|(seq, _)| *seq > after) {
///             apply(seq, *record);
///         }
///         Ok(())
///     }
///     async fn truncate(&mut self, through: u64) -> Result<()> {
///         if through > self.last() {
///             let (location, last) = (self.location().into(), self.last());
///             return Err(WalError::Beyond { location, last, seq: through });
///         }
///         let removed = through.saturating_sub(self.truncated_through);
///         self.records.drain(..removed as usize);
///         self.truncated_through += removed;
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let mut log = MemoryLog::default();
/// for number in [10, 20, 30] {
///     log.append(&number).await?;
/// }
/// log.truncate(1).await?;
/// assert_eq!((log.first(), log.last()), (2, 3));
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait Log: Send + Sync {
    /// The type of a record.
    type Record: Send + Sync;

    /// Where the log is, for errors and output: a path or a URL without credentials. No I/O.
    fn location(&self) -> &str;

    /// The sequence number of the first record in the log; of the next record, if the log is empty. No I/O.
    fn first(&self) -> u64;

    /// The sequence number of the last appended record, also if it was truncated since; 0 without any append. No I/O.
    fn last(&self) -> u64;

    /// Appends a record and returns its sequence number when the record is durable.
    ///
    /// # Errors
    ///
    /// - [`OutcomeUnknown`](crate::WalError::OutcomeUnknown): the record may be in the log or not. Open the log again and
    ///   [`recover`](crate::recover).
    /// - [`Corrupt`](crate::WalError::Corrupt): an earlier record can't be read, so no replay could reach this one.
    /// - After any other error the record is certainly not in the log.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the record may be in the log or not. Open the log again and [`recover`](crate::recover).
    async fn append(&mut self, record: &Self::Record) -> Result<u64>;

    /// Passes every record after sequence number `after` to `apply`, with its sequence number, in order.
    ///
    /// # Errors
    ///
    /// `apply` may have received some of the records before an error.
    ///
    /// - [`Gap`](crate::WalError::Gap): the log begins after `after + 1`.
    /// - [`Beyond`](crate::WalError::Beyond): the log ends before `after`.
    /// - [`Corrupt`](crate::WalError::Corrupt): a record can't be read.
    ///
    /// # Cancel safety
    ///
    /// Changes nothing in the log. `apply` may have received some of the records.
    async fn replay(&self, after: u64, apply: &mut (dyn FnMut(u64, Self::Record) + Send)) -> Result<()>;

    /// Removes all records through sequence number `through`, inclusive. Idempotent.
    ///
    /// Call [`compact`](crate::compact) instead: it computes the truncation point from the retained snapshots.
    ///
    /// # Errors
    ///
    /// [`Beyond`](crate::WalError::Beyond) if the log ends before `through`. After any error, the log still holds all records
    /// after `through`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the log still holds all records after `through`. Open it again before further use.
    async fn truncate(&mut self, through: u64) -> Result<()>;
}

/// Checks that the log holds all records after `seq`.
pub(crate) fn check_reach(log: &impl Log, seq: u64) -> Result<()> {
    if seq < log.first().saturating_sub(1) {
        return Err(gap(log, seq, log.first()));
    }
    check_end(log, seq)
}

/// Checks that the log doesn't end before `seq`.
pub(crate) fn check_end(log: &impl Log, seq: u64) -> Result<()> {
    if seq <= log.last() {
        return Ok(());
    }
    Err(WalError::Beyond { location: log.location().into(), last: log.last(), seq })
}

/// The error of missing records between two sequence numbers, both exclusive.
pub(crate) fn gap(log: &impl Log, before: u64, after: u64) -> WalError {
    WalError::Gap { location: log.location().into(), from: before + 1, to: after.saturating_sub(1) }
}
