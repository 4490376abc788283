//! A store whose files have times that no calendar here can tell: before 1970, or from the year 10000.

use crate::kit::{STORE, folder};
use serde_json::Value;
use std::time::{Duration, SystemTime};

#[test]
fn a_time_that_cant_be_told_is_unknown_and_all_else_is_told() {
    let epoch = SystemTime::UNIX_EPOCH;
    for time in [epoch - Duration::from_secs(86400), epoch + Duration::from_secs(253_402_300_800)] {
        let place = folder();
        place.create(1, "[1]");
        // Not every file system goes on until the year 10000; before 1970, they all do.
        if !place.set_time(1, time) {
            assert!(time > epoch, "this file system keeps no time before 1970");
            continue;
        }
        assert!(place.run(&["show", STORE]).ok().contains("written   unknown"), "{time:?}");
        place.run(&["history", STORE]).ok();
        place.run(&["show", STORE, "--max-age", "1h"]).fails(12);
        assert_eq!(place.run(&["history", STORE, "--since", "1h"]).ok().lines().count(), 2, "it can't be ruled out");
        assert!(place.run(&["watch", STORE, "--count", "1"]).ok().starts_with("unknown  seq 1"), "{time:?}");
        let created = place.feed(&["create", STORE, "--seq", "2", "--json"], "[2]").ok();
        let told: Value = serde_json::from_str(&created).expect("JSON");
        assert_eq!((&told["committed"]["seq"], &told["retained"][1]["time"]), (&2.into(), &Value::Null));
    }
}
