//! What killed writers leave lying about, to see that the kills hit something.

use crate::{
    folders::{names, stages},
    processes::deeds::Deed,
};
use std::{collections::BTreeSet, fs, path::Path};

/// A complete stage or generation has at least these.
const COMPLETE: [&str; 3] = ["retained", "snapshot.json", "snapshot.seq"];

/// What kills of a deed must leave lying about, each at least once: else they don't hit what they are for.
pub(super) fn of(deed: Deed) -> &'static [&'static str] {
    const OF_A_PUBLISH: [&str; 4] = ["an empty stage", "a stage", "an unpublished generation", ".next"];
    match deed {
        Deed::First => &[
            "no folder",
            "no record",
            "a record of nothing",
            "one link",
            ".settling",
            "an empty stage",
            "a stage",
            "an unpublished generation",
            ".next",
        ],
        Deed::FirstInNewFolders => &["no folder", "no record", "a record of nothing", "one link", "a stage"],
        Deed::Second | Deed::Owned => &OF_A_PUBLISH,
        Deed::Retiring => &[
            "an empty stage",
            "a stage",
            "an unpublished generation",
            ".next",
            "a retired generation",
            "part of a generation",
        ],
        Deed::Adopting => &[
            "no record",
            "an empty stage",
            "a stage",
            "an unpublished generation",
            ".settling",
            "a link beside a plain file",
            ".next",
        ],
        Deed::ResealReplaced => {
            &["an empty stage", "a stage", "an unpublished generation", ".settling", "a link beside a plain file"]
        }
        Deed::ResealInPlace => {
            &["an empty stage", "a stage", "an unpublished generation", ".next", "a retired generation"]
        }
        Deed::SetAside => &["one link", ".settling", ".snapshot.next"],
        Deed::Sweep => &["a stage", "an empty stage", "an unpublished generation", "part of a generation", ".next"],
    }
}

/// The kinds of leftovers in a store's folder. `history`: the retained generations, by name; `before`: those that were
/// published before the kill.
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
        kinds.insert(if other.is_file() { "a link beside a plain file" } else { "one link" });
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
                kinds.insert(if before.contains(&name) { "a retired generation" } else { "an unpublished generation" })
            }
        };
    }
    kinds
}
