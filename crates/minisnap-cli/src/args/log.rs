//! What can be said to `minisnap log`.

use super::{FormArgs, StoreArgs, StoreOptions};
use clap::{Args, Subcommand};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    #[command(subcommand)]
    pub(crate) command: LogCommand,
}

impl LogArgs {
    /// The journal.
    pub(crate) fn file(&self) -> &Path {
        match &self.command {
            LogCommand::Show(args) => &args.file,
            LogCommand::Cut(args) => &args.file,
            LogCommand::Begin(args) => &args.file,
        }
    }

    /// The store that the journal is compared with, as it was given.
    pub(crate) fn store(&self) -> Option<StoreArgs> {
        match &self.command {
            LogCommand::Show(LogShowArgs { store, .. }) | LogCommand::Cut(LogCutArgs { store, .. }) => store.given(),
            LogCommand::Begin(_) => None,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Show which records a journal holds, and whether it reaches the snapshots of a store
    ///
    /// Changes nothing, and can be run while a program has the journal open. Its exit code is 1 if a record can't be read, or
    /// the journal doesn't lead from the current snapshot to its own end.
    Show(LogShowArgs),
    /// Cut the records before a number, or move those after a number aside
    ///
    /// Records before a number are removed: a snapshot has made them unneeded, and with --store that is checked. Records after
    /// a number, which a rollback went back from, are moved to a file beside the journal, FILE.after-N, and never deleted.
    Cut(LogCutArgs),
    /// Begin a journal after a number: beside a snapshot whose journal is lost, or doesn't fit it
    Begin(LogBeginArgs),
}

#[derive(Debug, Args)]
pub(crate) struct LogShowArgs {
    /// The journal: the file that the program writes to
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) store: LogStoreArgs,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LogCutArgs {
    /// The journal: the file that the program writes to
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) which: LogCutWhich,
    #[command(flatten)]
    pub(crate) store: LogStoreArgs,
    /// Only tell what would be cut
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

#[derive(Debug, Clone, Copy, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct LogCutWhich {
    /// Remove the records with a number below N
    #[arg(long, value_name = "N")]
    pub(crate) before: Option<u64>,
    /// Move the records with a number above N to a file of their own
    #[arg(long, value_name = "N")]
    pub(crate) after: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct LogBeginArgs {
    /// The journal: the file that the program writes to
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The number before the first record: the seq of the snapshot
    #[arg(long, value_name = "N")]
    pub(crate) after: u64,
    /// If there is a journal, move its records to a file of their own first, and give numbers above N again
    #[arg(long)]
    pub(crate) move_aside: bool,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

/// A store to compare a journal with.
#[derive(Debug, Args)]
pub(crate) struct LogStoreArgs {
    /// The folder or URL with the program's snapshots
    #[arg(long, value_name = "STORE")]
    pub(crate) store: Option<OsString>,
    #[command(flatten)]
    pub(crate) options: StoreOptions,
}

impl LogStoreArgs {
    /// The store, if there is one.
    pub(crate) fn given(&self) -> Option<StoreArgs> {
        let store = self.store.clone()?;
        Some(StoreArgs { store, options: self.options.clone() })
    }
}
