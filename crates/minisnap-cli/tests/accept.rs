use crate::{
    kit::{MEMORY_KIB, Place, Ran, STORE, folder, long_list, s3},
    meanwhile,
};
use std::{
    fs,
    io::{Read, Write},
    os::unix::fs::symlink,
};

/// A folder with two snapshots.
fn with_snapshots() -> Place {
    let place = folder();
    place.create(1, r#"{"n": 1}"#);
    place.create(2, r#"{"n": 2}"#);
    place
}

/// What `echo >`, and editors that keep the file, do: through the link.
fn edit_in_place(place: &Place, json: &str) {
    fs::write(place.files.join("snapshot.json"), json).expect("it can be written");
}

#[test]
fn a_replaced_file_is_shown_asked_about_and_taken_as_the_newest() {
    let place = with_snapshots();
    place.replace("snapshot.json", r#"{"n": 18446744073709551617}"#);
    let accepted = place.feed(&["accept", STORE], "y\n");
    assert!(accepted.stderr.contains("[y/N]"), "{accepted:?}");
    let expected = format!(
        "seq 2 -> seq 2, as it stands there now\n\
         ~ /n  2 -> 18446744073709551617\n\
         1 changed, 0 added, 0 removed\n\
         put back the link {}/snapshot.json\n\
         accepted as seq 2; retained: seq 2, 2, 1\n",
        place.store
    );
    assert_eq!((accepted.code, accepted.stdout.as_str()), (Some(0), expected.as_str()));
    place.run(&["verify", STORE]).ok();
    assert_eq!(place.run(&["cat", STORE]).ok(), r#"{"n": 18446744073709551617}"#);
    assert!(place.run(&["accept", STORE]).ok().starts_with("nothing to accept"));
}

#[test]
fn an_edit_in_place_is_compared_with_what_is_intact_and_taken() {
    let place = with_snapshots();
    edit_in_place(&place, r#"{"n": 9}"#);
    place.run(&["show", STORE]).fails(1);
    let told = place.run(&["accept", STORE, "--yes"]).ok();
    assert!(told.starts_with("seq 1 -> seq 2, as it stands there now\n~ /n  1 -> 9\n"), "{told}");
    assert_eq!(place.seqs(), [2, 1], "the edited one gave way to the edit");
    place.run(&["verify", STORE]).ok();
}

#[test]
fn with_nothing_intact_left_all_of_the_edit_is_shown() {
    let place = folder();
    place.create(1, r#"{"n": 1}"#);
    edit_in_place(&place, r#"{"n": 9}"#);
    let told = place.run(&["accept", STORE, "--yes"]).ok();
    assert!(told.contains("~ the whole document  null -> {\"n\":9}"), "{told}");
    assert_eq!(place.run(&["cat", STORE]).ok(), r#"{"n": 9}"#);
}

#[test]
fn an_edit_is_taken_without_a_diff_when_none_is_asked_for() {
    let place = with_snapshots();
    place.replace("snapshot.json", r#"{"n": 9}"#);
    let refused = place.feed(&["accept", STORE, "--no-diff"], "n\n");
    assert_eq!(refused.code, Some(11), "{refused:?}");
    assert!(refused.stderr.contains("[y/N]") && !refused.stdout.contains("/n"), "{refused:?}");
    let told = place.run(&["accept", STORE, "--no-diff", "--yes"]).ok();
    let file = place.files.join("snapshot.json");
    let expected = format!(
        "{file}, seq 2: 8 B\nput back the link {file}\naccepted as seq 2; retained: seq 2, 2, 1\n",
        file = file.display()
    );
    assert_eq!(told, expected);
    assert_eq!(place.run(&["cat", STORE]).ok(), r#"{"n": 9}"#);
    place.replace("snapshot.json", r#"{"n": }"#);
    let error = place.run(&["accept", STORE, "--no-diff"]).fails(8);
    assert!(error.contains("snapshot.json") && error.contains("line 1 column 7"), "it asks nothing: {error}");
}

/// What was committed is a file that claims to be larger than the memory that there is.
#[test]
fn an_edit_can_be_agreed_to_when_no_diff_is_possible() {
    let place = with_snapshots();
    place.replace("snapshot.json", r#"{"n": 9}"#);
    fs::File::options().write(true).open(place.json_of(2)).unwrap().set_len(1 << 40).unwrap();
    let told = place.run_within(1 << 20, &["accept", STORE]);
    assert!(told.stdout.contains("there is no diff: read ("), "{told:?}");
    assert!(told.stdout.ends_with(", seq 2: 8 B\n") && told.stderr.contains("[y/N]"), "{told:?}");
}

/// Of the two documents of 4 MiB, `serde_json`'s values would take 90 MiB.
#[test]
fn accept_takes_little_more_memory_than_the_documents() {
    let place = folder();
    place.create(1, &long_list("", 0));
    place.replace("snapshot.json", long_list("-1,", 0));
    let told = place.run_within(MEMORY_KIB, &["accept", STORE, "--yes"]).ok();
    assert!(told.contains("+ /0  -1\n0 changed, 1 added, 0 removed\n"), "{told}");
}

#[test]
fn another_seq_is_an_edit_too() {
    let place = with_snapshots();
    place.replace("snapshot.seq", "7\n");
    let told = place.run(&["accept", STORE, "--yes"]).ok();
    assert!(told.starts_with("seq 2 -> seq 7, as it stands there now\nthe same document, byte for byte\n"), "{told}");
    assert_eq!(place.seqs(), [7, 2, 1]);
}

#[test]
fn any_answer_but_yes_changes_nothing() {
    for answer in ["n\n", "\n", "", "maybe\n", "nyes\n"] {
        let place = with_snapshots();
        place.replace("snapshot.json", "[9]");
        let before = place.generations();
        let refused = place.feed(&["accept", STORE], answer);
        assert_eq!(refused.code, Some(11), "{answer:?}: {refused:?}");
        assert!(
            refused.stderr.contains("nothing was changed") && refused.stderr.contains("`minisnap revert "),
            "{refused:?}"
        );
        assert_eq!(place.generations(), before);
        assert_eq!(fs::read_to_string(place.files.join("snapshot.json")).expect("it is still there"), "[9]");
        assert_eq!(place.seqs(), [2, 1]);
    }
}

#[test]
fn what_is_changed_while_the_question_stands_was_not_seen_and_is_not_taken() {
    let place = with_snapshots();
    place.replace("snapshot.json", "[9]");
    let mut child = meanwhile::start_asking(&place, &["accept", STORE]);
    let mut question = [0; 8];
    child.stderr.as_mut().expect("a pipe").read_exact(&mut question).expect("a question");
    place.replace("snapshot.json", "[10]");
    child.stdin.take().expect("a pipe").write_all(b"y\n").expect("it listens");
    let ended = Ran::of(child.wait_with_output().expect("it ends"));
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.stderr.contains("changed meanwhile"), "{ended:?}");
    assert_eq!(place.seqs(), [2, 1]);
}

#[test]
fn what_is_replaced_can_be_moved_aside() {
    let place = with_snapshots();
    place.replace("snapshot.json", "[9]");
    let told = place.run(&["revert", STORE]).ok();
    let moved = told.strip_prefix("moved aside: ").expect("its new name").lines().next().expect("a line");
    assert_eq!(fs::read_to_string(moved).expect("it is there"), "[9]");
    assert_eq!(place.run(&["cat", STORE]).ok(), "{\n  \"n\": 2\n}");
    place.run(&["verify", STORE]).ok();
    assert!(place.run(&["revert", STORE]).ok().starts_with("nothing to revert"));
}

#[test]
fn a_slip_of_the_editor_is_told_with_its_position_and_changes_nothing() {
    let place = with_snapshots();
    place.replace("snapshot.json", "{\n  \"n\": yes\n}");
    let error = place.run(&["accept", STORE, "--yes"]).fails(8);
    assert!(error.contains("snapshot.json") && error.contains("line 2"), "{error}");
    place.replace("snapshot.seq", "two\n");
    let error = place.run(&["accept", STORE, "--yes"]).fails(8);
    assert!(error.contains("snapshot.seq") && error.contains("two"), "{error}");
    assert_eq!(place.seqs(), [2, 1]);
}

#[test]
fn an_edit_in_another_encoding_is_named_as_that() {
    let place = with_snapshots();
    let utf16: Vec<_> = "{\"n\": 3}".encode_utf16().flat_map(u16::to_be_bytes).collect();
    for (edit, encoding) in [(&b"\xEF\xBB\xBF{\"n\": 3}"[..], "UTF-8 with a byte order mark"), (&utf16, "UTF-16BE")] {
        place.replace("snapshot.json", edit);
        let error = place.run(&["accept", STORE, "--yes"]).fails(8);
        assert!(error.contains("snapshot.json") && error.contains(encoding), "{error}");
    }
    place.replace("snapshot.json", "{\"n\": 3}");
    place.replace("snapshot.seq", "\u{feff}3\r\n");
    let error = place.run(&["accept", STORE, "--yes"]).fails(8);
    assert!(error.contains("snapshot.seq") && error.contains("UTF-8 with a byte order mark"), "{error}");
    assert_eq!(place.seqs(), [2, 1]);
}

#[test]
fn what_cant_be_an_edit_is_told() {
    let place = with_snapshots();
    fs::remove_file(place.files.join("snapshot.json")).expect("it is there");
    let told = place.run(&["accept", STORE, "--yes"]).ok();
    assert!(told.starts_with("put back the link "), "{told}");
    fs::remove_file(place.files.join("snapshot.json")).expect("it is there");
    symlink("/dev/zero", place.files.join("snapshot.json")).expect("a link");
    let error = place.run(&["accept", STORE, "--yes"]).fails(2);
    assert!(error.contains("no regular file"), "it isn't read for ever: {error}");
    folder().run(&["accept", STORE]).fails(3);
}

#[test]
fn objects_have_no_external_changes_and_it_says_what_to_do() {
    let place = s3();
    place.create(1, "1");
    for args in [&["accept", STORE][..], &["accept", STORE, "--yes"], &["revert", STORE]] {
        let error = place.run(args).fails(10);
        assert!(error.contains("s3://") && error.contains(&format!("minisnap create {}", place.store)), "{error}");
    }
}
