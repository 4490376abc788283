//! `minisnap show`.

use crate::support::{STORE, folder, sandboxes};
use serde_json::Value;
use std::{
    fs,
    time::{Duration, SystemTime},
};

#[test]
fn text_and_json_show_the_same() {
    for sandbox in sandboxes() {
        sandbox.create(7, "[7]");
        sandbox.create(12, "[1, 2]");
        let shown = sandbox.run(&["show", STORE]).ok();
        let line = |title: &str| {
            let line = shown.lines().find(|line| line.starts_with(title)).expect("a line");
            line[title.len()..].trim().to_owned()
        };
        assert_eq!((line("store"), line("seq"), line("size")), (sandbox.store.clone(), "12".into(), "12 bytes".into()));
        assert_eq!((line("retained"), line("health")), ("seq 12, 7".into(), "intact".into()));
        assert_eq!(line("log"), "can be truncated through seq 7");
        assert!(line("written").ends_with(" s ago)") && line("written").contains(" UTC ("), "{shown}");

        let output: Value = serde_json::from_str(&sandbox.run(&["show", STORE, "--json"]).ok()).expect("JSON");
        assert_eq!((&output["store"], &output["health"]), (&sandbox.store.as_str().into(), &"intact".into()));
        assert_eq!((&output["truncation_point"], &output["problem"]), (&7.into(), &Value::Null));
        let current = &output["current"];
        assert_eq!((&current["seq"], &current["size"], current), (&12.into(), &12.into(), &output["retained"][0]));
        assert_eq!(current["name"].as_str(), Some(line("name").as_str()));
        assert_eq!(current["digest"].as_str(), line("digest").split(' ').next());
        assert!(current["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{current}");
        assert_eq!(output["retained"][1]["seq"], 7);
    }
}

#[test]
fn log_is_needed_when_the_snapshot_cannot_be_restored() {
    for sandbox in sandboxes() {
        sandbox.create(7, "[7]");
        sandbox.create(12, "[12]");
        fs::write(sandbox.json_of(12), "[!]").expect("room for a file");
        let shown = sandbox.run(&["show", STORE]).stdout;
        assert!(shown.contains("\nlog       keep all of it: the current snapshot can't be restored\n"), "{shown}");
        let output: Value = serde_json::from_str(&sandbox.run(&["show", STORE, "--json"]).stdout).expect("JSON");
        assert_eq!((&output["truncation_point"], &output["health"]), (&Value::Null, &"corrupt".into()));
    }
}

#[test]
fn log_is_needed_when_a_retained_snapshot_is_missing() {
    let sandbox = folder();
    sandbox.create(7, "[7]");
    sandbox.create(12, "[12]");
    fs::rename(sandbox.json_of(7).parent().expect("a folder"), sandbox.path("elsewhere")).expect("moved");
    let shown = sandbox.run(&["show", STORE]).ok();
    assert!(
        shown.contains("\nlog       keep all of it: a retained snapshot is missing (see `minisnap verify"),
        "{shown}"
    );
    let output: Value = serde_json::from_str(&sandbox.run(&["show", STORE, "--json"]).ok()).expect("JSON");
    assert_eq!((&output["truncation_point"], &output["health"]), (&Value::Null, &"intact".into()));
}

#[test]
fn show_fails_when_the_snapshot_is_older_than_max_age() {
    for sandbox in sandboxes() {
        sandbox.create(1, "1");
        let young = sandbox.run(&["show", STORE, "--max-age", "1h"]);
        assert_eq!(young.ok().lines().count(), 9);
        assert_eq!(sandbox.run(&["show", STORE, "--max-age", "soon"]).code, Some(64));
    }
    let sandbox = folder();
    sandbox.create(1, "1");
    let (now, hour) = (SystemTime::now(), Duration::from_secs(3600));
    sandbox.set_time(1, now - 3 * hour);
    let old = sandbox.run(&["show", STORE, "--max-age", "1h"]);
    assert!(old.stdout.contains("health    intact"), "it is shown all the same: {old:?}");
    let message = old.fails(12);
    assert!(message.contains("the current snapshot is 3 h 0 min old, and --max-age is 1h"), "{message}");
    let json = sandbox.run(&["show", STORE, "--max-age", "1h", "--json"]);
    let output: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!((&output["error"]["kind"], &output["error"]["exit_code"]), (&"too_old".into(), &12.into()), "{output}");
    assert_eq!((&output["health"], &output["problem"]), (&"intact".into(), &serde_json::Value::Null), "{output}");
    json.fails(12);
    sandbox.run(&["show", STORE, "--max-age", "4h"]).ok();
    // A clock may be ahead by less than --max-age. If it is ahead by more, it must not hide that the program has stopped.
    sandbox.set_time(1, now + hour / 2);
    sandbox.run(&["show", STORE, "--max-age", "1h"]).ok();
    sandbox.set_time(1, now + 3 * hour);
    let message = sandbox.run(&["show", STORE, "--max-age", "1h"]).fails(12);
    assert!(message.contains("ahead of this machine's clock"), "{message}");
    // Corruption takes precedence over age.
    fs::write(sandbox.json_of(1), "[!]").expect("room for a file");
    sandbox.set_time(1, now - 3 * hour);
    sandbox.run(&["show", STORE, "--max-age", "1h"]).fails(1);
    fs::remove_dir_all(&sandbox.files).expect("a folder");
    sandbox.run(&["show", STORE, "--max-age", "1h"]).fails(3);
}

// A bare pair has no time of its commit.
#[test]
fn show_fails_when_max_age_meets_an_unknown_age() {
    let sandbox = folder();
    fs::create_dir(&sandbox.files).expect("a folder");
    fs::write(sandbox.files.join("snapshot.json"), "1").expect("room for a file");
    fs::write(sandbox.files.join("snapshot.seq"), "1").expect("room for a file");
    let message = sandbox.run(&["show", STORE, "--max-age", "1h"]).fails(12);
    assert!(message.contains("has an unknown age"), "{message}");
}
