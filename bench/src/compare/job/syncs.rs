//! The cost of the order of a commit's syncs, with bare system calls.

use super::alone::{max_repeats, repeat};
use crate::{
    by_hand::{self, Syncs},
    turn::{Measured, Turn},
};
use shared::{Result, figure::median_seconds, workload::Workload};
use std::{fs, path::Path, time::Instant};

pub const COMMIT: &str = "commit by hand";
/// The first is the base of the ratios.
pub const ORDERS: [(&str, Syncs); 5] = [
    ("files, folder, `snapshots`", Syncs::InOrder),
    ("the same, without early write-back", Syncs::WithoutEarlyWriteBack),
    ("folders first", Syncs::FoldersFirst),
    ("in parallel", Syncs::InParallel),
    ("`syncfs`", Syncs::FileSystem),
];
/// The first commits make folders, and no generation expires.
const WARM: usize = 3;

pub fn take<S: Workload>(turn: &Turn, folder: &Path) -> Result<Vec<Measured>> {
    let state = S::of_size(turn.bytes);
    let order = ORDERS.iter().find(|(name, _)| *name == turn.contender);
    let &(_, order) = order.ok_or_else(|| format!("no order {:?}", turn.contender))?;
    fs::create_dir_all(folder.join("snapshots"))?;
    let mut seq = 0;
    let mut commit = || {
        seq += 1;
        let begun = Instant::now();
        by_hand::commit(folder, &state, seq, order).map(|()| begun.elapsed())
    };
    for _ in 0..WARM {
        commit()?;
    }
    let commits = repeat(max_repeats(turn.bytes), commit)?;
    Ok(vec![Measured::seconds(COMMIT, median_seconds(&commits))])
}
