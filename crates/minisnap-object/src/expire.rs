//! Reducing the retention without a commit. `docs/object-store.md` argues, with the same step numbers, why it is safe.
//!
//! 1. Read the record. If it retains no more than `retain` generations, return without a write. Generations that this handle
//!    found corrupt aren't counted.
//! 2. Check the store's conditions, once per handle.
//! 3. The generations beyond the newest `retain` intact ones expire. Copy the corrupt ones among them aside (`move_aside.rs`).
//!    If a copy fails, that generation stays retained. Replace the record by compare-and-swap: mark the expired generations
//!    as `dropped`, and raise the collection counter.
//! 4. Refused: read the record. No answer: send the same replacement again until the deadline, then read the record.
//!    - The record is still the one read before: the replacement may still arrive. Go to step 3 with the tag of this look. At
//!      the deadline the outcome is unknown.
//!    - The record is another one, and retains none of the generations that step 3 marked: they have expired.
//!    - The record is another one, and retains one of them: the replacement never arrives.
//!
//!    If the record just read retains more than `retain`, go to step 3 with it. At the deadline the error is `Busy`, unless an
//!    earlier replacement of this call may have arrived.
//! 5. The outcome is certain. Delete the files of the generations that the record marks as `dropped`. A later commit deletes
//!    those that can't be deleted now.

use crate::{
    ObjectBackend,
    record_store::{LAST_ATTEMPT_TIMEOUT, ReplaceOutcome},
    redact::{Source, StoreError},
};
use minisnap_core::{Generation, MiniSnapError, Operation, Result};
use std::num::NonZeroUsize;
use tokio::time::Instant;

impl ObjectBackend {
    /// Expires the generations beyond the newest `retain` intact ones, by the steps of the module.
    pub(crate) async fn expire_beyond(&self, retain: NonZeroUsize) -> Result<Vec<Generation>> {
        // 1.
        let start = Instant::now();
        let mut seen = self.load_record(Operation::Expire).await?;
        let mut expired = Vec::new();
        let corrupt = self.cache.corrupt().clone();
        if seen.record.beyond_retention(retain, &corrupt).is_empty() {
            return Ok(expired);
        }
        // 2.
        let remaining = self.settings.busy_timeout.saturating_sub(start.elapsed());
        self.check_conditions(Operation::Expire, remaining).await?;

        let mut backoff = self.contended_backoff(Operation::Expire, &seen.record, start.elapsed());
        // Whether an attempt over `seen` may have arrived or may still arrive, regardless of its answer.
        let mut may_arrive = false;
        let record = loop {
            // 3.
            let mut surplus = seen.record.beyond_retention(retain, &corrupt);
            let surplus_corrupt = surplus.iter().filter(|generation| corrupt.contains(generation.name()));
            let moved_aside = self.move_aside(Operation::Expire, surplus_corrupt).await;
            surplus
                .retain(|generation| !corrupt.contains(generation.name()) || moved_aside.contains(generation.name()));
            if surplus.is_empty() {
                break seen.record;
            }
            let reduced = seen.record.expire(&surplus);
            let reason = match self.replace(&seen, &reduced, backoff.remaining().max(LAST_ATTEMPT_TIMEOUT)).await {
                ReplaceOutcome::Replaced => {
                    expired.splice(0..0, surplus);
                    break reduced;
                }
                // 4.
                ReplaceOutcome::NoResponse(_) if !backoff.is_exhausted() => {
                    may_arrive = true;
                    backoff.pause().await;
                    continue;
                }
                ReplaceOutcome::NoResponse(error) => error,
                ReplaceOutcome::Unsupported(error) if !may_arrive => {
                    return Err(self.unsupported(Operation::Expire, "If-Match", &error.to_string()));
                }
                ReplaceOutcome::Refused(error) | ReplaceOutcome::Unsupported(error) => StoreError::from(&error).into(),
            };
            let loaded = self.reload_record(Operation::Expire, &mut backoff).await;
            let loaded = loaded.map_err(|reason| self.expire_unknown(reason.into()))?;
            if loaded.record == seen.record {
                if backoff.is_exhausted() {
                    return Err(self.expire_unknown(reason));
                }
                // The tag of this look counts: a proxy or a fault may have changed the earlier one.
                seen = loaded;
                may_arrive = true;
            } else {
                // Generations that expired earlier in this call are older, so these go before them.
                if surplus.iter().all(|generation| loaded.record.find_retained(generation).is_none()) {
                    expired.splice(0..0, surplus);
                }
                seen = loaded;
                may_arrive = false;
                if backoff.is_exhausted() && !seen.record.beyond_retention(retain, &corrupt).is_empty() {
                    return Err(match expired.is_empty() {
                        true => self.busy(Operation::Expire, &backoff),
                        false => self.expire_unknown(reason),
                    });
                }
            }
            backoff.pause().await;
        };
        // 5.
        self.forget_corrupt(&expired.iter().map(|generation| generation.name().to_owned()).collect());
        self.delete_expired(Operation::Expire, &record).await;
        Ok(expired)
    }

    /// The error for an unknown outcome. It is a `Backend` error, because repeating the call is idempotent.
    fn expire_unknown(&self, source: Source) -> MiniSnapError {
        let transient = source.downcast_ref::<MiniSnapError>().is_none_or(MiniSnapError::is_transient);
        MiniSnapError::Backend { at: self.at(Operation::Expire, &self.layout.current()), transient, source, help: None }
    }
}
