//! When two values are the same: numbers by their digits, strings by what they say, objects whatever the order of their keys,
//! where the last value of a key counts. White space makes no difference.

use super::{
    budget::{Taken, Workspace},
    landmarks::LARGE,
    pass::hash_of,
    spans::{Elements, Member, Members, text},
};
use std::{borrow::Cow, mem::size_of};

/// The members of an object in the order of their keys, each key once; or those of one of several parts of an object that is
/// too large for one index.
#[derive(Debug)]
pub(super) struct Index<'a, 'b> {
    object: &'a [u8],
    /// Where the keys begin.
    offsets: Vec<usize>,
    space: &'b Workspace<'b>,
    _taken: Taken<'b>,
}

/// In how many parts an object is indexed, and which of them this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) number: usize,
    pub(super) of: usize,
}

impl Part {
    pub(super) const WHOLE: Self = Self { number: 0, of: 1 };

    fn has(self, key: &[u8]) -> bool {
        self.of == 1 || hash_of(text(key)) % self.of as u64 == self.number as u64
    }
}

/// In how many parts these two objects fit in the budget, an index of each at the same time.
pub(super) fn parts(one: &[u8], other: &[u8], space: &Workspace<'_>) -> usize {
    let count = |object| Members::of(object, &space.landmarks).count();
    let members = count(one) + count(other);
    (members * size_of::<usize>()).div_ceil(space.budget.for_one()).max(1)
}

impl<'a, 'b> Index<'a, 'b> {
    pub(super) fn of(object: &'a [u8], part: Part, space: &'b Workspace<'b>) -> Self {
        let members = || Members::of(object, &space.landmarks).filter(|member| part.has(member.key));
        let count = members().count();
        let taken = space.budget.take(count * size_of::<usize>());
        let mut offsets = Vec::with_capacity(count);
        offsets.extend(members().map(|member| member.offset));
        let key = |offset| text(Members::key_at(object, offset));
        offsets.sort_unstable_by(|one, other| key(*one).cmp(&key(*other)).then(one.cmp(other)));
        offsets.dedup_by(|later, kept| {
            let is_same = key(*later) == key(*kept);
            if is_same {
                *kept = *later;
            }
            is_same
        });
        Self { object, offsets, space, _taken: taken }
    }

    /// How many they are.
    pub(super) fn count(&self) -> usize {
        self.offsets.len()
    }

    /// Each key, as it reads, with its value.
    pub(super) fn members(&self) -> impl Iterator<Item = (Cow<'a, [u8]>, &'a [u8])> {
        self.offsets.iter().map(|offset| {
            let Member { key, value, .. } = Members::at(self.object, *offset, &self.space.landmarks);
            (text(key), value)
        })
    }
}

/// Whether two values are the same. What is too large for the budget is taken for different, and so is what is large and has a
/// key twice: true only in part, so that it is for finding what belongs together, and not for telling what changed.
pub(super) fn is_same(one: &[u8], other: &[u8], space: &Workspace<'_>) -> bool {
    if is_written_the_same(one, other, space) {
        return true;
    }
    match (one[0], other[0]) {
        (b'"', b'"') => text(one) == text(other),
        _ if one.len().max(other.len()) >= LARGE && space.landmarks.hash(one) != space.landmarks.hash(other) => false,
        (b'[', b'[') => {
            let [mut ones, mut others] = [one, other].map(|list| Elements::of(list, &space.landmarks));
            loop {
                match (ones.next(), others.next()) {
                    (Some(one), Some(other)) if is_same(one, other, space) => {}
                    (None, None) => return true,
                    _ => return false,
                }
            }
        }
        (b'{', b'{') if parts(one, other, space) == 1 => {
            let [ones, others] = [one, other].map(|object| Index::of(object, Part::WHOLE, space));
            ones.count() == others.count()
                && ones
                    .members()
                    .zip(others.members())
                    .all(|((one_key, one), (other_key, other))| one_key == other_key && is_same(one, other, space))
        }
        _ => false,
    }
}

/// Whether they are the same byte for byte. Large values are compared only if their hashes are the same: those that differ at
/// their ends only are in others that do, and all of their bytes would be compared at each level.
pub(super) fn is_written_the_same(one: &[u8], other: &[u8], space: &Workspace<'_>) -> bool {
    let may_be = || one.len() < LARGE || space.landmarks.hash(one) == space.landmarks.hash(other);
    one.len() == other.len() && may_be() && one == other
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            landmarks::Landmarks,
            written::{Freely, document},
        },
        *,
    };
    use proptest::prelude::*;

    fn same(one: &str, other: &str) -> bool {
        let (one, other) = (one.trim().as_bytes(), other.trim().as_bytes());
        let space = Workspace::of([one, other]);
        let same = is_same(one, other, &space);
        assert_eq!(same, is_same(other, one, &space));
        same
    }

    #[test]
    fn numbers_are_the_same_only_if_their_digits_are() {
        let numbers = ["18446744073709551616", "18446744073709551617", "0.1", "0.10", "1", "1.0", "1e0", "0", "-0"];
        for one in numbers {
            for other in numbers {
                assert_eq!(same(one, other), one == other, "{one} and {other}");
            }
        }
    }

    #[test]
    fn values_of_different_kinds_are_never_the_same() {
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
    fn space_escapes_and_the_order_of_keys_make_no_difference() {
        assert!(same(r#"{"a": "A", "b": [ 1 ]}"#, r#"{"b":[1],"\u0061":"\u0041"}"#));
    }

    #[test]
    fn the_last_value_counts_when_a_key_stands_twice() {
        assert!(same(r#"{"a":1,"b":2,"\u0061":3}"#, r#"{"a":3,"b":2}"#));
        assert!(!same(r#"{"a":3,"b":2,"\u0061":1}"#, r#"{"a":3,"b":2}"#));
    }

    fn has_same_hash(one: &str, other: &str) -> bool {
        let (one, other) = (one.trim().as_bytes(), other.trim().as_bytes());
        let landmarks = Landmarks::of([one, other]);
        landmarks.hash(one) == landmarks.hash(other)
    }

    proptest! {
        #[test]
        fn documents_are_the_same_however_they_are_written(document in document(), choices in any::<Vec<u8>>()) {
            let (one, other) = (Freely::write(&document, &choices), serde_json::to_string_pretty(&document).unwrap());
            prop_assert!(same(&one, &other));
            prop_assert!(has_same_hash(&one, &other));
        }

        #[test]
        fn documents_are_the_same_only_if_their_values_are(one in document(), other in document()) {
            let (one_text, other_text) = (one.to_string(), other.to_string());
            prop_assert_eq!(same(&one_text, &other_text), one == other);
            prop_assert_eq!(has_same_hash(&one_text, &other_text), one == other);
        }

        #[test]
        fn documents_are_the_same_if_the_digits_in_them_are(one in digits(), other in digits()) {
            prop_assert_eq!(same(&one, &other), one == other);
        }
    }

    /// Few enough that two are often the same, and close enough that floats are.
    fn digits() -> impl Strategy<Value = String> {
        "\\[[12]{1,2}(\\.0{1,2})?(e0)?,\"[12]\"(,9007199254740993|,9007199254740992)?\\]"
    }
}
