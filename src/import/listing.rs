//! Lists the files that version 0.1.3 reads as snapshots, newest first.

use super::at;
use crate::{MiniSnapError, Result};
use std::{
    cmp::Reverse,
    fs,
    path::{Path, PathBuf},
};

/// A file with the name of a snapshot.
#[derive(Debug)]
pub(super) struct OldFile {
    pub(super) path: PathBuf,
    /// `None` if the number is above the range of sequence numbers.
    pub(super) seq: Option<u64>,
    pub(super) ending: Ending,
}

/// The end of the name, in the order in which files with the same sequence number are read. Such files hold the same state.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ending {
    Json,
    /// MessagePack.
    None,
    /// The user's own codec.
    Other(String),
}

/// Lists the files, newest first.
pub(super) fn newest_first(folder: &Path) -> Result<Vec<OldFile>> {
    let cannot_list = |source| MiniSnapError::Io { at: at(folder), action: "list the folder", source };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(cannot_list)? {
        let path = entry.map_err(cannot_list)?.path();
        files.extend(path.file_name().and_then(|name| name.to_str()).and_then(parse).map(|(seq, ending)| OldFile {
            path,
            seq,
            ending,
        }));
    }
    files.sort_by_key(|file| (Reverse(file.seq.unwrap_or(u64::MAX)), file.seq.is_some(), file.ending.clone()));
    Ok(files)
}

/// Parses `snapshot_`, digits, and an optional ending. Version 0.1.3 wrote 20 digits and read any number of digits.
fn parse(name: &str) -> Option<(Option<u64>, Ending)> {
    let rest = name.strip_prefix("snapshot_")?;
    let (digits, ending) = match rest.split_once('.') {
        None => (rest, Ending::None),
        Some((digits, "json")) => (digits, Ending::Json),
        // Version 0.1.3 parsed the name up to its last dot as a number.
        Some((_, ending)) if ending.contains('.') => return None,
        Some((digits, ending)) => (digits, Ending::Other(ending.into())),
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| (digits.parse().ok(), ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_parsed_as_version_0_1_3_did() {
        assert_eq!(parse("snapshot_00000000000000000042.json"), Some((Some(42), Ending::Json)));
        assert_eq!(parse("snapshot_00000000000000000042"), Some((Some(42), Ending::None)));
        assert_eq!(parse("snapshot_42.json"), Some((Some(42), Ending::Json)));
        assert_eq!(parse("snapshot_18446744073709551615"), Some((Some(u64::MAX), Ending::None)));
        assert_eq!(parse("snapshot_18446744073709551616"), Some((None, Ending::None)));
        assert_eq!(parse("snapshot_42.cbor"), Some((Some(42), Ending::Other("cbor".into()))));
        assert_eq!(parse("snapshot_42."), Some((Some(42), Ending::Other(String::new()))));
        for no_snapshot in [
            "snapshot.json",
            "snapshot_",
            "snapshot_.json",
            "snapshot_42.json.bak",
            "snapshot_-42.json",
            "snapshot_4 2.json",
            ".tmpx1Y2z3",
            "Snapshot_42.json",
        ] {
            assert_eq!(parse(no_snapshot), None, "{no_snapshot:?}");
        }
    }

    #[test]
    fn newest_is_first_and_json_before_other_formats() {
        let folder = tempfile::tempdir().unwrap();
        let names = [
            "snapshot_18446744073709551616",
            "snapshot_18446744073709551615.json",
            "snapshot_18446744073709551615",
            "snapshot_00000000000000000009.json",
            "snapshot_00000000000000000009",
            "snapshot_00000000000000000009.cbor",
            "snapshot_8.json",
        ];
        for name in names.iter().rev().chain(&[".tmpAbCdEf", "log.jsonl"]) {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let listed: Vec<_> = newest_first(folder.path()).unwrap().into_iter().map(|file| file.path).collect();
        assert_eq!(listed, names.map(|name| folder.path().join(name)));
    }
}
