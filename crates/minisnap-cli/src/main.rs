//! The operator's tool: looks at snapshots, checks them, goes back one, or moves them to another store.
//!
//! This file parses the command line, runs the command, and turns what came of it into an exit code. Each command has a
//! file in `commands`; what they share is beside this file: opening a store (`place.rs`), publishing bytes
//! (`publish.rs`), telling errors (`exit.rs`), and what a terminal is told (`out.rs`, `progress.rs`, `text.rs`).

mod args;
mod commands;
mod compare;
mod exit;
mod file_access;
mod interrupt;
mod json;
mod links;
mod out;
mod pending_change;
mod place;
mod progress;
mod publish;
mod replace_file;
mod since;
mod text;

use args::{Cli, Command};
use clap::Parser;
use exit::Outcome;
use std::process::ExitCode;

fn main() -> ExitCode {
    let done = match Cli::try_parse() {
        Ok(cli) => interrupt::run(run(cli.command)),
        Err(error) => exit::usage(&error),
    };
    done.map_or_else(|failure| failure.tell(), |()| ExitCode::SUCCESS)
}

async fn run(command: Command) -> Outcome {
    match command {
        Command::Create(args) => commands::create::run(args).await,
        Command::Restore(args) => commands::restore::run(args).await,
        Command::Cat(args) => commands::restore::cat(args).await,
        Command::Show(args) => commands::show::run(args).await,
        Command::History(args) => commands::history::run(args).await,
        Command::Verify(args) => commands::verify::run(args).await,
        Command::Diff(args) => commands::diff::run(args).await,
        Command::Reseal(args) => commands::reseal::run(args).await,
        Command::Rollback(args) => commands::rollback::run(args).await,
        Command::Copy(args) => commands::copy::run(args).await,
        Command::Watch(args) => commands::watch::run(args).await,
        Command::Completions(args) => commands::pages::completions(&args),
        Command::Man(args) => commands::pages::man(&args),
    }
}
