//! What the processes report: a line of JSON for each event.

use serde::{Deserialize, Serialize};
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Event {
    /// The commit was acknowledged, at this time in Unix milliseconds.
    Committed(Commit, u64),
    /// The outcome of the commit is unknown.
    Unknown(Commit),
    /// Another commit was first.
    Conflict,
    /// The create failed, and so committed nothing. With the error.
    Failed(String),
    /// A complete generation was read, whose state has this author.
    Read { generation: String, author: String },
    /// A read failed, with this error.
    ReadFailed(String),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Commit {
    /// The name of the generation.
    pub(super) generation: String,
    /// The name of the generation that it replaces.
    pub(super) parent: String,
    /// The writer and the number of its attempt. It is in the state, too.
    pub(super) author: String,
}

/// Unix milliseconds.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_millis() as u64
}
