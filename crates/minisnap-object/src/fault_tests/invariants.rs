//! The invariants of the store, checked at each write and each delete.

use super::{
    simulation::{Simulation, short_name},
    violation::{Kind, Violation},
};
use crate::{layout::ObjectKind, record::Record};
use bytes::Bytes;
use minisnap_core::{Digest, Generation};
use object_store::path::Path;
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

/// The log of the store's changes.
#[derive(Debug, Default)]
pub(super) struct StoreLog {
    /// All records in order, each with the event of its write.
    pub(super) records: Vec<(u64, Record)>,
    /// All commits in order: the name, and the number of the attempt.
    pub(super) committed: Vec<(String, usize)>,
    /// The index of each name in `committed`.
    pub(super) order: HashMap<String, usize>,
    /// The names of generations of which a file was deleted.
    deleted: HashSet<String>,
    /// The digests of all records.
    record_digests: HashSet<String>,
    /// When each object was written.
    written: HashMap<Path, Duration>,
}

impl StoreLog {
    /// The current record.
    pub(super) fn record(&self) -> Record {
        self.records.last().map(|(_, record)| record.clone()).unwrap_or_default()
    }

    /// The records that were current between two events.
    pub(super) fn between(&self, from: u64, to: u64) -> impl Iterator<Item = Record> {
        let first = self.records.partition_point(|(at, _)| *at <= from);
        let before = match first {
            0 => Record::default(),
            _ => self.records[first - 1].1.clone(),
        };
        let since = self.records[first..].iter().take_while(move |(at, _)| *at <= to).map(|(_, record)| record.clone());
        std::iter::once(before).chain(since)
    }

    /// The age of an object; zero if it isn't known.
    pub(super) fn age(&self, path: &Path, now: Duration) -> Duration {
        self.written.get(path).map_or(Duration::ZERO, |written| now.saturating_sub(*written))
    }
}

impl Simulation {
    /// Logs and checks the write of an object.
    pub(super) fn check_write(&self, path: &Path, bytes: &Bytes) {
        let now = self.elapsed();
        let _ = self.state().store_log.written.insert(path.clone(), now);
        match self.layout.identify(path) {
            _ if *path == self.layout.current() => self.check_record(bytes),
            Some(ObjectKind::GenerationFile(name)) => {
                self.find_retained(&name).iter().for_each(|retained| self.check_complete(retained));
            }
            _ => {}
        }
    }

    /// Logs and checks the deletion of an object.
    pub(super) fn check_delete(&self, path: &Path) {
        match self.layout.identify(path) {
            Some(ObjectKind::GenerationFile(name)) => {
                if self.find_retained(&name).is_some() {
                    let found = format!("a file of {}, which is retained, was deleted", short_name(&name));
                    self.violation(Kind::RetainedFileDeleted, found);
                }
                self.state().store_log.deleted.insert(name);
            }
            Some(ObjectKind::Probe) => {}
            None => {
                let found = format!("{path} was deleted, which is the record or an object of another program");
                self.violation(Kind::ExternalFileDeleted, found);
            }
        }
    }

    fn find_retained(&self, name: &str) -> Option<Generation> {
        let record = self.state().store_log.records.last().map(|(_, record)| record.clone())?;
        record.retained().find(|retained| retained.name() == name).cloned()
    }

    /// Logs and checks a new record.
    fn check_record(&self, text: &[u8]) {
        let after = match Record::parse(text) {
            Ok(after) => after,
            Err(unreadable) => {
                return self.violation(Kind::RecordUnreadable, format!("the record can't be parsed: {unreadable:?}"));
            }
        };
        let before = self.state().store_log.record();
        let is_commit = after.current() != before.current();
        if is_commit && let Err(Violation { kind, found }) = self.check_committed(&after) {
            self.violation(kind, found);
        }
        let checked = match is_commit {
            true => self.check_commit_record(&before, &after),
            false => self.check_other_record(&before, &after),
        };
        if let Err(found) = checked {
            self.violation(Kind::InvalidSuccessor, found);
        }
        let mut state = self.state();
        let event = state.event();
        state.store_log.records.push((event, after.clone()));
        let lost = state.is_lost();
        let digest = digest_without_times(text).to_string();
        let duplicate = !state.store_log.record_digests.insert(digest);
        drop(state);
        if lost {
            self.violation(Kind::WrittenWhileLost, "a record was written while the record was lost");
        }
        if duplicate {
            self.violation(Kind::DuplicateRecord, "a record has the bytes of an earlier one");
        }
        after.retained().for_each(|retained| self.check_complete(retained));
    }

    fn check_complete(&self, retained: &Generation) {
        if let Err(found) = self.check_files(retained) {
            self.violation(Kind::IncompleteGeneration, found);
        }
    }

    /// Logs and checks the generation that a record commits.
    fn check_committed(&self, after: &Record) -> Result<(), Violation> {
        let Some(new) = after.current() else {
            return Err(Violation::new(Kind::InvalidSuccessor, "a record that retains nothing was written"));
        };
        let name = new.name().to_owned();
        let json = self.object(&self.layout.json(&name));
        let short = short_name(&name);
        let missing = || Violation::new(Kind::IncompleteGeneration, format!("{short} was committed without its JSON"));
        let json = json.ok_or_else(missing)?;
        let unknown = || Violation::new(Kind::MixedPair, format!("no writer wrote the JSON of {short}"));
        let number = self.attempt_of(&json).ok_or_else(unknown)?;

        let mut state = self.state();
        let attempt = state.attempts[number].clone();
        let index = state.store_log.committed.len();
        state.store_log.committed.push((name.clone(), number));
        let known = state.store_log.order.insert(name.clone(), index);
        let repeated = state.store_log.committed[..index].iter().any(|(_, other)| *other == number);
        let deleted = state.store_log.deleted.contains(&name);
        drop(state);
        let (kind, found) = match () {
            () if known.is_some() => (Kind::CommittedTwice, format!("the name {short} was committed twice")),
            () if repeated => {
                let found = format!("the stage of {} was committed twice, the second time as {short}", attempt.writer);
                (Kind::CommittedTwice, found)
            }
            () if deleted => {
                (Kind::CommittedAfterDelete, format!("{short} was committed after a file of it was deleted"))
            }
            () if attempt.seq != new.seq() => (Kind::MixedPair, format!("{short} has the JSON of seq {}", attempt.seq)),
            () => return Ok(()),
        };
        Err(Violation::new(kind, found))
    }

    /// Checks a record that commits against the one before.
    fn check_commit_record(&self, before: &Record, after: &Record) -> Result<(), String> {
        let Some(new) = after.current() else { return Ok(()) };
        let short = short_name(new.name());
        let retain = {
            let state = self.state();
            let index = state.store_log.order.get(new.name());
            index.map_or(1, |index| state.attempts[state.store_log.committed[*index].1].retain)
        };
        let retained = retain.min(before.retained().count() + 1);
        match () {
            () if after.commits != before.commits + 1 => Err(format!("{short} replaced another record than it read")),
            () if after.collections < before.collections || after.collections > before.collections + 1 => {
                Err(format!("the collection counter went from {} to {}", before.collections, after.collections))
            }
            () if after.retained().count() != retained => Err(format!(
                "{} are retained, expected {retained}: min(retain {retain}, {} before + 1)",
                after.retained().count(),
                before.retained().count()
            )),
            () => self.check_names(before, after),
        }
    }

    /// Checks a record that doesn't commit: it announces a collection, or it expires generations for the
    /// expirer.
    fn check_other_record(&self, before: &Record, after: &Record) -> Result<(), String> {
        let retained = |record: &Record| record.retained().cloned().collect::<Vec<_>>();
        let (retained_before, retained_after) = (retained(before), retained(after));
        let expirer_retain = self.profile.expirer.as_ref().map(|expirer| expirer.retain);
        match () {
            // The empty record, before any other object. If it were written again, its digest would be a duplicate.
            () if *before == Record::default() && after == before => Ok(()),
            () if after.collections != before.collections + 1 || after.commits != before.commits => Err(format!(
                "without a commit, the collection counter went from {} to {}",
                before.collections, after.collections
            )),
            () if names(before) != names(after) => Err("without a commit, the record names other generations".into()),
            () if retained_before == retained_after
                || expirer_retain.is_some_and(|retain| {
                    retained_after.len() == retain && retained_before.starts_with(&retained_after)
                }) =>
            {
                Ok(())
            }
            () => Err(format!("without a commit, {} are retained of {}", retained_after.len(), retained_before.len())),
        }
    }

    /// Checks that a commit adds its name first, preserves the order of the earlier names, and omits none too early.
    fn check_names(&self, before: &Record, after: &Record) -> Result<(), String> {
        let (before, after, retained) = (names(before), names(after), after.retained().count());
        let expected = (before.len() + 1).min(self.profile.min_entries.unwrap_or(256).max(retained));
        match after.len() < expected {
            true => Err(format!("the record names {} generations, expected {expected}", after.len())),
            false if before.iter().zip(&after[1..]).any(|(before, after)| before != after) => {
                Err("a commit changed the order of the generations before it".into())
            }
            false => Ok(()),
        }
    }
}

/// The digest of a record without its times, which are those of the real clock. The rest must differ between any two records.
pub(super) fn digest_without_times(record: &[u8]) -> Digest {
    let without_time = |line: &str| {
        let words = line.split(' ').enumerate().filter(|(index, _)| *index != 3).map(|(_, word)| word);
        words.collect::<Vec<_>>().join(" ")
    };
    let text: Vec<_> = String::from_utf8_lossy(record).lines().map(without_time).collect();
    Digest::of(text.join("\n").as_bytes())
}

/// All names in a record, newest first.
fn names(record: &Record) -> Vec<String> {
    let name = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    record.to_text().lines().skip(4).map(name).collect()
}
