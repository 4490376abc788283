//! Errors as JSON, on request: whatever fails, a program finds one JSON document on standard output.

use crate::kit::{Place, Ran, STORE, folder, name_of, places, s3};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::symlink};

/// A store with three snapshots.
fn with_three(place: Place) -> Place {
    for seq in ["1", "2", "3"] {
        place.feed(&["create", STORE, "--seq", seq, "--retain", "3"], format!("[{seq}]")).ok();
    }
    place
}

/// The error in the one document that is on standard output; people are told on standard error, too.
#[track_caller]
fn error(ran: &Ran, code: i32) -> Value {
    assert_eq!(ran.code, Some(code), "{ran:?}");
    assert!(ran.stderr.starts_with("error: "), "{ran:?}");
    let document: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    let error = &document["error"];
    assert_eq!(error["exit_code"], code, "{document}");
    for text in [&error["message"], &error["help"]] {
        let text = text.as_str().expect("a text");
        // Of the command line, people are told in clap's words.
        assert!(!text.is_empty() && (code == 64 || ran.stderr.contains(text)), "{ran:?}");
    }
    for field in ["causes", "intact"] {
        assert!(error[field].is_array(), "{document}");
    }
    error.clone()
}

fn names(snapshots: &Value) -> Vec<&str> {
    snapshots.as_array().expect("a list").iter().map(|snapshot| snapshot["name"].as_str().expect("a name")).collect()
}

/// The worst corruption: nothing says what is current. What is intact is told by name, the newest first.
#[test]
fn show_and_verify_name_the_intact_when_the_record_is_lost() {
    type Lose = fn(&Place);
    let losses: [Lose; 3] = [
        |place| fs::remove_file(place.files.join("snapshots/current")).expect("a link"),
        |place| {
            fs::remove_file(place.files.join("snapshots/current")).expect("a link");
            symlink("nonsense", place.files.join("snapshots/current")).expect("a link");
        },
        |place| {
            fs::remove_file(place.files.join("snapshots/current")).expect("a link");
            fs::create_dir(place.files.join("snapshots/current")).expect("a folder");
        },
    ];
    for lose in losses {
        for command in ["show", "verify", "history", "diff"] {
            let place = with_three(folder());
            fs::write(place.json_of(2), "[!]").expect("room for a file");
            lose(&place);
            let error = error(&place.run(&[command, STORE, "--json"]), 1);
            assert_eq!(error["kind"], "corrupt", "{error}");
            let record = place.files.join("snapshots/current");
            assert_eq!(error["location"], record.to_str().expect("text"), "{error}");
            let [newest, oldest] = [3, 1].map(|seq| place.json_of(seq));
            let [newest, oldest] = [&newest, &oldest].map(|json| name_of(json.parent().expect("a folder")));
            assert_eq!(names(&error["intact"]), [oldest], "another's parent: {error}");
            assert_eq!(names(&error["unconfirmed"]), [newest], "{error}");
        }
    }
}

/// An object store's names have no digest, so that without the record nothing is known to be intact; the message has them.
#[test]
fn an_object_store_names_its_generations_when_the_record_is_lost() {
    for content in [None, Some("nonsense")] {
        let place = with_three(s3());
        let record = place.files.join("snapshots/current");
        match content {
            None => fs::remove_file(record).expect("an object"),
            Some(content) => fs::write(record, content).expect("an object"),
        }
        for command in ["show", "verify"] {
            let error = error(&place.run(&[command, STORE, "--json"]), 1);
            assert_eq!((&error["kind"], names(&error["intact"]).len()), (&json!("corrupt"), 0), "{error}");
            let name = place.json_of(3);
            let name = name_of(name.parent().expect("a folder"));
            assert_eq!(content.is_none(), error["message"].as_str().expect("a text").contains(name), "{error}");
        }
    }
}

/// Where the history can be read, the report has the error within itself.
#[test]
fn a_report_has_the_error_within_when_a_snapshot_is_corrupt() {
    for place in places().map(with_three) {
        fs::write(place.json_of(3), "[!]").expect("room for a file");
        for command in ["show", "verify"] {
            let ran = place.run(&[command, STORE, "--json"]);
            let error = error(&ran, 1);
            assert_eq!((&error["kind"], names(&error["intact"]).len()), (&json!("corrupt"), 2), "{error}");
        }
        fs::write(place.json_of(3), "[\n  3\n]").expect("room for a file");
        for command in ["show", "verify"] {
            let report: Value = serde_json::from_str(&place.run(&[command, STORE, "--json"]).ok()).expect("JSON");
            assert_eq!(report["error"], Value::Null);
        }
    }
}

/// Every command that takes --json, where there is no store, and every kind of error with its word.
#[test]
fn every_command_prints_an_error_object_when_it_fails() {
    for place in places() {
        for command in ["show", "history", "diff"] {
            let error = error(&place.run(&[command, STORE, "--json"]), 3);
            assert_eq!((&error["kind"], &error["location"]), (&json!("not_found"), &Value::Null), "{error}");
        }
        assert_eq!(error(&place.run(&["verify", STORE, "--json"]), 2)["kind"], "not_found");
        assert_eq!(error(&place.run(&["rollback", STORE, "--to", "1", "--json"]), 3)["kind"], "not_found");
        let to = place.path_text("to");
        assert_eq!(error(&place.run(&["copy", STORE, &to, "--json"]), 3)["kind"], "not_found");
        assert_eq!(error(&place.feed(&["create", STORE, "--seq", "1", "--json"], "["), 8)["kind"], "not_restorable");
        place.create(1, "[1]");
        let stale = error(&place.feed(&["create", STORE, "--seq", "1", "--if-newer", "--json"], "[1]"), 4);
        assert_eq!(stale["kind"], "stale");
    }
    let place = folder();
    place.create(1, "[1]");
    place.replace("snapshot.json", "[22]");
    assert_eq!(error(&place.run(&["show", STORE, "--json"]), 5)["kind"], "external_change");
    let found = error(&place.run(&["verify", STORE, "--json"]), 1);
    let file = place.files.join("snapshot.json");
    assert_eq!((&found["kind"], &found["location"]), (&json!("external_change"), &json!(file)), "{found}");
    assert_eq!(error(&place.feed(&["create", STORE, "--seq", "2", "--json"], "[2]"), 5)["kind"], "external_change");
    let missing = place.run(&["create", STORE, "--seq", "2", "no such file", "--json"]);
    assert_eq!(error(&missing, 9)["kind"], "local_file");
    let mut bucket = s3();
    bucket.store = "s3://misspelt/app".into();
    for command in ["show", "watch", "collect-garbage"] {
        let error = error(&bucket.run(&[command, STORE, "--json"]), 2);
        assert!(error["kind"] == "backend" && !error["causes"].as_array().expect("a list").is_empty(), "{error}");
    }
}

#[test]
fn a_usage_error_is_json_when_asked_for() {
    let place = folder();
    for args in [
        &["show", STORE, "--nonsense", "--json"][..],
        &["--json"],
        &["restore", STORE, "--json"],
        &["create", STORE, "--seq", "one", "--json"],
        &["show", "nonsense://x", "--json"],
    ] {
        let error = error(&place.run(args), 64);
        assert!(["usage", "invalid_url"].map(Value::from).contains(&error["kind"]), "{error}");
    }
    // It tells what was wrong, by what the parser found and not by its text.
    let told = |args: &[&str]| {
        let error = error(&place.run(args), 64);
        (error["message"].as_str().expect("a text").to_owned(), error["help"].as_str().expect("a text").to_owned())
    };
    let (message, help) = told(&["show", STORE, "--nonsense", "--json"]);
    assert!(message.contains("--nonsense") && !message.contains('\n'), "{message}");
    assert!(help.starts_with("Usage: minisnap show"), "{help}");
    assert!(told(&["create", STORE, "--json"]).0.contains("--seq <N>"));
    assert!(told(&["reseal", STORE, "--json"]).0.contains("reseal"));
    // Behind `--` it is a name.
    assert_eq!(place.run(&["show", "--", "x", "--json"]).stdout, "");
    assert!(
        serde_json::from_str::<Value>(&place.run(&["show", "--help", "--json"]).stdout).is_err(),
        "help is no error"
    );
}

/// What the library advises is printed where the tool knows nothing better.
#[test]
fn help_of_the_library_is_printed_when_a_url_has_some() {
    let ran = folder().run(&["show", "a:b", "--json"]);
    let found = error(&ran, 64);
    assert_eq!(found["kind"], "invalid_url");
    assert_eq!(found["help"], "if it is a path, write ./ before it");
    assert!(ran.stderr.ends_with("help: if it is a path, write ./ before it\n"), "{ran:?}");
}
