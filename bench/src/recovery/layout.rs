//! What is on the disk when a program starts.

use crate::{Result, domain::Domain};
use minisnap::SnapStore;
use minisnap_wal::{Journal, Log, checkpoint};
use std::{fs, path::Path};

pub const JOURNAL: &str = "journal.jsonl";

/// How much there is of what.
pub struct Layout {
    pub mutations: u64,
    /// The whole log, in bytes.
    pub log: u64,
    /// The newest snapshot, in bytes.
    pub snapshot: u64,
    /// How many changes are after it.
    pub tail: u64,
}

/// A snapshot after so many changes: 10 000, or a tenth if that is less.
fn every(mutations: u64) -> u64 {
    (mutations / 10).min(10_000)
}

/// Lays out `whole`, with all changes in the log, and `cut`, as it is half-way between two checkpoints: with two snapshots,
/// as by default, and the log cut behind the older one.
pub async fn lay_out<D: Domain>(whole: &Path, cut: &Path, mutations: u64) -> Result<Layout> {
    let tail = every(mutations) / 2;
    append_all::<D>(&whole.join(JOURNAL), mutations).await?;
    fs::create_dir(cut)?;
    fs::copy(whole.join(JOURNAL), cut.join(JOURNAL))?;
    save::<D>(cut, [mutations - tail - every(mutations), mutations - tail]).await?;
    let size = |path: &Path| fs::metadata(path).map(|metadata| metadata.len());
    Ok(Layout { mutations, log: size(&whole.join(JOURNAL))?, snapshot: size(&cut.join("snapshot.json"))?, tail })
}

async fn append_all<D: Domain>(path: &Path, mutations: u64) -> Result<()> {
    let mut journal = Journal::<D::Change>::open(path).await?;
    for number in 1..=mutations {
        journal.append(&D::change(number)).await?;
    }
    Ok(())
}

/// Makes checkpoints after the changes of these numbers.
async fn save<D: Domain>(folder: &Path, seqs: [u64; 2]) -> Result<()> {
    let snapshots = SnapStore::new(folder);
    let mut journal = Journal::<D::Change>::open(folder.join(JOURNAL)).await?;
    let (mut state, mut made) = (D::State::default(), 0);
    for seq in seqs {
        (made + 1..=seq).for_each(|number| D::apply(&D::change(number), &mut state));
        made = seq;
        checkpoint(&snapshots, &mut journal, &state, seq).await?;
    }
    assert_eq!(journal.first(), seqs[0] + 1, "the log is cut behind the older snapshot");
    Ok(())
}
