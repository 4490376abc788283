//! The commit record: the current generation, the retained ones, and those that were committed lately.
//!
//! ```text
//! minisnap-record 1
//! published 12
//! sweeps 3
//! retained 2
//! 00000000000000000010-r7kq… 48213 9f86d081884c7d65 1767225600000
//! 00000000000000000007-x2ma… 48190 2d06800538d394c2 1767225540000
//! 00000000000000000005-b5tw… 48077 51c5d1ae7a3a2a9c 1767225480000 dropped
//! 00000000000000000003-n4zd… 47950 e6c632b61e964e1f 1767225420000 deleted
//! ```
//!
//! `published` counts all commits, and `sweeps` all announced garbage collections. One line for each generation follows, newest
//! first: its name, the size and the XXH3-64 of its JSON, and the time of its commit (Unix milliseconds, by the writer's
//! clock). Expired generations end with `dropped` if their files may still be in the store, else with `deleted`. The first
//! generation is always retained. A corrupt generation that was moved aside is `dropped`, even between retained ones.
//!
//! Each replacement raises `published` or `sweeps` by one, or both. So no two records of a store have the same bytes, and no
//! two have the same etag where an etag is a digest. A store that was given up begins again with random `sweeps`.

use crate::layout;
use minisnap_core::Generation;
use std::{
    collections::HashSet,
    fmt::Write,
    num::NonZeroUsize,
    time::{Duration, SystemTime},
};

/// The record names at least this many generations, if that many were committed. A writer whose commit got no answer can
/// find its outcome in the record until that many others have committed.
const MIN_ENTRIES: usize = 256;

const TITLE: &str = "minisnap-record";
pub(crate) const VERSION: u64 = 1;

/// A parsed commit record. The default is the record of a store in which nothing was committed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// The number of all commits; `published` in the text.
    pub(crate) commits: u64,
    /// The collection counter: the number of announced garbage collections; `sweeps` in the text.
    pub(crate) collections: u64,
    /// Newest first.
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    generation: Generation,
    status: Status,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Retained,
    /// Expired; its files may still be in the store. `dropped` in the text.
    Expired,
    /// Expired; its files are deleted.
    Deleted,
}

/// Why a text isn't a record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// It has this version, which a later minisnap wrote.
    Newer(u64),
    /// It is corrupt: what was found.
    Corrupt(String),
}

impl Record {
    /// The retained generations, newest first.
    pub(crate) fn retained(&self) -> impl Iterator<Item = &Generation> {
        self.with_status(Status::Retained)
    }

    /// The expired generations whose files may still be in the store.
    pub(crate) fn expired(&self) -> impl Iterator<Item = &Generation> {
        self.with_status(Status::Expired)
    }

    /// The expired generations whose files may still be in the store, although `commits` others followed on the commit that expired
    /// them, if the retention was the same all the time.
    pub(crate) fn expired_before(&self, commits: usize) -> impl Iterator<Item = &Generation> {
        let entries = self.entries.iter().skip(self.retained().count().saturating_add(commits));
        entries.filter(|entry| entry.status == Status::Expired).map(|entry| &entry.generation)
    }

    /// The current generation.
    pub(crate) fn current(&self) -> Option<&Generation> {
        self.retained().next()
    }

    /// The retained generation with the name of `generation`, with its size, digest and time.
    pub(crate) fn find_retained(&self, generation: &Generation) -> Option<&Generation> {
        self.retained().find(|retained| *retained == generation)
    }

    /// Whether the record names that generation, retained or not.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry.generation.name() == name)
    }

    /// Whether a generation that was committed since `before` may no longer be named.
    pub(crate) fn may_omit_commits_since(&self, before: &Record) -> bool {
        match self.commits.checked_sub(before.commits) {
            Some(since) => since > self.entries.len() as u64,
            // The counter went backwards: the record was deleted, or replaced by an older one.
            None => true,
        }
    }

    /// Whether files that were written when the record was `before` may have been collected since.
    pub(crate) fn may_have_collected_since(&self, before: &Record) -> bool {
        self.collections != before.collections || self.commits < before.commits
    }

    /// Whether files of that generation are orphans: the record doesn't name it, or names it as deleted.
    pub(crate) fn is_orphan(&self, name: &str) -> bool {
        let entry = self.entries.iter().find(|entry| entry.generation.name() == name);
        entry.is_none_or(|entry| entry.status == Status::Deleted)
    }

    /// The record after a commit of `generation`.
    ///
    /// It retains the new generation and the newest ones that were retained before, `retain` in all, without those that were
    /// `moved_aside`. An expired generation never becomes retained again, so `min(retain, retained before + 1)` are retained.
    /// Expired generations among `deleted` are marked as deleted.
    pub(crate) fn commit(
        &self,
        generation: &Generation,
        retain: NonZeroUsize,
        moved_aside: &HashSet<String>,
        deleted: &HashSet<String>,
    ) -> Self {
        let mut older = retain.get() - 1;
        let mut entries = vec![Entry { generation: generation.clone(), status: Status::Retained }];
        entries.extend(self.entries.iter().cloned().map(|mut entry| {
            let name = entry.generation.name();
            entry.status = match entry.status {
                Status::Retained if older > 0 && !moved_aside.contains(name) => Status::Retained,
                Status::Expired if deleted.contains(name) => Status::Deleted,
                Status::Retained => Status::Expired,
                other => other,
            };
            older -= usize::from(entry.status == Status::Retained);
            entry
        }));
        let up_to_last_retained =
            entries.iter().rposition(|entry| entry.status == Status::Retained).map_or(0, |last| last + 1);
        entries.truncate(min_entries().max(up_to_last_retained));
        Self { commits: self.commits.saturating_add(1), collections: self.collections, entries }
    }

    /// The generations to expire so that `retain` intact ones stay retained, newest first.
    ///
    /// `corrupt` generations aren't counted: those between intact ones stay retained. The current generation stays retained,
    /// even if it is corrupt.
    pub(crate) fn beyond_retention(&self, retain: NonZeroUsize, corrupt: &HashSet<String>) -> Vec<Generation> {
        if self.retained().count() <= retain.get() {
            return Vec::new();
        }
        let intact = self.retained().enumerate().filter(|(_, generation)| !corrupt.contains(generation.name()));
        let retained = intact.take(retain.get()).last().map_or(1, |(index, _)| index + 1);
        self.retained().skip(retained).cloned().collect()
    }

    /// The record that no longer retains `expired`. It raises the collection counter, so that its bytes are new.
    pub(crate) fn expire(&self, expired: &[Generation]) -> Self {
        let mut record = self.collect_garbage();
        let retained = record.entries.iter_mut().filter(|entry| entry.status == Status::Retained);
        retained.filter(|entry| expired.contains(&entry.generation)).for_each(|entry| entry.status = Status::Expired);
        record
    }

    /// The empty record of a store that was given up. No earlier record may have had the counter `collections`.
    pub(crate) fn reset(collections: u64) -> Self {
        Self { collections, ..Self::default() }
    }

    /// The record that announces a garbage collection.
    pub(crate) fn collect_garbage(&self) -> Self {
        Self { collections: self.collections.saturating_add(1), ..self.clone() }
    }

    /// The record's text.
    pub(crate) fn to_text(&self) -> String {
        let mut text = format!(
            "{TITLE} {VERSION}\npublished {}\nsweeps {}\nretained {}\n",
            self.commits,
            self.collections,
            self.retained().count()
        );
        for Entry { generation, status } in &self.entries {
            let size = generation.size().unwrap_or_default();
            let digest = generation.digest().map_or_else(String::new, |digest| digest.to_string());
            let status = match status {
                Status::Retained => "",
                Status::Expired => " dropped",
                Status::Deleted => " deleted",
            };
            // Writing to a String can't fail.
            let _ = writeln!(text, "{} {size} {digest} {}{status}", generation.name(), milliseconds(generation));
        }
        text
    }

    /// Parses exactly the texts that [`to_text`](Self::to_text) writes.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Unreadable> {
        let corrupt = |found: &str| Unreadable::Corrupt(found.to_owned());
        let text = std::str::from_utf8(text).map_err(|_| corrupt("it isn't UTF-8"))?;
        let version = match text.split('\n').next().and_then(|line| line.strip_prefix(TITLE)?.strip_prefix(' ')) {
            Some(version) => parse_decimal(version).ok_or_else(|| corrupt("its version isn't a number"))?,
            None => return Err(corrupt("it doesn't begin with `minisnap-record`")),
        };
        match version {
            VERSION => {}
            newer if newer > VERSION => return Err(Unreadable::Newer(newer)),
            _ => return Err(corrupt("its version doesn't exist")),
        }
        let body = text.strip_suffix('\n').ok_or_else(|| corrupt("its end is missing"))?;
        let mut lines = body.split('\n').skip(1);
        let mut number = |name: &str| {
            let value = lines.next().and_then(|line| line.strip_prefix(name)?.strip_prefix(' '));
            value.and_then(parse_decimal).ok_or_else(|| Unreadable::Corrupt(format!("it has no number `{name}`")))
        };
        let (commits, collections, retained) = (number("published")?, number("sweeps")?, number("retained")?);
        let entries: Vec<Entry> = lines
            .map(|line| {
                let quoted = || line.chars().take(100).collect::<String>();
                let unreadable = || Unreadable::Corrupt(format!("it has the line {:?}", quoted()));
                parse_entry(line).ok_or_else(unreadable)
            })
            .collect::<Result<_, _>>()?;

        let record = Self { commits, collections, entries };
        let newest_is_retained = record.entries.first().is_none_or(|entry| entry.status == Status::Retained);
        let names: HashSet<_> = record.entries.iter().map(|entry| &entry.generation).collect();
        match () {
            () if record.retained().count() as u64 != retained => {
                Err(corrupt("its number `retained` isn't that of its retained generations"))
            }
            () if !newest_is_retained => Err(corrupt("it doesn't retain the newest generation")),
            () if commits == u64::MAX || collections == u64::MAX => {
                Err(corrupt("one of its counters is at its maximum"))
            }
            () if commits < record.entries.len() as u64 => {
                Err(corrupt("it names more generations than were committed"))
            }
            () if names.len() != record.entries.len() => Err(corrupt("it names a generation twice")),
            () => Ok(record),
        }
    }

    fn with_status(&self, status: Status) -> impl Iterator<Item = &Generation> {
        self.entries.iter().filter(move |entry| entry.status == status).map(|entry| &entry.generation)
    }
}

fn parse_entry(line: &str) -> Option<Entry> {
    let mut fields = line.split(' ');
    let generation = layout::parse_name(fields.next()?)?
        .with_size(parse_decimal(fields.next()?)?)
        .with_digest(fields.next()?.parse().ok()?);
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(parse_decimal(fields.next()?)?))?;
    let status = match fields.next() {
        None => Status::Retained,
        Some("dropped") => Status::Expired,
        Some("deleted") => Status::Deleted,
        Some(_) => return None,
    };
    fields.next().is_none().then(|| Entry { generation: generation.with_time(time), status })
}

fn min_entries() -> usize {
    #[cfg(test)]
    if let Some(limit) = test_limit::MIN_ENTRIES.get() {
        return limit;
    }
    MIN_ENTRIES
}

/// A lower [`MIN_ENTRIES`] for a simulation, so that a short history commits more generations than the record names.
#[cfg(test)]
pub(crate) mod test_limit {
    use std::cell::Cell;

    thread_local! {
        pub(crate) static MIN_ENTRIES: Cell<Option<usize>> = const { Cell::new(None) };
    }
}

/// Parses a number as `Display` writes it. `str::parse` alone would accept a plus sign and leading zeros.
fn parse_decimal(text: &str) -> Option<u64> {
    let is_canonical = text == "0" || !text.starts_with('0');
    (is_canonical && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

fn milliseconds(generation: &Generation) -> u64 {
    let since = generation.time().and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
