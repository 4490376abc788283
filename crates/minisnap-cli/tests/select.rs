//! Selecting a snapshot by seq or name: the same in every command.

use crate::support::{STORE, Sandbox, folder, runtime, sandboxes};
use serde_json::Value;
use std::fs;

fn create_all(sandbox: &Sandbox, snapshots: &[(&str, &str)]) {
    for (seq, json) in snapshots {
        sandbox.run_with_input(&["create", STORE, "--seq", seq, "--retain", "9"], json).succeeds();
    }
}

/// The names, newest first.
fn names(sandbox: &Sandbox) -> Vec<String> {
    let output: Value = serde_json::from_str(&sandbox.run(&["history", STORE, "--json"]).ok()).expect("JSON");
    let names = output["snapshots"].as_array().expect("a list").iter();
    names.map(|snapshot| snapshot["name"].as_str().expect("a name").into()).collect()
}

/// Rolls back from 12 to 9. The most recently committed snapshot with a seq of at most 12 is then 9.
fn rolled_back(sandbox: &Sandbox) {
    create_all(sandbox, &[("9", "9"), ("10", "10"), ("11", "11"), ("12", "12")]);
    sandbox.run(&["rollback", STORE, "--to", "9", "--retain", "9"]).ok();
}

#[test]
fn exact_seq_is_preferred_after_a_rollback() {
    for sandbox in sandboxes() {
        rolled_back(&sandbox);
        for command in ["cat", "restore"] {
            let (note, json) = sandbox.run(&[command, STORE, "--at", "12"]).note_or_warning("note");
            assert_eq!(
                (json.as_str(), note.as_str()),
                ("12", "the store was rolled back from seq 12: seq 9 was committed after it\n")
            );
            for (at, json) in [("9", "9"), ("13", "9")] {
                assert_eq!(sandbox.run(&[command, STORE, "--at", at]).ok(), json, "{at}");
            }
        }
        let expected = "seq 12 -> seq 9\n~ the document  12 -> 9\n1 changed, 0 added, 0 removed\n";
        for args in [&["diff", STORE, "12", "9"][..], &["diff", STORE, "12"]] {
            let (note, output) = sandbox.run(args).note_or_warning("note");
            assert!(output == expected && note.starts_with("the store was rolled back from seq 12"), "{output}{note}");
        }
        let (_, patch) = sandbox.run(&["diff", STORE, "12", "9", "--json"]).note_or_warning("note");
        assert!(serde_json::from_str::<Value>(&patch).is_ok(), "{patch}");
        let restored = runtime().block_on(async { sandbox.open().restore_at::<u64>(12).await });
        assert_eq!(restored.expect("an existing file"), (9, 9), "the library's is the most recently committed");
        sandbox.run(&["rollback", STORE, "--to", "12"]).ok();
        assert_eq!(
            sandbox.run(&["cat", STORE, "--at", "12"]).ok(),
            "12",
            "after going forward again, there is no note"
        );
    }
}

#[test]
fn name_is_accepted_wherever_a_seq_is() {
    for sandbox in sandboxes() {
        rolled_back(&sandbox);
        let names = names(&sandbox);
        for (name, json) in names.iter().zip(["9", "12", "11", "10", "9"]) {
            for args in [&["cat", STORE, "--at"][..], &["restore", STORE, "--at"]] {
                assert_eq!(sandbox.run(&[args, &[name]].concat()).ok(), json);
            }
        }
        let output = sandbox.run(&["diff", STORE, &names[3], &names[2]]).ok();
        assert!(output.starts_with("seq 10 -> seq 11\n"), "{output}");
        let output = sandbox.run(&["diff", STORE, &names[4]]).ok();
        assert_eq!(output, "seq 9 -> seq 9\nthe same document, byte for byte\n");
        sandbox.run(&["restore", STORE, "--at", &names[2], "--output", "out.json"]).ok();
        assert_eq!(fs::read_to_string(sandbox.path("out.json")).expect("a file"), "11");
        sandbox.run(&["rollback", STORE, "--to", &names[2]]).ok();
        assert_eq!(sandbox.run(&["cat", STORE]).ok(), "11");

        let unknown = names[2].replace("11-", "13-");
        for args in [&["cat", STORE, "--at"][..], &["diff", STORE], &["rollback", STORE, "--to"]] {
            let error = sandbox.run(&[args, &[&unknown]].concat()).fails(3);
            assert!(
                error.contains(&format!("named {unknown}; retained are: ")) && error.contains(&names[1]),
                "{error}"
            );
        }
        assert_eq!(sandbox.run(&["cat", STORE, "--at", "newest"]).code, Some(64));
    }
}

/// As after an accepted edit, or if a seq was committed twice.
#[test]
fn ambiguous_seq_is_refused_with_the_names() {
    for sandbox in sandboxes() {
        create_all(&sandbox, &[("8", "8"), ("10", "1"), ("10", "2"), ("12", "12")]);
        let names = names(&sandbox);
        for args in [
            &["cat", STORE, "--at", "10"][..],
            &["restore", STORE, "--at", "10"],
            &["diff", STORE, "10"],
            &["diff", STORE, "10", "12"],
            &["diff", STORE, "8", "10"],
            &["rollback", STORE, "--to", "10"],
        ] {
            let error = sandbox.run(args).fails(4);
            assert!(error.contains(&names[1]) && error.contains(&names[2]), "{args:?}: {error}");
            assert!(!error.contains(&names[0]), "{args:?}: {error}");
        }
        assert_eq!(sandbox.run(&["cat", STORE, "--at", &names[2]]).ok(), "1");
        assert_eq!(sandbox.run(&["cat", STORE, "--at", "11"]).ok(), "2", "the latest commit below a missing seq");
        assert_eq!(sandbox.seqs(), [12, 10, 10, 8]);
    }
}

#[test]
fn equal_snapshot_is_read_when_the_newer_one_is_corrupt() {
    let sandbox = folder();
    rolled_back(&sandbox);
    create_all(&sandbox, &[("20", "20")]);
    let names = names(&sandbox);
    fs::write(sandbox.files.join("snapshots").join(&names[1]).join("snapshot.json"), "!").expect("permission to write");
    assert_eq!(sandbox.run(&["cat", STORE, "--at", "9"]).ok(), "9");
    assert!(sandbox.run(&["diff", STORE, "9", "20"]).ok().contains("9 -> 20"));
    sandbox.run(&["cat", STORE, "--at", &names[1]]).fails(1);
}
