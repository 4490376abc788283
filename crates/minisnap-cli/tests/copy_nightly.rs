//! `minisnap copy --onto`, as it is run every night: the source goes on, and expires what was copied before.

use crate::{
    copy::{args_of, copy},
    kit::{Place, folder, runtime, s3},
};
use minisnap::Generation;
use std::{
    path::Path,
    process::{Command, Stdio},
};

/// What the program does in a day: with the retention that the library has unless told otherwise.
fn commit(place: &Place, seqs: &[u64]) {
    runtime().block_on(async {
        for seq in seqs {
            place.open().create(seq, *seq).await.expect("a snapshot");
        }
    });
}

fn pairs() -> [(Place, Place); 4] {
    [(folder(), folder()), (folder(), s3()), (s3(), folder()), (s3(), s3())]
}

#[test]
fn nightly_copy_goes_on_while_the_source_expires() {
    for (from, to) in pairs() {
        let with_history = if to.store.starts_with("s3:") { s3() } else { folder() };
        for night in 1..=4 {
            let [first, second, third] = [1, 2, 3].map(|change| night * 10 + change);
            commit(&from, &[first, second, third]);
            assert_eq!(from.seqs(), [third, second], "all that was copied before has expired");
            if night > 1 {
                let error = copy(&from, &to, &[]).fails(4);
                assert!(error.contains("no part of the history") && error.contains("`--onto`"), "{error}");
            }
            let told = copy(&from, &to, &["--onto"]).ok();
            assert!(told.ends_with(&format!("copied 1; read back and found the same: 1, in {}\n", to.store)), "{told}");
            copy(&from, &with_history, &["--onto", "--history"]).ok();
            for (to, args) in [(&to, &["--onto"][..]), (&with_history, &["--onto", "--history"])] {
                let before = to.seqs();
                let again = copy(&from, to, args).ok();
                assert!(again.starts_with("copied 0; read back and found the same: "), "{again}");
                assert_eq!(to.seqs(), before, "the same seq with the same digest is not copied again");
            }
        }
        assert_eq!(to.seqs(), [43, 33], "as many are retained as by other commands");
        assert_eq!(with_history.seqs(), [43, 42, 33, 32, 23, 22, 13, 12]);
        to.run(&["verify", &to.store]).ok();
    }
}

#[test]
fn onto_refuses_a_source_that_is_not_newer() {
    for (from, to) in pairs() {
        from.create(7, "\"the source's\"");
        for (seq, found) in [(8, "seq 7 of the current snapshot of "), (7, "has the seq of ")] {
            to.create(seq, "\"another\"");
            let before = to.seqs();
            for args in [&["--onto"][..], &["--onto", "--history"]] {
                let error = copy(&from, &to, args).fails(4);
                assert!(error.contains(found) && error.contains("; nothing was changed\n"), "{error}");
                assert!(error.contains("the right way round?"), "{error}");
                assert_eq!(to.seqs(), before);
            }
            runtime().block_on(async { to.open().retain(1).create(&0, 0).await.expect("an older one") });
        }
        // The same, though it isn't from there.
        let twin = if to.store.starts_with("s3:") { s3() } else { folder() };
        twin.create(7, "\"the source's\"");
        assert!(copy(&from, &twin, &["--onto"]).ok().starts_with("copied 0; read back and found the same: 1"));
        assert_eq!(twin.seqs(), [7]);
    }
}

/// A source that was taken back to an older state is nothing that a job at night decides on. What the error advises,
/// followed to the letter, has the target follow, and the next night is as any.
#[test]
fn onto_advises_how_to_follow_a_source_that_was_rolled_back() {
    let forgetting = pairs().map(|stores| (stores, true));
    for ((from, to), forgets) in pairs().map(|stores| (stores, false)).into_iter().chain(forgetting) {
        commit(&from, &[10]);
        copy(&from, &to, &["--onto"]).ok();
        commit(&from, &[11]);
        copy(&from, &to, &["--onto"]).ok();
        // The target's current snapshot is still in the source's history, or it isn't.
        let keep = if forgets { "1" } else { "2" };
        from.run(&["rollback", &from.store, "--to", "10", "--retain", keep]).ok();
        for args in [&["--onto"][..], &["--onto", "--history"]] {
            let error = copy(&from, &to, args).fails(4);
            assert!(error.contains("seq 10") && error.contains("is not above seq 11"), "{error}");
        }
        let error = copy(&from, &to, &["--onto"]).fails(4);
        match forgets {
            false => {
                assert!(error.contains("`minisnap copy ") && !error.contains("--onto"), "{error}");
                paste(&from, &to, &error);
            }
            true => {
                assert!(error.contains("`minisnap rollback "), "{error}");
                paste(&from, &to, &error);
            }
        }
        is_followed(&from, &to, 10);
        // Nothing of it is left in the target.
        commit(&from, &[12]);
        copy(&from, &to, &["--onto", "--retain", "1"]).ok();
        runtime().block_on(async { from.open().retain(1).create(&9, 9).await.expect("an older one") });
        let error = copy(&from, &to, &["--onto"]).fails(4);
        assert!(error.contains("`minisnap cat "), "{error}");
        paste(&from, &to, &error);
        is_followed(&from, &to, 9);
    }
}

/// The target is where the source is, and the next night is as any.
fn is_followed(from: &Place, to: &Place, seq: u64) {
    assert_eq!(to.seqs()[0], seq);
    assert!(copy(from, to, &["--onto"]).ok().starts_with("copied 0; read back and found the same: 1"));
    let digest = |place: &Place| {
        let current = runtime().block_on(async { place.open().current().await });
        current.expect("it can be looked up").as_ref().and_then(Generation::digest)
    };
    assert_eq!(digest(from), digest(to));
}

/// Runs the command that an error advises, in a shell.
fn paste(from: &Place, to: &Place, error: &str) {
    let advised = error.split('`').find(|part| part.starts_with("minisnap ")).expect("a command");
    let (runner, _) = args_of(from, to, &[]);
    let mut command = Command::new("bash");
    runner.prepare(&mut command);
    let folder = Path::new(env!("CARGO_BIN_EXE_minisnap")).parent().expect("its folder");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("a path"));
    let ran = command.args(["-c", advised]).env("PATH", path).stdin(Stdio::null()).output().expect("bash");
    assert!(ran.status.success(), "{advised}: {ran:?}");
}

/// With its history, too, the target's seq only rises: so a copy that is cut short can always go on.
#[test]
fn onto_with_history_leaves_out_what_was_rolled_back_from() {
    for (from, to) in pairs() {
        commit(&from, &[10]);
        copy(&from, &to, &["--onto", "--history"]).ok();
        for seq in ["20", "21"] {
            from.feed(&["create", &from.store, "--seq", seq, "--retain", "9"], seq).ok();
        }
        from.run(&["rollback", &from.store, "--to", "20", "--retain", "9"]).ok();
        from.feed(&["create", &from.store, "--seq", "22", "--retain", "9"], "22").ok();
        let told = copy(&from, &to, &["--onto", "--history"]).ok();
        assert!(told.contains("left out seq 21 (gone back from, or replaced)\n"), "{told}");
        assert!(told.contains("copied 2; read back and found the same: "), "{told}");
        assert_eq!(to.seqs(), [22, 20, 10]);
    }
}

#[test]
fn copy_notes_that_it_makes_a_new_store() {
    for (from, to) in pairs() {
        from.create(1, "1");
        let (note, printed) = copy(&from, &to, &["--json"]).remarks("note");
        assert_eq!(note, format!("{}: this makes a new store\n", to.store));
        assert!(serde_json::from_str::<serde_json::Value>(&printed).is_ok(), "{printed}");
        from.create(2, "2");
        let again = copy(&from, &to, &["--onto"]);
        assert_eq!((again.code, again.stderr.as_str()), (Some(0), ""));
    }
}
