//! A store in memory that satisfies the contract, except for one injected fault.

use crate::{
    faults::{Fault, WithFault},
    handle::Handle,
    hooks, latency,
};
use minisnap_core::{
    Bytes, Generation, SnapshotBackend, async_trait,
    conformance::{Capability, Profile, StoreUnderTest},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    marker::PhantomData,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

/// The medium.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "each belongs to one hook or fault")]
pub struct Medium {
    /// The retained generations with their JSON, newest first: the commit record and the files.
    pub retained: Vec<(Generation, Bytes)>,
    /// Open and leaked stages, by number.
    pub stages: BTreeMap<u64, (Generation, Vec<u8>)>,
    /// Other garbage, leaked by faults.
    pub leaked: Vec<String>,
    /// How many names were assigned.
    pub names: u64,
    /// The names of the generations that a hook has corrupted.
    pub corrupt: BTreeSet<String>,
    /// What a power cut restores, if the last change isn't durable.
    pub unsynced: Option<Vec<(Generation, Bytes)>>,
    /// The other store on the same medium.
    pub neighbour: Weak<Mutex<Medium>>,
    pub is_neighbour: bool,
    /// Whether a writer outside of the backend holds the lock.
    pub held: bool,
    /// Whether the time to live of the stages has ended. Used by faults only.
    pub stages_are_deleted: bool,
    /// How long a step of a call takes; zero for a yield.
    pub step: Duration,
    // The other fields are used by faults only.
    pub expired: Vec<(Generation, Bytes)>,
    pub locked: bool,
    pub buffer: Vec<u8>,
    pub newest_json: Option<Bytes>,
    pub transactions: Arc<Mutex<()>>,
}

/// The store under test, correct except for the fault `F`.
pub struct TestBackend<F>(Arc<Mutex<Medium>>, PhantomData<F>);

#[async_trait]
impl<F: WithFault> StoreUnderTest for TestBackend<F> {
    async fn fresh() -> Self {
        let medium = Medium { step: latency::of_a_step::<F>(), ..Medium::default() };
        Self(Arc::new(Mutex::new(medium)), PhantomData)
    }

    async fn open(&self) -> Arc<dyn SnapshotBackend> {
        open(&self.0, F::FAULT)
    }

    async fn garbage(&self) -> Vec<String> {
        let medium = self.0.lock().unwrap();
        medium.stages.keys().map(|number| format!("stage {number}")).chain(medium.leaked.iter().cloned()).collect()
    }

    fn profile() -> Profile {
        latency::profile::<F>()
    }

    fn lacks() -> &'static [Capability] {
        match F::FAULT {
            Fault::LacksPreconditions => &[Capability::IfNewer, Capability::IfCurrent],
            Fault::AcceptsUnsupportedIfNewer => &[Capability::IfNewer],
            Fault::AcceptsUnsupportedIfCurrent => &[Capability::IfCurrent],
            _ => &[],
        }
    }

    fn max_size() -> Option<usize> {
        match F::FAULT {
            Fault::LacksPreconditions => Some(64 << 10), // the smallest that the suite allows
            Fault::TruncatesAtItsMaxSize | Fault::FailsAboveItsMaxSize => Some(1 << 20),
            _ => None,
        }
    }

    async fn open_read_only(&self) -> Option<Arc<dyn SnapshotBackend>> {
        Some(hooks::read_only(handle(&self.0, F::FAULT)))
    }

    async fn hold_write_lock(&self) -> Option<Box<dyn Send>> {
        hooks::hold_write_lock(&self.0)
    }

    async fn corrupt(&self, generation: &Generation) -> Option<()> {
        hooks::corrupt(&self.0, generation)
    }

    async fn unreachable(&self) -> Option<Arc<dyn SnapshotBackend>> {
        Some(hooks::unreachable(handle(&self.0, F::FAULT)))
    }

    async fn lose_next_answer(&self) -> Option<Arc<dyn SnapshotBackend>> {
        Some(hooks::lose_next_answer(handle(&self.0, F::FAULT)))
    }

    async fn neighbour(&self) -> Option<Self> {
        Some(Self(hooks::neighbour(&self.0), PhantomData))
    }

    async fn end_times_to_live(&self) -> Option<()> {
        hooks::end_times_to_live(&self.0, F::FAULT)
    }

    async fn power_cut(&self) -> Option<()> {
        hooks::power_cut(&self.0)
    }
}

fn open(store: &Arc<Mutex<Medium>>, fault: Fault) -> Arc<dyn SnapshotBackend> {
    let reopened = Arc::strong_count(store) == 1;
    let mut medium = store.lock().unwrap();
    match fault {
        Fault::LosesDataOnReopen if reopened => *medium = Medium::default(),
        Fault::LosesHistoryOnReopen if reopened => medium.retained.truncate(1),
        Fault::ReusesNamesAfterReopen if reopened => medium.names = 0,
        Fault::CommitsOnOpen if medium.retained.is_empty() => {
            medium.retained.push((Generation::new("default", 0), Bytes::from_static(b"null")));
        }
        Fault::CommitsStagesOnReopen if reopened => {
            for (_, (generation, json)) in std::mem::take(&mut medium.stages) {
                medium.retained.insert(0, (generation, json.into()));
            }
        }
        _ => {}
    }
    drop(medium);
    Arc::new(handle(store, fault))
}

fn handle(store: &Arc<Mutex<Medium>>, fault: Fault) -> Handle {
    let location = match store.lock().unwrap().is_neighbour && fault != Fault::NeighboursShareALocation {
        true => "test:neighbour",
        false => "test:",
    };
    let runtime = std::thread::current().id();
    Handle { medium: store.clone(), seen: Arc::default(), runtime, fault, loses_answer: Arc::default(), location }
}
