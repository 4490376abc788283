//! What is current, and what came before it: the commit record and the history it leads to.

use crate::{
    disk::{Disk, Entry},
    inside,
    layout::{GenerationName, Layout, NOTHING_PUBLISHED, PARENT, RETAINED},
    repair, text_links,
};
use minisnap_core::{Corruption, Generation, MiniSnapError, Result, format::JSON_NAME};
use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
};

/// What the commit record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CommitRecord {
    /// There is none: no stage was ever begun here, or it was lost.
    Absent,
    /// Nothing was published yet.
    Nothing,
    /// This generation is the current one.
    Current(GenerationName),
}

impl CommitRecord {
    pub(crate) fn current(&self) -> Option<&GenerationName> {
        match self {
            Self::Current(name) => Some(name),
            Self::Absent | Self::Nothing => None,
        }
    }

    pub(crate) fn into_current(self) -> Option<GenerationName> {
        match self {
            Self::Current(name) => Some(name),
            Self::Absent | Self::Nothing => None,
        }
    }
}

/// Reads the commit record: one `readlink`.
///
/// # Errors
///
/// `Corrupt` if it is none of ours; `InsideStore` if there is none and the folder is a part of another store.
pub(crate) fn read(disk: Disk, layout: &Layout) -> Result<CommitRecord> {
    let path = layout.current();
    let entry = match disk.entry(&path) {
        Err(error) if inside::is_below_a_file(&error) => return inside::refuse(disk, layout.dir()).and(Err(error)),
        entry => entry?,
    };
    let found = match entry {
        Entry::Missing => {
            refuse_dangling_links(disk, &path)?;
            return inside::refuse(disk, layout.dir()).map(|()| CommitRecord::Absent);
        }
        Entry::Link(target) => match parse(&target) {
            Some(record) => return Ok(record),
            None => format!("it points to {target:?}, which is not the name of a generation"),
        },
        Entry::File if text_links::record_in(disk, &path)?.is_some() => {
            "it is a file with the text of a link, as after zip, or git with core.symlinks=false".into()
        }
        Entry::File => "it is a file instead of a link".into(),
        Entry::Folder => "it is a folder instead of a link, as after a copy that followed links (cp -L, zip)".into(),
        Entry::Other => "it is neither a link, a file nor a folder".into(),
    };
    Err(repair::corrupt(disk, layout, &path, Corruption::RecordUnreadable { found }))
}

/// What a commit record says, if it is of the grammar.
pub(crate) fn parse(target: &Path) -> Option<CommitRecord> {
    if target == Path::new(NOTHING_PUBLISHED) {
        return Some(CommitRecord::Nothing);
    }
    target.to_str().and_then(GenerationName::parse).map(CommitRecord::Current)
}

/// A link to nothing on the way to what isn't there may lead to a disk that isn't mounted: that is no empty store.
fn refuse_dangling_links(disk: Disk, missing: &Path) -> Result<()> {
    // Not itself: `current -> none` leads to nothing on purpose, and another writer may have placed it by now.
    for folder in missing.ancestors().skip(1) {
        match disk.entry(folder)? {
            Entry::Missing => {}
            Entry::Link(target) if !disk.exists(folder)? => {
                let found =
                    format!("it is a link to {}, where there is nothing: is a disk not mounted?", target.display());
                return Err(disk.error("open the folder", folder, io::Error::new(io::ErrorKind::NotFound, found)));
            }
            _ => break,
        }
    }
    Ok(())
}

/// The retained generations, newest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    pub(crate) retained: Vec<GenerationName>,
    /// How many the newest one says there are. Where that is lost, any number: as good as infinitely many.
    count: usize,
}

impl History {
    /// Follows the parent links from `current`, as far as they reach and as many as it retains.
    pub(crate) fn from(disk: Disk, layout: &Layout, current: Option<&GenerationName>) -> Result<Self> {
        let Some(current) = current else { return Ok(Self::default()) };
        let mut retained = vec![current.clone()];
        let Some(mut oldest) = folder(disk, layout, current)? else { return Ok(Self { retained, count: usize::MAX }) };
        let count = read_retained(disk, &oldest)?.unwrap_or(usize::MAX);
        let mut seen = HashSet::from([current.clone()]);
        while retained.len() < count {
            let Some(parent) = parent_in(disk, &oldest)? else { break };
            let Some(folder) = folder(disk, layout, &parent)? else { break };
            if !seen.insert(parent.clone()) {
                break;
            }
            retained.push(parent);
            oldest = folder;
        }
        Ok(Self { retained, count })
    }

    /// One without a gap.
    pub(crate) fn whole(retained: Vec<GenerationName>) -> Self {
        let count = retained.len();
        Self { retained, count }
    }

    pub(crate) fn newest(&self) -> Option<&GenerationName> {
        self.retained.first()
    }

    /// The history of what the commit record says now; empty if nothing was committed.
    pub(crate) fn of_current(disk: Disk, layout: &Layout) -> Result<Self> {
        Self::from(disk, layout, read(disk, layout)?.current())
    }

    /// Whether the commit record, and the number that are retained, are still what this was read from.
    pub(crate) fn is_up_to_date(&self, disk: Disk, layout: &Layout) -> Result<bool> {
        let record = read(disk, layout)?;
        Ok(match self.newest() {
            newest if record.current() != newest => false,
            Some(newest) => retained_by(disk, layout, newest)? == self.count,
            None => true,
        })
    }

    /// The newest `retain` of it.
    pub(crate) fn reduced(mut self, retain: usize) -> Self {
        self.retained.truncate(retain);
        self.count = self.count.min(retain);
        self
    }

    /// Where the history ends too early, and what is wrong there. `None` if it is whole.
    pub(crate) fn gap(&self, layout: &Layout) -> Option<(PathBuf, Corruption)> {
        let (newest, oldest) = (self.newest()?, self.retained.last()?);
        if self.is_whole() {
            return None;
        }
        let found = self.retained.len() as u64;
        Some(if self.count == usize::MAX {
            (layout.generation(newest).join(RETAINED), Corruption::HistoryGap { retained: None, found })
        } else {
            let retained = Some(self.count as u64);
            (layout.generation(oldest).join(PARENT), Corruption::HistoryGap { retained, found })
        })
    }

    /// The expired generations that are still there: those before the oldest retained one, as far as their links reach. Other
    /// generations were never committed.
    pub(crate) fn expired(&self, disk: Disk, layout: &Layout) -> Result<HashSet<GenerationName>> {
        let mut expired = HashSet::new();
        let Some(oldest) = self.retained.last().filter(|_| self.is_whole()) else { return Ok(expired) };
        let mut next = read_parent(disk, layout, oldest)?;
        while let Some(name) = next.filter(|name| !self.contains(name)) {
            next = read_parent(disk, layout, &name)?;
            if !expired.insert(name) {
                break;
            }
        }
        Ok(expired)
    }

    /// Whether all that should be retained was found. If not, a folder was moved or lost, and what its parent link would
    /// have led to can't be told from debris.
    pub(crate) fn is_whole(&self) -> bool {
        self.retained.len() == self.count
    }

    /// How many are retained, those out of reach included.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// How many are retained besides the `newest` so many, those out of reach included.
    pub(crate) fn count_without(&self, newest: usize) -> usize {
        if self.count == usize::MAX { self.count } else { self.count.saturating_sub(newest) }
    }

    /// Leaves the newest out.
    pub(crate) fn skip_newest(&mut self) {
        if !self.retained.is_empty() {
            self.retained.remove(0);
            self.count = self.count_without(1);
        }
    }

    pub(crate) fn names(&self) -> HashSet<&str> {
        self.retained.iter().map(GenerationName::as_str).collect()
    }

    pub(crate) fn contains(&self, name: &GenerationName) -> bool {
        self.retained.contains(name)
    }

    /// The generations, with the size and time of their files.
    pub(crate) fn describe(&self, disk: Disk, layout: &Layout) -> Result<Vec<Generation>> {
        self.retained.iter().map(|name| describe(disk, layout, name)).collect()
    }
}

/// The folder of a generation, if it is there. A link to a folder isn't one, nor is anything else: what a link leads to is
/// not the store's, whatever it says.
pub(crate) fn folder(disk: Disk, layout: &Layout, name: &GenerationName) -> Result<Option<PathBuf>> {
    let folder = layout.generation(name);
    Ok(disk.is_folder(&folder)?.then_some(folder))
}

/// A generation with the size and time of its JSON, as far as the file is there.
pub(crate) fn describe(disk: Disk, layout: &Layout, name: &GenerationName) -> Result<Generation> {
    match folder(disk, layout, name)? {
        Some(folder) => describe_in(disk, &folder, name),
        None => Ok(name.to_generation()),
    }
}

pub(crate) fn describe_in(disk: Disk, folder: &Path, name: &GenerationName) -> Result<Generation> {
    let generation = name.to_generation();
    Ok(match disk.size_and_time(&folder.join(JSON_NAME))? {
        Some((size, time)) => generation.with_size(size).with_time(time),
        None => generation,
    })
}

/// The parent a generation names, whether or not it is still there.
pub(crate) fn read_parent(disk: Disk, layout: &Layout, name: &GenerationName) -> Result<Option<GenerationName>> {
    match folder(disk, layout, name)? {
        Some(folder) => parent_in(disk, &folder),
        None => Ok(None),
    }
}

fn parent_in(disk: Disk, folder: &Path) -> Result<Option<GenerationName>> {
    Ok(read_link(disk, &folder.join(PARENT))?.and_then(|target| GenerationName::parse_parent(&target)))
}

/// How many a generation says are retained: any number, if that is lost.
pub(crate) fn retained_by(disk: Disk, layout: &Layout, name: &GenerationName) -> Result<usize> {
    let retained = folder(disk, layout, name)?.map(|folder| read_retained(disk, &folder)).transpose()?;
    Ok(retained.flatten().unwrap_or(usize::MAX))
}

/// Makes durable how many a generation says are retained, without write access. `false` if its folder is gone.
pub(crate) fn sync_retained(disk: Disk, layout: &Layout, name: &GenerationName) -> Result<bool> {
    let Some(folder) = folder(disk, layout, name)? else { return Ok(false) };
    match disk.sync_folder_to_read(&folder) {
        Err(MiniSnapError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(false),
        synced => synced.map(|()| true),
    }
}

fn read_retained(disk: Disk, folder: &Path) -> Result<Option<usize>> {
    let target = read_link(disk, &folder.join(RETAINED))?;
    Ok(target.and_then(|target| target.to_str()?.parse().ok()).filter(|count| *count > 0))
}

/// What a link of a generation says, also where it came back as a file with its text.
fn read_link(disk: Disk, path: &Path) -> Result<Option<PathBuf>> {
    match disk.entry(path)? {
        Entry::Link(target) => Ok(Some(target)),
        Entry::File => Ok(text_links::text_in(disk, path)?.map(PathBuf::from)),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use minisnap_core::Operation;

    #[test]
    fn a_record_that_was_placed_since_it_was_missing_is_no_disk_that_is_not_mounted() {
        let folder = tempfile::TempDir::new().unwrap();
        let (disk, layout) = (Disk::new(Operation::Stage), Layout::new(folder.path().into()));
        disk.create_folder(&layout.snapshots()).unwrap();
        // A reader has found no record; and before it looks for the reason:
        disk.link(Path::new(NOTHING_PUBLISHED), &layout.current()).unwrap();
        refuse_dangling_links(disk, &layout.current()).unwrap();
    }

    #[test]
    fn a_link_to_nothing_on_the_way_to_a_missing_record_is_no_empty_store() {
        let folder = tempfile::TempDir::new().unwrap();
        let (disk, layout) = (Disk::new(Operation::Stage), Layout::new(folder.path().join("state")));
        disk.link(Path::new("not mounted"), layout.dir()).unwrap();
        let error = read(disk, &layout).unwrap_err();
        assert_eq!(error.at().location(), layout.dir().to_str().unwrap());
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("not mounted"), "{error:?}");
    }
}
