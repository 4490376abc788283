//! What must hold of whatever is found in a bucket. For the fuzz targets `record` and `names`: the parsers themselves stay
//! private.

use crate::{
    layout::{self, Found, Layout},
    record::{Record, Unreadable},
};
use minisnap_core::{Digest, Generation};
use object_store::path::Path;
use std::{collections::HashSet, num::NonZeroUsize, time::SystemTime};

/// A commit record: what is read is what would be written, byte for byte, and what is published over it can be read.
pub fn record(bytes: &[u8]) {
    let record = match Record::parse(bytes) {
        Ok(record) => record,
        Err(Unreadable::Newer(version)) => return assert!(version > 1),
        Err(Unreadable::Damaged(found)) => return assert!(!found.is_empty() && found.len() < 2000, "{found}"),
    };
    assert_eq!(record.to_text(), String::from_utf8_lossy(bytes));
    assert_eq!(record.current(), record.retained().next());
    for generation in record.retained().chain(record.dropped()) {
        assert!(record.names(generation.name()));
        assert!(!record.is_unknown(generation.name()), "{generation}");
        name(generation.name());
    }
    is_read_back(&record.collect_garbage());
    let new = Generation::new("00000000000000000010-aaaaaaaaaaaaaaaaaaaaaaaaaa", 10);
    let new = new.with_size(0).with_digest(Digest::of(b"")).with_time(SystemTime::UNIX_EPOCH);
    // A name is never drawn twice.
    if !record.names(new.name()) {
        for retain in [1, 2, usize::MAX] {
            let retain = NonZeroUsize::new(retain).unwrap_or(NonZeroUsize::MIN);
            let after = record.commit(&new, retain, &HashSet::new(), &HashSet::new());
            is_read_back(&after);
            assert_eq!(after.current(), Some(&new));
            assert!(!after.forgot_some_since(&record));
        }
    }
}

/// Unless its numbers came to their end, which is an error and not a wrong record.
fn is_read_back(record: &Record) {
    if record.published < u64::MAX && record.sweeps < u64::MAX {
        assert_eq!(Record::parse(record.to_text().as_bytes()).as_ref(), Ok(record));
    }
}

/// A name in a record or a listing: a generation's files are the store's own, directly under its name.
pub fn name(text: &str) {
    let layout = Layout::new(Path::from("app/state"));
    if let Some(generation) = layout::parse_name(text) {
        assert_eq!(generation.name(), text);
        assert_eq!(text, format!("{:020}-{}", generation.seq(), &text[21..]));
        for (path, file) in layout.files(text).iter().zip(["snapshot.json", "snapshot.seq"]) {
            assert_eq!(path.as_ref(), format!("app/state/snapshots/{text}/{file}"));
            assert_eq!(layout.identify(path), Some(Found::Of(text.to_owned())));
        }
    }
    for listed in [Path::parse(text), Path::parse(format!("app/state/snapshots/{text}"))] {
        let Ok(path) = listed else { continue };
        match layout.identify(&path) {
            Some(Found::Of(name)) => assert!(layout.files(&name).contains(&path), "{path} isn't of {name}"),
            Some(Found::Probe) => assert!(path.as_ref().starts_with("app/state/snapshots/.probe-"), "{path}"),
            None => {}
        }
    }
}
