//! Every change of the store, checked at the moment it is made.

use super::{
    violation::{Kind, Violation},
    world::{World, short},
};
use crate::{layout::Found, record::Record};
use bytes::Bytes;
use minisnap_core::{Digest, Generation};
use object_store::path::Path;
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// The records that there were, with the event that brought them.
    pub(super) records: Vec<(u64, Record)>,
    /// What was published, in order: name and attempt.
    pub(super) published: Vec<(String, usize)>,
    /// By name, its place in `published`.
    pub(super) places: HashMap<String, usize>,
    /// Generations of which a file was deleted.
    deleted: HashSet<String>,
    /// The etags that records had, if they were digests.
    tags: HashSet<String>,
    /// When objects were written.
    written: HashMap<Path, Duration>,
}

impl Ledger {
    /// The record as it is now.
    pub(super) fn record(&self) -> Record {
        self.records.last().map(|(_, record)| record.clone()).unwrap_or_default()
    }

    /// The records that there were between two events.
    pub(super) fn between(&self, from: u64, to: u64) -> impl Iterator<Item = Record> {
        let first = self.records.partition_point(|(at, _)| *at <= from);
        let before = match first {
            0 => Record::default(),
            _ => self.records[first - 1].1.clone(),
        };
        let since = self.records[first..].iter().take_while(move |(at, _)| *at <= to).map(|(_, record)| record.clone());
        std::iter::once(before).chain(since)
    }

    /// How old an object is; zero if it isn't known.
    pub(super) fn age(&self, path: &Path, now: Duration) -> Duration {
        self.written.get(path).map_or(Duration::ZERO, |written| now.saturating_sub(*written))
    }
}

impl World {
    /// An object was written.
    pub(super) fn written(&self, path: &Path, bytes: &Bytes) {
        let now = self.elapsed();
        let _ = self.book().ledger.written.insert(path.clone(), now);
        match self.layout.identify(path) {
            _ if *path == self.layout.current() => self.replaced(bytes),
            Some(Found::Of(name)) => self.find_retained(&name).iter().for_each(|retained| self.check_whole(retained)),
            _ => {}
        }
    }

    /// An object was deleted.
    pub(super) fn deleted(&self, path: &Path) {
        match self.layout.identify(path) {
            Some(Found::Of(name)) => {
                if self.find_retained(&name).is_some() {
                    let found = format!("a file of {}, which is retained, was deleted", short(&name));
                    self.violation(Kind::RetainedFileDeleted, found);
                }
                self.book().ledger.deleted.insert(name);
            }
            Some(Found::Probe) => {}
            None => {
                let found = format!("{path} was deleted, which isn't ours or is the record");
                self.violation(Kind::ForeignFileDeleted, found);
            }
        }
    }

    fn find_retained(&self, name: &str) -> Option<Generation> {
        let record = self.book().ledger.records.last().map(|(_, record)| record.clone())?;
        record.retained().find(|retained| retained.name() == name).cloned()
    }

    /// The record was replaced.
    fn replaced(&self, text: &[u8]) {
        let after = match Record::parse(text) {
            Ok(after) => after,
            Err(unreadable) => {
                return self.violation(Kind::RecordUnreadable, format!("the record can't be read: {unreadable:?}"));
            }
        };
        let before = self.book().ledger.record();
        let names_another = after.current() != before.current();
        if names_another && let Err(Violation { kind, found }) = self.check_named(&after) {
            self.violation(kind, found);
        }
        let follows = match names_another {
            true => self.check_publish(&before, &after),
            false => self.check_announcement(&before, &after),
        };
        if let Err(found) = follows {
            self.violation(Kind::WrongSuccessor, found);
        }
        let mut book = self.book();
        let event = book.event();
        book.ledger.records.push((event, after.clone()));
        let lost = book.is_lost();
        let tag = digest_without_times(text).to_string();
        let again = !book.ledger.tags.insert(tag);
        drop(book);
        if lost {
            self.violation(Kind::WrittenWhileLost, "a record was written while it was lost");
        }
        if again {
            self.violation(Kind::RecordRepeated, "a record has the bytes of an earlier one");
        }
        after.retained().for_each(|retained| self.check_whole(retained));
    }

    fn check_whole(&self, retained: &Generation) {
        if let Err(found) = self.check_files(retained) {
            self.violation(Kind::NotWhole, found);
        }
    }

    /// What can be said of what a record names first, and the one before didn't.
    fn check_named(&self, after: &Record) -> Result<(), Violation> {
        let Some(new) = after.current() else {
            return Err(Violation::new(Kind::WrongSuccessor, "a record that retains nothing was written"));
        };
        let name = new.name().to_owned();
        let json = self.object(&self.layout.json(&name));
        let show = short(&name);
        let json =
            json.ok_or_else(|| Violation::new(Kind::NotWhole, format!("{show} was published without its JSON")))?;
        let number = self.attempt_of(&json);
        let number = number.ok_or_else(|| Violation::new(Kind::Mixed, format!("{show} is nobody's JSON")))?;

        let mut book = self.book();
        let attempt = book.attempts[number].clone();
        let place = book.ledger.published.len();
        book.ledger.published.push((name.clone(), number));
        let known = book.ledger.places.insert(name.clone(), place);
        let again = book.ledger.published[..place].iter().any(|(_, other)| *other == number);
        let deleted = book.ledger.deleted.contains(&name);
        drop(book);
        let (kind, found) = match () {
            () if known.is_some() => (Kind::CommittedTwice, format!("the name {show} was published twice")),
            () if again => {
                (Kind::CommittedTwice, format!("what {} wrote was published twice, now as {show}", attempt.who))
            }
            () if deleted => {
                (Kind::CommittedAfterDelete, format!("{show} was published after a file of it was deleted"))
            }
            () if attempt.seq != new.seq() => (Kind::Mixed, format!("{show} has the JSON of seq {}", attempt.seq)),
            () => return Ok(()),
        };
        Err(Violation::new(kind, found))
    }

    /// That a record follows on the one before, by the rules for a publish.
    fn check_publish(&self, before: &Record, after: &Record) -> Result<(), String> {
        let Some(new) = after.current() else { return Ok(()) };
        let show = short(new.name());
        let keep = {
            let book = self.book();
            let place = book.ledger.places.get(new.name());
            place.map_or(1, |place| book.attempts[book.ledger.published[*place].1].keep)
        };
        let retained = keep.min(before.retained().count() + 1);
        match () {
            () if after.published != before.published + 1 => Err(format!("{show} replaced another record than it saw")),
            () if after.sweeps < before.sweeps || after.sweeps > before.sweeps + 1 => {
                Err(format!("the sweep counter went from {} to {}", before.sweeps, after.sweeps))
            }
            () if after.retained().count() != retained => Err(format!(
                "{} are retained where {retained} should be: min(keep {keep}, {} before + 1)",
                after.retained().count(),
                before.retained().count()
            )),
            () => self.check_names(before, after),
        }
    }

    /// That a record which names no new one announces a collection, and expires what it was asked to or nothing.
    fn check_announcement(&self, before: &Record, after: &Record) -> Result<(), String> {
        let retained = |record: &Record| record.retained().cloned().collect::<Vec<_>>();
        let (was, is) = (retained(before), retained(after));
        let asked_for = self.profile.expirer.as_ref().map(|expirer| expirer.retain);
        match () {
            // The empty record, before anything else is there. That it comes once only is seen by its digest.
            () if *before == Record::default() && after == before => Ok(()),
            () if after.sweeps != before.sweeps + 1 || after.published != before.published => {
                Err(format!("nothing was published, and the counter went from {} to {}", before.sweeps, after.sweeps))
            }
            () if names(before) != names(after) => Err("without a publish, other names are in the record".into()),
            () if was == is || asked_for.is_some_and(|retain| is.len() == retain && was.starts_with(&is)) => Ok(()),
            () => Err(format!("without a publish, {} are retained of {}", is.len(), was.len())),
        }
    }

    /// That a publish puts one name before those that were there, and forgets none too early.
    fn check_names(&self, before: &Record, after: &Record) -> Result<(), String> {
        let (before, after, retained) = (names(before), names(after), after.retained().count());
        let named = (before.len() + 1).min(self.profile.named.unwrap_or(256).max(retained));
        match after.len() < named {
            true => Err(format!("the record names {} where it could name {named}", after.len())),
            false if before.iter().zip(&after[1..]).any(|(before, after)| before != after) => {
                Err("a publish changed the order of what was published before".into())
            }
            false => Ok(()),
        }
    }
}

/// The times are the real clock's: what has to be different in any two records is the rest.
pub(super) fn digest_without_times(record: &[u8]) -> Digest {
    let timeless = |line: &str| {
        let words = line.split(' ').enumerate().filter(|(place, _)| *place != 3).map(|(_, word)| word);
        words.collect::<Vec<_>>().join(" ")
    };
    let text: Vec<_> = String::from_utf8_lossy(record).lines().map(timeless).collect();
    Digest::of(text.join("\n").as_bytes())
}

/// All that a record names, newest first.
fn names(record: &Record) -> Vec<String> {
    let name = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    record.to_text().lines().skip(4).map(name).collect()
}
