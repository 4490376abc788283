use crate::kit::{MEMORY_KIB, Ran, STORE, folder, long_list, places};

#[test]
fn what_changed_is_told_with_paths_and_each_number_exactly() {
    for place in places() {
        place.create(10, r#"{"balance": 18446744073709551616, "rate": 0.1, "gone": [1, 2], "users": [{"n": 1}]}"#);
        place.create(20, r#"{"balance": 18446744073709551617, "rate": 0.10, "new": null, "users": ["x", {"n": 1}]}"#);
        let expected = "seq 10 -> seq 20\n\
                        ~ /balance  18446744073709551616 -> 18446744073709551617\n\
                        - /gone  [1,2]\n\
                        + /new  null\n\
                        ~ /rate  0.1 -> 0.10\n\
                        + /users/0  \"x\"\n\
                        2 changed, 2 added, 1 removed\n";
        assert_eq!(place.run(&["diff", STORE]).ok(), expected);
        assert_eq!(place.run(&["diff", STORE, "19"]).ok(), expected, "at most 19 is 10");
        assert_eq!(place.run(&["diff", STORE, "10", "20"]).ok(), expected);
        let back = place.run(&["diff", STORE, "20", "10"]).ok();
        assert!(
            back.contains("seq 20 -> seq 10\n~ /balance  18446744073709551617 -> 18446744073709551616\n"),
            "{back}"
        );
    }
}

#[test]
fn for_programs_it_is_a_json_patch_with_each_number_exactly() {
    for place in places() {
        place.create(1, r#"{"a": 1, "big": 18446744073709551616}"#);
        place.create(2, r#"{"big": 18446744073709551617}"#);
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
        assert_eq!(place.run(&["diff", STORE, "--json"]).ok(), expected);
        let patch: json_patch::Patch = serde_json::from_str(expected).expect("a JSON Patch");
        let mut document = serde_json::json!({"a": 1, "big": 0});
        json_patch::patch(&mut document, &patch).expect("it fits");
        assert_eq!(document.get("a"), None);
    }
}

#[test]
fn the_same_document_written_differently_is_told_as_such() {
    for place in places() {
        place.create(1, r#"{"b": 1, "a": "A"}"#);
        place.create(2, r#"{"a": "\u0041", "b": 1}"#);
        place.create(3, r#"{"a": "A", "b": 1}"#);
        let told = |args: &[&str]| place.run(args).ok();
        assert_eq!(told(&["diff", STORE]), "seq 2 -> seq 3\nthe same document, byte for byte\n");
        assert_eq!(told(&["diff", STORE, "--json"]), "[]\n");
    }
    for place in places() {
        place.create(1, r#"{"b": 1, "a": "A"}"#);
        place.create(2, r#"{"a": "A", "b": 1}"#);
        let told = |args: &[&str]| place.run(args).ok();
        assert_eq!(told(&["diff", STORE]), "seq 1 -> seq 2\nthe same document, written differently\n");
        assert_eq!(told(&["diff", STORE, "--json"]), "[]\n");
    }
}

#[test]
fn a_snapshot_that_is_not_there_is_told_with_what_is() {
    for place in places() {
        place.run(&["diff", STORE]).fails(3);
        place.create(10, "1");
        assert!(place.run(&["diff", STORE]).fails(3).contains("before the current one; there are: seq 10 ("));
        place.create(20, "2");
        for args in [&["diff", STORE, "9"][..], &["diff", STORE, "9", "20"], &["diff", STORE, "10", "9"]] {
            let error = place.run(args).fails(3);
            assert!(error.contains("at most 9; there are: seq 20 (") && error.contains("seq 10 ("), "{error}");
        }
    }
}

#[test]
fn nothing_in_a_document_is_a_command_to_the_terminal() {
    let [place, _] = places();
    place.create(1, "{}");
    place.create(2, "{\"\u{9b}31m\": \"\\u001b[2J\u{7f}\"}");
    let Ran { stdout, .. } = place.run(&["diff", STORE]);
    assert!(stdout.contains("+ /\\u009b31m  \"\\u001b[2J\\u007f\""), "{stdout}");
}

#[test]
fn an_insertion_is_one_line_when_it_is_the_head_of_a_long_list() {
    let place = folder();
    let list = |head: &str| {
        let items: Vec<_> = (0..300_000).map(|id| format!("{{\"id\":{id}}}")).collect();
        format!("{{\"items\":[{head}{}]}}", items.join(","))
    };
    place.create(1, &list(""));
    place.create(2, &list("{\"id\":\"new\"},"));
    let expected = "seq 1 -> seq 2\n+ /items/0  {\"id\":\"new\"}\n0 changed, 1 added, 0 removed\n";
    assert_eq!(place.run(&["diff", STORE]).ok(), expected);
    let patch: serde_json::Value = serde_json::from_str(&place.run(&["diff", STORE, "--json"]).ok()).expect("JSON");
    assert_eq!(patch, serde_json::json!([{"op": "add", "path": "/items/0", "value": {"id": "new"}}]));
}

/// Of the two documents of 4 MiB, `serde_json`'s values would take 90 MiB.
#[test]
fn a_diff_takes_little_more_memory_than_the_documents() {
    let place = folder();
    place.create(1, &long_list("", 0));
    place.create(2, &long_list("-1,", 1_000_000));
    let told = place.run_within(MEMORY_KIB, &["diff", STORE]).ok();
    assert!(told.ends_with("500 changed, 1 added, 0 removed\n"), "{told}");
    let patch = place.run_within(MEMORY_KIB, &["diff", STORE, "--json"]).ok();
    assert_eq!(patch.matches("\"op\"").count(), 501);
}
