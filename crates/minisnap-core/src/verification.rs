//! The results of a verification and of a garbage collection.

use crate::{
    Corruption, Generation, MiniSnapError, Overdue,
    error::{RemainingGenerations, advice_on_corruption},
};
use std::{borrow::Cow, fmt};

/// The result of [`verify`](crate::SnapshotBackend::verify): the retained generations, the problems of the store, and its garbage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verification {
    /// The retained generations, newest first, each with its problem, if any.
    pub generations: Vec<VerifiedGeneration>,
    /// The problems of the store itself: of its commit record, its links, its history.
    pub problems: Vec<Problem>,
    /// Intact generations that may never have been committed, newest first. Their writer may have been killed before its commit. Let a
    /// person choose before you restore one.
    pub unconfirmed: Vec<Generation>,
    /// The locations of generations that were moved aside. They are corrupt, belong to a lost store, or are newer than a commit record
    /// that was reset by hand. The store never deletes them; the operator may.
    pub moved_aside: Vec<String>,
    /// How many expired generations a [collection](crate::SnapshotBackend::collect_garbage) would delete.
    pub expired: usize,
    /// How many orphans of crashed or cancelled writers a collection would delete. In an object store this includes the stages of
    /// running writers.
    pub orphans: usize,
    /// The garbage that commits should have deleted, but didn't. `None` if there is none, or if the backend can't tell.
    pub overdue: Option<Overdue>,
}

impl Verification {
    /// Creates a verification of these generations, without problems of the store and without garbage. For backends.
    #[must_use]
    pub fn new(generations: Vec<VerifiedGeneration>) -> Self {
        Self { generations, ..Self::default() }
    }

    /// Returns whether every retained generation and the store itself are intact.
    ///
    /// Garbage, overdue or not, unconfirmed generations and generations that were moved aside don't affect the result.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.problems.is_empty() && self.generations.iter().all(VerifiedGeneration::is_intact)
    }

    /// Returns the retained generations that are intact, newest first.
    ///
    /// # Examples
    ///
    /// ```
    /// use minisnap_core::{Corruption, Generation, Problem, Verification, VerifiedGeneration};
    ///
    /// let problem = Problem::new("app.db/10-k7", Corruption::Missing);
    /// let found = Verification::new(vec![
    ///     VerifiedGeneration::intact(Generation::new("11-p3", 11)),
    ///     VerifiedGeneration::corrupt(Generation::new("10-k7", 10), problem),
    ///     VerifiedGeneration::intact(Generation::new("9-x2", 9)),
    /// ]);
    /// assert_eq!(found.intact().map(Generation::seq).collect::<Vec<_>>(), [11, 9]);
    /// ```
    pub fn intact(&self) -> impl Iterator<Item = &Generation> {
        self.generations.iter().filter(|verified| verified.is_intact()).map(|verified| &verified.generation)
    }

    /// Returns the newest intact generation, to fall back to.
    #[must_use]
    pub fn newest_intact(&self) -> Option<&Generation> {
        self.intact().next()
    }

    /// Returns advice on a problem: a sentence without a full stop. It depends on the generations that are intact.
    ///
    /// # Examples
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
        let remaining = RemainingGenerations {
            newest_intact: self.newest_intact(),
            unconfirmed: &self.unconfirmed,
            is_current_intact: self.generations.first().is_some_and(VerifiedGeneration::is_intact),
        };
        advice_on_corruption(&problem.found, &problem.location, remaining)
    }
}

/// A retained generation, and its problem, if any.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedGeneration {
    /// The generation.
    pub generation: Generation,
    /// The problem; `None` if the generation is intact.
    pub problem: Option<Problem>,
}

impl VerifiedGeneration {
    /// Creates the result for an intact generation. For backends.
    #[must_use]
    pub fn intact(generation: Generation) -> Self {
        Self { generation, problem: None }
    }

    /// Creates the result for a corrupt generation. For backends.
    #[must_use]
    pub fn corrupt(generation: Generation, problem: Problem) -> Self {
        Self { generation, problem: Some(problem) }
    }

    /// Returns whether the generation is intact.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.problem.is_none()
    }
}

/// A problem of a store: its location, and the kind of corruption. [`Verification::help`] has advice.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The path, or the URL without credentials.
    pub location: String,
    /// The kind of corruption.
    pub found: Corruption,
}

impl Problem {
    /// Creates a problem at `location`. For backends.
    #[must_use]
    pub fn new(location: impl Into<String>, found: Corruption) -> Self {
        Self { location: location.into(), found }
    }
}

/// For a backend's [`verify`](crate::SnapshotBackend::verify): an error that describes the store becomes a problem. An error that
/// prevents the verification stays an error.
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

/// The result of a [collection](crate::SnapshotBackend::collect_garbage).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Collected {
    /// How many expired generations were deleted.
    pub expired: usize,
    /// How many orphans of crashed or cancelled writers were deleted.
    pub orphans: usize,
}

impl Collected {
    /// Creates a result with these counts. For backends.
    #[must_use]
    pub fn new(expired: usize, orphans: usize) -> Self {
        Self { expired, orphans }
    }
}
