//! Malicious folders: endless files, pipes, devices and links, at any path and in any combination.
//!
//! For every folder, each operation must return without a panic and without blocking. It must read and change nothing outside
//! of the store. Its error must contain the path. Readable generations must stay readable.
//!
//! The fuzz target `folder` runs the same cases for longer. `tests/folder/hostile.rs` has single cases.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic like the test")]

mod case;
mod check;
mod listing;
mod names;
mod sandbox;

use arbitrary::{Arbitrary, Unstructured};
use case::{Action, Case, FileObject, InitialState, Location, Modification, Scenario, StorePath, Target, VictimPath};
use proptest::{
    collection::vec,
    prelude::{Strategy, any},
    test_runner::{Config, TestRunner},
};
use sandbox::Sandbox;
use std::{env::temp_dir, path::Path};

#[test]
fn contract_holds_in_any_folder() {
    // In memory if possible: the cases sync thousands of times, and don't test durability.
    let memory = Path::new("/dev/shm");
    let sandbox = Sandbox::new_in(&if memory.is_dir() { memory.into() } else { temp_dir() });
    let cases = vec(any::<u8>(), 256).prop_map(|bytes| Case::arbitrary(&mut Unstructured::new(&bytes)));
    let config = Config { max_shrink_iters: 512, failure_persistence: None, ..Config::with_cases(1000) };
    let outcome = TestRunner::new(config).run(&cases, |case| {
        // Removes the files of a failed case.
        sandbox.clear();
        check::check(&sandbox, &case.expect("enough bytes for a case"));
        Ok(())
    });
    outcome.unwrap_or_else(|failed| panic!("{failed}"));
}

/// Regression: `snapshots` may lead to another folder through several links. That is the operator's choice, and no attack.
#[test]
fn target_of_snapshots_through_other_links_belongs_to_store() {
    let sandbox = Sandbox::new_in(&temp_dir());
    let link = |at, target| Modification { at, object: FileObject::Link(target) };
    let modifications = vec![
        link(StorePath::Json, Target::Victim(VictimPath::Folder, true)),
        link(StorePath::Snapshots, Target::Absolute(StorePath::Json)),
    ];
    let actions = [Action::CommitAlways, Action::CommitAlways];
    let case = Case {
        location: Location::Direct,
        initial_state: InitialState::Empty,
        scenario: Scenario::Nothing,
        modifications,
        actions,
        retain: 1,
    };
    check::check(&sandbox, &case);
}
