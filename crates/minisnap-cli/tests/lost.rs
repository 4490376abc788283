//! The generation that is current is gone, or the commit record is.

use crate::{
    kit::{Place, STORE, folder, name_of},
    links::is_link,
};
use serde_json::Value;
use std::{fs, path::PathBuf, process::Command};

/// An accident.
type Loss = fn(&Place);

/// A store with seqs 10 to 12, and a journal.
pub(crate) fn with_three() -> Place {
    let place = folder();
    for seq in ["10", "11", "12"] {
        place.feed(&["create", STORE, "--seq", seq, "--retain", "3"], format!("[{seq}]")).done();
    }
    place.run(&["log", "begin", "journal", "--after", "12"]).ok();
    place.write("new.json", "[13]");
    place
}

pub(crate) fn record(place: &Place) -> PathBuf {
    place.files.join("snapshots/current")
}

fn lose_current(place: &Place) {
    fs::remove_dir_all(fs::canonicalize(record(place)).expect("a generation")).expect("it can go");
}

fn lose_record(place: &Place) {
    fs::remove_file(record(place)).expect("it can go");
}

/// As `cp -rL` makes of it: folders in place of links.
fn follow_links(place: &Place) {
    let copied = Command::new("sh")
        .args(["-c", "cp -rL state copy 2>/dev/null; rm -r state; mv copy state"])
        .current_dir(place.path("."))
        .status();
    assert!(copied.expect("sh").success() && record(place).is_dir());
}

fn name(place: &Place, seq: u64) -> String {
    name_of(place.json_of(seq).parent().expect("a generation")).into()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// Nobody would take a snapshot that may never have been committed for one that was; and no number is printed that nobody wrote.
#[test]
fn each_command_tells_what_is_left_when_the_store_is_lost() {
    let losses: [(Loss, &[u64], &[u64]); 3] = [
        (lose_current, &[10], &[11]),
        (lose_record, &[11, 10], &[12]),
        // With the links, what says which is whose parent is lost.
        (follow_links, &[], &[10, 11, 12]),
    ];
    for (lose, intact, unconfirmed) in losses {
        let place = with_three();
        lose(&place);
        let before = place.generations();
        for args in [
            &["show", STORE][..],
            &["history", STORE],
            &["cat", STORE],
            &["cat", STORE, "--at", "11"],
            &["restore", STORE, "--output", "out"],
            &["verify", STORE],
            &["diff", STORE, "11"],
            &["copy", STORE, "other"],
            &["prune", STORE, "--retain", "1"],
            &["log", "show", "journal", "--store", STORE],
            &["log", "cut", "journal", "--before", "12", "--store", STORE],
            &["accept", STORE, "--yes"],
            &["rollback", STORE, "--to", "12"],
        ] {
            let ran = place.run(args);
            assert!(!ran.stdout.contains("18446744073709551615"), "{ran:?}");
            let said = ran.fails(1);
            assert!(!said.contains("18446744073709551615"), "{said}");
            for seq in intact.iter().take(1) {
                assert!(said.contains(&format!("--to {}` goes back", name(&place, *seq))), "{args:?}: {said}");
            }
            for seq in unconfirmed {
                let take =
                    format!("--to {}` takes seq {seq}, intact, and possibly never committed", name(&place, *seq));
                assert!(said.contains(&take), "{args:?}: {said}");
            }
        }
        let shown = json(&place.run(&["show", STORE, "--json"]).stdout);
        let seqs = |list: &str| shown["error"][list].as_array().expect("a list").len();
        assert_eq!((seqs("intact"), seqs("unconfirmed")), (intact.len(), unconfirmed.len()), "{shown}");
        assert_eq!(place.generations(), before, "nothing was changed");
    }
}

#[test]
fn rollback_makes_a_lost_store_whole_in_one_command() {
    let losses: [(Loss, u64); 3] = [(lose_current, 10), (lose_record, 11), (lose_record, 10)];
    for (lose, seq) in losses {
        let place = with_three();
        lose(&place);
        let told = place.run(&["rollback", STORE, "--to", &seq.to_string()]).ok();
        assert!(told.contains("is the current snapshot") && !told.contains("never committed"), "{told}");
        assert!(told.contains(&format!("`minisnap log cut JOURNAL --after {seq}`")), "{told}");
        is_whole(&place, seq);
    }
}

/// By name only: no seq means it, since its writer may have been killed before its commit.
#[test]
fn rollback_takes_an_unconfirmed_snapshot_only_by_name() {
    let losses: [(Loss, u64); 3] = [(lose_current, 11), (lose_record, 12), (follow_links, 12)];
    for (lose, seq) in losses {
        let place = with_three();
        lose(&place);
        let said = place.run(&["rollback", STORE, "--to", &seq.to_string()]).fails(1);
        assert!(said.contains(&format!("seq {seq} is none of those that are intact and were committed")), "{said}");
        let told = place.run(&["rollback", STORE, "--to", &name(&place, seq), "--json"]).ok();
        let told = json(&told);
        assert_eq!(told["possibly_never_committed"], true, "{told}");
        assert_eq!(told["committed"]["seq"], seq);
        is_whole(&place, seq);
    }
    let place = with_three();
    lose_record(&place);
    let told = place.run(&["rollback", STORE, "--to", &name(&place, 12)]).ok();
    assert!(told.contains("which was possibly never committed"), "{told}");
}

fn is_whole(place: &Place, seq: u64) {
    assert_eq!(place.run(&["cat", STORE]).ok(), format!("[\n  {seq}\n]"));
    place.run(&["verify", STORE]).ok();
    assert_eq!(fs::read_to_string(place.files.join("snapshot.seq")).expect("a link"), format!("{seq}\n"));
    place.run(&["create", STORE, "--seq", "13", "new.json"]).ok();
    place.run(&["verify", STORE]).ok();
    assert_eq!(place.run(&["cat", STORE]).ok(), "[\n  13\n]");
}

/// It used to name the snapshot that was gone as retained, and that the log up to it may go, which `show` denied.
#[test]
fn create_and_show_say_the_same_of_the_log_over_a_gap() {
    let place = with_three();
    lose_current(&place);
    let ran = place.run(&["create", STORE, "--seq", "13", "new.json"]);
    assert!(!ran.stderr.contains("new store"), "{ran:?}");
    let told = ran.done();
    assert!(told.contains("retained: seq 13; keep all of the log"), "{told}");
    let shown = place.run(&["show", STORE]).ok();
    assert!(shown.contains("log       keep all of it"), "{shown}");
    let told = json(&place.run(&["create", STORE, "--seq", "14", "new.json", "--json"]).done());
    assert_eq!(told["truncation_point"], Value::Null, "{told}");
    assert_eq!(told["retained"].as_array().expect("a list").len(), 2, "{told}");
    // Given up, the gap is closed.
    place.run(&["create", STORE, "--seq", "15", "new.json", "--retain", "2"]).done();
    let told = place.run(&["create", STORE, "--seq", "16", "new.json"]).ok();
    assert!(told.contains("the log can be truncated through seq 15"), "{told}");
    assert!(place.run(&["show", STORE]).ok().contains("can be truncated through seq 15"));
    place.run(&["verify", STORE]).ok();
}

/// It used to be "nothing to revert" and "there was none".
#[test]
fn revert_and_collection_fail_when_the_current_one_is_gone() {
    let place = with_three();
    lose_current(&place);
    for args in [["revert", STORE], ["collect-garbage", STORE]] {
        let said = place.run(&args).fails(1);
        assert!(said.contains("so is its folder") && said.contains("goes back to"), "{args:?}: {said}");
    }
    let seq = place.files.join("snapshot.seq");
    fs::remove_file(&seq).expect("it can go");
    let ran = place.run(&["revert", STORE]);
    assert!(ran.stdout.contains("put back the link") && is_link(&seq), "{ran:?}");
    ran.fails(1);
    let ran = place.run(&["verify", STORE]);
    assert!(!ran.stdout.contains("1 are there"), "{ran:?}");
}

/// The advice of the error must work: also where another program's files stand at the two names.
#[test]
fn lost_store_is_gone_back_from_beside_a_bare_pair() {
    let place = with_three();
    lose_record(&place);
    place.replace("snapshot.json", "[77]");
    place.replace("snapshot.seq", "77\n");
    for args in [&["show", STORE][..], &["verify", STORE], &["create", STORE, "--seq", "78", "new.json"]] {
        let said = place.run(args).fails(1);
        assert!(said.contains(&format!("--to {}` goes back", name(&place, 11))), "{args:?}: {said}");
    }
    let told = place.run(&["rollback", STORE, "--to", "11"]).ok();
    assert_eq!(told.lines().filter(|line| line.starts_with("moved aside: ")).count(), 2, "{told}");
    is_whole(&place, 11);
}

/// None of them is current, and `diff` would not find them.
#[test]
fn seq_of_several_is_refused_when_the_record_is_lost() {
    let place = folder();
    for json in ["[1]", "[2]", "[3]"] {
        place.feed(&["create", STORE, "--seq", "10", "--retain", "3"], json).done();
    }
    let second = name_of(&place.generations()[1]).to_owned();
    lose_record(&place);
    let said = place.run(&["rollback", STORE, "--to", "10"]).fails(4);
    assert!(said.contains("snapshots have seq 10") && said.contains("give one of these names"), "{said}");
    assert!(!said.contains("current one") && !said.contains("minisnap diff"), "{said}");
    place.run(&["rollback", STORE, "--to", &second]).ok();
}
