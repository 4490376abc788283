//! What is intact in a store's folder, looked at from outside: for a store whose commit record is lost or can't be read, so
//! that no history tells.

use minisnap::{
    Digest, Generation,
    format::{JSON_NAME, SEQ_NAME, parse_seq},
};
use std::{
    cmp::Reverse,
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
};

/// The generations in a folder.
#[derive(Debug, Default)]
pub(crate) struct Salvage {
    /// Those whose bytes are as they were published, by their name. First the one that no other was published over, then
    /// those before it.
    pub(crate) intact: Vec<Generation>,
    /// Those that are not.
    pub(crate) damaged: Vec<Generation>,
    /// Whether the commit record can be replaced by a link: it is one, or it isn't there.
    pub(crate) record_is_replaceable: bool,
}

impl Salvage {
    /// Reads every generation in a store's folder. Takes as long as that.
    pub(crate) fn of(store: &Path) -> io::Result<Self> {
        let snapshots = store.join("snapshots");
        let record_is_replaceable = snapshots
            .join("current")
            .symlink_metadata()
            .map_or_else(|error| error.kind() == io::ErrorKind::NotFound, |record| record.is_symlink());
        let mut found = Vec::new();
        for entry in fs::read_dir(&snapshots)? {
            let entry = entry?;
            let name = entry.file_name();
            if let Some(generation) = name.to_str().and_then(by_name).filter(|_| entry.path().is_dir()) {
                let size = fs::metadata(entry.path().join(JSON_NAME)).map_or(0, |json| json.len());
                found.push(generation.with_size(size).with_time(entry.metadata()?.modified()?));
            }
        }
        let (intact, damaged) =
            in_order(&snapshots, found).into_iter().partition(|generation| is_intact(&snapshots, generation));
        Ok(Self { intact, damaged, record_is_replaceable })
    }
}

/// The generation with this name: its seq in twenty digits, its digest in sixteen, and a random part.
fn by_name(name: &str) -> Option<Generation> {
    let mut parts = name.split('-');
    let (seq, digest, random) = (parts.next()?, parts.next()?, parts.next()?);
    let is_whole = seq.len() == 20 && random.len() == 16 && parts.next().is_none();
    let (seq, digest) = (seq.parse().ok().filter(|_| is_whole)?, Digest::parse(digest)?);
    Some(Generation::new(name, seq).with_digest(digest))
}

fn is_intact(snapshots: &Path, generation: &Generation) -> bool {
    let folder = snapshots.join(generation.name());
    let json = fs::read(folder.join(JSON_NAME)).ok();
    let seq = fs::read(folder.join(SEQ_NAME)).ok().and_then(|seq| parse_seq(&seq).ok());
    json.map(|json| Digest::of(&json)) == generation.digest() && seq == Some(generation.seq())
}

/// From each that is no other's parent, the most recently written first, back to the first that was published.
fn in_order(snapshots: &Path, mut found: Vec<Generation>) -> Vec<Generation> {
    let parent = |generation: &Generation| -> Option<String> {
        let target: PathBuf = fs::read_link(snapshots.join(generation.name()).join("parent")).ok()?;
        target.file_name()?.to_str().map(str::to_owned)
    };
    let parents: HashSet<String> = found.iter().filter_map(parent).collect();
    found.sort_by_key(|generation| {
        (parents.contains(generation.name()), Reverse((generation.time(), generation.seq())))
    });
    let mut ordered: Vec<Generation> = Vec::new();
    for generation in &found {
        let mut next = Some(generation);
        while let Some(generation) = next.filter(|next| !ordered.contains(next)) {
            ordered.push(generation.clone());
            let parent = parent(generation);
            next = found.iter().find(|found| Some(found.name()) == parent.as_deref());
        }
    }
    ordered
}
