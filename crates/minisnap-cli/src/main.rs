//! The operator's tool: shows, checks, restores, compares and copies snapshots, and goes back to older ones.
//!
//! This file parses the command line, runs the command, and converts the result to an exit code. Each command has a file in
//! `commands`. They share the other modules: opening a store (`open_store.rs`), selecting a snapshot (`select.rs`),
//! committing bytes (`commit.rs`), errors (`failure.rs`, with help from `add_help.rs`), and output (`stdio.rs`,
//! `progress.rs`, `text.rs`).

mod add_help;
mod args;
mod commands;
mod commit;
mod compare;
mod detached;
mod exit;
mod failure;
mod file_access;
mod help;
mod interrupt;
mod json;
mod library_error;
mod location;
mod open_store;
mod pending_change;
mod progress;
mod replace_file;
mod select;
mod shell;
mod start_time;
mod stdio;
mod text;

use args::{Cli, Command};
use clap::Parser;
use exit::Outcome;
use std::process::ExitCode;

fn main() -> ExitCode {
    let done = match Cli::try_parse() {
        Ok(cli) => {
            let show_command = cli.command.show_command();
            interrupt::run(run(cli.command), show_command)
        }
        Err(error) => exit::usage(&error),
    };
    done.map_or_else(|failure| failure.report(is_json_requested()), |()| ExitCode::SUCCESS)
}

/// Whether `--json` is among the arguments, even if they are invalid.
fn is_json_requested() -> bool {
    std::env::args_os().skip(1).take_while(|arg| arg != "--").any(|arg| arg == "--json")
}

async fn run(command: Command) -> Outcome {
    let stores = command.stores();
    match dispatch(command).await {
        Err(failure) => Err(add_help::add_help_for_stores(failure, &stores).await),
        done => done,
    }
}

async fn dispatch(command: Command) -> Outcome {
    match command {
        Command::Create(args) => commands::create::run(args).await,
        Command::Restore(args) => commands::restore::run(args).await,
        Command::Cat(args) => commands::restore::cat(args).await,
        Command::Show(args) => commands::show::run(args).await,
        Command::History(args) => commands::history::run(args).await,
        Command::Verify(args) => commands::verify::run(args).await,
        Command::Diff(args) => commands::diff::run(args).await,
        Command::Rollback(args) => commands::rollback::run(args).await,
        Command::Accept(args) => commands::accept::run(args).await,
        Command::Revert(args) => commands::revert::run(args).await,
        Command::Prune(args) => commands::prune::run(args).await,
        Command::Copy(args) => commands::copy::run(args).await,
        Command::Import(args) => commands::import::run(args).await,
        Command::Watch(args) => commands::watch::run(args).await,
        Command::CollectGarbage(args) => commands::collect_garbage::run(args).await,
        Command::Log(args) => commands::log::run(args).await,
        Command::Completions(args) => commands::completions_and_man::completions(&args),
        Command::Man(args) => commands::completions_and_man::man(&args),
    }
}
