//! `minisnap verify`: exit code 0 intact, 1 corrupt, 2 not checked, and no other.

use crate::support::{STORE, Sandbox, folder, s3, sandboxes};
use serde_json::Value;
use std::fs;

fn with_three() -> [Sandbox; 2] {
    sandboxes().map(|sandbox| {
        for seq in ["1", "2", "3"] {
            sandbox.run_with_input(&["create", STORE, "--seq", seq, "--retain", "3"], format!("[{seq}]")).ok();
        }
        sandbox
    })
}

#[test]
fn each_intact_snapshot_has_a_line() {
    for sandbox in with_three() {
        let message = sandbox.run(&["verify", STORE]).ok();
        let starts: Vec<_> =
            message.lines().map(|line| line.split_whitespace().take(3).collect::<Vec<_>>().join(" ")).collect();
        let snapshots = ["intact seq 3", "intact seq 2", "intact seq 1"];
        assert_eq!(starts[..3], snapshots, "{message}");
        assert_eq!(starts[3], "intact store", "{message}");
        let output: Value = serde_json::from_str(&sandbox.run(&["verify", STORE, "--json"]).ok()).expect("JSON");
        assert_eq!((&output["intact"], output["snapshots"].as_array().map(Vec::len)), (&true.into(), Some(3)));
    }
}

#[test]
fn verify_finds_a_corrupt_snapshot_and_checks_the_others() {
    for corrupt in [1, 2, 3] {
        for sandbox in with_three() {
            fs::write(sandbox.json_of(corrupt), "[!]").expect("room for a file");
            let result = sandbox.run(&["verify", STORE]);
            let words: Vec<_> =
                result.stdout.lines().take(3).map(|line| line.split(' ').next().expect("a word").to_owned()).collect();
            let mut expected = ["intact"; 3].map(str::to_owned);
            expected[3 - corrupt as usize] = "corrupt".into();
            assert_eq!(words, expected, "{result:?}");
            let message = result.fails(1);
            assert!(message.contains("of 3 snapshots, 1 can't be restored"), "{message}");
            // If the current snapshot is intact, a rollback would lose the later commits and repair nothing.
            let older = format!("so no rollback is needed; a rollback to seq {corrupt} is not possible");
            assert_eq!(message.contains(&older), corrupt != 3, "{message}");
            assert_eq!(message.contains("minisnap rollback"), corrupt == 3, "{message}");

            let result = sandbox.run(&["verify", STORE, "--json"]);
            let output: Value = serde_json::from_str(&result.stdout).expect("JSON");
            assert_eq!((result.code, &output["intact"]), (Some(1), &false.into()));
            assert_eq!(output["snapshots"][3 - corrupt as usize]["health"], "corrupt");
            assert!(
                output["snapshots"][3 - corrupt as usize]["problem"]
                    .as_str()
                    .is_some_and(|problem| problem.contains("bytes"))
            );
        }
    }
}

#[test]
fn verify_finds_a_missing_snapshot() {
    for sandbox in with_three() {
        fs::remove_file(sandbox.json_of(2)).expect("a file");
        let message = sandbox.run(&["verify", STORE]).fails(1);
        assert!(message.contains("can't be restored"), "{message}");
    }
}

#[test]
fn verify_finds_committed_bytes_that_are_no_json() {
    let sandbox = folder();
    // The library can't commit this, but a bare pair may contain it.
    fs::create_dir(&sandbox.files).expect("a folder");
    fs::write(sandbox.files.join("snapshot.json"), "[1,").expect("room for a file");
    fs::write(sandbox.files.join("snapshot.seq"), "4\n").expect("room for a file");
    let message = sandbox.run(&["verify", STORE]);
    assert!(message.stdout.starts_with("corrupt  seq 4") && message.stdout.contains("line 1 column 3"), "{message:?}");
    message.fails(1);
}

/// An older version committed any text from a `RawValue`. A program that reads it as a `RawValue` can restore it.
#[test]
fn json_that_only_a_raw_value_holds_is_a_warning() {
    let deep = ["[".repeat(200), "]".repeat(200)].concat();
    for sandbox in sandboxes() {
        sandbox.create(1, "[1]");
        for (seq, text) in [(2, "[\"\\ud800\"]"), (3, "[1e999]"), (4, &deep)] {
            sandbox.commit(seq, text.as_bytes());
            let message = sandbox.run(&["verify", STORE]).ok();
            assert!(
                message.starts_with(&format!("intact   seq {seq}  ")) && message.contains("; warning: only a"),
                "{message}"
            );
            let output: Value = serde_json::from_str(&sandbox.run(&["verify", STORE, "--json"]).ok()).expect("JSON");
            let (newest, oldest) = (&output["snapshots"][0], &output["snapshots"][seq as usize - 1]);
            assert_eq!(
                (&output["intact"], &newest["health"], &newest["problem"]),
                (&true.into(), &"intact".into(), &Value::Null)
            );
            assert!(newest["warning"].as_str().is_some_and(|warning| warning.contains("line 1")), "{output}");
            assert_eq!(oldest["warning"], Value::Null, "{output}");

            let shown = sandbox.run(&["show", STORE]).ok();
            assert!(shown.contains("health    intact; warning: only a"), "{shown}");
            assert!(shown.contains("log       can be truncated through seq 1"), "{shown}");
            let shown: Value = serde_json::from_str(&sandbox.run(&["show", STORE, "--json"]).ok()).expect("JSON");
            assert_eq!((&shown["health"], &shown["warning"]), (&"intact".into(), &newest["warning"]));
            assert_eq!(sandbox.run(&["cat", STORE]).ok(), text);
        }
        // Text that no program can restore is corruption.
        sandbox.commit(5, b"{\"a\"}");
        assert!(sandbox.run(&["verify", STORE]).fails(1).contains("of 5 snapshots, 1 can't be restored"));
        assert_eq!(sandbox.run(&["show", STORE]).code, Some(1));
    }
}

#[test]
fn verify_finds_a_changed_seq() {
    let [sandbox, _] = with_three();
    fs::write(sandbox.json_of(3).with_file_name("snapshot.seq"), "4\n").expect("room for a file");
    let result = sandbox.run(&["verify", STORE]);
    assert!(result.stdout.contains("it holds the seq 4, not 3"), "{result:?}");
    result.fails(1);
}

#[test]
fn verify_finds_a_missing_or_changed_link() {
    type Break = fn(&Sandbox);
    let breaks: [(Break, &str); 4] = [
        (
            |sandbox| fs::remove_file(sandbox.files.join("snapshot.json")).expect("a link"),
            "snapshot.json: the link to ",
        ),
        (|sandbox| fs::remove_file(sandbox.files.join("snapshot.seq")).expect("a link"), "snapshot.seq: the link to "),
        (
            |sandbox| fs::remove_file(sandbox.json_of(3).with_file_name("retained")).expect("a link"),
            "the number of retained snapshots is unknown",
        ),
        (
            |sandbox| {
                fs::rename(sandbox.json_of(1).parent().expect("a folder"), sandbox.path("elsewhere")).expect("moved");
            },
            "3 snapshots are retained, but only 2 were found",
        ),
    ];
    for (break_it, found) in breaks {
        let [sandbox, _] = with_three();
        break_it(&sandbox);
        let result = sandbox.run(&["verify", STORE]);
        assert!(
            result.stdout.lines().any(|line| line.starts_with("corrupt") && line.contains(found)),
            "{found}: {result:?}"
        );
        result.fails(1);
    }
}

#[test]
fn missing_retained_snapshot_is_to_be_put_back_first() {
    for missing in [1, 2] {
        let [sandbox, _] = with_three();
        let (folder, elsewhere) = (sandbox.json_of(missing), sandbox.path("elsewhere"));
        let folder = folder.parent().expect("a folder");
        fs::rename(folder, &elsewhere).expect("moved");
        let message = sandbox.run(&["verify", STORE]).fails(1);
        assert!(
            message.contains("put back what is missing") && message.contains("BEFORE the next commit"),
            "{message}"
        );
        assert!(!message.contains("rollback") && !message.contains("commit a new"), "{message}");

        fs::write(sandbox.json_of(3), "[!]").expect("room for a file");
        let message = sandbox.run(&["verify", STORE]).fails(1);
        let (first, then) = message.split_once("; then: ").expect("two steps");
        // Snapshots beyond the missing one are unknown until it is back.
        let then_run = if missing == 1 { "minisnap rollback" } else { "minisnap verify" };
        assert!(first.contains("put back what is missing") && then.contains(then_run), "{message}");

        fs::write(sandbox.json_of(3), "[\n  3\n]").expect("room for a file");
        fs::rename(&elsewhere, folder).expect("moved back");
        sandbox.run(&["verify", STORE]).ok();
    }
    let [sandbox, _] = with_three();
    fs::remove_file(sandbox.files.join("snapshot.json")).expect("a link");
    assert!(sandbox.run(&["verify", STORE]).fails(1).contains("the next commit creates the link again"));
}

#[test]
fn verify_exits_2_when_there_is_nothing_to_check() {
    for sandbox in sandboxes() {
        assert!(sandbox.run(&["verify", STORE]).fails(2).contains("no snapshot here"));
    }
    let mut lost = s3();
    lost.store = "s3://misspelt/app".into();
    assert!(lost.run(&["verify", STORE]).fails(2).contains("no such bucket or container"));
}

#[test]
fn verify_changes_nothing() {
    let [sandbox, _] = with_three();
    fs::write(sandbox.json_of(2), "[!]").expect("room for a file");
    let times = || {
        let all = sandbox.generations().into_iter().chain([sandbox.files.clone(), sandbox.files.join("snapshots")]);
        all.map(|path| fs::metadata(path).expect("an entry").modified().expect("a time")).collect::<Vec<_>>()
    };
    let before = times();
    sandbox.run(&["verify", STORE]).fails(1);
    sandbox.run(&["show", STORE]).ok();
    sandbox.run(&["history", STORE]).ok();
    assert_eq!(times(), before);
}

#[test]
fn quiet_verify_prints_only_problems() {
    for sandbox in sandboxes() {
        sandbox.create(1, "[1]");
        sandbox.create(2, "[2]");
        for quiet in ["-q", "--quiet"] {
            assert_eq!(sandbox.run(&["verify", STORE, quiet]).ok(), "");
        }
        fs::write(sandbox.json_of(1), "[!]").expect("room for a file");
        let result = sandbox.run(&["verify", STORE, "-q"]);
        assert!(result.stdout.starts_with("corrupt  seq 1  ") && result.stdout.lines().count() == 1, "{result:?}");
        result.fails(1);
        assert_eq!(sandbox.run(&["verify", STORE, "-q", "--json"]).code, Some(64));
    }
    let sandbox = folder();
    sandbox.create(1, "[1]");
    fs::remove_file(sandbox.files.join("snapshot.seq")).expect("a link");
    let result = sandbox.run(&["verify", STORE, "-q"]);
    assert!(result.stdout.starts_with("corrupt  store: ") && result.stdout.lines().count() == 1, "{result:?}");
    result.fails(1);
}
