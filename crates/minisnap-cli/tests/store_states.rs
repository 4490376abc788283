//! The messages and exit codes for a store in each state that an operator may meet.

use crate::support::{STORE, Sandbox, folder, s3, sandboxes};
use std::{fs, os::unix::fs::symlink};

const READING: [&str; 4] = ["show", "history", "restore", "cat"];

/// A folder with two snapshots, `[1]` and `[2]`.
fn with_two() -> Sandbox {
    let sandbox = folder();
    sandbox.create(1, "[1]");
    sandbox.create(2, "[2]");
    sandbox
}

#[test]
fn bare_pair_is_read_and_migrated_by_the_next_commit() {
    let sandbox = folder();
    fs::create_dir(&sandbox.files).expect("a folder");
    // Version 0.1.1 wrote only these two files.
    fs::write(sandbox.files.join("snapshot.json"), "{\n  \"counter\": 42\n}").expect("room for a file");
    fs::write(sandbox.files.join("snapshot.seq"), "10").expect("room for a file");
    assert_eq!(sandbox.run(&["restore", STORE]).ok(), "{\n  \"counter\": 42\n}");
    let shown = sandbox.run(&["show", STORE]).ok();
    assert!(
        shown.contains("seq       10\n") && shown.contains("written   unknown") && shown.contains("intact"),
        "{shown}"
    );
    assert_eq!(sandbox.run(&["history", STORE]).ok().lines().count(), 2);
    sandbox.run(&["verify", STORE]).ok();
    assert_eq!(fs::read_dir(&sandbox.files).expect("a folder").count(), 2, "reading changes nothing");

    sandbox.create(11, "[11]");
    assert_eq!(sandbox.seqs(), [11, 10]);
    assert_eq!(sandbox.run(&["restore", STORE, "--at", "10"]).ok(), "{\n  \"counter\": 42\n}");
    sandbox.run(&["verify", STORE]).ok();
}

#[test]
fn commands_report_a_store_without_snapshots() {
    for sandbox in sandboxes() {
        for command in READING {
            let message = sandbox.run(&[command, STORE]).fails(3);
            assert!(message.contains("no snapshot here") && message.contains(&sandbox.store), "{message}");
            assert!(message.contains(&format!("minisnap create {}", sandbox.store)), "{message}");
        }
    }
    let empty = folder();
    let message = empty.run(&["show", STORE]).fails(3);
    assert!(message.contains("the folder does not exist"), "{message}");
    fs::create_dir(&empty.files).expect("a folder");
    let message = empty.run(&["show", STORE]).fails(3);
    assert!(message.contains("the folder is empty"), "{message}");
}

#[test]
fn corrupt_snapshot_is_refused_with_the_rollback_command() {
    for sandbox in sandboxes() {
        sandbox.create(1, "[1]");
        sandbox.create(2, "[2]");
        fs::write(sandbox.json_of(2), "[9]").expect("room for a file");
        for command in ["restore", "cat"] {
            let result = sandbox.run(&[command, STORE]);
            assert_eq!(result.stdout, "");
            let message = result.fails(1);
            assert!(message.contains("digest") || message.contains("bytes"), "{message}");
            let back = format!("`minisnap rollback {} --to 00000000000000000001-", sandbox.store);
            assert!(message.contains(&back) && message.contains("the newest intact snapshot, seq 1"), "{message}");
        }
        assert_eq!(sandbox.run(&["restore", STORE, "--at", "1"]).ok(), "[\n  1\n]");
        let shown = sandbox.run(&["show", STORE]);
        assert!(shown.stdout.contains("seq       2\n") && shown.stdout.contains("health    corrupt\n"), "{shown:?}");
        shown.fails(1);
        let output = sandbox.run(&["show", STORE, "--json"]);
        assert!(output.stdout.contains("\"health\": \"corrupt\""), "{output:?}");
        output.fails(1);
        sandbox.run(&["history", STORE]).ok();
    }
}

#[test]
fn edit_in_place_is_reported_with_accept() {
    let sandbox = with_two();
    // Through the link, like `echo '[22]' > snapshot.json`.
    fs::write(sandbox.files.join("snapshot.json"), "[22]").expect("room for a file");
    let message = sandbox.run(&["restore", STORE]).fails(1);
    let accept = format!("`minisnap accept {}`", sandbox.store);
    assert!(message.contains(&format!("if it was edited on purpose, {accept}")), "{message}");
    assert!(sandbox.run(&["verify", STORE]).fails(1).contains(&accept));
}

#[test]
fn replaced_link_is_an_external_change() {
    let sandbox = with_two();
    let [accept, revert] = ["accept", "revert"].map(|command| format!("`minisnap {command} {}`", sandbox.store));
    sandbox.replace("snapshot.json", "[22]");
    for command in ["restore", "cat", "show"] {
        let message = sandbox.run(&[command, STORE]).fails(5);
        assert!(message.contains("another program replaced this"), "{message}");
        assert!(message.contains(&accept) && message.contains(&revert), "{message}");
    }
    assert!(sandbox.run(&["show", STORE]).stdout.contains("health    external change"));
    assert!(sandbox.run(&["verify", STORE]).fails(1).contains(&accept));
    let message = sandbox.run_with_input(&["create", STORE, "--seq", "3"], "[3]").fails(5);
    assert!(message.contains(&accept), "the edit is not overwritten: {message}");
    assert_eq!(sandbox.run(&["restore", STORE, "--at", "1"]).ok(), "[\n  1\n]");
}

#[test]
fn copy_that_followed_links_is_corrupt_with_help() {
    let sandbox = with_two();
    let record = sandbox.files.join("snapshots/current");
    fs::remove_file(&record).expect("a link");
    fs::create_dir(&record).expect("a folder");
    for command in READING.iter().chain(&["verify"]) {
        let message = sandbox.run(&[command, STORE]).fails(1);
        assert!(
            message.contains("cp -L") && message.contains("copy the store again with its links preserved"),
            "{message}"
        );
        assert!(message.contains(&format!("`minisnap rollback {} --to ", sandbox.store)), "{message}");
    }
}

#[test]
fn half_a_pair_is_no_snapshot() {
    let sandbox = folder();
    fs::create_dir(&sandbox.files).expect("a folder");
    fs::write(sandbox.files.join("snapshot.json"), "[1]").expect("room for a file");
    assert!(sandbox.run(&["show", STORE]).fails(3).contains("half a pair"));
    assert!(sandbox.run(&["verify", STORE]).fails(2).contains("half a pair"));
}

#[test]
fn invalid_seq_is_reported() {
    let sandbox = folder();
    fs::create_dir(&sandbox.files).expect("a folder");
    fs::write(sandbox.files.join("snapshot.json"), "[1]").expect("room for a file");
    fs::write(sandbox.files.join("snapshot.seq"), "ten").expect("room for a file");
    for command in READING.iter().chain(&["verify"]) {
        assert!(sandbox.run(&[command, STORE]).fails(1).contains("\"ten\""));
    }
}

#[test]
fn unreachable_store_is_not_reported_as_empty() {
    let disk = folder();
    symlink("not mounted", &disk.files).expect("a link");
    let file = folder();
    fs::write(&file.files, "").expect("room for a file");
    let mut bucket = s3();
    bucket.store = "s3://misspelt/app".into();
    let mut port = s3();
    port.set_endpoint("http://127.0.0.1:1");
    let mut key = s3();
    key.set("AWS_SECRET_ACCESS_KEY", "a wrong key");
    for (sandbox, found) in [
        (&disk, "is a disk not mounted?"),
        (&file, "Not a directory"),
        (&bucket, "help: check the name of the bucket"),
        (&port, "the server 127.0.0.1:1 refuses connections"),
        (&key, "SignatureDoesNotMatch"),
    ] {
        for command in READING.iter().chain(&["verify"]) {
            let message = sandbox.run(&[command, STORE]).fails(2);
            assert!(message.contains(found) && !message.contains("a wrong key"), "{found}: {message}");
        }
        let message = sandbox.run_with_input(&["create", STORE, "--seq", "1"], "1").fails(2);
        assert!(message.contains(found), "{found}: {message}");
    }
}

#[test]
fn url_that_names_no_store_is_a_usage_error() {
    let mut sandbox = folder();
    for (url, expected) in [
        ("nonsense://x", "no backend for nonsense"),
        ("s3://user:word@bucket/app", "no user"),
        ("file://state", "absolute path"),
        ("memory:", "only within one process"),
        ("", "the path is empty"),
    ] {
        sandbox.store = url.into();
        for command in READING {
            let message = sandbox.run(&[command, STORE]).fails(64);
            assert!(message.contains(expected) && !message.contains("word@"), "{url}: {message}");
        }
    }
}

#[test]
fn busy_store_is_waited_for_until_the_timeout() {
    let sandbox = with_two();
    let lock = fs::File::open(sandbox.files.join("snapshots/.lock")).expect("the lock's file");
    lock.lock().expect("a free lock");
    let message =
        sandbox.run_with_input(&["create", STORE, "--seq", "3", "--option", "busy_timeout=0.1"], "[3]").fails(6);
    assert!(message.contains("still busy") && message.contains("busy_timeout"), "{message}");
    assert_eq!(sandbox.seqs(), [2, 1]);
}
