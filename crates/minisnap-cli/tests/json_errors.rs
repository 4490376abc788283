//! `--json`: every failure prints one JSON document to standard output.

use crate::support::{RunResult, STORE, Sandbox, folder, name_of, s3, sandboxes};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::symlink};

/// A store with three snapshots.
fn with_three(sandbox: Sandbox) -> Sandbox {
    for seq in ["1", "2", "3"] {
        sandbox.run_with_input(&["create", STORE, "--seq", seq, "--retain", "3"], format!("[{seq}]")).ok();
    }
    sandbox
}

/// The error in the JSON document on standard output. Checks that it is on standard error, too.
#[track_caller]
fn error(result: &RunResult, code: i32) -> Value {
    assert_eq!(result.code, Some(code), "{result:?}");
    assert!(result.stderr.starts_with("error: "), "{result:?}");
    let document: Value = serde_json::from_str(&result.stdout).unwrap_or_else(|error| panic!("{error}: {result:?}"));
    let error = &document["error"];
    assert_eq!(error["exit_code"], code, "{document}");
    for text in [&error["message"], &error["help"]] {
        let text = text.as_str().expect("a text");
        // Clap prints usage errors to stderr in its own words.
        assert!(!text.is_empty() && (code == 64 || result.stderr.contains(text)), "{result:?}");
    }
    for field in ["causes", "intact"] {
        assert!(error[field].is_array(), "{document}");
    }
    error.clone()
}

fn names(snapshots: &Value) -> Vec<&str> {
    snapshots.as_array().expect("a list").iter().map(|snapshot| snapshot["name"].as_str().expect("a name")).collect()
}

/// Without the record, the current snapshot is unknown. The intact ones are listed by name, newest first.
#[test]
fn json_error_lists_intact_snapshots_when_the_record_is_lost() {
    type Lose = fn(&Sandbox);
    let losses: [Lose; 3] = [
        |sandbox| fs::remove_file(sandbox.files.join("snapshots/current")).expect("a link"),
        |sandbox| {
            fs::remove_file(sandbox.files.join("snapshots/current")).expect("a link");
            symlink("nonsense", sandbox.files.join("snapshots/current")).expect("a link");
        },
        |sandbox| {
            fs::remove_file(sandbox.files.join("snapshots/current")).expect("a link");
            fs::create_dir(sandbox.files.join("snapshots/current")).expect("a folder");
        },
    ];
    for lose in losses {
        for command in ["show", "verify", "history", "diff"] {
            let sandbox = with_three(folder());
            fs::write(sandbox.json_of(2), "[!]").expect("room for a file");
            lose(&sandbox);
            let error = error(&sandbox.run(&[command, STORE, "--json"]), 1);
            assert_eq!(error["kind"], "corrupt", "{error}");
            let record = sandbox.files.join("snapshots/current");
            assert_eq!(error["location"], record.to_str().expect("text"), "{error}");
            let [newest, oldest] = [3, 1].map(|seq| sandbox.json_of(seq));
            let [newest, oldest] = [&newest, &oldest].map(|json| name_of(json.parent().expect("a folder")));
            assert_eq!(names(&error["intact"]), [oldest], "another's parent: {error}");
            assert_eq!(names(&error["unconfirmed"]), [newest], "{error}");
        }
    }
}

/// Names in an object store have no digest, so without the record no snapshot is known to be intact. The message lists them.
#[test]
fn object_store_error_names_generations_without_a_record() {
    for content in [None, Some("nonsense")] {
        let sandbox = with_three(s3());
        let record = sandbox.files.join("snapshots/current");
        match content {
            None => fs::remove_file(record).expect("an object"),
            Some(content) => fs::write(record, content).expect("an object"),
        }
        for command in ["show", "verify"] {
            let error = error(&sandbox.run(&[command, STORE, "--json"]), 1);
            assert_eq!((&error["kind"], names(&error["intact"]).len()), (&json!("corrupt"), 0), "{error}");
            let name = sandbox.json_of(3);
            let name = name_of(name.parent().expect("a folder"));
            assert_eq!(content.is_none(), error["message"].as_str().expect("a text").contains(name), "{error}");
        }
    }
}

/// If the history can be read, the report contains the error.
#[test]
fn json_report_contains_the_error_of_a_corrupt_snapshot() {
    for sandbox in sandboxes().map(with_three) {
        fs::write(sandbox.json_of(3), "[!]").expect("room for a file");
        for command in ["show", "verify"] {
            let result = sandbox.run(&[command, STORE, "--json"]);
            let error = error(&result, 1);
            assert_eq!((&error["kind"], names(&error["intact"]).len()), (&json!("corrupt"), 2), "{error}");
        }
        fs::write(sandbox.json_of(3), "[\n  3\n]").expect("room for a file");
        for command in ["show", "verify"] {
            let report: Value = serde_json::from_str(&sandbox.run(&[command, STORE, "--json"]).ok()).expect("JSON");
            assert_eq!(report["error"], Value::Null);
        }
    }
}

/// Every command with --json on a missing store, and every kind of error.
#[test]
fn every_command_prints_a_json_error_when_it_fails() {
    for sandbox in sandboxes() {
        for command in ["show", "history", "diff"] {
            let error = error(&sandbox.run(&[command, STORE, "--json"]), 3);
            assert_eq!((&error["kind"], &error["location"]), (&json!("not_found"), &Value::Null), "{error}");
        }
        assert_eq!(error(&sandbox.run(&["verify", STORE, "--json"]), 2)["kind"], "not_found");
        assert_eq!(error(&sandbox.run(&["rollback", STORE, "--to", "1", "--json"]), 3)["kind"], "not_found");
        let to = sandbox.path_text("to");
        assert_eq!(error(&sandbox.run(&["copy", STORE, &to, "--json"]), 3)["kind"], "not_found");
        assert_eq!(
            error(&sandbox.run_with_input(&["create", STORE, "--seq", "1", "--json"], "["), 8)["kind"],
            "not_restorable"
        );
        sandbox.create(1, "[1]");
        let stale = error(&sandbox.run_with_input(&["create", STORE, "--seq", "1", "--if-newer", "--json"], "[1]"), 4);
        assert_eq!(stale["kind"], "stale");
    }
    let sandbox = folder();
    sandbox.create(1, "[1]");
    sandbox.replace("snapshot.json", "[22]");
    assert_eq!(error(&sandbox.run(&["show", STORE, "--json"]), 5)["kind"], "external_change");
    let found = error(&sandbox.run(&["verify", STORE, "--json"]), 1);
    let file = sandbox.files.join("snapshot.json");
    assert_eq!((&found["kind"], &found["location"]), (&json!("external_change"), &json!(file)), "{found}");
    assert_eq!(
        error(&sandbox.run_with_input(&["create", STORE, "--seq", "2", "--json"], "[2]"), 5)["kind"],
        "external_change"
    );
    let missing = sandbox.run(&["create", STORE, "--seq", "2", "no such file", "--json"]);
    assert_eq!(error(&missing, 9)["kind"], "local_file");
    let mut bucket = s3();
    bucket.store = "s3://misspelt/app".into();
    for command in ["show", "watch", "collect-garbage"] {
        let error = error(&bucket.run(&[command, STORE, "--json"]), 2);
        assert!(error["kind"] == "backend" && !error["causes"].as_array().expect("a list").is_empty(), "{error}");
    }
}

#[test]
fn usage_error_is_json_when_requested() {
    let sandbox = folder();
    for args in [
        &["show", STORE, "--nonsense", "--json"][..],
        &["--json"],
        &["restore", STORE, "--json"],
        &["create", STORE, "--seq", "one", "--json"],
        &["show", "nonsense://x", "--json"],
    ] {
        let error = error(&sandbox.run(args), 64);
        assert!(["usage", "invalid_url"].map(Value::from).contains(&error["kind"]), "{error}");
    }
    // The message is made of the findings of the parser, not of its text.
    let output = |args: &[&str]| {
        let error = error(&sandbox.run(args), 64);
        (error["message"].as_str().expect("a text").to_owned(), error["help"].as_str().expect("a text").to_owned())
    };
    let (message, help) = output(&["show", STORE, "--nonsense", "--json"]);
    assert!(message.contains("--nonsense") && !message.contains('\n'), "{message}");
    assert!(help.starts_with("Usage: minisnap show"), "{help}");
    assert!(output(&["create", STORE, "--json"]).0.contains("--seq <N>"));
    assert!(output(&["unknown", STORE, "--json"]).0.contains("unknown"));
    // After `--`, it is a path.
    assert_eq!(sandbox.run(&["show", "--", "x", "--json"]).stdout, "");
    assert!(
        serde_json::from_str::<Value>(&sandbox.run(&["show", "--help", "--json"]).stdout).is_err(),
        "help is no error"
    );
}

/// The help of the library is printed if the tool has none.
#[test]
fn help_of_the_library_is_printed_for_an_invalid_url() {
    let result = folder().run(&["show", "a:b", "--json"]);
    let found = error(&result, 64);
    assert_eq!(found["kind"], "invalid_url");
    assert_eq!(found["help"], "if it is a path, write ./ before it");
    assert!(result.stderr.ends_with("help: if it is a path, write ./ before it\n"), "{result:?}");
}
