//! The commands: each has a file with its `run`.

pub(crate) mod create;
pub(crate) mod history;
pub(crate) mod pages;
pub(crate) mod restore;
pub(crate) mod show;
pub(crate) mod verify;
