//! `minisnap verify`: 0 intact, 1 corrupt, 2 could not look, and nothing else.

use crate::kit::{Place, STORE, folder, places, s3};
use serde_json::Value;
use std::fs;

fn with_three() -> [Place; 2] {
    places().map(|place| {
        for seq in ["1", "2", "3"] {
            place.feed(&["create", STORE, "--seq", seq, "--retain", "3"], format!("[{seq}]")).ok();
        }
        place
    })
}

#[test]
fn each_intact_snapshot_has_a_line() {
    for place in with_three() {
        let said = place.run(&["verify", STORE]).ok();
        let starts: Vec<_> =
            said.lines().map(|line| line.split_whitespace().take(3).collect::<Vec<_>>().join(" ")).collect();
        let snapshots = ["intact seq 3", "intact seq 2", "intact seq 1"];
        assert_eq!(starts[..3], snapshots, "{said}");
        assert_eq!(starts[3], "intact store", "{said}");
        let told: Value = serde_json::from_str(&place.run(&["verify", STORE, "--json"]).ok()).expect("JSON");
        assert_eq!((&told["intact"], told["snapshots"].as_array().map(Vec::len)), (&true.into(), Some(3)));
    }
}

#[test]
fn a_corrupt_snapshot_is_found_also_among_the_older_ones_and_the_others_are_checked() {
    for corrupt in [1, 2, 3] {
        for place in with_three() {
            fs::write(place.json_of(corrupt), "[!]").expect("room for a file");
            let ran = place.run(&["verify", STORE]);
            let words: Vec<_> =
                ran.stdout.lines().take(3).map(|line| line.split(' ').next().expect("a word").to_owned()).collect();
            let mut expected = ["intact"; 3].map(str::to_owned);
            expected[3 - corrupt as usize] = "corrupt".into();
            assert_eq!(words, expected, "{ran:?}");
            let said = ran.fails(1);
            assert!(said.contains("of 3 snapshots, 1 can't be restored"), "{said}");
            // Where the current one is intact, going back would lose what was committed since, and mend nothing.
            let older = format!("there is nothing to go back from; but seq {corrupt} can't be gone back to");
            assert_eq!(said.contains(&older), corrupt != 3, "{said}");
            assert_eq!(said.contains("minisnap rollback"), corrupt == 3, "{said}");

            let ran = place.run(&["verify", STORE, "--json"]);
            let told: Value = serde_json::from_str(&ran.stdout).expect("JSON");
            assert_eq!((ran.code, &told["intact"]), (Some(1), &false.into()));
            assert_eq!(told["snapshots"][3 - corrupt as usize]["health"], "corrupt");
            assert!(
                told["snapshots"][3 - corrupt as usize]["problem"]
                    .as_str()
                    .is_some_and(|problem| problem.contains("bytes"))
            );
        }
    }
}

#[test]
fn a_missing_snapshot_is_found() {
    for place in with_three() {
        fs::remove_file(place.json_of(2)).expect("a file");
        let said = place.run(&["verify", STORE]).fails(1);
        assert!(said.contains("can't be restored"), "{said}");
    }
}

#[test]
fn bytes_that_are_as_committed_and_no_json_are_found() {
    let place = folder();
    // A program's own Serialize can't write this, but a pair that was put there by hand can hold it.
    fs::create_dir(&place.files).expect("a folder");
    fs::write(place.files.join("snapshot.json"), "[1,").expect("room for a file");
    fs::write(place.files.join("snapshot.seq"), "4\n").expect("room for a file");
    let said = place.run(&["verify", STORE]);
    assert!(said.stdout.starts_with("corrupt  seq 4") && said.stdout.contains("line 1 column 3"), "{said:?}");
    said.fails(1);
}

/// Committed by a version that took any text from a `RawValue`: the program that has it as that restores it.
#[test]
fn what_only_a_raw_value_holds_is_a_warning_when_it_is_intact() {
    let deep = ["[".repeat(200), "]".repeat(200)].concat();
    for place in places() {
        place.create(1, "[1]");
        for (seq, text) in [(2, "[\"\\ud800\"]"), (3, "[1e999]"), (4, &deep)] {
            place.commit(seq, text.as_bytes());
            let said = place.run(&["verify", STORE]).ok();
            assert!(said.starts_with(&format!("intact   seq {seq}  ")) && said.contains("; warning: only a"), "{said}");
            let told: Value = serde_json::from_str(&place.run(&["verify", STORE, "--json"]).ok()).expect("JSON");
            let (newest, oldest) = (&told["snapshots"][0], &told["snapshots"][seq as usize - 1]);
            assert_eq!(
                (&told["intact"], &newest["health"], &newest["problem"]),
                (&true.into(), &"intact".into(), &Value::Null)
            );
            assert!(newest["warning"].as_str().is_some_and(|warning| warning.contains("line 1")), "{told}");
            assert_eq!(oldest["warning"], Value::Null, "{told}");

            let shown = place.run(&["show", STORE]).ok();
            assert!(shown.contains("health    intact; warning: only a"), "{shown}");
            assert!(shown.contains("log       can be truncated through seq 1"), "{shown}");
            let shown: Value = serde_json::from_str(&place.run(&["show", STORE, "--json"]).ok()).expect("JSON");
            assert_eq!((&shown["health"], &shown["warning"]), (&"intact".into(), &newest["warning"]));
            assert_eq!(place.run(&["cat", STORE]).ok(), text);
        }
        // What no program restores is corruption as before.
        place.commit(5, b"{\"a\"}");
        assert!(place.run(&["verify", STORE]).fails(1).contains("of 5 snapshots, 1 can't be restored"));
        assert_eq!(place.run(&["show", STORE]).code, Some(1));
    }
}

#[test]
fn a_pair_whose_seq_was_changed_is_found() {
    let [place, _] = with_three();
    fs::write(place.json_of(3).with_file_name("snapshot.seq"), "4\n").expect("room for a file");
    let ran = place.run(&["verify", STORE]);
    assert!(ran.stdout.contains("it holds the seq 4, not 3"), "{ran:?}");
    ran.fails(1);
}

#[test]
fn a_link_that_is_missing_or_leads_elsewhere_is_found() {
    type Break = fn(&Place);
    let breaks: [(Break, &str); 4] = [
        (|place| fs::remove_file(place.files.join("snapshot.json")).expect("a link"), "snapshot.json: the link to "),
        (|place| fs::remove_file(place.files.join("snapshot.seq")).expect("a link"), "snapshot.seq: the link to "),
        (
            |place| fs::remove_file(place.json_of(3).with_file_name("retained")).expect("a link"),
            "it isn't known how many snapshots are retained",
        ),
        (
            |place| fs::rename(place.json_of(1).parent().expect("a folder"), place.path("elsewhere")).expect("moved"),
            "3 snapshots are retained, and 2 are there",
        ),
    ];
    for (break_it, found) in breaks {
        let [place, _] = with_three();
        break_it(&place);
        let ran = place.run(&["verify", STORE]);
        assert!(ran.stdout.lines().any(|line| line.starts_with("corrupt") && line.contains(found)), "{found}: {ran:?}");
        ran.fails(1);
    }
}

#[test]
fn where_a_retained_one_is_missing_nothing_is_to_be_committed() {
    for missing in [1, 2] {
        let [place, _] = with_three();
        let (folder, elsewhere) = (place.json_of(missing), place.path("elsewhere"));
        let folder = folder.parent().expect("a folder");
        fs::rename(folder, &elsewhere).expect("moved");
        let said = place.run(&["verify", STORE]).fails(1);
        assert!(
            said.contains("bring the missing folder back") && said.contains("BEFORE anything is committed"),
            "{said}"
        );
        assert!(!said.contains("rollback") && !said.contains("commit a new"), "{said}");

        fs::write(place.json_of(3), "[!]").expect("room for a file");
        let said = place.run(&["verify", STORE]).fails(1);
        let (first, then) = said.split_once("; then: ").expect("two things to do");
        // Beyond the missing one nothing can be seen: what is left to go back to is known when it is there again.
        let then_run = if missing == 1 { "minisnap rollback" } else { "minisnap verify" };
        assert!(first.contains("bring the missing folder back") && then.contains(then_run), "{said}");

        fs::write(place.json_of(3), "[\n  3\n]").expect("room for a file");
        fs::rename(&elsewhere, folder).expect("moved back");
        place.run(&["verify", STORE]).ok();
    }
    let [place, _] = with_three();
    fs::remove_file(place.files.join("snapshot.json")).expect("a link");
    assert!(place.run(&["verify", STORE]).fails(1).contains("the next commit makes it again"));
}

#[test]
fn where_nothing_can_be_looked_at_it_could_not_look() {
    for place in places() {
        assert!(place.run(&["verify", STORE]).fails(2).contains("no snapshot here"));
    }
    let mut lost = s3();
    lost.store = "s3://misspelt/app".into();
    assert!(lost.run(&["verify", STORE]).fails(2).contains("NoSuchBucket"));
}

#[test]
fn it_changes_nothing() {
    let [place, _] = with_three();
    fs::write(place.json_of(2), "[!]").expect("room for a file");
    let times = || {
        let all = place.generations().into_iter().chain([place.files.clone(), place.files.join("snapshots")]);
        all.map(|path| fs::metadata(path).expect("an entry").modified().expect("a time")).collect::<Vec<_>>()
    };
    let before = times();
    place.run(&["verify", STORE]).fails(1);
    place.run(&["show", STORE]).ok();
    place.run(&["history", STORE]).ok();
    assert_eq!(times(), before);
}

#[test]
fn verify_prints_only_what_is_wrong_when_quiet() {
    for place in places() {
        place.create(1, "[1]");
        place.create(2, "[2]");
        for quiet in ["-q", "--quiet"] {
            assert_eq!(place.run(&["verify", STORE, quiet]).ok(), "");
        }
        fs::write(place.json_of(1), "[!]").expect("room for a file");
        let wrong = place.run(&["verify", STORE, "-q"]);
        assert!(wrong.stdout.starts_with("corrupt  seq 1  ") && wrong.stdout.lines().count() == 1, "{wrong:?}");
        wrong.fails(1);
        assert_eq!(place.run(&["verify", STORE, "-q", "--json"]).code, Some(64));
    }
    let place = folder();
    place.create(1, "[1]");
    fs::remove_file(place.files.join("snapshot.seq")).expect("a link");
    let wrong = place.run(&["verify", STORE, "-q"]);
    assert!(wrong.stdout.starts_with("corrupt  store: ") && wrong.stdout.lines().count() == 1, "{wrong:?}");
    wrong.fails(1);
}
