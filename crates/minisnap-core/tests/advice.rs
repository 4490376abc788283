//! Advice on corruption, which depends on its kind, the location and the remaining generations; and on input and output.

use minisnap_core::{
    Absence, Corruption, Digest, ErrorContext, ExternalChange, Generation, MiniSnapError, Operation, Problem,
    Verification, VerifiedGeneration,
};

const FILE: &str = "/srv/state/snapshots/10-k7/snapshot.json";
const OBJECT: &str = "s3://bucket/state/snapshots/10-k7/snapshot.json";
const RECORD: &str = "/srv/state/snapshots/current";

fn generation(seq: u64) -> Generation {
    Generation::new(format!("{seq}-k7"), seq)
}

/// The advice of an error with `found` at `location`.
fn help_of_error(found: Corruption, location: &str, intact: &[u64], unconfirmed: &[u64]) -> String {
    let at = ErrorContext::new(Operation::Read, location);
    let generations = |seqs: &[u64]| seqs.iter().copied().map(generation).collect();
    let error =
        MiniSnapError::Corrupt { at, found, intact: generations(intact), unconfirmed: generations(unconfirmed) };
    error.help().expect("there is advice").into_owned()
}

/// The advice of a verification in which the generations of these seqs are intact or not.
fn help_of_verification(found: Corruption, location: &str, generations: &[(u64, bool)]) -> String {
    let problem = Problem::new(location, found);
    let generations = generations.iter().map(|(seq, is_intact)| match is_intact {
        true => VerifiedGeneration::intact(generation(*seq)),
        false => VerifiedGeneration::corrupt(generation(*seq), problem.clone()),
    });
    Verification::new(generations.collect()).help(&problem).into_owned()
}

fn edit() -> Corruption {
    Corruption::WrongSize { expected: 65, found: 4 }
}

#[track_caller]
fn assert_help(help: &str, parts: &[&str], not: &[&str]) {
    assert!(parts.iter().all(|part| help.contains(part)), "{help}");
    assert!(not.iter().all(|part| !help.contains(part)) && !help.ends_with('.'), "{help}");
}

#[test]
fn advice_falls_back_to_the_newest_intact_generation() {
    let back = "restore the newest intact generation, 9-k7 (`SnapStore::restore_generation`), and replay the log";
    for found in [Corruption::Missing, Corruption::NoDigest, Corruption::Unreadable { reason: "EIO".into() }] {
        assert_help(&help_of_error(found.clone(), FILE, &[9, 8], &[]), &[back], &["accept", "bucket"]);
        assert_help(
            &help_of_verification(found.clone(), FILE, &[(10, false), (9, true)]),
            &[back],
            &["accept", "bucket"],
        );
        assert_help(
            &help_of_error(found, OBJECT, &[9], &[]),
            &[back, "; or put back an earlier version of this object"],
            &["Fs"],
        );
    }
    // The older generations are found through the folder of the current one.
    let help = help_of_error(Corruption::ContainerMissing, FILE, &[9], &[]);
    assert_help(
        &help,
        &["`FsBackend::reset_to` makes the newest intact generation, 9-k7, the current one"],
        &["restore the"],
    );
}

#[test]
fn advice_accepts_only_a_possible_edit() {
    let digest = Digest::of(b"[");
    let edits = [edit(), Corruption::WrongSeq { expected: 2, found: 3 }];
    for found in edits.into_iter().chain([Corruption::WrongDigest { expected: digest, found: digest, size: 1 }]) {
        assert!(found.may_be_an_edit());
        assert_help(
            &help_of_error(found.clone(), FILE, &[9], &[]),
            &["`FsBackend::accept_external_changes` commits the edit"],
            &[],
        );
        for elsewhere in [OBJECT, "memory:", "/srv/state.redb"] {
            assert_help(&help_of_error(found.clone(), elsewhere, &[9], &[]), &["9-k7"], &["accept"]);
        }
    }
    let invalid = Corruption::InvalidSeq { expected: 2, found: "two".into() };
    assert_help(&help_of_error(invalid, "/srv/state/snapshots/10-k7/snapshot.seq", &[9], &[]), &["9-k7"], &["accept"]);
}

#[test]
fn advice_names_unconfirmed_generations() {
    let help = help_of_error(edit(), FILE, &[], &[9, 8]);
    let choice = "possibly never committed: 9-k7, 8-k7; `FsBackend::reset_to` makes the chosen one current";
    assert_help(
        &help,
        &[choice, "known to be intact and committed", "bring the store back from a backup"],
        &["newest"],
    );
    // A generation that is known to be committed comes first.
    for (found, location) in [(edit(), FILE), (Corruption::RecordMissing { generations: Vec::new() }, RECORD)] {
        let help = help_of_error(found, location, &[7], &[9]);
        assert_help(
            &help,
            &["the newest intact generation, 7-k7", "; intact, and possibly never committed: 9-k7;"],
            &[],
        );
    }
    assert_help(
        &help_of_error(edit(), FILE, &[], &[]),
        &["no generation is known to be intact", "cp -a"],
        &["reset_to"],
    );
    let mut found = Verification::default();
    found.unconfirmed = vec![generation(9)];
    assert!(found.is_intact() && found.newest_intact().is_none());
    let lost = Problem::new(RECORD, Corruption::RecordMissing { generations: Vec::new() });
    assert_help(&found.help(&lost), &["possibly never committed: 9-k7", "`FsBackend::give_up_lost_store`"], &[]);
}

#[test]
fn advice_on_an_older_generation_is_no_fallback() {
    let help = help_of_verification(Corruption::Missing, FILE, &[(10, true), (9, false), (8, true)]);
    assert_help(&help, &["bring this back from a backup", "this generation stays unreadable"], &["-k7", "restore"]);
    let help = help_of_verification(edit(), OBJECT, &[(10, true), (9, false)]);
    assert_help(&help, &["bring this back from a backup", "put back an earlier version of this object"], &["-k7"]);
}

#[test]
fn advice_on_a_lost_record_resets_it() {
    let unreadable = || Corruption::RecordUnreadable { found: "it is a file".into() };
    for found in [Corruption::RecordMissing { generations: vec!["9-k7".into()] }, unreadable()] {
        let help = help_of_error(found.clone(), RECORD, &[9, 8], &[]);
        assert_help(
            &help,
            &["`FsBackend::reset_to` makes the newest intact generation, 9-k7,", "cp -a, tar, rsync -a"],
            &[],
        );
        let help = help_of_error(found, "s3://bucket/state/snapshots/current", &[], &[]);
        assert_help(
            &help,
            &["stop all writers", "put back the latest version", "give_up_lost_store"],
            &["Fs", "cp -a"],
        );
    }
}

#[test]
fn advice_on_links_and_gaps_fits_their_kind() {
    let expected = || "snapshots/current/snapshot.json".to_owned();
    let revert = "`FsBackend::revert_external_changes` puts the store's links back";
    let link = "/srv/state/snapshot.json";
    let wrong = |found| Corruption::WrongLink { expected: expected(), found };
    assert_help(&help_of_error(wrong(None), link, &[9], &[]), &["the next commit creates it again", revert], &["9-k7"]);
    // A commit doesn't replace another link, and creates no link in an older generation.
    assert_help(&help_of_error(wrong(Some("elsewhere".into())), link, &[9], &[]), &[revert], &["commit"]);
    // No command restores a link of a generation, since no other file has its target.
    for found in [None, Some("elsewhere".into())] {
        let parent = "/srv/state/snapshots/10-k7/parent";
        assert_help(
            &help_of_error(wrong(found), parent, &[9], &[]),
            &["bring this link back from a backup"],
            &["revert"],
        );
    }
    assert_help(
        &help_of_error(Corruption::LinkAsText { expected: expected() }, link, &[], &[]),
        &[revert, "cp -a"],
        &[],
    );
    assert_help(
        &help_of_error(Corruption::DanglingLinks, RECORD, &[], &[]),
        &["bring the folder `snapshots` back"],
        &[],
    );
    let gap = Corruption::HistoryGap { retained: Some(3), found: 2 };
    assert_help(&help_of_verification(gap, RECORD, &[(10, true)]), &["put back what is missing"], &[]);
    let forbidden = Corruption::Forbidden { reason: "403".into() };
    assert_help(&help_of_verification(forbidden, OBJECT, &[(10, false)]), &["the right to read this"], &["restore"]);
}

/// An error that becomes a problem keeps its advice.
#[test]
fn problem_has_the_advice_of_its_error() {
    let at = || ErrorContext::new(Operation::Verify, "/srv/state/snapshot.seq");
    let half = Absence::HalfPair { there: "snapshot.json", missing: "snapshot.seq" };
    for error in [
        MiniSnapError::NotFound { at: at(), found: half },
        MiniSnapError::InvalidSequence { at: at(), found: "one".into() },
        MiniSnapError::ExternalChange { at: at(), found: ExternalChange::Replaced { current: 2 } },
        MiniSnapError::corrupt(at(), edit()),
    ] {
        let help = error.help().expect("there is advice").into_owned();
        let problem = Problem::try_from(error).expect("it is a problem");
        assert_eq!(Verification::default().help(&problem), help);
    }
}

#[test]
fn io_error_has_the_advice_for_its_kind() {
    use std::io::{self, ErrorKind};
    for (kind, part) in [
        (ErrorKind::StorageFull, "`minisnap prune STORE --retain 1`"),
        (ErrorKind::QuotaExceeded, "`minisnap prune STORE --retain 1`"),
        (ErrorKind::FileTooLarge, "`ulimit -f`"),
        (ErrorKind::PermissionDenied, "the right to read there; to commit, also to write"),
        (ErrorKind::ReadOnlyFilesystem, "mount it writable"),
        (ErrorKind::NotADirectory, "correct the path"),
        (ErrorKind::OutOfMemory, "`ulimit -v`"),
    ] {
        let at = ErrorContext::new(Operation::Write, FILE);
        let error = MiniSnapError::Io { at, action: "write", source: io::Error::from(kind) };
        let help = error.help().expect("there is advice");
        assert!(help.contains(part), "{kind}: {help}");
    }
}
