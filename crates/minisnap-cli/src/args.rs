//! What can be said on the command line, and the help that tells it.

#![allow(clippy::doc_markdown, reason = "clap shows these as they are")]

pub(crate) mod log;
mod shared;

use crate::{exit, given::quoted, select::Which, since::Since};
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
pub(crate) use shared::{AtArgs, FormArgs, RetainArgs, StoreArgs, StoreOptions};
use shared::{at_least_one, name_and_value};
use std::{ffi::OsString, num::NonZeroUsize, path::PathBuf};

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
    /// Tell what changed between two snapshots
    ///
    /// A line for each place that differs: ~ changed, + added, - removed, with its path (a JSON Pointer). Numbers differ if
    /// their digits do. With --json it is a JSON Patch (RFC 6902), empty if the document is the same.
    Diff(DiffArgs),
    /// Check every retained snapshot: digest, JSON, pair, links
    ///
    /// Changes nothing. Its exit code is 0 if all is intact, 1 if something is corrupt (or there are external changes), 2 if
    /// it could not look, or there is nothing to look at.
    Verify(VerifyArgs),
    /// Commit an older snapshot again, as a new one
    ///
    /// History is never rewritten: what is gone back from stays in it. A log is not touched: it says what that means.
    Rollback(RollbackArgs),
    /// Accept external changes as the newest snapshot
    ///
    /// External changes are what a person or another program wrote in the snapshot's place. Shows what changed, asks, and
    /// commits it. Only a folder can have external changes.
    Accept(AcceptArgs),
    /// Move external changes aside, and go on with the current snapshot
    ///
    /// The files that replaced the store's links are renamed, never deleted. Only a folder can have external changes.
    Revert(RevertArgs),
    /// Retain fewer snapshots, without committing one
    ///
    /// The older ones expire, and can't be read any more. The current snapshot always stays.
    Prune(PruneArgs),
    /// Remove expired snapshots, and the orphans of crashed writers, now
    ///
    /// Later writers do the same, in their time. Nothing that is retained is removed, and no program needs to be stopped:
    /// in a folder, what a running writer is writing stays. In an object store it can't be told from an orphan; that writer
    /// uploads it again, which the library does by itself up to a bound (in a program that stages by hand, the commit fails
    /// and nothing is lost).
    CollectGarbage(CollectGarbageArgs),
    /// Copy snapshots to another store, and read them back there
    ///
    /// Run again after an interruption, it goes on where it was.
    Copy(CopyArgs),
    /// Commit the newest snapshot that minisnap 0.1.3 left in a folder
    ///
    /// That version wrote a file for each snapshot, snapshot_<seq>.json or snapshot_<seq> (MessagePack), and left empty or torn
    /// ones when the disk was full: those are passed over, and named. OLD is only read. The store is refused if it has a newer
    /// snapshot; run again, nothing is changed.
    Import(ImportArgs),
    /// Print a line for each new snapshot, until Ctrl-C
    Watch(WatchArgs),
    /// Look at the journal of a program, cut it, or begin one
    ///
    /// For the journals of minisnap-wal and ministore: a file of JSON lines, with those that were rotated out of it.
    Log(log::LogArgs),
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
    pub(crate) retain: RetainArgs,
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
    /// Fail with exit code 12 if the current snapshot is older than TIME, such as 90min or 1h; also if its age is unknown,
    /// or its time is ahead of this machine's clock by more than TIME
    #[arg(long, value_name = "TIME")]
    pub(crate) max_age: Option<humantime::Duration>,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// List only the newest N
    #[arg(short = 'n', long = "limit", value_name = "N")]
    pub(crate) limit: Option<NonZeroUsize>,
    /// List only those committed at TIME or later: a date (2026-11-01, UTC), RFC 3339 (2026-11-01T08:30:00Z), or how long
    /// ago (2h, 3days). One whose time is unknown is listed
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Since>,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Print only what is wrong
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// The older one, by its seq or name; without NEW, one before the current one [default: the one before the current one]
    #[arg(value_name = "OLD")]
    pub(crate) old: Option<Which>,
    /// The newer one, by its seq or name [default: the current one]
    #[arg(value_name = "NEW")]
    pub(crate) new: Option<Which>,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

#[derive(Debug, Args)]
pub(crate) struct AcceptArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Don't ask
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Don't show what changed: only the size
    #[arg(long)]
    pub(crate) no_diff: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RevertArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Retain the newest N snapshots, the current one included
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) retain: NonZeroUsize,
    /// Only tell what would expire
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// The seq of the snapshot to go back to; or its name, as `history --json` and `verify` tell it, which is needed if
    /// snapshots with that seq differ
    #[arg(long, value_name = "SEQ|NAME")]
    pub(crate) to: Which,
    #[command(flatten)]
    pub(crate) retain: RetainArgs,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CopyArgs {
    /// The folder or URL to copy from
    #[arg(value_name = "FROM")]
    pub(crate) from: OsString,
    /// The folder or URL to copy to
    #[arg(value_name = "TO")]
    pub(crate) to: OsString,
    /// Copy all retained snapshots, the oldest first, and not only the current one
    #[arg(long)]
    pub(crate) history: bool,
    /// Commit on top of what TO has, whether it is from FROM or not, if it is newer: if the seq is above that of TO's
    /// current snapshot. With --history, of each snapshot. Nothing is copied if TO's current snapshot is the same
    #[arg(long)]
    pub(crate) onto: bool,
    /// Retain the newest N snapshots in TO [default: as many as there are, and all that are copied with --history]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) retain: Option<NonZeroUsize>,
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
pub(crate) struct ImportArgs {
    /// The folder of minisnap 0.1.3
    #[arg(value_name = "OLD")]
    pub(crate) old: PathBuf,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    #[command(flatten)]
    pub(crate) retain: RetainArgs,
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
pub(crate) struct CollectGarbageArgs {
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

impl Command {
    /// A command that shows what is there, for a person who interrupts this one: of two stores, the one that is written to.
    pub(crate) fn look(&self) -> Option<String> {
        match self {
            Self::Log(args) => Some(format!("`minisnap log show {}`", quoted(args.file().as_os_str()))),
            _ => self.stores().last().map(|store| store.given().command("show", &[])),
        }
    }

    /// The stores that it is about, as they were given.
    pub(crate) fn stores(&self) -> Vec<StoreArgs> {
        let one = |store: &StoreArgs| vec![store.clone()];
        match self {
            Self::Create(args) => one(&args.store),
            Self::Restore(args) => one(&args.store),
            Self::Cat(args) => one(&args.store),
            Self::Show(args) => one(&args.store),
            Self::History(args) => one(&args.store),
            Self::Verify(args) => one(&args.store),
            Self::Diff(args) => one(&args.store),
            Self::Rollback(args) => one(&args.store),
            Self::Accept(args) => one(&args.store),
            Self::Revert(args) => one(&args.store),
            Self::Prune(args) => one(&args.store),
            Self::Import(args) => one(&args.store),
            Self::Watch(args) => one(&args.store),
            Self::CollectGarbage(args) => one(&args.store),
            Self::Copy(args) => {
                let store = |store: &OsString, options: &[(String, String)]| StoreArgs {
                    store: store.clone(),
                    options: StoreOptions { options: options.to_vec() },
                };
                vec![store(&args.from, &args.from_option), store(&args.to, &args.to_option)]
            }
            Self::Log(args) => args.store().into_iter().collect(),
            Self::Completions(_) | Self::Man(_) => Vec::new(),
        }
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
