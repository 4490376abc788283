//! What changed between two documents: a walk over both texts, which holds nothing of them but an index of each object and
//! list that it is in, within a [`Budget`].

use super::{
    budget::Budget,
    identity::{Index, Part, is_same, parts},
    lists::{Alignment, Rest},
};

/// Who the changes are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Keys in their order. The path of what was removed is that in the old document.
    Person,
    /// Of an object, what was removed comes last. Each path is right once all changes before it were made, as in a JSON Patch.
    Program,
}

/// What changed at one place. Values are slices of the documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change<'a> {
    Added(&'a [u8]),
    Removed(&'a [u8]),
    Replaced { old: &'a [u8], new: &'a [u8] },
}

/// Tells every place in which `new` differs from `old`, with its path, a JSON Pointer (RFC 6901), until `tell` fails.
/// `check_json` must have accepted both.
pub(crate) fn changes<'a, E>(
    old: &'a [u8],
    new: &'a [u8],
    reader: Reader,
    mut tell: impl FnMut(&str, Change<'a>) -> Result<(), E>,
) -> Result<(), E> {
    let budget = Budget::for_texts(old.len() + new.len());
    let mut walk = Walk { budget: &budget, reader, tell: &mut tell, path: String::new() };
    walk.compare(old.trim_ascii(), new.trim_ascii())
}

struct Walk<'a, 'b, E> {
    budget: &'b Budget,
    reader: Reader,
    tell: &'b mut dyn FnMut(&str, Change<'a>) -> Result<(), E>,
    path: String,
}

impl<'a, E> Walk<'a, '_, E> {
    fn compare(&mut self, old: &'a [u8], new: &'a [u8]) -> Result<(), E> {
        match (old[0], new[0]) {
            _ if old == new => Ok(()),
            (b'{', b'{') => self.objects(old, new),
            (b'[', b'[') => self.lists(Rest::of(old), Rest::of(new), None),
            _ if is_same(old, new, self.budget) => Ok(()),
            _ => (self.tell)(&self.path, Change::Replaced { old, new }),
        }
    }

    fn objects(&mut self, old: &'a [u8], new: &'a [u8]) -> Result<(), E> {
        let of = parts(old, new, self.budget);
        for number in 0..of {
            let [old, new] = [old, new].map(|object| Index::of(object, Part { number, of }, self.budget));
            match self.reader {
                Reader::Person => self.members(&old, &new, |_| true)?,
                Reader::Program => {
                    self.members(&old, &new, |is_removed| !is_removed)?;
                    self.members(&old, &new, |is_removed| is_removed)?;
                }
            }
        }
        Ok(())
    }

    /// Those of the members of two objects that are asked for.
    fn members(&mut self, old: &Index<'a, '_>, new: &Index<'a, '_>, wanted: impl Fn(bool) -> bool) -> Result<(), E> {
        let (mut olds, mut news) = (old.members().peekable(), new.members().peekable());
        loop {
            let is_old = match (olds.peek(), news.peek()) {
                (None, None) => return Ok(()),
                (Some((old, _)), Some((new, _))) => old <= new,
                (old, _) => old.is_some(),
            };
            let is_new = match (olds.peek(), news.peek()) {
                (Some((old, _)), Some((new, _))) => new <= old,
                (_, new) => new.is_some(),
            };
            let (old, new) = (olds.next_if(|_| is_old), news.next_if(|_| is_new));
            let Some((key, _)) = new.as_ref().or(old.as_ref()) else { return Ok(()) };
            if !wanted(new.is_none()) {
                continue;
            }
            let key = String::from_utf8_lossy(key).replace('~', "~0").replace('/', "~1");
            self.within(&key, |walk| walk.change(old.map(|(_, value)| value), new.map(|(_, value)| value)))?;
        }
    }

    /// What is left of two lists. Where it was aligned in chunks already, in smaller ones than those.
    fn lists(&mut self, mut old: Rest<'a>, mut new: Rest<'a>, within: Option<usize>) -> Result<(), E> {
        old.trim_common(&mut new, self.budget);
        let Some(alignment) = Alignment::find(old, new, within, self.budget) else { return self.pairs(old, new) };
        for found in alignment.runs() {
            let (before, same) = (old.split(found.old_before), old.split(found.old_same));
            let (new_before, new_same) = (new.split(found.new_before), new.split(found.new_same));
            self.unmatched(before, new_before, &alignment)?;
            // They have the same hash, and that is seldom no proof.
            self.pairs(same, new_same)?;
        }
        self.unmatched(old, new, &alignment)
    }

    fn unmatched(&mut self, old: Rest<'a>, new: Rest<'a>, alignment: &Alignment<'_>) -> Result<(), E> {
        match alignment.chunk() {
            1 => self.pairs(old, new),
            chunk => self.lists(old, new, Some(chunk)),
        }
    }

    /// Elements that are taken for each other in their order; what is over is new, or gone.
    fn pairs(&mut self, mut old: Rest<'a>, mut new: Rest<'a>) -> Result<(), E> {
        loop {
            let (old_index, new_index) = (old.index, new.index);
            let (old, new) = (old.next(), new.next());
            let index = match (old, new, self.reader) {
                (None, None, _) => return Ok(()),
                (Some(_), None, Reader::Person) => old_index,
                _ => new_index,
            };
            self.within(&index.to_string(), |walk| walk.change(old, new))?;
        }
    }

    fn change(&mut self, old: Option<&'a [u8]>, new: Option<&'a [u8]>) -> Result<(), E> {
        match (old, new) {
            (Some(old), Some(new)) => self.compare(old, new),
            (Some(old), None) => (self.tell)(&self.path, Change::Removed(old)),
            (None, Some(new)) => (self.tell)(&self.path, Change::Added(new)),
            (None, None) => Ok(()),
        }
    }

    fn within(&mut self, part: &str, look: impl FnOnce(&mut Self) -> Result<(), E>) -> Result<(), E> {
        let length = self.path.len();
        self.path.push('/');
        self.path.push_str(part);
        let looked = look(self);
        self.path.truncate(length);
        looked
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::written::{Freely, document},
        *,
    };
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use std::convert::Infallible;

    fn text(json: &[u8]) -> &str {
        std::str::from_utf8(json).expect("JSON is text")
    }

    /// Each change in a line: `+ /path new`, `- /path old`, `~ /path old new`.
    fn lines(old: &Value, new: &Value) -> Vec<String> {
        let (old, new, mut lines) = (old.to_string(), new.to_string(), Vec::new());
        let Ok(()) = changes::<Infallible>(old.as_bytes(), new.as_bytes(), Reader::Person, |path, change| {
            lines.push(match change {
                Change::Added(value) => format!("+ {path} {}", text(value)),
                Change::Removed(value) => format!("- {path} {}", text(value)),
                Change::Replaced { old, new } => format!("~ {path} {} {}", text(old), text(new)),
            });
            Ok(())
        });
        lines
    }

    /// The JSON Patch that they are.
    fn patch(old: &str, new: &str) -> json_patch::Patch {
        let mut operations = Vec::new();
        let value = |json| serde_json::from_slice::<Value>(json).expect("a value is JSON");
        let Ok(()) = changes::<Infallible>(old.as_bytes(), new.as_bytes(), Reader::Program, |path, change| {
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
    fn each_place_is_told_with_its_path_and_what_stands_there() {
        let old = json!({"same": [1], "gone": null, "users": [{"name": "Ann", "age": 3}], "a/b~c": 1});
        let new = json!({"same": [1], "new": {}, "users": [{"name": "Ann", "age": 4}], "a/b~c": "1"});
        let expected = [r#"~ /a~1b~0c 1 "1""#, "- /gone null", "+ /new {}", "~ /users/0/age 3 4"];
        assert_eq!(lines(&old, &new), expected);
        assert_eq!(lines(&json!(1), &json!([1])), ["~  1 [1]"], "of the whole document, the path is empty");
    }

    #[test]
    fn changed_elements_are_looked_into() {
        let old = json!([{"id": 1, "n": 1}, "same", {"id": 2, "n": 1}, "end"]);
        let new = json!(["first", {"id": 1, "n": 2}, "same", {"id": 2, "n": 2}]);
        let lines = lines(&old, &new);
        assert!(lines.contains(&"~ /3/n 1 2".to_owned()), "by its place in the new list: {lines:?}");
        assert!(lines.contains(&"- /3 \"end\"".to_owned()), "by its place in the old list: {lines:?}");
    }

    #[test]
    fn an_insertion_is_one_change_when_a_list_is_long() {
        let list: Vec<_> = (0..30_000).map(|id| json!({ "id": id })).collect();
        for place in [0, 1, 15_000, 29_999, 30_000] {
            let mut grown = list.clone();
            grown.insert(place, json!({"id": "new"}));
            assert_eq!(lines(&json!(list), &json!(grown)), [format!(r#"+ /{place} {{"id":"new"}}"#)]);
            assert_eq!(lines(&json!(grown), &json!(list)), [format!(r#"- /{place} {{"id":"new"}}"#)]);
            assert_eq!(patch(&json!(list).to_string(), &json!(grown).to_string()).0.len(), 1);
        }
    }

    #[test]
    fn insertions_are_told_alone_when_they_are_far_apart() {
        let list: Vec<u64> = (0..100_000).collect();
        let mut grown = list.clone();
        for place in [99_000, 50_000, 1000] {
            grown.insert(place, 7_000_000);
        }
        grown.remove(0);
        let expected = ["- /0 0", "+ /999 7000000", "+ /50000 7000000", "+ /99001 7000000"];
        assert_eq!(lines(&json!(list), &json!(grown)), expected);
    }

    #[test]
    fn the_last_value_counts_when_a_key_stands_twice() {
        let patch = patch(r#"{"a":1,"b":1,"a":2}"#, r#"{"b":1,"a":1,"b":3,"a":2}"#);
        assert_eq!(json!(patch), json!([{"op": "replace", "path": "/b", "value": 3}]));
    }

    proptest! {
        #[test]
        fn changes_say_what_stands_there_wherever_documents_differ(
            old in document(), new in document(), wrapped in any::<bool>(),
        ) {
            let (old, new) = if wrapped { (json!([1, old, 2]), json!([1, 2, new])) } else { (old, new) };
            let (old_text, new_text) = (old.to_string(), new.to_string());
            let (mut count, value) = (0, |json| serde_json::from_slice::<Value>(json).ok());
            changes(old_text.as_bytes(), new_text.as_bytes(), Reader::Person, |path, change| {
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
        fn a_patch_makes_the_new_document_of_the_old_one(
            old in similar(), new in similar(), old_choices in any::<Vec<u8>>(), new_choices in any::<Vec<u8>>(),
        ) {
            let patch = patch(&Freely::write(&old, &old_choices), &Freely::write(&new, &new_choices));
            let mut patched = old;
            prop_assert!(json_patch::patch(&mut patched, &patch).is_ok(), "{patch}");
            prop_assert_eq!(patched, new);
        }

        #[test]
        fn there_are_no_changes_when_a_document_is_written_differently(
            document in document(), old in any::<Vec<u8>>(), new in any::<Vec<u8>>(),
        ) {
            prop_assert!(patch(&Freely::write(&document, &old), &Freely::write(&document, &new)).0.is_empty());
        }
    }

    /// Documents that have much in common: few keys and values, in lists of lists.
    fn similar() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![(0..4).prop_map(Value::from), document()];
        leaf.prop_recursive(4, 60, 8, |inner| {
            prop_oneof![
                3 => prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                1 => prop::collection::btree_map("[ab~/]{1,2}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }
}
