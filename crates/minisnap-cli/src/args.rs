//! What can be said on the command line, and the help that tells it.

use crate::exit;
use clap::{Args, Parser, Subcommand};
use std::num::NonZeroUsize;

/// Looks at, checks, restores, compares and moves snapshots.
///
/// A STORE is a folder, or a URL: file:///var/lib/app/state, s3://bucket/prefix, az://container/prefix,
/// gs://bucket/prefix. Object stores take credentials, endpoint and region from the environment (AWS_…, AZURE_…,
/// GOOGLE_…).
#[derive(Debug, Parser)]
#[command(name = "minisnap", version, after_help = exit::table(), max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the current snapshot: its seq, age, size and digest, and whether it is intact
    Show(ShowArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

/// Which store. Every command about one store takes these.
#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    /// A folder or URL with snapshots
    #[arg(value_name = "STORE")]
    pub(crate) store: String,
    #[command(flatten)]
    pub(crate) options: StoreOptions,
}

/// How to get at a store.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct StoreOptions {
    /// Set an option of the store, such as busy_timeout=5 or endpoint_url=https://s3.example.org; can be given several
    /// times. Others can see the command line: give secrets in the environment
    #[arg(short = 'o', long = "option", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) options: Vec<(String, String)>,
}

/// How many generations stay. Every command that publishes takes this.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct KeepArgs {
    /// Keep the newest N snapshots, this one included [default: as many as there are now, and at least 2]
    #[arg(long, value_name = "N")]
    pub(crate) keep: Option<NonZeroUsize>,
}

/// For people or for programs.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct FormArgs {
    /// Print JSON, for programs
    #[arg(long)]
    pub(crate) json: bool,
}

fn name_and_value(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err("an option of a store is given as NAME=VALUE"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn what_can_be_said_is_consistent() {
        Cli::command().debug_assert();
    }
}
