//! The context of an error: the operation and the location.

use super::MiniSnapError;
use std::fmt;

/// An operation on a store, as the context of an error. `Display` is its name in messages.
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
    /// Parsing a generation's JSON as a state.
    Restore,
    /// Opening a staged snapshot.
    Stage,
    /// Writing a snapshot's JSON.
    Write,
    /// Committing a snapshot.
    Commit,
    /// Discarding a staged snapshot.
    Discard,
    /// Reducing the retention.
    Expire,
    /// Verifying the store.
    Verify,
    /// Deleting expired generations and orphans.
    CollectGarbage,
    /// Committing external changes as the newest snapshot.
    AcceptExternalChanges,
    /// Moving external changes aside.
    RevertExternalChanges,
    /// Moving aside a store whose commit record is lost.
    GiveUp,
    /// Setting the commit record to a chosen generation, after the record or the current generation was lost.
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
            Self::GiveUp => "give up the lost store",
            Self::Reset => "reset",
            Self::Import => "import",
        })
    }
}

/// The operation and the location of an error. The location is a path, or a URL without credentials.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ErrorContext {
    operation: Operation,
    // Every error has a context, and a `Box<str>` is one word smaller than a `String`.
    location: Box<str>,
}

impl ErrorContext {
    /// Creates the context of `operation` at `location`. The location must not contain credentials.
    pub fn new(operation: Operation, location: impl Into<String>) -> Self {
        Self { operation, location: location.into().into_boxed_str() }
    }

    /// Creates the context of `operation` at `url`, without its possible secrets: everything before an `@`, and the query.
    ///
    /// # Examples
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

    /// Returns the operation.
    #[must_use]
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// Returns the path, or the URL without credentials.
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

/// Borrows the context of an error, shared or exclusively. Every variant has a context.
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
    /// Returns the operation and the location of this error.
    #[must_use]
    pub fn at(&self) -> &ErrorContext {
        context!(self)
    }

    /// Returns this error with another operation, also in the cause of an [`OutcomeUnknown`](Self::OutcomeUnknown).
    ///
    /// For backends, which know the failed operation only at their boundary.
    ///
    /// # Examples
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
