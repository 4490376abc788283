//! What the measurements have in common: what is saved ([`workload`]), what came out ([`figure`], [`results`]), and how it
//! is shown ([`progress`], [`table`], [`plot`]).

pub mod figure;
pub mod machine;
pub mod plot;
pub mod progress;
pub mod results;
pub mod sizes;
pub mod table;
pub mod workload;

/// Whatever goes wrong ends the program, or is told in the table.
pub type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;
