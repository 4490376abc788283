//! A store whose files have times before 1970 or after the year 9999, which the output can't represent.

use crate::support::{STORE, folder};
use serde_json::Value;
use std::time::{Duration, SystemTime};

#[test]
fn time_is_unknown_when_it_cannot_be_represented() {
    let epoch = SystemTime::UNIX_EPOCH;
    for time in [epoch - Duration::from_secs(86400), epoch + Duration::from_secs(253_402_300_800)] {
        let sandbox = folder();
        sandbox.create(1, "[1]");
        // Every file system supports times before 1970, but not every one supports the year 10000.
        if !sandbox.set_time(1, time) {
            assert!(time > epoch, "this file system supports no time before 1970");
            continue;
        }
        assert!(sandbox.run(&["show", STORE]).ok().contains("written   unknown"), "{time:?}");
        sandbox.run(&["history", STORE]).ok();
        sandbox.run(&["show", STORE, "--max-age", "1h"]).fails(12);
        assert_eq!(sandbox.run(&["history", STORE, "--since", "1h"]).ok().lines().count(), 2, "it can't be excluded");
        assert!(sandbox.run(&["watch", STORE, "--count", "1"]).ok().starts_with("unknown  seq 1"), "{time:?}");
        let created = sandbox.run_with_input(&["create", STORE, "--seq", "2", "--json"], "[2]").ok();
        let output: Value = serde_json::from_str(&created).expect("JSON");
        assert_eq!((&output["committed"]["seq"], &output["retained"][1]["time"]), (&2.into(), &Value::Null));
    }
}
