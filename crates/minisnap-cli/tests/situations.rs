//! What an operator meets at three in the morning: each gets an answer to act on, and its exit code.

use crate::kit::{Place, STORE, folder, places, s3};
use std::{fs, os::unix::fs::symlink};

const READING: [&str; 4] = ["show", "history", "restore", "cat"];

/// A folder with two snapshots, `[1]` and `[2]`.
fn with_two() -> Place {
    let place = folder();
    place.create(1, "[1]");
    place.create(2, "[2]");
    place
}

#[test]
fn a_folder_of_the_committed_version_0_1_1_is_read_and_goes_on() {
    let place = folder();
    fs::create_dir(&place.files).expect("a folder");
    // That is all that version leaves.
    fs::write(place.files.join("snapshot.json"), "{\n  \"counter\": 42\n}").expect("room for a file");
    fs::write(place.files.join("snapshot.seq"), "10").expect("room for a file");
    assert_eq!(place.run(&["restore", STORE]).ok(), "{\n  \"counter\": 42\n}");
    let shown = place.run(&["show", STORE]).ok();
    assert!(
        shown.contains("seq       10\n") && shown.contains("written   unknown") && shown.contains("intact"),
        "{shown}"
    );
    assert_eq!(place.run(&["history", STORE]).ok().lines().count(), 2);
    place.run(&["verify", STORE]).ok();
    assert_eq!(fs::read_dir(&place.files).expect("a folder").count(), 2, "looking changes nothing");

    place.create(11, "[11]");
    assert_eq!(place.seqs(), [11, 10]);
    assert_eq!(place.run(&["restore", STORE, "--at", "10"]).ok(), "{\n  \"counter\": 42\n}");
    place.run(&["verify", STORE]).ok();
}

#[test]
fn where_nothing_was_committed_it_says_so() {
    for place in places() {
        for command in READING {
            let said = place.run(&[command, STORE]).fails(3);
            assert!(said.contains("no snapshot here") && said.contains(&place.store), "{said}");
            assert!(said.contains(&format!("minisnap create {}", place.store)), "{said}");
        }
    }
    let empty = folder();
    let said = empty.run(&["show", STORE]).fails(3);
    assert!(said.contains("there is no such folder"), "{said}");
    fs::create_dir(&empty.files).expect("a folder");
    let said = empty.run(&["show", STORE]).fails(3);
    assert!(said.contains("the folder is empty"), "{said}");
}

#[test]
fn a_corrupt_snapshot_is_not_given_out_and_the_way_back_is_named() {
    for place in places() {
        place.create(1, "[1]");
        place.create(2, "[2]");
        fs::write(place.json_of(2), "[9]").expect("room for a file");
        for command in ["restore", "cat"] {
            let ran = place.run(&[command, STORE]);
            assert_eq!(ran.stdout, "");
            let said = ran.fails(1);
            assert!(said.contains("digest") || said.contains("bytes"), "{said}");
            let back = format!("`minisnap rollback {} --to 00000000000000000001-", place.store);
            assert!(said.contains(&back) && said.contains("the newest intact snapshot, seq 1"), "{said}");
        }
        assert_eq!(place.run(&["restore", STORE, "--at", "1"]).ok(), "[\n  1\n]");
        let shown = place.run(&["show", STORE]);
        assert!(shown.stdout.contains("seq       2\n") && shown.stdout.contains("health    corrupt\n"), "{shown:?}");
        shown.fails(1);
        let told = place.run(&["show", STORE, "--json"]);
        assert!(told.stdout.contains("\"health\": \"corrupt\""), "{told:?}");
        told.fails(1);
        place.run(&["history", STORE]).ok();
    }
}

#[test]
fn an_edit_in_place_is_named_and_can_be_accepted() {
    let place = with_two();
    // As with `echo '[22]' > snapshot.json`, through the link.
    fs::write(place.files.join("snapshot.json"), "[22]").expect("room for a file");
    let said = place.run(&["restore", STORE]).fails(1);
    let accept = format!("`minisnap accept {}`", place.store);
    assert!(said.contains(&format!("if somebody edited it on purpose, {accept}")), "{said}");
    assert!(place.run(&["verify", STORE]).fails(1).contains(&accept));
}

#[test]
fn an_edit_that_replaced_the_link_is_an_external_change() {
    let place = with_two();
    let [accept, revert] = ["accept", "revert"].map(|command| format!("`minisnap {command} {}`", place.store));
    place.replace("snapshot.json", "[22]");
    for command in ["restore", "cat", "show"] {
        let said = place.run(&[command, STORE]).fails(5);
        assert!(said.contains("another program replaced this"), "{said}");
        assert!(said.contains(&accept) && said.contains(&revert), "{said}");
    }
    assert!(place.run(&["show", STORE]).stdout.contains("health    external change"));
    assert!(place.run(&["verify", STORE]).fails(1).contains(&accept));
    let said = place.feed(&["create", STORE, "--seq", "3"], "[3]").fails(5);
    assert!(said.contains(&accept), "what was written is not run over: {said}");
    assert_eq!(place.run(&["restore", STORE, "--at", "1"]).ok(), "[\n  1\n]");
}

#[test]
fn a_copy_that_followed_the_links_is_corrupt_and_the_way_out_is_named() {
    let place = with_two();
    let record = place.files.join("snapshots/current");
    fs::remove_file(&record).expect("a link");
    fs::create_dir(&record).expect("a folder");
    for command in READING.iter().chain(&["verify"]) {
        let said = place.run(&[command, STORE]).fails(1);
        assert!(said.contains("cp -L") && said.contains("copy again with links kept"), "{said}");
        assert!(said.contains(&format!("`minisnap rollback {} --to ", place.store)), "{said}");
    }
}

#[test]
fn half_a_pair_is_no_snapshot() {
    let place = folder();
    fs::create_dir(&place.files).expect("a folder");
    fs::write(place.files.join("snapshot.json"), "[1]").expect("room for a file");
    assert!(place.run(&["show", STORE]).fails(3).contains("half a pair"));
    assert!(place.run(&["verify", STORE]).fails(2).contains("half a pair"));
}

#[test]
fn a_seq_that_is_none_is_named() {
    let place = folder();
    fs::create_dir(&place.files).expect("a folder");
    fs::write(place.files.join("snapshot.json"), "[1]").expect("room for a file");
    fs::write(place.files.join("snapshot.seq"), "ten").expect("room for a file");
    for command in READING.iter().chain(&["verify"]) {
        assert!(place.run(&[command, STORE]).fails(1).contains("\"ten\""));
    }
}

#[test]
fn a_store_that_cannot_be_reached_is_no_empty_store() {
    let disk = folder();
    symlink("not mounted", &disk.files).expect("a link");
    let file = folder();
    fs::write(&file.files, "").expect("room for a file");
    let mut bucket = s3();
    bucket.store = "s3://misspelt/app".into();
    let mut port = s3();
    port.reach("http://127.0.0.1:1");
    let mut key = s3();
    key.set("AWS_SECRET_ACCESS_KEY", "a wrong key");
    for (place, found) in [
        (&disk, "is a disk not mounted?"),
        (&file, "Not a directory"),
        (&bucket, "NoSuchBucket"),
        (&port, "127.0.0.1:1"),
        (&key, "SignatureDoesNotMatch"),
    ] {
        for command in READING.iter().chain(&["verify"]) {
            let said = place.run(&[command, STORE]).fails(2);
            assert!(said.contains(found) && !said.contains("a wrong key"), "{found}: {said}");
        }
        let said = place.feed(&["create", STORE, "--seq", "1"], "1").fails(2);
        assert!(said.contains(found), "{found}: {said}");
    }
}

#[test]
fn a_url_that_names_no_store_is_a_usage_error() {
    let mut place = folder();
    for (url, said_of_it) in [
        ("nonsense://x", "no backend for nonsense"),
        ("s3://user:word@bucket/app", "no user"),
        ("file://state", "absolute path"),
        ("memory:", "within one process"),
        ("", "the path is empty"),
    ] {
        place.store = url.into();
        for command in READING {
            let said = place.run(&[command, STORE]).fails(64);
            assert!(said.contains(said_of_it) && !said.contains("word@"), "{url}: {said}");
        }
    }
}

#[test]
fn who_keeps_the_store_busy_is_waited_for_as_long_as_asked() {
    let place = with_two();
    let lock = fs::File::open(place.files.join("snapshots/.lock")).expect("the lock's file");
    lock.lock().expect("nobody else has it");
    let said = place.feed(&["create", STORE, "--seq", "3", "--option", "busy_timeout=0.1"], "[3]").fails(6);
    assert!(said.contains("still busy") && said.contains("busy_timeout"), "{said}");
    assert_eq!(place.seqs(), [2, 1]);
}
