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
const VERSION: u64 = 1;

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
    Version(String),
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
        if version != VERSION {
            return Err(Unreadable::Version(version.to_string()));
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
mod tests {
    use super::*;
    use minisnap_core::Digest;

    fn generation(seq: u64) -> Generation {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_767_225_600_000 + seq);
        Generation::new(layout::draw_name(seq).unwrap(), seq)
            .with_size(100 + seq)
            .with_digest(Digest::of(&seq.to_le_bytes()))
            .with_time(time)
    }

    fn retain(generations: usize) -> NonZeroUsize {
        NonZeroUsize::new(generations).unwrap()
    }

    /// A record after publishes of seqs from 1 on with these `keep`s.
    fn after(keeps: &[usize]) -> Record {
        let none = HashSet::new();
        (1..).zip(keeps).fold(Record::default(), |record, (seq, keeps)| {
            record.commit(&generation(seq), retain(*keeps), &none, &none)
        })
    }

    fn seqs<'a>(generations: impl Iterator<Item = &'a Generation>) -> Vec<u64> {
        generations.map(Generation::seq).collect()
    }

    #[test]
    fn a_text_is_read_back_as_the_record_it_was_made_of() {
        for record in [Record::default(), after(&[2]), after(&[2, 2, 3, 1, 4]).collect_garbage()] {
            let text = record.to_text();
            let back = Record::parse(text.as_bytes()).unwrap();
            assert_eq!(back, record, "{text}");
            assert_eq!(back.to_text(), text, "also sizes, digests and times, by which generations don't compare");
        }
        let text = after(&[2]).to_text();
        let line = text.lines().last().unwrap();
        let generation = parse_entry(line).unwrap().generation;
        let milliseconds = 1_767_225_600_000 + generation.seq();
        assert!(line.ends_with(&format!(" {milliseconds}")), "{line}");
        assert_eq!(generation.time(), Some(SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds)));
    }

    #[test]
    fn what_was_retired_stays_retired_whatever_is_kept_later() {
        let record = after(&[3, 3, 3, 1, 5, 5]);
        assert_eq!(seqs(record.retained()), [6, 5, 4]);
        assert_eq!(seqs(record.dropped()), [3, 2, 1]);
    }

    #[test]
    fn what_was_deleted_is_said_to_be_deleted() {
        let record = after(&[1, 1, 1]);
        let deleted = record.dropped().map(|generation| generation.name().to_owned()).collect();
        let record = record.commit(&generation(4), retain(1), &HashSet::new(), &deleted);
        assert_eq!((seqs(record.retained()), seqs(record.dropped())), (vec![4], vec![3]));
        assert!(deleted.iter().all(|name| record.names(name) && record.is_unknown(name)), "{record:?}");
    }

    #[test]
    fn expire_retains_the_newest_and_raises_the_counter() {
        let before = after(&[5; 5]);
        let none = HashSet::new();
        let expired = before.expire(&before.beyond(retain(2), &none));
        assert_eq!((seqs(expired.retained()), seqs(expired.dropped())), (vec![5, 4], vec![3, 2, 1]));
        assert_eq!((expired.published, expired.sweeps), (before.published, before.sweeps + 1));
        assert_eq!(expired.current(), before.current());
        assert_eq!(Record::parse(expired.to_text().as_bytes()).as_ref(), Ok(&expired));
        assert_eq!(seqs(before.beyond(retain(2), &none).iter()), [3, 2, 1]);
        assert_eq!(before.beyond(retain(5), &none), []);
        let later = expired.commit(&generation(6), retain(5), &HashSet::new(), &HashSet::new());
        assert_eq!(seqs(later.retained()), [6, 5, 4], "what expired stays expired");
    }

    #[test]
    fn moved_aside_takes_no_place_in_the_retention() {
        let before = after(&[3; 3]);
        let corrupt = before.retained().nth(1).unwrap().name().to_owned();
        let record = before.commit(&generation(4), retain(3), &HashSet::from([corrupt]), &HashSet::new());
        assert_eq!((seqs(record.retained()), seqs(record.dropped())), (vec![4, 3, 1], vec![2]));
        assert_eq!(Record::parse(record.to_text().as_bytes()).as_ref(), Ok(&record));
        let later = record.commit(&generation(5), retain(3), &HashSet::new(), &HashSet::new());
        assert_eq!((seqs(later.retained()), seqs(later.dropped())), (vec![5, 4, 3], vec![2, 1]));
        let expired = record.expire(&record.beyond(retain(2), &HashSet::new()));
        assert_eq!((seqs(expired.retained()), seqs(expired.dropped())), (vec![4, 3], vec![2, 1]));
    }

    #[test]
    fn expire_counts_only_intact_ones() {
        let record = after(&[5; 5]);
        let beyond = |generations, corrupt: &[u64]| {
            let corrupt = record.retained().filter(|one| corrupt.contains(&one.seq()));
            let corrupt: HashSet<_> = corrupt.map(|one| one.name().to_owned()).collect();
            seqs(record.beyond(retain(generations), &corrupt).iter())
        };
        assert_eq!(beyond(1, &[5]), [3, 2, 1], "the current one stays, and the newest intact one");
        assert_eq!(beyond(2, &[4]), [2, 1], "a corrupt one between intact ones stays");
        assert_eq!(beyond(1, &[4]), [4, 3, 2, 1]);
        assert_eq!(beyond(4, &[1, 2]), [2, 1], "corrupt ones beyond the oldest intact one expire");
        assert_eq!(beyond(2, &[1, 2, 3, 4, 5]), [4, 3, 2, 1], "the current one stays");
        assert_eq!(beyond(5, &[1, 2]), [0; 0], "no more than that are retained");
    }

    #[test]
    fn every_retained_one_is_named_when_some_are_moved_aside() {
        let before = after(&[300; 300]);
        let corrupt = before.retained().take(100).map(|one| one.name().to_owned()).collect();
        let record = before.commit(&generation(301), retain(300), &corrupt, &HashSet::new());
        assert_eq!((record.retained().count(), record.entries.len()), (201, 301));
    }

    #[test]
    fn the_last_256_are_named_and_more_if_more_are_kept() {
        assert_eq!(after(&[2; 300]).entries.len(), 256);
        assert_eq!(after(&[300; 310]).entries.len(), 300);
    }

    #[test]
    fn a_publisher_can_tell_how_far_the_record_reaches_back() {
        let before = after(&[2; 3]);
        let mut record = before.clone();
        for seq in 0..256 {
            assert!(!record.forgot_some_since(&before), "after {seq}");
            record = record.commit(&generation(seq), retain(2), &HashSet::new(), &HashSet::new());
        }
        assert!(!record.forgot_some_since(&before), "256 are named, and 256 were published");
        let record = record.commit(&generation(256), retain(2), &HashSet::new(), &HashSet::new());
        assert!(record.forgot_some_since(&before), "the first of 257 is not named any more");
        assert!(before.forgot_some_since(&record), "it went backwards");
    }

    #[test]
    fn a_writer_can_tell_that_a_sweep_was_announced() {
        let before = after(&[2, 2]);
        let announced = before.collect_garbage();
        assert_eq!(announced, Record { sweeps: before.sweeps + 1, ..before.clone() });
        assert!(announced.may_have_swept_since(&before));
        assert!(before.may_have_swept_since(&announced), "an old record was put back");
        let later = announced.commit(&generation(3), retain(2), &HashSet::new(), &HashSet::new());
        assert!(!later.may_have_swept_since(&announced));
        assert!(announced.may_have_swept_since(&later), "an old record was put back");
    }

    #[test]
    fn a_later_version_is_told_apart_from_damage() {
        let text = after(&[1]).to_text().replace("minisnap-record 1\n", "minisnap-record 2\n");
        assert_eq!(Record::parse(text.as_bytes()), Err(Unreadable::Version("2".into())));
        assert_eq!(Record::parse(b"minisnap-record 2\nwhatever"), Err(Unreadable::Version("2".into())));
    }

    #[test]
    fn every_damage_is_noticed() {
        let text = after(&[2, 2, 2]).to_text();
        let swap = |from: &str, to: &str| text.replacen(from, to, 1);
        let twice = {
            let lines: Vec<_> = text.lines().collect();
            format!("{}\n", [&lines[..5], &[lines[4], lines[6]]].concat().join("\n"))
        };
        let all_retired = {
            let lines = text.lines().map(|line| line.trim_end_matches(" dropped"));
            let entries: String = lines.skip(4).map(|line| format!("{line} dropped\n")).collect();
            format!("minisnap-record 1\npublished 3\nsweeps 0\nretained 0\n{entries}")
        };
        for damaged in [
            String::new(),
            "{\"a\": 1}\n".into(),
            swap("published 3", "published three"),
            swap("published 3", "published +3"),
            swap("published 3", "published 03"),
            swap("sweeps 0", "sweeps 00"),
            swap("minisnap-record 1", "minisnap-record 01"),
            swap("minisnap-record 1", "minisnap-record +1"),
            swap("published 3", "published 2"),
            swap("sweeps 0\n", ""),
            swap("sweeps 0", &format!("sweeps {}", u64::MAX)),
            swap("published 3", &format!("published {}", u64::MAX)),
            swap("retained 2", "retained 3"),
            all_retired,
            swap("retained 2", "retained 1"),
            swap(" dropped", ""),
            swap(" dropped", " gone"),
            swap(" dropped", " dropped "),
            swap("-", "/../"),
            swap("\n", "\r\n"),
            swap("\n00000", "\n\n00000"),
            twice,
            text.trim_end().into(),
            text[..text.len() - 10].into(),
            format!("{text}\n"),
        ] {
            assert!(matches!(Record::parse(damaged.as_bytes()), Err(Unreadable::Damaged(_))), "{damaged}");
        }
        assert!(matches!(Record::parse(b"\xff\xfe"), Err(Unreadable::Damaged(_))));
    }
}
