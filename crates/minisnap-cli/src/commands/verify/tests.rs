//! The report and the verdict for constructed findings of a backend.

use super::Verified;
use crate::{
    args::StoreOptions,
    exit::{Exit, Failure},
    open_store::OpenStore,
};
use minisnap::{Corruption, FailedDeletion, Generation, Overdue, Problem, Verification, VerifiedGeneration};

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
    verified.verdict(&store())
}

fn store() -> OpenStore {
    OpenStore::open("/srv/state".as_ref(), &StoreOptions::default()).expect("a path")
}

#[track_caller]
fn fails(mut verified: Verified, exit: Exit, what: &str, help: &str) {
    let failure = verdict(&mut verified).expect("a failure");
    assert_eq!(failure.exit(), exit, "{}", failure.text());
    assert!(failure.what().contains(what) && failure.text().contains(help), "{}", failure.text());
}

#[test]
fn intact_store_has_a_line_for_each_snapshot() {
    let mut all = verified(vec![intact(2), intact(1)], Vec::new());
    let lines = "intact   seq 2  65 B  00000000000000000002-a\n\
                 intact   seq 1  65 B  00000000000000000001-a\n\
                 intact   store\n";
    assert_eq!(plain(&all), lines);
    assert_eq!(all.finding_lines(), "");
    assert!(verdict(&mut all).is_none());
    let json = all.to_json(&store(), None);
    assert_eq!((&json["intact"], &json["problems"]), (&true.into(), &serde_json::json!([])));
}

#[test]
fn garbage_and_moved_files_are_reported_without_failure() {
    let mut verification = Verification::new(vec![intact(1)]);
    (verification.expired, verification.orphans) = (2, 1);
    verification.moved_aside = vec!["/srv/state/snapshots/x.aside".into()];
    let mut verified = Verified::of(verification);
    let lines = "intact   seq 1  65 B  00000000000000000001-a\n\
                 intact   store\n\
                 aside    /srv/state/snapshots/x.aside\n\
                 garbage  2 expired and 1 orphan: `minisnap collect-garbage s` deletes them\n";
    assert_eq!(plain(&verified), lines);
    assert!(verdict(&mut verified).is_none());
    let json = verified.to_json(&store(), None);
    assert_eq!((&json["expired"], &json["orphans"]), (&2.into(), &1.into()));
    assert_eq!(json["moved_aside"][0], "/srv/state/snapshots/x.aside");
    assert!(json["overdue"].is_null() && verified.warning("s").is_none());
}

#[test]
fn overdue_garbage_is_a_warning_with_help() {
    let mut verification = Verification::new(vec![intact(1)]);
    (verification.expired, verification.orphans) = (9, 1);
    verification.overdue = Overdue::new(3, 1).into_option();
    let mut found = Verified::of(verification.clone());
    let warning = found.warning("s3://bucket/app").expect("a warning");
    assert_eq!(
        warning,
        "s3://bucket/app: commits should have deleted 3 expired generations and 1 orphan\n\
         help: give the writers' credentials the right to delete under the prefix (on S3 `s3:DeleteObject`), then collect the \
         garbage: until then it grows"
    );
    assert!(verdict(&mut found).is_none(), "the exit code is 0");
    let json = found.to_json(&store(), None);
    assert_eq!((&json["overdue"]["expired"], &json["overdue"]["orphans"]), (&3.into(), &1.into()));
    assert!(json["overdue"]["failure"].is_null(), "{json}");

    let failure = FailedDeletion::new(2, "s3://bucket/app/snapshots/x", "409 Conflict");
    verification.overdue = Overdue::default().with_failure(Some(failure)).into_option();
    let found = Verified::of(verification);
    assert_eq!(
        found.warning("s").expect("a warning"),
        "s: 2 objects couldn't be deleted, such as s3://bucket/app/snapshots/x: 409 Conflict\n\
         help: until objects can be deleted, garbage grows: see the reason, then collect the garbage"
    );
    let json = found.to_json(&store(), None);
    assert_eq!(json["overdue"]["failure"]["location"], "s3://bucket/app/snapshots/x");
}

#[test]
fn corrupt_snapshot_is_reported_with_its_finding() {
    let found = Corruption::WrongSize { expected: 65, found: 4 };
    let current = verified(vec![corrupt(2, found.clone()), intact(1)], Vec::new());
    let lines = plain(&current);
    assert!(lines.starts_with("corrupt  seq 2  65 B  00000000000000000002-a: /srv/state/2: it has 4 bytes"), "{lines}");
    assert_eq!(current.finding_lines().lines().count(), 1);
    let json = current.to_json(&store(), None);
    assert_eq!(
        (&json["snapshots"][0]["health"], &json["snapshots"][1]["health"]),
        (&"corrupt".into(), &"intact".into())
    );
    let back =
        "`minisnap rollback /srv/state --to 00000000000000000001-a` goes back to the newest intact snapshot, seq 1";
    fails(current, Exit::Corrupt, "of 2 snapshots, 1 can't be restored as committed", back);

    let edited = verified(vec![corrupt(2, found.clone()), intact(1)], Vec::new());
    fails(edited, Exit::Corrupt, "1 can't", "`minisnap accept /srv/state` commits the edit");
    let missing = verified(vec![corrupt(2, Corruption::Missing), intact(1)], Vec::new());
    let mut missing = missing;
    assert!(!verdict(&mut missing).expect("a failure").text().contains("accept"), "there is no edit to accept");
    let older = verified(vec![intact(2), corrupt(1, found.clone())], Vec::new());
    fails(older, Exit::Corrupt, "of 2 snapshots, 1", "no rollback is needed; a rollback to seq 1 is not possible");
    let all = verified(vec![corrupt(2, found.clone()), corrupt(1, found)], Vec::new());
    fails(all, Exit::Corrupt, "of 2 snapshots, 2", "no snapshot is intact");
}

#[test]
fn problem_of_the_store_is_reported_with_its_help() {
    let linkless = verified(vec![intact(1)], vec![missing_link()]);
    let lines = plain(&linkless);
    let line = "corrupt  store: /srv/state/snapshot.json: the link to snapshots/current/snapshot.json is missing\n";
    assert!(lines.ends_with(line), "{lines}");
    let json = linkless.to_json(&store(), None);
    assert_eq!(json["problems"][0]["location"], "/srv/state/snapshot.json");
    let links_back =
        "the next commit creates the link again, or `minisnap revert /srv/state` restores the store's links";
    assert_eq!(json["problems"][0]["help"], links_back, "{json}");
    fails(linkless, Exit::Corrupt, "the snapshots are intact, but other parts of the store are not", links_back);
    let bare = Problem::new("/srv/state/snapshot.seq", Corruption::NotASeq { found: "ten".into() });
    let json = verified(Vec::new(), vec![bare]).to_json(&store(), None);
    assert!(json["problems"][0]["help"].as_str().is_some_and(|help| help.contains("write the seq")), "{json}");
    // The same help is printed once.
    let mut twice = verified(vec![intact(1)], vec![missing_link(), missing_link()]);
    assert_eq!(verdict(&mut twice).expect("a failure").text().matches(links_back).count(), 1);
}

#[test]
fn missing_snapshot_is_to_be_restored_before_a_commit() {
    let gap = || vec![Problem::new("/srv/state/snapshots/1", Corruption::HistoryGap { retained: Some(3), found: 2 })];
    let rest = verified(vec![intact(3), intact(2)], gap());
    fails(rest, Exit::Corrupt, "a retained snapshot is missing", "BEFORE the next commit");
    let lost = || corrupt(3, Corruption::Missing);
    fails(verified(vec![lost(), intact(2)], gap()), Exit::Corrupt, "1 can't", "; then: `minisnap rollback");
    fails(verified(vec![lost()], gap()), Exit::Corrupt, "1 can't", "; then: `minisnap verify");
    // An unknown retention alone is no missing snapshot.
    let unknown = Problem::new("/srv/state/snapshots/1", Corruption::HistoryGap { retained: None, found: 2 });
    fails(
        verified(vec![intact(3)], vec![unknown]),
        Exit::Corrupt,
        "other parts of the store are not",
        "put back what is missing",
    );
}

#[test]
fn unreadable_snapshot_is_unknown_and_not_corrupt() {
    let unread = || corrupt(2, Corruption::Unreadable { reason: "Input/output error".into() });
    let unknown = verified(vec![unread(), intact(1)], Vec::new());
    let lines = plain(&unknown);
    assert!(lines.starts_with("unknown  seq 2  ") && lines.contains("Input/output error"), "{lines}");
    fails(unknown, Exit::CouldNotLook, "some of 2 snapshots could not be read", "permissions");
    let forbidden = corrupt(2, Corruption::Forbidden { reason: "403".into() });
    fails(verified(vec![forbidden, intact(1)], Vec::new()), Exit::CouldNotLook, "some of 2", "the right to read this");
    // Corruption takes precedence.
    let both = verified(vec![unread(), corrupt(1, Corruption::Missing)], Vec::new());
    fails(both, Exit::Corrupt, "of 2 snapshots, 1", "no snapshot is intact");
}

/// Its writer was killed before the commit, or the commit record was lost after it. Only the operator can decide.
#[test]
fn unconfirmed_snapshot_is_never_recommended_first() {
    let take = "`minisnap rollback /srv/state --to 00000000000000000003-a` makes seq 3 current, which is intact, but \
         possibly was never committed";
    let lost = || Problem::new("/srv/state/snapshots/current", Corruption::RecordMissing { generations: Vec::new() });
    let with = |generations: Vec<VerifiedGeneration>, problems: Vec<Problem>| {
        let mut verification = Verification::new(generations);
        (verification.problems, verification.unconfirmed) = (problems, vec![generation(3)]);
        Verified::of(verification)
    };
    let remaining = with(vec![intact(2)], vec![lost()]);
    let line = "unclear  seq 3  65 B  00000000000000000003-a: intact, but possibly never committed";
    assert!(plain(&remaining).lines().any(|printed| printed == line), "{}", plain(&remaining));
    let json = remaining.to_json(&store(), None);
    assert_eq!(json["unconfirmed"][0]["seq"], 3, "{json}");
    let back = "`minisnap rollback /srv/state --to 00000000000000000002-a` goes back to the newest intact snapshot, seq 2; \
                the program replays its log from there; ";
    fails(remaining, Exit::Corrupt, "other parts of the store are not", &format!("{back}{take}"));
    fails(with(Vec::new(), vec![lost()]), Exit::Corrupt, "", &format!("restore the store from a backup; {take}"));
    let lost_folder = with(vec![corrupt(4, Corruption::ContainerMissing), intact(2)], Vec::new());
    fails(lost_folder, Exit::Corrupt, "1 can't be restored", &format!("{back}{take}"));
    let error = verdict(&mut with(Vec::new(), vec![lost()])).expect("a failure").to_json();
    assert_eq!(error["unconfirmed"][0]["name"], "00000000000000000003-a", "{error}");
    // An unconfirmed snapshot alone is no problem.
    assert!(verdict(&mut with(vec![intact(4)], Vec::new())).is_none());
}
