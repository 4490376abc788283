//! The properties of the parsers for data from a bucket, for the fuzz targets `record` and `names`. The parsers stay private.

use crate::{
    layout::{self, Layout, ObjectKind},
    record::{Record, Unreadable},
};
use minisnap_core::{Digest, Generation};
use object_store::path::Path;
use std::{collections::HashSet, num::NonZeroUsize, time::SystemTime};

/// A commit record that can be parsed round-trips byte for byte, and so does the record of the next commit.
pub fn record(bytes: &[u8]) {
    let record = match Record::parse(bytes) {
        Ok(record) => record,
        Err(Unreadable::Newer(version)) => return assert!(version > 1),
        Err(Unreadable::Corrupt(found)) => return assert!(!found.is_empty() && found.len() < 2000, "{found}"),
    };
    assert_eq!(record.to_text(), String::from_utf8_lossy(bytes));
    assert_eq!(record.current(), record.retained().next());
    for generation in record.retained().chain(record.expired()) {
        assert!(record.names(generation.name()));
        assert!(!record.is_orphan(generation.name()), "{generation}");
        name(generation.name());
    }
    assert_round_trip(&record.collect_garbage());
    let new = Generation::new("00000000000000000010-aaaaaaaaaaaaaaaaaaaaaaaaaa", 10);
    let new = new.with_size(0).with_digest(Digest::of(b"")).with_time(SystemTime::UNIX_EPOCH);
    // A name is never drawn twice.
    if !record.names(new.name()) {
        for retain in [1, 2, usize::MAX] {
            let retain = NonZeroUsize::new(retain).unwrap_or(NonZeroUsize::MIN);
            let after = record.commit(&new, retain, &HashSet::new(), &HashSet::new());
            assert_round_trip(&after);
            assert_eq!(after.current(), Some(&new));
            assert!(!after.may_omit_commits_since(&record));
        }
    }
}

/// A counter at its maximum is rejected, so such a record doesn't round-trip.
fn assert_round_trip(record: &Record) {
    if record.commits < u64::MAX && record.collections < u64::MAX {
        assert_eq!(Record::parse(record.to_text().as_bytes()).as_ref(), Ok(record));
    }
}

/// A name in a record or a listing: the files of a generation are directly in the folder of its name.
pub fn name(text: &str) {
    let layout = Layout::new(Path::from("app/state"));
    if let Some(generation) = layout::parse_name(text) {
        assert_eq!(generation.name(), text);
        assert_eq!(text, format!("{:020}-{}", generation.seq(), &text[21..]));
        for (path, file) in layout.files(text).iter().zip(["snapshot.json", "snapshot.seq"]) {
            assert_eq!(path.as_ref(), format!("app/state/snapshots/{text}/{file}"));
            assert_eq!(layout.identify(path), Some(ObjectKind::GenerationFile(text.to_owned())));
        }
    }
    for listed in [Path::parse(text), Path::parse(format!("app/state/snapshots/{text}"))] {
        let Ok(path) = listed else { continue };
        match layout.identify(&path) {
            Some(ObjectKind::GenerationFile(name)) => {
                assert!(layout.files(&name).contains(&path), "{path} isn't a file of {name}")
            }
            Some(ObjectKind::Probe) => assert!(path.as_ref().starts_with("app/state/snapshots/.probe-"), "{path}"),
            None => {}
        }
    }
}
