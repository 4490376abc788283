//! The operator's tool: looks at snapshots, checks them, goes back one, or moves them to another store.
//!
//! This file parses the command line, runs the command, and turns what came of it into an exit code. Each command has a
//! file in `commands`; what they share is beside this file: opening a store (`place.rs`), publishing bytes
//! (`publish.rs`), telling errors (`exit.rs`), and what a terminal is told (`out.rs`, `progress.rs`, `text.rs`).

mod args;
mod commands;
mod exit;
mod interrupt;
mod out;
mod place;
mod progress;
mod publish;
mod text;

use args::{Cli, Command};
use clap::Parser;
use exit::{Failure, Outcome};
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
        Command::Show(args) => commands::show::run(args).await,
    }
}
