//! What can go wrong with a journal, told for the operator, with the commands of this program.

use crate::{
    exit::{Exit, Failure},
    given::quoted,
};
use minisnap_wal::WalError;
use std::path::Path;

/// A failure of an operation on the journal `file`.
pub(super) fn failure(error: WalError, file: &Path) -> Failure {
    failure_beside(error, file, None)
}

/// The same, where the seq of the current snapshot is known; 0 if there is none.
pub(super) fn failure_beside(error: WalError, file: &Path, seq: Option<u64>) -> Failure {
    let shown = quoted(file.as_os_str());
    match error {
        _ if error.is_not_found() => Failure::new(Exit::LocalFile, format!("{}: no journal here", file.display()))
            .advice(match seq {
                Some(seq) => format!(
                    "is the path right, and its disk mounted? `minisnap log begin {shown} --after {seq}` begins an empty one \
                     after the current snapshot"
                ),
                None => format!(
                    "is the path right, and its disk mounted? `minisnap log begin {shown} --after 0` begins an empty one; \
                     beside a snapshot, its seq goes in place of 0"
                ),
            }),
        WalError::Snapshot(error) => error.into(),
        WalError::Io { .. } => Failure::new(Exit::LocalFile, error.to_string())
            .with_causes_of(&error)
            .advice("see to the path, its permissions and the disk; then try again"),
        WalError::Locked { location: place, holder } => match holder {
            Some(process) => Failure::new(Exit::Busy, format!("{place}: process {process} has the journal open"))
                .advice(format!("stop that program (`ps -fp {process}` shows it), and try again")),
            None => Failure::new(Exit::Busy, format!("{place}: another process has the journal open"))
                .advice(format!("stop that program (`fuser -v {shown}` shows it), and try again")),
        },
        WalError::NotAJournal { path, found } => {
            Failure::new(Exit::LocalFile, format!("{}: this is no journal that can be read: {found}", path.display()))
                .advice("give the file that the program writes to, with all its rotated files beside it")
        }
        WalError::OldestLost { path } => {
            let what = format!(
                "{}: it is the oldest file of the journal, and not the first: without the files before it, the numbers of \
                 its records are not known",
                path.display()
            );
            let after = seq.map_or_else(|| "SEQ".into(), |seq| seq.to_string());
            Failure::new(Exit::LocalFile, what).advice(format!(
                "bring back the files before it; or, if the current snapshot is what counts, move those that are left away \
                 (`mkdir {shown}.lost && mv {shown} {shown}.[0-9]* {shown}.lost`), and go on after the snapshot's seq: \
                 `minisnap log begin {shown} --after {after}`"
            ))
        }
        WalError::Corrupt { ref path, line, .. } => {
            Failure::new(Exit::Corrupt, format!("{}, line {line}: no record can be read", path.display()))
                .with_causes_of(&error)
                .advice("bring back a copy of that file")
        }
        WalError::Gap { location: place, from, to } => {
            let what = format!("{place}: {} from the journal", super::missing(from, to));
            Failure::new(Exit::Refused, what).advice(see_numbers(&shown))
        }
        WalError::Beyond { location: place, last, seq } => {
            let what = format!("{place}: the journal ends with number {last}, before {seq}");
            Failure::new(Exit::Refused, what).advice(see_numbers(&shown))
        }
        WalError::OutcomeUnknown { .. } | WalError::Interrupted { .. } => {
            Failure::new(Exit::OutcomeUnknown, error.to_string())
                .with_causes_of(&error)
                .advice(format!("`minisnap log show {shown}` tells what is in it now"))
        }
        other => Failure::new(Exit::CouldNotLook, other.to_string())
            .with_causes_of(&other)
            .advice(format!("`minisnap log show {shown}` tells what is in it")),
    }
}

/// The way out if a number that was given isn't in the journal. It's a slip, and no reason to begin another journal.
pub(super) fn see_numbers(shown: &str) -> String {
    format!("`minisnap log show {shown}` tells which records there are; then give one of their numbers")
}

/// The way out if a journal doesn't fit a snapshot.
pub(super) fn begin_instead(file: &Path, seq: u64) -> String {
    format!(
        "bring back the journal of that snapshot; or, if the snapshot with seq {seq} is what counts, go on after it: `minisnap \
         log begin {} --after {seq} --move-aside`",
        quoted(file.as_os_str())
    )
}
