//! Tests of the suite itself. A correct backend passes every case. Each case fails on a backend with the fault that the case has to
//! detect.

// The backend is private to this test, and a poisoned lock is a failed test anyway.
#![allow(unreachable_pub, clippy::unwrap_used)]

mod backend;
mod children;
mod faults;
mod file_backend;
mod file_stage;
mod file_store;
mod handle;
mod hooks;
mod latency;
mod pool;
mod process_faults;
mod restricted;
mod staged;

use backend::TestBackend;
use faults::{ExpectedFailure, NoFault, WithoutPreconditions, expected_failures};
use minisnap_core::{
    SnapshotBackend, async_trait,
    conformance::{Capability, Flavour, Profile, StoreUnderTest, cases, run, run_all},
};
use std::{collections::BTreeSet, fs, panic, path::Path, sync::Arc, thread, time::Duration};

mod without_faults {
    minisnap_core::conformance_tests!(
        super::TestBackend<super::NoFault>,
        hooks = [read_only, write_lock, corrupt, unreachable, lost_answer, neighbour, time_to_live, power_cut]
    );
}

mod without_preconditions {
    minisnap_core::conformance_tests!(
        super::TestBackend<super::WithoutPreconditions>,
        hooks = [read_only, write_lock, corrupt, unreachable, lost_answer, neighbour, time_to_live, power_cut]
    );
}

/// With processes that use the same folder.
mod in_a_folder {
    minisnap_core::conformance_tests!(
        crate::file_store::FileStore<crate::process_faults::NoFault>,
        hooks = [processes]
    );
}

#[test]
fn each_fault_is_detected_by_its_cases() {
    assert_each_fault_is_detected(Profile::local(), Duration::ZERO);
}

/// The documented floor: with as few commits, each fault is still detected.
#[test]
fn each_fault_is_detected_with_the_fewest_commits() {
    let floor = Profile::local().with_commits(Profile::MIN_COMMITS);
    assert_each_fault_is_detected(floor, Duration::ZERO);
}

/// The same over a network, in virtual time. The history stays long: a fault of the table cuts it at 1 000.
#[test]
fn each_fault_is_detected_behind_latency() {
    let profile = Profile::remote().with_history(1_050);
    assert_each_fault_is_detected(profile, Duration::from_millis(20));
}

fn assert_each_fault_is_detected(profile: Profile, step: Duration) {
    let running: Vec<_> = expected_failures()
        .into_iter()
        .map(|expected| (thread::spawn(move || (expected.run)(profile, step)), expected))
        .collect();
    let mut missed = Vec::new();
    for (running, ExpectedFailure { fault, case, .. }) in running {
        match running.join().expect("the case's panic is caught") {
            Ok(()) => missed.push(format!("{case} doesn't detect {fault}")),
            Err(message) => println!("{fault}: {case}: {message}"),
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn every_case_detects_a_fault() {
    let mut detected: BTreeSet<&str> = expected_failures().iter().map(|expected| expected.case).collect();
    detected.extend(process_faults::DETECTING_CASES);
    let cases: BTreeSet<&str> = cases::<TestBackend<NoFault>>().iter().map(|case| case.name()).collect();
    let unused: Vec<_> = cases.difference(&detected).collect();
    assert!(unused.is_empty(), "cases that detect no fault: {unused:#?}");
}

#[test]
fn every_case_function_is_in_the_table() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/conformance");
    let mut written = BTreeSet::new();
    for entry in fs::read_dir(sources).unwrap() {
        let path = entry.unwrap().path();
        let group = path.file_stem().unwrap().to_str().unwrap().to_owned();
        for line in fs::read_to_string(&path).unwrap().lines() {
            if let Some(case) = line.strip_prefix("pub async fn ").and_then(|rest| rest.split('<').next()) {
                written.insert(format!("{group}::{case}"));
            }
        }
    }
    let listed: BTreeSet<String> = cases::<TestBackend<NoFault>>().iter().map(|case| case.name().to_owned()).collect();
    assert_eq!(written, listed);
}

#[test]
fn every_runner_reports_the_failed_case_and_its_message() {
    type WithFault = TestBackend<faults::ReportsAnotherSize>;
    let name = "round_trip::smallest_jsons_round_trip";
    let case = *cases::<WithFault>().iter().find(|case| case.name() == name).expect("the case exists");
    assert_eq!(format!("{case:?}"), format!("Case({name:?})"));
    let why = "the size of a generation is that of its JSON";
    let message = failure(|| run::<WithFault>(name, Flavour::CurrentThread));
    assert!(message.contains(&format!("{name} (current_thread): ")) && message.contains(why), "{message}");
    let message = failure(|| case.run(Flavour::MultiThread));
    assert!(message.contains(&format!("{name} (multi_thread): ")) && message.contains(why), "{message}");
    let message = failure(|| drop(run_all::<WithFault>(&[])));
    for flavour in [Flavour::CurrentThread, Flavour::MultiThread] {
        assert!(message.contains(&format!("{name} ({flavour}): ")) && message.contains(why), "{message}");
    }
    assert!(failure(|| run::<WithFault>("no::such", Flavour::CurrentThread)).contains("has no case no::such"));
    run::<TestBackend<NoFault>>(name, Flavour::CurrentThread);
}

fn failure(failing: impl FnOnce() + panic::UnwindSafe) -> String {
    let panic = panic::catch_unwind(failing).expect_err("a detected fault is a panic");
    panic.downcast_ref::<String>().expect("a message").clone()
}

#[test]
fn hanging_case_fails_with_its_name() {
    fn hangs<T: StoreUnderTest>() {
        let case = cases::<T>()[0];
        let limit = Duration::from_millis(100);
        let failed = panic::catch_unwind(|| case.run_within(Flavour::CurrentThread, limit)).unwrap_err();
        let message = failed.downcast_ref::<String>().unwrap();
        assert!(message.contains(case.name()) && message.contains("not done after 100ms"), "{message}");
    }
    hangs::<NeverReady<false>>();
    hangs::<NeverReady<true>>();
}

/// A store whose creation hangs, either in its future or by blocking the thread.
struct NeverReady<const BLOCKS: bool>;

#[async_trait]
impl<const BLOCKS: bool> StoreUnderTest for NeverReady<BLOCKS> {
    async fn fresh() -> Self {
        if BLOCKS {
            loop {
                thread::park();
            }
        }
        std::future::pending().await
    }

    async fn open(&self) -> Arc<dyn SnapshotBackend> {
        unreachable!("the store is never created")
    }

    async fn garbage(&self) -> Vec<String> {
        unreachable!("the store is never created")
    }

    fn lacks() -> &'static [Capability] {
        &[]
    }
}
