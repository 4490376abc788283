//! `minisnap import`.

use crate::kit::{Place, Ran, STORE, folder, places};
use serde_json::Value;
use std::{fs, os::unix::fs::symlink};

/// Numbers that no float holds, and text with what looks like indentation.
const STATE: &str = "{\n    \"balance\": 18446744073709551617,\n    \"text\": \"a\\n    b\"\n  }";
const STATE_AT_THE_TOP: &str = "{\n  \"balance\": 18446744073709551617,\n  \"text\": \"a\\n    b\"\n}";

/// Writes a file as 0.1.3 did, to the folder `old`.
fn write_old(place: &Place, seq: u64, bytes: &str) {
    fs::create_dir_all(place.path("old")).expect("a folder");
    place.write(&name(seq), bytes);
}

fn name(seq: u64) -> String {
    format!("old/snapshot_{seq:020}.json")
}

fn envelope(seq: u64, state: &str) -> String {
    format!("{{\n  \"seq\": {seq},\n  \"state\": {state}\n}}")
}

/// What it printed for programs.
fn json(ran: Ran) -> Value {
    serde_json::from_str(&ran.done()).expect("JSON")
}

#[test]
fn newest_becomes_current_and_again_is_no_change() {
    for place in places() {
        write_old(&place, 10, &envelope(10, "1"));
        write_old(&place, 20, &envelope(20, STATE));
        assert_eq!(
            place.run(&["import", "old", STORE]).ok(),
            format!(
                "imported seq 20 (59 B) of {} to {}; retained: seq 20; the log can be truncated through seq 20\n",
                name(20),
                place.store
            )
        );
        assert_eq!(place.run(&["restore", STORE]).ok(), STATE_AT_THE_TOP);
        let again = place.run(&["import", "old", STORE]).ok();
        assert!(again.ends_with("already; nothing was changed\n"), "{again}");
        assert_eq!(place.seqs(), [20]);
    }
}

#[test]
fn messagepack_is_imported_as_json() {
    for place in places() {
        fs::create_dir(place.path("old")).expect("a folder");
        place.write("old/snapshot_00000000000000000007", b"\x92\x07\x92\xa1a\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a");
        let told = json(place.run(&["import", "old", STORE, "--json"]));
        assert_eq!((&told["imported"]["format"], &told["imported"]["seq"]), (&"messagepack".into(), &7.into()));
        assert_eq!(place.run(&["restore", STORE]).ok(), "[\n  \"a\",\n  0.1\n]");
    }
}

#[test]
fn what_is_passed_over_is_told_with_what_the_log_needs() {
    for place in places() {
        write_old(&place, 10, &envelope(10, "[10]"));
        write_old(&place, 20, "{\n  \"seq\": 20,\n  \"state\"");
        write_old(&place, 30, "");
        let ran = place.run(&["import", "old", STORE]);
        for part in [
            &format!("warning: passed over {}: it is empty", name(30)),
            &format!("warning: passed over {}: it is incomplete: EOF", name(20)),
            "the program needs every record of its log after seq 10",
        ] {
            assert!(ran.stderr.contains(part), "{}", ran.stderr);
        }
        ran.done();
        let told = json(place.run(&["import", "old", STORE, "--json"]));
        assert_eq!(told["passed_over"][0]["path"], name(30));
        assert_eq!(told["passed_over"][0]["problem"], "it is empty");
        assert_eq!(told["passed_over"].as_array().map(Vec::len), Some(2));
        assert_eq!((&told["committed"], &told["truncation_point"]), (&Value::Null, &Value::Null), "it was there");
    }
}

#[test]
fn store_that_is_newer_is_refused_and_an_older_one_retains() {
    for place in places() {
        write_old(&place, 20, &envelope(20, "20"));
        for seq in [1, 2, 3] {
            place.feed(&["create", STORE, "--seq", &seq.to_string(), "--retain", "5"], "0").done();
        }
        let told = json(place.run(&["import", "old", STORE, "--json"]));
        assert_eq!((place.seqs(), &told["truncation_point"]), (vec![20, 3, 2], &2.into()), "as many as there were");
        place.create(21, "21");
        let said = place.run(&["import", "old", STORE]).fails(4);
        assert!(said.contains("seq 20 is not above seq 21") && said.contains("minisnap show"), "{said}");
        assert!(!said.contains("--seq"), "there is none: {said}");
        assert_eq!(place.seqs()[0], 21);
    }
}

#[test]
fn store_in_the_old_folder_says_the_command() {
    let mut place = folder();
    place.rename("old");
    write_old(&place, 20, &envelope(20, "20"));
    for args in [&["show", STORE][..], &["import", STORE, STORE], &["create", STORE, "--seq", "30", "-"]] {
        let said = place.feed(args, "30").fails(5);
        assert!(said.contains(&format!("`minisnap import {} NEW`", place.store)), "{said}");
    }
    place.run(&["import", STORE, "NEW"]).ok();
    assert_eq!(place.run(&["cat", "NEW"]).ok().trim_end(), "20");
}

#[test]
fn folder_that_cannot_be_imported_says_why_and_what_to_do() {
    let place = folder();
    let said = place.run(&["import", "nowhere", STORE]).fails(2);
    assert!(said.contains("import (nowhere): cannot list the folder"), "{said}");
    fs::create_dir(place.path("old")).expect("a folder");
    let said = place.run(&["import", "old", STORE]).fails(3);
    assert!(said.contains("no file is named snapshot_<seq>.json"), "{said}");
    // As 0.1.2 wrote it: the command that is advised does it.
    place.write("old/snapshot.json", "[2]");
    place.write("old/snapshot.seq", "2");
    let said = place.run(&["import", "old", STORE]).fails(3);
    assert!(said.contains(&format!("`minisnap copy old {}`", place.store)), "{said}");
    place.run(&["copy", "old", STORE]).done();
    write_old(&place, 20, "");
    assert!(place.run(&["import", "old", STORE]).fails(1).contains("is intact here"), "none is");
    write_old(&place, 21, &envelope(22, "1"));
    let said = place.run(&["import", "old", STORE]).fails(1);
    assert!(said.contains("it holds the seq 22, and its name says 21"), "{said}");
    assert!(said.contains("rename it to snapshot_00000000000000000022.json;"), "{said}");
    write_old(&place, 21, &envelope(21, "1e999"));
    let said = place.run(&["import", "old", STORE]).fails(8);
    assert!(said.contains("out of range at line 3 column 1") && said.contains("move this file"), "{said}");
    fs::remove_file(place.path(&name(21))).expect("it is there");
    place.write("old/snapshot_21", b"\x92\x15\xcb\x7f\xf8\0\0\0\0\0\0");
    assert!(place.run(&["import", "old", STORE]).fails(8).contains("it is a NaN, which JSON can't hold"), "a NaN");
    place.write("old/snapshot_22.cbor", "a");
    let failed = place.run(&["import", "old", STORE, "--json"]);
    assert_eq!(failed.code, Some(10));
    let told: Value = serde_json::from_str(&failed.stdout).expect("JSON");
    assert_eq!(
        (&told["error"]["kind"], &told["error"]["location"]),
        (&"unsupported".into(), &"old/snapshot_22.cbor".into())
    );
    symlink("nothing", place.path(&name(30))).expect("a link");
    assert!(place.run(&["import", "old", STORE]).fails(2).contains("cannot read the file"), "a link to nothing");
    assert_eq!(place.seqs(), [2], "nothing was changed");
}
