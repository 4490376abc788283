//! The commit record's text: what is current, what is retained, and who published lately.
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
//! Then a line for each generation published lately, newest first: name, bytes of its JSON, their XXH3-64, when it was
//! published (Unix milliseconds, by its publisher's clock), and what became of the retired ones: `dropped` if their files
//! may still be there, `deleted` if they aren't. The newest is retained. Between retained ones there may be a corrupt one that
//! was moved aside, and is dropped.
//!
//! Each replacement of the record raises `published` or `sweeps` by one, or both: no two records in the life of a store are
//! the same bytes, whose digest an S3 etag is. A store that was given up begins again with `sweeps` drawn at random.

use crate::layout;
use minisnap_core::Generation;
use std::{
    collections::HashSet,
    fmt::Write,
    num::NonZeroUsize,
    time::{Duration, SystemTime},
};

/// How many generations the record names at least, if that many were published: for that many publishes of others, a
/// publisher that got no answer can look up whether it succeeded.
const NAMED: usize = 256;

const TITLE: &str = "minisnap-record";
pub(crate) const VERSION: u64 = 1;

/// What the commit record says. The default is a store in which nothing was published.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// How many generations were ever published.
    pub(crate) published: u64,
    /// How often somebody announced that files of nobody known will be deleted.
    pub(crate) sweeps: u64,
    /// Newest first, the retained ones at the head.
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    generation: Generation,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Retained,
    /// Expired; its files may still be there.
    Dropped,
    /// Expired; its files are gone.
    Deleted,
}

/// Why a text is no record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// It says it is of this version, which a later minisnap wrote.
    Newer(u64),
    /// It is damaged: what was found.
    Damaged(String),
}

impl Record {
    /// The retained generations, newest first.
    pub(crate) fn retained(&self) -> impl Iterator<Item = &Generation> {
        self.of_fate(Fate::Retained)
    }

    /// The retired generations whose files may still be there.
    pub(crate) fn dropped(&self) -> impl Iterator<Item = &Generation> {
        self.of_fate(Fate::Dropped)
    }

    /// The current generation.
    pub(crate) fn current(&self) -> Option<&Generation> {
        self.retained().next()
    }

    /// The retained generation of that name, with all that is known of it.
    pub(crate) fn find_retained(&self, generation: &Generation) -> Option<&Generation> {
        self.retained().find(|retained| *retained == generation)
    }

    /// Whether a generation of that name was published lately, retained or not.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry.generation.name() == name)
    }

    /// Whether somebody else's publish may have been pushed out of the record since it was `before`.
    pub(crate) fn forgot_some_since(&self, before: &Record) -> bool {
        match self.published.checked_sub(before.published) {
            Some(since) => since > self.entries.len() as u64,
            // It went backwards: somebody put an old one in its place, or removed it.
            None => true,
        }
    }

    /// Whether files written when the record was `before` may have been swept away since.
    pub(crate) fn may_have_swept_since(&self, before: &Record) -> bool {
        self.sweeps != before.sweeps || self.published < before.published
    }

    /// Whether nobody knows the generation of that name: it is not published, and none of the lately retired.
    pub(crate) fn is_unknown(&self, name: &str) -> bool {
        let known = |entry: &&Entry| entry.generation.name() == name;
        self.entries.iter().find(known).is_none_or(|entry| entry.fate == Fate::Deleted)
    }

    /// The record after a commit of `generation` that retains `retain` of it and those retained before, but for the corrupt
    /// ones that were moved `aside`, when the files of `deleted` are gone.
    ///
    /// So `min(retain, retained before + 1)` are retained: what expired stays expired.
    pub(crate) fn commit(
        &self,
        generation: &Generation,
        retain: NonZeroUsize,
        aside: &HashSet<String>,
        deleted: &HashSet<String>,
    ) -> Self {
        let mut older = retain.get() - 1;
        let mut entries = vec![Entry { generation: generation.clone(), fate: Fate::Retained }];
        entries.extend(self.entries.iter().cloned().map(|mut entry| {
            let name = entry.generation.name();
            entry.fate = match entry.fate {
                Fate::Retained if older > 0 && !aside.contains(name) => Fate::Retained,
                Fate::Dropped if deleted.contains(name) => Fate::Deleted,
                Fate::Retained => Fate::Dropped,
                other => other,
            };
            older -= usize::from(entry.fate == Fate::Retained);
            entry
        }));
        let to_the_last_retained =
            entries.iter().rposition(|entry| entry.fate == Fate::Retained).map_or(0, |last| last + 1);
        entries.truncate(named().max(to_the_last_retained));
        Self { published: self.published.saturating_add(1), sweeps: self.sweeps, entries }
    }

    /// The retained generations beyond the newest `retain` intact ones, newest first. `corrupt` ones aren't counted: those
    /// between intact ones stay retained, and so does the current one.
    pub(crate) fn beyond(&self, retain: NonZeroUsize, corrupt: &HashSet<String>) -> Vec<Generation> {
        if self.retained().count() <= retain.get() {
            return Vec::new();
        }
        let intact = self.retained().enumerate().filter(|(_, generation)| !corrupt.contains(generation.name()));
        let reach = intact.take(retain.get()).last().map_or(1, |(index, _)| index + 1);
        self.retained().skip(reach).cloned().collect()
    }

    /// The record that doesn't retain `expired` any more. Like a collection it raises the counter: so it has other bytes than
    /// any before it.
    pub(crate) fn expire(&self, expired: &[Generation]) -> Self {
        let mut record = self.collect_garbage();
        let retained = record.entries.iter_mut().filter(|entry| entry.fate == Fate::Retained);
        retained.filter(|entry| expired.contains(&entry.generation)).for_each(|entry| entry.fate = Fate::Dropped);
        record
    }

    /// The record of a store that begins anew after it was given up. `sweeps` is drawn: it must be another one than any writer of
    /// before knows.
    pub(crate) fn anew(sweeps: u64) -> Self {
        Self { sweeps, ..Self::default() }
    }

    /// The record with the announcement that files of nobody known will be deleted.
    pub(crate) fn collect_garbage(&self) -> Self {
        Self { sweeps: self.sweeps.saturating_add(1), ..self.clone() }
    }

    /// The record's text.
    pub(crate) fn to_text(&self) -> String {
        let mut text = format!(
            "{TITLE} {VERSION}\npublished {}\nsweeps {}\nretained {}\n",
            self.published,
            self.sweeps,
            self.retained().count()
        );
        for Entry { generation, fate } in &self.entries {
            let size = generation.size().unwrap_or_default();
            let digest = generation.digest().map_or_else(String::new, |digest| digest.to_string());
            let fate = match fate {
                Fate::Retained => "",
                Fate::Dropped => " dropped",
                Fate::Deleted => " deleted",
            };
            // Writing to a String can't fail.
            let _ = writeln!(text, "{} {size} {digest} {}{fate}", generation.name(), milliseconds(generation));
        }
        text
    }

    /// Reads what [`to_text`](Self::to_text) writes, and nothing else.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Unreadable> {
        let damaged = |found: &str| Unreadable::Damaged(found.to_owned());
        let text = std::str::from_utf8(text).map_err(|_| damaged("it is no text"))?;
        let version = match text.split('\n').next().and_then(|line| line.strip_prefix(TITLE)?.strip_prefix(' ')) {
            Some(version) => parse_decimal(version).ok_or_else(|| damaged("its version is no number"))?,
            None => return Err(damaged("it doesn't begin with `minisnap-record`")),
        };
        match version {
            VERSION => {}
            newer if newer > VERSION => return Err(Unreadable::Newer(newer)),
            _ => return Err(damaged("its version is none that there was")),
        }
        let body = text.strip_suffix('\n').ok_or_else(|| damaged("its end is missing"))?;
        let mut lines = body.split('\n').skip(1);
        let mut number = |name: &str| {
            let value = lines.next().and_then(|line| line.strip_prefix(name)?.strip_prefix(' '));
            value.and_then(parse_decimal).ok_or_else(|| Unreadable::Damaged(format!("it has no number `{name}`")))
        };
        let (published, sweeps, retained) = (number("published")?, number("sweeps")?, number("retained")?);
        let entries: Vec<Entry> = lines
            .map(|line| {
                let quoted = || line.chars().take(100).collect::<String>();
                let unreadable = || Unreadable::Damaged(format!("it has the line {:?}", quoted()));
                parse_entry(line).ok_or_else(unreadable)
            })
            .collect::<Result<_, _>>()?;

        let record = Self { published, sweeps, entries };
        let newest_is_retained = record.entries.first().is_none_or(|entry| entry.fate == Fate::Retained);
        let names: HashSet<_> = record.entries.iter().map(|entry| &entry.generation).collect();
        match () {
            () if record.retained().count() as u64 != retained => {
                Err(damaged("it doesn't retain as many generations as it says"))
            }
            () if !newest_is_retained => Err(damaged("it doesn't retain the newest of those it names")),
            () if published == u64::MAX || sweeps == u64::MAX => Err(damaged("it counts to the end of all numbers")),
            () if published < record.entries.len() as u64 => Err(damaged("it names more than were published")),
            () if names.len() != record.entries.len() => Err(damaged("it names a generation twice")),
            () => Ok(record),
        }
    }

    fn of_fate(&self, fate: Fate) -> impl Iterator<Item = &Generation> {
        self.entries.iter().filter(move |entry| entry.fate == fate).map(|entry| &entry.generation)
    }
}

fn parse_entry(line: &str) -> Option<Entry> {
    let mut fields = line.split(' ');
    let generation = layout::parse_name(fields.next()?)?
        .with_size(parse_decimal(fields.next()?)?)
        .with_digest(fields.next()?.parse().ok()?);
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(parse_decimal(fields.next()?)?))?;
    let fate = match fields.next() {
        None => Fate::Retained,
        Some("dropped") => Fate::Dropped,
        Some("deleted") => Fate::Deleted,
        Some(_) => return None,
    };
    fields.next().is_none().then(|| Entry { generation: generation.with_time(time), fate })
}

fn named() -> usize {
    #[cfg(test)]
    if let Some(lowered) = lowered::NAMED.get() {
        return lowered;
    }
    NAMED
}

/// Where a simulation makes the record name fewer, so that it comes to more being published than are named.
#[cfg(test)]
pub(crate) mod lowered {
    use std::cell::Cell;

    thread_local! {
        pub(crate) static NAMED: Cell<Option<usize>> = const { Cell::new(None) };
    }
}

/// A number as it is written: `parse` alone would take a plus sign, and zeros before it.
fn parse_decimal(text: &str) -> Option<u64> {
    let is_as_written = text == "0" || !text.starts_with('0');
    (is_as_written && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

fn milliseconds(generation: &Generation) -> u64 {
    let since = generation.time().and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
