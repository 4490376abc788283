//! What can be said on the command line, and the help that tells it.

use crate::exit;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use std::{num::NonZeroUsize, path::PathBuf};

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
    /// Make a JSON document the current snapshot
    Create(CreateArgs),
    /// Restore a snapshot, byte for byte
    Restore(RestoreArgs),
    /// Print a snapshot
    Cat(CatArgs),
    /// Show the current snapshot: its seq, age, size and digest, and whether it is intact
    Show(ShowArgs),
    /// List the retained snapshots, newest first
    History(HistoryArgs),
    /// Check every retained snapshot: digest, JSON, pair, links
    ///
    /// Changes nothing. Its exit code is 0 if all is intact, 1 if something is damaged (or another program wrote in the
    /// snapshot's place), 2 if it could not look, or there is nothing to look at.
    Verify(VerifyArgs),
    /// Print a script that completes this program's command lines
    ///
    /// For example: minisnap completions bash > /etc/bash_completion.d/minisnap
    Completions(CompletionsArgs),
    /// Print the man page, or write all man pages to a folder
    Man(ManArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// The number of the last change in the document
    #[arg(long, value_name = "N")]
    pub(crate) seq: u64,
    /// A file with a JSON document; - or none is standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Only if N is above the seq of the current snapshot
    #[arg(long)]
    pub(crate) if_newer: bool,
    #[command(flatten)]
    pub(crate) keep: KeepArgs,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    #[command(flatten)]
    pub(crate) at: AtArgs,
    /// Write to FILE, whole or not at all, and not to standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CatArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    #[command(flatten)]
    pub(crate) at: AtArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Whose command lines
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write minisnap.1 and a page for each command to this folder, which is made if it isn't there
    #[arg(value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
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
    #[arg(long = "option", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) options: Vec<(String, String)>,
}

/// Which snapshot. Every command that reads one takes this.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct AtArgs {
    /// The most recently published snapshot with a seq of at most SEQ [default: the current one]
    #[arg(long = "at", value_name = "SEQ")]
    pub(crate) seq: Option<u64>,
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
