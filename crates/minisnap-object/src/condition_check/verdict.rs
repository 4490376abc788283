//! What the check finds about a store that doesn't support conditional writes.

use super::race::{Condition, RACERS, Undecided};
use crate::ObjectBackend;
use minisnap_core::{MiniSnapError, Operation};
use std::{error::Error, mem::discriminant};

/// A property of a store with which commits aren't safe, or never succeed.
#[derive(Debug)]
pub(super) enum Finding {
    /// This many writers with the same condition succeeded.
    Ignored(Condition, usize),
    /// All writers were refused, although the condition holds.
    Refused(Condition, Undecided),
    /// All writers with the condition failed. A write without it succeeds.
    Rejected(Condition, Undecided),
    /// Objects have neither an ETag nor a version.
    NoTag,
    /// A read returned the object as it was before an acknowledged write.
    StaleRead,
    /// A read returned bytes that no writer wrote.
    OtherBytes,
}

const USE_ANOTHER: &str = "use a store, or a version of it, that supports conditional writes; check that neither a proxy nor an \
    option such as `aws_conditional_put` turns them off";

const CHECK_CACHES: &str = "if a caching proxy is between this program and the store, exclude the store from its cache";

impl Finding {
    /// Whether both are the same property, of the same condition.
    pub(super) fn is_same_kind(&self, other: &Self) -> bool {
        discriminant(self) == discriminant(other) && self.condition() == other.condition()
    }

    fn condition(&self) -> Option<Condition> {
        match self {
            Self::Ignored(condition, _) | Self::Refused(condition, _) | Self::Rejected(condition, _) => {
                Some(*condition)
            }
            Self::NoTag | Self::StaleRead | Self::OtherBytes => None,
        }
    }

    /// The finding as a text.
    pub(super) fn describe(&self, backend: &ObjectBackend) -> String {
        let store = &backend.store;
        match self {
            Self::Ignored(condition, winners) => format!(
                "{store} ignores the condition `{condition}` of conditional writes ({winners} of {RACERS} writers succeeded, \
                 expected 1), so concurrent commits would overwrite each other"
            ),
            Self::Refused(condition, answer) => format!(
                "{store} refuses conditional writes although their condition `{condition}` holds ({})",
                first_cause(answer)
            ),
            Self::Rejected(condition, answer) => format!(
                "{store} has no conditional writes: it rejects the condition `{condition}` ({}), and accepts the same write \
                 without it",
                first_cause(answer)
            ),
            Self::NoTag => format!("{store} returns no ETag, so no write can have the condition `If-Match`"),
            Self::StaleRead => format!(
                "{store} returns an older object after it acknowledged a newer one, so commits and restores would miss snapshots"
            ),
            Self::OtherBytes => format!("{store} returns other bytes than were written"),
        }
    }

    pub(super) fn into_error(self, backend: &ObjectBackend, operation: Operation) -> MiniSnapError {
        let what = self.describe(backend);
        let help = match self {
            Self::StaleRead | Self::OtherBytes => CHECK_CACHES,
            Self::Ignored(..) | Self::Refused(..) | Self::Rejected(..) | Self::NoTag => USE_ANOTHER,
        };
        let at = backend.at(operation, backend.layout.snapshots());
        MiniSnapError::Unsupported { at, what, help: Some(help.into()) }
    }
}

impl ObjectBackend {
    /// The error for an answer that says that the store has no conditional writes, outside of the check.
    pub(crate) fn unsupported(&self, operation: Operation, condition: &str, answer: &str) -> MiniSnapError {
        MiniSnapError::Unsupported {
            at: self.at(operation, self.layout.snapshots()),
            what: format!(
                "{} doesn't support the condition `{condition}` of conditional writes ({answer})",
                self.store
            ),
            help: Some(USE_ANOTHER.into()),
        }
    }
}

fn first_cause(answer: &Undecided) -> String {
    answer.source().map_or_else(|| answer.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_about_two_conditions_are_of_two_kinds() {
        let refused = |condition| Finding::Refused(condition, Undecided::new(""));
        assert!(refused(Condition::IfMatch).is_same_kind(&refused(Condition::IfMatch)));
        assert!(!refused(Condition::IfMatch).is_same_kind(&refused(Condition::IfNoneMatch)));
        assert!(!refused(Condition::IfMatch).is_same_kind(&Finding::NoTag));
        assert!(Finding::NoTag.is_same_kind(&Finding::NoTag));
    }
}
