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
    Problem::new("/srv/state/snapshot.json", found)
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
    verified.verdict(&place())
}

fn place() -> Place {
    Place::open("/srv/state".as_ref(), &StoreOptions::default()).expect("a path")
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
    let told = all.for_programs(&place(), None);
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
    let told = verified.for_programs(&place(), None);
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
    let told = current.for_programs(&place(), None);
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
    let told = linkless.for_programs(&place(), None);
    assert_eq!(told["problems"][0]["location"], "/srv/state/snapshot.json");
    let links_back = "the next commit makes it again; or `minisnap revert /srv/state` puts the store's links back";
    assert_eq!(told["problems"][0]["help"], links_back, "{told}");
    fails(linkless, Exit::Corrupt, "the snapshots are intact, and the store around them is not", links_back);
    let bare = Problem::new("/srv/state/snapshot.seq", Corruption::NotASeq { found: "ten".into() });
    let told = verified(Vec::new(), vec![bare]).for_programs(&place(), None);
    assert!(told["problems"][0]["help"].as_str().is_some_and(|help| help.contains("write the seq")), "{told}");
    // The same advice is given once.
    let mut twice = verified(vec![intact(1)], vec![missing_link(), missing_link()]);
    assert_eq!(verdict(&mut twice).expect("it isn't intact").text().matches(links_back).count(), 1);
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
    fails(verified(vec![intact(3)], vec![unknown]), Exit::Corrupt, "the store around them is not", "folder back");
}

#[test]
fn snapshot_that_cant_be_read_is_unknown_and_no_corruption() {
    let unread = || corrupt(2, Corruption::Unreadable { reason: "Input/output error".into() });
    let doubt = verified(vec![unread(), intact(1)], Vec::new());
    let lines = plain(&doubt);
    assert!(lines.starts_with("unknown  seq 2  ") && lines.contains("Input/output error"), "{lines}");
    fails(doubt, Exit::CouldNotLook, "not all of 2 snapshots could be read", "permissions");
    let forbidden = corrupt(2, Corruption::Forbidden { reason: "403".into() });
    fails(verified(vec![forbidden, intact(1)], Vec::new()), Exit::CouldNotLook, "not all", "the right to read this");
    // What is certainly wrong must be acted on.
    let both = verified(vec![unread(), corrupt(1, Corruption::Missing)], Vec::new());
    fails(both, Exit::Corrupt, "of 2 snapshots, 1", "no intact snapshot is left here");
}

/// Its writer was killed before the commit, or the commit record was lost after it: nobody but a person can tell.
#[test]
fn unconfirmed_snapshot_is_told_apart_and_never_advised_first() {
    let take =
        "`minisnap rollback /srv/state --to 00000000000000000003-a` takes seq 3, intact, and possibly never committed";
    let lost = || Problem::new("/srv/state/snapshots/current", Corruption::RecordMissing { generations: Vec::new() });
    let with = |generations: Vec<VerifiedGeneration>, problems: Vec<Problem>| {
        let mut verification = Verification::new(generations);
        (verification.problems, verification.unconfirmed) = (problems, vec![generation(3)]);
        Verified::of(verification)
    };
    let left = with(vec![intact(2)], vec![lost()]);
    let line = "unclear  seq 3  65 B  00000000000000000003-a: intact, and possibly never committed";
    assert!(plain(&left).lines().any(|printed| printed == line), "{}", plain(&left));
    let told = left.for_programs(&place(), None);
    assert_eq!(told["unconfirmed"][0]["seq"], 3, "{told}");
    let back = "`minisnap rollback /srv/state --to 00000000000000000002-a` goes back to the newest intact snapshot, seq 2; \
                a program replays its log from there; ";
    fails(left, Exit::Corrupt, "the store around them is not", &format!("{back}{take}"));
    fails(with(Vec::new(), vec![lost()]), Exit::Corrupt, "", &format!("bring the store back from a backup; {take}"));
    let gone = with(vec![corrupt(4, Corruption::ContainerMissing), intact(2)], Vec::new());
    fails(gone, Exit::Corrupt, "1 can't be restored", &format!("{back}{take}"));
    let error = verdict(&mut with(Vec::new(), vec![lost()])).expect("it isn't intact").for_programs();
    assert_eq!(error["unconfirmed"][0]["name"], "00000000000000000003-a", "{error}");
    // By itself, it is nothing wrong.
    assert!(verdict(&mut with(vec![intact(4)], Vec::new())).is_none());
}
