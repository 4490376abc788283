//! Exit codes, and how an error is told: what, where, why, and what to do, on stderr.

use anstyle::{AnsiColor, Style};
use minisnap::{Generation, MiniSnapError, Operation};
use std::{fmt::Write as _, process::ExitCode};

/// What a command came to.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// Why the program ends, when it isn't because all is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Damaged = 1,
    CouldNotLook = 2,
    NoSnapshot = 3,
    Refused = 4,
    Foreign = 5,
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

/// Every exit code but 0, as `--help` lists them.
const EXITS: [(Exit, &str); 19] = [
    (Exit::Damaged, "a snapshot is damaged"),
    (Exit::CouldNotLook, "could not look: the store can't be reached, read or written"),
    (Exit::NoSnapshot, "there is no such snapshot"),
    (Exit::Refused, "refused: the store has another, or a newer, snapshot than was demanded"),
    (Exit::Foreign, "another program wrote in the snapshot's place (see `minisnap reseal`)"),
    (Exit::Busy, "others kept the store busy; nothing was changed"),
    (Exit::OutcomeUnknown, "it is not known whether the snapshot was published"),
    (Exit::NotRestorable, "this is not JSON that could be restored; nothing was changed"),
    (Exit::LocalFile, "a local file, or standard input or output, could not be read or written"),
    (Exit::Unsupported, "this store can't do that"),
    (Exit::NotConfirmed, "the question was not answered with yes; nothing was changed"),
    (Exit::TooOld, "the current snapshot is older than --max-age, or its age can't be told"),
    (Exit::Usage, "the command line can't be understood"),
    (Exit::HungUp, "the terminal went away (SIGHUP)"),
    (Exit::Interrupted, "interrupted (Ctrl-C)"),
    (Exit::Quit, "quit (SIGQUIT)"),
    (Exit::BrokenPipe, "whoever read the output went away"),
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

/// Why a command ends without having done what it was asked for.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    /// Empty if all has been said.
    what: String,
    to_do: Option<String>,
}

impl Failure {
    /// `what` went wrong, with where and why.
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), to_do: None }
    }

    /// All has been said, on stdout, or there is nobody to say it to.
    pub(crate) fn silent(exit: Exit) -> Self {
        Self::new(exit, "")
    }

    /// And this is what a person can do about it.
    pub(crate) fn advice(mut self, to_do: impl Into<String>) -> Self {
        self.to_do = Some(to_do.into());
        self
    }

    /// And this is so, too.
    pub(crate) fn and(mut self, more: &str) -> Self {
        self.what = format!("{}; {more}", self.what);
        self
    }

    /// The same, as a failure of another kind.
    pub(crate) fn with_exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// What went wrong.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// What a person can do about it.
    pub(crate) fn what_to_do(&self) -> Option<&str> {
        self.to_do.as_deref()
    }

    /// The kind of failure.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// What went wrong, and what to do about it, for where it is not the end of the command.
    pub(crate) fn text(&self) -> String {
        match &self.to_do {
            None => self.what.clone(),
            Some(to_do) => format!("{}; {to_do}", self.what),
        }
    }

    /// Says it on stderr. If that can't be written to, nobody can be told.
    pub(crate) fn tell(&self) -> ExitCode {
        if !self.what.is_empty() {
            let _ = self.write_to(&mut anstream::stderr());
        }
        ExitCode::from(self.exit as u8)
    }

    fn write_to(&self, stderr: &mut dyn std::io::Write) -> std::io::Result<()> {
        let (error, to_do) = (AnsiColor::Red.on_default().bold(), Style::new().bold());
        writeln!(stderr, "{error}error:{error:#} {}", self.what)?;
        match &self.to_do {
            Some(text) => writeln!(stderr, "{to_do}to do:{to_do:#} {text}"),
            None => Ok(()),
        }
    }
}

impl From<MiniSnapError> for Failure {
    fn from(error: MiniSnapError) -> Self {
        let all = error.to_string();
        let failure = |exit, to_do: &str| Self::new(exit, all.clone()).advice(to_do);
        match error {
            MiniSnapError::Corrupt { at, found, remedy, intact } => {
                Self::new(Exit::Damaged, format!("{at}: {found}; intact older snapshots: {}", list(&intact)))
                    .advice(in_commands(&remedy))
            }
            MiniSnapError::Foreign { at, found, remedy } => {
                Self::new(Exit::Foreign, format!("{at}: {found}")).advice(in_commands(&remedy))
            }
            MiniSnapError::InvalidSequence { .. } | MiniSnapError::Serde { generation: Some(_), .. } => {
                failure(Exit::Damaged, "`minisnap verify STORE` tells which snapshots are intact")
            }
            MiniSnapError::Serde { .. } | MiniSnapError::Unrestorable { .. } => {
                failure(Exit::NotRestorable, "mend the JSON at that line and column, and try again")
            }
            MiniSnapError::NotFound { .. } => {
                failure(Exit::NoSnapshot, "is the store named rightly? `minisnap history STORE` lists what there is")
            }
            MiniSnapError::Retired { .. } => {
                failure(Exit::NoSnapshot, "it was retired meanwhile: `minisnap history STORE` lists what there is")
            }
            MiniSnapError::Stale { .. } | MiniSnapError::Conflict { .. } => {
                failure(Exit::Refused, "look at what is current now (`minisnap show STORE`), and decide again")
            }
            MiniSnapError::Busy { .. } | MiniSnapError::Restage { .. } => {
                failure(Exit::Busy, "try again; `--option busy_timeout=SECONDS` waits longer")
            }
            MiniSnapError::OutcomeUnknown { .. } => failure(
                Exit::OutcomeUnknown,
                "keep the log, and publish again; `minisnap show STORE` tells what readers see now",
            ),
            MiniSnapError::Unsupported { .. } => failure(Exit::Unsupported, "use another store or file system"),
            MiniSnapError::InvalidUrl { .. } => {
                failure(Exit::Usage, "a store is a folder or a URL: `minisnap --help` lists them")
            }
            MiniSnapError::Backend { .. } => failure(
                Exit::CouldNotLook,
                "check the URL, the network, and the endpoint and credentials in the environment; then try again",
            ),
            MiniSnapError::Io { at, .. } if at.operation == Operation::Write => {
                failure(Exit::CouldNotLook, "nothing was changed: see to the disk, and try again")
            }
            _ => failure(Exit::CouldNotLook, "see to the path, its permissions and the disk; then try again"),
        }
    }
}

/// A remedy of the library's, with commands of this program in place of calls.
pub(crate) fn in_commands(remedy: &str) -> String {
    [
        ("FsBackend::reseal publishes the edit", "`minisnap reseal STORE` publishes the edit"),
        ("with FsBackend::reseal", "with `minisnap reseal STORE`"),
        ("with FsBackend::set_aside", "with `minisnap reseal STORE --set-aside`"),
        (
            "restore an intact older generation (SnapStore::restore_generation)",
            "go back to an intact older snapshot (`minisnap rollback STORE --to SEQ`)",
        ),
        (
            "restore an intact older generation",
            "go back to an intact older snapshot (`minisnap rollback STORE --to SEQ`)",
        ),
    ]
    .iter()
    .fold(remedy.to_owned(), |remedy, (call, command)| remedy.replace(call, command))
}

/// What clap has to say: help and version are no failure; anything else is a usage error.
pub(crate) fn usage(said: &clap::Error) -> Outcome {
    let printed = said.print();
    match said.use_stderr() {
        true => Err(Failure::silent(Exit::Usage)),
        false => printed.map_err(crate::out::failed),
    }
}

fn list(generations: &[Generation]) -> String {
    if generations.is_empty() {
        return "none found".into();
    }
    generations.iter().map(|generation| format!("seq {}", generation.seq())).collect::<Vec<_>>().join(", ")
}
