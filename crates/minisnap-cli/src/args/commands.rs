//! The arguments of each command, except `log`.

use super::shared::{AtArgs, FormArgs, RetainArgs, StoreArgs, at_least_one, name_and_value};
use crate::{select::SnapshotRef, start_time::StartTime};
use clap::Args;
use clap_complete::Shell;
use std::{ffi::OsString, num::NonZeroUsize, path::PathBuf};

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// The sequence number of the last change in the document
    #[arg(long, value_name = "N")]
    pub(crate) seq: u64,
    /// The file with the JSON document [default: standard input, as with -]
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Commit only if N is above the seq of the current snapshot
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
    /// Write atomically to FILE instead of to standard output
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
    /// Fail with exit code 12 if the current snapshot is older than TIME (such as 90min or 1h), if its age is unknown, or if
    /// its time is ahead of this machine's clock by more than TIME
    #[arg(long, value_name = "TIME")]
    pub(crate) max_age: Option<humantime::Duration>,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// List only the newest N snapshots
    #[arg(short = 'n', long = "limit", value_name = "N")]
    pub(crate) limit: Option<NonZeroUsize>,
    /// List only snapshots committed at TIME or later: a date (2026-11-01, UTC), RFC 3339 (2026-11-01T08:30:00Z), or a
    /// duration before now (2h, 3days). Snapshots whose time is unknown are listed
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<StartTime>,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Print only problems
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// The older snapshot, by its seq or name; without NEW, one that precedes the current snapshot [default: the snapshot
    /// before the current one]
    #[arg(value_name = "OLD")]
    pub(crate) old: Option<SnapshotRef>,
    /// The newer snapshot, by its seq or name [default: the current one]
    #[arg(value_name = "NEW")]
    pub(crate) new: Option<SnapshotRef>,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

#[derive(Debug, Args)]
pub(crate) struct AcceptArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Accept without asking
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Show only the size of the new snapshot, not what changed
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
    /// Only show what would expire
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// The snapshot to go back to: its seq, or its name as `history` prints it. If several snapshots have the seq and differ,
    /// give the name
    #[arg(long, value_name = "SEQ|NAME")]
    pub(crate) to: SnapshotRef,
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
    /// Copy all retained snapshots, oldest first, instead of only the current one
    #[arg(long)]
    pub(crate) history: bool,
    /// Commit on top of any history of TO, but only snapshots whose seq is above that of TO's current snapshot. Copy
    /// nothing if the current snapshots of both are equal
    #[arg(long)]
    pub(crate) onto: bool,
    /// Retain the newest N snapshots in TO [default: as many as TO has; with --history, those and all copied ones]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) retain: Option<NonZeroUsize>,
    /// Set an option of FROM, such as endpoint_url=https://s3.example.org; repeatable. Other users can see the command line:
    /// pass secrets in the environment
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) from_option: Vec<(String, String)>,
    /// Set an option of TO, such as endpoint_url=https://s3.example.org; repeatable
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
    /// How often to check for new snapshots, such as 500ms or 1min
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
    /// The shell that runs the script
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write minisnap.1 and a page for each command to this folder, which is created if it is missing
    #[arg(value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}
