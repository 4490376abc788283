//! Folders as somebody who means harm would leave them: files that never end, pipes, devices, links to everywhere, in every
//! place and any number of them. Whatever stands there: no panic, no waiting, nothing read or touched outside of the
//! store, an error that names its place, and what was readable stays so.
//!
//! The fuzz target `folder` runs the same cases, longer. A few of them by name: `tests/folder/hostile.rs`.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic like the test")]

mod case;
mod check;
mod listing;
mod names;
mod sandbox;

use arbitrary::{Arbitrary, Unstructured};
use case::{Attack, Base, Case, Deed, Harm, Part, Place, Slot, Target, Thing};
use proptest::{
    collection::vec,
    prelude::{Strategy, any},
    test_runner::{Config, TestRunner},
};
use sandbox::Sandbox;
use std::{env::temp_dir, path::Path};

#[test]
fn any_folder_keeps_the_promises() {
    // In memory where there is such a place: thousands of times, a disk is asked to sync, and none is to be proved durable.
    let memory = Path::new("/dev/shm");
    let sandbox = Sandbox::new_in(&if memory.is_dir() { memory.into() } else { temp_dir() });
    let cases = vec(any::<u8>(), 256).prop_map(|bytes| Case::arbitrary(&mut Unstructured::new(&bytes)));
    let config = Config { max_shrink_iters: 512, failure_persistence: None, ..Config::with_cases(1000) };
    let outcome = TestRunner::new(config).run(&cases, |case| {
        // What a case that failed left.
        sandbox.clear();
        check::check(&sandbox, &case.expect("bytes enough for a case"));
        Ok(())
    });
    outcome.unwrap_or_else(|failed| panic!("{failed}"));
}

/// The operator's to say, and not a harm: a case that chance brought up once in many thousands.
#[test]
fn where_snapshots_leads_to_by_way_of_other_links_is_the_stores() {
    let sandbox = Sandbox::new_in(&temp_dir());
    let link = |slot, target| Harm { slot, thing: Thing::Link(target) };
    let harms =
        vec![link(Slot::Json, Target::Victim(Part::Folder, true)), link(Slot::Snapshots, Target::Absolute(Slot::Json))];
    let deeds = [Deed::PublishAlways, Deed::PublishAlways];
    let case = Case { location: Place::Plain, base: Base::Empty, attack: Attack::Nothing, harms, deeds, retain: 1 };
    check::check(&sandbox, &case);
}
