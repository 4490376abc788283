//! The record's text, and what becomes of it with each commit.

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
    (1..)
        .zip(keeps)
        .fold(Record::default(), |record, (seq, keeps)| record.commit(&generation(seq), retain(*keeps), &none, &none))
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
    assert_eq!(Record::parse(text.as_bytes()), Err(Unreadable::Newer(2)));
    assert_eq!(Record::parse(b"minisnap-record 2\nwhatever"), Err(Unreadable::Newer(2)));
    assert!(matches!(Record::parse(b"minisnap-record 0\n"), Err(Unreadable::Damaged(_))));
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
