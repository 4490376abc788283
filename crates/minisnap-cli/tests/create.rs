//! `minisnap create`.

use crate::kit::{Ran, STORE, document, folder, places, runtime};
use serde_json::Value;
use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

/// Numbers that no float holds, keys that stand there twice, and strings in all their forms.
const ODD: &str =
    r#"{"b":1.10,"a":123456789012345678901234567890,"b":[1E5,-0.0,0.30000000000000004,{},[]],"é\u0041":"\/\u00e9\n"}"#;
const ODD_IN_FORM: &str = "{\n  \"b\": 1.10,\n  \"a\": 123456789012345678901234567890,\n  \"b\": [\n    1E5,\n    -0.0,\n    \
                           0.30000000000000004,\n    {},\n    []\n  ],\n  \"éA\": \"/é\\n\"\n}";

#[test]
fn a_document_becomes_a_snapshot_with_its_numbers_as_they_are() {
    for place in places() {
        let file = place.write("odd.json", ODD);
        place.run(&["create", STORE, "--seq", "1", &file]).ok();
        assert_eq!(place.run(&["restore", STORE]).ok(), ODD_IN_FORM);
        place.feed(&["create", STORE, "--seq", "2", "-"], "[2]").ok();
        place.feed(&["create", STORE, "--seq", "3"], "[\n3]\n\n").ok();
        assert_eq!(place.run(&["restore", STORE]).ok(), "[\n  3\n]");
        assert_eq!(place.seqs(), [3, 2]);
        assert_eq!(fs::read_to_string(place.json_of(3)).expect("a file"), "[\n  3\n]", "on the medium");
    }
}

#[test]
fn a_folder_has_the_pair_that_cat_shows() {
    let place = folder();
    place.create(10, ODD);
    assert_eq!(fs::read_to_string(place.files.join("snapshot.json")).expect("a link to a file"), ODD_IN_FORM);
    assert_eq!(fs::read_to_string(place.files.join("snapshot.seq")).expect("a link to a file"), "10\n");
}

#[test]
fn it_says_what_it_committed_to_people_and_to_programs() {
    for place in places() {
        let said = place.feed(&["create", STORE, "--seq", "7"], "[1, 2]").ok();
        assert_eq!(
            said,
            format!(
                "committed seq 7 (12 B) to {}; retained: seq 7; the log can be truncated through seq 7\n",
                place.store
            )
        );
        let said: Value =
            serde_json::from_str(&place.feed(&["create", STORE, "--seq", "9", "--json"], "9").ok()).expect("JSON");
        assert_eq!((&said["committed"]["seq"], &said["committed"]["size"]), (&9.into(), &1.into()));
        assert_eq!(said["committed"]["digest"].as_str().map(str::len), Some(16));
        assert_eq!((&said["truncation_point"], &said["retained"][1]["seq"]), (&7.into(), &7.into()));
    }
}

#[test]
fn if_newer_commits_nothing_that_is_not() {
    for place in places() {
        place.feed(&["create", STORE, "--seq", "5", "--if-newer"], "5").ok();
        for seq in ["5", "4"] {
            let said = place.feed(&["create", STORE, "--seq", seq, "--if-newer"], "[]").fails(4);
            assert!(said.contains("is not above seq 5") && said.contains(&place.store), "{said}");
        }
        assert_eq!(place.seqs(), [5]);
        place.feed(&["create", STORE, "--seq", "6", "--if-newer"], "6").ok();
        place.feed(&["create", STORE, "--seq", "5"], "5").done();
        assert_eq!(place.seqs(), [5, 6], "without it, the last to commit wins");
    }
}

#[test]
fn what_no_restore_could_read_is_refused_with_line_and_column() {
    let deep = format!("{}{}", "[".repeat(128), "]".repeat(128));
    for place in places() {
        place.create(1, "1");
        for (json, where_it_is) in [
            ("{\n \"a\": 1,\n \"b\": }", "line 3 column 7"),
            ("", "it is empty"),
            (" \n", "it is empty"),
            ("[1e400]", "line 1 column 6"),
            ("1 2", "line 1 column 3"),
            (&deep, "line 1 column 128"),
        ] {
            let said = place.feed(&["create", STORE, "--seq", "2"], json).fails(8);
            assert!(said.contains(where_it_is) && said.contains("standard input"), "{json}: {said}");
        }
        assert_eq!((place.seqs(), place.generations().len()), (vec![1], 1));
    }
}

/// As Notepad, or `>` in PowerShell, writes it.
#[test]
fn another_encoding_is_named_with_the_command_that_mends_it() {
    let json = "{\"é\": [1]}";
    let utf16 = |mark: &str| format!("{mark}{json}").encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    for place in places() {
        place.create(1, "1");
        for (name, text, encoding) in [
            ("bom.json", format!("\u{feff}{json}").into_bytes(), "UTF-8 with a byte order mark (BOM)"),
            ("utf 16.json", utf16("\u{feff}"), "UTF-16"),
            ("bare.json", utf16(""), "UTF-16LE"),
        ] {
            let file = place.write(name, &text);
            let said = place.run(&["create", STORE, "--seq", "2", &file]).fails(8);
            assert!(said.contains(&format!("this is {encoding}")) && said.contains(&file), "{said}");
            assert!(place.feed(&["create", STORE, "--seq", "2"], &text).fails(8).contains(encoding));
            assert_eq!(place.seqs(), [1]);

            // Followed to the letter, it creates the same document.
            let command = said.split('`').nth(1).expect("a command");
            let (to_utf8, create) = command.split_once(" | ").expect("two commands");
            let utf8 = Command::new("sh").args(["-c", to_utf8]).output().expect("a shell").stdout;
            assert_eq!(create, format!("minisnap create {} --seq 2", place.store));
            place.feed(&["create", STORE, "--seq", "2", "--retain", "2"], utf8).ok();
            assert_eq!(place.run(&["cat", STORE]).ok(), "{\n  \"é\": [\n    1\n  ]\n}");
            place.feed(&["create", STORE, "--seq", "1", "--retain", "1"], "1").done();
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    for place in places() {
        for file in [place.path_text("missing.json"), place.path_text(".")] {
            let said = place.run(&["create", STORE, "--seq", "1", &file]).fails(9);
            assert!(said.contains(&file), "{said}");
        }
        assert_eq!(place.seqs(), [0; 0]);
    }
}

#[test]
fn no_more_is_expired_than_was_retained_unless_asked_for() {
    for place in places() {
        let store = place.open().retain(4);
        runtime().block_on(async {
            for seq in 1..=4 {
                store.create(&seq, seq).await.expect("a snapshot");
            }
        });
        place.create(5, "5");
        assert_eq!(place.seqs(), [5, 4, 3, 2], "as many as before");
        place.feed(&["create", STORE, "--seq", "6", "--retain", "9"], "6").ok();
        assert_eq!(place.seqs(), [6, 5, 4, 3, 2]);
        place.feed(&["create", STORE, "--seq", "7", "--retain", "1"], "7").ok();
        assert_eq!(place.seqs(), [7]);
        place.create(8, "8");
        assert_eq!(place.seqs(), [8, 7], "and at least two");
    }
}

#[test]
fn a_large_document_comes_back_byte_for_byte_in_silence() {
    let json = document(40 << 20);
    for place in places() {
        place.create(1, &json);
        assert!(place.run(&["restore", STORE]).ok() == json, "other bytes came back");
        place.run(&["restore", STORE, "--output", "out"]).ok();
        assert!(fs::read(place.path("out")).expect("a file") == json.as_bytes(), "other bytes are in the file");
    }
}

#[test]
fn what_is_committed_is_done_also_if_nobody_reads_that_it_is() {
    for place in places() {
        let mut command = place.command(&["create", STORE, "--seq", "1"]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it");
        drop(child.stdout.take());
        child.stdin.take().expect("a pipe").write_all(b"1").expect("it reads");
        Ran::of(child.wait_with_output().expect("it ends")).ok();
        assert_eq!(place.seqs(), [1]);

        let full = fs::File::options().write(true).open("/dev/full").expect("Linux");
        let file = place.write("two.json", "2");
        let mut command = place.command(&["create", STORE, "--seq", "2", &file]);
        let said = Ran::of(
            command.stdout(full).stderr(Stdio::piped()).spawn().expect("it").wait_with_output().expect("it ends"),
        )
        .fails(9);
        assert!(said.contains("No space left") && said.contains("committed all the same"), "{said}");
        assert_eq!(place.seqs(), [2, 1]);
    }
}

#[test]
fn options_of_the_store_are_passed_on_and_unknown_ones_refused() {
    for place in places() {
        place.feed(&["create", STORE, "--seq", "1", "--option", "busy_timeout=2.5"], "1").ok();
        let said = place.run(&["show", STORE, "--option", "colour=red"]).fails(64);
        assert!(said.contains("it has no option `colour`") && said.contains("busy_timeout"), "{said}");
        assert_eq!(place.run(&["show", STORE, "--option", "colour"]).code, Some(64));
    }
}

/// A seq that is lower than before is mostly a slip: the log that belongs to the higher one may be gone.
#[test]
fn create_warns_if_its_seq_is_below_the_current_one() {
    for place in places() {
        place.create(10, "10");
        let args = |rest: &[&'static str]| [&["create", STORE, "--seq"], rest].concat();
        place.feed(&args(&["10"]), "1").ok();
        let (warning, _) = place.feed(&args(&["3"]), "3").remarks("warning");
        assert!(warning.starts_with("seq 3 is below seq 10 of the snapshot it replaces as current; "), "{warning}");
        assert_eq!(place.seqs(), [3, 10]);
        // The way back that it names leads back.
        let name = warning.split(&['`', ' '][..]).find(|word| word.starts_with("0000")).expect("a name");
        place.run(&["rollback", STORE, "--to", name]).ok();
        for json in [&[][..], &["--json"]] {
            place.create(11, "11");
            let ran = place.feed(&[&args(&["2", "--retain", "1"]), json].concat(), "2");
            let (warning, printed) = ran.remarks("warning");
            assert!(warning.starts_with("seq 2 is below seq 11 ") && warning.contains("--retain"), "{warning}");
            assert!(json.is_empty() || serde_json::from_str::<Value>(&printed).is_ok(), "{printed}");
        }
    }
}

/// A path that is mistyped, or on a disk that isn't mounted, would take the snapshot in silence.
#[test]
fn create_notes_that_it_makes_a_new_store() {
    for rest in [&[][..], &["--json"], &["--retain", "1"], &["--if-newer"]] {
        for place in places() {
            let args = [&["create", STORE, "--seq", "1"], rest].concat();
            let (note, printed) = place.feed(&args, "1").remarks("note");
            assert_eq!(note, format!("{}: this makes a new store\n", place.store));
            assert!(!rest.contains(&"--json") || serde_json::from_str::<Value>(&printed).is_ok(), "{printed}");
            let again = place.feed(&[&["create", STORE, "--seq", "2"], rest].concat(), "2");
            assert_eq!((again.code, again.stderr.as_str()), (Some(0), ""));
        }
    }
}

/// An allocation that fails would end the program, without a word of what that means.
#[test]
fn create_says_so_when_there_is_too_little_memory() {
    let place = folder();
    let row = format!("[{}0]", "1,".repeat(200));
    let json = place.write("large.json", format!("[{}{row}]", format!("{row},").repeat(30_000)));
    // Too little for the text, and for the text and its form.
    for kib in [42_000, 60_000] {
        let ran = place.run_within(kib, &["create", STORE, "--seq", "1", &json, "--json"]);
        let told: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
        assert!(told["error"]["help"].as_str().is_some_and(|help| help.contains("ulimit -v")), "{told}");
        assert_eq!((ran.code, place.run(&["show", STORE]).code), (Some(2), Some(3)), "{ran:?}");
    }
}
