//! The commit record or the current generation is lost.

use crate::{
    links::is_link,
    support::{STORE, Sandbox, folder, name_of},
};
use serde_json::Value;
use std::{fs, path::PathBuf, process::Command};

type Loss = fn(&Sandbox);

/// A store with seqs 10 to 12, and a journal.
pub(crate) fn with_three() -> Sandbox {
    let sandbox = folder();
    for seq in ["10", "11", "12"] {
        sandbox.run_with_input(&["create", STORE, "--seq", seq, "--retain", "3"], format!("[{seq}]")).succeeds();
    }
    sandbox.run(&["log", "begin", "journal", "--after", "12"]).ok();
    sandbox.write("new.json", "[13]");
    sandbox
}

pub(crate) fn record(sandbox: &Sandbox) -> PathBuf {
    sandbox.files.join("snapshots/current")
}

fn lose_current(sandbox: &Sandbox) {
    fs::remove_dir_all(fs::canonicalize(record(sandbox)).expect("a generation")).expect("permission to delete");
}

fn lose_record(sandbox: &Sandbox) {
    fs::remove_file(record(sandbox)).expect("permission to delete");
}

/// Copies the store with `cp -rL`, which replaces links by folders.
fn follow_links(sandbox: &Sandbox) {
    let copied = Command::new("sh")
        .args(["-c", "cp -rL state copy 2>/dev/null; rm -r state; mv copy state"])
        .current_dir(sandbox.path("."))
        .status();
    assert!(copied.expect("sh").success() && record(sandbox).is_dir());
}

fn name(sandbox: &Sandbox, seq: u64) -> String {
    name_of(sandbox.json_of(seq).parent().expect("a generation")).into()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// Snapshots that possibly were never committed are listed separately. No seq is printed that was never written.
#[test]
fn commands_list_readable_snapshots_when_the_store_is_lost() {
    let losses: [(Loss, &[u64], &[u64]); 3] = [
        (lose_current, &[10], &[11]),
        (lose_record, &[11, 10], &[12]),
        // Without the links, the parents are unknown.
        (follow_links, &[], &[10, 11, 12]),
    ];
    for (lose, intact, unconfirmed) in losses {
        let sandbox = with_three();
        lose(&sandbox);
        let before = sandbox.generations();
        for args in [
            &["show", STORE][..],
            &["history", STORE],
            &["cat", STORE],
            &["cat", STORE, "--at", "11"],
            &["restore", STORE, "--output", "out"],
            &["verify", STORE],
            &["diff", STORE, "11"],
            &["copy", STORE, "other"],
            &["prune", STORE, "--retain", "1"],
            &["log", "show", "journal", "--store", STORE],
            &["log", "cut", "journal", "--before", "12", "--store", STORE],
            &["accept", STORE, "--yes"],
            &["rollback", STORE, "--to", "12"],
        ] {
            let result = sandbox.run(args);
            assert!(!result.stdout.contains("18446744073709551615"), "{result:?}");
            let message = result.fails(1);
            assert!(!message.contains("18446744073709551615"), "{message}");
            for seq in intact.iter().take(1) {
                assert!(message.contains(&format!("--to {}` goes back", name(&sandbox, *seq))), "{args:?}: {message}");
            }
            for seq in unconfirmed {
                let take = format!(
                    "--to {}` makes seq {seq} current, which is intact, but possibly was never committed",
                    name(&sandbox, *seq)
                );
                assert!(message.contains(&take), "{args:?}: {message}");
            }
        }
        let shown = json(&sandbox.run(&["show", STORE, "--json"]).stdout);
        let seqs = |list: &str| shown["error"][list].as_array().expect("a list").len();
        assert_eq!((seqs("intact"), seqs("unconfirmed")), (intact.len(), unconfirmed.len()), "{shown}");
        assert_eq!(sandbox.generations(), before, "nothing was changed");
    }
}

#[test]
fn rollback_repairs_a_lost_store_in_one_command() {
    let losses: [(Loss, u64); 3] = [(lose_current, 10), (lose_record, 11), (lose_record, 10)];
    for (lose, seq) in losses {
        let sandbox = with_three();
        lose(&sandbox);
        let output = sandbox.run(&["rollback", STORE, "--to", &seq.to_string()]).ok();
        assert!(output.contains("is the current snapshot") && !output.contains("never committed"), "{output}");
        // The program needs every record after this seq.
        assert!(output.ends_with(&format!("replays every record after seq {seq}\n")), "{output}");
        assert_repaired(&sandbox, seq);
    }
}

/// A seq doesn't select it, since its writer may have been killed before the commit.
#[test]
fn rollback_takes_an_unconfirmed_snapshot_only_by_name() {
    let losses: [(Loss, u64); 3] = [(lose_current, 11), (lose_record, 12), (follow_links, 12)];
    for (lose, seq) in losses {
        let sandbox = with_three();
        lose(&sandbox);
        let message = sandbox.run(&["rollback", STORE, "--to", &seq.to_string()]).fails(1);
        assert!(message.contains(&format!("none of the intact and committed snapshots is seq {seq}")), "{message}");
        let output = sandbox.run(&["rollback", STORE, "--to", &name(&sandbox, seq), "--json"]).ok();
        let output = json(&output);
        assert_eq!(output["possibly_never_committed"], true, "{output}");
        assert_eq!(output["committed"]["seq"], seq);
        assert_repaired(&sandbox, seq);
    }
    let sandbox = with_three();
    lose_record(&sandbox);
    let output = sandbox.run(&["rollback", STORE, "--to", &name(&sandbox, 12)]).ok();
    assert!(output.contains("which possibly was never committed"), "{output}");
}

fn assert_repaired(sandbox: &Sandbox, seq: u64) {
    assert_eq!(sandbox.run(&["cat", STORE]).ok(), format!("[\n  {seq}\n]"));
    sandbox.run(&["verify", STORE]).ok();
    assert_eq!(fs::read_to_string(sandbox.files.join("snapshot.seq")).expect("a link"), format!("{seq}\n"));
    sandbox.run(&["create", STORE, "--seq", "13", "new.json"]).ok();
    sandbox.run(&["verify", STORE]).ok();
    assert_eq!(sandbox.run(&["cat", STORE]).ok(), "[\n  13\n]");
}

/// Regression test: `create` reported the lost snapshot as retained, and a truncation point that `show` denied.
#[test]
fn create_and_show_agree_on_the_log_when_there_is_a_gap() {
    let sandbox = with_three();
    lose_current(&sandbox);
    let result = sandbox.run(&["create", STORE, "--seq", "13", "new.json"]);
    assert!(!result.stderr.contains("new store"), "{result:?}");
    let output = result.succeeds();
    assert!(output.contains("retained: seq 13; keep all of the log"), "{output}");
    let shown = sandbox.run(&["show", STORE]).ok();
    assert!(shown.contains("log       keep all of it"), "{shown}");
    let output = json(&sandbox.run(&["create", STORE, "--seq", "14", "new.json", "--json"]).succeeds());
    assert_eq!(output["truncation_point"], Value::Null, "{output}");
    assert_eq!(output["retained"].as_array().expect("a list").len(), 2, "{output}");
    // --retain gives the lost snapshot up, which closes the gap.
    sandbox.run(&["create", STORE, "--seq", "15", "new.json", "--retain", "2"]).succeeds();
    let output = sandbox.run(&["create", STORE, "--seq", "16", "new.json"]).ok();
    assert!(output.contains("the log can be truncated through seq 15"), "{output}");
    assert!(sandbox.run(&["show", STORE]).ok().contains("can be truncated through seq 15"));
    sandbox.run(&["verify", STORE]).ok();
}

/// Regression test: they reported "nothing to revert" and "there was none".
#[test]
fn revert_and_collection_fail_when_current_is_missing() {
    let sandbox = with_three();
    lose_current(&sandbox);
    for args in [["revert", STORE], ["collect-garbage", STORE]] {
        let message = sandbox.run(&args).fails(1);
        assert!(message.contains("so is its folder") && message.contains("goes back to"), "{args:?}: {message}");
    }
    let seq = sandbox.files.join("snapshot.seq");
    fs::remove_file(&seq).expect("permission to delete");
    let result = sandbox.run(&["revert", STORE]);
    assert!(result.stdout.contains("restored the link") && is_link(&seq), "{result:?}");
    result.fails(1);
    let result = sandbox.run(&["verify", STORE]);
    assert!(!result.stdout.contains("1 were found"), "{result:?}");
}

/// The command in the help works even if another program replaced the two public files.
#[test]
fn rollback_repairs_a_lost_store_next_to_a_bare_pair() {
    let sandbox = with_three();
    lose_record(&sandbox);
    sandbox.replace("snapshot.json", "[77]");
    sandbox.replace("snapshot.seq", "77\n");
    for args in [&["show", STORE][..], &["verify", STORE], &["create", STORE, "--seq", "78", "new.json"]] {
        let message = sandbox.run(args).fails(1);
        assert!(message.contains(&format!("--to {}` goes back", name(&sandbox, 11))), "{args:?}: {message}");
    }
    let output = sandbox.run(&["rollback", STORE, "--to", "11"]).ok();
    assert_eq!(output.lines().filter(|line| line.starts_with("moved aside: ")).count(), 2, "{output}");
    assert_repaired(&sandbox, 11);
}

/// So the help doesn't recommend `diff`, which would not find them.
#[test]
fn ambiguous_seq_is_refused_when_the_record_is_lost() {
    let sandbox = folder();
    for json in ["[1]", "[2]", "[3]"] {
        sandbox.run_with_input(&["create", STORE, "--seq", "10", "--retain", "3"], json).succeeds();
    }
    let second = name_of(&sandbox.generations()[1]).to_owned();
    lose_record(&sandbox);
    let message = sandbox.run(&["rollback", STORE, "--to", "10"]).fails(4);
    assert!(message.contains("snapshots have seq 10") && message.contains("give one of these names"), "{message}");
    assert!(!message.contains("current one") && !message.contains("minisnap diff"), "{message}");
    sandbox.run(&["rollback", STORE, "--to", &second]).ok();
}
