//! `minisnap verify`: every retained snapshot, whole, and the store around them.
//!
//! Its exit codes are its own: 0 intact, 1 corrupt, 2 could not look. So a job that runs it at night needs to know no other,
//! and never takes a store that isn't there for one that is intact.
//!
//! 1. The backend checks the whole store: digests, pairs, its commit record and links.
//! 2. Of what is intact, the JSON is read: a backend stores bytes, and a restore needs JSON.
//! 3. An error that a reader of this store would get says more than a list of problems: then it is the verdict.

mod report;
#[cfg(test)]
mod tests;
mod verdict;

use crate::{
    args::VerifyArgs,
    commands::show::health,
    exit::{Exit, Failure, Outcome},
    explain::explain,
    open_store::{LOOKS, Place},
    out,
    progress::Progress,
};
use minisnap::{Corruption, Generation, MiniSnapError, Problem, Verification};
use std::io::ErrorKind;

pub(crate) async fn run(args: VerifyArgs) -> Outcome {
    let place = Place::of(&args.store)?;
    let mut verified = Verified::check(&place).await?;
    let verdict = verified.verdict(&place);
    match (args.form.json, args.quiet) {
        (true, _) => out::print(&format!("{:#}\n", verified.for_programs(&place, verdict.as_ref())))?,
        (false, true) => {
            let wrong = verified.wrong_lines();
            // Where nothing is printed, it doesn't matter who reads it.
            if !wrong.is_empty() {
                out::print(&wrong)?;
            }
        }
        (false, false) => out::print(&verified.lines(&place.command("collect-garbage", &[])))?,
    }
    verdict.map_or(Ok(()), Err)
}

/// What was found out.
#[derive(Default)]
struct Verified {
    /// Newest first.
    snapshots: Vec<(Generation, Health)>,
    /// What is wrong with the store around them.
    problems: Vec<Problem>,
    /// What is intact, and may never have been committed, newest first.
    unconfirmed: Vec<Generation>,
    moved_aside: Vec<String>,
    /// What a collection would remove.
    expired: usize,
    orphans: usize,
    /// What a reader of this store is told: its history can't be read, or there are external changes.
    error: Option<Failure>,
}

enum Health {
    /// As committed, perhaps with a warning.
    Intact(Option<String>),
    Corrupt(Wrong),
    /// It can't be read.
    Unknown(Wrong),
}

struct Wrong {
    what: String,
    /// In a form that advice can be made of; `None` if it is no corruption that a backend finds.
    found: Option<Corruption>,
}

impl Verified {
    async fn check(place: &Place) -> Outcome<Self> {
        for _ in 0..LOOKS {
            // 1.
            let verification = {
                let _verifying = Progress::of_one_step("verifying");
                place.backend().verify().await.map_err(|error| as_verify_says_it(error.into()))?
            };
            let mut verified = Self::of(verification);
            if verified.snapshots.is_empty() || !verified.problems.is_empty() {
                match place.history().await {
                    Ok(_) => {}
                    Err(failure) if verified.problems.is_empty() => return Err(as_verify_says_it(failure)),
                    // Whose that is, and that it may not be read, is among the problems.
                    Err(failure) if is_denied(&failure) => return Ok(verified),
                    Err(failure) => {
                        // 3.
                        verified.error = Some(as_verify_says_it(explain(failure, place).await));
                        return Ok(verified);
                    }
                }
            }
            verified.check_json(place).await;
            if !verified.snapshots.is_empty() {
                return Ok(verified);
            }
        }
        let what = format!("{}: snapshots expired faster than they could be checked", place.name());
        Err(Failure::new(Exit::CouldNotLook, what).advice("retain more of them, or try again when it is quieter"))
    }

    fn of(verification: Verification) -> Self {
        let Verification { generations, problems, unconfirmed, moved_aside, expired, orphans, .. } = verification;
        let snapshots = generations.into_iter().map(|verified| {
            let health = verified.problem.map_or(Health::Intact(None), Health::of);
            (verified.generation, health)
        });
        Self { snapshots: snapshots.collect(), problems, unconfirmed, moved_aside, expired, orphans, error: None }
    }

    /// 2. Whether what is intact is JSON. What expires meanwhile is retained no more, and left out.
    async fn check_json(&mut self, place: &Place) {
        let intact = |(_, health): &&(Generation, Health)| matches!(health, Health::Intact(_));
        let sizes = self.snapshots.iter().filter(intact).filter_map(|(generation, _)| generation.size());
        let progress = Progress::of_bytes("reading", sizes.sum());
        for (generation, mut health) in std::mem::take(&mut self.snapshots) {
            if matches!(health, Health::Intact(_)) {
                match self::health(place, &generation).await {
                    Ok(warning) => health = Health::Intact(warning),
                    Err(MiniSnapError::Expired { .. }) => continue,
                    // 3. The bytes under the commit record are intact: it is what stands in their place.
                    Err(error @ MiniSnapError::ExternalChange { .. }) => {
                        self.error = Some(as_verify_says_it(explain(error.into(), place).await));
                    }
                    // A link in the way of all readers is among the store's problems.
                    Err(MiniSnapError::Corrupt { found: Corruption::LinkAsText { .. }, .. })
                        if !self.problems.is_empty() => {}
                    Err(error) => health = Health::of_error(error),
                }
                progress.add(generation.size().unwrap_or_default());
            }
            self.snapshots.push((generation, health));
        }
    }
}

impl Health {
    fn of(problem: Problem) -> Self {
        let is_unread = matches!(problem.found, Corruption::Unreadable { .. } | Corruption::Forbidden { .. });
        let wrong = Wrong { what: problem.to_string(), found: Some(problem.found) };
        if is_unread { Self::Unknown(wrong) } else { Self::Corrupt(wrong) }
    }

    fn of_error(error: MiniSnapError) -> Self {
        let found = match &error {
            MiniSnapError::Corrupt { found, .. } => Some(found.clone()),
            _ => None,
        };
        let failure = Failure::from(error);
        let wrong = Wrong { what: failure.what(), found };
        match failure.exit() {
            Exit::Corrupt => Self::Corrupt(wrong),
            _ => Self::Unknown(wrong),
        }
    }

    /// In a word that programs can rely on.
    fn word(&self) -> &'static str {
        match self {
            Self::Intact(_) => "intact",
            Self::Corrupt(_) => "corrupt",
            Self::Unknown(_) => "unknown",
        }
    }

    fn wrong(&self) -> Option<&Wrong> {
        match self {
            Self::Intact(_) => None,
            Self::Corrupt(wrong) | Self::Unknown(wrong) => Some(wrong),
        }
    }
}

fn is_denied(failure: &Failure) -> bool {
    matches!(failure.error(), Some(MiniSnapError::Io { source, .. }) if source.kind() == ErrorKind::PermissionDenied)
}

/// Here, external changes are corruption; and where there is nothing, there was nothing to look at.
fn as_verify_says_it(failure: Failure) -> Failure {
    let exit = match failure.exit() {
        Exit::Corrupt | Exit::ExternalChange => Exit::Corrupt,
        _ => Exit::CouldNotLook,
    };
    failure.with_exit(exit)
}
