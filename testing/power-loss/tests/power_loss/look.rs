//! The look at a store after a power loss: our reader, the history and a plain reader agree on something that may be
//! found; then the next publish works, is read back, and leaves no debris.

use crate::{
    ledger::{Entry, History, Ledger, Pair, commit},
    programs::text,
};
use minisnap_core::{
    Generation, MiniSnapError, SnapshotBackend,
    format::{JSON_NAME, SEQ_NAME, parse_seq},
};
use minisnap_fs::FsBackend;
use minisnap_power_loss::Disk;
use std::{collections::BTreeSet, fs, path::Path};

/// What is said when an older snapshot is found than the one that was acknowledged last.
pub(crate) const LOST: &str = "what was acknowledged is lost";

/// What is wrong, or nothing.
pub(crate) type Check<T> = Result<T, String>;

fn told(what: &str) -> impl Fn(MiniSnapError) -> String {
    move |error| format!("{what}: {error}")
}

/// What was found, and what has been done to the store since.
pub(crate) struct Found {
    pub(crate) history: History,
    /// In the recording of the disk that was looked at, for another power loss.
    pub(crate) ledger: Ledger,
}

/// Looks at the store in `dir`: one of `expected` must be there, with what is in `pairs`.
pub(crate) async fn look(disk: &Disk, dir: &Path, expected: &[History], before: &Ledger) -> Check<Found> {
    let backend = FsBackend::new(dir);
    let found = find(&backend).await?;
    // What the history says is durable from here on.
    let acknowledged = Some(disk.moment());
    let history = History::of(&found);
    if !expected.contains(&history) {
        let verdict = if before.entries.iter().any(|entry| entry.history == history) { LOST } else { "this never was" };
        return Err(format!("{verdict}: found {history:?}, and not one of {expected:?}"));
    }
    for generation in &found {
        let json = backend.read(generation).await.map_err(told("read"))?;
        let pair = before.pairs.get(generation.name()).ok_or("a generation that was never published")?;
        if *json != *pair.json.as_bytes() || generation.seq() != pair.seq {
            return Err(format!("{generation} is not as it was published"));
        }
    }
    let newest = history.0.first().map(|name| &before.pairs[name]);
    check_plain_reader(dir, newest)?;
    let mut ledger = Ledger { entries: Vec::new(), pairs: before.pairs.clone() };
    let others = expected.iter().filter(|other| **other != history);
    ledger.entries.extend(others.map(|other| Entry { history: other.clone(), begun: 0, acknowledged: None }));
    ledger.entries.push(Entry { history: history.clone(), begun: 0, acknowledged });
    publish_next(disk, dir, &history, &mut ledger).await?;
    Ok(Found { history, ledger })
}

/// All that is retained, by our reader. What `current` and `history` say must agree.
async fn find(backend: &FsBackend) -> Check<Vec<Generation>> {
    let current = match backend.current().await {
        Err(MiniSnapError::NotFound { .. }) => None,
        current => current.map_err(told("current"))?,
    };
    let history = match backend.history().await {
        Err(MiniSnapError::NotFound { .. }) => Vec::new(),
        history => history.map_err(told("history"))?,
    };
    if current.as_ref() != history.first() {
        return Err(format!("what is current, {current:?}, is not the newest of the history, {history:?}"));
    }
    Ok(history)
}

/// Checks that `cat` of the two names shows this pair.
fn check_plain_reader(dir: &Path, expected: Option<&Pair>) -> Check<()> {
    let found = [JSON_NAME, SEQ_NAME].map(|name| fs::read(dir.join(name)).ok());
    match (found, expected) {
        ([None, None], None) => Ok(()),
        ([Some(json), Some(seq)], Some(pair))
            if json == pair.json.as_bytes() && parse_seq(&seq).is_ok_and(|seq| seq == pair.seq) =>
        {
            Ok(())
        }
        ([json, seq], pair) => Err(format!(
            "a plain reader finds {:?} bytes of JSON and the seq {:?}, our reader the seq {:?}",
            json.map(|json| json.len()),
            seq.map(|seq| String::from_utf8_lossy(&seq).into_owned()),
            pair.map(|pair| pair.seq)
        )),
    }
}

/// Publishes onto what was found, and looks again.
async fn publish_next(disk: &Disk, dir: &Path, found: &History, ledger: &mut Ledger) -> Check<()> {
    let backend = FsBackend::new(dir);
    let seq = found.0.first().map_or(0, |name| ledger.pairs[name].seq) + 10_000;
    let pair = Pair { seq, json: text(seq, 2000).into() };
    let begun = disk.moment();
    let published = commit(&backend, seq, &pair.json, 2).await.map_err(told("publish onto it"))?;
    let acknowledged = Some(disk.moment());
    let name = published.generation().name();
    let expected = History(std::iter::once(name.into()).chain(found.0.first().cloned()).collect());
    let retained = find(&backend).await?;
    if History::of(published.retained()) != expected || History::of(&retained) != expected {
        return Err(format!("published {name} onto {found:?}, and found {retained:?}"));
    }
    let json = backend.read(published.generation()).await.map_err(told("read what was published onto it"))?;
    if *json != *pair.json.as_bytes() {
        return Err("what was published onto it is not what is read".into());
    }
    check_plain_reader(dir, Some(&pair))?;
    ledger.pairs.insert(name.into(), pair);
    ledger.entries.push(Entry { history: expected.clone(), begun, acknowledged });
    check_no_debris(dir, &expected)
}

/// Only what belongs there is there.
fn check_no_debris(dir: &Path, retained: &History) -> Check<()> {
    let retained = retained.0.iter().map(String::as_str);
    check_names(dir, [JSON_NAME, SEQ_NAME, "snapshots"].into_iter())?;
    check_names(&dir.join("snapshots"), [".lock", "current", "format", "last-commit"].into_iter().chain(retained))
}

fn check_names<'a>(folder: &Path, expected: impl Iterator<Item = &'a str>) -> Check<()> {
    let entries = fs::read_dir(folder).map_err(|error| format!("list {}: {error}", folder.display()))?;
    let found: BTreeSet<_> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let expected: BTreeSet<_> = expected.map(str::to_owned).collect();
    if found == expected { Ok(()) } else { Err(format!("debris, or a gap: {found:?} instead of {expected:?}")) }
}
