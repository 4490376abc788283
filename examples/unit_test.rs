//! A program with unit tests on the memory backend, including failures.
//!
//! ```console
//! $ cargo run --example unit_test
//! $ cargo test --example unit_test
//! ```
//!
//! The program is a counter. It logs each change before it applies it. After every hundredth change it saves a snapshot and truncates
//! the log. The program is generic over the backend, so that tests can use the memory backend.

use minisnap::{MiniSnapError, SnapStore, SnapshotBackend, mem::MemBackend};

/// A simplified write-ahead log: `(seq, change)`.
type Log = Vec<(u64, u64)>;

/// A counter: the sum of all changes.
struct Counter<B> {
    sum: u64,
    /// The sequence number of the last change.
    seq: u64,
    log: Log,
    snapshots: SnapStore<B>,
}

impl<B: SnapshotBackend> Counter<B> {
    /// Restores the newest snapshot and replays the tail of `log`.
    async fn open(snapshots: SnapStore<B>, log: Log) -> Result<Self, MiniSnapError> {
        let (mut sum, mut seq) = snapshots.try_restore().await?.unwrap_or((0, 0));
        for (logged_seq, change) in &log {
            if *logged_seq > seq {
                (sum, seq) = (sum + change, *logged_seq);
            }
        }
        Ok(Self { sum, seq, log, snapshots })
    }

    /// Logs and applies a change.
    async fn add(&mut self, change: u64) {
        self.seq += 1;
        self.log.push((self.seq, change));
        self.sum += change;
        if self.seq.is_multiple_of(100) {
            self.save().await;
        }
    }

    /// Saves a snapshot, then truncates the log. After an error the log isn't truncated until a later save succeeds.
    async fn save(&mut self) {
        match self.snapshots.create(&self.sum, self.seq).await {
            Ok(committed) => self.log.retain(|(seq, _)| *seq > committed.truncation_point()),
            Err(error) => eprintln!("no snapshot, so the log isn't truncated: {error}"),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), MiniSnapError> {
    let memory = MemBackend::new();
    let mut counter = Counter::open(SnapStore::with_backend(memory.clone()), Log::new()).await?;
    for change in 1..=250 {
        counter.add(change).await;
    }
    println!("sum {} as of change {}, {} changes in the log", counter.sum, counter.seq, counter.log.len());
    println!("snapshot.json: {}", memory.json().unwrap_or_default());
    println!("snapshot.seq: {}", memory.seq_text().unwrap_or_default().trim_end());

    let restarted = Counter::open(SnapStore::with_backend(memory), counter.log).await?;
    println!("after a restart: sum {} as of change {}", restarted.sum, restarted.seq);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use minisnap::{Operation, mem::Fault};
    use std::io::ErrorKind;

    async fn counter_at(memory: &MemBackend, changes: u64) -> Counter<MemBackend> {
        let mut counter = Counter::open(SnapStore::with_backend(memory.clone()), Log::new()).await.unwrap();
        for _ in 0..changes {
            counter.add(1).await;
        }
        counter
    }

    /// Restarts with a new handle on the same memory, and the rest of the log.
    async fn restart(memory: &MemBackend, log: Log) -> Counter<MemBackend> {
        Counter::open(SnapStore::with_backend(memory.clone()), log).await.unwrap()
    }

    #[tokio::test]
    async fn restart_recovers_every_change_after_truncation() {
        let memory = MemBackend::new();
        let counter = counter_at(&memory, 250).await;
        assert!(counter.log.len() < 250, "the log was truncated");
        assert_eq!(memory.seq_text().as_deref(), Some("200\n"));
        let restarted = restart(&memory, counter.log).await;
        assert_eq!((restarted.sum, restarted.seq), (250, 250));
    }

    #[tokio::test]
    async fn full_disk_loses_nothing() {
        let memory = MemBackend::new();
        memory.fail(Operation::Write).with(ErrorKind::StorageFull).always();
        let counter = counter_at(&memory, 250).await;
        assert_eq!(memory.json(), None);
        let restarted = restart(&memory, counter.log).await;
        assert_eq!(restarted.sum, 250);
    }

    #[tokio::test]
    async fn log_is_not_truncated_after_an_unknown_outcome() {
        for applied in [false, true] {
            let memory = MemBackend::new();
            memory.fail(Operation::Commit).with(Fault::OutcomeUnknown { applied }).once();
            let counter = counter_at(&memory, 100).await;
            assert_eq!(counter.log.len(), 100);
            let restarted = restart(&memory, counter.log).await;
            assert_eq!(restarted.sum, 100, "applied: {applied}");
        }
    }

    #[tokio::test]
    async fn unreadable_snapshot_is_an_error_not_an_empty_state() {
        let memory = MemBackend::new();
        counter_at(&memory, 100).await;
        memory.fail(Operation::Read).always();
        assert!(Counter::open(SnapStore::with_backend(memory), Log::new()).await.is_err());
    }
}
