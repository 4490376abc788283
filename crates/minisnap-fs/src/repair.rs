//! What a person does about links that are lost or wrong: remedies that can be pasted into a shell, and end with the newest
//! intact snapshot as the current one. Only looking; nothing is changed here.

use crate::{
    disk::{Disk, Entry},
    files,
    layout::{CURRENT, GenerationName, Layout, NOTHING_PUBLISHED, RETAINED},
    names::PlainPair,
    record::{self, CommitRecord, History},
    text_links,
};
use minisnap_core::{Corruption, Generation, MiniSnapError};
use std::{cmp::Reverse, collections::HashSet, path::Path};

/// The error for a store whose links are not as they should be, with the remedy.
pub(crate) fn corrupt(disk: Disk, layout: &Layout, path: &Path, found: Corruption) -> MiniSnapError {
    let chain = Chain::find(disk, layout);
    let remedy = if chain.is_known || !is_plain_pair(disk, layout) {
        chain.remedy(disk, layout)
    } else {
        let snapshots = layout.snapshots();
        format!(
            "copy again with links kept (cp -a, tar, rsync -a), or take the two plain files in {} as the snapshot, by moving \
             the rest out of their way: `mv {} {}`",
            layout.dir().display(),
            quoted(&snapshots.display().to_string()),
            quoted(&format!("{}.copied", snapshots.display()))
        )
    };
    MiniSnapError::Corrupt { at: disk.at(path), found, intact: chain.intact(), help: Some(remedy) }
}

/// What to do where no generation is intact.
pub(crate) const NOTHING_IS_INTACT: &str = "no generation is intact: bring the folder back from a backup, with links kept \
                                            (cp -a, tar, rsync -a), or start without a snapshot, from the whole log";

/// The error for a store whose commit record is missing, while there are generations.
pub(crate) fn lost_record(disk: Disk, layout: &Layout, found: Corruption) -> MiniSnapError {
    let chain = Chain::find(disk, layout);
    let remedy = format!("bring the link back from a backup; or {}", chain.remedy(disk, layout));
    MiniSnapError::Corrupt { at: disk.at(&layout.current()), found, intact: chain.intact(), help: Some(remedy) }
}

fn is_intact(disk: Disk, layout: &Layout, name: &GenerationName) -> bool {
    matches!(files::check_files(disk, layout, name), Ok(None))
}

/// Whether there is a plain pair that could be taken as the snapshot, and isn't the text of links.
fn is_plain_pair(disk: Disk, layout: &Layout) -> bool {
    layout.names().iter().all(|name| !text_links::is_text_of(disk, name).unwrap_or(true))
        && matches!(PlainPair::read(disk, layout), Ok(Some(_)))
}

/// The generations that may be gone back to, newest first.
struct Chain {
    /// With whether each is intact.
    generations: Vec<(GenerationName, bool)>,
    /// How many are retained, by what the newest says; unknown if it isn't known which the newest is.
    count: Option<usize>,
    /// The commit record can be understood, or is a link that leads nowhere: it is no copy.
    is_known: bool,
    /// Nothing was published yet.
    is_empty: bool,
}

impl Chain {
    /// The history from what the commit record says, if it can still be understood; else all generations that there are.
    fn find(disk: Disk, layout: &Layout) -> Self {
        let path = layout.current();
        let entry = disk.entry(&path).unwrap_or(Entry::Missing);
        let said = match &entry {
            Entry::Link(target) => record::parse(target),
            Entry::File => text_links::record_in(disk, &path).unwrap_or_default(),
            _ => None,
        };
        let (names, count) = match &said {
            Some(CommitRecord::Current(name)) => {
                let history = History::from(disk, layout, Some(name)).unwrap_or_default();
                let count = history.count();
                (history.retained, Some(count).filter(|count| *count != usize::MAX))
            }
            Some(CommitRecord::Nothing) => (Vec::new(), None),
            Some(CommitRecord::Absent) | None => (all(disk, layout), None),
        };
        let generations = names.into_iter().map(|name| (name.clone(), is_intact(disk, layout, &name))).collect();
        let is_known = said.is_some() || matches!(entry, Entry::Link(_));
        Self { generations, count, is_known, is_empty: said == Some(CommitRecord::Nothing) }
    }

    fn intact(&self) -> Vec<Generation> {
        self.generations.iter().filter(|(_, is_intact)| *is_intact).map(|(name, _)| name.to_generation()).collect()
    }

    /// Makes all links anew, with the newest intact generation as the current one. What is newer and damaged is moved aside: it
    /// would be removed as a generation that isn't retained.
    fn remedy(&self, disk: Disk, layout: &Layout) -> String {
        let newest = self.generations.iter().position(|(_, is_intact)| *is_intact);
        let (target, damaged) = match newest {
            Some(location) => (self.generations[location].0.as_str(), &self.generations[..location]),
            None if self.is_empty => (NOTHING_PUBLISHED, &[][..]),
            None => return NOTHING_IS_INTACT.into(),
        };
        let Some(dir) = layout.dir().to_str() else {
            return format!(
                "copy again with links kept (cp -a, tar, rsync -a); the newest intact generation is {target}"
            );
        };
        let mut commands = vec![format!("cd {}", quoted(dir))];
        for (name, _) in damaged {
            if disk.is_folder(&layout.generation(name)).unwrap_or(false) {
                commands.push(format!("mv snapshots/{name} snapshots/{name}.corrupt"));
            }
        }
        if let Some(count) = self.count.filter(|_| !damaged.is_empty()) {
            commands.push(format!("ln -sfn {} snapshots/{target}/{RETAINED}", count.saturating_sub(damaged.len())));
        }
        if !matches!(disk.entry(&layout.current()), Ok(Entry::Missing | Entry::Link(_) | Entry::File)) {
            commands.push(format!("mv snapshots/{CURRENT} snapshots/{CURRENT}.copied"));
        }
        commands.push(format!("ln -sfn {target} snapshots/{CURRENT}"));
        // Over nothing but our own links, in whichever form: another file may be all there is of what is in it.
        for name in layout.names().iter().filter(|name| {
            disk.entry(&name.path).is_ok_and(|entry| entry != Entry::File)
                || text_links::is_text_of(disk, name).is_ok_and(|is| is)
        }) {
            commands.push(format!("ln -sfn {} {}", name.target.display(), name.file));
        }
        let loop_over_links = "for link in snapshots/*/parent snapshots/*/retained; do [ -L \"$link\" ] || [ ! -f \"$link\" ] || \
                               ln -sf -- \"$(cat \"$link\")\" \"$link\"; done";
        format!("make the links again, in a shell: `{} && {loop_over_links}`", commands.join(" && "))
    }
}

/// All generations in the folder: from each that is no other's parent, the most recently written first, back along the parents.
/// After a rollback, the newest isn't the one with the highest seq.
fn all(disk: Disk, layout: &Layout) -> Vec<GenerationName> {
    let parent = |name: &GenerationName| record::read_parent(disk, layout, name).unwrap_or_default();
    let names = disk.names_in(&layout.snapshots()).unwrap_or_default();
    let mut found: Vec<_> = names.iter().filter_map(|name| GenerationName::parse(name)).collect();
    let parents: HashSet<_> = found.iter().filter_map(parent).collect();
    found.sort_by_cached_key(|name| {
        let time = record::describe(disk, layout, name).ok().and_then(|generation| generation.time());
        (parents.contains(name), Reverse((time, name.seq)))
    });
    let mut ordered: Vec<GenerationName> = Vec::new();
    for name in &found {
        let mut next = Some(name.clone());
        while let Some(name) = next.filter(|next| found.contains(next) && !ordered.contains(next)) {
            next = parent(&name);
            ordered.push(name);
        }
    }
    ordered
}

/// A word for a shell.
pub(crate) fn quoted(text: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "/._-+,:=@%".contains(char);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.into()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
