//! Arguments that several commands share.

use crate::{select::SnapshotRef, shell::ShellStore};
use clap::Args;
use std::{ffi::OsString, num::NonZeroUsize};

/// The store. Every command about one store takes these.
#[derive(Debug, Clone, Args)]
pub(crate) struct StoreArgs {
    /// A folder or URL with snapshots
    #[arg(value_name = "STORE")]
    pub(crate) store: OsString,
    #[command(flatten)]
    pub(crate) options: StoreOptions,
}

impl StoreArgs {
    /// The store as a word of a shell command.
    pub(crate) fn in_shell(&self) -> ShellStore {
        ShellStore::new(&self.store, &self.options.options)
    }
}

/// The options of a store.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct StoreOptions {
    /// Set an option of the store, such as busy_timeout=5 or endpoint_url=https://s3.example.org; repeatable. Other users can
    /// see the command line: pass secrets in the environment
    #[arg(long = "option", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) options: Vec<(String, String)>,
}

/// The snapshot. Every command that reads one snapshot takes this.
#[derive(Debug, Clone, Args)]
pub(crate) struct AtArgs {
    /// The snapshot with this name or seq; if no snapshot has the seq, the most recently committed one with a lower seq
    /// [default: the current one]
    #[arg(long = "at", value_name = "SEQ|NAME")]
    pub(crate) which: Option<SnapshotRef>,
}

/// The retention. Every command that commits takes this.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct RetainArgs {
    /// Retain the newest N snapshots, including the new one [default: as many as before the commit, at least 2]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) retain: Option<NonZeroUsize>,
}

/// The format of the output.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct FormArgs {
    /// Print JSON, also if the command fails
    #[arg(long)]
    pub(crate) json: bool,
}

/// Parses a retention. 0 is rejected: the current snapshot is always retained.
pub(super) fn at_least_one(text: &str) -> Result<NonZeroUsize, String> {
    match text.parse::<usize>() {
        Ok(number) => NonZeroUsize::new(number)
            .ok_or_else(|| "the retention is at least 1: the current snapshot is always retained".into()),
        Err(error) => Err(error.to_string()),
    }
}

/// Parses an option of a store.
pub(super) fn name_and_value(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err("an option has the form NAME=VALUE"),
    }
}
