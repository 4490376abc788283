//! Garbage that commits should have deleted, as a verification reports it.

use std::fmt;

/// Garbage that commits should have deleted, but didn't. It grows with each commit.
///
/// Usually the writers' credentials don't permit to delete. A fresh handle deduces overdue garbage from the store; a handle whose own
/// deletion failed also has its failure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Overdue {
    /// How many of the [expired](crate::Verification::expired) generations are overdue.
    pub expired: usize,
    /// How many of the [orphans](crate::Verification::orphans) are overdue.
    pub orphans: usize,
    /// The last deletion of this handle, if it failed.
    pub failure: Option<FailedDeletion>,
}

impl Overdue {
    /// Creates a result with these counts. For backends.
    #[must_use]
    pub fn new(expired: usize, orphans: usize) -> Self {
        Self { expired, orphans, failure: None }
    }

    /// Adds the last deletion of this handle, if it failed. For backends.
    #[must_use]
    pub fn with_failure(self, failure: Option<FailedDeletion>) -> Self {
        Self { failure, ..self }
    }

    /// Returns the value, or `None` if nothing is overdue and no deletion failed. For backends.
    #[must_use]
    pub fn into_option(self) -> Option<Self> {
        (self != Self::default()).then_some(self)
    }

    /// Returns advice: a sentence without a full stop.
    ///
    /// # Examples
    ///
    /// ```
    /// use minisnap_core::{FailedDeletion, Overdue};
    ///
    /// let failure = FailedDeletion::new(2, "s3://bucket/app/snapshots/10-k7/snapshot.json", "403 Forbidden").with_forbidden(true);
    /// let overdue = Overdue::new(3, 0).with_failure(Some(failure));
    /// assert!(overdue.to_string().starts_with("commits should have deleted 3 expired generations and 0 orphans"));
    /// assert!(overdue.help().contains("the right to delete"));
    /// ```
    #[must_use]
    pub fn help(&self) -> &'static str {
        match &self.failure {
            Some(FailedDeletion { forbidden: false, .. }) => {
                "until objects can be deleted, garbage grows: see the reason, then collect the garbage"
            }
            _ => {
                "give the writers' credentials the right to delete under the prefix (on S3 `s3:DeleteObject`), then collect the \
                 garbage: until then it grows"
            }
        }
    }
}

impl fmt::Display for Overdue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expired, orphans, failure } = self;
        let s = |count: &usize| if *count == 1 { "" } else { "s" };
        if expired + orphans > 0 {
            let (generations, s) = (s(expired), s(orphans));
            write!(f, "commits should have deleted {expired} expired generation{generations} and {orphans} orphan{s}")?;
        }
        match failure {
            Some(failure) if expired + orphans > 0 => write!(f, "; {failure}"),
            Some(failure) => write!(f, "{failure}"),
            None => Ok(()),
        }
    }
}

/// A deletion that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailedDeletion {
    /// How many objects could not be deleted.
    pub objects: usize,
    /// The location of one of them, without credentials.
    pub location: String,
    /// Whether the store refused the credentials.
    pub forbidden: bool,
    /// The store's answer, without credentials.
    pub reason: String,
}

impl FailedDeletion {
    /// Creates a failure to delete so many objects, with the location of one of them and the store's answer. For backends.
    #[must_use]
    pub fn new(objects: usize, location: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { objects, location: location.into(), forbidden: false, reason: reason.into() }
    }

    /// Sets whether the store refused the credentials. For backends.
    #[must_use]
    pub fn with_forbidden(self, forbidden: bool) -> Self {
        Self { forbidden, ..self }
    }
}

impl fmt::Display for FailedDeletion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { objects, location, reason, .. } = self;
        match objects {
            1 => write!(f, "{location} couldn't be deleted: {reason}"),
            _ => write!(f, "{objects} objects couldn't be deleted, such as {location}: {reason}"),
        }
    }
}
