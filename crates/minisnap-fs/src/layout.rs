//! Every name on disk: the content of a store's folder, and the grammar of each name.
//!
//! ```text
//! DIR/snapshot.json -> snapshots/current/snapshot.json
//! DIR/snapshot.seq  -> snapshots/current/snapshot.seq
//! DIR/snapshots/current -> NAME                      the commit record; `none` before the first commit
//! DIR/snapshots/last-commit -> NAME                  the last commit: needed only if `current` is moved by hand
//! DIR/snapshots/NAME/snapshot.json                   a generation
//!                    snapshot.seq
//!                    parent   -> ../NAME             the generation that was current before; absent in the first
//!                    retained -> 2                   how many generations are retained, this one included
//!                    corrupt  -> snapshot.json       a mark: the generation is moved aside once it isn't retained
//! DIR/snapshots/NAME.corrupt/                        a corrupt generation that was moved aside: the store never touches it again
//! DIR/snapshot.json.aside-RANDOM                     an external file at a public name, moved aside
//! DIR/snapshots/current.aside-RANDOM/                a folder in place of `current`, `format` or a `parent`, moved aside
//! DIR/snapshots.aside-RANDOM/                        a lost store, moved aside; in `snapshots` if that is a mount point
//! DIR/snapshots/.stage-RANDOM/                       a generation that is being written
//! DIR/snapshots/format -> 1                          the version of this layout; without it, the first
//! DIR/snapshots/.next                                a link before it is renamed to its name in `snapshots`
//! DIR/.snapshot.next                                 the same for the public names: `snapshots` may be on another file system
//! DIR/snapshots/.settling                            the public names were changed, and DIR may not have been synced since
//! DIR/snapshots/.lock                                locked while the commit record is replaced
//! ```
//!
//! `NAME` is `[0-9]{20}-[0-9a-f]{16}-[a-z0-9]{16}`: the seq, the digest of the JSON, and a random part. It has 54 bytes: a link to it
//! stays under 60 bytes, which most file systems store in the inode.

use minisnap_core::{
    Digest, Generation,
    format::{JSON_NAME, SEQ_NAME},
    random_name_part,
};
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The version of the layout that this crate writes, and the highest that it can read.
pub(crate) const FORMAT_VERSION: u64 = 1;

pub(crate) const SNAPSHOTS: &str = "snapshots";
/// The commit record, in `snapshots`.
pub(crate) const CURRENT: &str = "current";
pub(crate) const LAST_COMMIT: &str = "last-commit";
pub(crate) const FORMAT: &str = "format";
pub(crate) const LOCK: &str = ".lock";
pub(crate) const NEXT: &str = ".next";
pub(crate) const NEXT_PUBLIC: &str = ".snapshot.next";
/// Exists while the public links may not be durable: a writer removes it after the sync of the store's folder.
pub(crate) const LINKS_PENDING: &str = ".settling";

/// The target of the commit record before the first commit. It lets a reader distinguish an empty store from one whose commit record was
/// lost.
pub(crate) const NOTHING_COMMITTED: &str = "none";

pub(crate) const PARENT: &str = "parent";
pub(crate) const RETAINED: &str = "retained";
/// Marks a generation that is moved aside in place of being removed.
pub(crate) const CORRUPT_MARK: &str = "corrupt";
/// The files and links of a generation. Nothing else is ever removed from its folder.
pub(crate) const GENERATION_ENTRIES: [&str; 4] = [JSON_NAME, SEQ_NAME, PARENT, RETAINED];

const RANDOM_LENGTH: usize = 16;
const STAGE_PREFIX: &str = ".stage-";
/// The suffix of a generation that was moved aside.
const GENERATION_ASIDE: &str = ".corrupt";
/// The suffix, without its random part, of everything else that was moved aside.
const ASIDE: &str = ".aside-";

/// The random part of the name of a bare pair, so that its generation has the same name before and after the migration. The text is
/// fixed: stores have such names.
pub(crate) const BARE_PAIR: &str = "adoptedplainpair";

/// A parsed name of a generation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct GenerationName {
    text: Arc<str>,
    pub(crate) seq: u64,
    pub(crate) digest: Digest,
}

impl GenerationName {
    /// A unique name for a new generation.
    pub(crate) fn new(seq: u64, digest: Digest) -> io::Result<Self> {
        Ok(Self::with_random(seq, digest, &new_suffix()?))
    }

    /// The name of the bare pair with this seq and digest.
    pub(crate) fn of_bare_pair(seq: u64, digest: Digest) -> Self {
        Self::with_random(seq, digest, BARE_PAIR)
    }

    fn with_random(seq: u64, digest: Digest, random: &str) -> Self {
        Self { text: format!("{seq:020}-{digest}-{random}").into(), seq, digest }
    }

    /// Parses a name; `None` if it doesn't follow the grammar. Every name from a caller or the disk is parsed before it becomes a
    /// part of a path.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (seq, digest, random) = (parts.next()?, parts.next()?, parts.next()?);
        let seq_is_digits = seq.len() == 20 && seq.bytes().all(|byte| byte.is_ascii_digit());
        if parts.next().is_some() || !seq_is_digits || !is_random_part(random) {
            return None;
        }
        Some(Self { text: text.into(), seq: seq.parse().ok()?, digest: digest.parse().ok()? })
    }

    /// Whether it is the name of a bare pair, or of the generation that the pair was migrated to.
    pub(crate) fn is_of_bare_pair(&self) -> bool {
        self.text.ends_with(BARE_PAIR)
    }

    /// Parses the target of a `parent` link.
    pub(crate) fn parse_parent(target: &Path) -> Option<Self> {
        Self::parse(target.to_str()?.strip_prefix("../")?)
    }

    /// The target of a `parent` link to this generation.
    pub(crate) fn parent_target(&self) -> PathBuf {
        PathBuf::from(format!("../{}", self.text))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn to_generation(&self) -> Generation {
        Generation::new(&*self.text, self.seq).with_digest(self.digest)
    }
}

/// The content of the commit record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CommitRecord {
    /// There is no record: no writer ever staged here, or the record was lost.
    Absent,
    /// Nothing was committed yet.
    Nothing,
    /// This generation is the current one.
    Current(GenerationName),
}

impl CommitRecord {
    /// Parses the target of a commit record; `None` if it doesn't follow the grammar.
    pub(crate) fn parse(target: impl AsRef<Path>) -> Option<Self> {
        let target = target.as_ref();
        if target == Path::new(NOTHING_COMMITTED) {
            return Some(Self::Nothing);
        }
        target.to_str().and_then(GenerationName::parse).map(Self::Current)
    }

    pub(crate) fn current(&self) -> Option<&GenerationName> {
        match self {
            Self::Current(name) => Some(name),
            Self::Absent | Self::Nothing => None,
        }
    }
}

/// A unique name for a new stage.
pub(crate) fn new_stage_name() -> io::Result<String> {
    Ok(format!("{STAGE_PREFIX}{}", new_suffix()?))
}

/// An unused path in the same folder as `path`, to move it aside.
pub(crate) fn new_path_aside(path: &Path) -> io::Result<PathBuf> {
    Ok(with_ending(path, &format!("{ASIDE}{}", new_suffix()?)))
}

fn new_suffix() -> io::Result<String> {
    random_name_part(RANDOM_LENGTH)
}

/// Whether a name in `snapshots` is that of a stage.
pub(crate) fn is_stage(name: &str) -> bool {
    name.strip_prefix(STAGE_PREFIX).is_some_and(is_random_part)
}

/// Whether a name in `snapshots` is that of a generation or a stage.
pub(crate) fn is_generation_or_stage(name: &str) -> bool {
    is_stage(name) || GenerationName::parse(name).is_some()
}

/// The path to which a marked generation is moved aside. The new name doesn't follow the grammar, so that the store never touches it
/// again.
pub(crate) fn generation_aside(generation: &Path) -> PathBuf {
    with_ending(generation, GENERATION_ASIDE)
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// Whether a name in `snapshots` is that of a generation that was moved aside.
pub(crate) fn is_aside_generation(name: &str) -> bool {
    name.strip_suffix(GENERATION_ASIDE).is_some_and(|name| GenerationName::parse(name).is_some())
}

/// Whether a name in `snapshots` is that of a folder that was in place of a link, and was moved aside.
pub(crate) fn is_aside_folder(name: &str) -> bool {
    name.split_once(ASIDE)
        .is_some_and(|(link, suffix)| [CURRENT, FORMAT, PARENT].contains(&link) && is_random_part(suffix))
}

/// The seq in the name of a snapshot of version 0.1.3: `snapshot_`, 20 digits, and optionally the format as an extension. `None` for any
/// other name.
pub(crate) fn seq_of_other_format(name: &str) -> Option<u64> {
    let seq = name.strip_prefix("snapshot_")?.split('.').next()?;
    let is_seq = seq.len() == 20 && seq.bytes().all(|byte| byte.is_ascii_digit());
    is_seq.then(|| seq.parse().unwrap_or(u64::MAX))
}

fn is_random_part(text: &str) -> bool {
    text.len() == RANDOM_LENGTH && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_round_trips_and_its_link_fits_an_inode() {
        for seq in [0, 10, u64::MAX] {
            let digest = Digest::of(b"{}");
            for name in [GenerationName::new(seq, digest).unwrap(), GenerationName::of_bare_pair(seq, digest)] {
                assert_eq!(GenerationName::parse(name.as_str()), Some(name.clone()));
                assert_eq!(GenerationName::parse_parent(&name.parent_target()), Some(name.clone()));
                assert_eq!((name.seq, name.digest, name.as_str().len()), (seq, digest, 54));
                assert!(name.parent_target().as_os_str().len() < 60);
            }
        }
    }

    #[test]
    fn name_is_rejected_when_it_breaks_the_grammar() {
        let good = "00000000000000000010-9f86d081884c7d65-4k0q8w1z7m3x5r2t";
        assert!(GenerationName::parse(good).is_some());
        for bad in [
            "",
            "current",
            "00000000000000000010-9f86d081884c7d65-4k0q8w1z7m3x5r2",
            "00000000000000000010-9f86d081884c7d65-4k0q8w1z7m3x5r2T",
            "00000000000000000010-9f86d081884c7d6-4k0q8w1z7m3x5r2t",
            "00000000000000000010-9F86d081884c7d65-4k0q8w1z7m3x5r2t",
            "+0000000000000000010-9f86d081884c7d65-4k0q8w1z7m3x5r2t",
            "18446744073709551616-9f86d081884c7d65-4k0q8w1z7m3x5r2t",
            "00000000000000000010-9f86d081884c7d65-4k0q8w1z7m3x5r2t-",
            "00000000000000000010-9f86d081884c7d65-4k0q8w1z7m3x5r2t/",
            "../0000000000000000010-9f86d081884c7d65-4k0q8w1z7m3x5r2t",
            "00000000000000000010-9f86d081884c7d65-../../etc/passwd",
        ] {
            assert_eq!(GenerationName::parse(bad), None, "{bad:?}");
        }
        for target in [good, "../../etc", "/etc", "../current"] {
            assert_eq!(GenerationName::parse_parent(Path::new(target)), None, "{target:?}");
        }
        assert_eq!(seq_of_other_format("snapshot_00000000000000000042.json"), Some(42));
        assert_eq!(seq_of_other_format("snapshot_99999999999999999999"), Some(u64::MAX));
        for other in ["snapshot_0000000000000000042.json", "snapshot_twenty_characters___.json", "snapshot.json"] {
            assert_eq!(seq_of_other_format(other), None, "{other:?}");
        }
        assert!(is_stage(".stage-4k0q8w1z7m3x5r2t"));
        for bad in [".stage-", ".stage-short", "stage-4k0q8w1z7m3x5r2t", ".stage-4k0q8w1z7m3x5r/t"] {
            assert!(!is_stage(bad), "{bad:?}");
        }
    }
}
