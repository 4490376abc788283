//! `minisnap copy --onto` as a nightly job: the source commits in between, and expires the copied snapshots.

use crate::{
    copy::{args_of, copy},
    support::{Sandbox, folder, runtime, s3},
};
use minisnap::Generation;
use std::{
    path::Path,
    process::{Command, Stdio},
};

/// Commits with the default retention of the library.
fn commit(sandbox: &Sandbox, seqs: &[u64]) {
    runtime().block_on(async {
        for seq in seqs {
            sandbox.open().create(seq, *seq).await.expect("a snapshot");
        }
    });
}

fn pairs() -> [(Sandbox, Sandbox); 4] {
    [(folder(), folder()), (folder(), s3()), (s3(), folder()), (s3(), s3())]
}

#[test]
fn onto_continues_while_the_source_expires() {
    for (from, to) in pairs() {
        let with_history = if to.store.starts_with("s3:") { s3() } else { folder() };
        for night in 1..=4 {
            let [first, second, third] = [1, 2, 3].map(|change| night * 10 + change);
            commit(&from, &[first, second, third]);
            assert_eq!(from.seqs(), [third, second], "all that was copied before has expired");
            if night > 1 {
                let error = copy(&from, &to, &[]).fails(4);
                assert!(error.contains("not a part of the history") && error.contains("`--onto`"), "{error}");
            }
            let output = copy(&from, &to, &["--onto"]).ok();
            assert!(output.ends_with(&format!("copied 1; verified by reading back: 1, in {}\n", to.store)), "{output}");
            copy(&from, &with_history, &["--onto", "--history"]).ok();
            for (to, args) in [(&to, &["--onto"][..]), (&with_history, &["--onto", "--history"])] {
                let before = to.seqs();
                let again = copy(&from, to, args).ok();
                assert!(again.starts_with("copied 0; verified by reading back: "), "{again}");
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
        for (seq, found) in [(8, "the current seq 7 of the source "), (7, "have the same seq and different bytes")] {
            to.create(seq, "\"another\"");
            let before = to.seqs();
            for args in [&["--onto"][..], &["--onto", "--history"]] {
                let error = copy(&from, &to, args).fails(4);
                assert!(error.contains(found) && error.contains("; nothing was changed\n"), "{error}");
                assert!(error.contains("the two stores are not swapped"), "{error}");
                assert_eq!(to.seqs(), before);
            }
            runtime().block_on(async { to.open().retain(1).create(&0, 0).await.expect("an older one") });
        }
        // A target with the same snapshot, which was not copied from there.
        let equal = if to.store.starts_with("s3:") { s3() } else { folder() };
        equal.create(7, "\"the source's\"");
        assert!(copy(&from, &equal, &["--onto"]).ok().starts_with("copied 0; verified by reading back: 1"));
        assert_eq!(equal.seqs(), [7]);
    }
}

/// A scheduled job must not follow a rollback of the source by itself. The command in the help makes the target follow; the
/// next copy then succeeds.
#[test]
fn onto_prints_the_command_for_a_rolled_back_source() {
    let expiring = pairs().map(|stores| (stores, true));
    for ((from, to), expires) in pairs().map(|stores| (stores, false)).into_iter().chain(expiring) {
        commit(&from, &[10]);
        copy(&from, &to, &["--onto"]).ok();
        commit(&from, &[11]);
        copy(&from, &to, &["--onto"]).ok();
        // The rollback expires the target's current snapshot from the source's history, or it doesn't.
        let retain = if expires { "1" } else { "2" };
        from.run(&["rollback", &from.store, "--to", "10", "--retain", retain]).ok();
        for args in [&["--onto"][..], &["--onto", "--history"]] {
            let error = copy(&from, &to, args).fails(4);
            assert!(error.contains("seq 10") && error.contains("is not above seq 11"), "{error}");
        }
        let error = copy(&from, &to, &["--onto"]).fails(4);
        match expires {
            false => {
                assert!(error.contains("`minisnap copy ") && !error.contains("--onto"), "{error}");
                paste(&from, &to, &error);
            }
            true => {
                assert!(error.contains("`minisnap rollback "), "{error}");
                paste(&from, &to, &error);
            }
        }
        assert_equal_current(&from, &to, 10);
        // The target has no snapshot of the source's history any more.
        commit(&from, &[12]);
        copy(&from, &to, &["--onto", "--retain", "1"]).ok();
        runtime().block_on(async { from.open().retain(1).create(&9, 9).await.expect("an older one") });
        let error = copy(&from, &to, &["--onto"]).fails(4);
        assert!(error.contains("`minisnap cat "), "{error}");
        paste(&from, &to, &error);
        assert_equal_current(&from, &to, 9);
    }
}

/// Both have the same current snapshot, and the next copy succeeds.
fn assert_equal_current(from: &Sandbox, to: &Sandbox, seq: u64) {
    assert_eq!(to.seqs()[0], seq);
    assert!(copy(from, to, &["--onto"]).ok().starts_with("copied 0; verified by reading back: 1"));
    let digest = |sandbox: &Sandbox| {
        let current = runtime().block_on(async { sandbox.open().current().await });
        current.expect("a readable store").as_ref().and_then(Generation::digest)
    };
    assert_eq!(digest(from), digest(to));
}

/// Runs the command in the help of an error, in a shell.
fn paste(from: &Sandbox, to: &Sandbox, error: &str) {
    let command_line = error.split('`').find(|part| part.starts_with("minisnap ")).expect("a command");
    let (runner, _) = args_of(from, to, &[]);
    let mut command = Command::new("bash");
    runner.prepare(&mut command);
    let folder = Path::new(env!("CARGO_BIN_EXE_minisnap")).parent().expect("its folder");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("a path"));
    let result = command.args(["-c", command_line]).env("PATH", path).stdin(Stdio::null()).output().expect("bash");
    assert!(result.status.success(), "{command_line}: {result:?}");
}

/// With --history, too, the target's seq only rises, so an interrupted copy can always continue.
#[test]
fn onto_with_history_omits_rolled_back_snapshots() {
    for (from, to) in pairs() {
        commit(&from, &[10]);
        copy(&from, &to, &["--onto", "--history"]).ok();
        for seq in ["20", "21"] {
            from.run_with_input(&["create", &from.store, "--seq", seq, "--retain", "9"], seq).ok();
        }
        from.run(&["rollback", &from.store, "--to", "20", "--retain", "9"]).ok();
        from.run_with_input(&["create", &from.store, "--seq", "22", "--retain", "9"], "22").ok();
        let output = copy(&from, &to, &["--onto", "--history"]).ok();
        assert!(output.contains("omitted seq 21 (rolled back or replaced)\n"), "{output}");
        assert!(output.contains("copied 2; verified by reading back: "), "{output}");
        assert_eq!(to.seqs(), [22, 20, 10]);
    }
}

#[test]
fn copy_notes_a_new_store() {
    for (from, to) in pairs() {
        from.create(1, "1");
        let (note, printed) = copy(&from, &to, &["--json"]).note_or_warning("note");
        assert_eq!(note, format!("{}: created a new store\n", to.store));
        assert!(serde_json::from_str::<serde_json::Value>(&printed).is_ok(), "{printed}");
        from.create(2, "2");
        let again = copy(&from, &to, &["--onto"]);
        assert_eq!((again.code, again.stderr.as_str()), (Some(0), ""));
    }
}
