//! The failures of operations on a journal, with help.

use crate::{
    exit::{Exit, Failure},
    shell::quoted,
};
use minisnap_wal::WalError;
use std::path::Path;

/// Converts the error of an operation on the journal `file`.
pub(super) fn failure(error: WalError, file: &Path) -> Failure {
    failure_with_seq(error, file, None)
}

/// The same, if the seq of the current snapshot is known; 0 if there is none.
pub(super) fn failure_with_seq(error: WalError, file: &Path, seq: Option<u64>) -> Failure {
    let shown = quoted(file.as_os_str());
    match error {
        _ if error.is_not_found() => Failure::new(Exit::LocalFile, format!("{}: no journal here", file.display()))
            .with_help(match seq {
                Some(seq) => format!(
                    "check the path, and that its disk is mounted; to begin an empty journal after the current snapshot, run \
                     `minisnap log begin {shown} --after {seq}`"
                ),
                None => format!(
                    "check the path, and that its disk is mounted; to begin an empty journal, run `minisnap log begin {shown} \
                     --after 0`, with the seq of the snapshot instead of 0 if there is one"
                ),
            }),
        WalError::Snapshot(error) => error.into(),
        WalError::Io { .. } => Failure::new(Exit::LocalFile, error.to_string())
            .with_causes_of(&error)
            .with_help("check the path, its permissions and the disk; then retry"),
        WalError::Locked { location, holder } => match holder {
            Some(process) => Failure::new(Exit::Busy, format!("{location}: process {process} has the journal open"))
                .with_help(format!("stop that program (`ps -fp {process}` shows it), then retry")),
            None => Failure::new(Exit::Busy, format!("{location}: another process has the journal open"))
                .with_help(format!("stop that program (`fuser -v {shown}` shows it), then retry")),
        },
        WalError::NotAJournal { path, found } => {
            Failure::new(Exit::LocalFile, format!("{}: not a readable journal: {found}", path.display()))
                .with_help("give the file to which the program appends, with all its rotated files in the same folder")
        }
        WalError::OldestLost { path } => {
            let what = format!(
                "{}: the files before this one are missing from the journal, so the numbers of its records are unknown",
                path.display()
            );
            let after = seq.map_or_else(|| "SEQ".into(), |seq| seq.to_string());
            Failure::new(Exit::LocalFile, what).with_help(format!(
                "restore the missing files; or, to continue from the current snapshot, move the other files away \
                 (`mkdir {shown}.lost && mv {shown} {shown}.[0-9]* {shown}.lost`), then run `minisnap log begin {shown} --after \
                 {after}`"
            ))
        }
        WalError::Corrupt { ref path, line, .. } => {
            Failure::new(Exit::Corrupt, format!("{}, line {line}: the record can't be read", path.display()))
                .with_causes_of(&error)
                .with_help("restore a copy of that file")
        }
        WalError::Gap { location, from, to } => {
            let what = format!("{location}: {} from the journal", super::missing(from, to));
            Failure::new(Exit::Refused, what).with_help(show_numbers(&shown))
        }
        WalError::Beyond { location, last, seq } => {
            let what = format!("{location}: the journal ends with number {last}, before {seq}");
            Failure::new(Exit::Refused, what).with_help(show_numbers(&shown))
        }
        WalError::OutcomeUnknown { .. } | WalError::Interrupted { .. } => {
            Failure::new(Exit::OutcomeUnknown, error.to_string())
                .with_causes_of(&error)
                .with_help(format!("run `minisnap log show {shown}` to see what it holds now"))
        }
        other => Failure::new(Exit::CouldNotLook, other.to_string())
            .with_causes_of(&other)
            .with_help(format!("run `minisnap log show {shown}` to see what it holds")),
    }
}

/// The help if a given number isn't in the journal: probably a mistake, and no reason to begin a new journal.
pub(super) fn show_numbers(shown: &str) -> String {
    format!("run `minisnap log show {shown}` to list the records, then give one of their numbers")
}

/// The help if a journal doesn't match a snapshot.
pub(super) fn begin_instead(file: &Path, seq: u64) -> String {
    format!(
        "restore the journal of that snapshot; or, to continue from the snapshot with seq {seq}, run `minisnap log begin {} \
         --after {seq} --move-aside`",
        quoted(file.as_os_str())
    )
}
