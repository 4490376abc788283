//! How a program tests itself against the memory backend, failures included.
//!
//! ```console
//! $ cargo run --example unit_test
//! $ cargo test --example unit_test
//! ```
//!
//! The program counts: each change goes to a log first, every hundredth change it saves a snapshot and cuts the log. The
//! only thing it does for its tests is to be generic over the backend.

use minisnap::{MiniSnapError, SnapStore, SnapshotBackend, mem::MemBackend};

/// What stands here for a write-ahead log: `(seq, change)`.
type Log = Vec<(u64, u64)>;

struct Counter<B> {
    sum: u64,
    seq: u64,
    log: Log,
    snapshots: SnapStore<B>,
}

impl<B: SnapshotBackend> Counter<B> {
    /// Restores the newest snapshot and replays the tail of `log`.
    async fn open(snapshots: SnapStore<B>, log: Log) -> Result<Self, MiniSnapError> {
        let (mut sum, mut seq) = snapshots.try_restore().await?.unwrap_or((0, 0));
        for (logged, change) in log.iter().filter(|(logged, _)| *logged > seq).copied().collect::<Log>() {
            (sum, seq) = (sum + change, logged);
        }
        Ok(Self { sum, seq, log, snapshots })
    }

    async fn add(&mut self, change: u64) {
        self.seq += 1;
        self.log.push((self.seq, change));
        self.sum += change;
        if self.seq.is_multiple_of(100) {
            self.save().await;
        }
    }

    /// Saves, and only then cuts the log. A save that failed is no disaster: the log is longer until the next one.
    async fn save(&mut self) {
        match self.snapshots.create(&self.sum, self.seq).await {
            Ok(published) => self.log.retain(|(seq, _)| *seq > published.truncation_point()),
            Err(error) => eprintln!("no snapshot this time, the log stays: {error}"),
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

    /// A restart is a new handle on the same memory, and whatever the log still holds.
    async fn restart(memory: &MemBackend, log: Log) -> Counter<MemBackend> {
        Counter::open(SnapStore::with_backend(memory.clone()), log).await.unwrap()
    }

    #[tokio::test]
    async fn a_restart_has_every_change_though_the_log_was_cut() {
        let memory = MemBackend::new();
        let counter = counter_at(&memory, 250).await;
        assert!(counter.log.len() < 250, "the log was cut");
        assert_eq!(memory.seq_text().as_deref(), Some("200\n"));
        let restarted = restart(&memory, counter.log).await;
        assert_eq!((restarted.sum, restarted.seq), (250, 250));
    }

    #[tokio::test]
    async fn a_full_disk_loses_nothing() {
        let memory = MemBackend::new();
        memory.fail(Operation::Write).with(ErrorKind::StorageFull).always();
        let counter = counter_at(&memory, 250).await;
        assert_eq!(memory.json(), None);
        let restarted = restart(&memory, counter.log).await;
        assert_eq!(restarted.sum, 250);
    }

    #[tokio::test]
    async fn after_an_unknown_outcome_the_log_is_not_cut() {
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
    async fn an_unreadable_snapshot_is_not_taken_for_an_empty_state() {
        let memory = MemBackend::new();
        counter_at(&memory, 100).await;
        memory.fail(Operation::Read).always();
        assert!(Counter::open(SnapStore::with_backend(memory), Log::new()).await.is_err());
    }
}
