use crate::support::{MEMORY_KIB, RunResult, STORE, folder, long_list, sandboxes};

#[test]
fn diff_prints_paths_and_exact_numbers() {
    for sandbox in sandboxes() {
        sandbox.create(10, r#"{"balance": 18446744073709551616, "rate": 0.1, "lost": [1, 2], "users": [{"n": 1}]}"#);
        sandbox.create(20, r#"{"balance": 18446744073709551617, "rate": 0.10, "new": null, "users": ["x", {"n": 1}]}"#);
        let expected = "seq 10 -> seq 20\n\
                        ~ /balance  18446744073709551616 -> 18446744073709551617\n\
                        - /lost  [1,2]\n\
                        + /new  null\n\
                        ~ /rate  0.1 -> 0.10\n\
                        + /users/0  \"x\"\n\
                        2 changed, 2 added, 1 removed\n";
        assert_eq!(sandbox.run(&["diff", STORE]).ok(), expected);
        assert_eq!(sandbox.run(&["diff", STORE, "19"]).ok(), expected, "at most 19 is 10");
        assert_eq!(sandbox.run(&["diff", STORE, "10", "20"]).ok(), expected);
        let back = sandbox.run(&["diff", STORE, "20", "10"]).ok();
        assert!(
            back.contains("seq 20 -> seq 10\n~ /balance  18446744073709551617 -> 18446744073709551616\n"),
            "{back}"
        );
    }
}

#[test]
fn diff_json_is_a_patch_with_exact_numbers() {
    for sandbox in sandboxes() {
        sandbox.create(1, r#"{"a": 1, "big": 18446744073709551616}"#);
        sandbox.create(2, r#"{"big": 18446744073709551617}"#);
        let expected = r#"[
  {
    "op": "replace",
    "path": "/big",
    "value": 18446744073709551617
  },
  {
    "op": "remove",
    "path": "/a"
  }
]
"#;
        assert_eq!(sandbox.run(&["diff", STORE, "--json"]).ok(), expected);
        let patch: json_patch::Patch = serde_json::from_str(expected).expect("a JSON Patch");
        let mut document = serde_json::json!({"a": 1, "big": 0});
        json_patch::patch(&mut document, &patch).expect("an applicable patch");
        assert_eq!(document.get("a"), None);
    }
}

#[test]
fn diff_distinguishes_equal_bytes_from_another_form() {
    for sandbox in sandboxes() {
        sandbox.create(1, r#"{"b": 1, "a": "A"}"#);
        sandbox.create(2, r#"{"a": "\u0041", "b": 1}"#);
        sandbox.create(3, r#"{"a": "A", "b": 1}"#);
        let output = |args: &[&str]| sandbox.run(args).ok();
        assert_eq!(output(&["diff", STORE]), "seq 2 -> seq 3\nthe same document, byte for byte\n");
        assert_eq!(output(&["diff", STORE, "--json"]), "[]\n");
    }
    for sandbox in sandboxes() {
        sandbox.create(1, r#"{"b": 1, "a": "A"}"#);
        sandbox.create(2, r#"{"a": "A", "b": 1}"#);
        let output = |args: &[&str]| sandbox.run(args).ok();
        assert_eq!(output(&["diff", STORE]), "seq 1 -> seq 2\nthe same document, written differently\n");
        assert_eq!(output(&["diff", STORE, "--json"]), "[]\n");
    }
}

#[test]
fn missing_snapshot_error_lists_the_retained_ones() {
    for sandbox in sandboxes() {
        sandbox.run(&["diff", STORE]).fails(3);
        sandbox.create(10, "1");
        assert!(sandbox.run(&["diff", STORE]).fails(3).contains("before the current one; retained are: seq 10 ("));
        sandbox.create(20, "2");
        for args in [&["diff", STORE, "9"][..], &["diff", STORE, "9", "20"], &["diff", STORE, "10", "9"]] {
            let error = sandbox.run(args).fails(3);
            assert!(error.contains("at most 9; retained are: seq 20 (") && error.contains("seq 10 ("), "{error}");
        }
    }
}

#[test]
fn diff_escapes_terminal_commands() {
    let [sandbox, _] = sandboxes();
    sandbox.create(1, "{}");
    sandbox.create(2, "{\"\u{9b}31m\": \"\\u001b[2J\u{7f}\"}");
    let RunResult { stdout, .. } = sandbox.run(&["diff", STORE]);
    assert!(stdout.contains("+ /\\u009b31m  \"\\u001b[2J\\u007f\""), "{stdout}");
}

#[test]
fn insertion_is_one_line_at_the_head_of_a_long_list() {
    let sandbox = folder();
    let list = |head: &str| {
        let items: Vec<_> = (0..300_000).map(|id| format!("{{\"id\":{id}}}")).collect();
        format!("{{\"items\":[{head}{}]}}", items.join(","))
    };
    sandbox.create(1, &list(""));
    sandbox.create(2, &list("{\"id\":\"new\"},"));
    let expected = "seq 1 -> seq 2\n+ /items/0  {\"id\":\"new\"}\n0 changed, 1 added, 0 removed\n";
    assert_eq!(sandbox.run(&["diff", STORE]).ok(), expected);
    let patch: serde_json::Value = serde_json::from_str(&sandbox.run(&["diff", STORE, "--json"]).ok()).expect("JSON");
    assert_eq!(patch, serde_json::json!([{"op": "add", "path": "/items/0", "value": {"id": "new"}}]));
}

/// As `serde_json::Value`, the two documents of 4 MiB would take 90 MiB.
#[test]
fn diff_takes_little_more_memory_than_the_documents() {
    let sandbox = folder();
    sandbox.create(1, &long_list("", 0));
    sandbox.create(2, &long_list("-1,", 1_000_000));
    let output = sandbox.run_within(MEMORY_KIB, &["diff", STORE]).ok();
    assert!(output.ends_with("500 changed, 1 added, 0 removed\n"), "{output}");
    let patch = sandbox.run_within(MEMORY_KIB, &["diff", STORE, "--json"]).ok();
    assert_eq!(patch.matches("\"op\"").count(), 501);
}
