//! The content of a disk after a power loss.
//!
//! All writes before the last flush are preserved. A disk with a volatile cache writes later ones in any order: each
//! is written or lost. An interrupted write is complete up to a sector, or from a sector on.

use crate::{Event, Image, Recording, Rng};

/// The treatment of the writes since the last flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cache {
    /// All writes are lost.
    Lost,
    /// All writes are preserved, as if the disk had no cache.
    Written,
    /// Some writes are preserved, some of them partially.
    Partial,
}

impl Recording {
    /// Returns the content of the disk when the power is cut after the first `moment` events.
    pub fn cut_power_at(&self, moment: usize, cache: Cache, rng: &mut Rng) -> Image {
        let events = &self.events[..moment];
        let last_flush = events.iter().rposition(|event| matches!(event, Event::Flush)).unwrap_or(0);
        let (flushed, unflushed) = events.split_at(last_flush);
        let mut image = self.start.clone();
        flushed.iter().for_each(|event| image.apply(event));
        let written = rng.pick(&[10, 50, 90]);
        for event in unflushed {
            match cache {
                Cache::Lost => {}
                Cache::Written => image.apply(event),
                Cache::Partial if !rng.chance(written) => {}
                Cache::Partial if rng.chance(80) => image.apply(event),
                Cache::Partial => apply_partially(&mut image, event, rng),
            }
        }
        image
    }
}

/// Applies a write up to a sector, or from a sector on.
fn apply_partially(image: &mut Image, event: &Event, rng: &mut Rng) {
    let Event::Write { offset, bytes } = event else { return };
    let sector = image.sector();
    let cut = sector * rng.below(bytes.len() / sector + 1);
    if rng.chance(50) {
        image.write(*offset, &bytes[..cut]);
    } else {
        image.write(offset + cut as u64, &bytes[cut..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const KIB: u64 = 1024;
    const SECTOR: usize = 512;

    fn recording() -> Recording {
        let write = |at: u64, byte| Event::Write { offset: at * 4 * KIB, bytes: vec![byte; 4096] };
        let events = vec![write(0, 1), Event::Flush, write(0, 2), write(1, 2), Event::Flush, write(1, 3)];
        Recording { start: Image::new(64 * KIB, SECTOR), events }
    }

    fn first_bytes(image: &Image) -> [u8; 2] {
        [0, 4 * KIB].map(|offset| {
            let mut byte = [0];
            image.read(offset, &mut byte);
            byte[0]
        })
    }

    #[test]
    fn flushed_writes_survive_and_later_writes_are_absent() {
        let (recording, mut rng) = (recording(), Rng::new(1));
        let mut at_each_moment =
            |cache| [0, 1, 2, 3, 4, 5, 6].map(|moment| first_bytes(&recording.cut_power_at(moment, cache, &mut rng)));
        assert_eq!(at_each_moment(Cache::Lost), [[0, 0], [0, 0], [1, 0], [1, 0], [1, 0], [2, 2], [2, 2]]);
        assert_eq!(at_each_moment(Cache::Written), [[0, 0], [1, 0], [1, 0], [2, 0], [2, 2], [2, 2], [2, 3]]);
    }

    #[test]
    fn partial_cache_tears_writes_only_between_sectors() {
        let mut found = BTreeSet::new();
        let mut sectors_found = BTreeSet::new();
        for seed in 0..300 {
            let image = recording().cut_power_at(4, Cache::Partial, &mut Rng::new(seed));
            found.insert(first_bytes(&image));
            let mut sector = [0; SECTOR];
            let mut is_written = |offset| {
                image.read(offset, &mut sector);
                assert!(sector.iter().all(|byte| *byte == sector[0]), "a sector is written atomically");
                sector[0] == 2
            };
            sectors_found.insert((0..4 * KIB).step_by(SECTOR).filter(|offset| is_written(*offset)).count());
        }
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [[1, 0], [1, 2], [2, 0], [2, 2]]);
        assert_eq!(sectors_found.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    }
}
