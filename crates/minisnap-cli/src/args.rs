//! The command line: all commands, and the text of `--help`.

#![allow(clippy::doc_markdown, reason = "clap prints these comments verbatim")]

mod commands;
pub(crate) mod log;
mod shared;

use crate::{exit, shell::quoted};
use clap::{Parser, Subcommand};
pub(crate) use commands::*;
pub(crate) use shared::{FormArgs, RetainArgs, StoreArgs, StoreOptions};
use std::ffi::OsString;

/// Shows, checks, restores, compares and copies snapshots.
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

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Commit a JSON document as the current snapshot
    Create(CreateArgs),
    /// Restore a snapshot, byte for byte
    Restore(RestoreArgs),
    /// Print a snapshot
    Cat(CatArgs),
    /// Show the current snapshot: its seq, age, size and digest, and whether it is intact
    Show(ShowArgs),
    /// List the retained snapshots, newest first
    History(HistoryArgs),
    /// Show what changed between two snapshots
    ///
    /// Prints a line for each difference: ~ changed, + added, - removed, with its path (a JSON Pointer). Numbers differ if
    /// their digits differ. --json prints a JSON Patch (RFC 6902), which is empty if the documents are equal.
    Diff(DiffArgs),
    /// Check every retained snapshot (digest, JSON, seq), the commit record and the links
    ///
    /// Changes nothing. The exit code is 0 if everything is intact, 1 if something is corrupt or was changed externally, 2 if
    /// the check could not be done or the store has no snapshot.
    Verify(VerifyArgs),
    /// Commit an older snapshot again, as a new one
    ///
    /// The history is never rewritten: the replaced snapshot stays in it. The program's log is not changed; the output has
    /// the command that cuts it.
    Rollback(RollbackArgs),
    /// Accept external changes as the newest snapshot
    ///
    /// External changes are edits of snapshot.json or snapshot.seq by a person or another program. Shows the changes, asks
    /// for confirmation, and commits them. Only a folder can have external changes.
    Accept(AcceptArgs),
    /// Move external changes aside, and keep the current snapshot
    ///
    /// Files that replaced the store's links are renamed, never deleted. Only a folder can have external changes.
    Revert(RevertArgs),
    /// Retain fewer snapshots, without committing one
    ///
    /// Older snapshots expire and can't be read any more. The current snapshot always stays.
    Prune(PruneArgs),
    /// Delete expired snapshots, and the orphans of crashed writers, now
    ///
    /// Later writers do the same over time. No retained snapshot is deleted, and no program needs to be stopped. In a folder,
    /// the staged snapshot of a running writer stays. In an object store, it looks like an orphan and is deleted. The library
    /// then uploads it again, up to 8 times. A program that calls `stage` itself gets the error StageLost, and stages again.
    CollectGarbage(CollectGarbageArgs),
    /// Copy snapshots to another store, and read them back there
    ///
    /// After an interruption, run the same command again: it continues where it stopped.
    Copy(CopyArgs),
    /// Commit the newest snapshot of a minisnap 0.1.3 folder
    ///
    /// Version 0.1.3 wrote a file for each snapshot: snapshot_<seq>.json, or snapshot_<seq> (MessagePack). Empty and truncated
    /// files, which it left on a full disk, are skipped and listed. OLD is only read. The import is refused if the store has
    /// a newer snapshot. A second import changes nothing.
    Import(ImportArgs),
    /// Print a line for each new snapshot, until Ctrl-C
    Watch(WatchArgs),
    /// Show the journal of a program, cut it, or begin a new one
    ///
    /// For the journals of minisnap-wal and ministore: a file of JSON lines, and its rotated files.
    Log(log::LogArgs),
    /// Print a shell completion script
    ///
    /// For example: minisnap completions bash > /etc/bash_completion.d/minisnap
    Completions(CompletionsArgs),
    /// Print the man page, or write all man pages to a folder
    Man(ManArgs),
}

impl Command {
    /// The command that shows the current state after an interruption: of the target, if there are two stores.
    pub(crate) fn show_command(&self) -> Option<String> {
        match self {
            Self::Log(args) => Some(format!("`minisnap log show {}`", quoted(args.file().as_os_str()))),
            _ => self.stores().last().map(|store| store.in_shell().command("show", &[])),
        }
    }

    /// The stores on the command line.
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
    fn command_line_definition_is_consistent() {
        Cli::command().debug_assert();
    }
}
