//! The histories that may be found after a power loss, and the check of a store's state.

use crate::{
    FsBackend,
    layout::{CURRENT, FORMAT, GENERATION_ENTRIES, GenerationName, LAST_COMMIT, LOCK, PARENT, is_aside_generation},
};
use minisnap_core::{
    CommitOptions, Committed, MiniSnapError, SnapshotBackend,
    format::{JSON_NAME, SEQ_NAME, parse_seq},
};
use std::{collections::BTreeSet, fmt, fs, io::Write, num::NonZeroUsize, path::Path};

/// A snapshot's two files.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Pair {
    pub(super) json: String,
    pub(super) seq: u64,
}

impl Pair {
    /// A pair whose JSON contains its seq, so that a mixture of two pairs is detected.
    pub(super) fn new(seq: u64) -> Self {
        Self { json: format!("{{\n  \"state\": {seq}\n}}"), seq }
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json: String = self.json.split_whitespace().collect();
        write!(f, "{}: {json}", self.seq)
    }
}

/// The retained snapshots, newest first. Empty if nothing was committed.
pub(super) type Snapshots = Vec<Pair>;

/// The retained snapshots after the commit of `pair` over `before`.
pub(super) fn committed_over(before: &Snapshots, pair: &Pair, retain: NonZeroUsize) -> Snapshots {
    let older = Committed::retained_after(retain, before.len()) - 1;
    std::iter::once(pair).chain(before.iter().take(older)).cloned().collect()
}

/// The expected state of a store after a power loss.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Expected {
    /// The histories of which one is found: the last acknowledged one, and those of later commits without an answer.
    pub(super) one_of: Vec<Snapshots>,
    /// The call that may be needed before one of them is found.
    pub(super) recovery: Recovery,
}

/// The call that may be needed before the store can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Recovery {
    NotNeeded,
    /// `accept_external_changes`, after an edit.
    Accept,
    /// `revert_external_changes`, after another program replaced one or both files by [`EXTERNAL`]. Its files are preserved.
    Revert,
    /// No call: there is a bare pair that its writer didn't sync. Until it is migrated, any part of it may be found.
    UnsyncedBarePair,
    /// A commit: the current generation, with this seq, is corrupt. The commit loses no intact generation, and preserves the corrupt
    /// JSON, [`CORRUPT`].
    Heal(u64),
    /// `revert_external_changes`, after links became files with their text.
    RestoreLinks,
    /// `reset_to`, after the commit record was lost.
    Reset,
    /// `give_up_lost_store`, after the commit record was lost. The files of another program, [`EXTERNAL`], are preserved.
    GiveUp,
}

pub(super) const CORRUPT: &str = "[";

pub(super) const EXTERNAL: &str = "{\"external\": true}";

type Check<T> = Result<T, String>;

fn context(action: &str) -> impl Fn(MiniSnapError) -> String {
    move |error| format!("{action}: {error}")
}

impl Expected {
    /// Checks the history that [`inspect`] found.
    pub(super) fn check(&self, found: Option<&Snapshots>) -> Check<()> {
        match found {
            Some(found) if !self.one_of.contains(found) => {
                Err(format!("found {found:?}, which is not one of {:?}", self.one_of))
            }
            _ => Ok(()),
        }
    }
}

/// Reads a store in a state that a power loss may leave, and checks the properties of every state:
///
/// - `current`, `history` and a plain reader agree.
/// - The next commit succeeds, can be read, and leaves no garbage.
///
/// Returns the history that was found, or `None` if the state has no history to compare.
pub(super) async fn inspect(dir: &Path, recovery: Recovery) -> Check<Option<Snapshots>> {
    let backend = FsBackend::new(dir);
    if recovery == Recovery::UnsyncedBarePair && !is_generation(&dir.join("snapshots/current")) {
        return Ok(None);
    }
    let found = match find(&backend).await {
        Err(MiniSnapError::ExternalChange { .. } | MiniSnapError::Corrupt { .. }) if recovery == Recovery::Accept => {
            let edit = read_plainly(dir)?;
            backend.accept_external_changes().await.map_err(context("accept"))?;
            let found = find(&backend).await.map_err(context("read after the accept"))?;
            if edit.as_ref() != found.first() {
                return Err(format!("accepted {:?} instead of {edit:?}", found.first()));
            }
            found
        }
        Err(MiniSnapError::ExternalChange { .. }) if recovery == Recovery::Revert => {
            backend.revert_external_changes().await.map_err(context("revert"))?;
            find(&backend).await.map_err(context("read after the revert"))?
        }
        Err(MiniSnapError::Corrupt { .. }) if matches!(recovery, Recovery::Heal(_)) => {
            let next = Pair::new(100);
            let committed = commit(&backend, &next, NonZeroUsize::MIN.saturating_add(9)).await;
            committed.map_err(context("commit over corruption"))?;
            let found = find(&backend).await.map_err(context("read after the commit over corruption"))?;
            if !found.contains(&Pair::new(1)) || !found.contains(&Pair::new(2)) {
                return Err(format!("an intact generation is lost: {found:?}"));
            }
            check_moved_aside(dir, recovery)?;
            return Ok(None);
        }
        Err(MiniSnapError::Corrupt { .. }) if recovery == Recovery::RestoreLinks => {
            backend.revert_external_changes().await.map_err(context("restore the links"))?;
            find(&backend).await.map_err(context("read after the links were restored"))?
        }
        Err(MiniSnapError::Corrupt { intact, .. }) if recovery == Recovery::Reset => {
            let newest = intact.first().ok_or("no intact generation")?;
            backend.reset_to(newest).await.map_err(context("reset"))?;
            find(&backend).await.map_err(context("read after the reset"))?
        }
        Err(MiniSnapError::Corrupt { .. }) if recovery == Recovery::GiveUp => {
            backend.give_up_lost_store().await.map_err(context("give up"))?;
            find(&backend).await.map_err(context("read after giving up"))?
        }
        found => found.map_err(context("read"))?,
    };
    match read_plainly(dir) {
        Ok(plain) if plain.as_ref() == found.first() => {}
        // Only one of the two files is moved aside yet.
        Ok(None) | Err(_) if recovery == Recovery::Revert => {}
        // The public links are restored after the commit record.
        _ if recovery == Recovery::RestoreLinks => {
            backend.revert_external_changes().await.map_err(context("restore the links"))?;
        }
        plain => return Err(format!("a plain reader finds {plain:?}, the store {:?}", found.first())),
    }
    check_next_commit(&backend, dir, &found).await?;
    check_moved_aside(dir, recovery)?;
    if matches!(recovery, Recovery::Revert | Recovery::GiveUp) && !is_preserved(dir, EXTERNAL)? {
        return Err("the file of another program is lost".into());
    }
    Ok(Some(found))
}

/// Checks that the corrupt generation was moved aside and not removed, also if the writer that commits over it was killed.
fn check_moved_aside(dir: &Path, recovery: Recovery) -> Check<()> {
    let Recovery::Heal(seq) = recovery else { return Ok(()) };
    let names = list(&dir.join("snapshots"))?;
    let is_aside = |name: &&String| name.starts_with(&format!("{seq:020}-")) && is_aside_generation(name);
    let Some(name) = names.iter().find(is_aside) else {
        return Err(format!("the corrupt generation isn't moved aside: {names:?}"));
    };
    // Its content isn't compared: see `is_never_read`.
    match fs::read_to_string(dir.join("snapshots").join(name).join(JSON_NAME)) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("the corrupt generation lost its JSON: {error}")),
    }
}

async fn check_next_commit(backend: &FsBackend, dir: &Path, before: &Snapshots) -> Check<()> {
    let retain = NonZeroUsize::MIN.saturating_add(1);
    let next = Pair::new(before.first().map_or(0, |pair| pair.seq) + 100);
    commit(backend, &next, retain).await.map_err(context("next commit"))?;
    let found = find(backend).await.map_err(context("read after the next commit"))?;
    if found != committed_over(before, &next, retain) {
        return Err(format!("committed {next:?} over {before:?}, and found {found:?}"));
    }
    if read_plainly(dir)?.as_ref() != Some(&next) {
        return Err(format!("committed {next:?}, and a plain reader doesn't find it"));
    }
    let names = backend.history().await.map_err(context("history"))?;
    check_no_garbage(dir, names.iter().map(|generation| generation.name()))
}

pub(super) async fn commit(backend: &FsBackend, pair: &Pair, retain: NonZeroUsize) -> Result<Committed, MiniSnapError> {
    let mut staged = backend.stage(pair.seq).await?;
    let written = staged.write_all(pair.json.as_bytes());
    written.map_err(|error| MiniSnapError::from_write(error, || unreachable!("the error has its context")))?;
    staged.commit(CommitOptions::new(retain)).await
}

/// The retained pairs. Checks that `current` and `history` agree.
pub(super) async fn find(backend: &FsBackend) -> Result<Snapshots, MiniSnapError> {
    let history = match backend.history().await {
        Err(MiniSnapError::NotFound { .. }) => Vec::new(),
        history => history?,
    };
    let current = match backend.current().await {
        Err(MiniSnapError::NotFound { .. }) => None,
        current => current?,
    };
    assert_eq!(current.as_ref(), history.first(), "the current generation is the newest of the history");
    let mut found = Vec::new();
    for generation in &history {
        let json = String::from_utf8_lossy(&backend.read(generation).await?).into_owned();
        found.push(Pair { json, seq: generation.seq() });
    }
    Ok(found)
}

/// The two public files, as a plain reader such as `cat` reads them.
pub(super) fn read_plainly(dir: &Path) -> Check<Option<Pair>> {
    match [JSON_NAME, SEQ_NAME].map(|name| fs::read(dir.join(name)).ok()) {
        [None, None] => Ok(None),
        [Some(json), Some(seq)] => {
            let seq = parse_seq(&seq).map_err(|found| format!("a plain reader finds {found} as seq"))?;
            Ok(Some(Pair { json: String::from_utf8_lossy(&json).into_owned(), seq }))
        }
        [json, _] => Err(format!("a plain reader finds half a pair, json: {}", json.is_some())),
    }
}

fn is_preserved(dir: &Path, text: &str) -> Check<bool> {
    Ok(list(dir)?.iter().any(|name| fs::read(dir.join(name)).is_ok_and(|bytes| bytes == text.as_bytes())))
}

fn is_generation(current: &Path) -> bool {
    fs::read_link(current).is_ok_and(|target| target.to_str().and_then(GenerationName::parse).is_some())
}

/// Checks that all folders are retained generations, and that there are no other entries except files that were moved aside.
fn check_no_garbage<'a>(dir: &Path, retained: impl Iterator<Item = &'a str>) -> Check<()> {
    let mut names = list(dir)?;
    names.retain(|name| !name.contains(".aside-"));
    expect_names(names, [JSON_NAME, SEQ_NAME, "snapshots"].into_iter())?;
    let retained: Vec<_> = retained.collect();
    let mut names = list(&dir.join("snapshots"))?;
    names.retain(|name| !is_aside_generation(name) && name != LAST_COMMIT);
    names.insert(FORMAT.into()); // A store without a format has the first.
    expect_names(names, [LOCK, CURRENT, FORMAT].iter().chain(&retained).copied())?;
    for name in retained {
        let mut names = list(&dir.join("snapshots").join(name))?;
        names.insert(PARENT.into()); // The first has none.
        expect_names(names, GENERATION_ENTRIES.into_iter())?;
    }
    Ok(())
}

fn expect_names<'a>(found: BTreeSet<String>, expected: impl Iterator<Item = &'a str>) -> Check<()> {
    let expected: BTreeSet<_> = expected.map(str::to_owned).collect();
    if found == expected { Ok(()) } else { Err(format!("garbage, or a gap: {found:?} instead of {expected:?}")) }
}

fn list(folder: &Path) -> Check<BTreeSet<String>> {
    let entries = fs::read_dir(folder).map_err(|error| format!("list {}: {error}", folder.display()))?;
    Ok(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}
