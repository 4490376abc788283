//! What `accept` and `revert` share: both need a folder, since objects can't be edited in place.

use crate::{
    args::StoreArgs,
    exit::{Exit, Failure, Outcome},
    place::Place,
};
use minisnap::{FsBackend, Generation};
use std::{path::PathBuf, time::Duration};

/// The store's folder and its backend, with the options that were given.
pub(super) async fn folder_of(place: &Place, args: &StoreArgs) -> Outcome<(PathBuf, FsBackend)> {
    let Some(folder) = place.folder() else { return Err(not_a_folder(place, &place.current().await?)) };
    let backend = FsBackend::new(&folder).with_busy_timeout(busy_timeout(args));
    Ok((folder, backend))
}

/// The place has checked the option already.
fn busy_timeout(args: &StoreArgs) -> Duration {
    let options = args.options.options.iter().rev();
    let given = options.filter(|(name, _)| name == "busy_timeout").find_map(|(_, value)| value.parse().ok());
    given.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or(FsBackend::DEFAULT_BUSY_TIMEOUT)
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
