use crate::{
    processes::{send, start, wait_until},
    support::{RunResult, STORE, Sandbox, document, folder, name_of, s3_on, sandboxes},
};
use minisnap_s3_server::{Conditions, S3Server};
use nix::sys::signal::Signal;
use std::{
    fs::{self, File},
    thread,
    time::Duration,
};

fn with_four_retained() -> Sandbox {
    let sandbox = folder();
    for seq in ["1", "2", "3", "4"] {
        sandbox.run_with_input(&["create", STORE, "--seq", seq, "--retain", "4"], seq).ok();
    }
    sandbox
}

#[test]
fn snapshots_beyond_a_history_gap_do_not_expire() {
    for args in [&["create", STORE, "--seq", "5"][..], &["rollback", STORE, "--to", "3"]] {
        let sandbox = with_four_retained();
        let lost = sandbox.json_of(2).parent().expect("its folder").to_path_buf();
        let away = sandbox.path("away");
        fs::rename(&lost, &away).expect("moved");
        for _ in 0..2 {
            let done = sandbox.run_with_input(args, "5");
            assert_eq!(done.code, Some(0), "{done:?}");
            let is_repeated = args[0] == "rollback" && done.stdout.contains("is already the current");
            assert!(is_repeated || done.stderr.contains("the history has a gap"), "{done:?}");
        }
        fs::rename(&away, &lost).expect("moved");
        assert!(sandbox.seqs().ends_with(&[4, 3, 2, 1]), "{:?}", sandbox.seqs());
        sandbox.run(&["verify", STORE]).ok();
        sandbox.run(&["rollback", STORE, "--to", "1"]).ok();
    }
}

#[test]
fn create_counts_concurrent_commits_for_the_retention() {
    let server = S3Server::start_with_latency(Conditions::Atomic, Duration::from_millis(200));
    let sandbox = s3_on(&server);
    sandbox.create(1, "1");
    sandbox.create(2, "2");
    let file = sandbox.write("new", "100");
    let mut child = start(&sandbox, &["create", STORE, "--seq", "100", &file]);
    // At this point it has counted the history, and its commit takes at least the latency.
    let is_committed_soon = |folder: &std::path::PathBuf| name_of(folder).starts_with(&format!("{:020}-", 100));
    wait_until("its files are there", || {
        let folder = sandbox.generations().into_iter().find(is_committed_soon);
        folder.is_some_and(|folder| folder.join("snapshot.seq").is_file())
            || child.try_wait().is_ok_and(|it| it.is_some())
    });
    send(&child, Signal::SIGSTOP);
    for seq in ["3", "4"] {
        sandbox.run_with_input(&["create", STORE, "--seq", seq, "--retain", "9"], seq).ok();
    }
    send(&child, Signal::SIGCONT);
    RunResult::of(child.wait_with_output().expect("the program ends")).ok();
    assert_eq!(sandbox.seqs(), [100, 4, 3, 2]);
}

#[test]
fn restore_refuses_an_output_file_inside_a_store() {
    let sandbox = with_four_retained();
    let plain = folder();
    fs::create_dir(&plain.files).expect("a folder");
    fs::write(plain.files.join("snapshot.json"), "1").expect("room for a file");
    fs::write(plain.files.join("snapshot.seq"), "1").expect("room for a file");
    let generation = sandbox.json_of(2);
    fs::remove_file(sandbox.files.join("snapshot.seq")).expect("the link");
    for file in [
        sandbox.files.join("snapshot.json"),
        sandbox.files.join("snapshot.seq"),
        generation.clone(),
        generation.with_file_name("new"),
        plain.files.join("snapshot.json"),
    ] {
        let before = fs::read(&file).ok();
        let error = sandbox.run(&["restore", STORE, "--at", "1", "--output", file.to_str().expect("text")]).fails(4);
        assert!(error.contains("rollback"), "{error}");
        assert_eq!(fs::read(&file).ok(), before);
    }
    // In a folder that is no store, this is an ordinary file name.
    sandbox.run(&["restore", STORE, "--at", "1", "--output", &sandbox.path_text("snapshot.json")]).ok();
    assert_eq!(fs::read_to_string(sandbox.path("snapshot.json")).expect("an existing file"), "1");
}

#[test]
fn accept_refuses_an_edit_that_changed_during_lock_wait() {
    for edit in [Some("[9]"), None] {
        let sandbox = folder();
        sandbox.create(1, "[1]");
        sandbox.create(2, "[2]");
        if let Some(edit) = edit {
            sandbox.replace("snapshot.json", edit);
        }
        let lock = File::open(sandbox.files.join("snapshots/.lock")).expect("an existing file");
        lock.lock().expect("a free lock");
        let child = start(&sandbox, &["accept", STORE, "--yes"]);
        // The program may have read the old edit or not; it must not commit the new one.
        thread::sleep(Duration::from_millis(500));
        sandbox.replace("snapshot.json", "[666]");
        lock.unlock().expect("a held lock");
        let ended = RunResult::of(child.wait_with_output().expect("the program ends"));
        assert!(matches!(ended.code, Some(4 | 5)), "{ended:?}");
        sandbox.run(&["revert", STORE]).ok();
        assert_eq!(sandbox.seqs(), [2, 1]);
    }
}

#[test]
fn rollback_needs_a_name_when_a_seq_is_ambiguous() {
    for sandbox in sandboxes() {
        for (seq, json) in [("10", "[1]"), ("11", "[2]"), ("10", "[3]"), ("12", "[4]")] {
            sandbox.run_with_input(&["create", STORE, "--seq", seq, "--retain", "9"], json).succeeds();
        }
        let names = names(&sandbox);
        let corrupt = sandbox.files.join("snapshots").join(&names[1]).join("snapshot.json");
        fs::write(corrupt, "[33]").expect("permission to write");
        // The seq is ambiguous even if one of the snapshots is corrupt: their contents differ.
        let error = sandbox.run(&["rollback", STORE, "--to", "10"]).fails(4);
        assert!(error.contains(&names[1]) && error.contains(&names[3]), "{error}");
        sandbox.run(&["rollback", STORE, "--to", &names[3]]).ok();
        assert_eq!(sandbox.run(&["cat", STORE]).ok(), "[\n  1\n]");
        let output = sandbox.run(&["rollback", STORE, "--to", &self::names(&sandbox)[0], "--json"]).ok();
        let output: serde_json::Value = serde_json::from_str(&output).expect("JSON, even without a change");
        assert_eq!(output["committed"]["seq"], 10);
        assert_eq!(sandbox.seqs()[..2], [10, 12], "a second run changes nothing");
        sandbox.run(&["rollback", STORE, "--to", &names[2]]).ok();
        assert_eq!(sandbox.run(&["cat", STORE]).ok(), "[\n  2\n]");
        sandbox.run(&["rollback", STORE, "--to", &names[1]]).fails(1);
        sandbox.run(&["rollback", STORE, "--to", &names[2].replace('1', "7")]).fails(3);
    }
}

fn names(sandbox: &Sandbox) -> Vec<String> {
    let output: serde_json::Value =
        serde_json::from_str(&sandbox.run(&["history", STORE, "--json"]).ok()).expect("JSON");
    let names = output["snapshots"].as_array().expect("a list").iter();
    names.map(|snapshot| snapshot["name"].as_str().expect("a name").into()).collect()
}

#[test]
fn rollback_of_an_edit_is_idempotent() {
    let sandbox = folder();
    sandbox.create(10, "[1]");
    let good = names(&sandbox).remove(0);
    sandbox.replace("snapshot.json", "[2]");
    sandbox.run(&["accept", STORE, "--yes"]).ok();
    sandbox.run(&["rollback", STORE, "--to", &good]).ok();
    // The first snapshot has expired by now, and the edit has the same seq.
    for to in ["10", &good] {
        let again = sandbox.run(&["rollback", STORE, "--to", to]);
        assert!(matches!(again.code, Some(3 | 4)), "{again:?}");
        assert_eq!(sandbox.run(&["cat", STORE]).ok(), "[\n  1\n]");
    }
}

#[test]
fn restore_succeeds_when_its_output_is_closed() {
    let sandbox = folder();
    sandbox.create(1, &document(100));
    let file = sandbox.path_text("restored");
    let ended = sandbox.run_onto_full_output(&["restore", STORE, "--output", &file]);
    assert!(ended.stderr.contains("the file is restored nevertheless"), "{ended:?}");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let ended = RunResult::of(
        sandbox.command(&["restore", STORE, "--output", &file]).stdout(writer).output().expect("the program starts"),
    );
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn location_on_another_machine_is_refused() {
    let sandbox = folder();
    for store in ["backup@nas:/srv/state", "s3//bucket/app"] {
        let error = sandbox.run_with_input(&["create", store, "--seq", "1"], "1").fails(64);
        assert!(error.contains("./"), "{error}");
        assert!(!sandbox.path(store.split('/').next().expect("a part")).exists());
    }
    sandbox.run_with_input(&["create", "./s3//bucket", "--seq", "1"], "1").ok();
}
