//! Creates the files of a case, next to a victim: a valid store of another user, which no operation may read or change.
//!
//! ```text
//! ROOT/store       the store's folder
//! ROOT/etc         the victim, so that `../../etc` leads to it from `store/snapshots`
//! ROOT/elsewhere   a folder to which `store/snapshots` may lead, as to another disk; it belongs to the store
//! ROOT/special     a named pipe, a socket and a device, which are hard-linked to other paths
//! ```

use crate::{
    case::{Case, Content, Entry, FileObject, GenerationKind, InitialState, Location, StorePath, Target},
    listing::{Listing, list},
    names::{SECRET, json_of, name_of, seq_of, with_invalid_utf8, within},
};
use minisnap_core::format::seq_text;
use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::symlink,
        net::UnixListener,
    },
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

pub(crate) struct Sandbox {
    root: TempDir,
    outside: Listing,
}

impl Sandbox {
    pub(crate) fn new_in(folder: &Path) -> Self {
        let root = TempDir::new_in(folder).expect("a temporary folder");
        let special = root.path().join("special");
        fs::create_dir(&special).expect("a folder");
        assert!(Command::new("mkfifo").arg(special.join("fifo")).status().expect("mkfifo").success());
        UnixListener::bind(special.join("socket")).expect("a socket");
        let device = Command::new("mknod").arg(special.join("device")).args(["c", "1", "5"]).output();
        if !device.is_ok_and(|made| made.status.success()) {
            symlink("/dev/zero", special.join("device")).expect("a link");
        }
        let mut sandbox = Self { root, outside: Listing::new() };
        sandbox.create_victim();
        sandbox.outside = sandbox.list_outside();
        sandbox
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Creates the folder of a case, and returns the path of the store.
    pub(crate) fn create_case(&self, case: &Case) -> PathBuf {
        let store = match case.location {
            Location::NotUtf8 => with_invalid_utf8(&self.path("line\nbreak")),
            _ => self.path("store"),
        };
        let location = match case.location {
            Location::Direct | Location::NotUtf8 => store.clone(),
            Location::ThroughLink => {
                symlink("store", self.path("link")).expect("a link");
                self.path("link")
            }
            Location::WithDots => self.path("store/../store/."),
            Location::Missing => return self.path("missing/parents/store"),
            Location::DanglingLink => {
                symlink("missing", self.path("link")).expect("a link");
                return self.path("link/store");
            }
            Location::LinkLoop => {
                symlink("link", self.path("link")).expect("a link");
                return self.path("link");
            }
            Location::File => return self.path("etc/passwd"),
            Location::UnderFile => return self.path("etc/passwd/store"),
            Location::Fifo => return self.path("special/fifo"),
            Location::Device => return self.path("special/device"),
            Location::TooLong => return self.path(&"long".repeat(100)),
        };
        let layout = Layout { sandbox: self, store };
        layout.create_initial_state(case.initial_state);
        for modification in case.scenario.modifications().iter().chain(&case.modifications) {
            // An earlier modification may make a later one impossible.
            let _ = layout.put(modification.at, &modification.object);
        }
        layout.confine_snapshots();
        location
    }

    /// Removes the files of a case.
    pub(crate) fn clear(&self) {
        for entry in fs::read_dir(self.root.path()).expect("the sandbox") {
            let name = entry.expect("an entry").file_name();
            match name.as_bytes() {
                b"etc" | b"special" => {}
                b"store" | b"line\nbreak\xff" | b"link" | b"elsewhere" | b"missing" => {
                    remove(&self.root.path().join(name)).expect("to remove the files of a case");
                }
                _ => panic!("{name:?} was created outside of the store"),
            }
        }
    }

    /// All paths in the store's folder, and in the folder to which its `snapshots` leads.
    pub(crate) fn list(&self, store: &Path) -> Listing {
        let mut listing = Listing::new();
        list(store, &mut listing);
        // Also by its real path, if it is reached through a link.
        if let Ok(folder) = fs::canonicalize(store)
            && folder != store
        {
            list(&folder, &mut listing);
        }
        list(&self.path("elsewhere"), &mut listing);
        listing
    }

    /// Panics if a file outside of the store changed.
    pub(crate) fn check_outside(&self) {
        assert_eq!(self.list_outside(), self.outside, "a file outside of the store changed");
    }

    fn list_outside(&self) -> Listing {
        let mut listing = Listing::new();
        for folder in ["etc", "special"] {
            list(&self.path(folder), &mut listing);
        }
        listing
    }

    fn create_victim(&self) {
        let victim = self.path("etc");
        let generation = victim.join("snapshots").join(name_of(GenerationKind::Victim));
        fs::create_dir_all(&generation).expect("folders");
        fs::write(generation.join("snapshot.json"), json_of(GenerationKind::Victim)).expect("a file");
        fs::write(generation.join("snapshot.seq"), seq_text(seq_of(GenerationKind::Victim))).expect("a file");
        symlink("1", generation.join("retained")).expect("a link");
        symlink(name_of(GenerationKind::Victim), victim.join("snapshots/current")).expect("a link");
        fs::write(victim.join("snapshots/.lock"), "").expect("a file");
        for file in ["snapshot.json", "snapshot.seq"] {
            symlink(format!("snapshots/current/{file}"), victim.join(file)).expect("a link");
        }
        fs::write(victim.join("passwd"), SECRET).expect("a file");
    }
}

/// A store's folder under construction.
struct Layout<'a> {
    sandbox: &'a Sandbox,
    store: PathBuf,
}

impl Layout<'_> {
    fn create_initial_state(&self, state: InitialState) {
        fs::create_dir(&self.store).expect("a folder");
        let put = |at, object| self.put(at, &object).expect("to create an object in a new folder");
        let file = |content| FileObject::File(content);
        let generations: &[GenerationKind] = match state {
            InitialState::Empty => return,
            InitialState::BarePair => {
                put(StorePath::Json, file(Content::JsonOf(GenerationKind::Oldest)));
                put(StorePath::Seq, file(Content::SeqOf(GenerationKind::Oldest)));
                return;
            }
            InitialState::Fresh => &[],
            InitialState::One => &[GenerationKind::Newest],
            InitialState::Three => &[GenerationKind::Newest, GenerationKind::Middle, GenerationKind::Oldest],
        };
        put(StorePath::Snapshots, FileObject::Folder);
        put(StorePath::Lock, file(Content::Bytes(Vec::new())));
        for (index, kind) in generations.iter().enumerate() {
            put(StorePath::Generation(*kind), FileObject::Folder);
            put(StorePath::In(*kind, Entry::Json), file(Content::JsonOf(*kind)));
            put(StorePath::In(*kind, Entry::Seq), file(Content::SeqOf(*kind)));
            if let Some(parent) = generations.get(index + 1) {
                put(StorePath::In(*kind, Entry::Parent), FileObject::Link(Target::ParentOf(*parent)));
            }
            put(
                StorePath::In(*kind, Entry::Retained),
                FileObject::Link(Target::Count((generations.len() - index) as u64)),
            );
        }
        let current = generations.first().map_or(Target::NothingCommitted, |kind| Target::NameOf(*kind));
        put(StorePath::Current, FileObject::Link(current));
        put(StorePath::Json, FileObject::Link(Target::Expected));
        put(StorePath::Seq, FileObject::Link(Target::Expected));
    }

    /// Redirects `snapshots` if it leads to the victim or to special files. The folder to which it leads belongs to the store,
    /// so operations may change it.
    fn confine_snapshots(&self) {
        let snapshots = self.store.join("snapshots");
        let outside = ["etc", "special"].map(|folder| fs::canonicalize(self.sandbox.path(folder)).expect("a folder"));
        let leads_to = fs::canonicalize(&snapshots);
        if leads_to.is_ok_and(|leads_to| outside.iter().any(|outside| leads_to.starts_with(outside))) {
            let elsewhere = self.sandbox.path("elsewhere");
            fs::remove_file(&snapshots).expect("a link");
            fs::create_dir_all(&elsewhere).and_then(|()| symlink(elsewhere, &snapshots)).expect("another link");
        }
    }

    /// Creates an object at a path. Replaces an existing object, and follows no link.
    fn put(&self, at: StorePath, object: &FileObject) -> io::Result<()> {
        let path = self.store.join(within(at));
        if (at, object) == (StorePath::Snapshots, &FileObject::Link(Target::OtherDisk)) {
            let _ = fs::rename(&path, self.sandbox.path("elsewhere"));
        }
        self.clear_path(&path)?;
        let linked = |special: &str| fs::hard_link(self.sandbox.path("special").join(special), &path);
        match object {
            FileObject::Nothing => Ok(()),
            FileObject::File(content) => fs::write(&path, content.bytes()),
            FileObject::Endless => File::create(&path)?.set_len(8 << 40),
            FileObject::Sparse => File::create(&path)?.set_len(100_000),
            FileObject::Link(target) => self.link(at, target, &path),
            FileObject::Folder => fs::create_dir(&path),
            FileObject::NonEmptyFolder => {
                fs::create_dir(&path)?;
                fs::write(path.join("unrelated"), "unrelated")
            }
            FileObject::Fifo => linked("fifo"),
            FileObject::Socket => linked("socket"),
            FileObject::Device => linked("device"),
        }
    }

    /// Creates the missing parents of a path, and removes the object at the path.
    fn clear_path(&self, path: &Path) -> io::Result<()> {
        let parent = path.parent().expect("a parent");
        if parent != self.store {
            self.make_parent(parent)?;
        }
        remove(path)
    }

    fn make_parent(&self, folder: &Path) -> io::Result<()> {
        let above = folder.parent().expect("a parent");
        if above != self.store {
            self.make_parent(above)?;
        }
        match fs::symlink_metadata(folder) {
            Ok(found) if found.is_dir() => Ok(()),
            Ok(_) => Err(io::ErrorKind::NotADirectory.into()),
            Err(_) => fs::create_dir(folder),
        }
    }

    fn link(&self, at: StorePath, target: &Target, path: &Path) -> io::Result<()> {
        let to_store = "../".repeat(within(at).components().count() - 1);
        let elsewhere = self.sandbox.path("elsewhere");
        let target: OsString = match target {
            Target::OtherDisk => elsewhere.into(),
            // The target of `snapshots` belongs to the store, so it must stay in the sandbox.
            Target::Victim(..) | Target::Zero | Target::Null | Target::Text(_) if at == StorePath::Snapshots => {
                fs::create_dir_all(&elsewhere)?;
                elsewhere.into()
            }
            Target::Itself => path.into(),
            Target::Absolute(other) => self.store.join(within(*other)).into(),
            Target::Relative(other) => Path::new(&to_store).join(within(*other)).into(),
            Target::NameOf(kind) => name_of(*kind).into(),
            Target::ParentOf(kind) => format!("../{}", name_of(*kind)).into(),
            Target::Indirect(kind) => format!("../snapshots/{}", name_of(*kind)).into(),
            Target::Expected => Path::new("snapshots/current").join(path.file_name().expect("it has a name")).into(),
            Target::NothingCommitted => "none".into(),
            Target::Count(count) => count.to_string().into(),
            Target::Victim(path_kind, true) => self.sandbox.path("etc").join(path_kind.within()).into(),
            Target::Victim(path_kind, false) => Path::new(&to_store).join("../etc").join(path_kind.within()).into(),
            Target::Zero => "/dev/zero".into(),
            Target::Null => "/dev/null".into(),
            Target::Long => "a/".repeat(2047).into(),
            Target::Text(bytes) => OsString::from_vec(bytes.clone()),
        };
        symlink(target, path)
    }
}

impl Content {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            // Only the victim's files contain the victim's bytes.
            Self::JsonOf(GenerationKind::Victim) => b"{}".to_vec(),
            Self::JsonOf(kind) => json_of(*kind).into_bytes(),
            Self::SeqOf(kind) => seq_text(seq_of(*kind)).into_bytes(),
            Self::Number(number) => number.to_string().into_bytes(),
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => Ok(()),
    }
}
