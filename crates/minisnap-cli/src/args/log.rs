//! The arguments of `minisnap log`.

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

    /// The store that the journal is compared with.
    pub(crate) fn store(&self) -> Option<StoreArgs> {
        match &self.command {
            LogCommand::Show(LogShowArgs { store, .. }) | LogCommand::Cut(LogCutArgs { store, .. }) => {
                store.store_args()
            }
            LogCommand::Begin(_) => None,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Show which records a journal holds, and whether it reaches the snapshots of a store
    ///
    /// Changes nothing, and can be run while a program has the journal open. The exit code is 1 if a record can't be read, or
    /// if the journal lacks a record after the current snapshot.
    Show(LogShowArgs),
    /// Delete the records before a number, or move the records after a number aside
    ///
    /// --before deletes records that a snapshot already contains. With --store, it is refused if a retained snapshot needs
    /// them. --after is for a rollback: it moves the records to FILE.after-N, next to the journal, and deletes no record.
    Cut(LogCutArgs),
    /// Begin a new journal after a number, for a snapshot whose journal is lost or doesn't match it
    Begin(LogBeginArgs),
}

#[derive(Debug, Args)]
pub(crate) struct LogShowArgs {
    /// The journal: the file to which the program appends
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) store: LogStoreArgs,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LogCutArgs {
    /// The journal: the file to which the program appends
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) which: LogCutWhich,
    #[command(flatten)]
    pub(crate) store: LogStoreArgs,
    /// Only show what would be cut
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

#[derive(Debug, Clone, Copy, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct LogCutWhich {
    /// Delete the records with a number below N
    #[arg(long, value_name = "N")]
    pub(crate) before: Option<u64>,
    /// Move the records with a number above N to a file of their own
    #[arg(long, value_name = "N")]
    pub(crate) after: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct LogBeginArgs {
    /// The journal: the file to which the program appends
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The number before the first record: the seq of the snapshot
    #[arg(long, value_name = "N")]
    pub(crate) after: u64,
    /// If the journal exists, first move its records to a file of their own; the program then assigns their numbers above N again
    #[arg(long)]
    pub(crate) move_aside: bool,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

/// The store to compare a journal with.
#[derive(Debug, Args)]
pub(crate) struct LogStoreArgs {
    /// The folder or URL with the program's snapshots
    #[arg(long, value_name = "STORE")]
    pub(crate) store: Option<OsString>,
    #[command(flatten)]
    pub(crate) options: StoreOptions,
}

impl LogStoreArgs {
    /// The store, if `--store` was given.
    pub(crate) fn store_args(&self) -> Option<StoreArgs> {
        let store = self.store.clone()?;
        Some(StoreArgs { store, options: self.options.clone() })
    }
}
