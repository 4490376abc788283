//! A state in which a change that is lost, applied twice or out of order is seen, and so is a value that came back
//! changed by a bit; and changes for it.

use crate::whole::mix;
use ministate::Mutator;
use serde::{Deserialize, Serialize};
use std::{cell::Cell, collections::BTreeMap, iter};

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Books {
    counts: BTreeMap<String, u64>,
    notes: Vec<Note>,
    /// Of all that went into it, the later the heavier.
    mean: Real,
}

/// Values as a log and a snapshot must keep them.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Note {
    text: String,
    real: Real,
    natural: u64,
    integer: i64,
    wide: u128,
}

/// A finite number, the same only if all its bits are: -0.0 is not 0.0.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Real(f64);

impl PartialEq for Real {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

/// None of these does the same once and twice.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Change {
    Count { name: String, by: u64 },
    Note(Note),
    Weigh(Real),
}

impl Mutator<Books> for Change {
    fn apply(&self, books: &mut Books) {
        APPLIED.set(APPLIED.get() + 1);
        match self {
            Self::Count { name, by } => {
                let count = books.counts.entry(name.clone()).or_default();
                *count = count.wrapping_add(*by);
            }
            Self::Note(note) => books.notes.push(note.clone()),
            Self::Weigh(Real(weight)) => books.mean = Real(books.mean.0 / 2.0 + weight / 2.0),
        }
    }
}

thread_local! {
    static APPLIED: Cell<u64> = const { Cell::new(0) };
}

/// How many changes were applied on this thread so far.
pub(super) fn applied_here() -> u64 {
    APPLIED.get()
}

impl Books {
    pub(super) fn after<'a>(changes: impl Iterator<Item = &'a Change>) -> Self {
        let mut books = Self::default();
        changes.for_each(|change| change.apply(&mut books));
        books
    }

    pub(super) fn count(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or_default()
    }

    /// Where they differ, in a line: they are long.
    #[track_caller]
    pub(super) fn assert_is(&self, expected: &Self, what: &str) {
        if self == expected {
            return;
        }
        let [found, wanted] = [self, expected].map(|books| serde_json::to_string_pretty(books).expect("JSON"));
        let differ = iter::zip(found.lines(), wanted.lines()).find(|(found, wanted)| found != wanted);
        let notes = [self, expected].map(|books| books.notes.len());
        panic!("{what}: notes found and expected: {notes:?}; the first lines that differ: {differ:?}");
    }
}

/// A source of changes that look random.
pub(super) struct Draw {
    number: u64,
    /// What comes first, the last one first.
    edges: Vec<Note>,
}

impl Draw {
    pub(super) fn new(seed: u64) -> Self {
        Self { number: mix(seed), edges: edges() }
    }

    /// Every edge is in one of the first changes.
    pub(super) fn change(&mut self) -> Change {
        if let Some(note) = self.edges.pop() {
            return Change::Note(note);
        }
        match self.below(10) {
            0..3 => Change::Count { name: format!("count {}", self.below(7)), by: self.next() | 1 },
            3..8 => Change::Note(self.note()),
            _ => Change::Weigh(Real(self.next() as i64 as f64 / 2f64.powi(63))),
        }
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn next(&mut self) -> u64 {
        self.number = self.number.wrapping_add(1);
        mix(self.number)
    }

    fn note(&mut self) -> Note {
        let text = (0..self.below(40)).map(|_| self.character()).collect();
        let real = iter::repeat_with(|| f64::from_bits(self.next())).find(|real| real.is_finite());
        let natural = self.next() >> self.below(64);
        let integer = self.next() as i64 >> self.below(64);
        let wide = u128::from(self.next()) << self.below(64);
        Note { text, real: Real(real.expect("an endless source")), natural, integer, wide }
    }

    /// One of ASCII, of the lower ones, or any.
    fn character(&mut self) -> char {
        let limit = [0x80, 0x800, 0x11_0000][self.below(3) as usize];
        iter::repeat_with(|| char::from_u32(self.below(limit) as u32)).flatten().next().expect("an endless source")
    }
}

/// The values that are most often kept wrong.
fn edges() -> Vec<Note> {
    let low: String = (0..0x300).filter_map(char::from_u32).collect();
    let joined = "\u{feff}\u{2028}\u{2029}\u{d7ff}\u{e000}\u{fffd}\u{ffff}\u{10000}\u{10ffff}👩‍🚀e\u{301}\u{202e}";
    let texts = [low, joined.into(), "\r\n".into(), r#"\u0000 \" \ud800"#.into(), "x".repeat(20_000)];
    let reals = [-0.0, 0.1 + 0.2, 5e-324, f64::MIN_POSITIVE, f64::MAX, f64::MIN, 1e23, 9_007_199_254_740_993.0];
    let naturals = [u64::MAX, u64::MAX - 1, i64::MAX as u64 + 1, (1 << 53) + 1];
    let integers = [i64::MIN, i64::MAX, -1, -(1 << 53) - 1];
    let wides = [u128::MAX, u128::from(u64::MAX) + 1];
    let mut edges = Vec::new();
    edges.extend(texts.map(|text| Note { text, ..Note::default() }));
    edges.extend(reals.map(|real| Note { real: Real(real), ..Note::default() }));
    edges.extend(naturals.map(|natural| Note { natural, ..Note::default() }));
    edges.extend(integers.map(|integer| Note { integer, ..Note::default() }));
    edges.extend(wides.map(|wide| Note { wide, ..Note::default() }));
    edges
}
