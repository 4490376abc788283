//! Whether what a publish was told may be true, as far as it can be said at once.

use super::{
    profile::Writer,
    violation::Kind,
    world::{Outcome, World, short},
};
use minisnap_core::{Committed, Generation, MiniSnapError, Result};

/// Why an outcome is unknown though the record can be read.
const MORE_THAN_NAMED: &str = "others published more since";

/// What the answer of an attempt says. Checks what can only be seen in the answer itself.
pub(super) fn outcome(world: &World, number: usize, plan: &Writer, told: &Result<Committed>) -> Outcome {
    if world.profile.slow_beside_quick {
        check_beside(world, number, told);
    }
    let names = |generations: &[Generation]| generations.iter().map(|one| one.name().to_owned()).collect();
    let error = match told {
        Ok(published) => {
            world.count("published");
            return Outcome::Committed(names(published.retained()));
        }
        Err(error) => error,
    };
    match error {
        MiniSnapError::Stale { current, .. } => {
            world.count("stale");
            Outcome::Refused(Some(current.name().to_owned()))
        }
        MiniSnapError::Conflict { current, .. } => {
            world.count("conflict");
            Outcome::Refused(current.as_ref().map(|current| current.name().to_owned()))
        }
        MiniSnapError::OutcomeUnknown { generation, previous, source, .. } => {
            world.count("unknown");
            if world.profile.record_faults + world.profile.other_faults == 0 {
                world.count("unknown though no fault was planned");
            }
            if source.to_string().contains(MORE_THAN_NAMED) {
                world.count("unknown: more than named");
                check_more_than_named(world, generation, previous.as_ref());
            }
            Outcome::Open
        }
        MiniSnapError::Busy { waited, .. } => {
            world.count("busy");
            if world.profile.record_faults + world.profile.other_faults == 0 {
                world.count("busy, no fault planned");
            }
            if *waited < plan.busy_timeout {
                let found = format!("attempt {number} was told Busy after {waited:?} of {:?}", plan.busy_timeout);
                world.violation(Kind::BusyTooEarly, found);
            }
            Outcome::Failed("busy")
        }
        MiniSnapError::StageLost { .. } => {
            world.count("restage");
            let sweeps = world.book().ledger.record().sweeps;
            // Where copies take their time, one that is needless, because the handle was idle for long, may be missed.
            if sweeps == world.book().attempts[number].sweeps_before && !world.profile.copies_later {
                let found = format!("attempt {number} has to be written again though nobody swept");
                world.violation(Kind::NeedlessStageLost, found);
            }
            Outcome::Failed("restage")
        }
        MiniSnapError::Backend { .. } => {
            world.count("backend error");
            Outcome::Failed("backend error")
        }
        MiniSnapError::Unsupported { .. } if world.profile.record_faults > 0 => {
            world.count("unsupported");
            Outcome::Failed("unsupported")
        }
        MiniSnapError::Corrupt { .. } => {
            // It is checked where it was called.
            Outcome::Failed("the record is lost")
        }
        error => {
            world.violation(Kind::UnexpectedError, format!("attempt {number} failed with what can't be: {error}"));
            Outcome::Failed("another error")
        }
    }
}

/// A large and slow publish beside quick small ones, where nothing else goes wrong, gets through or ends in `Busy`; and if
/// answers get lost, or are that the store can't do that, it may end unknown or so.
fn check_beside(world: &World, number: usize, told: &Result<Committed>) {
    let large = world.book().attempts[number].json.len() > world.profile.part_size;
    let lost = world.profile.record_faults > 0;
    match told {
        Ok(_) if large => world.count("slow beside quick: published"),
        Err(MiniSnapError::Busy { .. }) if large => world.count("slow beside quick: busy"),
        Ok(_) | Err(MiniSnapError::Busy { .. }) => {}
        Err(MiniSnapError::OutcomeUnknown { .. } | MiniSnapError::Unsupported { .. }) if lost => {}
        Err(error) => {
            world.violation(Kind::UnexpectedError, format!("attempt {number}, beside others, failed with: {error}"));
        }
    }
}

/// That really so many were published over what the attempt saw last.
fn check_more_than_named(world: &World, generation: &Generation, previous: Option<&Generation>) {
    let book = world.book();
    let seen = previous.map_or(Some(0), |previous| book.ledger.places.get(previous.name()).map(|place| place + 1));
    let since = seen.map(|seen| book.ledger.published.len() - seen);
    let named = world.profile.named.unwrap_or(256);
    drop(book);
    if since.is_none_or(|since| since <= named) {
        let name = short(generation.name());
        world.violation(
            Kind::NeedlessUnknown,
            format!("of {name} it isn't known whether it is in the record, though {since:?} were published since"),
        );
    }
}

/// Checks an attempt that is over.
pub(super) fn check(world: &World, number: usize) {
    let book = world.book();
    let attempt = book.attempts[number].clone();
    let lost = attempt.called.zip(attempt.over).is_some_and(|(called, over)| book.was_lost_throughout(called, over));
    let own = book.ledger.published.iter().find(|(_, other)| *other == number).map(|(name, _)| name.clone());
    drop(book);
    if attempt.uploads > 1 {
        let found = format!("attempt {number} uploaded its JSON {} times", attempt.uploads);
        world.violation(Kind::UploadedTwice, found);
    }
    let wrong = match (&attempt.outcome, own) {
        (Outcome::Refused(_) | Outcome::Open, _) if lost => Some("the record was lost all the time".into()),
        (Outcome::Committed(retained), Some(own)) if retained.first() == Some(&own) => None,
        (Outcome::Committed(_), Some(own)) => Some(format!("it was published as {}", short(&own))),
        (Outcome::Committed(_), None) => Some("it wasn't published".into()),
        (Outcome::Refused(_) | Outcome::Failed(_), Some(own)) => Some(format!("it was published as {}", short(&own))),
        (Outcome::Refused(_) | Outcome::Failed(_), None) | (Outcome::Open, _) => None,
    };
    if let Some(wrong) = wrong {
        let found = format!("attempt {number} was told {:?}, and {wrong}", attempt.outcome);
        world.violation(Kind::FalseAnswer, found);
    }
}
