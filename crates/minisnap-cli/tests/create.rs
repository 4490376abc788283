//! `minisnap create`.

use crate::support::{RunResult, STORE, document, folder, runtime, sandboxes};
use serde_json::Value;
use std::{fs, io::Write, process::Command};

/// Numbers that no float can represent, repeated keys, and escapes in strings.
const UNUSUAL: &str =
    r#"{"b":1.10,"a":123456789012345678901234567890,"b":[1E5,-0.0,0.30000000000000004,{},[]],"é\u0041":"\/\u00e9\n"}"#;
const UNUSUAL_FORMATTED: &str = "{\n  \"b\": 1.10,\n  \"a\": 123456789012345678901234567890,\n  \"b\": [\n    1E5,\n    -0.0,\n    \
                           0.30000000000000004,\n    {},\n    []\n  ],\n  \"éA\": \"/é\\n\"\n}";

#[test]
fn create_preserves_the_digits_of_numbers() {
    for sandbox in sandboxes() {
        let file = sandbox.write("unusual.json", UNUSUAL);
        sandbox.run(&["create", STORE, "--seq", "1", &file]).ok();
        assert_eq!(sandbox.run(&["restore", STORE]).ok(), UNUSUAL_FORMATTED);
        sandbox.run_with_input(&["create", STORE, "--seq", "2", "-"], "[2]").ok();
        sandbox.run_with_input(&["create", STORE, "--seq", "3"], "[\n3]\n\n").ok();
        assert_eq!(sandbox.run(&["restore", STORE]).ok(), "[\n  3\n]");
        assert_eq!(sandbox.seqs(), [3, 2]);
        assert_eq!(fs::read_to_string(sandbox.json_of(3)).expect("a file"), "[\n  3\n]", "on the medium");
    }
}

#[test]
fn create_writes_the_pair_in_a_folder() {
    let sandbox = folder();
    sandbox.create(10, UNUSUAL);
    assert_eq!(fs::read_to_string(sandbox.files.join("snapshot.json")).expect("a link to a file"), UNUSUAL_FORMATTED);
    assert_eq!(fs::read_to_string(sandbox.files.join("snapshot.seq")).expect("a link to a file"), "10\n");
}

#[test]
fn create_reports_the_commit_as_text_and_json() {
    for sandbox in sandboxes() {
        let message = sandbox.run_with_input(&["create", STORE, "--seq", "7"], "[1, 2]").ok();
        assert_eq!(
            message,
            format!(
                "committed seq 7 (12 B) to {}; retained: seq 7; the log can be truncated through seq 7\n",
                sandbox.store
            )
        );
        let message: Value =
            serde_json::from_str(&sandbox.run_with_input(&["create", STORE, "--seq", "9", "--json"], "9").ok())
                .expect("JSON");
        assert_eq!((&message["committed"]["seq"], &message["committed"]["size"]), (&9.into(), &1.into()));
        assert_eq!(message["committed"]["digest"].as_str().map(str::len), Some(16));
        assert_eq!((&message["truncation_point"], &message["retained"][1]["seq"]), (&7.into(), &7.into()));
    }
}

#[test]
fn if_newer_refuses_a_seq_that_is_not_higher() {
    for sandbox in sandboxes() {
        sandbox.run_with_input(&["create", STORE, "--seq", "5", "--if-newer"], "5").ok();
        for seq in ["5", "4"] {
            let message = sandbox.run_with_input(&["create", STORE, "--seq", seq, "--if-newer"], "[]").fails(4);
            assert!(message.contains("is not above seq 5") && message.contains(&sandbox.store), "{message}");
        }
        assert_eq!(sandbox.seqs(), [5]);
        sandbox.run_with_input(&["create", STORE, "--seq", "6", "--if-newer"], "6").ok();
        sandbox.run_with_input(&["create", STORE, "--seq", "5"], "5").succeeds();
        assert_eq!(sandbox.seqs(), [5, 6], "without --if-newer, the last commit wins");
    }
}

#[test]
fn invalid_json_is_refused_with_line_and_column() {
    let deep = format!("{}{}", "[".repeat(128), "]".repeat(128));
    for sandbox in sandboxes() {
        sandbox.create(1, "1");
        for (json, position) in [
            ("{\n \"a\": 1,\n \"b\": }", "line 3 column 7"),
            ("", "the input is empty"),
            (" \n", "the input is empty"),
            ("[1e400]", "line 1 column 6"),
            ("1 2", "line 1 column 3"),
            (&deep, "line 1 column 128"),
        ] {
            let message = sandbox.run_with_input(&["create", STORE, "--seq", "2"], json).fails(8);
            assert!(message.contains(position) && message.contains("standard input"), "{json}: {message}");
        }
        assert_eq!((sandbox.seqs(), sandbox.generations().len()), (vec![1], 1));
    }
}

/// Notepad, and `>` in PowerShell, write such files.
#[test]
fn other_encoding_is_named_with_a_command_to_convert_it() {
    let json = "{\"é\": [1]}";
    let utf16 = |mark: &str| format!("{mark}{json}").encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    for sandbox in sandboxes() {
        sandbox.create(1, "1");
        for (name, text, encoding) in [
            ("bom.json", format!("\u{feff}{json}").into_bytes(), "UTF-8 with a byte order mark (BOM)"),
            ("utf 16.json", utf16("\u{feff}"), "UTF-16"),
            ("bare.json", utf16(""), "UTF-16LE"),
        ] {
            let file = sandbox.write(name, &text);
            let message = sandbox.run(&["create", STORE, "--seq", "2", &file]).fails(8);
            assert!(message.contains(&format!("this is {encoding}")) && message.contains(&file), "{message}");
            assert!(sandbox.run_with_input(&["create", STORE, "--seq", "2"], &text).fails(8).contains(encoding));
            assert_eq!(sandbox.seqs(), [1]);

            // The command in the help creates the same document.
            let command = message.split('`').nth(1).expect("a command");
            let (to_utf8, create) = command.split_once(" | ").expect("two commands");
            let utf8 = Command::new("sh").args(["-c", to_utf8]).output().expect("a shell").stdout;
            assert_eq!(create, format!("minisnap create {} --seq 2", sandbox.store));
            sandbox.run_with_input(&["create", STORE, "--seq", "2", "--retain", "2"], utf8).ok();
            assert_eq!(sandbox.run(&["cat", STORE]).ok(), "{\n  \"é\": [\n    1\n  ]\n}");
            sandbox.run_with_input(&["create", STORE, "--seq", "1", "--retain", "1"], "1").succeeds();
        }
    }
}

#[test]
fn unreadable_file_is_named() {
    for sandbox in sandboxes() {
        for file in [sandbox.path_text("missing.json"), sandbox.path_text(".")] {
            let message = sandbox.run(&["create", STORE, "--seq", "1", &file]).fails(9);
            assert!(message.contains(&file), "{message}");
        }
        assert_eq!(sandbox.seqs(), [0; 0]);
    }
}

#[test]
fn create_expires_no_more_than_before_without_retain() {
    for sandbox in sandboxes() {
        let store = sandbox.open().retain(4);
        runtime().block_on(async {
            for seq in 1..=4 {
                store.create(&seq, seq).await.expect("a snapshot");
            }
        });
        sandbox.create(5, "5");
        assert_eq!(sandbox.seqs(), [5, 4, 3, 2], "as many as before");
        sandbox.run_with_input(&["create", STORE, "--seq", "6", "--retain", "9"], "6").ok();
        assert_eq!(sandbox.seqs(), [6, 5, 4, 3, 2]);
        sandbox.run_with_input(&["create", STORE, "--seq", "7", "--retain", "1"], "7").ok();
        assert_eq!(sandbox.seqs(), [7]);
        sandbox.create(8, "8");
        assert_eq!(sandbox.seqs(), [8, 7], "and at least two");
    }
}

#[test]
fn large_document_round_trips_without_output() {
    let json = document(40 << 20);
    for sandbox in sandboxes() {
        sandbox.create(1, &json);
        assert!(sandbox.run(&["restore", STORE]).ok() == json, "the bytes differ");
        sandbox.run(&["restore", STORE, "--output", "out"]).ok();
        assert!(fs::read(sandbox.path("out")).expect("a file") == json.as_bytes(), "the bytes in the file differ");
    }
}

#[test]
fn create_commits_even_when_its_output_is_closed() {
    for sandbox in sandboxes() {
        let mut child = sandbox.start_on_pipes(&["create", STORE, "--seq", "1"]);
        drop(child.stdout.take());
        child.stdin.take().expect("a pipe").write_all(b"1").expect("the program reads");
        RunResult::of(child.wait_with_output().expect("the program ends")).ok();
        assert_eq!(sandbox.seqs(), [1]);

        let file = sandbox.write("two.json", "2");
        let message = sandbox.run_onto_full_output(&["create", STORE, "--seq", "2", &file]).fails(9);
        assert!(message.contains("No space left") && message.contains("committed nevertheless"), "{message}");
        assert_eq!(sandbox.seqs(), [2, 1]);
    }
}

#[test]
fn store_options_are_passed_and_unknown_ones_refused() {
    for sandbox in sandboxes() {
        sandbox.run_with_input(&["create", STORE, "--seq", "1", "--option", "busy_timeout=2.5"], "1").ok();
        let message = sandbox.run(&["show", STORE, "--option", "colour=red"]).fails(64);
        assert!(message.contains("has no option `colour`") && message.contains("busy_timeout"), "{message}");
        assert_eq!(sandbox.run(&["show", STORE, "--option", "colour"]).code, Some(64));
    }
}

/// A lower seq is usually a mistake: the log before the higher one may have been truncated.
#[test]
fn create_warns_when_its_seq_is_below_the_current_one() {
    for sandbox in sandboxes() {
        sandbox.create(10, "10");
        let args = |rest: &[&'static str]| [&["create", STORE, "--seq"], rest].concat();
        sandbox.run_with_input(&args(&["10"]), "1").ok();
        let (warning, _) = sandbox.run_with_input(&args(&["3"]), "3").note_or_warning("warning");
        assert!(warning.starts_with("seq 3 is below seq 10 of the snapshot that was current before; "), "{warning}");
        assert_eq!(sandbox.seqs(), [3, 10]);
        // The rollback command in the warning works.
        let name = warning.split(&['`', ' '][..]).find(|word| word.starts_with("0000")).expect("a name");
        sandbox.run(&["rollback", STORE, "--to", name]).ok();
        for json in [&[][..], &["--json"]] {
            sandbox.create(11, "11");
            let result = sandbox.run_with_input(&[&args(&["2", "--retain", "1"]), json].concat(), "2");
            let (warning, printed) = result.note_or_warning("warning");
            assert!(warning.starts_with("seq 2 is below seq 11 ") && warning.contains("--retain"), "{warning}");
            assert!(json.is_empty() || serde_json::from_str::<Value>(&printed).is_ok(), "{printed}");
        }
    }
}

/// The path may be mistyped, or its disk may not be mounted.
#[test]
fn create_notes_a_new_store() {
    for rest in [&[][..], &["--json"], &["--retain", "1"], &["--if-newer"]] {
        for sandbox in sandboxes() {
            let args = [&["create", STORE, "--seq", "1"], rest].concat();
            let (note, printed) = sandbox.run_with_input(&args, "1").note_or_warning("note");
            assert_eq!(note, format!("{}: created a new store\n", sandbox.store));
            assert!(!rest.contains(&"--json") || serde_json::from_str::<Value>(&printed).is_ok(), "{printed}");
            let again = sandbox.run_with_input(&[&["create", STORE, "--seq", "2"], rest].concat(), "2");
            assert_eq!((again.code, again.stderr.as_str()), (Some(0), ""));
        }
    }
}

/// A failed allocation would abort the program without a message.
#[test]
fn create_fails_cleanly_when_memory_is_short() {
    let sandbox = folder();
    let row = format!("[{}0]", "1,".repeat(200));
    let json = sandbox.write("large.json", format!("[{}{row}]", format!("{row},").repeat(30_000)));
    // Too little for the input, and for the input with its formatted copy.
    for kib in [42_000, 60_000] {
        let result = sandbox.run_within(kib, &["create", STORE, "--seq", "1", &json, "--json"]);
        let output: serde_json::Value = serde_json::from_str(&result.stdout).expect("JSON");
        assert!(output["error"]["help"].as_str().is_some_and(|help| help.contains("ulimit -v")), "{output}");
        assert_eq!((result.code, sandbox.run(&["show", STORE]).code), (Some(2), Some(3)), "{result:?}");
    }
}
