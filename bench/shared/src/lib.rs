//! Shared by all benchmarks: the saved states ([`workload`]), the disk ([`disk`]), the figures ([`figure`], [`results`]), and
//! their output ([`progress`], [`table`], [`summary`], [`plot`]).

pub mod disk;
pub mod figure;
pub mod machine;
pub mod plot;
pub mod progress;
pub mod results;
pub mod sizes;
pub mod summary;
pub mod table;
pub mod workload;

use std::process::ExitCode;

/// An error ends the program, or is printed in the table.
pub type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// Prints an error, and returns the exit code.
#[must_use]
pub fn end(done: Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
