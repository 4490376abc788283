//! Tests of the record's text and of its changes.

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

/// A record after commits with sequence numbers from 1 on, one for each value of `retain`.
fn record_after(retains: &[usize]) -> Record {
    let none = HashSet::new();
    (1..)
        .zip(retains)
        .fold(Record::default(), |record, (seq, value)| record.commit(&generation(seq), retain(*value), &none, &none))
}

fn seqs<'a>(generations: impl Iterator<Item = &'a Generation>) -> Vec<u64> {
    generations.map(Generation::seq).collect()
}

#[test]
fn records_round_trip() {
    for record in [Record::default(), record_after(&[2]), record_after(&[2, 2, 3, 1, 4]).collect_garbage()] {
        let text = record.to_text();
        let parsed = Record::parse(text.as_bytes()).unwrap();
        assert_eq!(parsed, record, "{text}");
        assert_eq!(parsed.to_text(), text, "also sizes, digests and times, which `Generation` doesn't compare");
    }
    let text = record_after(&[2]).to_text();
    let line = text.lines().last().unwrap();
    let generation = parse_entry(line).unwrap().generation;
    let milliseconds = 1_767_225_600_000 + generation.seq();
    assert!(line.ends_with(&format!(" {milliseconds}")), "{line}");
    assert_eq!(generation.time(), Some(SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds)));
}

#[test]
fn expired_stays_expired_when_retain_grows() {
    let record = record_after(&[3, 3, 3, 1, 5, 5]);
    assert_eq!(seqs(record.retained()), [6, 5, 4]);
    assert_eq!(seqs(record.expired()), [3, 2, 1]);
}

#[test]
fn commit_marks_deleted_generations() {
    let record = record_after(&[1, 1, 1]);
    let deleted = record.expired().map(|generation| generation.name().to_owned()).collect();
    let record = record.commit(&generation(4), retain(1), &HashSet::new(), &deleted);
    assert_eq!((seqs(record.retained()), seqs(record.expired())), (vec![4], vec![3]));
    assert!(deleted.iter().all(|name| record.names(name) && record.is_orphan(name)), "{record:?}");
}

#[test]
fn expire_retains_the_newest_and_raises_the_counter() {
    let before = record_after(&[5; 5]);
    let none = HashSet::new();
    let expired = before.expire(&before.beyond_retention(retain(2), &none));
    assert_eq!((seqs(expired.retained()), seqs(expired.expired())), (vec![5, 4], vec![3, 2, 1]));
    assert_eq!((expired.commits, expired.collections), (before.commits, before.collections + 1));
    assert_eq!(expired.current(), before.current());
    assert_eq!(Record::parse(expired.to_text().as_bytes()).as_ref(), Ok(&expired));
    assert_eq!(seqs(before.beyond_retention(retain(2), &none).iter()), [3, 2, 1]);
    assert_eq!(before.beyond_retention(retain(5), &none), []);
    let later = expired.commit(&generation(6), retain(5), &HashSet::new(), &HashSet::new());
    assert_eq!(seqs(later.retained()), [6, 5, 4], "expired generations stay expired");
}

#[test]
fn generations_moved_aside_do_not_count_as_retained() {
    let before = record_after(&[3; 3]);
    let corrupt = before.retained().nth(1).unwrap().name().to_owned();
    let record = before.commit(&generation(4), retain(3), &HashSet::from([corrupt]), &HashSet::new());
    assert_eq!((seqs(record.retained()), seqs(record.expired())), (vec![4, 3, 1], vec![2]));
    assert_eq!(Record::parse(record.to_text().as_bytes()).as_ref(), Ok(&record));
    let later = record.commit(&generation(5), retain(3), &HashSet::new(), &HashSet::new());
    assert_eq!((seqs(later.retained()), seqs(later.expired())), (vec![5, 4, 3], vec![2, 1]));
    let expired = record.expire(&record.beyond_retention(retain(2), &HashSet::new()));
    assert_eq!((seqs(expired.retained()), seqs(expired.expired())), (vec![4, 3], vec![2, 1]));
}

#[test]
fn expire_counts_only_intact_generations() {
    let record = record_after(&[5; 5]);
    let beyond = |generations, corrupt: &[u64]| {
        let corrupt = record.retained().filter(|generation| corrupt.contains(&generation.seq()));
        let corrupt: HashSet<_> = corrupt.map(|generation| generation.name().to_owned()).collect();
        seqs(record.beyond_retention(retain(generations), &corrupt).iter())
    };
    assert_eq!(beyond(1, &[5]), [3, 2, 1], "retains the current and the newest intact generation");
    assert_eq!(beyond(2, &[4]), [2, 1], "retains a corrupt generation between intact ones");
    assert_eq!(beyond(1, &[4]), [4, 3, 2, 1]);
    assert_eq!(beyond(4, &[1, 2]), [2, 1], "expires corrupt generations older than all intact ones");
    assert_eq!(beyond(2, &[1, 2, 3, 4, 5]), [4, 3, 2, 1], "retains the current generation");
    assert_eq!(beyond(5, &[1, 2]), [0; 0], "five are retained");
}

#[test]
fn all_retained_are_named_when_some_are_moved_aside() {
    let before = record_after(&[300; 300]);
    let corrupt = before.retained().take(100).map(|generation| generation.name().to_owned()).collect();
    let record = before.commit(&generation(301), retain(300), &corrupt, &HashSet::new());
    assert_eq!((record.retained().count(), record.entries.len()), (201, 301));
}

#[test]
fn record_names_256_generations_or_all_retained() {
    assert_eq!(record_after(&[2; 300]).entries.len(), 256);
    assert_eq!(record_after(&[300; 310]).entries.len(), 300);
}

#[test]
fn record_reports_when_it_may_omit_commits() {
    let before = record_after(&[2; 3]);
    let mut record = before.clone();
    for seq in 0..256 {
        assert!(!record.may_omit_commits_since(&before), "after {seq}");
        record = record.commit(&generation(seq), retain(2), &HashSet::new(), &HashSet::new());
    }
    assert!(!record.may_omit_commits_since(&before), "256 are named, and 256 were committed");
    let record = record.commit(&generation(256), retain(2), &HashSet::new(), &HashSet::new());
    assert!(record.may_omit_commits_since(&before), "the first of 257 is no longer named");
    assert!(before.may_omit_commits_since(&record), "the counter went backwards");
}

#[test]
fn record_reports_an_announced_collection() {
    let before = record_after(&[2, 2]);
    let announced = before.collect_garbage();
    assert_eq!(announced, Record { collections: before.collections + 1, ..before.clone() });
    assert!(announced.may_have_collected_since(&before));
    assert!(before.may_have_collected_since(&announced), "an old record was put back");
    let later = announced.commit(&generation(3), retain(2), &HashSet::new(), &HashSet::new());
    assert!(!later.may_have_collected_since(&announced));
    assert!(announced.may_have_collected_since(&later), "an old record was put back");
}

#[test]
fn later_version_is_not_reported_as_corruption() {
    let text = record_after(&[1]).to_text().replace("minisnap-record 1\n", "minisnap-record 2\n");
    assert_eq!(Record::parse(text.as_bytes()), Err(Unreadable::Newer(2)));
    assert_eq!(Record::parse(b"minisnap-record 2\nunknown"), Err(Unreadable::Newer(2)));
    assert!(matches!(Record::parse(b"minisnap-record 0\n"), Err(Unreadable::Corrupt(_))));
}

#[test]
fn every_corruption_is_detected() {
    let text = record_after(&[2, 2, 2]).to_text();
    let replace = |from: &str, to: &str| text.replacen(from, to, 1);
    let named_twice = {
        let lines: Vec<_> = text.lines().collect();
        format!("{}\n", [&lines[..5], &[lines[4], lines[6]]].concat().join("\n"))
    };
    let all_expired = {
        let lines = text.lines().map(|line| line.trim_end_matches(" dropped"));
        let entries: String = lines.skip(4).map(|line| format!("{line} dropped\n")).collect();
        format!("minisnap-record 1\npublished 3\nsweeps 0\nretained 0\n{entries}")
    };
    for corrupt in [
        String::new(),
        "{\"a\": 1}\n".into(),
        replace("published 3", "published three"),
        replace("published 3", "published +3"),
        replace("published 3", "published 03"),
        replace("sweeps 0", "sweeps 00"),
        replace("minisnap-record 1", "minisnap-record 01"),
        replace("minisnap-record 1", "minisnap-record +1"),
        replace("published 3", "published 2"),
        replace("sweeps 0\n", ""),
        replace("sweeps 0", &format!("sweeps {}", u64::MAX)),
        replace("published 3", &format!("published {}", u64::MAX)),
        replace("retained 2", "retained 3"),
        all_expired,
        replace("retained 2", "retained 1"),
        replace(" dropped", ""),
        replace(" dropped", " missing"),
        replace(" dropped", " dropped "),
        replace("-", "/../"),
        replace("\n", "\r\n"),
        replace("\n00000", "\n\n00000"),
        named_twice,
        text.trim_end().into(),
        text[..text.len() - 10].into(),
        format!("{text}\n"),
    ] {
        assert!(matches!(Record::parse(corrupt.as_bytes()), Err(Unreadable::Corrupt(_))), "{corrupt}");
    }
    assert!(matches!(Record::parse(b"\xff\xfe"), Err(Unreadable::Corrupt(_))));
}
