//! The report and the verdict about what a backend may find, made by hand.

use super::Verified;
use crate::{
    args::StoreOptions,
    exit::{Exit, Failure},
    open_store::Place,
};
use minisnap::{Corruption, Generation, Problem, Verification, VerifiedGeneration};

fn generation(seq: u64) -> Generation {
    Generation::new(format!("{seq:020}-a"), seq).with_size(65)
}

fn intact(seq: u64) -> VerifiedGeneration {
    VerifiedGeneration::intact(generation(seq))
}

fn corrupt(seq: u64, found: Corruption) -> VerifiedGeneration {
    VerifiedGeneration::corrupt(generation(seq), Problem::new(format!("/srv/state/{seq}"), found))
}

fn missing_link() -> Problem {
    let found = Corruption::WrongLink { expected: "snapshots/current/snapshot.json".into(), found: None };
    Problem::new("/srv/state/snapshot.json", found).with_help("make the link again, in a shell: `ln`")
}

/// A store with these generations and problems, checked.
fn verified(generations: Vec<VerifiedGeneration>, problems: Vec<Problem>) -> Verified {
    let mut verification = Verification::new(generations);
    verification.problems = problems;
    Verified::of(verification)
}

fn plain(verified: &Verified) -> String {
    anstream::adapter::strip_str(&verified.lines("`minisnap collect-garbage s`")).to_string()
}

fn verdict(verified: &mut Verified) -> Option<Failure> {
    let place = Place::open("/srv/state".as_ref(), &StoreOptions::default()).expect("a path");
    verified.verdict(&place)
}

#[track_caller]
fn fails(mut verified: Verified, exit: Exit, what: &str, help: &str) {
    let failure = verdict(&mut verified).expect("it isn't intact");
    assert_eq!(failure.exit(), exit, "{}", failure.text());
    assert!(failure.what().contains(what) && failure.text().contains(help), "{}", failure.text());
}

#[test]
fn intact_store_has_a_line_for_each_and_no_verdict() {
    let mut all = verified(vec![intact(2), intact(1)], Vec::new());
    let lines = "intact   seq 2  65 B  00000000000000000002-a\n\
                 intact   seq 1  65 B  00000000000000000001-a\n\
                 intact   store\n";
    assert_eq!(plain(&all), lines);
    assert_eq!(all.wrong_lines(), "");
    assert!(verdict(&mut all).is_none());
    let told = all.for_programs("/srv/state", None);
    assert_eq!((&told["intact"], &told["problems"]), (&true.into(), &serde_json::json!([])));
}

#[test]
fn garbage_and_what_was_moved_aside_are_told_and_no_failure() {
    let mut verification = Verification::new(vec![intact(1)]);
    (verification.expired, verification.orphans) = (2, 1);
    verification.moved_aside = vec!["/srv/state/snapshots/x.aside".into()];
    let mut verified = Verified::of(verification);
    let lines = "intact   seq 1  65 B  00000000000000000001-a\n\
                 intact   store\n\
                 aside    /srv/state/snapshots/x.aside\n\
                 garbage  2 expired and 1 orphan: `minisnap collect-garbage s` removes them\n";
    assert_eq!(plain(&verified), lines);
    assert!(verdict(&mut verified).is_none());
    let told = verified.for_programs("/srv/state", None);
    assert_eq!((&told["expired"], &told["orphans"]), (&2.into(), &1.into()));
    assert_eq!(told["moved_aside"][0], "/srv/state/snapshots/x.aside");
}

#[test]
fn corrupt_snapshot_is_told_with_what_was_found() {
    let found = Corruption::WrongSize { expected: 65, found: 4 };
    let current = verified(vec![corrupt(2, found.clone()), intact(1)], Vec::new());
    let lines = plain(&current);
    assert!(lines.starts_with("corrupt  seq 2  65 B  00000000000000000002-a: /srv/state/2: it has 4 bytes"), "{lines}");
    assert_eq!(current.wrong_lines().lines().count(), 1);
    let told = current.for_programs("/srv/state", None);
    assert_eq!(
        (&told["snapshots"][0]["health"], &told["snapshots"][1]["health"]),
        (&"corrupt".into(), &"intact".into())
    );
    let back =
        "`minisnap rollback /srv/state --to 00000000000000000001-a` goes back to the newest intact snapshot, seq 1";
    fails(current, Exit::Corrupt, "of 2 snapshots, 1 can't be restored as committed", back);

    let edited = verified(vec![corrupt(2, found.clone()), intact(1)], Vec::new());
    fails(edited, Exit::Corrupt, "1 can't", "`minisnap accept /srv/state` commits the edit");
    let gone = verified(vec![corrupt(2, Corruption::Missing), intact(1)], Vec::new());
    let mut gone = gone;
    assert!(!verdict(&mut gone).expect("it isn't intact").text().contains("accept"), "there is no edit to accept");
    let older = verified(vec![intact(2), corrupt(1, found.clone())], Vec::new());
    fails(older, Exit::Corrupt, "of 2 snapshots, 1", "nothing to go back from; but seq 1 can't be gone back to");
    let all = verified(vec![corrupt(2, found.clone()), corrupt(1, found)], Vec::new());
    fails(all, Exit::Corrupt, "of 2 snapshots, 2", "no intact snapshot is left here");
}

#[test]
fn problem_of_the_store_is_told_with_its_help() {
    let linkless = verified(vec![intact(1)], vec![missing_link()]);
    let lines = plain(&linkless);
    let line = "corrupt  store: /srv/state/snapshot.json: the link to snapshots/current/snapshot.json is missing\n";
    assert!(lines.ends_with(line), "{lines}");
    let told = linkless.for_programs("/srv/state", None);
    assert_eq!(told["problems"][0]["location"], "/srv/state/snapshot.json");
    assert!(told["problems"][0]["help"].as_str().is_some_and(|help| help.contains("`ln`")), "{told}");
    fails(linkless, Exit::Corrupt, "the snapshots are intact, and the store around them is not", "in a shell: `ln`");
    // The same advice is given once.
    let mut twice = verified(vec![intact(1)], vec![missing_link(), missing_link()]);
    assert_eq!(verdict(&mut twice).expect("it isn't intact").text().matches("`ln`").count(), 1);
}

#[test]
fn missing_snapshot_is_brought_back_before_a_commit() {
    let gap = || vec![Problem::new("/srv/state/snapshots/1", Corruption::HistoryGap { retained: Some(3), found: 2 })];
    let rest = verified(vec![intact(3), intact(2)], gap());
    fails(rest, Exit::Corrupt, "one that is retained is missing", "BEFORE anything is committed");
    let wrong = || corrupt(3, Corruption::Missing);
    fails(verified(vec![wrong(), intact(2)], gap()), Exit::Corrupt, "1 can't", "; then: `minisnap rollback");
    fails(verified(vec![wrong()], gap()), Exit::Corrupt, "1 can't", "; then: `minisnap verify");
    // How many are retained is not known: that alone is no missing snapshot.
    let unknown = Problem::new("/srv/state/snapshots/1", Corruption::HistoryGap { retained: None, found: 2 });
    fails(verified(vec![intact(3)], vec![unknown]), Exit::Corrupt, "the store around them is not", "the next commit");
}

#[test]
fn snapshot_that_cant_be_read_is_unknown_and_no_corruption() {
    let unread = || corrupt(2, Corruption::Unreadable { reason: "Input/output error".into() });
    let doubt = verified(vec![unread(), intact(1)], Vec::new());
    let lines = plain(&doubt);
    assert!(lines.starts_with("unknown  seq 2  ") && lines.contains("Input/output error"), "{lines}");
    fails(doubt, Exit::CouldNotLook, "not all of 2 snapshots could be read", "permissions");
    // What is certainly wrong must be acted on.
    let both = verified(vec![unread(), corrupt(1, Corruption::Missing)], Vec::new());
    fails(both, Exit::Corrupt, "of 2 snapshots, 1", "no intact snapshot is left here");
}
