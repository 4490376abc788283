//! A state that reveals lost, repeated and reordered changes, and values that differ by a bit; and changes for it.

use crate::random::mix;
use ministate::Mutator;
use serde::{Deserialize, Serialize};
use std::{cell::Cell, collections::BTreeMap, iter};

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Ledger {
    counts: BTreeMap<String, u64>,
    notes: Vec<Note>,
    /// The weighted mean of all values. Later values have more weight.
    mean: Real,
}

/// Values that must round-trip through a log and a snapshot.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Note {
    text: String,
    real: Real,
    natural: u64,
    integer: i64,
    wide: u128,
}

/// A finite number, compared by its bits: -0.0 differs from 0.0.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Real(f64);

impl PartialEq for Real {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

/// No change is idempotent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Change {
    Count { name: String, by: u64 },
    Note(Note),
    Weigh(Real),
}

impl Mutator<Ledger> for Change {
    fn apply(&self, ledger: &mut Ledger) {
        APPLIED.set(APPLIED.get() + 1);
        match self {
            Self::Count { name, by } => {
                let count = ledger.counts.entry(name.clone()).or_default();
                *count = count.wrapping_add(*by);
            }
            Self::Note(note) => ledger.notes.push(note.clone()),
            Self::Weigh(Real(weight)) => ledger.mean = Real(ledger.mean.0 / 2.0 + weight / 2.0),
        }
    }
}

thread_local! {
    static APPLIED: Cell<u64> = const { Cell::new(0) };
}

/// Returns the number of changes applied on this thread so far.
pub(super) fn applied_here() -> u64 {
    APPLIED.get()
}

impl Ledger {
    pub(super) fn after<'a>(changes: impl Iterator<Item = &'a Change>) -> Self {
        let mut ledger = Self::default();
        changes.for_each(|change| change.apply(&mut ledger));
        ledger
    }

    pub(super) fn count(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or_default()
    }

    /// Asserts equality, with a short message, since the states are long.
    #[track_caller]
    pub(super) fn assert_is(&self, expected: &Self, what: &str) {
        if self == expected {
            return;
        }
        let [found, wanted] = [self, expected].map(|ledger| serde_json::to_string_pretty(ledger).expect("JSON"));
        let differ = iter::zip(found.lines(), wanted.lines()).find(|(found, wanted)| found != wanted);
        let notes = [self, expected].map(|ledger| ledger.notes.len());
        panic!("{what}: notes found and expected: {notes:?}; the first lines that differ: {differ:?}");
    }
}

/// Generates pseudo-random changes.
pub(super) struct ChangeGenerator {
    number: u64,
    /// The first notes, in reverse order.
    edges: Vec<Note>,
}

impl ChangeGenerator {
    pub(super) fn new(seed: u64) -> Self {
        Self { number: mix(seed), edges: edges() }
    }

    /// Returns a change. The first changes hold the edge cases.
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
        Note { text, real: Real(real.expect("an endless iterator")), natural, integer, wide }
    }

    /// Returns a character from ASCII, from the first 0x800, or from all.
    fn character(&mut self) -> char {
        let limit = [0x80, 0x800, 0x11_0000][self.below(3) as usize];
        iter::repeat_with(|| char::from_u32(self.below(limit) as u32)).flatten().next().expect("an endless iterator")
    }
}

/// Values that are often stored incorrectly.
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
