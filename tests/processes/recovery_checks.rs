//! Checks of a store after an interrupted operation: what `cat` prints, what a reader restores, and the next commit.

use super::operations::Operation;
use crate::folder_contents::{assert_no_garbage, names};
use minisnap::{Generation, MiniSnapError, SnapStore};
use std::{fs, path::Path};

/// The contents of `snapshot.json` and `snapshot.seq`.
pub(super) type Files = [Option<String>; 2];

/// The result of a restore.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ReadResult {
    Empty,
    Pair(String, u64),
    ExternalChange,
    Corrupt,
}

/// The state of a store, as readers see it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct State {
    pub(super) name: &'static str,
    pub(super) files: Files,
    pub(super) read: ReadResult,
}

/// The seq that [`check_continues`] commits.
const LAST: u64 = 11;

/// Asserts that the store is in one of these states, and returns it.
pub(super) async fn assert_one_of(states: &[State], dir: &Path) -> State {
    let (files, read) = observe(dir).await;
    let found = states.iter().find(|state| (&state.files, &state.read) == (&files, &read));
    found.cloned().unwrap_or_else(|| {
        let states: Vec<_> = states.iter().map(|state| state.name).collect();
        let files = files.map(|text| text.map(|text| brief(&text)));
        let read = brief(&format!("{read:?}"));
        panic!("found {files:?}, restored as {read}, and expected one of {states:?}")
    })
}

/// Shortens a long text.
fn brief(text: &str) -> String {
    format!("{} ({} bytes)", text.chars().take(40).collect::<String>(), text.len())
}

/// Checks that the store works after an interrupted operation: resolves an external change, commits, and checks the history
/// and the folder.
pub(super) async fn check_continues(operation: Operation, dir: &Path) {
    operation.resolve_external_change(dir).await.expect("to resolve the external change");
    let (_, before) = observe(dir).await;
    operation.commit(dir, LAST).await.expect("a snapshot");
    assert_one_of(&[operation.pair(LAST)], dir).await;
    if let Some(edit) = operation.moved_aside() {
        let aside: Vec<_> = names(dir).into_iter().filter(|name| name.contains(".aside-")).collect();
        assert_eq!(aside.len(), 1, "{aside:?}");
        let aside = dir.join(&aside[0]);
        assert_eq!(fs::read_to_string(&aside).expect("the file moved aside"), edit);
        fs::remove_file(aside).expect("a removal");
    }
    let store = SnapStore::new(dir);
    let history = store.history().await.expect("a history");
    for generation in &history {
        store.restore_generation::<String>(generation).await.expect("a retained generation");
    }
    let mut expected = vec![LAST];
    if let ReadResult::Pair(_, seq) = before {
        expected.push(seq);
    }
    expected.truncate(operation.retain());
    assert_eq!(history.iter().map(Generation::seq).collect::<Vec<_>>(), expected);
    if matches!(operation, Operation::AcceptInPlace) {
        remove_generation_moved_aside(dir);
    }
    assert_no_garbage(dir, &history);
}

/// Removes an edited generation that was moved aside. Its writer was killed before it noted the commit, so the next writer
/// can't tell whether the generation was current, and moves it aside.
fn remove_generation_moved_aside(dir: &Path) {
    let snapshots = dir.join("snapshots");
    let moved = names(&snapshots).into_iter().filter(|name| name.ends_with(".corrupt"));
    moved.for_each(|name| fs::remove_dir_all(snapshots.join(name)).expect("a removal"));
}

/// Asserts that the error has this code of the operating system, and a path in `folder`. Returns the step that failed.
#[track_caller]
pub(super) fn assert_error(error: &MiniSnapError, code: i32, folder: &Path) -> &'static str {
    let MiniSnapError::Io { at, action, source, .. } = error else { panic!("{error:?}") };
    assert_eq!(source.raw_os_error(), Some(code), "{error}");
    // The folders above are synced when the store is new.
    let path = Path::new(at.location());
    assert!(path.starts_with(folder) || folder.starts_with(path), "{error}");
    action
}

async fn observe(dir: &Path) -> (Files, ReadResult) {
    let files = ["snapshot.json", "snapshot.seq"].map(|name| fs::read_to_string(dir.join(name)).ok());
    let read = match SnapStore::new(dir).try_restore::<String>().await {
        Ok(None) => ReadResult::Empty,
        Ok(Some((text, seq))) => ReadResult::Pair(format!("\"{text}\""), seq),
        Err(MiniSnapError::ExternalChange { .. }) => ReadResult::ExternalChange,
        Err(MiniSnapError::Corrupt { .. }) => ReadResult::Corrupt,
        Err(error) => panic!("{error}"),
    };
    (files, read)
}
