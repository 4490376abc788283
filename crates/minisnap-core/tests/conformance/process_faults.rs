//! Faults that only several processes reveal, one at a time, and the cases that have to detect each.

use crate::file_store::FileStore;
use minisnap_core::conformance::{Flavour, Hook, run_test};
use std::{
    env,
    panic::{self, AssertUnwindSafe},
};

/// The fault of a store: a type for each fault, since a child creates its handle from the type.
pub trait WithProcessFault: Send + Sync + 'static {
    const FAULT: ProcessFault;
}

/// No fault.
pub struct NoFault;

impl WithProcessFault for NoFault {
    const FAULT: ProcessFault = ProcessFault::None;
}

macro_rules! process_faults {
    ($($(#[doc = $doc:literal])* $fault:ident => $($case:ident)*;)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ProcessFault { None, $($(#[doc = $doc])* $fault,)* }

        // In a module of their own, since the modules of the tests have the same names.
        mod types {
            $(pub struct $fault;
            impl super::WithProcessFault for $fault {
                const FAULT: super::ProcessFault = super::ProcessFault::$fault;
            })*
        }

        /// The cases that detect a fault.
        pub const DETECTING_CASES: &[&str] = &[$($(concat!("processes::", stringify!($case)),)*)*];

        // Each is a test of its own, which can be started again as a child.
        $(#[allow(non_snake_case)]
        mod $fault {
            $(#[test]
            fn $case() {
                super::assert_detected::<super::types::$fault>(
                    concat!(module_path!(), "::", stringify!($case)),
                    concat!("processes::", stringify!($case)),
                );
            })*
        })*
    };
}

fn assert_detected<F: WithProcessFault>(test: &'static str, case: &str) {
    let hooks = &[Hook::Processes];
    let run = || run_test::<FileStore<F>>(test, case, Flavour::MultiThread, hooks);
    if env::var_os("MINISNAP_CONFORMANCE_CHILD").is_some() {
        return run();
    }
    let failure = panic::catch_unwind(AssertUnwindSafe(run)).expect_err("the case detects the fault");
    println!("{:?}: {}", F::FAULT, failure.downcast_ref::<String>().unwrap());
}

process_faults! {
    /// A mutex of the process instead of a lock of the file.
    LocksInTheProcess =>
        commits_of_3_processes_with_if_current_form_a_chain
        commits_of_3_processes_with_always_form_a_chain;
    /// Names that are unique in one process only.
    NamesByCounter =>
        commits_of_3_processes_with_if_current_form_a_chain
        commits_of_3_processes_with_always_form_a_chain;
    /// A process never looks at its own record again after a commit.
    CachesTheRecord => open_handle_sees_commits_of_another_process;
    /// The newest JSON has a name of its own, and only readers and writers of one process exclude each other.
    WritesInPlace => readers_see_no_mixed_pair_of_another_process;
    /// Each process deletes only its own orphans.
    KeepsOrphansOfOthers =>
        commits_remove_orphans_of_a_killed_process
        collection_removes_orphans_of_a_killed_process;
    /// `collect_garbage` does nothing. Commits do.
    CollectsNothing => collection_removes_orphans_of_a_killed_process;
    /// `verify` reports no garbage.
    CountsNoGarbage => collection_removes_orphans_of_a_killed_process;
    /// A commit deletes all stages of other processes.
    RemovesStagesOfOthers => stage_survives_commits_of_another_process;
    /// A collection deletes all stages, and their commit isn't `StageLost`.
    FailsWhenCollected => collection_preserves_stages_of_another_or_loses_them;
    /// The lock is a file that a killed process leaves.
    KeepsTheLockWhenKilled => process_killed_in_a_commit_loses_no_acknowledged_one;
    /// The JSON is written after the record.
    WritesTheJsonAfterTheRecord => process_killed_in_a_commit_loses_no_acknowledged_one;
}
