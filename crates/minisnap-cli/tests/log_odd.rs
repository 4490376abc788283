use crate::kit::{Place, STORE, folder};
use serde_json::Value;
use std::{fs, process::Stdio};

const HEADER: &str = "// MINISTORE JOURNAL v0.1.4\n";

fn json_of(stdout: &str) -> Value {
    serde_json::from_str(stdout).expect("JSON")
}

fn shown(place: &Place) -> Value {
    json_of(&place.run(&["log", "show", "log", "--json"]).stdout)
}

#[test]
fn journal_holds_no_record_after_the_last_number() {
    let place = folder();
    let last = u64::MAX.to_string();
    let told = place.run(&["log", "begin", "log", "--after", &last]).ok();
    assert!(told.ends_with("holds no record\n"), "{told}");
    let told = place.run(&["log", "show", "log"]).ok();
    assert!(told.contains("records   none\n"), "{told}");
    assert_eq!((&shown(&place)["records"], &shown(&place)["last"]), (&0.into(), &u64::MAX.into()));
    for args in [["--before", &last], ["--after", &last]] {
        let told = place.run(&[&["log", "cut", "log"], &args[..]].concat()).ok();
        assert!(told.starts_with("there was nothing to cut") && told.ends_with("holds no record\n"), "{told}");
    }
    let told = place.run(&["log", "begin", "log", "--after", "7", "--move-aside"]).ok();
    assert!(told.ends_with("holds no record; the next one is 8\n"), "{told}");

    // The two last records there can be, and one too many.
    let full = format!("// MINISTORE JOURNAL v0.1.4 after {}\n1\n2\n", u64::MAX - 2);
    place.write("log", &full);
    let told = place.run(&["log", "cut", "log", "--after", &last]).ok();
    assert!(told.starts_with("there was nothing to cut"), "{told}");
    let told = place.run(&["log", "cut", "log", "--before", &last]).ok();
    assert!(told.ends_with(&format!("holds record {last}\n")), "{told}");
    place.write("log", format!("{full}3\n"));
    let error = place.run(&["log", "begin", "log", "--after", "7", "--move-aside"]).fails(9);
    assert!(error.contains("there are no numbers"), "{error}");
    assert_eq!(fs::read_to_string(place.path("log")).expect("a file"), format!("{full}3\n"));
}

#[test]
fn record_that_no_replay_can_read_is_told() {
    // All of these are JSON to who skips over them.
    for record in [&b"\"\xff\""[..], b"\"\\ud800\"", b"1e999", b"{\"a\":[\"\\udc00\"]}"] {
        let place = folder();
        place.write("log", [HEADER.as_bytes(), b"1\n", record, b"\n3\n"].concat());
        let error = place.run(&["log", "show", "log"]).fails(1);
        assert!(error.contains("record 2 of the journal can't be read"), "{error}");
        assert_eq!(shown(&place)["readable_through"], 1);
    }
}

#[test]
fn failing_look_has_its_error_in_the_json() {
    let place = folder();
    place.write("log", format!("{HEADER}1\n2\n"));
    assert_eq!(shown(&place)["error"], Value::Null);
    place.write("log", format!("{HEADER}1\n[\n"));
    let told = shown(&place);
    assert_eq!((&told["error"]["exit_code"], &told["error"]["kind"]), (&1.into(), &"corrupt".into()));
    let (problem, help) = (told["problem"].as_str().expect("text"), told["error"]["help"].as_str().expect("text"));
    assert!(problem.contains("line 3") && !problem.contains("minisnap log cut"), "no advice in it: {problem}");
    assert!(help.contains("`minisnap log cut log --after 1`"), "{help}");
    // A snapshot that isn't reached is the error, too, and its record no problem of the journal's.
    place.write("log", format!("{HEADER}1\n"));
    place.create(5, "5");
    let told = json_of(&place.run(&["log", "show", "log", "--store", STORE, "--json"]).stdout);
    let message = told["error"]["message"].as_str().expect("text");
    assert!(message.contains("doesn't reach seq 5") && told["problem"].is_null(), "{told}");
}

#[test]
fn missing_journal_begins_after_the_snapshot_of_the_store() {
    let place = folder();
    for seq in [0, 25] {
        if seq > 0 {
            place.create(seq, "1");
        }
        for args in [&["show", "log"][..], &["cut", "log", "--after", "7"], &["cut", "log", "--before", "7"]] {
            let error = place.run(&[&["log"], args, &["--store", STORE]].concat()).fails(9);
            assert!(error.contains(&format!("`minisnap log begin log --after {seq}`")), "{error}");
        }
    }
    place.run(&["log", "begin", "log", "--after", "25"]).ok();
    place.run(&["log", "show", "log", "--store", STORE]).ok();
}

#[test]
fn journal_is_not_looked_for_when_the_working_directory_is_gone() {
    for command in ["show log", "cut log --after 1", "begin log --after 1"] {
        let place = folder();
        fs::create_dir(place.path("gone")).expect("a folder");
        let mut shell = std::process::Command::new("sh");
        place.prepare(&mut shell);
        let script = format!("cd gone && rmdir ../gone && exec \"$0\" log {command}");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_minisnap")]).stdin(Stdio::null());
        let error = crate::kit::Ran::of(shell.output().expect("sh")).fails(9);
        assert!(error.contains("cannot resolve log against the working directory"), "{error}");
        assert!(!error.contains("no journal") && !error.contains("minisnap log"), "{error}");
    }
}

#[test]
fn journal_is_not_begun_within_a_store() {
    let place = folder();
    place.create(5, "5");
    let generation = place.generations().remove(0);
    std::os::unix::fs::symlink(place.files.join("snapshots"), place.path("link")).expect("a link");
    let within = [
        place.files.join("snapshots/log"),
        generation.join("log"),
        place.path("link/new/log"),
        place.files.join("snapshot.json"),
    ];
    for path in within {
        let path = path.to_str().expect("text");
        for args in
            [&["log", "begin", path, "--after", "5"][..], &["log", "begin", path, "--after", "5", "--move-aside"]]
        {
            let error = place.run(args).fails(4);
            assert!(error.contains("part of a store; nothing was changed"), "{error}");
        }
    }
    place.run(&["verify", STORE]).ok();
    let beside = place.files.join("log");
    place.run(&["log", "begin", beside.to_str().expect("text"), "--after", "5"]).ok();
}

#[test]
fn torn_append_is_told_when_it_is_dropped() {
    let torn = format!("{HEADER}1\n2\n3\n{{\"Add\"");
    for (args, told) in [
        (&["cut", "log", "--after", "2"][..], "dropped 6 bytes of an append"),
        (&["cut", "log", "--before", "2"], "dropped 6 bytes of an append"),
        (&["cut", "log", "--before", "2", "--dry-run"], "would drop 6 bytes of an append"),
        (&["begin", "log", "--after", "9", "--move-aside"], "dropped 6 bytes of an append"),
    ] {
        let args = [&["log"], args].concat();
        let place = folder();
        place.write("log", &torn);
        let printed = place.run(&args).ok();
        assert!(printed.contains(told) && printed.contains("never acknowledged"), "{printed}");
        place.write("log", &torn);
        let told = json_of(&place.run(&[&args[..], &["--json"]].concat()).ok());
        assert_eq!(told["dropped_bytes"], 6);
        place.write("log", format!("{HEADER}1\n2\n3\n4"));
        let told = place.run(&["log", "show", "log"]).ok();
        assert!(told.contains(" 1 byte after the last record"), "{told}");
        place.write("log", format!("{HEADER}1\n2\n3\n"));
        assert!(!place.run(&args).ok().contains("bytes of an append"));
    }
}

#[test]
fn lost_oldest_file_leads_to_a_new_journal() {
    let place = folder();
    place.create(5, "5");
    place.write("log.000002", format!("{HEADER}3\n"));
    place.write("log", format!("{HEADER}4\n"));
    let error = place.run(&["log", "show", "log"]).fails(9);
    assert!(error.contains("numbers of its records are not known") && error.contains("log begin log --after SEQ`"));
    let error = place.run(&["log", "show", "log", "--store", STORE]).fails(9);
    let (found, help) = error.split_once("\nhelp: ").expect("advice");
    assert!(!found.contains("begin"), "no advice in it: {found}");
    // What it names works as it is.
    for command in help.split('`').skip(1).step_by(2) {
        let Some(args) = command.strip_prefix("minisnap ") else {
            let mut shell = std::process::Command::new("sh");
            place.prepare(&mut shell);
            assert!(shell.args(["-c", command]).status().expect("sh").success(), "{command}");
            continue;
        };
        place.run(&args.split(' ').collect::<Vec<_>>()).ok();
    }
    place.run(&["log", "show", "log", "--store", STORE]).ok();
    assert!(place.path("log.lost/log.000002").exists() && place.path("log.lost/log").exists());
}
