//! Writing the bytes of a snapshot into a store and committing them, with progress.

use crate::{args::RetainArgs, open_store::Place, out, pending_change::PendingChange, progress::Progress};
use minisnap::{
    Committed, ErrorContext, MiniSnapError, Operation, Precondition, Result,
    backend::{CommitOptions, StagedSnapshot, format::CHUNK},
};
use std::time::Duration;
use tokio::task::yield_now;

/// How often the bytes are written again because the store lost what was staged, or because somebody else committed.
const AGAIN: usize = 16;

/// Commits `json` as it is, if `when` holds. Dropping the future discards what was staged.
///
/// Unless `--retain` says how many, as many stay as there are: then it is only committed over the history that was counted, and
/// counted and written again if somebody committed meanwhile.
pub(crate) async fn commit(
    place: &Place,
    json: &[u8],
    seq: u64,
    when: Precondition,
    retain: RetainArgs,
) -> Result<Committed> {
    let progress = Progress::of_bytes("writing", json.len() as u64);
    let at = ErrorContext::new(Operation::Commit, place.name());
    let is_free = retain.retain.is_none() && !matches!(when, Precondition::IfCurrent(_));
    let mut said = None;
    PendingChange::Store.begin();
    for _ in 0..AGAIN {
        let mut staged = place.backend().stage(seq).await?;
        write(&mut *staged, json, place, &progress).await?;
        let (when, retain) = if let Some(retain) = retain.retain {
            (when.clone(), retain)
        } else {
            let history = place.history_to_commit_over().await?;
            when.evaluate(seq, history.first(), &at)?;
            let (retain, gap) = place.retain_over(&history).await;
            if let Some(gap) = gap.filter(|gap| said.as_ref() != Some(gap)) {
                progress.aside(|| warn_of(&gap));
                said = Some(gap);
            }
            (Precondition::IfCurrent(history.into_iter().next()), retain)
        };
        progress.doing("committing");
        match staged.commit(CommitOptions::new(retain).with_precondition(when)).await {
            Err(MiniSnapError::StageLost { .. }) => {}
            Err(MiniSnapError::Conflict { .. }) if is_free => {}
            committed => return committed,
        }
        progress.restart("writing");
    }
    let reason = "other writers commit faster than this can; with `--retain N` nothing needs to be counted".into();
    Err(MiniSnapError::Busy { at, waited: Duration::ZERO, reason })
}

/// Says that nothing expires, and why.
fn warn_of(gap: &str) {
    out::note(&format!(
        "the history has a gap ({gap}); no snapshot expires, so that what lies beyond it is still there when the gap is \
         closed; `--retain N` gives it up"
    ));
}

async fn write(staged: &mut dyn StagedSnapshot, json: &[u8], place: &Place, progress: &Progress) -> Result<()> {
    for chunk in json.chunks(CHUNK) {
        staged
            .write_all(chunk)
            .map_err(|error| MiniSnapError::from_write(error, || ErrorContext::new(Operation::Write, place.name())))?;
        staged.drain().await?;
        progress.add(chunk.len() as u64);
        // So that Ctrl-C is heard, also where nothing is waited for.
        yield_now().await;
    }
    Ok(())
}
