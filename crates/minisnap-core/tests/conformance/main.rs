//! The suite itself, tested: a correct backend passes every case, and a backend that is broken in one way fails the case
//! that is there to find it.

// A test's own backend: nothing of it can be reached from elsewhere, and a poisoned lock is a failed test anyway.
#![allow(unreachable_pub, clippy::unwrap_used)]

mod draft;
mod flaws;
mod toy;

use flaws::{Catch, Correct, Lacking, catches};
use minisnap_core::{
    SnapshotBackend, async_trait,
    conformance::{Capability, Flavour, StoreUnderTest, cases, run, run_all},
};
use std::{collections::BTreeSet, fs, panic, path::Path, sync::Arc, thread, time::Duration};
use toy::Toy;

mod correct {
    minisnap_core::conformance_tests!(super::Toy<super::Correct>);
}

mod lacking {
    minisnap_core::conformance_tests!(super::Toy<super::Lacking>);
}

#[test]
fn each_flaw_is_caught_by_the_cases_that_are_there_for_it() {
    let running: Vec<_> = catches().into_iter().map(|catch| (thread::spawn(catch.run), catch)).collect();
    let mut missed = Vec::new();
    for (running, Catch { flaw, case, .. }) in running {
        match running.join().expect("the case's panic is caught") {
            Ok(()) => missed.push(format!("{case} doesn't notice {flaw}")),
            Err(message) => println!("{flaw}: {case}: {message}"),
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn every_case_catches_a_flaw() {
    let caught: BTreeSet<&str> = catches().iter().map(|catch| catch.case).collect();
    let cases: BTreeSet<&str> = cases::<Toy<Correct>>().iter().map(|case| case.name()).collect();
    let idle: Vec<_> = cases.difference(&caught).collect();
    assert!(idle.is_empty(), "cases that no flaw shows to be of use: {idle:#?}");
}

#[test]
fn every_case_that_is_written_is_in_the_table() {
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
    let listed: BTreeSet<String> = cases::<Toy<Correct>>().iter().map(|case| case.name().to_owned()).collect();
    assert_eq!(written, listed);
}

#[test]
fn each_way_to_run_the_suite_says_which_case_failed_and_why() {
    type Flawed = Toy<flaws::SizeIsWrong>;
    let name = "round_trip::smallest_jsons_round_trip";
    let case = *cases::<Flawed>().iter().find(|case| case.name() == name).expect("there is that case");
    assert_eq!(format!("{case:?}"), format!("Case({name:?})"));
    let why = "where the size of a generation is known, it is right";
    let told = failure(|| run::<Flawed>(name, Flavour::CurrentThread));
    assert!(told.contains(&format!("{name} (current_thread): ")) && told.contains(why), "{told}");
    let told = failure(|| case.run(Flavour::MultiThread));
    assert!(told.contains(&format!("{name} (multi_thread): ")) && told.contains(why), "{told}");
    let told = failure(run_all::<Flawed>);
    for flavour in [Flavour::CurrentThread, Flavour::MultiThread] {
        assert!(told.contains(&format!("{name} ({flavour}): ")) && told.contains(why), "{told}");
    }
    assert!(failure(|| run::<Flawed>("no::such", Flavour::CurrentThread)).contains("has no case no::such"));
    run::<Toy<Correct>>(name, Flavour::CurrentThread);
}

fn failure(failing: impl FnOnce() + panic::UnwindSafe) -> String {
    let panic = panic::catch_unwind(failing).expect_err("a flaw is a panic");
    panic.downcast_ref::<String>().expect("a message").clone()
}

#[test]
fn a_case_that_hangs_is_a_failure_with_its_name() {
    fn hangs<T: StoreUnderTest>() {
        let case = cases::<T>()[0];
        let limit = Duration::from_millis(100);
        let failed = panic::catch_unwind(|| case.run_within(Flavour::CurrentThread, limit)).unwrap_err();
        let message = failed.downcast_ref::<String>().unwrap();
        assert!(message.contains(case.name()) && message.contains("waits for ever"), "{message}");
    }
    hangs::<Hanging<false>>();
    hangs::<Hanging<true>>();
}

/// A store that never comes to be, and blocks its thread or not.
struct Hanging<const BLOCKS: bool>;

#[async_trait]
impl<const BLOCKS: bool> StoreUnderTest for Hanging<BLOCKS> {
    async fn fresh() -> Self {
        if BLOCKS {
            loop {
                thread::park();
            }
        }
        std::future::pending().await
    }

    async fn open(&self) -> Arc<dyn SnapshotBackend> {
        unreachable!("it never comes to be")
    }

    async fn garbage(&self) -> Vec<String> {
        unreachable!("it never comes to be")
    }

    fn lacks() -> &'static [Capability] {
        &[]
    }
}
