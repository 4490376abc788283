//! A commit: its precondition, its options, and its result.

use crate::{ErrorContext, Generation, MiniSnapError, Result};
use std::{fmt, num::NonZeroUsize};

/// The condition under which a snapshot is committed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Precondition {
    /// Always: the last commit wins.
    #[default]
    Always,
    /// If the sequence number is above that of the current generation, or there is none; else [`MiniSnapError::Stale`]. The
    /// same number again is stale.
    IfNewer,
    /// If this generation is the current one (`None`: if there is none yet); else [`MiniSnapError::Conflict`]. Of any
    /// number of writers that expect the same, exactly one commits.
    IfCurrent(Option<Generation>),
}

impl Precondition {
    /// Evaluates a commit of `seq` over `current`. A backend calls it inside its atomic step.
    ///
    /// # Errors
    ///
    /// [`Stale`](MiniSnapError::Stale) or [`Conflict`](MiniSnapError::Conflict), with `at` and the generations involved.
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

/// How a staged snapshot is committed.
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
    /// Commits unconditionally, and retains the newest `retain` generations.
    #[must_use]
    pub fn new(retain: NonZeroUsize) -> Self {
        Self { precondition: Precondition::Always, retain }
    }

    /// Commits only if `precondition` holds.
    #[must_use]
    pub fn with_precondition(mut self, precondition: Precondition) -> Self {
        self.precondition = precondition;
        self
    }

    /// The condition of the commit.
    #[must_use]
    pub fn precondition(&self) -> &Precondition {
        &self.precondition
    }

    /// How many generations to retain, the new one included.
    #[must_use]
    pub fn retain(&self) -> NonZeroUsize {
        self.retain
    }
}

/// The result of a commit: the new generation, and what is retained now.
///
/// Displayed as the generation's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    generation: Generation,
    /// Newest first, `generation` at the head.
    retained: Vec<Generation>,
}

impl Committed {
    /// `generation` was committed over `before`, the history until then, newest first; of both, the newest `retain` are
    /// retained.
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

    /// How many generations are retained after a commit with `retain` when `before` were: `min(retain, before + 1)`. Not one
    /// more: what expired by a handle that retains few doesn't come back for one that retains many.
    #[must_use]
    pub fn retained_after(retain: NonZeroUsize, before: usize) -> usize {
        retain.get().min(before.saturating_add(1))
    }

    /// The generation that was committed.
    #[must_use]
    pub fn generation(&self) -> &Generation {
        &self.generation
    }

    /// The retained generations as of this commit, newest first, this one at the head.
    #[must_use]
    pub fn retained(&self) -> &[Generation] {
        &self.retained
    }

    /// The smallest sequence number among the retained generations. The log can be truncated through it: a fall-back to any
    /// retained snapshot still finds the log that follows it.
    ///
    /// It holds as of this commit. Where lower sequence numbers are committed, only the program that truncates may do so.
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
    fn a_publish_is_judged_on_what_is_current() {
        let (old, at) = (generation(7), ErrorContext::new(Operation::Commit, "a test"));
        let evaluate = |when: Precondition, seq, current| match when.evaluate(seq, current, &at) {
            Ok(()) => "commit",
            Err(MiniSnapError::Stale { .. }) => "stale",
            Err(MiniSnapError::Conflict { .. }) => "conflict",
            Err(other) => panic!("{other}"),
        };
        for current in [None, Some(&old)] {
            assert_eq!(evaluate(Precondition::Always, 0, current), "commit");
        }
        assert_eq!(evaluate(Precondition::IfNewer, 0, None), "commit");
        for (seq, judged) in [(6, "stale"), (7, "stale"), (8, "commit")] {
            assert_eq!(evaluate(Precondition::IfNewer, seq, Some(&old)), judged, "{seq}");
        }
        for (expected, current, judged) in [
            (None, None, "commit"),
            (None, Some(&old), "conflict"),
            (Some(&old), None, "conflict"),
            (Some(&old), Some(&old), "commit"),
            (Some(&generation(8)), Some(&old), "conflict"),
        ] {
            assert_eq!(
                evaluate(Precondition::IfCurrent(expected.cloned()), 9, current),
                judged,
                "{expected:?}, {current:?}"
            );
        }
    }

    #[test]
    fn as_many_are_retained_as_asked_and_never_more_than_were_there() {
        for (kept, before, retained) in [(1, 0, 1), (3, 0, 1), (3, 1, 2), (3, 2, 3), (3, 9, 3), (3, usize::MAX, 3)] {
            assert_eq!(Committed::retained_after(retain(kept), before), retained, "{kept}, {before}");
        }
        let before = [generation(3), generation(9), generation(2)];
        for (kept, retained) in [(1, &[5][..]), (2, &[5, 3]), (3, &[5, 3, 9]), (4, &[5, 3, 9, 2]), (9, &[5, 3, 9, 2])] {
            let committed = Committed::new(generation(5), &before, retain(kept));
            assert_eq!(committed.generation(), &generation(5));
            assert_eq!(committed.retained().iter().map(Generation::seq).collect::<Vec<_>>(), retained);
            assert_eq!(Some(committed.truncation_point()), retained.iter().copied().min());
        }
    }
}
