//! One file of version 0.1.3: the sequence number and the state, in one document.

#[cfg(feature = "messagepack")]
use super::messagepack;
use super::{
    Flaw, OldFormat, Read, at,
    listing::{Ending, OldFile},
};
use crate::{
    Corruption, MiniSnapError, Result,
    backend::format::{check_json, is_json},
};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{
    fs::{self, OpenOptions},
    io::{self, ErrorKind, Read as _},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// What to do about a file that stands in the way of an older one.
const MOVE_IT: &str = "to import the snapshot before it, move this file to another folder";

/// What version 0.1.3 wrote as JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    seq: u64,
    #[serde(borrow)]
    state: &'a RawValue,
}

/// Reads it. Only what is certainly incomplete is flawed; what is complete and can't be imported is an error.
pub(super) fn read(file: &OldFile) -> Result<Read> {
    let Some(seq) = file.seq else { return Ok(Read::Flawed(Flaw::NoSeq)) };
    let cannot_read = |source| MiniSnapError::Io { at: at(&file.path), action: "read the file", source };
    let Some(bytes) = read_regular(&file.path).map_err(cannot_read)? else { return Ok(Read::Flawed(Flaw::NotAFile)) };
    if bytes.is_empty() {
        return Ok(Read::Flawed(Flaw::Empty));
    }
    match &file.ending {
        Ending::Json => of_json(&file.path, seq, &bytes),
        Ending::None => of_messagepack(&file.path, seq, &bytes),
        Ending::Other(ending) => Err(unsupported(
            &file.path,
            format!("no codec of minisnap 0.1.3 wrote files that end with .{ending}"),
            format!("restore it with the program that wrote it; {MOVE_IT}"),
        )),
    }
}

/// The bytes of a regular file, also through a link; `None` if it is something else.
fn read_regular(path: &Path) -> io::Result<Option<Vec<u8>>> {
    // To open a pipe would wait for a writer, and to open a device may do anything.
    if !fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    // It was replaced meanwhile.
    if !metadata.is_file() {
        return Ok(None);
    }
    let size = usize::try_from(metadata.len()).map_err(|_| ErrorKind::OutOfMemory)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size)?;
    file.take(metadata.len()).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

fn of_json(path: &Path, seq: u64, bytes: &[u8]) -> Result<Read> {
    let envelope: Envelope<'_> = match serde_json::from_slice(bytes) {
        Ok(envelope) => envelope,
        Err(error) if is_json(bytes) => return Err(no_snapshot(path, &error)),
        Err(error) => return Ok(Read::Flawed(Flaw::Incomplete { reason: error.to_string() })),
    };
    check_seq(path, seq, envelope.seq)?;
    let state = envelope.state.get();
    if let Err(error) = check_json(state.as_bytes()) {
        // With line and column in the file.
        let source = check_json(bytes).err().unwrap_or(error);
        return Err(MiniSnapError::Serde { at: at(path), generation: None, source });
    }
    Ok(Read::Intact(OldFormat::Json, out_of_envelope(state)))
}

/// The text of a value that was a level deep in another, as it would be at the top. A line break in JSON is never within a
/// string.
fn out_of_envelope(state: &str) -> Vec<u8> {
    let mut json = Vec::with_capacity(state.len());
    for line in state.split_inclusive('\n') {
        // The first line begins after `"state": `.
        let line = if json.is_empty() { line } else { line.strip_prefix("  ").unwrap_or(line) };
        json.extend_from_slice(line.as_bytes());
    }
    json
}

#[cfg(feature = "messagepack")]
fn of_messagepack(path: &Path, seq: u64, bytes: &[u8]) -> Result<Read> {
    use messagepack::{NotRead, Refused};
    if bytes[0] != messagepack::FIRST_BYTE {
        return Err(unsupported(
            path,
            "the file has no ending, and isn't the MessagePack of minisnap 0.1.3".into(),
            format!(
                "if it is JSON, give it the ending .json; else restore it with the program that wrote it; {MOVE_IT}"
            ),
        ));
    }
    let (found, json) = match messagepack::to_json(bytes) {
        Ok(read) => read,
        Err(NotRead::Incomplete(reason)) => return Ok(Read::Flawed(Flaw::Incomplete { reason })),
        Err(NotRead::NoSnapshot(error)) => return Err(no_snapshot(path, &error)),
        Err(NotRead::Refused(Refused::Value { pointer, what })) => {
            let place = if pointer.is_empty() { "it" } else { &pointer };
            let reason = format!("{place} is {what}, which JSON can't hold");
            return Err(MiniSnapError::Unrestorable { at: at(path), reason });
        }
        Err(NotRead::Refused(Refused::Key { pointer, key_type, source })) => {
            return Err(MiniSnapError::MapKey { at: at(path), path: pointer, key_type, source });
        }
        Err(NotRead::TooDeep) => {
            let reason = format!("it nests more than {} levels deep", crate::backend::format::MAX_DEPTH);
            return Err(MiniSnapError::Unrestorable { at: at(path), reason });
        }
    };
    check_seq(path, seq, found)?;
    Ok(Read::Intact(OldFormat::MessagePack, json))
}

#[cfg(not(feature = "messagepack"))]
fn of_messagepack(path: &Path, _seq: u64, _bytes: &[u8]) -> Result<Read> {
    Err(unsupported(
        path,
        "MessagePack needs the cargo feature `messagepack` of minisnap".into(),
        "turn that feature on, or use the tool: `minisnap import OLD STORE`".into(),
    ))
}

/// A file was renamed, or restored over another: whether its name or its content is meant can't be told.
fn check_seq(path: &Path, named: u64, found: u64) -> Result<()> {
    if named == found {
        return Ok(());
    }
    Err(MiniSnapError::corrupt(at(path), Corruption::WrongName { named, found }))
}

fn no_snapshot(path: &Path, error: &dyn std::error::Error) -> MiniSnapError {
    MiniSnapError::corrupt(at(path), Corruption::NoOldSnapshot { reason: error.to_string() })
}

fn unsupported(path: &Path, what: String, help: String) -> MiniSnapError {
    MiniSnapError::Unsupported { at: at(path), what, help: Some(help) }
}

#[cfg(all(test, not(feature = "messagepack")))]
mod tests {
    use crate::{MiniSnapError, import::OldSnapshot};
    use std::fs;

    /// An older JSON isn't taken for it. An empty file is no MessagePack.
    #[tokio::test]
    async fn messagepack_is_unsupported_without_the_feature() {
        let old = tempfile::tempdir().unwrap();
        fs::write(old.path().join("snapshot_1.json"), r#"{"seq": 1, "state": 1}"#).unwrap();
        fs::write(old.path().join("snapshot_2"), "").unwrap();
        assert_eq!(OldSnapshot::newest(old.path()).await.unwrap().seq(), 1);
        fs::write(old.path().join("snapshot_2"), b"\x92\x02\x01").unwrap();
        let error = OldSnapshot::newest(old.path()).await.expect_err("it can't be read");
        assert!(matches!(error, MiniSnapError::Unsupported { .. }), "{error:?}");
        assert!(error.to_string().contains("`messagepack`") && error.help().unwrap().contains("minisnap import"));
    }
}
