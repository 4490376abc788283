//! The precondition, the options and the result of a commit.

use crate::{ErrorContext, Generation, MiniSnapError, Result};
use std::{fmt, num::NonZeroUsize};

/// The precondition of a commit. The commit evaluates it in its atomic step, against the latest commit record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Precondition {
    /// Commits unconditionally: the last commit wins.
    #[default]
    Always,
    /// Commits only if the sequence number is higher than that of the current generation, or the store is empty. Otherwise the commit
    /// returns [`MiniSnapError::Stale`].
    IfNewer,
    /// Commits only if this generation is current (`None`: if the store is empty): a compare-and-swap. Otherwise the commit returns
    /// [`MiniSnapError::Conflict`]. Of concurrent writers that expect the same generation, exactly one commits.
    IfCurrent(Option<Generation>),
}

impl Precondition {
    /// Evaluates the precondition for a commit of `seq` over `current`. A backend calls it inside its atomic step.
    ///
    /// # Errors
    ///
    /// [`Stale`](MiniSnapError::Stale) or [`Conflict`](MiniSnapError::Conflict), at `at`, if the precondition doesn't hold.
    ///
    /// # Examples
    ///
    /// ```
    /// use minisnap_core::{ErrorContext, Generation, Operation, Precondition};
    ///
    /// let at = ErrorContext::new(Operation::Commit, "/var/lib/app");
    /// let current = Generation::new("10-k7", 10);
    /// assert!(Precondition::IfNewer.evaluate(11, Some(&current), &at).is_ok());
    /// assert!(Precondition::IfNewer.evaluate(10, Some(&current), &at).is_err());
    /// ```
    pub fn evaluate(&self, seq: u64, current: Option<&Generation>, at: &ErrorContext) -> Result<()> {
        match self {
            Self::Always => Ok(()),
            Self::IfNewer => match current {
                Some(current) if current.seq() >= seq => {
                    Err(MiniSnapError::Stale { at: at.clone(), seq, current: current.clone() })
                }
                _ => Ok(()),
            },
            Self::IfCurrent(expected) if expected.as_ref() == current => Ok(()),
            Self::IfCurrent(expected) => {
                Err(MiniSnapError::Conflict { at: at.clone(), expected: expected.clone(), current: current.cloned() })
            }
        }
    }
}

/// The options of a commit: the precondition and the retention.
///
/// # Examples
///
/// ```
/// use minisnap_core::{CommitOptions, Precondition};
/// use std::num::NonZeroUsize;
///
/// let options = CommitOptions::new(NonZeroUsize::MIN).with_precondition(Precondition::IfNewer);
/// assert_eq!((options.precondition(), options.retain().get()), (&Precondition::IfNewer, 1));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct CommitOptions {
    precondition: Precondition,
    retain: NonZeroUsize,
}

impl CommitOptions {
    /// Creates the options of an unconditional commit that retains the newest `retain` generations.
    #[must_use]
    pub fn new(retain: NonZeroUsize) -> Self {
        Self { precondition: Precondition::Always, retain }
    }

    /// Sets the precondition.
    #[must_use]
    pub fn with_precondition(mut self, precondition: Precondition) -> Self {
        self.precondition = precondition;
        self
    }

    /// Returns the precondition.
    #[must_use]
    pub fn precondition(&self) -> &Precondition {
        &self.precondition
    }

    /// Returns how many generations are retained, including the new one.
    #[must_use]
    pub fn retain(&self) -> NonZeroUsize {
        self.retain
    }
}

/// The result of a commit: the new generation, and the retained ones.
///
/// `Display` is the name of the generation.
///
/// # Examples
///
/// ```
/// use minisnap_core::{Committed, Generation};
/// use std::num::NonZeroUsize;
///
/// let before = [Generation::new("9-x2", 9), Generation::new("8-p4", 8)];
/// let committed = Committed::new(Generation::new("10-k7", 10), &before, NonZeroUsize::new(2).unwrap());
/// assert_eq!(committed.to_string(), "10-k7");
/// assert_eq!(committed.truncation_point(), 9); // 10 and 9 are retained
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    generation: Generation,
    /// Newest first; `generation` is the first one.
    retained: Vec<Generation>,
}

impl Committed {
    /// Creates the result of a commit of `generation` over the history `before`, newest first, with the retention `retain`. For backends.
    #[must_use]
    pub fn new(generation: Generation, before: &[Generation], retain: NonZeroUsize) -> Self {
        let older = Self::retained_after(retain, before.len()) - 1;
        let retained = std::iter::once(&generation).chain(before.iter().take(older)).cloned().collect();
        Self { generation, retained }
    }

    #[cfg(feature = "serde")]
    pub(crate) fn of_retained(retained: Vec<Generation>) -> Option<Self> {
        Some(Self { generation: retained.first()?.clone(), retained })
    }

    /// Returns how many generations are retained after a commit over `before` generations: `min(retain, before + 1)`. For backends.
    ///
    /// Generations that expired under a smaller retention stay expired under a larger one.
    #[must_use]
    pub fn retained_after(retain: NonZeroUsize, before: usize) -> usize {
        retain.get().min(before.saturating_add(1))
    }

    /// Returns the committed generation.
    #[must_use]
    pub fn generation(&self) -> &Generation {
        &self.generation
    }

    /// Returns the retained generations as of this commit, newest first. The first one is the committed generation.
    #[must_use]
    pub fn retained(&self) -> &[Generation] {
        &self.retained
    }

    /// Returns the smallest sequence number of the retained generations. The log can be truncated through it.
    ///
    /// The log after this number is needed to fall back to any *retained* generation. The number may be lower than the sequence number
    /// of this commit.
    ///
    /// The number is valid as of this commit. A later commit with a lower sequence number lowers the truncation point. So only the
    /// program that truncates the log may make such a commit.
    #[must_use]
    pub fn truncation_point(&self) -> u64 {
        self.retained.iter().map(Generation::seq).min().unwrap_or(self.generation.seq())
    }
}

impl fmt::Display for Committed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.generation, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Operation;

    fn generation(seq: u64) -> Generation {
        Generation::new(format!("generation {seq}"), seq)
    }

    fn retain(generations: usize) -> NonZeroUsize {
        NonZeroUsize::new(generations).expect("not zero")
    }

    #[test]
    fn precondition_is_evaluated_on_the_current_generation() {
        let (old, at) = (generation(7), ErrorContext::new(Operation::Commit, "a test"));
        let evaluate = |precondition: Precondition, seq, current| match precondition.evaluate(seq, current, &at) {
            Ok(()) => "commit",
            Err(MiniSnapError::Stale { .. }) => "stale",
            Err(MiniSnapError::Conflict { .. }) => "conflict",
            Err(other) => panic!("{other}"),
        };
        for current in [None, Some(&old)] {
            assert_eq!(evaluate(Precondition::Always, 0, current), "commit");
        }
        assert_eq!(evaluate(Precondition::IfNewer, 0, None), "commit");
        for (seq, result) in [(6, "stale"), (7, "stale"), (8, "commit")] {
            assert_eq!(evaluate(Precondition::IfNewer, seq, Some(&old)), result, "{seq}");
        }
        for (expected, current, result) in [
            (None, None, "commit"),
            (None, Some(&old), "conflict"),
            (Some(&old), None, "conflict"),
            (Some(&old), Some(&old), "commit"),
            (Some(&generation(8)), Some(&old), "conflict"),
        ] {
            assert_eq!(
                evaluate(Precondition::IfCurrent(expected.cloned()), 9, current),
                result,
                "{expected:?}, {current:?}"
            );
        }
    }

    #[test]
    fn newest_generations_are_retained_after_a_commit() {
        for (retention, before, retained) in [(1, 0, 1), (3, 0, 1), (3, 1, 2), (3, 2, 3), (3, 9, 3), (3, usize::MAX, 3)]
        {
            assert_eq!(Committed::retained_after(retain(retention), before), retained, "{retention}, {before}");
        }
        let before = [generation(3), generation(9), generation(2)];
        for (retention, retained) in
            [(1, &[5][..]), (2, &[5, 3]), (3, &[5, 3, 9]), (4, &[5, 3, 9, 2]), (9, &[5, 3, 9, 2])]
        {
            let committed = Committed::new(generation(5), &before, retain(retention));
            assert_eq!(committed.generation(), &generation(5));
            assert_eq!(committed.retained().iter().map(Generation::seq).collect::<Vec<_>>(), retained);
            assert_eq!(Some(committed.truncation_point()), retained.iter().copied().min());
        }
    }
}
