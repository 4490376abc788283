//! What changed between two documents, for people. A JSON Patch is for programs: of a list that got a new head, it says that
//! every element changed.

use serde_json::{Map, Value};
use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// How long the elements of lists are matched with each other. What isn't matched until then is told as replaced: true, but
/// longer than need be.
const MATCHING: Duration = Duration::from_secs(5);

/// One place in which two documents differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference<'a> {
    /// Where, as a JSON Pointer (RFC 6901): in the old document for what was removed, in the new one for all else.
    pub(crate) path: String,
    pub(crate) change: Change<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change<'a> {
    Added(&'a Value),
    Removed(&'a Value),
    Replaced { old: &'a Value, new: &'a Value },
}

/// Every place in which `new` differs from `old`, in the order of the documents; none if they are the same.
pub(crate) fn changes<'a>(old: &'a Value, new: &'a Value) -> Vec<Difference<'a>> {
    let mut walk = Walk { path: String::new(), found: Vec::new(), deadline: Instant::now() + MATCHING };
    walk.compare(old, new);
    walk.found
}

struct Walk<'a> {
    path: String,
    found: Vec<Difference<'a>>,
    deadline: Instant,
}

impl<'a> Walk<'a> {
    fn compare(&mut self, old: &'a Value, new: &'a Value) {
        match (old, new) {
            (Value::Object(old), Value::Object(new)) => self.objects(old, new),
            (Value::Array(old), Value::Array(new)) => self.arrays(old, new),
            _ if old == new => {}
            _ => self.tell(Change::Replaced { old, new }),
        }
    }

    fn objects(&mut self, old: &'a Map<String, Value>, new: &'a Map<String, Value>) {
        for key in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
            self.within(&key.replace('~', "~0").replace('/', "~1"), |walk| match (old.get(key), new.get(key)) {
                (Some(old), Some(new)) => walk.compare(old, new),
                (Some(old), None) => walk.tell(Change::Removed(old)),
                (None, Some(new)) => walk.tell(Change::Added(new)),
                (None, None) => {}
            });
        }
    }

    fn arrays(&mut self, old: &'a [Value], new: &'a [Value]) {
        for part in capture_diff_slices_deadline(Algorithm::Myers, old, new, Some(self.deadline)) {
            if let DiffOp::Equal { .. } = part {
                continue;
            }
            let (old_range, new_range) = (part.old_range(), part.new_range());
            // In one part, the elements are taken for each other in their order; what is over is new, or gone.
            let pairs = old_range.len().min(new_range.len());
            for (old_index, new_index) in old_range.clone().zip(new_range.clone()) {
                self.within(&new_index.to_string(), |walk| walk.compare(&old[old_index], &new[new_index]));
            }
            for index in old_range.skip(pairs) {
                self.within(&index.to_string(), |walk| walk.tell(Change::Removed(&old[index])));
            }
            for index in new_range.skip(pairs) {
                self.within(&index.to_string(), |walk| walk.tell(Change::Added(&new[index])));
            }
        }
    }

    fn within(&mut self, part: &str, look: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push('/');
        self.path.push_str(part);
        look(self);
        self.path.truncate(length);
    }

    fn tell(&mut self, change: Change<'a>) {
        self.found.push(Difference { path: self.path.clone(), change });
    }
}

#[cfg(test)]
mod tests {
    use super::{super::written::document, *};
    use proptest::prelude::*;
    use serde_json::json;

    /// Each change in a line: `+ /path new`, `- /path old`, `~ /path old new`.
    fn lines(old: &Value, new: &Value) -> Vec<String> {
        let line = |difference: &Difference<'_>| match difference.change {
            Change::Added(value) => format!("+ {} {value}", difference.path),
            Change::Removed(value) => format!("- {} {value}", difference.path),
            Change::Replaced { old, new } => format!("~ {} {old} {new}", difference.path),
        };
        changes(old, new).iter().map(line).collect()
    }

    #[test]
    fn each_place_is_told_with_its_path_and_what_stands_there() {
        let old = json!({"same": [1], "gone": null, "users": [{"name": "Ann", "age": 3}], "a/b~c": 1});
        let new = json!({"same": [1], "new": {}, "users": [{"name": "Ann", "age": 4}], "a/b~c": "1"});
        let expected = [r#"~ /a~1b~0c 1 "1""#, "- /gone null", "+ /new {}", "~ /users/0/age 3 4"];
        assert_eq!(lines(&old, &new), expected);
        assert_eq!(lines(&json!(1), &json!([1])), ["~  1 [1]"], "of the whole document, the path is empty");
    }

    #[test]
    fn a_new_head_of_a_long_list_is_one_change() {
        let list: Vec<_> = (0..1000).map(|id| json!({ "id": id })).collect();
        let grown: Vec<_> = [json!({"id": "new"})].into_iter().chain(list.clone()).collect();
        assert_eq!(lines(&json!(list), &json!(grown)), [r#"+ /0 {"id":"new"}"#]);
        assert_eq!(lines(&json!(grown), &json!(list)), [r#"- /0 {"id":"new"}"#]);
    }

    #[test]
    fn changed_elements_are_looked_into() {
        let old = json!([{"id": 1, "n": 1}, "same", {"id": 2, "n": 1}, "end"]);
        let new = json!(["first", {"id": 1, "n": 2}, "same", {"id": 2, "n": 2}]);
        let lines = lines(&old, &new);
        assert!(lines.contains(&"~ /3/n 1 2".to_owned()), "by its place in the new list: {lines:?}");
        assert!(lines.contains(&"- /3 \"end\"".to_owned()), "by its place in the old list: {lines:?}");
    }

    proptest! {
        #[test]
        fn there_are_changes_where_documents_differ_and_they_say_what_stands_there(
            old in document(), new in document(), wrapped in any::<bool>(),
        ) {
            let (old, new) = if wrapped { (json!([1, old, 2]), json!([1, 2, new])) } else { (old, new) };
            let changes = changes(&old, &new);
            prop_assert_eq!(changes.is_empty(), old == new);
            for Difference { path, change } in &changes {
                match change {
                    Change::Added(value) => prop_assert_eq!(new.pointer(path), Some(*value)),
                    Change::Removed(value) => prop_assert_eq!(old.pointer(path), Some(*value)),
                    Change::Replaced { old, new: value } => {
                        prop_assert_ne!(old, value);
                        prop_assert_eq!(new.pointer(path), Some(*value));
                    }
                }
            }
        }

        #[test]
        fn a_document_has_no_changes_against_itself(document in document()) {
            prop_assert!(changes(&document, &document.clone()).is_empty());
        }
    }
}
