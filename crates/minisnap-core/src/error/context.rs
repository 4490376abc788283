//! Where an error happened: the operation and the location.

use super::MiniSnapError;
use std::fmt;

/// What was being done when something went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Opening a store by its URL or path.
    Open,
    /// Looking up the current generation.
    Current,
    /// Looking up the retained generations.
    History,
    /// Reading a generation's JSON.
    Read,
    /// Turning a generation's JSON back into a state.
    Restore,
    /// Beginning a snapshot.
    Stage,
    /// Writing a snapshot's JSON.
    Write,
    /// Committing a snapshot.
    Commit,
    /// Discarding a staged snapshot.
    Discard,
    /// Reducing the retention.
    Expire,
    /// Checking the whole store.
    Verify,
    /// Removing expired generations and orphans.
    CollectGarbage,
    /// Accepting external changes as the newest snapshot.
    AcceptExternalChanges,
    /// Moving external changes aside.
    RevertExternalChanges,
    /// Moving a store aside whose commit record is lost.
    GiveUp,
    /// Setting the commit record of a store that has lost it, or the current generation, to a generation that was chosen.
    Reset,
    /// Reading the snapshots of version 0.1.3.
    Import,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Current => "look up the current snapshot",
            Self::History => "look up the history",
            Self::Read => "read",
            Self::Restore => "restore",
            Self::Stage => "stage",
            Self::Write => "write",
            Self::Commit => "commit",
            Self::Discard => "discard",
            Self::Expire => "expire",
            Self::Verify => "verify",
            Self::CollectGarbage => "collect garbage",
            Self::AcceptExternalChanges => "accept external changes",
            Self::RevertExternalChanges => "revert external changes",
            Self::GiveUp => "give up",
            Self::Reset => "go back",
            Self::Import => "import",
        })
    }
}

/// An operation, and the location that it was about: a path, or a URL without credentials.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ErrorContext {
    operation: Operation,
    // A word less than a String in every error.
    location: Box<str>,
}

impl ErrorContext {
    /// `operation` at `location`.
    pub fn new(operation: Operation, location: impl Into<String>) -> Self {
        Self { operation, location: location.into().into_boxed_str() }
    }

    /// `operation` at `url`, less what may be secret in it: everything before an `@`, and the query. If in doubt, less is
    /// shown.
    ///
    /// ```
    /// use minisnap_core::{ErrorContext, Operation};
    /// let context = ErrorContext::of_url(Operation::Open, "s3://user:word@bucket/app?token=x");
    /// assert_eq!(context.location(), "s3://bucket/app");
    /// ```
    #[must_use]
    pub fn of_url(operation: Operation, url: &str) -> Self {
        let (scheme, rest) = match url.split_once("//") {
            Some((scheme, rest)) => (format!("{scheme}//"), rest),
            None => (String::new(), url),
        };
        let before_query = rest.split(['?', '#']).next().unwrap_or_default();
        let shown = match before_query.rsplit_once('@') {
            Some((_, shown)) => shown,
            // A `?` in a password would make its first part look like a host.
            None if rest.contains('@') => "…",
            None => before_query,
        };
        Self::new(operation, format!("{scheme}{shown}"))
    }

    /// What was being done.
    #[must_use]
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// On which path or URL.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.location
    }
}

impl fmt::Display for ErrorContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.operation, self.location)
    }
}

/// The context of an error, by shared or exclusive reference: every kind has one.
macro_rules! context {
    ($error:expr) => {
        match $error {
            Self::NotFound { at, .. }
            | Self::Expired { at, .. }
            | Self::Stale { at, .. }
            | Self::Conflict { at, .. }
            | Self::WriterClosed { at }
            | Self::Busy { at, .. }
            | Self::StageLost { at, .. }
            | Self::OutcomeUnknown { at, .. }
            | Self::Io { at, .. }
            | Self::Backend { at, .. }
            | Self::Serde { at, .. }
            | Self::MapKey { at, .. }
            | Self::Unrestorable { at, .. }
            | Self::InvalidSequence { at, .. }
            | Self::Corrupt { at, .. }
            | Self::NewerFormat { at, .. }
            | Self::ExternalChange { at, .. }
            | Self::InsideStore { at, .. }
            | Self::Unsupported { at, .. }
            | Self::InvalidUrl { at, .. } => at,
        }
    };
}

impl MiniSnapError {
    /// What was being done, and where.
    #[must_use]
    pub fn at(&self) -> &ErrorContext {
        context!(self)
    }

    /// The same error as one of another operation: for a backend that learns at its boundary which of its operations failed.
    /// The cause of an [`OutcomeUnknown`](Self::OutcomeUnknown) is relabelled with it.
    ///
    /// ```
    /// use minisnap_core::{Absence, ErrorContext, MiniSnapError, Operation};
    ///
    /// let at = ErrorContext::new(Operation::Read, "/var/lib/app");
    /// let error = MiniSnapError::NotFound { at, found: Absence::Empty }.during(Operation::Restore);
    /// assert_eq!(error.at().operation(), Operation::Restore);
    /// ```
    #[must_use]
    pub fn during(mut self, operation: Operation) -> Self {
        self.set_operation(operation);
        self
    }

    fn set_operation(&mut self, operation: Operation) {
        context!(self).operation = operation;
        if let Self::OutcomeUnknown { source, .. } = self
            && let Some(cause) = source.downcast_mut::<Self>()
        {
            cause.set_operation(operation);
        }
    }
}
