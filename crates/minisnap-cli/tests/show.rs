//! `minisnap show`.

use crate::kit::{STORE, folder, places};
use serde_json::Value;
use std::{
    fs,
    time::{Duration, SystemTime},
};

#[test]
fn people_and_programs_are_shown_the_same() {
    for place in places() {
        place.create(7, "[7]");
        place.create(12, "[1, 2]");
        let shown = place.run(&["show", STORE]).ok();
        let line = |title: &str| {
            let line = shown.lines().find(|line| line.starts_with(title)).expect("a line");
            line[title.len()..].trim().to_owned()
        };
        assert_eq!((line("store"), line("seq"), line("size")), (place.store.clone(), "12".into(), "12 bytes".into()));
        assert_eq!((line("retained"), line("health")), ("seq 12, 7".into(), "intact".into()));
        assert_eq!(line("log"), "can be truncated through seq 7");
        assert!(line("written").ends_with(" s ago)") && line("written").contains(" UTC ("), "{shown}");

        let told: Value = serde_json::from_str(&place.run(&["show", STORE, "--json"]).ok()).expect("JSON");
        assert_eq!((&told["store"], &told["health"]), (&place.store.as_str().into(), &"intact".into()));
        assert_eq!((&told["truncation_point"], &told["problem"]), (&7.into(), &Value::Null));
        let current = &told["current"];
        assert_eq!((&current["seq"], &current["size"], current), (&12.into(), &12.into(), &told["retained"][0]));
        assert_eq!(current["name"].as_str(), Some(line("name").as_str()));
        assert_eq!(current["digest"].as_str(), line("digest").split(' ').next());
        assert!(current["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{current}");
        assert_eq!(told["retained"][1]["seq"], 7);
    }
}

#[test]
fn the_log_of_what_cant_be_restored_is_to_be_kept() {
    for place in places() {
        place.create(7, "[7]");
        place.create(12, "[12]");
        fs::write(place.json_of(12), "[!]").expect("room for a file");
        let shown = place.run(&["show", STORE]).stdout;
        assert!(shown.contains("\nlog       keep all of it: the snapshot can't be restored\n"), "{shown}");
        let told: Value = serde_json::from_str(&place.run(&["show", STORE, "--json"]).stdout).expect("JSON");
        assert_eq!((&told["truncation_point"], &told["health"]), (&Value::Null, &"corrupt".into()));
    }
}

#[test]
fn the_log_is_to_be_kept_while_a_retained_snapshot_is_missing() {
    let place = folder();
    place.create(7, "[7]");
    place.create(12, "[12]");
    fs::rename(place.json_of(7).parent().expect("a folder"), place.path("elsewhere")).expect("moved");
    let shown = place.run(&["show", STORE]).ok();
    assert!(shown.contains("\nlog       keep all of it: a retained snapshot is missing (`minisnap verify"), "{shown}");
    let told: Value = serde_json::from_str(&place.run(&["show", STORE, "--json"]).ok()).expect("JSON");
    assert_eq!((&told["truncation_point"], &told["health"]), (&Value::Null, &"intact".into()));
}

#[test]
fn show_fails_when_the_snapshot_is_older_than_max_age() {
    for place in places() {
        place.create(1, "1");
        let young = place.run(&["show", STORE, "--max-age", "1h"]);
        assert_eq!(young.ok().lines().count(), 9);
        assert_eq!(place.run(&["show", STORE, "--max-age", "soon"]).code, Some(64));
    }
    let place = folder();
    place.create(1, "1");
    let (now, hour) = (SystemTime::now(), Duration::from_secs(3600));
    place.set_time(1, now - 3 * hour);
    let old = place.run(&["show", STORE, "--max-age", "1h"]);
    assert!(old.stdout.contains("health    intact"), "it is shown all the same: {old:?}");
    let said = old.fails(12);
    assert!(said.contains("the current snapshot is 3 h 0 min old, and --max-age is 1h"), "{said}");
    let json = place.run(&["show", STORE, "--max-age", "1h", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!((&told["error"]["kind"], &told["error"]["exit_code"]), (&"too_old".into(), &12.into()), "{told}");
    assert_eq!((&told["health"], &told["problem"]), (&"intact".into(), &serde_json::Value::Null), "{told}");
    json.fails(12);
    place.run(&["show", STORE, "--max-age", "4h"]).ok();
    // A clock that is ahead by less than that says nothing; one that is ahead by more must not hide a program that is dead.
    place.set_time(1, now + hour / 2);
    place.run(&["show", STORE, "--max-age", "1h"]).ok();
    place.set_time(1, now + 3 * hour);
    let said = place.run(&["show", STORE, "--max-age", "1h"]).fails(12);
    assert!(said.contains("ahead of this machine's clock"), "{said}");
    // Corruption is worse than age.
    fs::write(place.json_of(1), "[!]").expect("room for a file");
    place.set_time(1, now - 3 * hour);
    place.run(&["show", STORE, "--max-age", "1h"]).fails(1);
    fs::remove_dir_all(&place.files).expect("a folder");
    place.run(&["show", STORE, "--max-age", "1h"]).fails(3);
}

// As in a backup of version 0.1.1, of which nobody wrote down when it was committed.
#[test]
fn show_fails_when_max_age_is_asked_of_an_unknown_age() {
    let place = folder();
    fs::create_dir(&place.files).expect("a folder");
    fs::write(place.files.join("snapshot.json"), "1").expect("room for a file");
    fs::write(place.files.join("snapshot.seq"), "1").expect("room for a file");
    let said = place.run(&["show", STORE, "--max-age", "1h"]).fails(12);
    assert!(said.contains("has an unknown age"), "{said}");
}
