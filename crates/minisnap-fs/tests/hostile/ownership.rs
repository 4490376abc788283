//! Decides by the names of the layout which paths belong to the store, and checks that all other paths are unchanged.

use crate::listing::{Attributes, Listing};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Asserts that all paths that don't belong to the store are unchanged or moved aside, and that no new stage is left.
pub(crate) fn check_unrelated_files(before: &Listing, after: &Listing, dir: &Path) {
    for (path, attributes) in before {
        if !belongs_to_store(path, dir) {
            let moved =
                || after.iter().find(|(now, _)| path_before_move(now) == *path).map(|(_, attributes)| attributes);
            let found = after.get(path).or_else(moved).map(Attributes::without_entries);
            assert_eq!(found, Some(attributes.without_entries()), "{path:?} doesn't belong to the store");
        }
    }
    for path in after.keys() {
        let is_stage = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".stage-"));
        assert!(before.contains_key(path) || !is_stage, "{path:?} is an orphan");
    }
}

/// The path before a move: a store moves corrupt generations aside, and objects at the path of a link.
fn path_before_move(path: &Path) -> PathBuf {
    let before = |name: &str| {
        let generation = name.strip_suffix(".corrupt").filter(|generation| is_generation_or_stage(generation));
        let link = name.split_once(".aside-").map(|(link, _)| link);
        generation.or(link).map(str::to_owned)
    };
    path.iter().map(|name| name.to_str().and_then(before).map_or(name.to_owned(), Into::into)).collect()
}

/// Whether a path belongs to the layout: a writer may replace or remove it.
fn belongs_to_store(path: &Path, dir: &Path) -> bool {
    let real = fs::canonicalize(dir).unwrap_or_else(|_| dir.into());
    let within = path.strip_prefix(dir).or_else(|_| path.strip_prefix(real));
    // The folder to which `snapshots` leads.
    let within = match within {
        Ok(within) => within.to_path_buf(),
        Err(_) => Path::new("snapshots")
            .join(path.iter().skip_while(|name| *name != "elsewhere").skip(1).collect::<PathBuf>()),
    };
    let names: Vec<_> = within.iter().map(|name| name.to_str().unwrap_or_default()).collect();
    match names[..] {
        ["snapshot.json" | "snapshot.seq"] => true,
        [".snapshot.next"] | ["snapshots", "current" | "format" | "last-commit" | ".next" | ".settling"] => true,
        ["snapshots", name] => is_generation_or_stage(name),
        ["snapshots", name, "snapshot.json" | "snapshot.seq" | "parent" | "retained"] => is_generation_or_stage(name),
        _ => false,
    }
}

fn is_generation_or_stage(name: &str) -> bool {
    let is_random =
        |text: &str| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    match name.strip_prefix(".stage-") {
        Some(random) => is_random(random),
        None => name.len() == 54 && name.bytes().take(20).all(|byte| byte.is_ascii_digit()) && is_random(&name[38..]),
    }
}
