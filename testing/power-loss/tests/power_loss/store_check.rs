//! The checks of a store after a power loss. The library's reader, the history and a plain reader must agree on a snapshot
//! that may be found. Then the next commit must succeed, be readable, and leave no garbage.

use crate::{
    ledger::{Entry, History, Ledger, Pair, commit},
    workloads::text,
};
use minisnap_core::{
    Generation, MiniSnapError, SnapshotBackend,
    format::{JSON_NAME, SEQ_NAME, parse_seq},
};
use minisnap_fs::FsBackend;
use minisnap_power_loss::Disk;
use std::{collections::BTreeSet, fs, path::Path};

/// The violation when an acknowledged snapshot is lost, and an older one is found.
pub(crate) const LOST: &str = "an acknowledged snapshot is lost";

/// `Err` describes the violation.
pub(crate) type Check<T> = Result<T, String>;

fn with_step(step: &str) -> impl Fn(MiniSnapError) -> String {
    move |error| format!("{step}: {error}")
}

/// The history that was found, and the ledger of the check's own commit.
pub(crate) struct Found {
    pub(crate) history: History,
    /// The moments in it are those of the checked disk's recording, for a second power loss.
    pub(crate) ledger: Ledger,
}

/// Checks the store in `dir`: its history must be one of `expected`, with the content that the ledger has.
pub(crate) async fn check_store(disk: &Disk, dir: &Path, expected: &[History], before: &Ledger) -> Check<Found> {
    let backend = FsBackend::new(dir);
    let found = find(&backend).await?;
    // From here on, the returned history is durable.
    let acknowledged = Some(disk.moment());
    let history = History::of(&found);
    if !expected.contains(&history) {
        let verdict = if before.entries.iter().any(|entry| entry.history == history) {
            LOST
        } else {
            "this history never existed"
        };
        return Err(format!("{verdict}: found {history:?}, which is not one of {expected:?}"));
    }
    for generation in &found {
        let json = backend.read(generation).await.map_err(with_step("read"))?;
        let pair = before.pairs.get(generation.name()).ok_or("a generation that was never committed")?;
        if *json != *pair.json.as_bytes() || generation.seq() != pair.seq {
            return Err(format!("{generation} differs from the committed pair"));
        }
    }
    let newest = history.0.first().map(|name| &before.pairs[name]);
    check_plain_reader(dir, newest)?;
    let mut ledger = Ledger { entries: Vec::new(), pairs: before.pairs.clone() };
    let others = expected.iter().filter(|other| **other != history);
    ledger.entries.extend(others.map(|other| Entry { history: other.clone(), begun: 0, acknowledged: None }));
    ledger.entries.push(Entry { history: history.clone(), begun: 0, acknowledged });
    commit_next(disk, dir, &history, &mut ledger).await?;
    Ok(Found { history, ledger })
}

/// Returns the retained generations. `current` and `history` must agree.
async fn find(backend: &FsBackend) -> Check<Vec<Generation>> {
    let current = match backend.current().await {
        Err(MiniSnapError::NotFound { .. }) => None,
        current => current.map_err(with_step("current"))?,
    };
    let history = match backend.history().await {
        Err(MiniSnapError::NotFound { .. }) => Vec::new(),
        history => history.map_err(with_step("history"))?,
    };
    if current.as_ref() != history.first() {
        return Err(format!("current returned {current:?}, and history {history:?}"));
    }
    Ok(history)
}

/// Checks that the two public files hold this pair.
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
            "a plain reader finds {:?} bytes of JSON and the seq {:?}, the library finds the seq {:?}",
            json.map(|json| json.len()),
            seq.map(|seq| String::from_utf8_lossy(&seq).into_owned()),
            pair.map(|pair| pair.seq)
        )),
    }
}

/// Commits over the history that was found, and checks the result.
async fn commit_next(disk: &Disk, dir: &Path, found: &History, ledger: &mut Ledger) -> Check<()> {
    let backend = FsBackend::new(dir);
    let seq = found.0.first().map_or(0, |name| ledger.pairs[name].seq) + 10_000;
    let pair = Pair { seq, json: text(seq, 2000).into() };
    let begun = disk.moment();
    let committed = commit(&backend, seq, &pair.json, 2).await.map_err(with_step("the next commit"))?;
    let acknowledged = Some(disk.moment());
    let name = committed.generation().name();
    let expected = History(std::iter::once(name.into()).chain(found.0.first().cloned()).collect());
    let retained = find(&backend).await?;
    if History::of(committed.retained()) != expected || History::of(&retained) != expected {
        return Err(format!("committed {name} over {found:?}, and found {retained:?}"));
    }
    let json = backend.read(committed.generation()).await.map_err(with_step("read the next commit"))?;
    if *json != *pair.json.as_bytes() {
        return Err("the next commit is read with other bytes".into());
    }
    check_plain_reader(dir, Some(&pair))?;
    ledger.pairs.insert(name.into(), pair);
    ledger.entries.push(Entry { history: expected.clone(), begun, acknowledged });
    check_no_orphans(dir, &expected)
}

/// Checks that the folder holds only the store's own files.
fn check_no_orphans(dir: &Path, retained: &History) -> Check<()> {
    let retained = retained.0.iter().map(String::as_str);
    check_names(dir, [JSON_NAME, SEQ_NAME, "snapshots"].into_iter())?;
    check_names(&dir.join("snapshots"), [".lock", "current", "format", "last-commit"].into_iter().chain(retained))
}

fn check_names<'a>(folder: &Path, expected: impl Iterator<Item = &'a str>) -> Check<()> {
    let entries = fs::read_dir(folder).map_err(|error| format!("list {}: {error}", folder.display()))?;
    let found: BTreeSet<_> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let expected: BTreeSet<_> = expected.map(str::to_owned).collect();
    if found == expected { Ok(()) } else { Err(format!("unexpected files: {found:?} instead of {expected:?}")) }
}
