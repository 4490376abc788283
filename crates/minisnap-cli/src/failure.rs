//! Why a command ends without having done what it was asked for, and how that is told: to people on stderr, and, where JSON
//! was asked for, to programs on stdout.
//!
//! ```text
//! error: what failed, where, what was found
//! cause: why, a line for each
//! help: what can be done about it
//! ```

use crate::{exit::Exit, library, out, text};
use anstyle::{AnsiColor, Style};
use minisnap::{Generation, MiniSnapError};
use serde_json::{Value, json};
use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
    slice,
};

/// What a command came to.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// Why a command ends without having done what it was asked for.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    /// What it was before the command chose another exit code.
    first: Exit,
    /// Empty if there is nobody to say it to.
    what: String,
    causes: Vec<String>,
    help: Option<String>,
    /// What the library said, if it was the library.
    error: Option<Box<MiniSnapError>>,
    /// The snapshots that were found intact, newest first.
    intact: Box<[Generation]>,
    /// Those that are intact, and may never have been committed, newest first.
    unconfirmed: Box<[Generation]>,
    /// It is on stderr already.
    is_said: bool,
}

impl Failure {
    /// `what` went wrong, with where and why.
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            exit,
            first: exit,
            what: what.into(),
            causes: Vec::new(),
            help: None,
            error: None,
            intact: Box::default(),
            unconfirmed: Box::default(),
            is_said: false,
        }
    }

    /// All has been said, on stdout, or there is nobody to say it to.
    pub(crate) fn silent(exit: Exit) -> Self {
        Self { is_said: true, ..Self::new(exit, "") }
    }

    /// The same, of which people were told on stderr already, in other words.
    pub(crate) fn already_said(mut self) -> Self {
        self.is_said = true;
        self
    }

    /// And this is what a person can do about it.
    pub(crate) fn advice(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// And this is why.
    pub(crate) fn cause(mut self, cause: &dyn Error) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// And why is what this error says of its causes.
    pub(crate) fn with_causes_of(mut self, error: &dyn Error) -> Self {
        self.causes = library::causes(error);
        self
    }

    /// And these were found intact, newest first.
    pub(crate) fn with_intact(mut self, intact: Vec<Generation>) -> Self {
        self.intact = intact.into();
        self
    }

    /// And these are intact, and may never have been committed, newest first.
    pub(crate) fn with_unconfirmed(mut self, unconfirmed: Vec<Generation>) -> Self {
        self.unconfirmed = unconfirmed.into();
        self
    }

    /// And this is so, too.
    pub(crate) fn and(mut self, more: &str) -> Self {
        self.what = format!("{}; {more}", self.what);
        self
    }

    /// The same, with another exit code.
    pub(crate) fn with_exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// What went wrong, and why.
    pub(crate) fn what(&self) -> String {
        [slice::from_ref(&self.what), &self.causes].concat().join(": ")
    }

    /// The kind of failure.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// What the library said, if it was the library and there is no advice about it yet.
    pub(crate) fn unexplained(&self) -> Option<&MiniSnapError> {
        self.error.as_deref().filter(|_| self.help.is_none())
    }

    /// What the library said, if it was the library.
    pub(crate) fn error(&self) -> Option<&MiniSnapError> {
        self.error.as_deref()
    }

    /// What went wrong, and what to do about it, for where it is not the end of the command.
    pub(crate) fn text(&self) -> String {
        match &self.help {
            None => self.what(),
            Some(help) => format!("{}; {help}", self.what()),
        }
    }

    /// For programs: the same fields for every failure of every command.
    pub(crate) fn for_programs(&self) -> Value {
        json!({
            "kind": self.error().map_or_else(|| self.first.kind(), library::kind),
            "exit_code": self.exit as u8,
            "message": self.what,
            "causes": self.causes,
            "help": self.help,
            "location": self.error.as_ref().map(|error| error.at().location()),
            "intact": self.intact.iter().map(text::generation).collect::<Vec<_>>(),
            "unconfirmed": self.unconfirmed.iter().map(text::generation).collect::<Vec<_>>(),
        })
    }

    /// Says it on stderr, and, if JSON was asked for and nothing was printed yet, on stdout.
    pub(crate) fn end(&self, json: bool) -> ExitCode {
        let code = self.tell();
        if json && !self.what.is_empty() && !out::has_printed() {
            // Where stdout can't be written to, stderr has the text.
            let _ = out::print(&format!("{:#}\n", json!({ "error": self.for_programs() })));
        }
        code
    }

    /// Says it on stderr. If that can't be written to, nobody can be told.
    pub(crate) fn tell(&self) -> ExitCode {
        if !self.is_said {
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

/// The advice comes later, from `explain.rs`, which knows the store.
impl From<MiniSnapError> for Failure {
    fn from(error: MiniSnapError) -> Self {
        let (intact, unconfirmed) = match &error {
            MiniSnapError::Corrupt { intact, unconfirmed, .. } => (intact.clone(), unconfirmed.clone()),
            _ => Default::default(),
        };
        let failure = Self::new(library::exit(&error), error.to_string());
        let failure = failure.with_intact(intact).with_unconfirmed(unconfirmed);
        Self { causes: library::causes(&error), error: Some(Box::new(error)), ..failure }
    }
}
