//! The commands, each with a function `run`.

pub(crate) mod accept;
pub(crate) mod collect_garbage;
pub(crate) mod completions_and_man;
pub(crate) mod copy;
pub(crate) mod create;
pub(crate) mod diff;
mod external_changes;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod log;
pub(crate) mod prune;
pub(crate) mod restore;
pub(crate) mod revert;
pub(crate) mod rollback;
pub(crate) mod show;
pub(crate) mod verify;
pub(crate) mod watch;
