//! The commands: each has a file with its `run`.

pub(crate) mod collect_garbage;
pub(crate) mod copy;
pub(crate) mod create;
pub(crate) mod diff;
pub(crate) mod history;
pub(crate) mod log;
pub(crate) mod pages;
pub(crate) mod reseal;
pub(crate) mod restore;
pub(crate) mod rollback;
pub(crate) mod show;
pub(crate) mod verify;
pub(crate) mod watch;
