//! The trait of a write-ahead log, as recovery and compaction need it.

use crate::{Result, WalError};
use async_trait::async_trait;

/// A write-ahead log: numbered records, in the order in which they were appended, without gaps.
///
/// [`Journal`](crate::Journal) is one, in files; any other log can be one, too. What [`recover`](crate::recover) and
/// [`compact`](crate::compact) rely on:
///
/// - *Numbers.* The first record ever is number 1 and each next one is one higher, also after a restart and after a
///   [`truncate`](Self::truncate).
/// - *Durable.* When [`append`](Self::append) answers `Ok`, the record survives power loss; so does every record that
///   [`replay`](Self::replay) hands out, whoever appended it.
/// - *A truncated log is a whole log.* At every moment of a truncation, also after a crash, it holds all records after the
///   number that it was truncated through.
#[async_trait]
pub trait Log: Send + Sync {
    /// What is logged.
    type Record: Send + Sync;

    /// Where the log is, for people and for errors: a path or a URL, never with credentials in it. No I/O.
    fn location(&self) -> &str;

    /// The number of the first record it holds; while it holds none, that of the next one. No I/O.
    fn first(&self) -> u64;

    /// The number of the last record that was appended, also if it was truncated since; 0 if none ever was. No I/O.
    fn last(&self) -> u64;

    /// Appends a record and answers with its number when it is durable.
    ///
    /// # Errors
    ///
    /// After [`OutcomeUnknown`](crate::WalError::OutcomeUnknown), and when the future was dropped, the record may be in the
    /// log or not: [`recover`](crate::recover) again. After any other error it certainly is not.
    /// [`Corrupt`](crate::WalError::Corrupt) if there is a record before it that can't be read, so that no replay could
    /// reach it.
    async fn append(&mut self, record: &Self::Record) -> Result<u64>;

    /// Hands every record after number `after` to `apply`, with its number, in order.
    ///
    /// # Errors
    ///
    /// [`Gap`](crate::WalError::Gap) if it doesn't reach back that far, [`Beyond`](crate::WalError::Beyond) if it ends
    /// before, [`Corrupt`](crate::WalError::Corrupt) if a record can't be read. Some may have been handed out by then.
    async fn replay(&self, after: u64, apply: &mut (dyn FnMut(u64, Self::Record) + Send)) -> Result<()>;

    /// Forgets all records up to and with number `through`. What is gone already makes no difference.
    ///
    /// Use [`compact`](crate::compact), which knows how far is safe.
    ///
    /// # Errors
    ///
    /// [`Beyond`](crate::WalError::Beyond) if it ends before. Whatever the error, no record after `through` is lost.
    async fn truncate(&mut self, through: u64) -> Result<()>;
}

/// Whether the log holds everything after `seq`.
pub(crate) fn check_reach(log: &impl Log, seq: u64) -> Result<()> {
    if seq < log.first().saturating_sub(1) {
        return Err(gap(log, seq, log.first()));
    }
    check_end(log, seq)
}

/// Whether `seq` is the number of a record that was appended.
pub(crate) fn check_end(log: &impl Log, seq: u64) -> Result<()> {
    if seq <= log.last() {
        return Ok(());
    }
    Err(WalError::Beyond { location: log.location().into(), last: log.last(), seq })
}

/// The records between these two are missing.
pub(crate) fn gap(log: &impl Log, before: u64, after: u64) -> WalError {
    WalError::Gap { location: log.location().into(), from: before + 1, to: after.saturating_sub(1) }
}
