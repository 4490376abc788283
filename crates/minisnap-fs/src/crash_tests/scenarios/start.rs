//! The states of the disk that the cases start from.

use crate::crash_tests::{
    expected::{Expected, Pair, Recovery},
    run::Run,
    trace::Trace,
};
use crate::sys;
use minisnap_crash_model::Tree;
use std::{path::Path, sync::Arc};

pub(super) fn folder<const N: usize>(entries: [(&str, Tree); N]) -> Tree {
    Tree::Folder(entries.into_iter().map(|(name, tree)| (name.to_owned(), Arc::new(tree))).collect())
}

pub(super) fn file(text: &str) -> Tree {
    Tree::File(text.as_bytes().to_vec())
}

/// The expectation of an empty store.
pub(super) fn nothing() -> Expected {
    Expected { one_of: vec![Vec::new()], recovery: Recovery::NotNeeded }
}

/// A machine with an empty folder, which is durable.
pub(super) fn empty() -> Run {
    Run::new("state", folder([("state", folder([]))]), nothing())
}

/// A machine without the store's folder.
pub(super) fn missing_folder() -> Run {
    Run::new("b/state", folder([]), nothing())
}

/// A machine with one generation, which is durable.
pub(super) fn one_committed() -> Run {
    empty().commit(1, 2).make_all_durable()
}

pub(super) fn two_committed() -> Run {
    one_committed().commit(2, 3).make_all_durable()
}

/// A machine with three retained generations.
pub(super) fn three_committed() -> Run {
    one_committed().commit(2, 3).commit(3, 3).make_all_durable()
}

/// The bare pair of version 0.1.1, without a newline after the seq.
pub(super) fn bare_pair() -> Run {
    let pair = folder([("snapshot.json", file(&Pair::new(1).json)), ("snapshot.seq", file("1"))]);
    let expect = Expected { one_of: vec![vec![Pair::new(1)]], recovery: Recovery::NotNeeded };
    Run::new("state", folder([("state", pair)]), expect)
}

/// A bare pair that isn't durable, such as a backup that was just copied to the folder.
pub(super) fn unsynced_bare_pair() -> Run {
    let mut run = empty();
    run.expect(vec![vec![], vec![Pair::new(1)]], Recovery::UnsyncedBarePair);
    write(&run.path().join("snapshot.json"), &Pair::new(1).json);
    write(&run.path().join("snapshot.seq"), "1");
    run
}

/// The pair after an edit of its JSON.
pub(super) fn edited() -> Pair {
    Pair { json: "{\"edited\": true}".into(), ..Pair::new(1) }
}

/// Writes a new file without a sync.
pub(super) fn write(path: &Path, text: &str) {
    let written = sys::create_file(path, 0o666).and_then(|file| sys::write_all(&file, path, text.as_bytes()));
    written.expect("write");
}

/// For each step of `trace`: the program is killed before it, then the next program runs `next`.
pub(super) fn killed(trace: Trace, next: impl Fn(Run) -> Run) -> Vec<Trace> {
    trace.killed_at_each_step().map(|run| next(run).end()).collect()
}
