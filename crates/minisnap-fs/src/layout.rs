//! Every name on disk: what a store's folder holds, and the grammar of each name in it.
//!
//! ```text
//! DIR/snapshot.json -> snapshots/current/snapshot.json
//! DIR/snapshot.seq  -> snapshots/current/snapshot.seq
//! DIR/snapshots/current -> NAME                      the commit record; `none` before the first commit
//! DIR/snapshots/last-commit -> NAME                  what was committed last: needed only if `current` is moved by hand
//! DIR/snapshots/NAME/snapshot.json                   a generation
//!                    snapshot.seq
//!                    parent   -> ../NAME             what was current before it; absent in the first
//!                    retained -> 2                   how many of the history are retained since it was committed
//!                    corrupt  -> snapshot.json       it is corrupt, and to be moved aside once it isn't retained
//! DIR/snapshots/NAME.corrupt/                        a corrupt generation that was moved aside: nothing touches it any more
//! DIR/snapshot.json.aside-RANDOM                     what another program wrote at one of the two names, moved aside
//! DIR/snapshots/current.aside-RANDOM/                what stood in the place of `current`, or of `format` or a `parent`
//! DIR/snapshots.aside-RANDOM/                        a store that was given up; in `snapshots`, where that is a mount point
//! DIR/snapshots/.stage-RANDOM/                       a generation being written
//! DIR/snapshots/format -> 1                          the version of this layout; where it is missing, the first
//! DIR/snapshots/.next                                a link that is about to be renamed to its place in `snapshots`
//! DIR/.snapshot.next                                 the same for the two names: `snapshots` may be on another file system
//! DIR/snapshots/.settling                            the two names were changed, and DIR may not be synced since
//! DIR/snapshots/.lock                                held while the commit record is replaced
//! ```
//!
//! `NAME` is `[0-9]{20}-[0-9a-f]{16}-[a-z0-9]{16}`: the seq, the digest of the JSON, and a random part. It is 54 bytes, so
//! that a link to it stays under 60 and most file systems keep it in the inode.

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

/// The version of the layout that this crate writes, and the highest that it understands.
pub(crate) const FORMAT_VERSION: u64 = 1;

pub(crate) const SNAPSHOTS: &str = "snapshots";
/// The commit record, in `snapshots`.
pub(crate) const CURRENT: &str = "current";
pub(crate) const LAST_COMMIT: &str = "last-commit";
pub(crate) const FORMAT: &str = "format";
pub(crate) const LOCK: &str = ".lock";
pub(crate) const NEXT: &str = ".next";
pub(crate) const NEXT_PUBLIC: &str = ".snapshot.next";
/// Unlike `.next`, only ever removed after the folder was synced.
pub(crate) const SETTLING: &str = ".settling";

/// What the commit record says before the first commit. That it says so, instead of not being there, lets a reader tell
/// a store that is empty from one whose commit record was lost.
pub(crate) const NOTHING_COMMITTED: &str = "none";

pub(crate) const PARENT: &str = "parent";
pub(crate) const RETAINED: &str = "retained";
/// In a corrupt generation that is to be moved aside: not removed with its files.
pub(crate) const MARK: &str = "corrupt";
/// The files and links of a generation, and all that is ever removed from its folder.
pub(crate) const GENERATION_ENTRIES: [&str; 4] = [JSON_NAME, SEQ_NAME, PARENT, RETAINED];

const RANDOM_LENGTH: usize = 16;
const STAGE_PREFIX: &str = ".stage-";
/// After the name of a corrupt generation that was moved aside.
const MOVED_ASIDE: &str = ".corrupt";
/// After the name of what else was moved aside.
const ASIDE: &str = ".aside-";

/// The random part of the name of a bare pair: its generation is called the same before and after the migration.
const BARE_PAIR: &str = "adoptedplainpair";

/// A generation's name, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct GenerationName {
    text: Arc<str>,
    pub(crate) seq: u64,
    pub(crate) digest: Digest,
}

impl GenerationName {
    /// A name for a new generation, used once.
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

    /// Takes a name apart; `None` if it isn't of the grammar. A name that comes from outside goes through here before it
    /// becomes a part of a path.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (seq, digest, random) = (parts.next()?, parts.next()?, parts.next()?);
        let seq_is_digits = seq.len() == 20 && seq.bytes().all(|byte| byte.is_ascii_digit());
        if parts.next().is_some() || !seq_is_digits || !is_random_part(random) {
            return None;
        }
        Some(Self { text: text.into(), seq: seq.parse().ok()?, digest: digest.parse().ok()? })
    }

    /// Whether it is the name of a bare pair, or of the generation that it was migrated to.
    pub(crate) fn is_of_bare_pair(&self) -> bool {
        self.text.ends_with(BARE_PAIR)
    }

    /// Reads what a `parent` link says.
    pub(crate) fn parse_parent(target: &Path) -> Option<Self> {
        Self::parse(target.to_str()?.strip_prefix("../")?)
    }

    /// What a `parent` link to it says.
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

/// What the commit record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CommitRecord {
    /// There is none: no stage was ever begun here, or it was lost.
    Absent,
    /// Nothing was committed yet.
    Nothing,
    /// This generation is the current one.
    Current(GenerationName),
}

impl CommitRecord {
    /// Reads what a commit record says, if it is of the grammar.
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

/// A name for a new stage, used once.
pub(crate) fn new_stage_name() -> io::Result<String> {
    Ok(format!("{STAGE_PREFIX}{}", new_suffix()?))
}

/// A path beside `path` that nothing has yet: for what is moved aside.
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

/// Whether a name in `snapshots` is that of a generation or a stage: what writers make.
pub(crate) fn is_generation_or_stage(name: &str) -> bool {
    is_stage(name) || GenerationName::parse(name).is_some()
}

/// Where a corrupt generation is moved: a name outside of the grammar, so that nothing touches it any more.
pub(crate) fn moved_aside(generation: &Path) -> PathBuf {
    with_ending(generation, MOVED_ASIDE)
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// Whether a name in `snapshots` is that of a corrupt generation that was moved aside.
pub(crate) fn is_moved_aside(name: &str) -> bool {
    name.strip_suffix(MOVED_ASIDE).is_some_and(|name| GenerationName::parse(name).is_some())
}

/// Whether a name in `snapshots` is that of a folder that stood in a link's place, and was moved aside.
pub(crate) fn is_aside(name: &str) -> bool {
    name.split_once(ASIDE)
        .is_some_and(|(link, suffix)| [CURRENT, FORMAT, PARENT].contains(&link) && is_random_part(suffix))
}

/// The seq in a name in the store's folder, if it is that of a snapshot of version 0.1.3: `snapshot_`, 20 digits, and the format,
/// if it has an ending.
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
    fn name_is_refused_when_not_of_the_grammar() {
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
