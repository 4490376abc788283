//! `minisnap verify`: checks every retained snapshot completely, and the store's record and links.
//!
//! It has only three exit codes: 0 intact, 1 corrupt, 2 not checked. So a scheduled job never takes a missing store for an
//! intact one.
//!
//! 1. The backend checks the complete store: digests, pairs, the commit record and the links.
//! 2. The JSON of each intact snapshot is parsed: a backend stores bytes, and a restore needs JSON.
//! 3. If a reader of this store would get an error, that error is the verdict. It explains more than a list of problems.

mod report;
#[cfg(test)]
mod tests;
mod verdict;

use crate::{
    add_help::add_help,
    args::VerifyArgs,
    commands::show::health,
    exit::{Exit, Failure, Outcome},
    open_store::{OpenStore, READ_ATTEMPTS},
    progress::Progress,
    stdio,
};
use minisnap::{Corruption, Generation, MiniSnapError, Overdue, Problem, Verification};
use std::io::ErrorKind;

pub(crate) async fn run(args: VerifyArgs) -> Outcome {
    let store = OpenStore::of(&args.store)?;
    let mut verified = Verified::check(&store).await?;
    let verdict = verified.verdict(&store);
    match (args.form.json, args.quiet) {
        (true, _) => stdio::print(&format!("{:#}\n", verified.to_json(&store, verdict.as_ref())))?,
        (false, true) => {
            let lines = verified.finding_lines();
            // Without output, a closed stdout is no failure.
            if !lines.is_empty() {
                stdio::print(&lines)?;
            }
        }
        (false, false) => stdio::print(&verified.lines(&store.command("collect-garbage", &[])))?,
    }
    if let (false, Some(warning)) = (args.form.json, verified.warning(store.name())) {
        stdio::warning(&warning);
    }
    verdict.map_or(Ok(()), Err)
}

/// The result of the check.
#[derive(Default)]
struct Verified {
    /// Newest first.
    snapshots: Vec<(Generation, Health)>,
    /// The problems of the store outside its snapshots.
    problems: Vec<Problem>,
    /// The snapshots that are intact, and possibly never committed, newest first.
    unconfirmed: Vec<Generation>,
    moved_aside: Vec<String>,
    /// How much a garbage collection would delete.
    expired: usize,
    orphans: usize,
    /// What commits should have deleted.
    overdue: Option<Overdue>,
    /// The error that a reader of this store gets: its history can't be read, or it has external changes.
    error: Option<Failure>,
}

enum Health {
    /// As committed, possibly with a warning.
    Intact(Option<String>),
    Corrupt(Finding),
    /// The snapshot can't be read.
    Unknown(Finding),
}

struct Finding {
    what: String,
    /// Decides the help. `None` if it is no corruption that a backend detects.
    found: Option<Corruption>,
}

impl Verified {
    async fn check(store: &OpenStore) -> Outcome<Self> {
        for _ in 0..READ_ATTEMPTS {
            // 1.
            let verification = {
                let _verifying = Progress::of_one_step("verifying");
                store.backend().verify().await.map_err(|error| with_verify_exit(error.into()))?
            };
            let mut verified = Self::of(verification);
            if verified.snapshots.is_empty() || !verified.problems.is_empty() {
                match store.history().await {
                    Ok(_) => {}
                    Err(failure) if verified.problems.is_empty() => return Err(with_verify_exit(failure)),
                    // The problems already contain the owner and the missing permission.
                    Err(failure) if is_denied(&failure) => return Ok(verified),
                    Err(failure) => {
                        // 3.
                        verified.error = Some(with_verify_exit(add_help(failure, store).await));
                        return Ok(verified);
                    }
                }
            }
            verified.check_json(store).await;
            if !verified.snapshots.is_empty() {
                return Ok(verified);
            }
        }
        let what = format!("{}: snapshots expired faster than they could be checked", store.name());
        Err(Failure::new(Exit::CouldNotLook, what)
            .with_help("retain more snapshots, or retry when fewer are committed"))
    }

    fn of(verification: Verification) -> Self {
        let Verification { generations, problems, unconfirmed, moved_aside, expired, orphans, overdue, .. } =
            verification;
        let snapshots = generations.into_iter().map(|verified| {
            let health = verified.problem.map_or(Health::Intact(None), Health::of);
            (verified.generation, health)
        });
        let snapshots = snapshots.collect();
        Self { snapshots, problems, unconfirmed, moved_aside, expired, orphans, overdue, error: None }
    }

    /// 2. Parses the JSON of the intact snapshots. Removes those that expire before they are read.
    async fn check_json(&mut self, store: &OpenStore) {
        let intact = |(_, health): &&(Generation, Health)| matches!(health, Health::Intact(_));
        let sizes = self.snapshots.iter().filter(intact).filter_map(|(generation, _)| generation.size());
        let progress = Progress::of_bytes("reading", sizes.sum());
        for (generation, mut health) in std::mem::take(&mut self.snapshots) {
            if matches!(health, Health::Intact(_)) {
                match self::health(store, &generation).await {
                    Ok(warning) => health = Health::Intact(warning),
                    Err(MiniSnapError::Expired { .. }) => continue,
                    // 3. The committed bytes are intact, but the public files were replaced.
                    Err(error @ MiniSnapError::ExternalChange { .. }) => {
                        self.error = Some(with_verify_exit(add_help(error.into(), store).await));
                    }
                    // The problems of the store already contain this link, which fails every read.
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
        let finding = Finding { what: problem.to_string(), found: Some(problem.found) };
        if is_unread { Self::Unknown(finding) } else { Self::Corrupt(finding) }
    }

    fn of_error(error: MiniSnapError) -> Self {
        let found = match &error {
            MiniSnapError::Corrupt { found, .. } => Some(found.clone()),
            _ => None,
        };
        let failure = Failure::from(error);
        let finding = Finding { what: failure.what(), found };
        match failure.exit() {
            Exit::Corrupt => Self::Corrupt(finding),
            _ => Self::Unknown(finding),
        }
    }

    /// The word in the output. Stable.
    fn word(&self) -> &'static str {
        match self {
            Self::Intact(_) => "intact",
            Self::Corrupt(_) => "corrupt",
            Self::Unknown(_) => "unknown",
        }
    }

    fn finding(&self) -> Option<&Finding> {
        match self {
            Self::Intact(_) => None,
            Self::Corrupt(finding) | Self::Unknown(finding) => Some(finding),
        }
    }
}

fn is_denied(failure: &Failure) -> bool {
    matches!(failure.error(), Some(MiniSnapError::Io { source, .. }) if source.kind() == ErrorKind::PermissionDenied)
}

/// Sets one of the exit codes of `verify`: external changes count as corruption, and a missing store as not checked.
fn with_verify_exit(failure: Failure) -> Failure {
    let exit = match failure.exit() {
        Exit::Corrupt | Exit::ExternalChange => Exit::Corrupt,
        _ => Exit::CouldNotLook,
    };
    failure.with_exit(exit)
}
