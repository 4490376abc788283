//! The files on the disk when a program starts.

use crate::{Result, domain::Domain};
use minisnap::SnapStore;
use minisnap_wal::{Journal, Log, checkpoint};
use std::{fs, path::Path};

pub const JOURNAL: &str = "journal.jsonl";

/// The number of changes and the sizes of the files.
pub struct Layout {
    pub changes: u64,
    /// The size of the complete log, in bytes.
    pub log: u64,
    /// The size of the newest snapshot, in bytes.
    pub snapshot: u64,
    /// The number of changes after the snapshot.
    pub tail: u64,
}

/// The number of changes between two snapshots: 10 000, or a tenth of all changes if that is less.
fn snapshot_interval(changes: u64) -> u64 {
    (changes / 10).min(10_000)
}

/// Creates the folder `complete` with all changes in the log, and the folder `truncated` as it is halfway between two
/// checkpoints: with two snapshots, the default, and a log that begins after the older one.
pub async fn create<D: Domain>(complete: &Path, truncated: &Path, changes: u64) -> Result<Layout> {
    let tail = snapshot_interval(changes) / 2;
    append_all::<D>(&complete.join(JOURNAL), changes).await?;
    fs::create_dir(truncated)?;
    fs::copy(complete.join(JOURNAL), truncated.join(JOURNAL))?;
    save::<D>(truncated, [changes - tail - snapshot_interval(changes), changes - tail]).await?;
    let size = |path: &Path| fs::metadata(path).map(|metadata| metadata.len());
    Ok(Layout { changes, log: size(&complete.join(JOURNAL))?, snapshot: size(&truncated.join("snapshot.json"))?, tail })
}

async fn append_all<D: Domain>(path: &Path, changes: u64) -> Result<()> {
    let mut journal = Journal::<D::Change>::open(path).await?;
    for number in 1..=changes {
        journal.append(&D::change(number)).await?;
    }
    Ok(())
}

/// Makes checkpoints after the changes with these numbers.
async fn save<D: Domain>(folder: &Path, seqs: [u64; 2]) -> Result<()> {
    let snapshots = SnapStore::new(folder);
    let mut journal = Journal::<D::Change>::open(folder.join(JOURNAL)).await?;
    let (mut state, mut made) = (D::State::default(), 0);
    for seq in seqs {
        (made + 1..=seq).for_each(|number| D::apply(&D::change(number), &mut state));
        made = seq;
        checkpoint(&snapshots, &mut journal, &state, seq).await?;
    }
    assert_eq!(journal.first(), seqs[0] + 1, "the log begins after the older snapshot");
    Ok(())
}
