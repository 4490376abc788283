//! The commands: each has a file with its `run`.

pub(crate) mod show;
