//! The lower bound of a restore: reading the file, and `from_slice` on bytes in memory.

use super::{alone::max_repeats, check};
use crate::turn::{Measured, Turn};
use shared::{Result, figure::median_seconds, workload::Workload};
use std::{fs, hint::black_box, path::Path, time::Instant};

pub const NAME: &str = "read + from_slice";

pub fn take<S: Workload>(turn: &Turn, folder: &Path) -> Result<Vec<Measured>> {
    let state = S::of_size(turn.bytes);
    let path = folder.join("snapshot.json");
    fs::write(&path, serde_json::to_vec_pretty(&state)?)?;
    let json = fs::read(&path)?;
    let (mut reads, mut parses) = (Vec::new(), Vec::new());
    let repeat = max_repeats(turn.bytes);
    let warm = usize::from(repeat > 1);
    for round in 0..warm + repeat {
        let begun = Instant::now();
        // The time includes the release of the memory, as in a restore.
        drop(black_box(fs::read(&path)?));
        let read = begun.elapsed();
        let begun = Instant::now();
        let restored: S = serde_json::from_slice(&json)?;
        let parsed = begun.elapsed();
        if round >= warm {
            reads.push(read);
            parses.push(parsed);
        }
        check(turn, &restored, &state)?;
    }
    Ok(vec![Measured::seconds("restore", median_seconds(&reads) + median_seconds(&parses))])
}
