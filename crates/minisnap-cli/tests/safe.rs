use crate::{
    kit::{Place, Ran, STORE, document, folder, name_of, places, s3_on},
    meanwhile::{send, start, wait_until},
};
use minisnap_s3_server::{Conditions, S3Server};
use nix::sys::signal::Signal;
use std::{
    fs::{self, File},
    thread,
    time::Duration,
};

fn with_four_kept() -> Place {
    let place = folder();
    for seq in ["1", "2", "3", "4"] {
        place.feed(&["create", STORE, "--seq", seq, "--retain", "4"], seq).ok();
    }
    place
}

#[test]
fn what_lies_beyond_a_gap_in_the_history_is_not_expired() {
    for args in [&["create", STORE, "--seq", "5"][..], &["rollback", STORE, "--to", "3"]] {
        let place = with_four_kept();
        let lost = place.json_of(2).parent().expect("its folder").to_path_buf();
        let away = place.path("away");
        fs::rename(&lost, &away).expect("it can be moved");
        for _ in 0..2 {
            let done = place.feed(args, "5");
            assert_eq!(done.code, Some(0), "{done:?}");
            let is_repeated = args[0] == "rollback" && done.stdout.contains("already");
            assert!(is_repeated || done.stderr.contains("the history has a gap"), "{done:?}");
        }
        fs::rename(&away, &lost).expect("it can be moved back");
        assert!(place.seqs().ends_with(&[4, 3, 2, 1]), "{:?}", place.seqs());
        place.run(&["verify", STORE]).ok();
        place.run(&["rollback", STORE, "--to", "1"]).ok();
    }
}

#[test]
fn what_others_commit_meanwhile_is_counted_too() {
    let server = S3Server::start_with_latency(Conditions::Atomic, Duration::from_millis(200));
    let place = s3_on(&server);
    place.create(1, "1");
    place.create(2, "2");
    let file = place.write("new", "100");
    let mut child = start(&place, &["create", STORE, "--seq", "100", &file]);
    // It has counted by then, and its record isn't there before the latency has passed.
    let is_committed_soon = |folder: &std::path::PathBuf| name_of(folder).starts_with(&format!("{:020}-", 100));
    wait_until("its files are there", || {
        let folder = place.generations().into_iter().find(is_committed_soon);
        folder.is_some_and(|folder| folder.join("snapshot.seq").is_file())
            || child.try_wait().is_ok_and(|it| it.is_some())
    });
    send(&child, Signal::SIGSTOP);
    for seq in ["3", "4"] {
        place.feed(&["create", STORE, "--seq", seq, "--retain", "9"], seq).ok();
    }
    send(&child, Signal::SIGCONT);
    Ran::of(child.wait_with_output().expect("it ends")).ok();
    assert_eq!(place.seqs(), [100, 4, 3, 2]);
}

#[test]
fn a_file_of_a_store_is_never_restored_into() {
    let place = with_four_kept();
    let plain = folder();
    fs::create_dir(&plain.files).expect("a folder");
    fs::write(plain.files.join("snapshot.json"), "1").expect("room");
    fs::write(plain.files.join("snapshot.seq"), "1").expect("room");
    let generation = place.json_of(2);
    fs::remove_file(place.files.join("snapshot.seq")).expect("the link");
    for file in [
        place.files.join("snapshot.json"),
        place.files.join("snapshot.seq"),
        generation.clone(),
        generation.with_file_name("new"),
        plain.files.join("snapshot.json"),
    ] {
        let before = fs::read(&file).ok();
        let error = place.run(&["restore", STORE, "--at", "1", "--output", file.to_str().expect("text")]).fails(4);
        assert!(error.contains("rollback"), "{error}");
        assert_eq!(fs::read(&file).ok(), before);
    }
    // In a folder that is no store, the name is as good as any.
    place.run(&["restore", STORE, "--at", "1", "--output", &place.path_text("snapshot.json")]).ok();
    assert_eq!(fs::read_to_string(place.path("snapshot.json")).expect("it is there"), "1");
}

#[test]
fn what_is_accepted_is_what_was_shown_also_while_it_waits_for_the_lock() {
    for edit in [Some("[9]"), None] {
        let place = folder();
        place.create(1, "[1]");
        place.create(2, "[2]");
        if let Some(edit) = edit {
            place.replace("snapshot.json", edit);
        }
        let lock = File::open(place.files.join("snapshots/.lock")).expect("it is there");
        lock.lock().expect("nobody has it");
        let child = start(&place, &["accept", STORE, "--yes"]);
        // Whether it has looked by then or not, it must not commit this.
        thread::sleep(Duration::from_millis(500));
        place.replace("snapshot.json", "[666]");
        lock.unlock().expect("it is held");
        let ended = Ran::of(child.wait_with_output().expect("it ends"));
        assert!(matches!(ended.code, Some(4 | 5)), "{ended:?}");
        place.run(&["revert", STORE]).ok();
        assert_eq!(place.seqs(), [2, 1]);
    }
}

#[test]
fn rollback_takes_a_name_where_snapshots_with_one_seq_differ() {
    for place in places() {
        for (seq, json) in [("10", "[1]"), ("11", "[2]"), ("10", "[3]"), ("12", "[4]")] {
            place.feed(&["create", STORE, "--seq", seq, "--retain", "9"], json).done();
        }
        let names = names(&place);
        let corrupt = place.files.join("snapshots").join(&names[1]).join("snapshot.json");
        fs::write(corrupt, "[33]").expect("it can be written");
        // Whether one of them is corrupt or not: the other says something else.
        let error = place.run(&["rollback", STORE, "--to", "10"]).fails(4);
        assert!(error.contains(&names[1]) && error.contains(&names[3]), "{error}");
        place.run(&["rollback", STORE, "--to", &names[3]]).ok();
        assert_eq!(place.run(&["cat", STORE]).ok(), "[\n  1\n]");
        let told = place.run(&["rollback", STORE, "--to", &self::names(&place)[0], "--json"]).ok();
        let told: serde_json::Value = serde_json::from_str(&told).expect("JSON, also if there is nothing to do");
        assert_eq!(told["committed"]["seq"], 10);
        assert_eq!(place.seqs()[..2], [10, 12], "to run it again changes nothing");
        place.run(&["rollback", STORE, "--to", &names[2]]).ok();
        assert_eq!(place.run(&["cat", STORE]).ok(), "[\n  2\n]");
        place.run(&["rollback", STORE, "--to", &names[1]]).fails(1);
        place.run(&["rollback", STORE, "--to", &names[2].replace('1', "7")]).fails(3);
    }
}

fn names(place: &Place) -> Vec<String> {
    let told: serde_json::Value = serde_json::from_str(&place.run(&["history", STORE, "--json"]).ok()).expect("JSON");
    let names = told["snapshots"].as_array().expect("a list").iter();
    names.map(|snapshot| snapshot["name"].as_str().expect("a name").into()).collect()
}

#[test]
fn to_go_back_from_an_edit_twice_is_to_go_back_once() {
    let place = folder();
    place.create(10, "[1]");
    let good = names(&place).remove(0);
    place.replace("snapshot.json", "[2]");
    place.run(&["accept", STORE, "--yes"]).ok();
    place.run(&["rollback", STORE, "--to", &good]).ok();
    // The one that it went back to was expired by now, and the edit has the same seq.
    for to in ["10", &good] {
        let again = place.run(&["rollback", STORE, "--to", to]);
        assert!(matches!(again.code, Some(3 | 4)), "{again:?}");
        assert_eq!(place.run(&["cat", STORE]).ok(), "[\n  1\n]");
    }
}

#[test]
fn what_is_done_is_not_told_as_failed_because_nobody_reads_it() {
    let place = folder();
    place.create(1, &document(100));
    let file = place.path_text("restored");
    let mut command = place.command(&["restore", STORE, "--output", &file]);
    let full = File::options().write(true).open("/dev/full").expect("it is there");
    let ended = Ran::of(command.stdout(full).output().expect("it starts"));
    assert!(ended.stderr.contains("the file is restored all the same"), "{ended:?}");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let ended =
        Ran::of(place.command(&["restore", STORE, "--output", &file]).stdout(writer).output().expect("it starts"));
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn a_place_on_another_machine_is_no_folder_of_that_name() {
    let place = folder();
    for store in ["backup@nas:/srv/state", "s3//bucket/app"] {
        let error = place.feed(&["create", store, "--seq", "1"], "1").fails(64);
        assert!(error.contains("./"), "{error}");
        assert!(!place.path(store.split('/').next().expect("a part")).exists());
    }
    place.feed(&["create", "./s3//bucket", "--seq", "1"], "1").ok();
}
