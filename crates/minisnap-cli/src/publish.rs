//! Writing the bytes of a snapshot into a store and publishing them, with progress.

use crate::{args::KeepArgs, place::Place, progress::Progress};
use minisnap::{At, MiniSnapError, Operation, Precondition, Published, Result, StagedSnapshot, format::CHUNK};
use tokio::task::yield_now;

/// How often the bytes are written again because the store lost what was staged.
const RESTAGES: usize = 8;

/// Publishes `json` as it is, if `when` holds. Dropping the future discards what was staged.
///
/// How many are kept is looked up after the writing, which may take long: as late as can be.
pub(crate) async fn publish(
    place: &Place,
    json: &[u8],
    seq: u64,
    when: Precondition,
    keep: KeepArgs,
) -> Result<Published> {
    let progress = Progress::of_bytes("writing", json.len() as u64);
    let mut restages = 0;
    loop {
        let mut staged = place.backend().stage(seq).await?;
        write(&mut *staged, json, place, &progress).await?;
        let keep = place.keep(keep).await?;
        progress.doing("publishing");
        match staged.publish(when.clone(), keep).await {
            Err(MiniSnapError::Restage { .. }) if restages < RESTAGES => restages += 1,
            published => return published,
        }
        progress.restart("writing");
    }
}

async fn write(staged: &mut dyn StagedSnapshot, json: &[u8], place: &Place, progress: &Progress) -> Result<()> {
    for chunk in json.chunks(CHUNK) {
        staged
            .write_all(chunk)
            .map_err(|error| MiniSnapError::from_write(error, || At::new(Operation::Write, place.name())))?;
        staged.drain().await?;
        progress.add(chunk.len() as u64);
        // So that Ctrl-C is heard, also where nothing is waited for.
        yield_now().await;
    }
    Ok(())
}
