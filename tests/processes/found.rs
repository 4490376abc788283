//! What is found of a store after a writer was cut short: by `cat`, by a reader, and by whoever publishes next.

use super::deeds::Deed;
use crate::folders::{assert_tidy, names};
use minisnap::{Generation, MiniSnapError, SnapStore};
use std::{fs, path::Path};

/// What `cat` shows of the JSON and of the seq.
pub(super) type Shown = [Option<String>; 2];

/// What a reader finds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Read {
    Nothing,
    Pair(String, u64),
    /// An edit, reported as what it is.
    Foreign,
    Corrupt,
}

/// What may be found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct State {
    pub(super) name: &'static str,
    pub(super) shown: Shown,
    pub(super) read: Read,
}

/// What [`go_on`] publishes.
const LAST: u64 = 11;

/// Asserts that one of these is found, and returns it.
pub(super) async fn one_of(states: &[State], dir: &Path) -> State {
    let (shown, read) = look(dir).await;
    let found = states.iter().find(|state| (&state.shown, &state.read) == (&shown, &read));
    found.cloned().unwrap_or_else(|| {
        let states: Vec<_> = states.iter().map(|state| state.name).collect();
        let shown = shown.map(|text| text.map(|text| brief(&text)));
        let read = brief(&format!("{read:?}"));
        panic!("found {shown:?}, read as {read}, and it should be one of {states:?}")
    })
}

/// The beginning of what may be long.
fn brief(text: &str) -> String {
    format!("{} ({} bytes)", text.chars().take(40).collect::<String>(), text.len())
}

/// Goes on after `deed` was cut short: mends what a person has to mend, publishes, and finds the store in order.
pub(super) async fn go_on(deed: Deed, dir: &Path) {
    deed.mend(dir).await.expect("to mend it");
    let (_, before) = look(dir).await;
    deed.commit(dir, LAST).await.expect("a snapshot");
    one_of(&[deed.pair(LAST)], dir).await;
    if let Some(edit) = deed.aside() {
        let aside: Vec<_> = names(dir).into_iter().filter(|name| name.contains(".aside-")).collect();
        assert_eq!(aside.len(), 1, "{aside:?}");
        let aside = dir.join(&aside[0]);
        assert_eq!(fs::read_to_string(&aside).expect("what was moved aside"), edit);
        fs::remove_file(aside).expect("it to go");
    }
    let store = SnapStore::new(dir);
    let history = store.history().await.expect("a history");
    for generation in &history {
        store.restore_generation::<String>(generation).await.expect("a retained generation");
    }
    let mut expected = vec![LAST];
    if let Read::Pair(_, seq) = before {
        expected.push(seq);
    }
    expected.truncate(deed.keep());
    assert_eq!(history.iter().map(Generation::seq).collect::<Vec<_>>(), expected);
    if matches!(deed, Deed::ResealInPlace) {
        remove_moved_aside(dir);
    }
    assert_tidy(dir, &history);
}

/// If its writer was killed before it noted the commit, the edited generation may have been current until somebody moved the
/// record back: it is moved aside.
fn remove_moved_aside(dir: &Path) {
    let snapshots = dir.join("snapshots");
    let moved = names(&snapshots).into_iter().filter(|name| name.ends_with(".corrupt"));
    moved.for_each(|name| fs::remove_dir_all(snapshots.join(name)).expect("it to go"));
}

/// Asserts that this is what the system said, that it names the path, and that the outcome is known. Returns the step that
/// failed.
#[track_caller]
pub(super) fn assert_error(error: &MiniSnapError, code: i32, folder: &Path) -> &'static str {
    let MiniSnapError::Io { at, action, source, .. } = error else { panic!("{error:?}") };
    assert_eq!(source.raw_os_error(), Some(code), "{error}");
    // Also a folder above: those are synced when the store is new.
    let place = Path::new(at.location());
    assert!(place.starts_with(folder) || folder.starts_with(place), "{error}");
    action
}

async fn look(dir: &Path) -> (Shown, Read) {
    let shown = ["snapshot.json", "snapshot.seq"].map(|name| fs::read_to_string(dir.join(name)).ok());
    let read = match SnapStore::new(dir).try_restore::<String>().await {
        Ok(None) => Read::Nothing,
        Ok(Some((text, seq))) => Read::Pair(format!("\"{text}\""), seq),
        Err(MiniSnapError::ExternalChange { .. }) => Read::Foreign,
        Err(MiniSnapError::Corrupt { .. }) => Read::Corrupt,
        Err(error) => panic!("{error}"),
    };
    (shown, read)
}
