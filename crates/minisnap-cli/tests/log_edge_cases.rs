use crate::support::{STORE, Sandbox, folder};
use serde_json::Value;
use std::{fs, process::Stdio};

const HEADER: &str = "// MINISTORE JOURNAL v0.1.4\n";

fn json_of(stdout: &str) -> Value {
    serde_json::from_str(stdout).expect("JSON")
}

fn shown(sandbox: &Sandbox) -> Value {
    json_of(&sandbox.run(&["log", "show", "log", "--json"]).stdout)
}

#[test]
fn journal_ends_at_the_last_number() {
    let sandbox = folder();
    let last = u64::MAX.to_string();
    let output = sandbox.run(&["log", "begin", "log", "--after", &last]).ok();
    assert!(output.ends_with("holds no record\n"), "{output}");
    let output = sandbox.run(&["log", "show", "log"]).ok();
    assert!(output.contains("records   none\n"), "{output}");
    assert_eq!((&shown(&sandbox)["records"], &shown(&sandbox)["last"]), (&0.into(), &u64::MAX.into()));
    for args in [["--before", &last], ["--after", &last]] {
        let output = sandbox.run(&[&["log", "cut", "log"], &args[..]].concat()).ok();
        assert!(output.starts_with("nothing to cut") && output.ends_with("holds no record\n"), "{output}");
    }
    let output = sandbox.run(&["log", "begin", "log", "--after", "7", "--move-aside"]).ok();
    assert!(output.ends_with("holds no record; the next one is 8\n"), "{output}");

    // The last two possible records, and one more.
    let full = format!("// MINISTORE JOURNAL v0.1.4 after {}\n1\n2\n", u64::MAX - 2);
    sandbox.write("log", &full);
    let output = sandbox.run(&["log", "cut", "log", "--after", &last]).ok();
    assert!(output.starts_with("nothing to cut"), "{output}");
    let output = sandbox.run(&["log", "cut", "log", "--before", &last]).ok();
    assert!(output.ends_with(&format!("holds record {last}\n")), "{output}");
    sandbox.write("log", format!("{full}3\n"));
    let error = sandbox.run(&["log", "begin", "log", "--after", "7", "--move-aside"]).fails(9);
    assert!(error.contains("no seq is left"), "{error}");
    assert_eq!(fs::read_to_string(sandbox.path("log")).expect("a file"), format!("{full}3\n"));
}

#[test]
fn record_that_no_replay_can_parse_is_reported() {
    // A parser that skips strings and numbers accepts all of these.
    for record in [&b"\"\xff\""[..], b"\"\\ud800\"", b"1e999", b"{\"a\":[\"\\udc00\"]}"] {
        let sandbox = folder();
        sandbox.write("log", [HEADER.as_bytes(), b"1\n", record, b"\n3\n"].concat());
        let error = sandbox.run(&["log", "show", "log"]).fails(1);
        assert!(error.contains("record 2 of the journal can't be read"), "{error}");
        assert_eq!(shown(&sandbox)["readable_through"], 1);
    }
}

#[test]
fn log_show_json_contains_the_error() {
    let sandbox = folder();
    sandbox.write("log", format!("{HEADER}1\n2\n"));
    assert_eq!(shown(&sandbox)["error"], Value::Null);
    sandbox.write("log", format!("{HEADER}1\n[\n"));
    let output = shown(&sandbox);
    assert_eq!((&output["error"]["exit_code"], &output["error"]["kind"]), (&1.into(), &"corrupt".into()));
    let (problem, help) = (output["problem"].as_str().expect("text"), output["error"]["help"].as_str().expect("text"));
    assert!(problem.contains("line 3") && !problem.contains("minisnap log cut"), "no help in it: {problem}");
    assert!(help.contains("`minisnap log cut log --after 1`"), "{help}");
    // A snapshot that isn't reached is an error, but no problem of the journal itself.
    sandbox.write("log", format!("{HEADER}1\n"));
    sandbox.create(5, "5");
    let output = json_of(&sandbox.run(&["log", "show", "log", "--store", STORE, "--json"]).stdout);
    let message = output["error"]["message"].as_str().expect("text");
    assert!(message.contains("doesn't reach seq 5") && output["problem"].is_null(), "{output}");
}

#[test]
fn help_begins_a_missing_journal_after_the_current_snapshot() {
    let sandbox = folder();
    for seq in [0, 25] {
        if seq > 0 {
            sandbox.create(seq, "1");
        }
        for args in [&["show", "log"][..], &["cut", "log", "--after", "7"], &["cut", "log", "--before", "7"]] {
            let error = sandbox.run(&[&["log"], args, &["--store", STORE]].concat()).fails(9);
            assert!(error.contains(&format!("`minisnap log begin log --after {seq}`")), "{error}");
        }
    }
    sandbox.run(&["log", "begin", "log", "--after", "25"]).ok();
    sandbox.run(&["log", "show", "log", "--store", STORE]).ok();
}

#[test]
fn deleted_working_directory_is_reported() {
    for command in ["show log", "cut log --after 1", "begin log --after 1"] {
        let sandbox = folder();
        fs::create_dir(sandbox.path("deleted")).expect("a folder");
        let mut shell = std::process::Command::new("sh");
        sandbox.prepare(&mut shell);
        let script = format!("cd deleted && rmdir ../deleted && exec \"$0\" log {command}");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_minisnap")]).stdin(Stdio::null());
        let error = crate::support::RunResult::of(shell.output().expect("sh")).fails(9);
        assert!(error.contains("cannot resolve log against the working directory"), "{error}");
        assert!(!error.contains("no journal") && !error.contains("minisnap log"), "{error}");
    }
}

#[test]
fn begin_refuses_a_path_inside_a_store() {
    let sandbox = folder();
    sandbox.create(5, "5");
    let generation = sandbox.generations().remove(0);
    std::os::unix::fs::symlink(sandbox.files.join("snapshots"), sandbox.path("link")).expect("a link");
    let within = [
        sandbox.files.join("snapshots/log"),
        generation.join("log"),
        sandbox.path("link/new/log"),
        sandbox.files.join("snapshot.json"),
    ];
    for path in within {
        let path = path.to_str().expect("text");
        for args in
            [&["log", "begin", path, "--after", "5"][..], &["log", "begin", path, "--after", "5", "--move-aside"]]
        {
            let error = sandbox.run(args).fails(4);
            assert!(error.contains("part of a store; nothing was changed"), "{error}");
        }
    }
    sandbox.run(&["verify", STORE]).ok();
    let outside = sandbox.files.join("log");
    sandbox.run(&["log", "begin", outside.to_str().expect("text"), "--after", "5"]).ok();
}

#[test]
fn incomplete_append_is_reported_when_it_is_dropped() {
    let incomplete = format!("{HEADER}1\n2\n3\n{{\"Add\"");
    for (args, expected) in [
        (&["cut", "log", "--after", "2"][..], "dropped 6 bytes of an incomplete append"),
        (&["cut", "log", "--before", "2"], "dropped 6 bytes of an incomplete append"),
        (&["cut", "log", "--before", "2", "--dry-run"], "would drop 6 bytes of an incomplete append"),
        (&["begin", "log", "--after", "9", "--move-aside"], "dropped 6 bytes of an incomplete append"),
    ] {
        let args = [&["log"], args].concat();
        let sandbox = folder();
        sandbox.write("log", &incomplete);
        let printed = sandbox.run(&args).ok();
        assert!(printed.contains(expected) && printed.contains("never acknowledged"), "{printed}");
        sandbox.write("log", &incomplete);
        let output = json_of(&sandbox.run(&[&args[..], &["--json"]].concat()).ok());
        assert_eq!(output["dropped_bytes"], 6);
        sandbox.write("log", format!("{HEADER}1\n2\n3\n4"));
        let output = sandbox.run(&["log", "show", "log"]).ok();
        assert!(output.contains(" 1 byte after the last record"), "{output}");
        sandbox.write("log", format!("{HEADER}1\n2\n3\n"));
        assert!(!sandbox.run(&args).ok().contains("bytes of an incomplete append"));
    }
}

#[test]
fn help_begins_a_new_journal_when_the_oldest_file_is_lost() {
    let sandbox = folder();
    sandbox.create(5, "5");
    sandbox.write("log.000002", format!("{HEADER}3\n"));
    sandbox.write("log", format!("{HEADER}4\n"));
    let error = sandbox.run(&["log", "show", "log"]).fails(9);
    assert!(error.contains("numbers of its records are unknown") && error.contains("log begin log --after SEQ`"));
    let error = sandbox.run(&["log", "show", "log", "--store", STORE]).fails(9);
    let (found, help) = error.split_once("\nhelp: ").expect("help");
    assert!(!found.contains("begin"), "no help in it: {found}");
    // The commands in the help work.
    for command in help.split('`').skip(1).step_by(2) {
        let Some(args) = command.strip_prefix("minisnap ") else {
            let mut shell = std::process::Command::new("sh");
            sandbox.prepare(&mut shell);
            assert!(shell.args(["-c", command]).status().expect("sh").success(), "{command}");
            continue;
        };
        sandbox.run(&args.split(' ').collect::<Vec<_>>()).ok();
    }
    sandbox.run(&["log", "show", "log", "--store", STORE]).ok();
    assert!(sandbox.path("log.lost/log.000002").exists() && sandbox.path("log.lost/log").exists());
}
