//! What a power loss leaves on a disk.
//!
//! All that was done before the last flush is there. Of what was done after it, a disk with a volatile cache has
//! written whatever it liked, in an order of its own: each write is there or not, and one that was on its way is there
//! up to a sector, or from one on.

use crate::{Dice, Event, Image, Recording};

/// What becomes of the writes since the last flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cache {
    /// None reached the medium.
    Lost,
    /// All did, as if the disk had no cache.
    Written,
    /// Some did.
    Torn,
}

impl Recording {
    /// What the disk holds when the power is cut after the first `moment` events.
    pub fn cut_power_at(&self, moment: usize, cache: Cache, dice: &mut Dice) -> Image {
        let events = &self.events[..moment];
        let last_flush = events.iter().rposition(|event| matches!(event, Event::Flush)).unwrap_or(0);
        let (flushed, at_stake) = events.split_at(last_flush);
        let mut image = self.start.clone();
        flushed.iter().for_each(|event| image.apply(event));
        let written = dice.pick(&[10, 50, 90]);
        for event in at_stake {
            match cache {
                Cache::Lost => {}
                Cache::Written => image.apply(event),
                Cache::Torn if !dice.chance(written) => {}
                Cache::Torn if dice.chance(80) => image.apply(event),
                Cache::Torn => apply_in_part(&mut image, event, dice),
            }
        }
        image
    }
}

/// Does a write up to a sector, or from one on.
fn apply_in_part(image: &mut Image, event: &Event, dice: &mut Dice) {
    let Event::Write { offset, bytes } = event else { return };
    let sector = image.sector();
    let cut = sector * dice.below(bytes.len() / sector + 1);
    if dice.chance(50) {
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
    fn what_was_flushed_is_never_lost_and_what_was_not_yet_done_is_never_there() {
        let (recording, mut dice) = (recording(), Dice::new(1));
        let mut at_each_moment =
            |cache| [0, 1, 2, 3, 4, 5, 6].map(|moment| first_bytes(&recording.cut_power_at(moment, cache, &mut dice)));
        assert_eq!(at_each_moment(Cache::Lost), [[0, 0], [0, 0], [1, 0], [1, 0], [1, 0], [2, 2], [2, 2]]);
        assert_eq!(at_each_moment(Cache::Written), [[0, 0], [1, 0], [1, 0], [2, 0], [2, 2], [2, 2], [2, 3]]);
    }

    #[test]
    fn a_torn_cache_keeps_any_of_the_writes_since_the_last_flush_and_tears_only_between_sectors() {
        let mut found = BTreeSet::new();
        let mut sectors_found = BTreeSet::new();
        for seed in 0..300 {
            let image = recording().cut_power_at(4, Cache::Torn, &mut Dice::new(seed));
            found.insert(first_bytes(&image));
            let mut sector = [0; SECTOR];
            let mut is_written = |offset| {
                image.read(offset, &mut sector);
                assert!(sector.iter().all(|byte| *byte == sector[0]), "a sector is whole");
                sector[0] == 2
            };
            sectors_found.insert((0..4 * KIB).step_by(SECTOR).filter(|offset| is_written(*offset)).count());
        }
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [[1, 0], [1, 2], [2, 0], [2, 2]]);
        assert_eq!(sectors_found.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    }
}
