//! What a check of a whole store found, and what a collection removed.

use crate::{
    Corruption, Generation, MiniSnapError,
    error::{Left, of_corruption},
};
use std::{borrow::Cow, fmt};

/// What [`verify`](crate::SnapshotBackend::verify) found: each retained generation, and the store around them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verification {
    /// The retained generations, newest first, each with what is wrong with it.
    pub generations: Vec<VerifiedGeneration>,
    /// What is wrong with the store itself: its commit record, its links, a gap in its history.
    pub problems: Vec<Problem>,
    /// Generations that are intact, and may never have been committed: their writer may have been killed before its commit,
    /// newest first. Only an explicit choice may take one.
    pub unconfirmed: Vec<Generation>,
    /// Locations of corrupt generations that a later commit moved aside, of what going back from a lost store moved aside, and
    /// of what was committed after the current one, where somebody moved the commit record back by hand. They
    /// belong to the operator: nothing removes them.
    pub moved_aside: Vec<String>,
    /// How many expired generations a [collection](crate::SnapshotBackend::collect_garbage) would remove.
    pub expired: usize,
    /// How many orphans of crashed or cancelled writers a collection would remove. Where a living writer's stage can't be told
    /// from an orphan, it is counted.
    pub orphans: usize,
}

impl Verification {
    /// Nothing but these generations.
    #[must_use]
    pub fn new(generations: Vec<VerifiedGeneration>) -> Self {
        Self { generations, ..Self::default() }
    }

    /// Whether nothing is wrong: every retained generation is intact, and so is the store. What was moved aside, what
    /// could be collected and what may never have been committed doesn't count.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.problems.is_empty() && self.generations.iter().all(VerifiedGeneration::is_intact)
    }

    /// The newest generation that is intact: what to fall back to.
    #[must_use]
    pub fn newest_intact(&self) -> Option<&Generation> {
        self.generations.iter().find(|verified| verified.is_intact()).map(|verified| &verified.generation)
    }

    /// What a person can do about one of the problems: a sentence without a full stop. It depends on what else is intact.
    ///
    /// ```
    /// use minisnap_core::{Corruption, Generation, Problem, Verification, VerifiedGeneration};
    ///
    /// let (older, current) = (Generation::new("9-x2", 9), Generation::new("10-k7", 10));
    /// let problem = Problem::new("/var/lib/app/snapshots/10-k7/snapshot.json", Corruption::Missing);
    /// let found = Verification::new(vec![
    ///     VerifiedGeneration::corrupt(current, problem.clone()),
    ///     VerifiedGeneration::intact(older),
    /// ]);
    /// assert!(found.help(&problem).contains("restore the newest intact generation, 9-x2"));
    /// ```
    #[must_use]
    pub fn help(&self, problem: &Problem) -> Cow<'static, str> {
        let left = Left {
            newest_intact: self.newest_intact(),
            unconfirmed: &self.unconfirmed,
            is_current_intact: self.generations.first().is_some_and(VerifiedGeneration::is_intact),
        };
        of_corruption(&problem.found, &problem.location, left)
    }
}

/// A retained generation, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedGeneration {
    /// The generation.
    pub generation: Generation,
    /// What is wrong with it; `None` if it is intact.
    pub problem: Option<Problem>,
}

impl VerifiedGeneration {
    /// An intact generation.
    #[must_use]
    pub fn intact(generation: Generation) -> Self {
        Self { generation, problem: None }
    }

    /// A corrupt one.
    #[must_use]
    pub fn corrupt(generation: Generation, problem: Problem) -> Self {
        Self { generation, problem: Some(problem) }
    }

    /// Whether nothing is wrong with it.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.problem.is_none()
    }
}

/// Something wrong in a store: where, and what. [`Verification::help`] says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The path or URL of what is wrong, without credentials.
    pub location: String,
    /// What is wrong with it.
    pub found: Corruption,
}

impl Problem {
    /// `found` at `location`.
    #[must_use]
    pub fn new(location: impl Into<String>, found: Corruption) -> Self {
        Self { location: location.into(), found }
    }
}

/// For a backend's [`verify`](crate::SnapshotBackend::verify): what is wrong with a store is a problem, and what keeps it from
/// being looked at stays an error.
impl TryFrom<MiniSnapError> for Problem {
    type Error = MiniSnapError;

    fn try_from(error: MiniSnapError) -> Result<Self, MiniSnapError> {
        let location = error.at().location().to_owned();
        let found = match error {
            MiniSnapError::Corrupt { found, .. } => found,
            MiniSnapError::ExternalChange { found, .. } => Corruption::ExternalChange(found),
            MiniSnapError::NotFound { found, .. } => Corruption::NoSnapshot(found),
            MiniSnapError::InvalidSequence { found, .. } => Corruption::NotASeq { found },
            error => return Err(error),
        };
        Ok(Self { location, found })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.location, self.found)
    }
}

/// What a [collection](crate::SnapshotBackend::collect_garbage) removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Collected {
    /// How many expired generations.
    pub expired: usize,
    /// How many orphans of crashed or cancelled writers.
    pub orphans: usize,
}

impl Collected {
    /// That many of each.
    #[must_use]
    pub fn new(expired: usize, orphans: usize) -> Self {
        Self { expired, orphans }
    }
}
