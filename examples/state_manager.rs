//! A state manager: it keeps the state in memory, logs each change before it applies it, saves a snapshot now and then, and truncates
//! the log.
//!
//! ```console
//! $ cargo run --example state_manager
//! $ cargo run --example state_manager FOLDER      # keeps its files; run it again to continue
//! ```
//!
//! `tests/state_manager.rs` kills it hundreds of times, at random moments and at each system call. It checks that no acknowledged
//! change is lost, and none is applied twice.

use minisnap::SnapStore;
use minisnap_wal::{Checkpoint, Journal, Log, Result, WalError, recover_or_fall_back};
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, path::Path};

/// A change of a state. It must be deterministic (no clock, no random numbers, no I/O), and must not fail: validate it before it is
/// logged.
pub trait Change<S>: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Applies the change.
    fn apply(&self, state: &mut S);
}

/// Manages a state of type `S`, with changes of type `C`.
pub struct StateManager<S, C> {
    state: S,
    /// The sequence number of the last change in the state.
    seq: u64,
    journal: Journal<C>,
    snapshots: SnapStore,
    /// The number of changes between two snapshots.
    every: u64,
    saved: u64,
}

impl<S, C> StateManager<S, C>
where
    S: Default + Serialize + DeserializeOwned + Send + Sync,
    C: Change<S>,
{
    /// Recovers the state from `folder`. An empty folder is an empty state.
    ///
    /// # Errors
    ///
    /// If the log and the snapshots can't be read, or have a gap between them.
    pub async fn open(folder: &Path, every: u64) -> Result<Self> {
        let journal = Journal::open(folder.join("journal.jsonl")).await?;
        let snapshots = SnapStore::new(folder);
        let recovered =
            recover_or_fall_back(&snapshots, &journal, S::default(), |state, _, change: C| change.apply(state)).await?;
        for corrupt in &recovered.corrupt {
            eprintln!("corrupt snapshot: {corrupt}");
        }
        let saved = recovered.snapshot.unwrap_or(0);
        Ok(Self { state: recovered.state, seq: recovered.seq, journal, snapshots, every, saved })
    }

    /// Logs and applies a change. Returns its sequence number when the change is durable.
    ///
    /// # Errors
    ///
    /// If the log can't be written. The change may or may not be in it: open the manager again.
    pub async fn apply(&mut self, change: C) -> Result<u64> {
        // Logs the change before it is applied.
        self.seq = self.journal.append(&change).await?;
        change.apply(&mut self.state);
        if self.seq - self.saved >= self.every
            && let Err(error) = self.checkpoint().await
        {
            // The change is durable in the log. The next change retries the checkpoint.
            eprintln!("no checkpoint after change {}: {error}", self.seq);
        }
        Ok(self.seq)
    }

    /// Saves a snapshot, and truncates the log through the oldest retained snapshot.
    ///
    /// # Errors
    ///
    /// If the snapshot can't be saved, or (`NotCompacted`) the log can't be truncated.
    pub async fn checkpoint(&mut self) -> Result<Checkpoint> {
        let done = minisnap_wal::checkpoint(&self.snapshots, &mut self.journal, &self.state, self.seq).await;
        if matches!(done, Ok(_) | Err(WalError::NotCompacted { .. })) {
            self.saved = self.seq;
        }
        done
    }

    /// The state after the last change.
    pub fn state(&self) -> &S {
        &self.state
    }

    /// The sequence number of the last change.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The sequence number of the newest snapshot; 0 if there is none.
    pub fn saved(&self) -> u64 {
        self.saved
    }

    /// The first sequence number in the log.
    pub fn log_begins_with(&self) -> u64 {
        self.journal.first()
    }
}

/// The state of this program: the amount of each item.
type Stock = BTreeMap<String, i64>;

#[derive(Debug, Serialize, serde::Deserialize)]
struct Delivery {
    of: String,
    amount: i64,
}

impl Change<Stock> for Delivery {
    fn apply(&self, stock: &mut Stock) {
        *stock.entry(self.of.clone()).or_default() += self.amount;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let temporary = tempfile::tempdir()?;
    let folder = std::env::args_os().nth(1).map_or_else(|| temporary.path().join("stock"), Into::into);

    let mut manager = StateManager::<Stock, Delivery>::open(&folder, 100).await?;
    println!("recovered {} changes: {:?}", manager.seq(), manager.state());
    for number in 1..=250 {
        let of = ["apples", "pears", "plums"][number % 3].into();
        manager.apply(Delivery { of, amount: i64::try_from(number)? }).await?;
    }
    println!("250 more:  {:?}", manager.state());

    // Simulates a crash.
    let before = manager.state().clone();
    drop(manager);
    let manager = StateManager::<Stock, Delivery>::open(&folder, 100).await?;
    println!(
        "recovered: {:?}, from a snapshot of change {} and {} more; the log begins with {}",
        manager.state(),
        manager.saved(),
        manager.seq() - manager.saved(),
        manager.log_begins_with(),
    );
    assert_eq!(*manager.state(), before);
    Ok(())
}
