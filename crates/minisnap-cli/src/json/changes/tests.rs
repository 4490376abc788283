//! Changes, with a large and with a small memory budget.

use super::{
    super::{
        memory_budget::Budget,
        skip_index::SkipIndex,
        test_documents::{RandomFormatter, document},
    },
    *,
};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

/// One large budget, and small ones: with those, lists are matched by chunks of 16 or more elements, and objects in parts.
const BUDGETS: [(usize, usize); 5] = [(64 << 20, 64 << 10), (0, 1000), (0, 300), (0, 100), (0, 8)];

fn workspace(texts: [&[u8]; 2], (bytes, for_each): (usize, usize)) -> Workspace<'_> {
    Workspace { skip_index: SkipIndex::of(texts), budget: Budget::new(bytes, for_each) }
}

fn text(json: &[u8]) -> &str {
    std::str::from_utf8(json).expect("JSON is text")
}

/// Each change in a line: `+ /path new`, `- /path old`, `~ /path old new`.
fn lines(old: &Value, new: &Value) -> Vec<String> {
    lines_with(BUDGETS[0], old, new)
}

fn lines_with(budget: (usize, usize), old: &Value, new: &Value) -> Vec<String> {
    let (old, new, mut lines) = (old.to_string(), new.to_string(), Vec::new());
    let (old, new) = (old.as_bytes(), new.as_bytes());
    let Ok(()) = changes_in::<Infallible>(&workspace([old, new], budget), old, new, Notation::Text, |path, change| {
        lines.push(match change {
            Change::Added(value) => format!("+ {path} {}", text(value)),
            Change::Removed(value) => format!("- {path} {}", text(value)),
            Change::Replaced { old, new } => format!("~ {path} {} {}", text(old), text(new)),
        });
        Ok(())
    });
    lines
}

/// The changes as a JSON Patch.
fn patch(old: &str, new: &str) -> json_patch::Patch {
    patch_with(BUDGETS[0], old, new)
}

fn patch_with(budget: (usize, usize), old: &str, new: &str) -> json_patch::Patch {
    let (old, new, mut operations) = (old.as_bytes(), new.as_bytes(), Vec::new());
    let value = |json| serde_json::from_slice::<Value>(json).expect("a value is JSON");
    let Ok(()) = changes_in::<Infallible>(&workspace([old, new], budget), old, new, Notation::Patch, |path, change| {
        operations.push(match change {
            Change::Added(new) => json!({"op": "add", "path": path, "value": value(new)}),
            Change::Removed(_) => json!({"op": "remove", "path": path}),
            Change::Replaced { new, .. } => json!({"op": "replace", "path": path, "value": value(new)}),
        });
        Ok(())
    });
    serde_json::from_value(operations.into()).expect("a JSON Patch")
}

#[test]
fn change_has_its_path_and_values() {
    let old = json!({"same": [1], "lost": null, "users": [{"name": "Ann", "age": 3}], "a/b~c": 1});
    let new = json!({"same": [1], "new": {}, "users": [{"name": "Ann", "age": 4}], "a/b~c": "1"});
    let expected = [r#"~ /a~1b~0c 1 "1""#, "- /lost null", "+ /new {}", "~ /users/0/age 3 4"];
    assert_eq!(lines(&old, &new), expected);
    assert_eq!(lines(&json!(1), &json!([1])), ["~  1 [1]"], "the path of the document is empty");
}

#[test]
fn changed_elements_are_compared_in_depth() {
    let old = json!([{"id": 1, "n": 1}, "same", {"id": 2, "n": 1}, "end"]);
    let new = json!(["first", {"id": 1, "n": 2}, "same", {"id": 2, "n": 2}]);
    let lines = lines(&old, &new);
    assert!(lines.contains(&"~ /3/n 1 2".to_owned()), "by its position in the new list: {lines:?}");
    assert!(lines.contains(&"- /3 \"end\"".to_owned()), "by its position in the old list: {lines:?}");
}

#[test]
fn insertion_is_one_change_when_a_list_is_long() {
    let list: Vec<_> = (0..30_000).map(|id| json!({ "id": id })).collect();
    for position in [0, 1, 15_000, 29_999, 30_000] {
        let mut grown = list.clone();
        grown.insert(position, json!({"id": "new"}));
        assert_eq!(lines(&json!(list), &json!(grown)), [format!(r#"+ /{position} {{"id":"new"}}"#)]);
        assert_eq!(lines(&json!(grown), &json!(list)), [format!(r#"- /{position} {{"id":"new"}}"#)]);
        assert_eq!(patch(&json!(list).to_string(), &json!(grown).to_string()).0.len(), 1);
    }
}

#[test]
fn insertions_are_separate_when_they_are_far_apart() {
    let list: Vec<u64> = (0..100_000).collect();
    let mut grown = list.clone();
    for position in [99_000, 50_000, 1000] {
        grown.insert(position, 7_000_000);
    }
    grown.remove(0);
    let expected = ["- /0 0", "+ /999 7000000", "+ /50000 7000000", "+ /99001 7000000"];
    assert_eq!(lines(&json!(list), &json!(grown)), expected);
}

#[test]
fn last_value_counts_when_a_key_is_repeated() {
    let patch = patch(r#"{"a":1,"b":1,"a":2}"#, r#"{"b":1,"a":1,"b":3,"a":2}"#);
    assert_eq!(json!(patch), json!([{"op": "replace", "path": "/b", "value": 3}]));
}

/// The budget is too small for a hash of each element.
#[test]
fn changes_are_minimal_when_a_list_is_matched_by_chunks() {
    let list: Vec<_> = (0..30_000).map(|id| json!({ "id": id })).collect();
    let mut changed = list.clone();
    for position in [29_000, 15_000, 100] {
        changed.insert(position, json!({"id": "new"}));
    }
    changed.remove(20_000);
    changed[10_000] = json!({"id": "other"});
    let (old, new) = (json!(list), json!(changed));
    let (old_text, new_text) = (old.to_string(), new.to_string());
    let budget = (0, 50_000);
    let space = workspace([old_text.as_bytes(), new_text.as_bytes()], budget);
    let [old_list, new_list] = [&old_text, &new_text].map(|text| ListCursor::of(text.as_bytes(), &space.skip_index));
    let chunk = Alignment::find(old_list, new_list, None, &space).expect("enough memory").chunk();
    assert!(chunk > 1, "{chunk}");
    let lines = lines_with(budget, &old, &new);
    let expected = [
        r#"+ /100 {"id":"new"}"#,
        r#"~ /10000/id 9999 "other""#,
        r#"+ /15001 {"id":"new"}"#,
        r#"- /19998 {"id":19998}"#,
        r#"+ /29001 {"id":"new"}"#,
    ];
    assert_eq!(lines, expected);
}

#[test]
fn objects_are_compared_in_parts_when_they_are_large() {
    let members = |changed: u64| (0..1000_u64).map(move |n| (format!("key {n}"), json!(n + (n / 100) * changed)));
    let (old, new) = (Value::Object(members(0).collect()), Value::Object(members(1).skip(1).collect()));
    let (old_text, new_text) = (old.to_string(), new.to_string());
    let (old_json, new_json) = (old_text.as_bytes(), new_text.as_bytes());
    let budget = (0, 1000);
    assert_eq!(parts(old_json, new_json, &workspace([old_json, new_json], budget)), 16);
    let [mut in_parts, mut at_once] = [budget, BUDGETS[0]].map(|budget| lines_with(budget, &old, &new));
    in_parts.sort();
    at_once.sort();
    assert_eq!((in_parts.len(), in_parts), (901, at_once));
    let mut patched = old;
    json_patch::patch(&mut patched, &patch_with(budget, &old_text, &new_text)).expect("an applicable patch");
    assert_eq!(patched, new);
}

/// A document of `depth` levels, whose bytes are spread over all levels.
fn deep(depth: usize, leaf: &str) -> String {
    let items: Vec<_> = (0..60_000 / depth).map(|id| format!(r#"{{"id":{id},"text":"0123456789"}}"#)).collect();
    let level = format!(r#"{{"items":[{}],"next":"#, items.join(","));
    [level.repeat(depth), leaf.into(), "}".repeat(depth)].concat()
}

/// The shortest of three measured times.
fn time_of_diff(depth: usize) -> Duration {
    let (old, new) = (deep(depth, "1"), deep(depth, "2"));
    let time = |_| {
        let (started, mut count) = (Instant::now(), 0);
        let Ok(()) = changes::<Infallible>(old.as_bytes(), new.as_bytes(), Notation::Text, |_, _| {
            count += 1;
            Ok(())
        });
        assert_eq!(count, 1);
        started.elapsed()
    };
    (0..3).map(time).min().unwrap_or_default()
}

/// Without the skip index, each level would be scanned again at each level above it, which takes 25 times as long.
#[test]
fn diff_time_is_linear_when_a_document_is_deep() {
    let (flat, deep) = (time_of_diff(4), time_of_diff(100));
    assert!(deep < 5 * flat, "{deep:?} for 100 levels, {flat:?} for 4");
}

proptest! {
    #[test]
    fn changes_have_the_values_of_both_documents(
        (old, new) in prop_oneof![(document(), document()), (similar(), similar()), (long(), long())],
        wrapped in any::<bool>(), budget in prop::sample::select(&BUDGETS),
    ) {
        let (old, new) = if wrapped { (json!([1, old, 2]), json!([1, 2, new])) } else { (old, new) };
        let (old_text, new_text) = (old.to_string(), new.to_string());
        let (old_text, new_text) = (old_text.as_bytes(), new_text.as_bytes());
        let (mut count, value) = (0, |json| serde_json::from_slice::<Value>(json).ok());
        let space = workspace([old_text, new_text], budget);
        changes_in(&space, old_text, new_text, Notation::Text, |path, change| {
            count += 1;
            match change {
                Change::Added(added) => prop_assert_eq!(new.pointer(path).cloned(), value(added)),
                Change::Removed(removed) => prop_assert_eq!(old.pointer(path).cloned(), value(removed)),
                Change::Replaced { old, new: replacing } => {
                    prop_assert_ne!(value(old), value(replacing));
                    prop_assert_eq!(new.pointer(path).cloned(), value(replacing));
                }
            }
            Ok(())
        })?;
        prop_assert_eq!(count == 0, old == new);
    }

    #[test]
    fn patch_converts_the_old_document_to_the_new_one(
        (old, new) in prop_oneof![(similar(), similar()), (long(), long())],
        old_choices in any::<Vec<u8>>(), new_choices in any::<Vec<u8>>(), budget in prop::sample::select(&BUDGETS),
    ) {
        let (old_text, new_text) = (RandomFormatter::format(&old, &old_choices), RandomFormatter::format(&new, &new_choices));
        let patch = patch_with(budget, &old_text, &new_text);
        let mut patched = old;
        prop_assert!(json_patch::patch(&mut patched, &patch).is_ok(), "{patch}");
        prop_assert_eq!(patched, new);
    }

    #[test]
    fn changes_are_empty_when_only_the_form_differs(
        document in document(), old in any::<Vec<u8>>(), new in any::<Vec<u8>>(),
    ) {
        prop_assert!(patch(&RandomFormatter::format(&document, &old), &RandomFormatter::format(&document, &new)).0.is_empty());
    }
}

/// Documents that have much in common: few keys and values, in lists of lists.
fn similar() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![(0..4).prop_map(Value::from), document()];
    leaf.prop_recursive(4, 60, 8, |inner| {
        prop_oneof![
            3 => vec(inner.clone(), 0..8).prop_map(Value::from),
            1 => prop::collection::btree_map("[ab~/]{1,2}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Lists and objects that are long enough to be matched by chunks and in parts.
fn long() -> impl Strategy<Value = Value> {
    let item = || prop_oneof![(0..4).prop_map(Value::from), (0..4).prop_map(|n| json!({"n": [n]}))];
    prop_oneof![
        (vec(item(), 0..9), 0..60_u64)
            .prop_map(|(items, from)| (from..from + 120).map(Value::from).chain(items).collect()),
        vec(item(), 0..200).prop_map(Value::from),
        prop::collection::btree_map("[a-d]{1,3}", item(), 0..80)
            .prop_map(|map| Value::Object(map.into_iter().collect())),
    ]
}
