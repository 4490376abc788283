//! What `accept` and `revert` share: both need a folder, since objects can't be edited in place.

use crate::{
    exit::{Exit, Failure, Outcome},
    open_store::Place,
};
use minisnap::{FsBackend, Generation};
use std::path::Path;

/// The store's folder, and its backend.
pub(super) async fn folder_of(place: &Place) -> Outcome<(&Path, &FsBackend)> {
    match place.fs() {
        Some(fs) => Ok(fs),
        None => Err(not_a_folder(place, &place.current().await?)),
    }
}

fn not_a_folder(place: &Place, current: &Generation) -> Failure {
    let what = format!("{}: only a folder can have external changes: objects can't be edited in place", place.name());
    let seq = current.seq().to_string();
    Failure::new(Exit::Unsupported, what).advice(format!(
        "{}, edit that file, and {}, with the same seq",
        place.command("restore", &["--output", "edited.json"]),
        place.command("create", &["--seq", &seq, "edited.json"])
    ))
}
