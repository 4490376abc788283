//! A state manager: the state in memory, every change in a log before it counts, a snapshot every so often, and the log cut
//! behind it.
//!
//! ```console
//! $ cargo run --example state_manager
//! $ cargo run --example state_manager FOLDER      # to keep what it wrote; run it again, and it goes on
//! ```
//!
//! `tests/state_manager.rs` kills it hundreds of times, at any moment and at each of its system calls, and checks that no
//! change that was acknowledged is lost and none is applied twice.

use minisnap::SnapStore;
use minisnap_wal::{Checkpoint, Journal, Log, Result, WalError, recover_or_fall_back};
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, path::Path};

/// A change of a state. It has to do the same whenever it is applied to the same state: no clock, no dice, no I/O. And it
/// can't fail: whether it is allowed is decided before it is logged.
pub trait Change<S>: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Makes the change.
    fn apply(&self, state: &mut S);
}

/// Keeps a state of type `S`, which only changes of type `C` change.
pub struct StateManager<S, C> {
    state: S,
    /// The number of the last change in the state.
    seq: u64,
    journal: Journal<C>,
    snapshots: SnapStore,
    /// After how many changes to save a snapshot.
    every: u64,
    saved: u64,
}

impl<S, C> StateManager<S, C>
where
    S: Default + Serialize + DeserializeOwned + Send + Sync,
    C: Change<S>,
{
    /// Recovers what is in `folder`; an empty one is an empty state.
    ///
    /// # Errors
    ///
    /// When log and snapshots don't fit together, or can't be read.
    pub async fn open(folder: &Path, every: u64) -> Result<Self> {
        let journal = Journal::open(folder.join("journal.jsonl")).await?;
        let snapshots = SnapStore::new(folder);
        let recovered =
            recover_or_fall_back(&snapshots, &journal, S::default(), |state, _, change: C| change.apply(state)).await?;
        for corrupt in &recovered.corrupt {
            eprintln!("passed over: {corrupt}");
        }
        let saved = recovered.snapshot.unwrap_or(0);
        Ok(Self { state: recovered.state, seq: recovered.seq, journal, snapshots, every, saved })
    }

    /// Makes a change. `Ok` means that it survives whatever happens, and is the number it has for ever.
    ///
    /// # Errors
    ///
    /// When the log can't be written. The change may be in it or not: open again, and see.
    pub async fn apply(&mut self, change: C) -> Result<u64> {
        // First it is durable, then it counts.
        self.seq = self.journal.append(&change).await?;
        change.apply(&mut self.state);
        if self.seq - self.saved >= self.every
            && let Err(error) = self.checkpoint().await
        {
            // The change is safe in the log. The next one tries again, or, if the log has to be looked up, says so.
            eprintln!("no checkpoint after change {}: {error}", self.seq);
        }
        Ok(self.seq)
    }

    /// Saves a snapshot, and cuts the log to what the retained ones don't hold.
    ///
    /// # Errors
    ///
    /// When there is no new snapshot, or (`NotCompacted`) the log is as long as it was.
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

    /// The number of the last change.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The seq of the newest snapshot; 0 if there is none.
    pub fn saved(&self) -> u64 {
        self.saved
    }

    /// The first number that is still in the log.
    pub fn log_begins_with(&self) -> u64 {
        self.journal.first()
    }
}

/// What this program keeps: how much there is of what.
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

    // As if the power had gone.
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
