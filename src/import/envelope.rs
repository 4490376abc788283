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

/// Advice on a file that prevents the import of an older file.
const MOVE_FILE: &str = "to import the snapshot before it, move this file to another folder";

/// A JSON file of version 0.1.3.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    seq: u64,
    #[serde(borrow)]
    state: &'a RawValue,
}

/// Reads one file. An incomplete file is `Flawed`. A complete file that can't be imported is an error.
pub(super) fn read(file: &OldFile) -> Result<Read> {
    let Some(seq) = file.seq else { return Ok(Read::Flawed(Flaw::NoSeq)) };
    let cannot_read = |source| MiniSnapError::Io { at: at(&file.path), action: "read the file", source };
    let Some(bytes) = read_regular(&file.path).map_err(cannot_read)? else { return Ok(Read::Flawed(Flaw::NotAFile)) };
    if bytes.is_empty() {
        return Ok(Read::Flawed(Flaw::Empty));
    }
    match &file.ending {
        Ending::Json => read_json(&file.path, seq, &bytes),
        Ending::None => read_messagepack(&file.path, seq, &bytes),
        Ending::Other(ending) => Err(unsupported(
            &file.path,
            format!("no codec of minisnap 0.1.3 wrote files that end with .{ending}"),
            format!("restore it with the program that wrote it; {MOVE_FILE}"),
        )),
    }
}

/// Reads a regular file, also through a link; `None` if the path isn't a regular file.
fn read_regular(path: &Path) -> io::Result<Option<Vec<u8>>> {
    // Opening a pipe waits for a writer, and opening a device may have side effects.
    if !fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    // Another program may have replaced the file after the first check.
    if !metadata.is_file() {
        return Ok(None);
    }
    let size = usize::try_from(metadata.len()).map_err(|_| ErrorKind::OutOfMemory)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size)?;
    file.take(metadata.len()).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

fn read_json(path: &Path, seq: u64, bytes: &[u8]) -> Result<Read> {
    let envelope: Envelope<'_> = match serde_json::from_slice(bytes) {
        Ok(envelope) => envelope,
        Err(error) if is_json(bytes) => return Err(not_a_snapshot(path, &error)),
        Err(error) => return Ok(Read::Flawed(Flaw::Incomplete { reason: error.to_string() })),
    };
    check_seq(path, seq, envelope.seq)?;
    let state = envelope.state.get();
    if let Err(error) = check_json(state.as_bytes()) {
        // Reports line and column in the file, not in the state.
        let source = check_json(bytes).err().unwrap_or(error);
        return Err(MiniSnapError::Serde { at: at(path), generation: None, source });
    }
    Ok(Read::Intact(OldFormat::Json, without_envelope_indentation(state)))
}

/// Removes the indentation of the envelope from the state. A line break in JSON is never within a string.
fn without_envelope_indentation(state: &str) -> Vec<u8> {
    let mut json = Vec::with_capacity(state.len());
    for line in state.split_inclusive('\n') {
        // The first line begins after `"state": `.
        let line = if json.is_empty() { line } else { line.strip_prefix("  ").unwrap_or(line) };
        json.extend_from_slice(line.as_bytes());
    }
    json
}

#[cfg(feature = "messagepack")]
fn read_messagepack(path: &Path, seq: u64, bytes: &[u8]) -> Result<Read> {
    use messagepack::{ConvertError, Unsupported};
    if bytes[0] != messagepack::FIRST_BYTE {
        return Err(unsupported(
            path,
            "the file has no ending, and isn't the MessagePack of minisnap 0.1.3".into(),
            format!(
                "if it is JSON, give it the ending .json; else restore it with the program that wrote it; {MOVE_FILE}"
            ),
        ));
    }
    let (found, json) = match messagepack::to_json(bytes) {
        Ok(read) => read,
        Err(ConvertError::Incomplete(reason)) => return Ok(Read::Flawed(Flaw::Incomplete { reason })),
        Err(ConvertError::NotASnapshot(error)) => return Err(not_a_snapshot(path, &error)),
        Err(ConvertError::Unsupported(Unsupported::Value { pointer, what })) => {
            let location = if pointer.is_empty() { "the state" } else { &pointer };
            let reason = format!("{location} is {what}, which JSON can't hold");
            return Err(MiniSnapError::Unrestorable { at: at(path), reason });
        }
        Err(ConvertError::Unsupported(Unsupported::Key { pointer, key_type, source })) => {
            return Err(MiniSnapError::MapKey { at: at(path), path: pointer, key_type, source });
        }
        Err(ConvertError::TooDeep) => {
            let reason = format!("it nests more than {} levels deep", crate::backend::format::MAX_DEPTH);
            return Err(MiniSnapError::Unrestorable { at: at(path), reason });
        }
    };
    check_seq(path, seq, found)?;
    Ok(Read::Intact(OldFormat::MessagePack, json))
}

#[cfg(not(feature = "messagepack"))]
fn read_messagepack(path: &Path, _seq: u64, _bytes: &[u8]) -> Result<Read> {
    Err(unsupported(
        path,
        "MessagePack needs the cargo feature `messagepack` of minisnap".into(),
        "turn that feature on, or use the tool: `minisnap import OLD STORE`".into(),
    ))
}

/// Checks that the name and the content have the same sequence number. After a rename or a restored backup they may differ, and only a
/// person knows which number is correct.
fn check_seq(path: &Path, named: u64, found: u64) -> Result<()> {
    if named == found {
        return Ok(());
    }
    Err(MiniSnapError::corrupt(at(path), Corruption::WrongName { named, found }))
}

fn not_a_snapshot(path: &Path, error: &dyn std::error::Error) -> MiniSnapError {
    MiniSnapError::corrupt(at(path), Corruption::NoOldSnapshot { reason: error.to_string() })
}

fn unsupported(path: &Path, what: String, help: String) -> MiniSnapError {
    MiniSnapError::Unsupported { at: at(path), what, help: Some(help) }
}

#[cfg(all(test, not(feature = "messagepack")))]
mod tests {
    use crate::{MiniSnapError, import::OldSnapshot};
    use std::fs;

    /// The import doesn't fall back to an older JSON file. An empty file isn't MessagePack.
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
