//! What a store's path may be, and what a folder is that has no snapshot.

use crate::kit::{Place, Ran, STORE, folder};
use serde_json::Value;
use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::OsStringExt,
    path::PathBuf,
    process::Stdio,
};

/// Runs the program with arguments that need not be text.
fn run(place: &Place, args: &[&OsStr], input: &str) -> Ran {
    let mut command = place.command(&[]);
    let stdin = PathBuf::from(place.write("stdin", input));
    command.args(args).stdin(Stdio::from(fs::File::open(stdin).expect("a file")));
    let output = command.output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[test]
fn every_command_takes_a_path_that_is_not_utf8() {
    let place = folder();
    let [state, to, out] = ["state", "to", "out"].map(|name| OsString::from_vec([name.as_bytes(), b" \xe9"].concat()));
    let os = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    let run = |command: &str, store: &OsStr, rest: &[OsString], input: &str| {
        let rest = rest.iter().map(OsString::as_os_str);
        run(&place, &[OsStr::new(command), store].into_iter().chain(rest).collect::<Vec<_>>(), input)
    };
    for seq in ["1", "2"] {
        run("create", &state, &os(&["--seq", seq]), &format!("[{seq}]")).ok();
    }
    assert_eq!(
        fs::read_link(place.path("").join(&state).join("snapshot.seq")).expect("a link").components().count(),
        3
    );
    for command in ["cat", "show", "history", "verify", "diff", "collect-garbage"] {
        run(command, &state, &[], "").ok();
    }
    assert_eq!(run("watch", &state, &os(&["--count", "1"]), "").ok().lines().count(), 1);
    run("restore", &state, &["--output".into(), out.clone()], "").ok();
    assert_eq!(fs::read(place.path("").join(&out)).expect("a file"), b"[\n  2\n]");
    run("rollback", &state, &os(&["--to", "1"]), "").ok();
    run("copy", &state, &[to.clone(), "--history".into()], "").ok();
    run("verify", &to, &[], "").ok();
    assert!(place.path("").join(&to).join("snapshots/current").is_symlink());

    // Looked at from outside, too: the links, and what was edited.
    fs::remove_file(place.path("").join(&state).join("snapshot.json")).expect("a link");
    assert!(run("verify", &state, &[], "").fails(1).contains("the store around them is not"));
    fs::write(place.path("").join(&state).join("snapshot.json"), "[3]").expect("room for a file");
    let said = run("show", &state, &[], "").fails(5);
    assert!(said.contains(r"`minisnap revert $'state \351'`"), "{said}");
    run("accept", &state, &os(&["--yes"]), "").ok();
    assert_eq!(run("cat", &state, &[], "").ok(), "[3]");
    let report: Value = serde_json::from_str(&run("show", &state, &os(&["--json"]), "").ok()).expect("JSON");
    assert!(report["store"].as_str().is_some_and(|store| store.ends_with("state \u{fffd}")), "{report}");
}

#[test]
fn a_url_that_is_not_utf8_is_a_usage_error() {
    let place = folder();
    for url in [b"s3://bucket/caf\xe9".to_vec(), b"file:///caf\xe9".to_vec()] {
        let said = run(&place, &["show".as_ref(), &OsString::from_vec(url)], "").fails(64);
        assert!(said.contains("a URL must be UTF-8") && said.contains("%E9"), "{said}");
    }
}

/// A path of another program's, misspelt or with its disk not mounted, is not a store that was never used.
#[test]
fn a_folder_of_another_program_is_named_as_that() {
    let place = folder();
    let said = || place.run(&["show", STORE]).fails(3);
    assert!(said().contains("there is no such folder"), "{}", said());
    fs::create_dir(&place.files).expect("a folder");
    assert!(said().contains("the folder is empty"), "{}", said());
    fs::write(place.files.join("notes.txt"), "").expect("room for a file");
    assert!(said().contains("there is a folder, with 1 entry, which is no snapshot's"), "{}", said());
    fs::create_dir(place.files.join("snapshots")).expect("a folder");
    for command in ["show", "history", "cat", "restore", "diff"] {
        let said = place.run(&[command, STORE]).fails(3);
        assert!(said.contains("there is a folder, with 2 entries, none of them a snapshot's"), "{said}");
    }
    assert!(place.run(&["verify", STORE]).fails(2).contains("with 2 entries"));
    // A store in which nothing was committed yet is one.
    std::os::unix::fs::symlink("none", place.files.join("snapshots/current")).expect("a link");
    assert!(said().contains("nothing was committed yet"), "{}", said());
}
