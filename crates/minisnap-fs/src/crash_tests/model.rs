//! What is on the disk and what is only in memory, call by call; and every state a power loss may leave.
//!
//! What is assumed, no more than POSIX and the common file systems give:
//!
//! - Data written since a file's last sync may be there, be cut off half-way, be zeros, or not be there at all. Its size
//!   and its bytes are lost apart from its name: a name may survive with an empty file.
//! - Each change of a folder's entries since its last sync (a name made, removed, or taken by another file) may be there
//!   or not, whatever became of the others; of two changes to one name the later wins if both are there.
//! - A rename within a folder is one change: old name gone, new name there. One across two folders is a change in each,
//!   and either may survive alone. File systems with a journal never do that, but nothing promises it.
//! - A synced file's data is there, under whatever names survive; a synced folder's entries are there, as they were.
//! - A folder whose name didn't survive takes what is in it with it, synced or not.
//! - A symbolic link is whole if its name is there: it can't be synced by itself, and short ones live in the inode.

use super::recorder::Event;
use crate::layout::{GenerationName, is_stage};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs, io,
    os::unix,
    path::Path,
    sync::Arc,
};

/// What a disk holds at rest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Tree {
    Folder(Listing),
    File(Vec<u8>),
    Link(String),
}

type Listing = BTreeMap<String, Arc<Tree>>;

impl Tree {
    /// What is in a folder, its names put through `tame`.
    pub(super) fn read_from(path: &Path, tame: &impl Fn(&str) -> String) -> io::Result<Arc<Self>> {
        let kind = fs::symlink_metadata(path)?.file_type();
        Ok(Arc::new(if kind.is_symlink() {
            Self::Link(tame(&fs::read_link(path)?.to_string_lossy()))
        } else if kind.is_file() {
            Self::File(fs::read(path)?)
        } else {
            let entries = fs::read_dir(path)?.map(|entry| {
                let entry = entry?;
                Ok((tame(&entry.file_name().to_string_lossy()), Self::read_from(&entry.path(), tame)?))
            });
            Self::Folder(entries.collect::<io::Result<_>>()?)
        }))
    }

    /// Lays it out at `path`, where nothing may be.
    pub(super) fn write_to(&self, path: &Path) -> io::Result<()> {
        match self {
            Self::File(bytes) => fs::write(path, bytes),
            Self::Link(target) => unix::fs::symlink(target, path),
            Self::Folder(entries) => {
                fs::create_dir(path)?;
                entries.iter().try_for_each(|(name, tree)| tree.write_to(&path.join(name)))
            }
        }
    }
}

type Id = usize;
type Entries = BTreeMap<String, Id>;

/// Names and what they stand for from now on, all at once; `None` for nothing.
type Change = Vec<(String, Option<Id>)>;

#[derive(Debug, Clone)]
enum Node {
    Folder { durable: Entries, pending: Vec<Change> },
    File { durable: Vec<u8>, now: Vec<u8> },
    Link(String),
}

/// A disk, and what the system has yet to write to it.
#[derive(Debug, Clone)]
pub(super) struct Model(Vec<Node>);

const ROOT: Id = 0;

impl Model {
    /// All of `tree` is durable.
    pub(super) fn of(tree: &Tree) -> Self {
        let mut model = Self(Vec::new());
        model.add(tree);
        model
    }

    fn add(&mut self, tree: &Tree) -> Id {
        let id = self.new_node(match tree {
            Tree::Folder(_) => Node::Folder { durable: Entries::new(), pending: Vec::new() },
            Tree::File(bytes) => Node::File { durable: bytes.clone(), now: bytes.clone() },
            Tree::Link(target) => Node::Link(target.clone()),
        });
        if let Tree::Folder(entries) = tree {
            let entries = entries.iter().map(|(name, tree)| (name.clone(), self.add(tree))).collect();
            self.0[id] = Node::Folder { durable: entries, pending: Vec::new() };
        }
        id
    }

    fn new_node(&mut self, node: Node) -> Id {
        self.0.push(node);
        self.0.len() - 1
    }

    /// Does what the system did. What isn't possible here was recorded wrongly.
    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            Event::CreateFolders(path) => {
                let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
                for folder in ends.map(|end| &path[..end]) {
                    if self.find(folder).is_none() {
                        self.create(folder, Node::Folder { durable: Entries::new(), pending: Vec::new() });
                    }
                }
            }
            Event::CreateFolder(path) => {
                self.create(path, Node::Folder { durable: Entries::new(), pending: Vec::new() });
            }
            Event::CreateFile(path) => self.create(path, Node::File { durable: Vec::new(), now: Vec::new() }),
            Event::Link(target, path) => self.create(path, Node::Link(target.clone())),
            Event::Write(path, bytes) => match &mut self.node(path) {
                Node::File { now, .. } => now.extend_from_slice(bytes),
                other => panic!("{path} is no file: {other:?}"),
            },
            Event::Rename(from, to) => self.rename(from, to),
            Event::Remove(path) => {
                let (folder, name) = split(path);
                self.change(folder, vec![(name.into(), None)]);
            }
            Event::Sync(path) => match self.node(path) {
                Node::File { durable, now } => durable.clone_from(now),
                Node::Folder { durable, pending } => pending.drain(..).for_each(|change| take(durable, &change)),
                Node::Link(_) => panic!("{path} is a link"),
            },
        }
    }

    fn create(&mut self, path: &str, node: Node) {
        assert_eq!(self.find(path), None, "{path} is there already");
        let id = self.new_node(node);
        let (folder, name) = split(path);
        self.change(folder, vec![(name.into(), Some(id))]);
    }

    fn rename(&mut self, from: &str, to: &str) {
        let id = self.find(from);
        let ((from_folder, from_name), (to_folder, to_name)) = (split(from), split(to));
        let (gone, there) = ((from_name.to_owned(), None), (to_name.to_owned(), id));
        if from_folder == to_folder {
            self.change(from_folder, vec![gone, there]);
        } else {
            self.change(to_folder, vec![there]);
            self.change(from_folder, vec![gone]);
        }
    }

    fn change(&mut self, folder: &str, change: Change) {
        match self.node(folder) {
            Node::Folder { pending, .. } => pending.push(change),
            other => panic!("{folder} is no folder: {other:?}"),
        }
    }

    fn node(&mut self, path: &str) -> &mut Node {
        let id = self.find(path).unwrap_or_else(|| panic!("there is no {path}"));
        &mut self.0[id]
    }

    fn find(&self, path: &str) -> Option<Id> {
        path.split('/').filter(|name| !name.is_empty()).try_fold(ROOT, |id, name| match &self.0[id] {
            Node::Folder { .. } => self.entries(id).get(name).copied(),
            _ => None,
        })
    }

    fn entries(&self, id: Id) -> Entries {
        let Node::Folder { durable, pending } = &self.0[id] else { return Entries::new() };
        let mut entries = durable.clone();
        pending.iter().for_each(|change| take(&mut entries, change));
        entries
    }

    /// What programs see.
    pub(super) fn now(&self) -> Arc<Tree> {
        self.tree_now(ROOT)
    }

    fn tree_now(&self, id: Id) -> Arc<Tree> {
        Arc::new(match &self.0[id] {
            Node::Folder { .. } => {
                Tree::Folder(self.entries(id).into_iter().map(|(name, id)| (name, self.tree_now(id))).collect())
            }
            Node::File { now, .. } => Tree::File(now.clone()),
            Node::Link(target) => Tree::Link(target.clone()),
        })
    }

    /// Every state in which the disk may be found if the power goes now.
    pub(super) fn after_power_loss(&self) -> Vec<Arc<Tree>> {
        self.remains(ROOT, Data::Matters, &mut HashMap::new())
    }

    fn remains(&self, id: Id, data: Data, known: &mut HashMap<(Id, Data), Vec<Arc<Tree>>>) -> Vec<Arc<Tree>> {
        if let Some(known) = known.get(&(id, data)) {
            return known.clone();
        }
        let mut trees = Vec::new();
        match &self.0[id] {
            Node::Link(target) => trees.push(Tree::Link(target.clone())),
            Node::File { now, .. } if data == Data::IsNeverRead => trees.push(Tree::File(now.clone())),
            Node::File { durable, now } => trees.extend(remains_of_data(durable, now).into_iter().map(Tree::File)),
            Node::Folder { durable, pending } => {
                for entries in remains_of_entries(durable, pending) {
                    let mut folders = vec![BTreeMap::new()];
                    for (name, id) in &entries {
                        let data = if self.is_never_read(name, &entries) { Data::IsNeverRead } else { data };
                        folders = with_each(&folders, name, &self.remains(*id, data, known));
                    }
                    trees.extend(folders.into_iter().map(Tree::Folder));
                }
            }
        }
        let trees: Vec<_> = trees.into_iter().map(Arc::new).collect();
        known.insert((id, data), trees.clone());
        trees
    }

    /// Whether it is a stage, or a generation and the commit record beside it says another. Either it was current before,
    /// and was looked at as such, or nothing is ever done with it but removing it: which files are there makes a
    /// difference, what they say doesn't.
    fn is_never_read(&self, name: &str, beside: &Entries) -> bool {
        let is_current = beside.get("current").is_some_and(|id| matches!(&self.0[*id], Node::Link(it) if it == name));
        is_stage(name) || (GenerationName::parse(name).is_some() && !is_current)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Data {
    Matters,
    IsNeverRead,
}

/// Each of the folders, with each of the trees under a name in it.
fn with_each(folders: &[Listing], name: &str, trees: &[Arc<Tree>]) -> Vec<Listing> {
    let pairs = folders.iter().flat_map(|folder| trees.iter().map(move |tree| (folder, tree)));
    pairs
        .map(|(folder, tree)| {
            let mut folder = folder.clone();
            folder.insert(name.to_owned(), tree.clone());
            folder
        })
        .collect()
}

fn remains_of_entries(durable: &Entries, pending: &[Change]) -> BTreeSet<Entries> {
    let mut listings = BTreeSet::from([durable.clone()]);
    for change in pending {
        let with_it = listings.clone().into_iter().map(|mut entries| {
            take(&mut entries, change);
            entries
        });
        listings.extend(with_it);
    }
    listings
}

fn remains_of_data(durable: &[u8], now: &[u8]) -> BTreeSet<Vec<u8>> {
    let half = durable.len() + (now.len() - durable.len()) / 2;
    let mut zeros = durable.to_vec();
    zeros.resize(now.len(), 0);
    BTreeSet::from([durable.to_vec(), now[..half].to_vec(), zeros, now.to_vec()])
}

fn take(entries: &mut Entries, change: &Change) {
    for (name, id) in change {
        match id {
            Some(id) => entries.insert(name.clone(), *id),
            None => entries.remove(name),
        };
    }
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}
