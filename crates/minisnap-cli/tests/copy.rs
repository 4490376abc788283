use crate::{
    kit::{Place, Ran, document, folder, name_of, places, runtime, s3, s3_on},
    meanwhile,
};
use minisnap::{Bytes, SnapshotBackend};
use minisnap_s3_server::{Conditions, S3Server};
use nix::sys::signal::Signal;
use std::{fs, thread, time::Duration};

/// The command, with the environment of whichever is an object store.
pub(crate) fn args_of<'a>(from: &'a Place, to: &'a Place, args: &[&'a str]) -> (&'a Place, Vec<&'a str>) {
    let runner = if from.store.starts_with("s3:") { from } else { to };
    (runner, [&["copy", &from.store, &to.store], args].concat())
}

pub(crate) fn copy(from: &Place, to: &Place, args: &[&str]) -> Ran {
    let (runner, args) = args_of(from, to, args);
    runner.run(&args)
}

/// The seqs and bytes of all that is retained, oldest first, by the library.
fn all(place: &Place) -> Vec<(u64, Bytes)> {
    runtime().block_on(async {
        let store = place.open();
        let mut all = Vec::new();
        for generation in store.history().await.expect("a history").iter().rev() {
            all.push((generation.seq(), store.backend().read(generation).await.expect("it is whole")));
        }
        all
    })
}

fn create_all(place: &Place, seqs: &[u64]) {
    for seq in seqs {
        let args = ["create", &place.store, "--seq", &seq.to_string(), "--retain", "100"];
        place.feed(&args, format!("[{seq}, 18446744073709551617]")).done();
    }
}

#[test]
fn from_any_store_to_any_other_the_same_bytes_arrive() {
    for from in places() {
        create_all(&from, &[10, 7, 20]);
        for to in places() {
            assert!(
                copy(&from, &to, &[])
                    .ok()
                    .ends_with(&format!("copied 1; read back and found the same: 1, in {}\n", to.store))
            );
            assert_eq!(all(&to), all(&from)[2..]);
        }
        for to in places() {
            let told = copy(&from, &to, &["--history"]).ok();
            assert!(
                told.contains("copied seq 10 (") && told.contains("copied 3; read back and found the same: 3"),
                "{told}"
            );
            assert_eq!(all(&to), all(&from));
            to.run(&["verify", &to.store]).ok();
        }
    }
}

#[test]
fn to_run_it_again_copies_only_what_is_new() {
    for (from, to) in [(folder(), s3()), (s3(), folder())] {
        create_all(&from, &[1, 2]);
        copy(&from, &to, &["--history"]).ok();
        let again = copy(&from, &to, &["--history"]).ok();
        assert!(again.starts_with("copied 0; read back and found the same: 2"), "{again}");
        create_all(&from, &[3]);
        let told = copy(&from, &to, &["--history", "--json"]).ok();
        let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
        assert_eq!((told["copied"][0]["seq"].as_u64(), told["copied"].as_array().map(Vec::len)), (Some(3), Some(1)));
        assert_eq!(told["read_back"], 3);
        assert_eq!(all(&to), all(&from));
    }
    for (from, to) in [(folder(), s3()), (s3(), folder())] {
        for seq in [1, 2, 3] {
            create_all(&from, &[seq]);
            copy(&from, &to, &[]).ok();
            assert!(copy(&from, &to, &[]).ok().starts_with("copied 0; read back and found the same: 1"));
        }
        assert_eq!(to.seqs(), [3, 2], "the newest alone, each day: as many are kept as by other commands");
    }
}

#[test]
fn a_target_with_another_history_is_refused_unless_it_is_said() {
    for (from, to) in [(folder(), folder()), (folder(), s3()), (s3(), folder())] {
        create_all(&from, &[3, 4]);
        to.create(2, "\"another\"");
        let before = all(&to);
        for args in [&[][..], &["--history"]] {
            let error = copy(&from, &to, args).fails(4);
            assert!(error.contains(&to.store) && error.contains("--onto"), "{error}");
            assert_eq!(all(&to), before, "nothing was changed");
        }
        copy(&from, &to, &["--history", "--onto"]).ok();
        assert_eq!(all(&to), [before, all(&from)].concat(), "nothing is expired");
        let again = copy(&from, &to, &["--history", "--onto"]).ok();
        assert!(again.starts_with("copied 0"), "to run that again changes nothing, too: {again}");
    }
}

/// The intact ones are worth having; the corrupt one is told each time, until it has expired.
#[test]
fn copy_leaves_out_a_corrupt_older_snapshot_and_says_so() {
    for (from, to) in [(folder(), s3()), (s3(), folder())] {
        create_all(&from, &[1, 2, 3]);
        fs::write(from.json_of(2), "[99]").expect("it can be written");
        let is_told = |error: &str| {
            let generation = from.json_of(2).parent().map(|folder| name_of(folder).to_owned()).expect("its folder");
            error.contains(&generation) && (error.contains("digest") || error.contains("bytes, not "))
        };
        let first = copy(&from, &to, &["--history"]);
        assert!(first.stdout.contains("left out seq 2 (corrupt)\ncopied seq 3 ("), "{first:?}");
        let error = first.fails(1);
        assert!(is_told(&error), "{error}");
        assert_eq!(to.seqs(), [3, 1]);
        let again = copy(&from, &to, &["--history"]);
        assert!(again.stdout.contains("copied 0; read back and found the same: 2"), "{again:?}");
        assert!(is_told(&again.fails(1)));
        create_all(&from, &[4]);
        let next = copy(&from, &to, &["--history", "--json"]);
        let told: serde_json::Value = serde_json::from_str(&next.stdout).expect("JSON");
        assert_eq!((&told["copied"][0]["seq"], &told["read_back"]), (&4.into(), &3.into()));
        assert_eq!(told["left_out"][0]["seq"], 2);
        assert_eq!((&told["error"]["kind"], &told["error"]["exit_code"]), (&"corrupt".into(), &1.into()), "{told}");
        assert!(told["left_out"][0]["problem"].is_string() && is_told(&next.fails(1)));
        assert_eq!(to.seqs(), [4, 3, 1]);
        // Also over what is no part of that history.
        let other = if to.store.starts_with("s3:") { s3() } else { folder() };
        other.create(0, "0");
        assert!(is_told(&copy(&from, &other, &["--history", "--onto"]).fails(1)));
        assert_eq!(other.seqs(), [4, 3, 1, 0]);
    }
}

#[test]
fn copy_fails_if_the_current_snapshot_is_corrupt() {
    for (from, to) in [(folder(), s3()), (s3(), folder())] {
        create_all(&from, &[1, 2]);
        fs::write(from.json_of(2), "[99]").expect("it can be written");
        copy(&from, &to, &[]).fails(1);
        assert_eq!(to.seqs(), [0; 0], "there is nothing intact to copy");
        copy(&from, &to, &["--history"]).fails(1);
        assert_eq!(to.seqs(), [1]);
        fs::write(from.json_of(1), "[99]").expect("it can be written");
        let none = if to.store.starts_with("s3:") { s3() } else { folder() };
        copy(&from, &none, &["--history"]).fails(1);
        assert_eq!(none.seqs(), [0; 0]);
    }
}

#[test]
fn what_was_corrupt_in_the_target_since_is_found_when_it_is_read_back() {
    for (from, to) in [(folder(), s3()), (s3(), folder())] {
        create_all(&from, &[1, 2]);
        copy(&from, &to, &["--history"]).ok();
        fs::write(to.json_of(1), "[99]").expect("it can be written");
        let error = copy(&from, &to, &["--history"]).fails(1);
        assert!(error.contains("digest") || error.contains("bytes, not "), "{error}");
    }
}

#[test]
fn nothing_to_copy_is_told() {
    for (from, to) in [(folder(), s3()), (s3(), folder())] {
        let error = copy(&from, &to, &["--history"]).fails(3);
        assert!(error.contains(&from.store), "{error}");
        assert_eq!(to.seqs(), [0; 0]);
    }
}

#[test]
fn killed_in_the_middle_it_goes_on_where_it_was() {
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
        let before = all(&to);
        let whole = [before.clone(), all(&from)].concat();
        for (committed, signal) in [(1, Signal::SIGKILL), (2, Signal::SIGINT), (4, Signal::SIGKILL)] {
            kill_when(&from, &to, args, before.len() + committed, signal);
            assert!(whole.starts_with(&all(&to)), "a part of the history, whole and in order");
        }
        let told = copy(&from, &to, args).ok();
        let copied = told.matches("copied seq").count();
        assert!(0 < copied && copied <= 2, "only what was missing: {told}");
        assert!(told.contains("read back and found the same: 6"), "{told}");
        assert_eq!(all(&to), whole);
        to.run(&["verify", &to.store]).ok();
    }
}

/// Starts a copy, and ends it once so many are committed in the target.
fn kill_when(from: &Place, to: &Place, args: &[&str], committed: usize, signal: Signal) {
    let (runner, args) = args_of(from, to, args);
    let child = meanwhile::start(runner, &args);
    meanwhile::wait_until("enough is copied", || to.seqs().len() >= committed);
    // On its way to the next one, whichever step that is at.
    thread::sleep(Duration::from_millis(5));
    meanwhile::send(&child, signal);
    let ended = child.wait_with_output().expect("it ends");
    assert!(!ended.status.success(), "it was killed too late to tell: {ended:?}");
}

#[test]
fn whoever_commits_in_the_target_meanwhile_is_not_overwritten() {
    let server = S3Server::start_with_latency(Conditions::Atomic, Duration::from_millis(100));
    let (from, to) = (folder(), s3_on(&server));
    from.create(1, &document(6 << 20));
    to.create(0, "0");
    let (runner, args) = args_of(&from, &to, &["--onto"]);
    meanwhile::it_uploads(&server, runner, &args, || to.create(5, "5")).fails(4);
    assert_eq!(to.seqs(), [5, 0]);
}
