//! The model of a disk with pending changes.

use crate::{Event, Listing, Tree, data::Data};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

type Id = usize;
type Entries = BTreeMap<String, Id>;

/// An atomic change of entries: the new node of each name; `None` if the name is removed.
type Change = Vec<(String, Option<Id>)>;

#[derive(Debug, Clone)]
enum Node {
    Folder { durable: Entries, pending: Vec<Change> },
    File(Data),
    Link(String),
}

/// A disk, with the changes that aren't durable yet.
#[derive(Debug, Clone)]
pub struct Model(Vec<Node>);

/// The other entries of the same folder, for the filter of [`Model::after_power_loss`].
pub struct Siblings<'a> {
    model: &'a Model,
    entries: &'a Entries,
}

impl<'a> Siblings<'a> {
    /// Returns the target of the link with this name; `None` if there is no such link.
    #[must_use]
    pub fn link(&self, name: &str) -> Option<&'a str> {
        match &self.model.0[*self.entries.get(name)?] {
            Node::Link(target) => Some(target),
            _ => None,
        }
    }
}

const ROOT: Id = 0;

impl Model {
    /// A disk with `tree`, all of it durable.
    #[must_use]
    pub fn of(tree: &Tree) -> Self {
        let mut model = Self(Vec::new());
        model.add(tree);
        model
    }

    fn add(&mut self, tree: &Tree) -> Id {
        let id = self.new_node(match tree {
            Tree::Folder(_) => Node::Folder { durable: Entries::new(), pending: Vec::new() },
            Tree::File(bytes) => Node::File(Data::durable(bytes.clone())),
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

    /// Applies an event.
    ///
    /// # Panics
    ///
    /// If the event isn't possible in this state: the recording is invalid.
    pub fn apply(&mut self, event: &Event) {
        let empty_folder = || Node::Folder { durable: Entries::new(), pending: Vec::new() };
        match event {
            Event::CreateFolders(path) => {
                let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
                for folder in ends.map(|end| &path[..end]) {
                    if self.find(folder).is_none() {
                        self.create(folder, empty_folder());
                    }
                }
            }
            Event::CreateFolder(path) => self.create(path, empty_folder()),
            Event::CreateFile(path) => self.create(path, Node::File(Data::durable(Vec::new()))),
            Event::Link(target, path) => self.create(path, Node::Link(target.clone())),
            Event::Write(path, bytes) => self.data(path).append(bytes),
            Event::WriteAt(path, offset, bytes) => self.data(path).write_at(*offset, bytes),
            Event::SetLength(path, length) => self.data(path).set_length(*length),
            Event::Rename(from, to) => self.rename(from, to),
            Event::Remove(path) => {
                assert!(self.find(path).is_some(), "there is no {path} to remove");
                let (folder, name) = split(path);
                self.change(folder, vec![(name.into(), None)]);
            }
            Event::Sync(path) => match self.node(path) {
                Node::File(data) => data.sync(),
                Node::Folder { durable, pending } => {
                    pending.drain(..).for_each(|change| apply_change(durable, &change));
                }
                Node::Link(_) => panic!("{path} is a link"),
            },
        }
    }

    fn create(&mut self, path: &str, node: Node) {
        assert_eq!(self.find(path), None, "{path} already exists");
        let id = self.new_node(node);
        let (folder, name) = split(path);
        self.change(folder, vec![(name.into(), Some(id))]);
    }

    fn rename(&mut self, from: &str, to: &str) {
        let id = self.find(from);
        assert!(id.is_some(), "there is no {from} to rename");
        let ((from_folder, from_name), (to_folder, to_name)) = (split(from), split(to));
        let (removed, added) = ((from_name.to_owned(), None), (to_name.to_owned(), id));
        if from_folder == to_folder {
            self.change(from_folder, vec![removed, added]);
        } else {
            self.change(to_folder, vec![added]);
            self.change(from_folder, vec![removed]);
        }
    }

    fn change(&mut self, folder: &str, change: Change) {
        match self.node(folder) {
            Node::Folder { pending, .. } => pending.push(change),
            other => panic!("{folder} isn't a folder: {other:?}"),
        }
    }

    fn data(&mut self, path: &str) -> &mut Data {
        match self.node(path) {
            Node::File(data) => data,
            other => panic!("{path} isn't a file: {other:?}"),
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
        pending.iter().for_each(|change| apply_change(&mut entries, change));
        entries
    }

    /// Returns the length of the file at a path, as running programs see it; `None` if there is no file.
    #[must_use]
    pub fn length(&self, path: &str) -> Option<usize> {
        self.read(path).map(<[u8]>::len)
    }

    /// Returns the bytes of the file at a path, as running programs see them; `None` if there is no file.
    ///
    /// So a model can be the disk of the program under test, if the program does its I/O through a layer that the test replaces.
    #[must_use]
    pub fn read(&self, path: &str) -> Option<&[u8]> {
        match &self.0[self.find(path)?] {
            Node::File(data) => Some(data.now()),
            _ => None,
        }
    }

    /// Returns the state that running programs see.
    #[must_use]
    pub fn now(&self) -> Arc<Tree> {
        self.tree_now(ROOT)
    }

    /// Returns the state after a power loss in which no change survives that isn't durable.
    #[must_use]
    pub fn durable(&self) -> Arc<Tree> {
        self.tree_durable(ROOT)
    }

    fn tree_durable(&self, id: Id) -> Arc<Tree> {
        Arc::new(match &self.0[id] {
            Node::Folder { durable, .. } => {
                Tree::Folder(durable.iter().map(|(name, id)| (name.clone(), self.tree_durable(*id))).collect())
            }
            Node::File(data) => Tree::File(data.without_pending().to_vec()),
            Node::Link(target) => Tree::Link(target.clone()),
        })
    }

    fn tree_now(&self, id: Id) -> Arc<Tree> {
        Arc::new(match &self.0[id] {
            Node::Folder { .. } => {
                Tree::Folder(self.entries(id).into_iter().map(|(name, id)| (name, self.tree_now(id))).collect())
            }
            Node::File(data) => Tree::File(data.now().to_vec()),
            Node::Link(target) => Tree::Link(target.clone()),
        })
    }

    /// Returns every state in which the disk may be found after a power loss now.
    ///
    /// `is_never_read` reduces the number of states. It gets each entry of each folder, with the other entries of the same state. If it
    /// returns `true`, files under this entry are complete in every state; their names still vary. Return `true` for files whose content
    /// the program never reads. To get all states, pass `&|_, _| false`.
    pub fn after_power_loss(&self, is_never_read: &dyn Fn(&str, &Siblings<'_>) -> bool) -> Vec<Arc<Tree>> {
        CrashStates { model: self, is_never_read, cache: HashMap::new() }.of(ROOT, Reading::Some)
    }
}

/// Computes the states after a power loss, once for each node.
struct CrashStates<'a> {
    model: &'a Model,
    is_never_read: &'a dyn Fn(&str, &Siblings<'_>) -> bool,
    cache: HashMap<(Id, Reading), Vec<Arc<Tree>>>,
}

/// Whether the program reads the data of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Reading {
    Some,
    Never,
}

impl CrashStates<'_> {
    /// The states of a node.
    fn of(&mut self, id: Id, reading: Reading) -> Vec<Arc<Tree>> {
        if let Some(cache) = self.cache.get(&(id, reading)) {
            return cache.clone();
        }
        let model = self.model;
        let trees: Vec<_> = match &model.0[id] {
            Node::Link(target) => vec![Tree::Link(target.clone())],
            Node::File(data) if reading == Reading::Never => vec![Tree::File(data.now().to_vec())],
            Node::File(data) => data.crash_states().into_iter().map(Tree::File).collect(),
            Node::Folder { durable, pending } => {
                let listings = crash_states_of_entries(durable, pending);
                listings.iter().flat_map(|entries| self.of_folder(entries, reading)).map(Tree::Folder).collect()
            }
        };
        let trees: Vec<_> = trees.into_iter().map(Arc::new).collect();
        self.cache.insert((id, reading), trees.clone());
        trees
    }

    /// The states of a folder with these entries.
    fn of_folder(&mut self, entries: &Entries, reading: Reading) -> Vec<Listing> {
        let siblings = Siblings { model: self.model, entries };
        let mut folders = vec![Listing::new()];
        for (name, id) in entries {
            let reading = if (self.is_never_read)(name, &siblings) { Reading::Never } else { reading };
            folders = with_each(&folders, name, &self.of(*id, reading));
        }
        folders
    }
}

/// Combines each of the folders with each of the trees under a name.
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

fn crash_states_of_entries(durable: &Entries, pending: &[Change]) -> BTreeSet<Entries> {
    let mut listings = BTreeSet::from([durable.clone()]);
    for change in pending {
        let changed = listings.clone().into_iter().map(|mut entries| {
            apply_change(&mut entries, change);
            entries
        });
        listings.extend(changed);
    }
    listings
}

fn apply_change(entries: &mut Entries, change: &Change) {
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
