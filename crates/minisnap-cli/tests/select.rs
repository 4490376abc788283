//! Which snapshot a seq or a name means: the same in every command.

use crate::kit::{Place, STORE, folder, places, runtime};
use serde_json::Value;
use std::fs;

fn create_all(place: &Place, snapshots: &[(&str, &str)]) {
    for (seq, json) in snapshots {
        place.feed(&["create", STORE, "--seq", seq, "--retain", "9"], json).done();
    }
}

/// The names, newest first.
fn names(place: &Place) -> Vec<String> {
    let told: Value = serde_json::from_str(&place.run(&["history", STORE, "--json"]).ok()).expect("JSON");
    let names = told["snapshots"].as_array().expect("a list").iter();
    names.map(|snapshot| snapshot["name"].as_str().expect("a name").into()).collect()
}

/// Went back from 12 to 9: "at most 12" would be 9, the most recently committed.
fn rolled_back(place: &Place) {
    create_all(place, &[("9", "9"), ("10", "10"), ("11", "11"), ("12", "12")]);
    place.run(&["rollback", STORE, "--to", "9", "--retain", "9"]).ok();
}

#[test]
fn exact_seq_wins_over_at_most_after_a_rollback() {
    for place in places() {
        rolled_back(&place);
        for command in ["cat", "restore"] {
            let (note, json) = place.run(&[command, STORE, "--at", "12"]).remarks("note");
            assert_eq!(
                (json.as_str(), note.as_str()),
                ("12", "seq 12 was rolled back from: seq 9 was committed after it\n")
            );
            for (at, json) in [("9", "9"), ("13", "9")] {
                assert_eq!(place.run(&[command, STORE, "--at", at]).ok(), json, "{at}");
            }
        }
        let expected = "seq 12 -> seq 9\n~ the whole document  12 -> 9\n1 changed, 0 added, 0 removed\n";
        for args in [&["diff", STORE, "12", "9"][..], &["diff", STORE, "12"]] {
            let (note, told) = place.run(args).remarks("note");
            assert!(told == expected && note.starts_with("seq 12 was rolled back from"), "{told}{note}");
        }
        let (_, patch) = place.run(&["diff", STORE, "12", "9", "--json"]).remarks("note");
        assert!(serde_json::from_str::<Value>(&patch).is_ok(), "{patch}");
        let restored = runtime().block_on(async { place.open().restore_at::<u64>(12).await });
        assert_eq!(restored.expect("it is there"), (9, 9), "the library's is the most recently committed");
        place.run(&["rollback", STORE, "--to", "12"]).ok();
        assert_eq!(place.run(&["cat", STORE, "--at", "12"]).ok(), "12", "forward again, it isn't rolled back from");
    }
}

#[test]
fn name_is_taken_wherever_a_seq_is() {
    for place in places() {
        rolled_back(&place);
        let names = names(&place);
        for (name, json) in names.iter().zip(["9", "12", "11", "10", "9"]) {
            for args in [&["cat", STORE, "--at"][..], &["restore", STORE, "--at"]] {
                assert_eq!(place.run(&[args, &[name]].concat()).ok(), json);
            }
        }
        let told = place.run(&["diff", STORE, &names[3], &names[2]]).ok();
        assert!(told.starts_with("seq 10 -> seq 11\n"), "{told}");
        let told = place.run(&["diff", STORE, &names[4]]).ok();
        assert_eq!(told, "seq 9 -> seq 9\nthe same document, byte for byte\n");
        place.run(&["restore", STORE, "--at", &names[2], "--output", "out.json"]).ok();
        assert_eq!(fs::read_to_string(place.path("out.json")).expect("a file"), "11");
        place.run(&["rollback", STORE, "--to", &names[2]]).ok();
        assert_eq!(place.run(&["cat", STORE]).ok(), "11");

        let unknown = names[2].replace("11-", "13-");
        for args in [&["cat", STORE, "--at"][..], &["diff", STORE], &["rollback", STORE, "--to"]] {
            let error = place.run(&[args, &[&unknown]].concat()).fails(3);
            assert!(error.contains(&format!("named {unknown}; there are: ")) && error.contains(&names[1]), "{error}");
        }
        assert_eq!(place.run(&["cat", STORE, "--at", "newest"]).code, Some(64));
    }
}

/// As after an accepted edit, or where somebody committed a seq twice: nobody can tell here which of the two is meant.
#[test]
fn seq_of_snapshots_that_differ_is_refused_with_their_names() {
    for place in places() {
        create_all(&place, &[("8", "8"), ("10", "1"), ("10", "2"), ("12", "12")]);
        let names = names(&place);
        for args in [
            &["cat", STORE, "--at", "10"][..],
            &["restore", STORE, "--at", "10"],
            &["diff", STORE, "10"],
            &["diff", STORE, "10", "12"],
            &["diff", STORE, "8", "10"],
            &["rollback", STORE, "--to", "10"],
        ] {
            let error = place.run(args).fails(4);
            assert!(error.contains(&names[1]) && error.contains(&names[2]), "{args:?}: {error}");
            assert!(!error.contains(&names[0]), "{args:?}: {error}");
        }
        assert_eq!(place.run(&["cat", STORE, "--at", &names[2]]).ok(), "1");
        assert_eq!(place.run(&["cat", STORE, "--at", "11"]).ok(), "2", "the most recent below a seq that none has");
        assert_eq!(place.seqs(), [12, 10, 10, 8]);
    }
}

#[test]
fn twin_is_read_where_the_newer_one_is_corrupt() {
    let place = folder();
    rolled_back(&place);
    create_all(&place, &[("20", "20")]);
    let names = names(&place);
    fs::write(place.files.join("snapshots").join(&names[1]).join("snapshot.json"), "!").expect("it can be written");
    assert_eq!(place.run(&["cat", STORE, "--at", "9"]).ok(), "9");
    assert!(place.run(&["diff", STORE, "9", "20"]).ok().contains("9 -> 20"));
    place.run(&["cat", STORE, "--at", &names[1]]).fails(1);
}
