//! What a disk holds.

use std::{collections::BTreeMap, fs::File, io, os::unix::fs::FileExt, path::Path, sync::Arc};

const BLOCK: usize = 4096;

/// The bytes of a disk. What was never written is zero and takes no memory; what a clone shares with its origin takes
/// none either.
#[derive(Debug, Clone)]
pub struct Image {
    size: u64,
    sector: usize,
    blocks: BTreeMap<u64, Arc<[u8; BLOCK]>>,
}

impl Image {
    /// A disk of zeros. Its size is a multiple of 4096, and each sector of it is written whole or not at all.
    #[must_use]
    pub fn new(size: u64, sector: usize) -> Self {
        assert_eq!(size % BLOCK as u64, 0, "whole blocks");
        Self { size, sector, blocks: BTreeMap::new() }
    }

    /// In bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// In bytes: what is written whole or not at all.
    #[must_use]
    pub fn sector(&self) -> usize {
        self.sector
    }

    /// Fills `bytes` with what is at `offset`; as many as there are.
    pub fn read(&self, offset: u64, bytes: &mut [u8]) -> usize {
        let length = bytes.len().min(usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX));
        for (block, start, range) in blocks_of(offset, length) {
            let end = start + range.len();
            match self.blocks.get(&block) {
                Some(held) => bytes[range].copy_from_slice(&held[start..end]),
                None => bytes[range].fill(0),
            }
        }
        length
    }

    /// Puts `bytes` at `offset`.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) {
        for (block, start, range) in blocks_of(offset, bytes.len()) {
            let held = self.blocks.entry(block).or_insert_with(|| Arc::new([0; BLOCK]));
            Arc::make_mut(held)[start..start + range.len()].copy_from_slice(&bytes[range]);
        }
    }

    /// Puts zeros at `offset`.
    pub fn clear(&mut self, offset: u64, length: u64) {
        let length = usize::try_from(length.min(self.size.saturating_sub(offset))).expect("a disk fits the memory");
        for (block, start, range) in blocks_of(offset, length) {
            if range.len() == BLOCK {
                self.blocks.remove(&block);
            } else if let Some(held) = self.blocks.get_mut(&block) {
                Arc::make_mut(held)[start..start + range.len()].fill(0);
            }
        }
    }

    /// Keeps it as a sparse file, for a person to look into.
    ///
    /// # Errors
    ///
    /// When the file can't be written.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let file = File::create(path)?;
        file.set_len(self.size)?;
        self.blocks.iter().try_for_each(|(block, bytes)| file.write_all_at(&bytes[..], block * BLOCK as u64))
    }
}

/// The pieces of a range of the disk: the block, where in it the piece begins, and which part of the range it is.
fn blocks_of(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == length {
            return None;
        }
        let at = offset + done as u64;
        let start = (at % BLOCK as u64) as usize;
        let range = done..length.min(done + BLOCK - start);
        done = range.end;
        Some((at / BLOCK as u64, start, range))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_the_rest_is_zero() {
        let mut image = Image::new(4 * BLOCK as u64, 512);
        let origin = image.clone();
        image.write(BLOCK as u64 - 3, &[1; BLOCK + 6]);
        image.clear(BLOCK as u64, 1);
        let mut found = [9; 2 * BLOCK];
        assert_eq!(image.read(BLOCK as u64 - 4, &mut found), found.len());
        let mut expected = [0; 2 * BLOCK];
        expected[1..BLOCK + 7].fill(1);
        expected[4] = 0;
        assert_eq!(found, expected);
        assert_eq!(image.read(4 * BLOCK as u64 - 1, &mut found), 1, "a read over the end is cut short");
        assert_eq!(origin.read(BLOCK as u64, &mut found[..1]), 1);
        assert_eq!(found[0], 0, "a clone doesn't change with its origin");
    }
}
