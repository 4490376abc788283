//! The loss of the commit record: an operator deletes it, and later puts it back. In between, every operation must report the
//! loss, and none may write another record.

use super::{
    client::EndedHandle,
    simulation::{SharedState, Simulation},
    violation::Kind,
};
use minisnap_core::{Corruption, MiniSnapError, Result};
use object_store::{Error, ObjectStoreExt, PutMode, path::Path};
use std::{sync::Arc, time::Duration};

/// Deletes the record after `start` milliseconds, and puts it back after another `duration` milliseconds. Does nothing if the
/// record names no generation: an empty record is no loss.
pub(super) async fn lose_the_record(sim: Arc<Simulation>, start: u64, duration: u64) -> Option<EndedHandle> {
    super::faults::delay(start).await;
    let path = sim.layout.current();
    sim.state().store_log.record().current()?;
    let record = sim.object(&path)?;
    super::faulty_store::ready_answer(sim.store.delete(&path)).ok()?;
    let event = sim.event();
    sim.state().losses.push((event, u64::MAX));
    sim.note(|| "the operator deletes the record".into());
    sim.count("fault: record lost");
    tokio::time::sleep(Duration::from_millis(duration)).await;
    let event = sim.event();
    if let Some((_, until)) = sim.state().losses.last_mut() {
        *until = event;
    }
    sim.note(|| "the operator puts the record back".into());
    let restored = super::faulty_store::ready_answer(sim.store.put(&path, record.into()));
    assert!(restored.is_ok(), "the record can't be put back: {restored:?}");
    None
}

impl SharedState {
    pub(super) fn is_lost(&self) -> bool {
        self.losses.iter().any(|(_, until)| *until == u64::MAX)
    }

    /// Whether the record was lost at some moment between two events.
    fn was_lost(&self, called: u64, ended: u64) -> bool {
        self.losses.iter().any(|(from, until)| *from < ended && called < *until)
    }

    /// Whether the record was lost all the time between two events.
    pub(super) fn was_lost_throughout(&self, called: u64, ended: u64) -> bool {
        self.losses.iter().any(|(from, until)| *from < called && ended < *until)
    }
}

impl Simulation {
    /// Checks that an operation that needs the record reports its loss, and reports no loss if there was none.
    pub(super) fn check_loss_reported<T>(&self, called: u64, ended: u64, result: &Result<T>) {
        let state = self.state();
        let (partly, throughout) = (state.was_lost(called, ended), state.was_lost_throughout(called, ended));
        drop(state);
        match result {
            Err(MiniSnapError::Corrupt { found: Corruption::RecordMissing { .. }, .. }) if partly => {
                self.count("reported the loss of the record");
            }
            Err(error @ MiniSnapError::Corrupt { .. }) => {
                self.violation(Kind::FalseCorruption, format!("there is no such corruption: {error}"));
            }
            Ok(_) if throughout => {
                self.violation(Kind::LossUndetected, "the record was lost, and no error was returned");
            }
            _ => {}
        }
    }

    /// Refuses a request to make the first record that arrives while the record is lost. A real store would accept it, because
    /// its condition holds. No client can tell this case from the first commit of a store, as `docs/object-store.md` states.
    pub(super) fn refuse_late_first_record(&self, path: &Path, mode: &PutMode) -> object_store::Result<()> {
        match mode {
            PutMode::Create if *path == self.layout.current() && self.state().is_lost() => {
                self.count("refused a first record while the record was lost");
                Err(Error::AlreadyExists { path: path.to_string(), source: "the record existed".into() })
            }
            _ => Ok(()),
        }
    }
}
