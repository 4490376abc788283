use crate::{
    processes,
    support::{RunResult, Sandbox, document, folder, name_of, runtime, s3, s3_on, sandboxes},
};
use minisnap::{Bytes, SnapshotBackend};
use minisnap_s3_server::{Conditions, S3Server};
use nix::sys::signal::Signal;
use std::{fs, thread, time::Duration};

/// The arguments of a copy, and the sandbox with the environment of the object store, if one of them is.
pub(crate) fn args_of<'a>(from: &'a Sandbox, to: &'a Sandbox, args: &[&'a str]) -> (&'a Sandbox, Vec<&'a str>) {
    let runner = if from.store.starts_with("s3:") { from } else { to };
    (runner, [&["copy", &from.store, &to.store], args].concat())
}

pub(crate) fn copy(from: &Sandbox, to: &Sandbox, args: &[&str]) -> RunResult {
    let (runner, args) = args_of(from, to, args);
    runner.run(&args)
}

/// The seqs and bytes of all retained snapshots, oldest first, read with the library.
fn read_all(sandbox: &Sandbox) -> Vec<(u64, Bytes)> {
    runtime().block_on(async {
        let store = sandbox.open();
        let mut all = Vec::new();
        for generation in store.history().await.expect("a history").iter().rev() {
            all.push((generation.seq(), store.backend().read(generation).await.expect("an intact snapshot")));
        }
        all
    })
}

fn create_all(sandbox: &Sandbox, seqs: &[u64]) {
    for seq in seqs {
        let args = ["create", &sandbox.store, "--seq", &seq.to_string(), "--retain", "100"];
        sandbox.run_with_input(&args, format!("[{seq}, 18446744073709551617]")).succeeds();
    }
}

#[test]
fn copy_preserves_the_bytes_between_any_two_stores() {
    for from in sandboxes() {
        create_all(&from, &[10, 7, 20]);
        for to in sandboxes() {
            assert!(
                copy(&from, &to, &[])
                    .ok()
                    .ends_with(&format!("copied 1; verified by reading back: 1, in {}\n", to.store))
            );
            assert_eq!(read_all(&to), read_all(&from)[2..]);
        }
        for to in sandboxes() {
            let output = copy(&from, &to, &["--history"]).ok();
            assert!(
                output.contains("copied seq 10 (") && output.contains("copied 3; verified by reading back: 3"),
                "{output}"
            );
            assert_eq!(read_all(&to), read_all(&from));
            to.run(&["verify", &to.store]).ok();
        }
    }
}

#[test]
fn repeated_copy_copies_only_new_snapshots() {
    for (from, to) in [(folder(), s3()), (s3(), folder())] {
        create_all(&from, &[1, 2]);
        copy(&from, &to, &["--history"]).ok();
        let again = copy(&from, &to, &["--history"]).ok();
        assert!(again.starts_with("copied 0; verified by reading back: 2"), "{again}");
        create_all(&from, &[3]);
        let output = copy(&from, &to, &["--history", "--json"]).ok();
        let output: serde_json::Value = serde_json::from_str(&output).expect("JSON");
        assert_eq!(
            (output["copied"][0]["seq"].as_u64(), output["copied"].as_array().map(Vec::len)),
            (Some(3), Some(1))
        );
        assert_eq!(output["read_back"], 3);
        assert_eq!(read_all(&to), read_all(&from));
    }
    for (from, to) in [(folder(), s3()), (s3(), folder())] {
        for seq in [1, 2, 3] {
            create_all(&from, &[seq]);
            copy(&from, &to, &[]).ok();
            assert!(copy(&from, &to, &[]).ok().starts_with("copied 0; verified by reading back: 1"));
        }
        assert_eq!(to.seqs(), [3, 2], "the same retention as with other commands");
    }
}

#[test]
fn target_with_another_history_is_refused_without_onto() {
    for (from, to) in [(folder(), folder()), (folder(), s3()), (s3(), folder())] {
        create_all(&from, &[3, 4]);
        to.create(2, "\"another\"");
        let before = read_all(&to);
        for args in [&[][..], &["--history"]] {
            let error = copy(&from, &to, args).fails(4);
            assert!(error.contains(&to.store) && error.contains("--onto"), "{error}");
            assert_eq!(read_all(&to), before, "nothing was changed");
        }
        copy(&from, &to, &["--history", "--onto"]).ok();
        assert_eq!(read_all(&to), [before, read_all(&from)].concat(), "nothing is expired");
        let again = copy(&from, &to, &["--history", "--onto"]).ok();
        assert!(again.starts_with("copied 0"), "a second run changes nothing: {again}");
    }
}

/// The intact snapshots are copied. The corrupt one is reported each time, until it has expired.
#[test]
fn copy_omits_and_reports_a_corrupt_older_snapshot() {
    for (from, to) in [(folder(), s3()), (s3(), folder())] {
        create_all(&from, &[1, 2, 3]);
        fs::write(from.json_of(2), "[99]").expect("permission to write");
        let is_reported = |error: &str| {
            let generation = from.json_of(2).parent().map(|folder| name_of(folder).to_owned()).expect("its folder");
            error.contains(&generation) && (error.contains("digest") || error.contains("bytes, not "))
        };
        let first = copy(&from, &to, &["--history"]);
        assert!(first.stdout.contains("omitted seq 2 (corrupt)\ncopied seq 3 ("), "{first:?}");
        let error = first.fails(1);
        assert!(is_reported(&error), "{error}");
        assert_eq!(to.seqs(), [3, 1]);
        let again = copy(&from, &to, &["--history"]);
        assert!(again.stdout.contains("copied 0; verified by reading back: 2"), "{again:?}");
        assert!(is_reported(&again.fails(1)));
        create_all(&from, &[4]);
        let next = copy(&from, &to, &["--history", "--json"]);
        let output: serde_json::Value = serde_json::from_str(&next.stdout).expect("JSON");
        assert_eq!((&output["copied"][0]["seq"], &output["read_back"]), (&4.into(), &3.into()));
        assert_eq!(output["left_out"][0]["seq"], 2);
        assert_eq!(
            (&output["error"]["kind"], &output["error"]["exit_code"]),
            (&"corrupt".into(), &1.into()),
            "{output}"
        );
        assert!(output["left_out"][0]["problem"].is_string() && is_reported(&next.fails(1)));
        assert_eq!(to.seqs(), [4, 3, 1]);
        // Also to a target with another history.
        let other = if to.store.starts_with("s3:") { s3() } else { folder() };
        other.create(0, "0");
        assert!(is_reported(&copy(&from, &other, &["--history", "--onto"]).fails(1)));
        assert_eq!(other.seqs(), [4, 3, 1, 0]);
    }
}

#[test]
fn copy_fails_when_the_current_snapshot_is_corrupt() {
    for (from, to) in [(folder(), s3()), (s3(), folder())] {
        create_all(&from, &[1, 2]);
        fs::write(from.json_of(2), "[99]").expect("permission to write");
        copy(&from, &to, &[]).fails(1);
        assert_eq!(to.seqs(), [0; 0], "no intact snapshot to copy");
        copy(&from, &to, &["--history"]).fails(1);
        assert_eq!(to.seqs(), [1]);
        fs::write(from.json_of(1), "[99]").expect("permission to write");
        let none = if to.store.starts_with("s3:") { s3() } else { folder() };
        copy(&from, &none, &["--history"]).fails(1);
        assert_eq!(none.seqs(), [0; 0]);
    }
}

#[test]
fn corruption_of_the_target_is_found_by_reading_back() {
    for (from, to) in [(folder(), s3()), (s3(), folder())] {
        create_all(&from, &[1, 2]);
        copy(&from, &to, &["--history"]).ok();
        fs::write(to.json_of(1), "[99]").expect("permission to write");
        let error = copy(&from, &to, &["--history"]).fails(1);
        assert!(error.contains("digest") || error.contains("bytes, not "), "{error}");
    }
}

#[test]
fn copy_fails_when_the_source_is_empty() {
    for (from, to) in [(folder(), s3()), (s3(), folder())] {
        let error = copy(&from, &to, &["--history"]).fails(3);
        assert!(error.contains(&from.store), "{error}");
        assert_eq!(to.seqs(), [0; 0]);
    }
}

#[test]
fn copy_continues_after_it_was_killed() {
    let server = S3Server::start_with_latency(Conditions::Atomic, Duration::from_millis(20));
    let from = folder();
    for seq in 1..=6 {
        let json = from.write("document.json", document(5 << 20).replacen("0123456789", &seq.to_string(), 1));
        from.run(&["create", &from.store, "--seq", &seq.to_string(), "--retain", "6", &json]).ok();
    }
    for (to, args) in [
        (folder(), &["--history"][..]),
        (s3_on(&server), &["--history"]),
        (folder(), &["--history", "--onto"]),
        (s3_on(&server), &["--history", "--onto"]),
    ] {
        if args.contains(&"--onto") {
            to.create(0, "\"of another history\"");
        }
        let before = read_all(&to);
        let expected = [before.clone(), read_all(&from)].concat();
        for (committed, signal) in [(1, Signal::SIGKILL), (2, Signal::SIGINT), (4, Signal::SIGKILL)] {
            kill_when(&from, &to, args, before.len() + committed, signal);
            assert!(expected.starts_with(&read_all(&to)), "a prefix of the history");
        }
        let output = copy(&from, &to, args).ok();
        let copied = output.matches("copied seq").count();
        assert!(0 < copied && copied <= 2, "only what was missing: {output}");
        assert!(output.contains("verified by reading back: 6"), "{output}");
        assert_eq!(read_all(&to), expected);
        to.run(&["verify", &to.store]).ok();
    }
}

/// Starts a copy, and kills it once the target has `committed` snapshots.
fn kill_when(from: &Sandbox, to: &Sandbox, args: &[&str], committed: usize, signal: Signal) {
    let (runner, args) = args_of(from, to, args);
    let child = processes::start(runner, &args);
    processes::wait_until("enough is copied", || to.seqs().len() >= committed);
    // The next copy is then in progress, at any step.
    thread::sleep(Duration::from_millis(5));
    processes::send(&child, signal);
    let ended = child.wait_with_output().expect("the program ends");
    assert!(!ended.status.success(), "it was killed too late: {ended:?}");
}

#[test]
fn copy_fails_when_another_writer_commits_to_the_target() {
    let server = S3Server::start_with_latency(Conditions::Atomic, Duration::from_millis(100));
    let (from, to) = (folder(), s3_on(&server));
    from.create(1, &document(6 << 20));
    to.create(0, "0");
    let (runner, args) = args_of(&from, &to, &["--onto"]);
    processes::run_during_upload(&server, runner, &args, || to.create(5, "5")).fails(4);
    assert_eq!(to.seqs(), [5, 0]);
}
