//! What several commands take.

use crate::{given::Given, select::Which};
use clap::Args;
use std::{ffi::OsString, num::NonZeroUsize};

/// Which store. Every command about one store takes these.
#[derive(Debug, Clone, Args)]
pub(crate) struct StoreArgs {
    /// A folder or URL with snapshots
    #[arg(value_name = "STORE")]
    pub(crate) store: OsString,
    #[command(flatten)]
    pub(crate) options: StoreOptions,
}

impl StoreArgs {
    /// The store as it was given, for commands about it.
    pub(crate) fn given(&self) -> Given {
        Given::new(&self.store, &self.options.options)
    }
}

/// How to get at a store.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct StoreOptions {
    /// Set an option of the store, such as busy_timeout=5 or endpoint_url=https://s3.example.org; can be given several
    /// times. Others can see the command line: give secrets in the environment
    #[arg(long = "option", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) options: Vec<(String, String)>,
}

/// Which snapshot. Every command that reads one takes this.
#[derive(Debug, Clone, Args)]
pub(crate) struct AtArgs {
    /// The snapshot with this seq, or else the most recently committed one below it; or the snapshot of this name
    /// [default: the current one]
    #[arg(long = "at", value_name = "SEQ|NAME")]
    pub(crate) which: Option<Which>,
}

/// The retention. Every command that commits takes this.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct RetainArgs {
    /// Retain the newest N snapshots, this one included [default: as many as there are now, and at least 2]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) retain: Option<NonZeroUsize>,
}

/// For people or for programs.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct FormArgs {
    /// Print JSON, for programs, also if the command fails
    #[arg(long)]
    pub(crate) json: bool,
}

/// A retention. 0 is rejected: the current snapshot is always retained.
pub(super) fn at_least_one(text: &str) -> Result<NonZeroUsize, String> {
    match text.parse::<usize>() {
        Ok(number) => NonZeroUsize::new(number).ok_or_else(|| "at least 1 is retained: the current snapshot".into()),
        Err(error) => Err(error.to_string()),
    }
}

/// An option of a store.
pub(super) fn name_and_value(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err("an option of a store is given as NAME=VALUE"),
    }
}
