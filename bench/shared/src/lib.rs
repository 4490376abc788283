//! What the measurements have in common: what is saved ([`workload`]) and on which disk ([`disk`]), what came out ([`figure`],
//! [`results`]), and how it is shown ([`progress`], [`table`], [`summary`], [`plot`]).

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

/// Whatever goes wrong ends the program, or is told in the table.
pub type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// How a program ends: with a line about what went wrong, if something did.
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
