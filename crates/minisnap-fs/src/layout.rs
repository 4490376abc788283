//! Every name on disk: what a store's folder holds, and the grammar of each name in it.
//!
//! ```text
//! DIR/snapshot.json -> snapshots/current/snapshot.json
//! DIR/snapshot.seq  -> snapshots/current/snapshot.seq
//! DIR/snapshots/current -> NAME                      the commit record; `none` before the first publish
//! DIR/snapshots/NAME/snapshot.json                   a generation
//!                    snapshot.seq
//!                    parent   -> ../NAME             what was current before it; absent in the first
//!                    retained -> 2                   how many of the history are retained since it was published
//!                    corrupt  -> snapshot.json       it is corrupt, and to be moved aside once it isn't retained
//! DIR/snapshots/NAME.corrupt/                        a corrupt generation that was moved aside: nothing touches it any more
//! DIR/snapshot.json.aside-RANDOM                     what another program wrote at one of the two names, moved aside
//! DIR/snapshots.aside-RANDOM/                        a store that was given up
//! DIR/snapshots/.stage-RANDOM/                       a generation being written
//! DIR/snapshots/.next                                a link that is about to be renamed to its place
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
    fmt, io,
    path::{Path, PathBuf},
};

/// What the commit record says before the first publish. That it says so, instead of not being there, lets a reader tell
/// a store that is empty from one whose commit record was lost.
pub(crate) const NOTHING_PUBLISHED: &str = "none";

/// The files and links of a generation, and all that is ever removed from its folder.
pub(crate) const GENERATION_ENTRIES: [&str; 4] = [JSON_NAME, SEQ_NAME, PARENT, RETAINED];

pub(crate) const PARENT: &str = "parent";
pub(crate) const RETAINED: &str = "retained";
/// In a corrupt generation that is to be moved aside: not removed with its files.
pub(crate) const MARK: &str = "corrupt";
pub(crate) const NEXT: &str = ".next";
/// Unlike `.next`, only ever removed by whoever has synced the folder.
const SETTLING: &str = ".settling";

/// The commit record, in `snapshots`.
pub(crate) const CURRENT: &str = "current";
const RANDOM_LENGTH: usize = 16;
const STAGE_PREFIX: &str = ".stage-";
/// After the name of a corrupt generation that was moved aside.
const MOVED_ASIDE: &str = ".corrupt";

/// The random part of the name of a plain pair that has no place of its own yet, so that its generation is called the same
/// before and after it is adopted.
const ADOPTED: &str = "adoptedplainpair";

/// The paths of one store.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    dir: PathBuf,
}

impl Layout {
    /// `dir` should be absolute, so that it stays the same folder when the program changes its working directory.
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The two names that people and other programs open.
    pub(crate) fn names(&self) -> [PublicName; 2] {
        [JSON_NAME, SEQ_NAME].map(|file| PublicName {
            file,
            path: self.dir.join(file),
            target: PathBuf::from(format!("snapshots/{CURRENT}/{file}")),
        })
    }

    pub(crate) fn snapshots(&self) -> PathBuf {
        self.dir.join("snapshots")
    }

    pub(crate) fn current(&self) -> PathBuf {
        self.snapshots().join(CURRENT)
    }

    pub(crate) fn next(&self) -> PathBuf {
        self.snapshots().join(NEXT)
    }

    pub(crate) fn settling(&self) -> PathBuf {
        self.snapshots().join(SETTLING)
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.snapshots().join(".lock")
    }

    pub(crate) fn generation(&self, name: &GenerationName) -> PathBuf {
        self.snapshots().join(&name.text)
    }

    /// A path for a new stage.
    pub(crate) fn new_stage(&self) -> io::Result<PathBuf> {
        Ok(self.snapshots().join(format!("{STAGE_PREFIX}{}", random_name_part(RANDOM_LENGTH)?)))
    }

    /// A path beside `name` for what must neither stay there nor be lost.
    pub(crate) fn new_aside(&self, name: &str) -> io::Result<PathBuf> {
        Ok(self.dir.join(format!("{name}.aside-{}", random_name_part(RANDOM_LENGTH)?)))
    }
}

/// `DIR/snapshot.json` or `DIR/snapshot.seq`.
#[derive(Debug)]
pub(crate) struct PublicName {
    /// Its name, which is also that of the file in a generation's folder.
    pub(crate) file: &'static str,
    pub(crate) path: PathBuf,
    /// What the link there says.
    pub(crate) target: PathBuf,
}

/// A generation's name, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct GenerationName {
    text: String,
    pub(crate) seq: u64,
    pub(crate) digest: Digest,
}

impl GenerationName {
    /// A name for a new generation, used once.
    pub(crate) fn new(seq: u64, digest: Digest) -> io::Result<Self> {
        Ok(Self::with_random(seq, digest, &random_name_part(RANDOM_LENGTH)?))
    }

    /// The name of the plain pair with this seq and digest.
    pub(crate) fn of_plain_pair(seq: u64, digest: Digest) -> Self {
        Self::with_random(seq, digest, ADOPTED)
    }

    fn with_random(seq: u64, digest: Digest, random: &str) -> Self {
        Self { text: format!("{seq:020}-{digest}-{random}"), seq, digest }
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

    /// Whether it is the name of a plain pair, or of what was adopted from one.
    pub(crate) fn is_of_plain_pair(&self) -> bool {
        self.text.ends_with(ADOPTED)
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
        Generation::new(self.text.clone(), self.seq).with_digest(self.digest)
    }
}

impl fmt::Display for GenerationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether a name in `snapshots` is that of a stage.
pub(crate) fn is_stage(name: &str) -> bool {
    name.strip_prefix(STAGE_PREFIX).is_some_and(is_random_part)
}

/// Where a corrupt generation is moved: a name outside of the grammar, so that nothing touches it any more.
pub(crate) fn moved_aside(generation: &Path) -> PathBuf {
    let mut path = generation.as_os_str().to_owned();
    path.push(MOVED_ASIDE);
    path.into()
}

/// Whether a name in `snapshots` is that of a corrupt generation that was moved aside.
pub(crate) fn is_moved_aside(name: &str) -> bool {
    name.strip_suffix(MOVED_ASIDE).is_some_and(|name| GenerationName::parse(name).is_some())
}

/// Whether a name in the store's folder is that of a snapshot of versions 0.1.2 and 0.1.3: `snapshot_`, 20 digits, and the
/// format, if it has an ending.
pub(crate) fn is_of_other_format(name: &str) -> bool {
    let seq = name.strip_prefix("snapshot_").map(|rest| rest.split('.').next().unwrap_or_default());
    seq.is_some_and(|seq| seq.len() == 20 && seq.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_random_part(text: &str) -> bool {
    text.len() == RANDOM_LENGTH && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_comes_back_and_a_link_to_it_fits_an_inode() {
        for seq in [0, 10, u64::MAX] {
            let digest = Digest::of(b"{}");
            for name in [GenerationName::new(seq, digest).unwrap(), GenerationName::of_plain_pair(seq, digest)] {
                assert_eq!(GenerationName::parse(name.as_str()), Some(name.clone()));
                assert_eq!(GenerationName::parse_parent(&name.parent_target()), Some(name.clone()));
                assert_eq!((name.seq, name.digest, name.as_str().len()), (seq, digest, 54));
                assert!(name.parent_target().as_os_str().len() < 60);
            }
        }
    }

    #[test]
    fn only_names_of_the_grammar_are_names() {
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
        assert!(is_of_other_format("snapshot_00000000000000000042.json"));
        assert!(is_of_other_format("snapshot_00000000000000000042"));
        for other in ["snapshot_0000000000000000042.json", "snapshot_twenty_characters___.json", "snapshot.json"] {
            assert!(!is_of_other_format(other), "{other:?}");
        }
        assert!(is_stage(".stage-4k0q8w1z7m3x5r2t"));
        for bad in [".stage-", ".stage-short", "stage-4k0q8w1z7m3x5r2t", ".stage-4k0q8w1z7m3x5r/t"] {
            assert!(!is_stage(bad), "{bad:?}");
        }
    }
}
