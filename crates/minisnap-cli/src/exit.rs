//! Exit codes. The text of an error is in `failure.rs`, its help in `help.rs`.

pub(crate) use crate::failure::{Failure, Outcome};
use clap::error::ContextKind;
use std::{error::Error as _, fmt::Write as _};

/// Why the program ended without success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Corrupt = 1,
    CouldNotLook = 2,
    NoSnapshot = 3,
    Refused = 4,
    ExternalChange = 5,
    Busy = 6,
    OutcomeUnknown = 7,
    NotRestorable = 8,
    LocalFile = 9,
    Unsupported = 10,
    NotConfirmed = 11,
    TooOld = 12,
    Usage = 64,
    HungUp = 129,
    Interrupted = 130,
    Quit = 131,
    BrokenPipe = 141,
    Terminated = 143,
    OutOfTime = 152,
}

impl Exit {
    /// The kind of failure, as `--json` prints it. Stable.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Corrupt => "corrupt",
            Self::CouldNotLook => "io",
            Self::NoSnapshot => "not_found",
            Self::Refused => "refused",
            Self::ExternalChange => "external_change",
            Self::Busy => "busy",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::NotRestorable => "not_restorable",
            Self::LocalFile => "local_file",
            Self::Unsupported => "unsupported",
            Self::NotConfirmed => "not_confirmed",
            Self::Usage => "usage",
            Self::TooOld => "too_old",
            Self::HungUp | Self::Interrupted | Self::Quit | Self::OutOfTime | Self::Terminated => "interrupted",
            Self::BrokenPipe => "broken_pipe",
        }
    }
}

/// Every exit code but 0, as `--help` lists them.
const EXITS: [(Exit, &str); 19] = [
    (Exit::Corrupt, "a snapshot is corrupt"),
    (Exit::CouldNotLook, "the store can't be reached, read or written"),
    (Exit::NoSnapshot, "there is no such snapshot"),
    (Exit::Refused, "refused: the store has another, or a newer, snapshot than the command requires"),
    (Exit::ExternalChange, "there are external changes (see `minisnap accept` and `minisnap revert`)"),
    (Exit::Busy, "busy: other processes use the store or journal; nothing was changed"),
    (Exit::OutcomeUnknown, "outcome unknown: the snapshot may have been committed or not"),
    (Exit::NotRestorable, "the input is not restorable JSON; nothing was changed"),
    (Exit::LocalFile, "a local file, or standard input or output, could not be read or written"),
    (Exit::Unsupported, "not supported by this store"),
    (Exit::NotConfirmed, "not confirmed; nothing was changed"),
    (Exit::TooOld, "the current snapshot is older than --max-age, or its age is unknown"),
    (Exit::Usage, "invalid command line"),
    (Exit::HungUp, "the terminal was closed (SIGHUP)"),
    (Exit::Interrupted, "interrupted (Ctrl-C)"),
    (Exit::Quit, "quit (SIGQUIT)"),
    (Exit::BrokenPipe, "the reader of the output closed it (SIGPIPE)"),
    (Exit::Terminated, "terminated (SIGTERM)"),
    (Exit::OutOfTime, "the limit of CPU time was reached (SIGXCPU)"),
];

/// The table of exit codes for `--help`.
pub(crate) fn table() -> String {
    let mut table = String::from("Exit codes:\n    0  success; of `verify`: everything is intact");
    for (exit, meaning) in EXITS {
        let _ = write!(table, "\n  {:3}  {meaning}", exit as u8);
    }
    table
}

/// The outcome of clap's answer: help and version are no failure, anything else is a usage error.
pub(crate) fn usage(error: &clap::Error) -> Outcome {
    let printed = error.print();
    match error.use_stderr() {
        true => Err(usage_failure(error)),
        false => printed.map_err(crate::stdio::failed),
    }
}

/// A usage error in one line, for `--json`. Clap has printed its own text to stderr.
fn usage_failure(error: &clap::Error) -> Failure {
    let mut what = String::from(error.kind().as_str().unwrap_or("invalid command line"));
    for kind in
        [ContextKind::InvalidSubcommand, ContextKind::InvalidArg, ContextKind::PriorArg, ContextKind::InvalidValue]
    {
        if let Some(value) = error.get(kind) {
            let _ = write!(what, ": {value}");
        }
    }
    let failure = Failure::new(Exit::Usage, what).already_printed();
    let failure = match error.source() {
        Some(cause) => failure.with_cause(cause),
        None => failure,
    };
    failure.with_help(match error.get(ContextKind::Usage) {
        Some(usage) => usage.to_string(),
        None => "run `minisnap --help`".into(),
    })
}
