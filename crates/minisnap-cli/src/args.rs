//! What can be said on the command line, and the help that tells it.

use crate::exit;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use minisnap::Generation;
use std::{fmt, num::NonZeroUsize, path::PathBuf, str::FromStr};

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
    /// Tell what changed between two snapshots
    ///
    /// A line for each place that differs: ~ changed, + added, - removed, with its path (a JSON Pointer). Numbers differ if
    /// their digits do. With --json it is a JSON Patch (RFC 6902), empty if the document is the same.
    Diff(DiffArgs),
    /// Accept what a person or another program wrote in the snapshot's place
    ///
    /// Shows what changed, asks, and publishes it as the newest snapshot. Only a folder can be edited so.
    Reseal(ResealArgs),
    /// Publish an older snapshot again, as a new one
    ///
    /// History is never rewritten: what is gone back from stays in it. A log is not touched: it says what that means.
    Rollback(RollbackArgs),
    /// Copy snapshots to another store, and read them back there
    ///
    /// Run again after an interruption, it goes on where it was.
    Copy(CopyArgs),
    /// Print a line for each new snapshot, until Ctrl-C
    Watch(WatchArgs),
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
pub(crate) struct DiffArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// The older one: the most recently published with a seq of at most OLD [default: the one before the current one]
    #[arg(value_name = "OLD")]
    pub(crate) old: Option<u64>,
    /// The newer one, likewise [default: the current one]
    #[arg(value_name = "NEW")]
    pub(crate) new: Option<u64>,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ResealArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Don't ask
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Don't show what changed: only the size
    #[arg(long)]
    pub(crate) no_diff: bool,
    /// The other way out: move what was written there aside, and go on with the snapshot that was published last
    #[arg(long, conflicts_with_all = ["yes", "no_diff"])]
    pub(crate) set_aside: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// The seq of the snapshot to go back to, the newest intact one before the current one that has it; or its name, as
    /// `history --json` and `verify` tell it
    #[arg(long, value_name = "SEQ|NAME")]
    pub(crate) to: Which,
    #[command(flatten)]
    pub(crate) keep: KeepArgs,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CopyArgs {
    /// The folder or URL to copy from
    #[arg(value_name = "FROM")]
    pub(crate) from: String,
    /// The folder or URL to copy to
    #[arg(value_name = "TO")]
    pub(crate) to: String,
    /// Copy all retained snapshots, the oldest first, and not only the current one
    #[arg(long)]
    pub(crate) history: bool,
    /// Publish on top of what TO has, though it isn't from FROM
    #[arg(long)]
    pub(crate) onto: bool,
    /// Keep the newest N snapshots in TO [default: as many as there are, and all that are copied with --history]
    #[arg(long, value_name = "N")]
    pub(crate) keep: Option<NonZeroUsize>,
    /// Set an option of FROM, such as endpoint_url=https://s3.example.org; can be given several times. Others can see the
    /// command line: give secrets in the environment
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) from_option: Vec<(String, String)>,
    /// Set an option of TO, likewise
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) to_option: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// How often to look, such as 500ms or 1min
    #[arg(long, value_name = "TIME", default_value = "1s")]
    pub(crate) every: humantime::Duration,
    /// End after N lines
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<NonZeroUsize>,
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

/// A snapshot by its seq, which several may have, or by its name, which is its own.
#[derive(Debug, Clone)]
pub(crate) enum Which {
    Seq(u64),
    Name(String),
}

impl Which {
    /// Whether it is this one.
    pub(crate) fn is(&self, generation: &Generation) -> bool {
        match self {
            Self::Seq(seq) => generation.seq() == *seq,
            Self::Name(name) => generation.name() == name,
        }
    }
}

impl FromStr for Which {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(seq) => Ok(Self::Seq(seq)),
            // Names begin with their seq, in twenty digits.
            Err(_) if text.len() > 20 && text.contains('-') => Ok(Self::Name(text.into())),
            Err(_) => Err("it is neither a seq nor a snapshot's name"),
        }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seq(seq) => write!(f, "seq {seq}"),
            Self::Name(name) => f.write_str(name),
        }
    }
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
