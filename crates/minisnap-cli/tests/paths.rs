//! Paths that are not UTF-8, and folders that are no store.

use crate::support::{RunResult, STORE, Sandbox, folder};
use serde_json::Value;
use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::OsStringExt,
    path::PathBuf,
    process::Stdio,
};

/// Runs the program with arguments that may not be UTF-8.
fn run(sandbox: &Sandbox, args: &[&OsStr], input: &str) -> RunResult {
    let mut command = sandbox.command(&[]);
    let stdin = PathBuf::from(sandbox.write("stdin", input));
    command.args(args).stdin(Stdio::from(fs::File::open(stdin).expect("a file")));
    let output = command.output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    RunResult { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[test]
fn commands_accept_a_path_that_is_not_utf8() {
    let sandbox = folder();
    let [state, to, out] = ["state", "to", "out"].map(|name| OsString::from_vec([name.as_bytes(), b" \xe9"].concat()));
    let os = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    let run = |command: &str, store: &OsStr, rest: &[OsString], input: &str| {
        let rest = rest.iter().map(OsString::as_os_str);
        run(&sandbox, &[OsStr::new(command), store].into_iter().chain(rest).collect::<Vec<_>>(), input)
    };
    for seq in ["1", "2"] {
        run("create", &state, &os(&["--seq", seq]), &format!("[{seq}]")).ok();
    }
    assert_eq!(
        fs::read_link(sandbox.path("").join(&state).join("snapshot.seq")).expect("a link").components().count(),
        3
    );
    for command in ["cat", "show", "history", "verify", "diff", "collect-garbage"] {
        run(command, &state, &[], "").ok();
    }
    assert_eq!(run("watch", &state, &os(&["--count", "1"]), "").ok().lines().count(), 1);
    run("restore", &state, &["--output".into(), out.clone()], "").ok();
    assert_eq!(fs::read(sandbox.path("").join(&out)).expect("a file"), b"[\n  2\n]");
    run("rollback", &state, &os(&["--to", "1"]), "").ok();
    run("copy", &state, &[to.clone(), "--history".into()], "").ok();
    run("verify", &to, &[], "").ok();
    assert!(sandbox.path("").join(&to).join("snapshots/current").is_symlink());

    // The links, and an edit.
    fs::remove_file(sandbox.path("").join(&state).join("snapshot.json")).expect("a link");
    assert!(run("verify", &state, &[], "").fails(1).contains("other parts of the store are not"));
    fs::write(sandbox.path("").join(&state).join("snapshot.json"), "[3]").expect("room for a file");
    let message = run("show", &state, &[], "").fails(5);
    assert!(message.contains(r"`minisnap revert $'state \351'`"), "{message}");
    run("accept", &state, &os(&["--yes"]), "").ok();
    assert_eq!(run("cat", &state, &[], "").ok(), "[3]");
    let report: Value = serde_json::from_str(&run("show", &state, &os(&["--json"]), "").ok()).expect("JSON");
    assert!(report["store"].as_str().is_some_and(|store| store.ends_with("state \u{fffd}")), "{report}");
}

#[test]
fn url_that_is_not_utf8_is_a_usage_error() {
    let sandbox = folder();
    for url in [b"s3://bucket/caf\xe9".to_vec(), b"file:///caf\xe9".to_vec()] {
        let message = run(&sandbox, &["show".as_ref(), &OsString::from_vec(url)], "").fails(64);
        assert!(message.contains("a URL must be UTF-8") && message.contains("%E9"), "{message}");
    }
}

/// The path may be mistyped, or its disk may not be mounted. Such a folder is distinguished from an empty store.
#[test]
fn folder_of_another_program_is_reported_as_no_store() {
    let sandbox = folder();
    let message = || sandbox.run(&["show", STORE]).fails(3);
    assert!(message().contains("the folder does not exist"), "{}", message());
    fs::create_dir(&sandbox.files).expect("a folder");
    assert!(message().contains("the folder is empty"), "{}", message());
    fs::write(sandbox.files.join("notes.txt"), "").expect("room for a file");
    assert!(message().contains("the folder has 1 entry, but no snapshot"), "{}", message());
    fs::create_dir(sandbox.files.join("snapshots")).expect("a folder");
    for command in ["show", "history", "cat", "restore", "diff"] {
        let message = sandbox.run(&[command, STORE]).fails(3);
        assert!(message.contains("the folder has 2 entries, but no snapshot"), "{message}");
    }
    assert!(sandbox.run(&["verify", STORE]).fails(2).contains("has 2 entries"));
    // A store without a commit.
    std::os::unix::fs::symlink("none", sandbox.files.join("snapshots/current")).expect("a link");
    assert!(message().contains("nothing was committed yet"), "{}", message());
}
