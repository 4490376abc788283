//! Equality of two values: numbers by their digits, strings by their text, objects independent of the order of their keys. Of
//! a repeated key, the last value counts. White space makes no difference.

use super::{
    memory_budget::{Taken, Workspace},
    scan::hash_of,
    skip_index::LARGE,
    spans::{Elements, Member, Members, text},
};
use std::{borrow::Cow, mem::size_of};

/// The members of an object, sorted by their keys, each key once. An object that is too large for one index has several, each
/// with a part of its members.
#[derive(Debug)]
pub(super) struct Index<'a, 'b> {
    object: &'a [u8],
    /// The offsets of the keys in the object's text.
    offsets: Vec<usize>,
    space: &'b Workspace<'b>,
    _taken: Taken<'b>,
}

/// Which part of an object is indexed, and in how many parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) number: usize,
    pub(super) of: usize,
}

impl Part {
    pub(super) const ALL: Self = Self { number: 0, of: 1 };

    fn contains(self, key: &[u8]) -> bool {
        self.of == 1 || hash_of(text(key)) % self.of as u64 == self.number as u64
    }
}

/// The number of parts in which both objects fit in the budget, with an index of each at the same time.
pub(super) fn parts(one: &[u8], other: &[u8], space: &Workspace<'_>) -> usize {
    let count = |object| Members::of(object, &space.skip_index).count();
    let members = count(one) + count(other);
    (members * size_of::<usize>()).div_ceil(space.budget.for_one()).max(1)
}

impl<'a, 'b> Index<'a, 'b> {
    pub(super) fn of(object: &'a [u8], part: Part, space: &'b Workspace<'b>) -> Self {
        let members = || Members::of(object, &space.skip_index).filter(|member| part.contains(member.key));
        let count = members().count();
        let taken = space.budget.take(count * size_of::<usize>());
        let mut offsets = Vec::with_capacity(count);
        offsets.extend(members().map(|member| member.offset));
        let key = |offset| text(Members::key_at(object, offset));
        offsets.sort_unstable_by(|one, other| key(*one).cmp(&key(*other)).then(one.cmp(other)));
        offsets.dedup_by(|later, earlier| {
            let is_equal = key(*later) == key(*earlier);
            if is_equal {
                *earlier = *later;
            }
            is_equal
        });
        Self { object, offsets, space, _taken: taken }
    }

    /// The number of members.
    pub(super) fn count(&self) -> usize {
        self.offsets.len()
    }

    /// Each key, without its escapes, with its value.
    pub(super) fn members(&self) -> impl Iterator<Item = (Cow<'a, [u8]>, &'a [u8])> {
        self.offsets.iter().map(|offset| {
            let Member { key, value, .. } = Members::at(self.object, *offset, &self.space.skip_index);
            (text(key), value)
        })
    }
}

/// Whether two values are equal. May return false for equal values: if they are too large for the budget, or large with a
/// repeated key. So it is used to match elements, but not to decide whether something changed.
pub(super) fn is_equal(one: &[u8], other: &[u8], space: &Workspace<'_>) -> bool {
    if is_byte_identical(one, other, space) {
        return true;
    }
    match (one[0], other[0]) {
        (b'"', b'"') => text(one) == text(other),
        _ if one.len().max(other.len()) >= LARGE && space.skip_index.hash(one) != space.skip_index.hash(other) => false,
        (b'[', b'[') => {
            let [mut ones, mut others] = [one, other].map(|list| Elements::of(list, &space.skip_index));
            loop {
                match (ones.next(), others.next()) {
                    (Some(one), Some(other)) if is_equal(one, other, space) => {}
                    (None, None) => return true,
                    _ => return false,
                }
            }
        }
        (b'{', b'{') if parts(one, other, space) == 1 => {
            let [ones, others] = [one, other].map(|object| Index::of(object, Part::ALL, space));
            ones.count() == others.count()
                && ones
                    .members()
                    .zip(others.members())
                    .all(|((one_key, one), (other_key, other))| one_key == other_key && is_equal(one, other, space))
        }
        _ => false,
    }
}

/// Whether two values have the same bytes. Large values are compared only if their hashes are equal. Otherwise, values that
/// differ only at their end would be compared completely at each level of nesting.
pub(super) fn is_byte_identical(one: &[u8], other: &[u8], space: &Workspace<'_>) -> bool {
    let may_be = || one.len() < LARGE || space.skip_index.hash(one) == space.skip_index.hash(other);
    one.len() == other.len() && may_be() && one == other
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            skip_index::SkipIndex,
            test_documents::{RandomFormatter, document},
        },
        *,
    };
    use proptest::prelude::*;

    fn same(one: &str, other: &str) -> bool {
        let (one, other) = (one.trim().as_bytes(), other.trim().as_bytes());
        let space = Workspace::of([one, other]);
        let same = is_equal(one, other, &space);
        assert_eq!(same, is_equal(other, one, &space));
        same
    }

    #[test]
    fn numbers_are_equal_only_when_their_digits_are() {
        let numbers = ["18446744073709551616", "18446744073709551617", "0.1", "0.10", "1", "1.0", "1e0", "0", "-0"];
        for one in numbers {
            for other in numbers {
                assert_eq!(same(one, other), one == other, "{one} and {other}");
            }
        }
    }

    #[test]
    fn values_of_different_kinds_are_never_equal() {
        let values = [
            "null",
            "true",
            "1",
            "\"1\"",
            "\"null\"",
            "[]",
            "{}",
            "[1]",
            "[\"1\"]",
            "[[]]",
            "[[],[]]",
            "[[[]]]",
            "[{}]",
            r#"{"1":1}"#,
            r#"{"":{}}"#,
            r#""""#,
            r#""\u0000""#,
            r#""\u00001""#,
        ];
        for (index, one) in values.iter().enumerate() {
            for other in &values[index + 1..] {
                assert!(!same(one, other), "{one} and {other}");
            }
        }
    }

    #[test]
    fn space_escapes_and_key_order_make_no_difference() {
        assert!(same(r#"{"a": "A", "b": [ 1 ]}"#, r#"{"b":[1],"\u0061":"\u0041"}"#));
    }

    #[test]
    fn last_value_counts_when_a_key_is_repeated() {
        assert!(same(r#"{"a":1,"b":2,"\u0061":3}"#, r#"{"a":3,"b":2}"#));
        assert!(!same(r#"{"a":3,"b":2,"\u0061":1}"#, r#"{"a":3,"b":2}"#));
    }

    fn has_same_hash(one: &str, other: &str) -> bool {
        let (one, other) = (one.trim().as_bytes(), other.trim().as_bytes());
        let skip_index = SkipIndex::of([one, other]);
        skip_index.hash(one) == skip_index.hash(other)
    }

    proptest! {
        #[test]
        fn documents_are_equal_in_any_form(document in document(), choices in any::<Vec<u8>>()) {
            let (one, other) = (RandomFormatter::format(&document, &choices), serde_json::to_string_pretty(&document).unwrap());
            prop_assert!(same(&one, &other));
            prop_assert!(has_same_hash(&one, &other));
        }

        #[test]
        fn documents_are_equal_only_when_their_values_are(one in document(), other in document()) {
            let (one_text, other_text) = (one.to_string(), other.to_string());
            prop_assert_eq!(same(&one_text, &other_text), one == other);
            prop_assert_eq!(has_same_hash(&one_text, &other_text), one == other);
        }

        #[test]
        fn documents_are_equal_when_their_digits_are(one in digits(), other in digits()) {
            prop_assert_eq!(same(&one, &other), one == other);
        }
    }

    /// Few values, so that two are often equal; and close ones, which would be equal as floats.
    fn digits() -> impl Strategy<Value = String> {
        "\\[[12]{1,2}(\\.0{1,2})?(e0)?,\"[12]\"(,9007199254740993|,9007199254740992)?\\]"
    }
}
