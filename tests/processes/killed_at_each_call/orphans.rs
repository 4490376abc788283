//! The kinds of orphans that killed writers leave, to check that the kills interrupt each step.

use crate::{
    folder_contents::{names, stages},
    processes::operations::Operation,
};
use std::{collections::BTreeSet, fs, path::Path};

/// A complete stage or generation has at least these files.
const COMPLETE: [&str; 3] = ["retained", "snapshot.json", "snapshot.seq"];

/// Returns the kinds of orphans of which the kills of an operation must leave at least one each.
pub(super) fn of(operation: Operation) -> &'static [&'static str] {
    const OF_A_COMMIT: [&str; 4] = ["an empty stage", "a stage", "an uncommitted generation", ".next"];
    match operation {
        Operation::First => &[
            "no folder",
            "no record",
            "a record of nothing",
            "one link",
            ".settling",
            "an empty stage",
            "a stage",
            "an uncommitted generation",
            ".next",
        ],
        Operation::FirstInNewFolders => &["no folder", "no record", "a record of nothing", "one link", "a stage"],
        Operation::Second | Operation::Owned => &OF_A_COMMIT,
        Operation::Expiring => &[
            "an empty stage",
            "a stage",
            "an uncommitted generation",
            ".next",
            "an expired generation",
            "part of a generation",
        ],
        Operation::Migrating => &[
            "no record",
            "an empty stage",
            "a stage",
            "an uncommitted generation",
            ".settling",
            "a link and a regular file",
            ".next",
        ],
        Operation::AcceptReplaced => {
            &["an empty stage", "a stage", "an uncommitted generation", ".settling", "a link and a regular file"]
        }
        Operation::AcceptInPlace => {
            &["an empty stage", "a stage", "an uncommitted generation", ".next", "an expired generation"]
        }
        Operation::Revert => &["one link", ".settling", ".snapshot.next"],
        Operation::CollectGarbage => {
            &["a stage", "an empty stage", "an uncommitted generation", "part of a generation", ".next"]
        }
    }
}

/// Returns the kinds of orphans in a store's folder. `history` has the names of the retained generations, and `before`
/// those of the generations committed before the kill.
pub(super) fn in_folder(dir: &Path, history: &[String], before: &[String]) -> BTreeSet<&'static str> {
    let mut kinds = BTreeSet::new();
    let snapshots = dir.join("snapshots");
    if !snapshots.exists() {
        return ["no folder"].into();
    }
    match fs::read_link(snapshots.join("current")) {
        Err(_) => kinds.insert("no record"),
        Ok(target) => target == Path::new("none") && kinds.insert("a record of nothing"),
    };
    let [json, seq] = ["snapshot.json", "snapshot.seq"].map(|name| dir.join(name));
    if json.is_symlink() != seq.is_symlink() {
        let other = if json.is_symlink() { seq } else { json };
        kinds.insert(if other.is_file() { "a link and a regular file" } else { "one link" });
    }
    if dir.join(".snapshot.next").is_symlink() {
        kinds.insert(".snapshot.next");
    }
    for stage in stages(dir) {
        kinds.insert(if names(&stage).is_empty() { "an empty stage" } else { "a stage" });
    }
    for name in names(&snapshots) {
        match &*name {
            ".next" => kinds.insert(".next"),
            ".settling" => kinds.insert(".settling"),
            _ if name.len() != 54 || history.contains(&name) => false,
            _ => {
                let found = names(&snapshots.join(&name));
                if !COMPLETE.iter().all(|file| found.iter().any(|name| name == file)) {
                    kinds.insert("part of a generation");
                }
                kinds.insert(if before.contains(&name) { "an expired generation" } else { "an uncommitted generation" })
            }
        };
    }
    kinds
}
