//! The operator's tool: looks at snapshots, checks them, goes back one, or moves them to another store.
//!
//! This file parses the command line, runs the command, and turns what came of it into an exit code. Each command has a
//! file in `commands`; what they share is beside this file: opening a store (`open_store.rs`), choosing a snapshot
//! (`select.rs`), committing bytes (`commit.rs`), telling errors (`failure.rs`, with advice from `explain.rs`), and what a
//! terminal is told (`out.rs`, `progress.rs`, `text.rs`).

mod args;
mod commands;
mod commit;
mod compare;
mod exit;
mod explain;
mod failure;
mod file_access;
mod given;
mod help;
mod interrupt;
mod json;
mod library;
mod location;
mod open_store;
mod out;
mod pending_change;
mod progress;
mod replace_file;
mod select;
mod since;
mod text;

use args::{Cli, Command};
use clap::Parser;
use exit::Outcome;
use std::process::ExitCode;

fn main() -> ExitCode {
    let done = match Cli::try_parse() {
        Ok(cli) => {
            let look = cli.command.look();
            interrupt::run(run(cli.command), look)
        }
        Err(error) => exit::usage(&error),
    };
    done.map_or_else(|failure| failure.end(json_is_asked_for()), |()| ExitCode::SUCCESS)
}

/// Whether `--json` is among the arguments, also where they can't be understood.
fn json_is_asked_for() -> bool {
    std::env::args_os().skip(1).take_while(|arg| arg != "--").any(|arg| arg == "--json")
}

async fn run(command: Command) -> Outcome {
    let stores = command.stores();
    match dispatch(command).await {
        Err(failure) => Err(explain::explain_in(failure, &stores).await),
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
        Command::Completions(args) => commands::pages::completions(&args),
        Command::Man(args) => commands::pages::man(&args),
    }
}
