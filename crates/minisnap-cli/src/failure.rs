//! Why a command failed. The failure is printed to stderr, and with `--json` also to stdout.
//!
//! ```text
//! error: what failed, where, what was found
//! cause: why, a line for each cause
//! help: what the operator can do
//! ```

use crate::{exit::Exit, library_error, stdio, text};
use anstyle::{AnsiColor, Style};
use minisnap::{Generation, MiniSnapError};
use serde_json::{Value, json};
use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
    slice,
};

/// The result of a command.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    /// The exit code before [`Self::with_exit`] replaced it. It decides the kind.
    original_exit: Exit,
    /// Empty if nothing is to be printed.
    what: String,
    causes: Vec<String>,
    help: Option<String>,
    /// The error of the library, if it was one.
    error: Option<Box<MiniSnapError>>,
    /// The snapshots that were found intact, newest first.
    intact: Box<[Generation]>,
    /// The snapshots that are intact, and possibly never committed, newest first.
    unconfirmed: Box<[Generation]>,
    /// It was printed to stderr already.
    is_printed: bool,
}

impl Failure {
    /// `what`: what failed, where, what was found.
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            exit,
            original_exit: exit,
            what: what.into(),
            causes: Vec::new(),
            help: None,
            error: None,
            intact: Box::default(),
            unconfirmed: Box::default(),
            is_printed: false,
        }
    }

    /// A failure that prints nothing.
    pub(crate) fn silent(exit: Exit) -> Self {
        Self { is_printed: true, ..Self::new(exit, "") }
    }

    /// The same failure, which was already printed to stderr in another form.
    pub(crate) fn already_printed(mut self) -> Self {
        self.is_printed = true;
        self
    }

    /// Adds what the operator can do.
    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a cause.
    pub(crate) fn with_cause(mut self, cause: &dyn Error) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// Takes the causes of `error`.
    pub(crate) fn with_causes_of(mut self, error: &dyn Error) -> Self {
        self.causes = library_error::causes(error);
        self
    }

    /// Adds the snapshots that were found intact, newest first.
    pub(crate) fn with_intact(mut self, intact: Vec<Generation>) -> Self {
        self.intact = intact.into();
        self
    }

    /// Adds the snapshots that are intact, and possibly never committed, newest first.
    pub(crate) fn with_unconfirmed(mut self, unconfirmed: Vec<Generation>) -> Self {
        self.unconfirmed = unconfirmed.into();
        self
    }

    /// Appends a detail to the message.
    pub(crate) fn with_detail(mut self, more: &str) -> Self {
        self.what = format!("{}; {more}", self.what);
        self
    }

    /// Replaces the exit code.
    pub(crate) fn with_exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// The message and the causes, in one line.
    pub(crate) fn what(&self) -> String {
        [slice::from_ref(&self.what), &self.causes].concat().join(": ")
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// The error of the library, if it was one and has no help yet.
    pub(crate) fn error_without_help(&self) -> Option<&MiniSnapError> {
        self.error.as_deref().filter(|_| self.help.is_none())
    }

    /// The error of the library, if it was one.
    pub(crate) fn error(&self) -> Option<&MiniSnapError> {
        self.error.as_deref()
    }

    /// Message, causes and help in one line, for output that is not the end of the command.
    pub(crate) fn text(&self) -> String {
        match &self.help {
            None => self.what(),
            Some(help) => format!("{}; {help}", self.what()),
        }
    }

    /// The same fields for every failure of every command.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "kind": self.error().map_or_else(|| self.original_exit.kind(), library_error::kind),
            "exit_code": self.exit as u8,
            "message": self.what,
            "causes": self.causes,
            "help": self.help,
            "location": self.error.as_ref().map(|error| error.at().location()),
            "intact": self.intact.iter().map(text::generation).collect::<Vec<_>>(),
            "unconfirmed": self.unconfirmed.iter().map(text::generation).collect::<Vec<_>>(),
        })
    }

    /// Prints it to stderr, and to stdout if JSON was requested and nothing was printed yet.
    pub(crate) fn report(&self, json: bool) -> ExitCode {
        let code = self.print();
        if json && !self.what.is_empty() && !stdio::has_printed() {
            // If stdout can't be written to, stderr has the text.
            let _ = stdio::print(&format!("{:#}\n", json!({ "error": self.to_json() })));
        }
        code
    }

    /// Prints it to stderr. A failure to write there is ignored.
    pub(crate) fn print(&self) -> ExitCode {
        if !self.is_printed {
            let _ = self.write_to(&mut anstream::stderr());
        }
        ExitCode::from(self.exit as u8)
    }

    fn write_to(&self, stderr: &mut dyn Write) -> io::Result<()> {
        let (error, bold) = (AnsiColor::Red.on_default().bold(), Style::new().bold());
        writeln!(stderr, "{error}error:{error:#} {}", self.what)?;
        for cause in &self.causes {
            writeln!(stderr, "{bold}cause:{bold:#} {cause}")?;
        }
        match &self.help {
            Some(text) => writeln!(stderr, "{bold}help:{bold:#} {text}"),
            None => Ok(()),
        }
    }
}

/// The help is added later, by `add_help.rs`, which knows the store.
impl From<MiniSnapError> for Failure {
    fn from(error: MiniSnapError) -> Self {
        let (intact, unconfirmed) = match &error {
            MiniSnapError::Corrupt { intact, unconfirmed, .. } => (intact.clone(), unconfirmed.clone()),
            _ => Default::default(),
        };
        let failure = Self::new(library_error::exit(&error), error.to_string());
        let failure = failure.with_intact(intact).with_unconfirmed(unconfirmed);
        Self { causes: library_error::causes(&error), error: Some(Box::new(error)), ..failure }
    }
}
