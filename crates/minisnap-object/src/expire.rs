//! Reducing the retention without a commit: the numbered steps. Why they are safe is argued in `docs/object-store.md`, with the
//! same numbers.
//!
//! 1. Look at the record. If no more than `retain` are retained, nothing expires and nothing is written. Generations that this
//!    handle met as corrupt aren't counted.
//! 2. See that the store keeps conditions, once per handle.
//! 3. Copy the corrupt ones beyond the newest `retain` intact ones aside: see `move_aside.rs`. If a copy fails, that generation
//!    stays retained. Replace the record, if it is still the one seen, by one that marks the generations beyond the newest
//!    `retain` intact ones as `dropped` and raises the collection counter.
//! 4. Refused: look at the record. No answer: send the same again until the deadline, then look.
//!    - It is the one seen before: the replacement may still arrive. To step 3; at the deadline, the outcome is unknown.
//!    - It is another one, and retains none of those that step 3 marks: they have expired.
//!    - It is another one, and retains some of them: the replacement didn't arrive and never will.
//!
//!    If it retains more than `retain`, to step 3 with what was seen now. At the deadline that is `Busy`, unless step 3 may have
//!    arrived.
//! 5. It is certain. Delete what the record says is dropped. What stays is deleted by a later commit.

use crate::{
    ObjectBackend,
    record_store::{LAST_ATTEMPT, Replaced},
    redact::{Source, StoreError},
};
use minisnap_core::{Generation, MiniSnapError, Operation, Result};
use std::num::NonZeroUsize;

impl ObjectBackend {
    /// Expires the generations beyond the newest `retain` intact ones. The steps are those of the module.
    pub(crate) async fn expire_beyond(&self, retain: NonZeroUsize) -> Result<Vec<Generation>> {
        // 1.
        let mut seen = self.look(Operation::Expire).await?;
        let mut expired = Vec::new();
        let corrupt = self.warm.corrupt().clone();
        if seen.record.beyond(retain, &corrupt).is_empty() {
            return Ok(expired);
        }
        // 2.
        self.check_conditions(Operation::Expire).await?;

        let mut pace = self.pace_among_others(Operation::Expire, &seen.record);
        // Whether an attempt over what was seen may have arrived or still arrive, whatever its answer was.
        let mut may_arrive = false;
        let record = loop {
            // 3.
            let mut surplus = seen.record.beyond(retain, &corrupt);
            let aside =
                self.move_aside(Operation::Expire, surplus.iter().filter(|one| corrupt.contains(one.name()))).await;
            surplus.retain(|one| !corrupt.contains(one.name()) || aside.contains(one.name()));
            if surplus.is_empty() {
                break seen.record;
            }
            let reduced = seen.record.expire(&surplus);
            let why = match self.replace(&seen, &reduced, pace.left().max(LAST_ATTEMPT)).await {
                Replaced::Yes => {
                    expired.splice(0..0, surplus);
                    break reduced;
                }
                // 4.
                Replaced::NoAnswer(_) if !pace.is_over() => {
                    may_arrive = true;
                    pace.pause().await;
                    continue;
                }
                Replaced::NoAnswer(error) => error,
                Replaced::Unsupported(error) if !may_arrive => {
                    return Err(self.unsupported(Operation::Expire, "If-Match", &error.to_string()));
                }
                Replaced::Refused(error) | Replaced::Unsupported(error) => StoreError::from(&error).into(),
            };
            let now =
                self.look_back(Operation::Expire, &mut pace).await.map_err(|why| self.not_known_to_expire(why))?;
            if now.record == seen.record {
                if pace.is_over() {
                    return Err(self.not_known_to_expire(why));
                }
                may_arrive = true;
            } else {
                // Newer ones than those that expired earlier in this call.
                if surplus.iter().all(|one| now.record.find_retained(one).is_none()) {
                    expired.splice(0..0, surplus);
                }
                seen = now;
                may_arrive = false;
                if pace.is_over() && !seen.record.beyond(retain, &corrupt).is_empty() {
                    return Err(match expired.is_empty() {
                        true => self.busy(Operation::Expire, &pace),
                        false => self.not_known_to_expire(why),
                    });
                }
            }
            pace.pause().await;
        };
        // 5.
        self.forget_corrupt(&expired.iter().map(|one| one.name().to_owned()).collect());
        self.delete_dropped(Operation::Expire, &record).await;
        Ok(expired)
    }

    /// The outcome is unknown, which harms nobody: to expire again is idempotent.
    fn not_known_to_expire(&self, why: Source) -> MiniSnapError {
        let transient = why.downcast_ref::<MiniSnapError>().is_none_or(MiniSnapError::is_transient);
        MiniSnapError::Backend { at: self.at(Operation::Expire, &self.layout.current()), transient, source: why }
    }
}
