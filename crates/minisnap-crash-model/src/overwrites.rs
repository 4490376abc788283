//! The data of a file that was written at offsets since its last sync, and its states after a power loss.

use std::collections::BTreeSet;

/// A disk writes each sector of this many bytes completely or not at all.
const SECTOR: usize = 512;

/// Up to this number of pending changes, each combination of them is a state.
const ALL_COMBINATIONS: usize = 5;

/// The durable bytes, and the changes since then, in order.
#[derive(Debug, Clone)]
pub(crate) struct Overwrites {
    durable: Vec<u8>,
    pending: Vec<Change>,
    now: Vec<u8>,
}

#[derive(Debug, Clone)]
enum Change {
    WriteAt(usize, Vec<u8>),
    SetLength(usize),
}

impl Overwrites {
    pub(crate) fn of(durable: Vec<u8>) -> Self {
        Self { now: durable.clone(), durable, pending: Vec::new() }
    }

    pub(crate) fn now(&self) -> &[u8] {
        &self.now
    }

    pub(crate) fn durable(&self) -> &[u8] {
        &self.durable
    }

    pub(crate) fn write_at(&mut self, offset: usize, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.change(Change::WriteAt(offset, bytes.to_vec()));
        }
    }

    pub(crate) fn set_length(&mut self, length: usize) {
        if length != self.now.len() {
            self.change(Change::SetLength(length));
        }
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.now);
        self.pending.push(change);
    }

    /// Every combination of surviving changes; each of them also with the last write torn, and with the present length.
    pub(crate) fn crash_states(&self) -> BTreeSet<Vec<u8>> {
        let mut crash_states = BTreeSet::new();
        for survivors in combinations(self.pending.len()) {
            let mut bytes = self.durable.clone();
            let last = survivors.last().copied();
            for index in survivors {
                if Some(index) == last {
                    let torn = self.pending[index].torn().map(|part| part.applied_to(&bytes));
                    crash_states.extend(torn.flat_map(|bytes| self.with_either_length(bytes)));
                }
                self.pending[index].apply(&mut bytes);
            }
            crash_states.extend(self.with_either_length(bytes));
        }
        crash_states
    }

    /// These bytes, and the same with the present length: it may survive without the bytes, which are zeros then.
    fn with_either_length(&self, bytes: Vec<u8>) -> [Vec<u8>; 2] {
        let mut with_length = bytes.clone();
        with_length.resize(self.now.len().max(bytes.len()), 0);
        [bytes, with_length]
    }
}

impl Change {
    fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Self::WriteAt(offset, bytes) => {
                let end = offset + bytes.len();
                file.resize(file.len().max(end), 0);
                file[*offset..end].copy_from_slice(bytes);
            }
            Self::SetLength(length) => file.resize(*length, 0),
        }
    }

    fn applied_to(&self, file: &[u8]) -> Vec<u8> {
        let mut file = file.to_vec();
        self.apply(&mut file);
        file
    }

    /// The first half of a write's sectors, and the second half; nothing if the write is within a sector.
    fn torn(&self) -> impl Iterator<Item = Self> {
        let parts = match self {
            Self::WriteAt(offset, bytes) => {
                let (first, last) = (offset / SECTOR, (offset + bytes.len() - 1) / SECTOR);
                // The first boundary of sectors after the middle of the write.
                let boundary = (first + (last - first).div_ceil(2)) * SECTOR;
                (first < last).then(|| {
                    let (one, other) = bytes.split_at(boundary - offset);
                    [Self::WriteAt(*offset, one.to_vec()), Self::WriteAt(boundary, other.to_vec())]
                })
            }
            Self::SetLength(_) => None,
        };
        parts.into_iter().flatten()
    }
}

/// The combinations of changes that may survive, each as indexes in order. With many changes: the first ones, the last ones, each
/// alone, and all but one.
fn combinations(changes: usize) -> BTreeSet<Vec<usize>> {
    if changes <= ALL_COMBINATIONS {
        let chosen = |set: u32| (0..changes).filter(move |index| set & (1 << index) != 0).collect();
        return (0..1 << changes).map(chosen).collect();
    }
    let ends = (0..=changes).flat_map(|at| [(0..at).collect(), (at..changes).collect()]);
    let singles = (0..changes).flat_map(|one| [vec![one], (0..changes).filter(|index| *index != one).collect()]);
    ends.chain(singles).collect()
}
