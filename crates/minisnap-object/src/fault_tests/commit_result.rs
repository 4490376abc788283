//! Checks of a commit's result, right after it returned.

use super::{
    operations::Outcome,
    profile::Writer,
    simulation::{Simulation, short_name},
    violation::Kind,
};
use minisnap_core::{Committed, Generation, MiniSnapError, Result};

/// The beginning of the reason why an outcome is unknown although the record can be read.
const MORE_THAN_NAMED: &str = "other writers committed more generations since";

/// The outcome that a result reports. Checks the result as far as it can be checked by itself.
pub(super) fn outcome(sim: &Simulation, number: usize, plan: &Writer, result: &Result<Committed>) -> Outcome {
    if sim.profile.slow_among_fast {
        check_slow_among_fast(sim, number, result);
    }
    let names = |generations: &[Generation]| generations.iter().map(|retained| retained.name().to_owned()).collect();
    let error = match result {
        Ok(committed) => {
            sim.count("committed");
            return Outcome::Committed(names(committed.retained()));
        }
        Err(error) => error,
    };
    match error {
        MiniSnapError::Stale { current, .. } => {
            sim.count("stale");
            Outcome::Refused(Some(current.name().to_owned()))
        }
        MiniSnapError::Conflict { current, .. } => {
            sim.count("conflict");
            Outcome::Refused(current.as_ref().map(|current| current.name().to_owned()))
        }
        MiniSnapError::OutcomeUnknown { generation, previous, source, .. } => {
            sim.count("unknown");
            if sim.profile.record_faults + sim.profile.other_faults == 0 {
                sim.count("unknown: no fault planned");
            }
            if source.to_string().contains(MORE_THAN_NAMED) {
                sim.count("unknown: more than named");
                check_more_than_named(sim, generation, previous.as_ref());
            }
            Outcome::Open
        }
        MiniSnapError::Busy { waited, .. } => {
            sim.count("busy");
            if sim.profile.record_faults + sim.profile.other_faults == 0 {
                sim.count("busy: no fault planned");
            }
            if *waited < plan.busy_timeout {
                let found = format!("attempt {number} returned Busy after {waited:?} of {:?}", plan.busy_timeout);
                sim.violation(Kind::BusyTooEarly, found);
            }
            Outcome::Failed("busy")
        }
        MiniSnapError::StageLost { .. } => {
            sim.count("stage lost");
            let collections = sim.state().store_log.record().collections;
            // A handle that was idle for long has an old record, and may copy files without need. A store that copies in the
            // background may not show the copy yet.
            if collections == sim.state().attempts[number].collections_before && !sim.profile.copies_later {
                let found = format!("attempt {number} lost its stage although no garbage was collected");
                sim.violation(Kind::AvoidableStageLost, found);
            }
            Outcome::Failed("stage lost")
        }
        MiniSnapError::Backend { .. } => {
            sim.count("backend error");
            Outcome::Failed("backend error")
        }
        MiniSnapError::Unsupported { .. } if sim.profile.record_faults > 0 => {
            sim.count("unsupported");
            Outcome::Failed("unsupported")
        }
        // `check_loss_reported` has checked it.
        MiniSnapError::Corrupt { .. } => Outcome::Failed("the record is lost"),
        error => {
            sim.violation(Kind::UnexpectedError, format!("attempt {number} failed with: {error}"));
            Outcome::Failed("another error")
        }
    }
}

/// Checks a large and slow commit among small and fast ones, where only replacements of the record have faults. It succeeds or
/// ends in `Busy`. With faults it may also end in `OutcomeUnknown` or `Unsupported`.
fn check_slow_among_fast(sim: &Simulation, number: usize, result: &Result<Committed>) {
    let large = sim.state().attempts[number].json.len() > sim.profile.part_size;
    let has_faults = sim.profile.record_faults > 0;
    match result {
        Ok(_) if large => sim.count("slow among fast: committed"),
        Err(MiniSnapError::Busy { .. }) if large => sim.count("slow among fast: busy"),
        Ok(_) | Err(MiniSnapError::Busy { .. }) => {}
        Err(MiniSnapError::OutcomeUnknown { .. } | MiniSnapError::Unsupported { .. }) if has_faults => {}
        Err(error) => {
            sim.violation(
                Kind::UnexpectedError,
                format!("attempt {number} of a slow-among-fast history failed with: {error}"),
            );
        }
    }
}

/// Checks that more generations than the record names were committed since the record that the attempt read last.
fn check_more_than_named(sim: &Simulation, generation: &Generation, previous: Option<&Generation>) {
    let state = sim.state();
    let seen = previous.map_or(Some(0), |previous| state.store_log.order.get(previous.name()).map(|index| index + 1));
    let since = seen.map(|seen| state.store_log.committed.len() - seen);
    let named = sim.profile.min_entries.unwrap_or(256);
    drop(state);
    if since.is_none_or(|since| since <= named) {
        let name = short_name(generation.name());
        let found = format!("the outcome of {name} is reported as unknown, though {since:?} were committed since");
        sim.violation(Kind::AvoidableUnknown, found);
    }
}

/// Checks an attempt that has ended against the commits of the store.
pub(super) fn check(sim: &Simulation, number: usize) {
    let state = sim.state();
    let attempt = state.attempts[number].clone();
    let lost =
        attempt.called.zip(attempt.ended).is_some_and(|(called, ended)| state.was_lost_throughout(called, ended));
    let committed_name =
        state.store_log.committed.iter().find(|(_, other)| *other == number).map(|(name, _)| name.clone());
    drop(state);
    if attempt.uploads > 1 {
        let found = format!("attempt {number} uploaded its JSON {} times", attempt.uploads);
        sim.violation(Kind::UploadedTwice, found);
    }
    let mismatch = match (&attempt.outcome, committed_name) {
        (Outcome::Refused(_) | Outcome::Open, _) if lost => Some("the record was lost all the time".into()),
        (Outcome::Committed(retained), Some(committed_name)) if retained.first() == Some(&committed_name) => None,
        (Outcome::Committed(_), Some(committed_name)) => {
            Some(format!("it was committed as {}", short_name(&committed_name)))
        }
        (Outcome::Committed(_), None) => Some("it wasn't committed".into()),
        (Outcome::Refused(_) | Outcome::Failed(_), Some(committed_name)) => {
            Some(format!("it was committed as {}", short_name(&committed_name)))
        }
        (Outcome::Refused(_) | Outcome::Failed(_), None) | (Outcome::Open, _) => None,
    };
    if let Some(mismatch) = mismatch {
        let found = format!("attempt {number} returned {:?}, but {mismatch}", attempt.outcome);
        sim.violation(Kind::IncorrectResult, found);
    }
}
