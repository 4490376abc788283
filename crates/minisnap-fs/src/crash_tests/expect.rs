//! What may be found after a power loss, and the check that it is.

use crate::{
    FsBackend,
    layout::{CURRENT, FORMAT, GENERATION_ENTRIES, GenerationName, LAST_COMMIT, LOCK, PARENT, is_moved_aside},
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
    /// A pair that can't be taken for another's json or seq.
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

/// Retained snapshots, newest first; none if nothing was published.
pub(super) type Snapshots = Vec<Pair>;

/// What is retained once `pair` is published over `before`.
pub(super) fn published_over(before: &Snapshots, pair: &Pair, retain: NonZeroUsize) -> Snapshots {
    let older = Committed::retained_after(retain, before.len()) - 1;
    std::iter::once(pair).chain(before.iter().take(older)).cloned().collect()
}

/// What may be found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Expect {
    /// One of these histories: what was acknowledged last, and what was being published since.
    pub(super) one_of: Vec<Snapshots>,
    /// What may be found instead, and the way out of it.
    pub(super) or_else: OrElse,
}

/// What another program did may stand in the way of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum OrElse {
    Nothing,
    /// An edit that isn't resealed yet.
    Reseal,
    /// Files of another program's that aren't set aside yet, or only one of them. They are kept, with the text
    /// [`FOREIGN`].
    SetAside,
    /// A plain pair that its writer didn't sync: as long as it isn't adopted, whatever is left of it.
    TornPlainPair,
    /// The current generation is corrupt, with this seq: a commit over it loses nothing that is intact, and keeps its
    /// JSON, [`CORRUPT`].
    Heal(u64),
    /// Links became files with their text: until they are put back.
    PutLinksBack,
    /// The commit record is lost, and with it what was committed last: until the store goes back to what is certainly
    /// committed.
    Reset,
    /// The commit record is lost: until the store is given up, which keeps what another program wrote, [`FOREIGN`].
    GiveUp,
}

pub(super) const CORRUPT: &str = "[";

pub(super) const FOREIGN: &str = "{\"foreign\": true}";

type Check<T> = Result<T, String>;

fn told(what: &str) -> impl Fn(MiniSnapError) -> String {
    move |error| format!("{what}: {error}")
}

impl Expect {
    /// Checks what [`look`] found.
    pub(super) fn check(&self, found: Option<&Snapshots>) -> Check<()> {
        match found {
            Some(found) if !self.one_of.contains(found) => {
                Err(format!("found {found:?}, and not one of {:?}", self.one_of))
            }
            _ => Ok(()),
        }
    }
}

/// Looks at a store as a power loss may have left it, and checks what has to hold whatever is found: our reader, the
/// history and a plain reader agree; the next publish works, is read back, and leaves no debris. `None` if there is nothing
/// to be found in it.
pub(super) async fn look(dir: &Path, or_else: OrElse) -> Check<Option<Snapshots>> {
    let backend = FsBackend::new(dir);
    if or_else == OrElse::TornPlainPair && !is_generation(&dir.join("snapshots/current")) {
        return Ok(None);
    }
    let found = match find(&backend).await {
        Err(MiniSnapError::ExternalChange { .. } | MiniSnapError::Corrupt { .. }) if or_else == OrElse::Reseal => {
            let edit = read_plainly(dir)?;
            backend.accept_external_changes().await.map_err(told("reseal"))?;
            let found = find(&backend).await.map_err(told("read what was resealed"))?;
            if edit.as_ref() != found.first() {
                return Err(format!("resealed {:?}, and not {edit:?}", found.first()));
            }
            found
        }
        Err(MiniSnapError::ExternalChange { .. }) if or_else == OrElse::SetAside => {
            backend.revert_external_changes().await.map_err(told("set aside"))?;
            find(&backend).await.map_err(told("read after setting aside"))?
        }
        Err(MiniSnapError::Corrupt { .. }) if matches!(or_else, OrElse::Heal(_)) => {
            let next = Pair::new(100);
            let committed = commit(&backend, &next, NonZeroUsize::MIN.saturating_add(9)).await;
            committed.map_err(told("commit over corruption"))?;
            let found = find(&backend).await.map_err(told("read what was committed over corruption"))?;
            if !found.contains(&Pair::new(1)) || !found.contains(&Pair::new(2)) {
                return Err(format!("an intact generation is lost: {found:?}"));
            }
            check_moved_aside(dir, or_else)?;
            return Ok(None);
        }
        Err(MiniSnapError::Corrupt { .. }) if or_else == OrElse::PutLinksBack => {
            backend.revert_external_changes().await.map_err(told("put the links back"))?;
            find(&backend).await.map_err(told("read after the links were put back"))?
        }
        Err(MiniSnapError::Corrupt { intact, .. }) if or_else == OrElse::Reset => {
            let newest = intact.first().ok_or("nothing to go back to")?;
            backend.reset_to(newest).await.map_err(told("go back"))?;
            find(&backend).await.map_err(told("read after going back"))?
        }
        Err(MiniSnapError::Corrupt { .. }) if or_else == OrElse::GiveUp => {
            backend.give_up_lost_store().await.map_err(told("give up"))?;
            find(&backend).await.map_err(told("read after giving up"))?
        }
        found => found.map_err(told("read"))?,
    };
    match read_plainly(dir) {
        Ok(plain) if plain.as_ref() == found.first() => {}
        // One of them is out of the way, the other isn't.
        Ok(None) | Err(_) if or_else == OrElse::SetAside => {}
        // They are put back after the commit record.
        _ if or_else == OrElse::PutLinksBack => {
            backend.revert_external_changes().await.map_err(told("put the links back"))?;
        }
        plain => return Err(format!("a plain reader finds {plain:?}, ours {:?}", found.first())),
    }
    check_next_publish(&backend, dir, &found).await?;
    check_moved_aside(dir, or_else)?;
    if matches!(or_else, OrElse::SetAside | OrElse::GiveUp) && !is_kept(dir, FOREIGN)? {
        return Err("what another program wrote is lost".into());
    }
    Ok(Some(found))
}

/// What is corrupt isn't removed, whoever committed over it and however far that came.
fn check_moved_aside(dir: &Path, or_else: OrElse) -> Check<()> {
    let OrElse::Heal(seq) = or_else else { return Ok(()) };
    let names = list(&dir.join("snapshots"))?;
    let is_it = |name: &&String| name.starts_with(&format!("{seq:020}-")) && is_moved_aside(name);
    let Some(name) = names.iter().find(is_it) else { return Err(format!("what is corrupt isn't aside: {names:?}")) };
    match fs::read_to_string(dir.join("snapshots").join(name).join(JSON_NAME)).as_deref() {
        // What it says isn't told apart: see `is_never_read`.
        Ok(_) => Ok(()),
        Err(error) => Err(format!("what is corrupt lost its JSON: {error}")),
    }
}

async fn check_next_publish(backend: &FsBackend, dir: &Path, before: &Snapshots) -> Check<()> {
    let retain = NonZeroUsize::MIN.saturating_add(1);
    let next = Pair::new(before.first().map_or(0, |pair| pair.seq) + 100);
    commit(backend, &next, retain).await.map_err(told("publish onto it"))?;
    let found = find(backend).await.map_err(told("read the next one"))?;
    if found != published_over(before, &next, retain) {
        return Err(format!("published {next:?} over {before:?}, and found {found:?}"));
    }
    if read_plainly(dir)?.as_ref() != Some(&next) {
        return Err(format!("published {next:?}, and a plain reader doesn't find it"));
    }
    let names = backend.history().await.map_err(told("history"))?;
    check_no_debris(dir, names.iter().map(|generation| generation.name()))
}

pub(super) async fn commit(backend: &FsBackend, pair: &Pair, retain: NonZeroUsize) -> Result<Committed, MiniSnapError> {
    let mut staged = backend.stage(pair.seq).await?;
    let written = staged.write_all(pair.json.as_bytes());
    written.map_err(|error| MiniSnapError::from_write(error, || unreachable!("it carries its own place")))?;
    staged.commit(CommitOptions::new(retain)).await
}

/// All that is retained, by our reader. What `current` and `history` say must agree.
pub(super) async fn find(backend: &FsBackend) -> Result<Snapshots, MiniSnapError> {
    let history = match backend.history().await {
        Err(MiniSnapError::NotFound { .. }) => Vec::new(),
        history => history?,
    };
    let current = match backend.current().await {
        Err(MiniSnapError::NotFound { .. }) => None,
        current => current?,
    };
    assert_eq!(current.as_ref(), history.first(), "what is current is the newest of the history");
    let mut found = Vec::new();
    for generation in &history {
        let json = String::from_utf8_lossy(&backend.read(generation).await?).into_owned();
        found.push(Pair { json, seq: generation.seq() });
    }
    Ok(found)
}

/// The two files as `cat` shows them.
pub(super) fn read_plainly(dir: &Path) -> Check<Option<Pair>> {
    match [JSON_NAME, SEQ_NAME].map(|name| fs::read(dir.join(name)).ok()) {
        [None, None] => Ok(None),
        [Some(json), Some(seq)] => {
            let seq = parse_seq(&seq).map_err(|found| format!("a plain reader finds {found} for a seq"))?;
            Ok(Some(Pair { json: String::from_utf8_lossy(&json).into_owned(), seq }))
        }
        [json, _] => Err(format!("a plain reader finds half a pair, json: {}", json.is_some())),
    }
}

fn is_kept(dir: &Path, text: &str) -> Check<bool> {
    Ok(list(dir)?.iter().any(|name| fs::read(dir.join(name)).is_ok_and(|bytes| bytes == text.as_bytes())))
}

fn is_generation(current: &Path) -> bool {
    fs::read_link(current).is_ok_and(|target| target.to_str().and_then(GenerationName::parse).is_some())
}

/// What isn't retained is gone; what another program had here, and was moved aside, isn't.
fn check_no_debris<'a>(dir: &Path, retained: impl Iterator<Item = &'a str>) -> Check<()> {
    let mut names = list(dir)?;
    names.retain(|name| !name.contains(".aside-"));
    expect_names(names, [JSON_NAME, SEQ_NAME, "snapshots"].into_iter())?;
    let retained: Vec<_> = retained.collect();
    let mut names = list(&dir.join("snapshots"))?;
    names.retain(|name| !is_moved_aside(name) && name != LAST_COMMIT);
    names.insert(FORMAT.into()); // A store that doesn't say its format has the first.
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
    if found == expected { Ok(()) } else { Err(format!("debris, or a gap: {found:?} instead of {expected:?}")) }
}

fn list(folder: &Path) -> Check<BTreeSet<String>> {
    let entries = fs::read_dir(folder).map_err(|error| format!("list {}: {error}", folder.display()))?;
    Ok(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}
