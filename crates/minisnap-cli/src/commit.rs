//! Writes the bytes of a snapshot to a store and commits them, with a progress bar.

use crate::{args::RetainArgs, open_store::OpenStore, pending_change::PendingChange, progress::Progress, stdio};
use minisnap::{
    Committed, ErrorContext, MiniSnapError, Operation, Precondition, Result,
    backend::{CommitOptions, StagedSnapshot, format::CHUNK},
};
use std::time::Duration;
use tokio::task::yield_now;

/// The maximum number of times that the bytes are written, if the stage is lost or another writer commits first.
const ATTEMPTS: usize = 16;

/// Commits `json` unchanged, if `precondition` holds. Dropping the future discards the staged snapshot.
///
/// Without `--retain`, the commit retains as many generations as there were. It is then conditional on the history that was
/// counted: if another writer commits first, the history is counted and the bytes are written again.
pub(crate) async fn commit(
    store: &OpenStore,
    json: &[u8],
    seq: u64,
    precondition: Precondition,
    retain: RetainArgs,
) -> Result<Committed> {
    let progress = Progress::of_bytes("writing", json.len() as u64);
    let at = ErrorContext::new(Operation::Commit, store.name());
    let may_retry = retain.retain.is_none() && !matches!(precondition, Precondition::IfCurrent(_));
    let mut noted = None;
    PendingChange::Store.begin();
    for _ in 0..ATTEMPTS {
        let mut staged = store.backend().stage(seq).await?;
        write(&mut *staged, json, store, &progress).await?;
        let (precondition, retain) = if let Some(retain) = retain.retain {
            (precondition.clone(), retain)
        } else {
            let history = store.history_to_commit_over().await?;
            precondition.evaluate(seq, history.first(), &at)?;
            let (retain, gap) = store.retain_over(&history).await;
            if let Some(gap) = gap.filter(|gap| noted.as_ref() != Some(gap)) {
                progress.suspend(|| note_gap(&gap));
                noted = Some(gap);
            }
            (Precondition::IfCurrent(history.into_iter().next()), retain)
        };
        progress.doing("committing");
        match staged.commit(CommitOptions::new(retain).with_precondition(precondition)).await {
            Err(MiniSnapError::StageLost { .. }) => {}
            Err(MiniSnapError::Conflict { .. }) if may_retry => {}
            committed => return committed,
        }
        progress.restart("writing");
    }
    let reason =
        "other writers commit faster than this command; with `--retain N` it needs no count of the history".into();
    Err(MiniSnapError::Busy { at, waited: Duration::ZERO, reason })
}

/// Notes that nothing expires, and why.
fn note_gap(gap: &str) {
    stdio::note(&format!(
        "the history has a gap ({gap}); no snapshot expires, so that the snapshots beyond the gap can be recovered; \
         `--retain N` gives them up"
    ));
}

async fn write(staged: &mut dyn StagedSnapshot, json: &[u8], store: &OpenStore, progress: &Progress) -> Result<()> {
    for chunk in json.chunks(CHUNK) {
        staged
            .write_all(chunk)
            .map_err(|error| MiniSnapError::from_write(error, || ErrorContext::new(Operation::Write, store.name())))?;
        staged.drain().await?;
        progress.add(chunk.len() as u64);
        // Lets the runtime handle Ctrl-C, even if `drain` never waits.
        yield_now().await;
    }
    Ok(())
}
