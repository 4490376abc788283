//! The cases of the suite's hooks `power_cut` and `lost_answer`, on the recorded disk.

use crate::{DATABASE, Disk};
use example_sqlite_backend::SqliteBackend;
use minisnap_core::{
    SnapshotBackend, async_trait,
    conformance::{Capability, Flavour, Hook, StoreUnderTest, cases},
};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// A database on a disk of its own.
struct RecordedStore {
    disk: Disk,
    cuts: AtomicUsize,
}

#[async_trait]
impl StoreUnderTest for RecordedStore {
    async fn fresh() -> Self {
        Self { disk: Disk::new(), cuts: AtomicUsize::new(0) }
    }

    async fn open(&self) -> Arc<dyn SnapshotBackend> {
        Arc::new(SqliteBackend::open(&self.disk.uri(DATABASE)).expect("the disk works"))
    }

    /// There is none: see `tests/conformance.rs`.
    async fn garbage(&self) -> Vec<String> {
        Vec::new()
    }

    fn lacks() -> &'static [Capability] {
        &[]
    }

    async fn lose_next_answer(&self) -> Option<Arc<dyn SnapshotBackend>> {
        self.disk.lose_next_answer();
        Some(self.open().await)
    }

    /// After the first cut, only the durable changes are left. After the next cuts, others survive, too.
    async fn power_cut(&self) -> Option<()> {
        let cut = self.cuts.fetch_add(1, Ordering::SeqCst);
        self.disk.cut_power(|model| match cut {
            0 => model.durable(),
            _ => {
                let states = model.after_power_loss(&|_, _| false);
                states[cut % states.len()].clone()
            }
        });
        Some(())
    }
}

fn test_hook(hook: Hook) {
    let cases: Vec<_> = cases::<RecordedStore>().into_iter().filter(|case| case.hook() == Some(hook)).collect();
    assert!(!cases.is_empty(), "the suite has cases for {hook}");
    for case in cases {
        case.run(Flavour::CurrentThread);
        case.run(Flavour::MultiThread);
    }
}

#[test]
fn acknowledged_snapshots_survive_the_power_cuts_of_the_suite() {
    test_hook(Hook::PowerCut);
}

/// The sync after the truncation of the journal fails, so `COMMIT` fails although the commit has happened.
#[test]
fn lost_answer_to_a_commit_is_an_unknown_outcome() {
    test_hook(Hook::LostAnswer);
}
