use crate::{
    processes,
    support::{MEMORY_KIB, RunResult, STORE, Sandbox, folder, long_list, s3},
};
use std::{
    fs,
    io::{Read, Write},
    os::unix::fs::symlink,
};

/// A folder with two snapshots.
fn with_snapshots() -> Sandbox {
    let sandbox = folder();
    sandbox.create(1, r#"{"n": 1}"#);
    sandbox.create(2, r#"{"n": 2}"#);
    sandbox
}

/// Edits through the link, like `echo >` and some editors.
fn edit_in_place(sandbox: &Sandbox, json: &str) {
    fs::write(sandbox.files.join("snapshot.json"), json).expect("permission to write");
}

#[test]
fn accept_shows_a_replaced_file_asks_and_commits_it() {
    let sandbox = with_snapshots();
    sandbox.replace("snapshot.json", r#"{"n": 18446744073709551617}"#);
    let accepted = sandbox.run_with_input(&["accept", STORE], "y\n");
    assert!(accepted.stderr.contains("[y/N]"), "{accepted:?}");
    let expected = format!(
        "seq 2 -> seq 2, with the external changes\n\
         ~ /n  2 -> 18446744073709551617\n\
         1 changed, 0 added, 0 removed\n\
         restored the link {}/snapshot.json\n\
         accepted as seq 2; retained: seq 2, 2, 1\n",
        sandbox.store
    );
    assert_eq!((accepted.code, accepted.stdout.as_str()), (Some(0), expected.as_str()));
    sandbox.run(&["verify", STORE]).ok();
    assert_eq!(sandbox.run(&["cat", STORE]).ok(), r#"{"n": 18446744073709551617}"#);
    assert!(sandbox.run(&["accept", STORE]).ok().starts_with("nothing to accept"));
}

#[test]
fn accept_compares_an_edit_in_place_with_an_intact_snapshot() {
    let sandbox = with_snapshots();
    edit_in_place(&sandbox, r#"{"n": 9}"#);
    sandbox.run(&["show", STORE]).fails(1);
    let output = sandbox.run(&["accept", STORE, "--yes"]).ok();
    assert!(output.starts_with("seq 1 -> seq 2, with the external changes\n~ /n  1 -> 9\n"), "{output}");
    assert_eq!(sandbox.seqs(), [2, 1], "the edit replaced the edited snapshot");
    sandbox.run(&["verify", STORE]).ok();
}

#[test]
fn accept_shows_the_complete_edit_when_nothing_is_intact() {
    let sandbox = folder();
    sandbox.create(1, r#"{"n": 1}"#);
    edit_in_place(&sandbox, r#"{"n": 9}"#);
    let output = sandbox.run(&["accept", STORE, "--yes"]).ok();
    assert!(output.contains("~ the document  null -> {\"n\":9}"), "{output}");
    assert_eq!(sandbox.run(&["cat", STORE]).ok(), r#"{"n": 9}"#);
}

#[test]
fn accept_shows_only_the_size_with_no_diff() {
    let sandbox = with_snapshots();
    sandbox.replace("snapshot.json", r#"{"n": 9}"#);
    let refused = sandbox.run_with_input(&["accept", STORE, "--no-diff"], "n\n");
    assert_eq!(refused.code, Some(11), "{refused:?}");
    assert!(refused.stderr.contains("[y/N]") && !refused.stdout.contains("/n"), "{refused:?}");
    let output = sandbox.run(&["accept", STORE, "--no-diff", "--yes"]).ok();
    let file = sandbox.files.join("snapshot.json");
    let expected = format!(
        "{file}, seq 2: 8 B\nrestored the link {file}\naccepted as seq 2; retained: seq 2, 2, 1\n",
        file = file.display()
    );
    assert_eq!(output, expected);
    assert_eq!(sandbox.run(&["cat", STORE]).ok(), r#"{"n": 9}"#);
    sandbox.replace("snapshot.json", r#"{"n": }"#);
    let error = sandbox.run(&["accept", STORE, "--no-diff"]).fails(8);
    assert!(error.contains("snapshot.json") && error.contains("line 1 column 7"), "no question is printed: {error}");
}

/// The committed file has a length that exceeds the memory.
#[test]
fn accept_asks_when_no_diff_is_possible() {
    let sandbox = with_snapshots();
    sandbox.replace("snapshot.json", r#"{"n": 9}"#);
    fs::File::options().write(true).open(sandbox.json_of(2)).unwrap().set_len(1 << 40).unwrap();
    let output = sandbox.run_within(1 << 20, &["accept", STORE]);
    assert!(output.stdout.contains("no diff: read ("), "{output:?}");
    assert!(output.stdout.ends_with(", seq 2: 8 B\n") && output.stderr.contains("[y/N]"), "{output:?}");
}

/// As `serde_json::Value`, the two documents of 4 MiB would take 90 MiB.
#[test]
fn accept_takes_little_more_memory_than_the_documents() {
    let sandbox = folder();
    sandbox.create(1, &long_list("", 0));
    sandbox.replace("snapshot.json", long_list("-1,", 0));
    let output = sandbox.run_within(MEMORY_KIB, &["accept", STORE, "--yes"]).ok();
    assert!(output.contains("+ /0  -1\n0 changed, 1 added, 0 removed\n"), "{output}");
}

#[test]
fn accept_commits_a_changed_seq() {
    let sandbox = with_snapshots();
    sandbox.replace("snapshot.seq", "7\n");
    let output = sandbox.run(&["accept", STORE, "--yes"]).ok();
    assert!(
        output.starts_with("seq 2 -> seq 7, with the external changes\nthe same document, byte for byte\n"),
        "{output}"
    );
    assert_eq!(sandbox.seqs(), [7, 2, 1]);
}

#[test]
fn accept_changes_nothing_unless_the_answer_is_yes() {
    for answer in ["n\n", "\n", "", "maybe\n", "nyes\n"] {
        let sandbox = with_snapshots();
        sandbox.replace("snapshot.json", "[9]");
        let before = sandbox.generations();
        let refused = sandbox.run_with_input(&["accept", STORE], answer);
        assert_eq!(refused.code, Some(11), "{answer:?}: {refused:?}");
        assert!(
            refused.stderr.contains("nothing was changed") && refused.stderr.contains("`minisnap revert "),
            "{refused:?}"
        );
        assert_eq!(sandbox.generations(), before);
        assert_eq!(fs::read_to_string(sandbox.files.join("snapshot.json")).expect("an existing file"), "[9]");
        assert_eq!(sandbox.seqs(), [2, 1]);
    }
}

#[test]
fn accept_refuses_an_edit_that_changed_during_the_question() {
    let sandbox = with_snapshots();
    sandbox.replace("snapshot.json", "[9]");
    let mut child = processes::start_with_input_pipe(&sandbox, &["accept", STORE]);
    let mut question = [0; 8];
    child.stderr.as_mut().expect("a pipe").read_exact(&mut question).expect("a question");
    sandbox.replace("snapshot.json", "[10]");
    child.stdin.take().expect("a pipe").write_all(b"y\n").expect("the program reads");
    let ended = RunResult::of(child.wait_with_output().expect("the program ends"));
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.stderr.contains("changed again after they were shown"), "{ended:?}");
    assert_eq!(sandbox.seqs(), [2, 1]);
}

#[test]
fn revert_moves_a_replaced_file_aside() {
    let sandbox = with_snapshots();
    sandbox.replace("snapshot.json", "[9]");
    let output = sandbox.run(&["revert", STORE]).ok();
    let moved = output.strip_prefix("moved aside: ").expect("its new name").lines().next().expect("a line");
    assert_eq!(fs::read_to_string(moved).expect("an existing file"), "[9]");
    assert_eq!(sandbox.run(&["cat", STORE]).ok(), "{\n  \"n\": 2\n}");
    sandbox.run(&["verify", STORE]).ok();
    assert!(sandbox.run(&["revert", STORE]).ok().starts_with("nothing to revert"));
}

#[test]
fn accept_reports_the_position_of_invalid_json() {
    let sandbox = with_snapshots();
    sandbox.replace("snapshot.json", "{\n  \"n\": yes\n}");
    let error = sandbox.run(&["accept", STORE, "--yes"]).fails(8);
    assert!(error.contains("snapshot.json") && error.contains("line 2"), "{error}");
    sandbox.replace("snapshot.seq", "two\n");
    let error = sandbox.run(&["accept", STORE, "--yes"]).fails(8);
    assert!(error.contains("snapshot.seq") && error.contains("two"), "{error}");
    assert_eq!(sandbox.seqs(), [2, 1]);
}

#[test]
fn accept_names_the_encoding_of_an_edit() {
    let sandbox = with_snapshots();
    let utf16: Vec<_> = "{\"n\": 3}".encode_utf16().flat_map(u16::to_be_bytes).collect();
    for (edit, encoding) in [(&b"\xEF\xBB\xBF{\"n\": 3}"[..], "UTF-8 with a byte order mark"), (&utf16, "UTF-16BE")] {
        sandbox.replace("snapshot.json", edit);
        let error = sandbox.run(&["accept", STORE, "--yes"]).fails(8);
        assert!(error.contains("snapshot.json") && error.contains(encoding), "{error}");
    }
    sandbox.replace("snapshot.json", "{\"n\": 3}");
    sandbox.replace("snapshot.seq", "\u{feff}3\r\n");
    let error = sandbox.run(&["accept", STORE, "--yes"]).fails(8);
    assert!(error.contains("snapshot.seq") && error.contains("UTF-8 with a byte order mark"), "{error}");
    assert_eq!(sandbox.seqs(), [2, 1]);
}

#[test]
fn accept_refuses_files_that_are_no_edit() {
    let sandbox = with_snapshots();
    fs::remove_file(sandbox.files.join("snapshot.json")).expect("an existing file");
    let output = sandbox.run(&["accept", STORE, "--yes"]).ok();
    assert!(output.starts_with("restored the link "), "{output}");
    fs::remove_file(sandbox.files.join("snapshot.json")).expect("an existing file");
    symlink("/dev/zero", sandbox.files.join("snapshot.json")).expect("a link");
    let error = sandbox.run(&["accept", STORE, "--yes"]).fails(2);
    assert!(error.contains("not a regular file"), "it is not read: {error}");
    folder().run(&["accept", STORE]).fails(3);
}

#[test]
fn accept_and_revert_refuse_an_object_store_with_help() {
    let sandbox = s3();
    sandbox.create(1, "1");
    for args in [&["accept", STORE][..], &["accept", STORE, "--yes"], &["revert", STORE]] {
        let error = sandbox.run(args).fails(10);
        assert!(error.contains("s3://") && error.contains(&format!("minisnap create {}", sandbox.store)), "{error}");
    }
}
