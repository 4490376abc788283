//! A disk, and what the system has yet to write to it.

use crate::{Event, Listing, Tree, data::Data};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

type Id = usize;
type Entries = BTreeMap<String, Id>;

/// Names and what they stand for from now on, all at once; `None` for nothing.
type Change = Vec<(String, Option<Id>)>;

#[derive(Debug, Clone)]
enum Node {
    Folder { durable: Entries, pending: Vec<Change> },
    File(Data),
    Link(String),
}

/// A disk, and what the system has yet to write to it.
#[derive(Debug, Clone)]
pub struct Model(Vec<Node>);

/// What stands in the same folder.
pub struct Beside<'a> {
    model: &'a Model,
    entries: &'a Entries,
}

impl<'a> Beside<'a> {
    /// What the link of this name says; `None` if there is no such link.
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
    /// A disk that holds `tree`, all of it durable.
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

    /// Does what the system did.
    ///
    /// # Panics
    ///
    /// If it isn't possible here: then it was recorded wrongly.
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
            Event::SetLength(path, length) => self.data(path).set_length(*length),
            Event::Rename(from, to) => self.rename(from, to),
            Event::Remove(path) => {
                assert!(self.find(path).is_some(), "there is no {path} to remove");
                let (folder, name) = split(path);
                self.change(folder, vec![(name.into(), None)]);
            }
            Event::Sync(path) => match self.node(path) {
                Node::File(data) => data.sync(),
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
        assert!(id.is_some(), "there is no {from} to rename");
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

    fn data(&mut self, path: &str) -> &mut Data {
        match self.node(path) {
            Node::File(data) => data,
            other => panic!("{path} is no file: {other:?}"),
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

    /// The length of the file that programs see at a path; `None` if there is no file.
    #[must_use]
    pub fn length(&self, path: &str) -> Option<usize> {
        match &self.0[self.find(path)?] {
            Node::File(data) => Some(data.now().len()),
            _ => None,
        }
    }

    /// What programs see.
    #[must_use]
    pub fn now(&self) -> Arc<Tree> {
        self.tree_now(ROOT)
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

    /// Every state in which the disk may be found if the power goes now.
    ///
    /// `is_never_read` is asked for each entry of each folder, with what else is there in the same state. Where it says so,
    /// every combination of names is still looked at, the files and folders under it included, but files have all of their
    /// data: what they say makes no difference to anybody, and there are many fewer states. A test that has nothing of the
    /// kind says `|_, _| false`.
    pub fn after_power_loss(&self, is_never_read: &dyn Fn(&str, &Beside<'_>) -> bool) -> Vec<Arc<Tree>> {
        Remains { model: self, is_never_read, known: HashMap::new() }.of(ROOT, Reading::Some)
    }
}

/// Works out what may remain; of each node once.
struct Remains<'a> {
    model: &'a Model,
    is_never_read: &'a dyn Fn(&str, &Beside<'_>) -> bool,
    known: HashMap<(Id, Reading), Vec<Arc<Tree>>>,
}

/// Whether anybody reads the data in what is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Reading {
    Some,
    Never,
}

impl Remains<'_> {
    fn of(&mut self, id: Id, reading: Reading) -> Vec<Arc<Tree>> {
        if let Some(known) = self.known.get(&(id, reading)) {
            return known.clone();
        }
        let model = self.model;
        let trees: Vec<_> = match &model.0[id] {
            Node::Link(target) => vec![Tree::Link(target.clone())],
            Node::File(data) if reading == Reading::Never => vec![Tree::File(data.now().to_vec())],
            Node::File(data) => data.remains().into_iter().map(Tree::File).collect(),
            Node::Folder { durable, pending } => {
                let listings = remains_of_entries(durable, pending);
                listings.iter().flat_map(|entries| self.of_folder(entries, reading)).map(Tree::Folder).collect()
            }
        };
        let trees: Vec<_> = trees.into_iter().map(Arc::new).collect();
        self.known.insert((id, reading), trees.clone());
        trees
    }

    fn of_folder(&mut self, entries: &Entries, reading: Reading) -> Vec<Listing> {
        let beside = Beside { model: self.model, entries };
        let mut folders = vec![Listing::new()];
        for (name, id) in entries {
            let reading = if (self.is_never_read)(name, &beside) { Reading::Never } else { reading };
            folders = with_each(&folders, name, &self.of(*id, reading));
        }
        folders
    }
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
