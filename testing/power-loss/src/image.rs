//! The content of a disk.

use std::{collections::BTreeMap, fs::File, io, os::unix::fs::FileExt, path::Path, sync::Arc};

const BLOCK: usize = 4096;

/// The bytes of a disk. Blocks that were never written are zero, and use no memory. A clone shares its blocks with the
/// original until either is written.
#[derive(Debug, Clone)]
pub struct Image {
    size: u64,
    sector: usize,
    blocks: BTreeMap<u64, Arc<[u8; BLOCK]>>,
}

impl Image {
    /// Creates a disk of zeros. Its size is a multiple of 4096. Each sector is written atomically.
    ///
    /// # Panics
    ///
    /// If the size isn't a multiple of 4096.
    #[must_use]
    pub fn new(size: u64, sector: usize) -> Self {
        assert_eq!(size % BLOCK as u64, 0, "complete blocks");
        Self { size, sector, blocks: BTreeMap::new() }
    }

    /// Returns the size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the number of bytes that are written atomically.
    #[must_use]
    pub fn sector(&self) -> usize {
        self.sector
    }

    /// Reads at `offset` into `bytes`, and returns the number of bytes read. It is smaller at the end of the disk.
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

    /// Writes `bytes` at `offset`.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) {
        for (block, start, range) in blocks_of(offset, bytes.len()) {
            let held = self.blocks.entry(block).or_insert_with(|| Arc::new([0; BLOCK]));
            Arc::make_mut(held)[start..start + range.len()].copy_from_slice(&bytes[range]);
        }
    }

    /// Writes zeros at `offset`.
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

    /// Saves the content as a sparse file, for inspection.
    ///
    /// # Errors
    ///
    /// If the file can't be written.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let file = File::create(path)?;
        file.set_len(self.size)?;
        self.blocks.iter().try_for_each(|(block, bytes)| file.write_all_at(&bytes[..], block * BLOCK as u64))
    }
}

/// Splits a range of the disk at block boundaries. Returns the block, the start within it, and the part of the range.
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
    fn image_reads_written_bytes_and_zeros_elsewhere() {
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
        assert_eq!(image.read(4 * BLOCK as u64 - 1, &mut found), 1, "a read over the end is short");
        assert_eq!(origin.read(BLOCK as u64, &mut found[..1]), 1);
        assert_eq!(found[0], 0, "a clone doesn't change with the original");
    }
}
