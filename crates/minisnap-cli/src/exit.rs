//! Exit codes. What an error says is in `failure.rs`, its advice in `help.rs`.

pub(crate) use crate::failure::{Failure, Outcome};
use clap::error::ContextKind;
use std::{error::Error as _, fmt::Write as _};

/// Why the program ends, when it isn't because all is done.
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
    /// What kind of failure it is, in a word that programs can rely on.
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
    (Exit::CouldNotLook, "could not look: the store can't be reached, read or written"),
    (Exit::NoSnapshot, "there is no such snapshot"),
    (Exit::Refused, "refused: the store has another, or a newer, snapshot than was demanded"),
    (Exit::ExternalChange, "there are external changes (see `minisnap accept` and `minisnap revert`)"),
    (Exit::Busy, "other writers kept the store busy; nothing was changed"),
    (Exit::OutcomeUnknown, "it is not known whether the snapshot was committed"),
    (Exit::NotRestorable, "this is not JSON that could be restored; nothing was changed"),
    (Exit::LocalFile, "a local file, or standard input or output, could not be read or written"),
    (Exit::Unsupported, "this store can't do that"),
    (Exit::NotConfirmed, "the question was not answered with yes; nothing was changed"),
    (Exit::TooOld, "the current snapshot is older than --max-age, or its age can't be told"),
    (Exit::Usage, "the command line can't be understood"),
    (Exit::HungUp, "the terminal went away (SIGHUP)"),
    (Exit::Interrupted, "interrupted (Ctrl-C)"),
    (Exit::Quit, "quit (SIGQUIT)"),
    (Exit::BrokenPipe, "the reader of the output went away"),
    (Exit::Terminated, "terminated (SIGTERM)"),
    (Exit::OutOfTime, "the limit of CPU time is reached (SIGXCPU)"),
];

/// The table of exit codes for `--help`.
pub(crate) fn table() -> String {
    let mut table = String::from("Exit codes:\n    0  done; of `verify`: all is intact");
    for (exit, meaning) in EXITS {
        let _ = write!(table, "\n  {:3}  {meaning}", exit as u8);
    }
    table
}

/// What clap has to say: help and version are no failure; anything else is a usage error.
pub(crate) fn usage(said: &clap::Error) -> Outcome {
    let printed = said.print();
    match said.use_stderr() {
        true => Err(misunderstood(said)),
        false => printed.map_err(crate::out::failed),
    }
}

/// A usage error in a line, for programs. People were told by clap, with its colours.
fn misunderstood(said: &clap::Error) -> Failure {
    let mut what = String::from(said.kind().as_str().unwrap_or("the command line can't be understood"));
    for kind in
        [ContextKind::InvalidSubcommand, ContextKind::InvalidArg, ContextKind::PriorArg, ContextKind::InvalidValue]
    {
        if let Some(value) = said.get(kind) {
            let _ = write!(what, ": {value}");
        }
    }
    let failure = Failure::new(Exit::Usage, what).already_said();
    let failure = match said.source() {
        Some(cause) => failure.cause(cause),
        None => failure,
    };
    failure.advice(match said.get(ContextKind::Usage) {
        Some(usage) => usage.to_string(),
        None => "`minisnap --help` lists the commands, and each has `--help`".into(),
    })
}
