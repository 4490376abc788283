//! A state manager: a state in memory, with a log of its changes and snapshots.
//!
//! 1. Recover the state from the newest snapshot and the log after it.
//! 2. Append each change to the log, and then apply it to the state.
//! 3. After a number of changes, save a snapshot, and truncate the log through the oldest retained snapshot.
//!
//! ```console
//! $ cargo run --example state_manager
//! $ cargo run --example state_manager FOLDER      # keeps the files; the next run continues from them
//! ```
//!
//! `tests/state_manager.rs` kills the program hundreds of times, at random moments and at each system call. The test checks that no
//! acknowledged change is lost, and that no change is applied twice.

use minisnap::SnapStore;
use minisnap_wal::{Checkpoint, Journal, Log, Result, WalError, recover_or_fall_back};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, path::Path};

/// A change of a state.
///
/// A change must be deterministic: no clock, no random numbers, no I/O. It must not fail, so validate it before you log it.
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
    checkpoint_interval: u64,
    /// The sequence number of the newest snapshot; 0 if there is none.
    snapshot_seq: u64,
}

impl<S, C> StateManager<S, C>
where
    S: Default + Serialize + DeserializeOwned + Send + Sync,
    C: Change<S>,
{
    /// Recovers the state from `folder`, and opens the log. An empty folder is an empty state.
    ///
    /// The manager saves a snapshot after every `checkpoint_interval` changes.
    ///
    /// # Errors
    ///
    /// Returns an error if the log or the snapshots can't be read, or if changes are missing between them.
    pub async fn open(folder: &Path, checkpoint_interval: u64) -> Result<Self> {
        // 1.
        let journal = Journal::open(folder.join("journal.jsonl")).await?;
        let snapshots = SnapStore::new(folder);
        let recovered =
            recover_or_fall_back(&snapshots, &journal, S::default(), |state, _, change: C| change.apply(state)).await?;
        for corrupt in &recovered.corrupt {
            eprintln!("corrupt snapshot: {corrupt}");
        }
        Ok(Self {
            state: recovered.state,
            seq: recovered.seq,
            journal,
            snapshots,
            checkpoint_interval,
            snapshot_seq: recovered.snapshot.unwrap_or(0),
        })
    }

    /// Logs and applies a change. When the call returns the sequence number of the change, the change is durable.
    ///
    /// # Errors
    ///
    /// Returns an error if the log can't be written. The change may or may not be in the log: open the manager again.
    pub async fn apply(&mut self, change: C) -> Result<u64> {
        // 2.
        self.seq = self.journal.append(&change).await?;
        change.apply(&mut self.state);
        // 3.
        if self.seq - self.snapshot_seq >= self.checkpoint_interval
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
    /// Returns an error if the snapshot can't be saved, or if the log can't be truncated (`NotCompacted`).
    pub async fn checkpoint(&mut self) -> Result<Checkpoint> {
        let result = minisnap_wal::checkpoint(&self.snapshots, &mut self.journal, &self.state, self.seq).await;
        // After `NotCompacted` the snapshot is saved, and only the log isn't truncated.
        if matches!(result, Ok(_) | Err(WalError::NotCompacted { .. })) {
            self.snapshot_seq = self.seq;
        }
        result
    }

    /// Returns the state after the last change.
    pub fn state(&self) -> &S {
        &self.state
    }

    /// Returns the sequence number of the last change.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Returns the sequence number of the newest snapshot; 0 if there is none.
    pub fn snapshot_seq(&self) -> u64 {
        self.snapshot_seq
    }

    /// Returns the sequence number of the first change in the log.
    pub fn first_logged_seq(&self) -> u64 {
        self.journal.first()
    }
}

/// The state of this program: the amount of each item in stock.
type Stock = BTreeMap<String, i64>;

/// The change of this program: adds an amount of an item.
#[derive(Debug, Serialize, Deserialize)]
struct Delivery {
    item: String,
    amount: i64,
}

impl Change<Stock> for Delivery {
    fn apply(&self, stock: &mut Stock) {
        *stock.entry(self.item.clone()).or_default() += self.amount;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let temporary = tempfile::tempdir()?;
    let folder = std::env::args_os().nth(1).map_or_else(|| temporary.path().join("stock"), Into::into);

    let mut manager = StateManager::<Stock, Delivery>::open(&folder, 100).await?;
    println!("recovered {} changes: {:?}", manager.seq(), manager.state());
    for number in 1..=250 {
        let item = ["apples", "pears", "plums"][number % 3].into();
        manager.apply(Delivery { item, amount: i64::try_from(number)? }).await?;
    }
    println!("after 250 more changes: {:?}", manager.state());

    // Drops the manager without a final checkpoint, as a crash would.
    let before = manager.state().clone();
    drop(manager);
    let manager = StateManager::<Stock, Delivery>::open(&folder, 100).await?;
    println!(
        "recovered {:?} from the snapshot of change {} and {} logged changes; the log begins with change {}",
        manager.state(),
        manager.snapshot_seq(),
        manager.seq() - manager.snapshot_seq(),
        manager.first_logged_seq(),
    );
    assert_eq!(*manager.state(), before);
    Ok(())
}
