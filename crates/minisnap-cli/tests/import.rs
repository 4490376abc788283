//! `minisnap import`.

use crate::support::{RunResult, STORE, Sandbox, folder, sandboxes};
use serde_json::Value;
use std::{fs, os::unix::fs::symlink};

/// A number that no float can represent, and text that looks like indentation.
const STATE: &str = "{\n    \"balance\": 18446744073709551617,\n    \"text\": \"a\\n    b\"\n  }";
const STATE_AT_THE_TOP: &str = "{\n  \"balance\": 18446744073709551617,\n  \"text\": \"a\\n    b\"\n}";

/// Writes a file as 0.1.3 did, to the folder `old`.
fn write_old(sandbox: &Sandbox, seq: u64, bytes: &str) {
    fs::create_dir_all(sandbox.path("old")).expect("a folder");
    sandbox.write(&name(seq), bytes);
}

fn name(seq: u64) -> String {
    format!("old/snapshot_{seq:020}.json")
}

fn envelope(seq: u64, state: &str) -> String {
    format!("{{\n  \"seq\": {seq},\n  \"state\": {state}\n}}")
}

/// The JSON output.
fn json(result: RunResult) -> Value {
    serde_json::from_str(&result.succeeds()).expect("JSON")
}

#[test]
fn newest_is_imported_once() {
    for sandbox in sandboxes() {
        write_old(&sandbox, 10, &envelope(10, "1"));
        write_old(&sandbox, 20, &envelope(20, STATE));
        assert_eq!(
            sandbox.run(&["import", "old", STORE]).ok(),
            format!(
                "imported seq 20 (59 B) from {} to {}; retained: seq 20; the log can be truncated through seq 20\n",
                name(20),
                sandbox.store
            )
        );
        assert_eq!(sandbox.run(&["restore", STORE]).ok(), STATE_AT_THE_TOP);
        let again = sandbox.run(&["import", "old", STORE]).ok();
        assert!(again.contains("already") && again.ends_with("; nothing was changed\n"), "{again}");
        assert_eq!(sandbox.seqs(), [20]);
    }
}

#[test]
fn messagepack_is_imported_as_json() {
    for sandbox in sandboxes() {
        fs::create_dir(sandbox.path("old")).expect("a folder");
        sandbox.write("old/snapshot_00000000000000000007", b"\x92\x07\x92\xa1a\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a");
        let output = json(sandbox.run(&["import", "old", STORE, "--json"]));
        assert_eq!((&output["imported"]["format"], &output["imported"]["seq"]), (&"messagepack".into(), &7.into()));
        assert_eq!(sandbox.run(&["restore", STORE]).ok(), "[\n  \"a\",\n  0.1\n]");
    }
}

#[test]
fn skipped_files_are_reported_with_the_needed_log() {
    for sandbox in sandboxes() {
        write_old(&sandbox, 10, &envelope(10, "[10]"));
        write_old(&sandbox, 20, "{\n  \"seq\": 20,\n  \"state\"");
        write_old(&sandbox, 30, "");
        let result = sandbox.run(&["import", "old", STORE]);
        for part in [
            &format!("warning: skipped {}: it is empty", name(30)),
            &format!("warning: skipped {}: it is incomplete: EOF", name(20)),
            "the program needs every record of its log after seq 10",
        ] {
            assert!(result.stderr.contains(part), "{}", result.stderr);
        }
        result.succeeds();
        let output = json(sandbox.run(&["import", "old", STORE, "--json"]));
        assert_eq!(output["passed_over"][0]["path"], name(30));
        assert_eq!(output["passed_over"][0]["problem"], "it is empty");
        assert_eq!(output["passed_over"].as_array().map(Vec::len), Some(2));
        assert_eq!(
            (&output["committed"], &output["truncation_point"]),
            (&Value::Null, &Value::Null),
            "it was imported before"
        );
    }
}

#[test]
fn import_refuses_a_newer_store_and_keeps_the_retention() {
    for sandbox in sandboxes() {
        write_old(&sandbox, 20, &envelope(20, "20"));
        for seq in [1, 2, 3] {
            sandbox.run_with_input(&["create", STORE, "--seq", &seq.to_string(), "--retain", "5"], "0").succeeds();
        }
        let output = json(sandbox.run(&["import", "old", STORE, "--json"]));
        assert_eq!((sandbox.seqs(), &output["truncation_point"]), (vec![20, 3, 2], &2.into()), "as many as there were");
        sandbox.create(21, "21");
        let message = sandbox.run(&["import", "old", STORE]).fails(4);
        assert!(message.contains("seq 20 is not above seq 21") && message.contains("minisnap show"), "{message}");
        assert!(!message.contains("--seq"), "there is no such seq: {message}");
        assert_eq!(sandbox.seqs()[0], 21);
    }
}

#[test]
fn old_folder_as_store_is_refused_with_the_import_command() {
    let mut sandbox = folder();
    sandbox.rename("old");
    write_old(&sandbox, 20, &envelope(20, "20"));
    for args in [&["show", STORE][..], &["import", STORE, STORE], &["create", STORE, "--seq", "30", "-"]] {
        let message = sandbox.run_with_input(args, "30").fails(5);
        assert!(message.contains(&format!("`minisnap import {} NEW`", sandbox.store)), "{message}");
    }
    sandbox.run(&["import", STORE, "NEW"]).ok();
    assert_eq!(sandbox.run(&["cat", "NEW"]).ok().trim_end(), "20");
}

#[test]
fn import_failure_has_a_reason_and_help() {
    let sandbox = folder();
    let message = sandbox.run(&["import", "nowhere", STORE]).fails(2);
    assert!(message.contains("import (nowhere): cannot list the folder"), "{message}");
    fs::create_dir(sandbox.path("old")).expect("a folder");
    let message = sandbox.run(&["import", "old", STORE]).fails(3);
    assert!(message.contains("no file is named snapshot_<seq>.json"), "{message}");
    // A bare pair of version 0.1.2. The command in the help copies it.
    sandbox.write("old/snapshot.json", "[2]");
    sandbox.write("old/snapshot.seq", "2");
    let message = sandbox.run(&["import", "old", STORE]).fails(3);
    assert!(message.contains(&format!("`minisnap copy old {}`", sandbox.store)), "{message}");
    sandbox.run(&["copy", "old", STORE]).succeeds();
    write_old(&sandbox, 20, "");
    assert!(sandbox.run(&["import", "old", STORE]).fails(1).contains("is intact here"), "no file is intact");
    write_old(&sandbox, 21, &envelope(22, "1"));
    let message = sandbox.run(&["import", "old", STORE]).fails(1);
    assert!(message.contains("it holds the seq 22, but its name has the seq 21"), "{message}");
    assert!(message.contains("rename it to snapshot_00000000000000000022.json;"), "{message}");
    write_old(&sandbox, 21, &envelope(21, "1e999"));
    let message = sandbox.run(&["import", "old", STORE]).fails(8);
    assert!(message.contains("out of range at line 3 column 1") && message.contains("move this file"), "{message}");
    fs::remove_file(sandbox.path(&name(21))).expect("an existing file");
    sandbox.write("old/snapshot_21", b"\x92\x15\xcb\x7f\xf8\0\0\0\0\0\0");
    assert!(
        sandbox.run(&["import", "old", STORE]).fails(8).contains("the state is a NaN, which JSON can't hold"),
        "a NaN"
    );
    sandbox.write("old/snapshot_22.cbor", "a");
    let failed = sandbox.run(&["import", "old", STORE, "--json"]);
    assert_eq!(failed.code, Some(10));
    let output: Value = serde_json::from_str(&failed.stdout).expect("JSON");
    assert_eq!(
        (&output["error"]["kind"], &output["error"]["location"]),
        (&"unsupported".into(), &"old/snapshot_22.cbor".into())
    );
    symlink("nothing", sandbox.path(&name(30))).expect("a link");
    assert!(sandbox.run(&["import", "old", STORE]).fails(2).contains("cannot read the file"), "a link to nothing");
    assert_eq!(sandbox.seqs(), [2], "nothing was changed");
}
