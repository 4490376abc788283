//! Lays a case out on the disk, beside a victim: a folder that looks like a store, of which nothing may be read, changed or
//! removed.
//!
//! ```text
//! ROOT/store       the store's folder
//! ROOT/etc         the victim, so that `../../etc` leads to it from `store/snapshots`
//! ROOT/elsewhere   where `store/snapshots` may be a link to: another disk of the operator's, and the store's own
//! ROOT/odd         a named pipe, a socket and a device, to be linked to their places
//! ```

use crate::{
    case::{Base, Case, Content, Entry, Of, Place, Slot, Target, Thing},
    listing::{Listing, list},
    names::{SECRET, json_of, name_of, seq_of, with_no_text, within},
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
        let odd = root.path().join("odd");
        fs::create_dir(&odd).expect("a folder");
        assert!(Command::new("mkfifo").arg(odd.join("fifo")).status().expect("mkfifo").success());
        UnixListener::bind(odd.join("socket")).expect("a socket");
        let device = Command::new("mknod").arg(odd.join("device")).args(["c", "1", "5"]).output();
        if !device.is_ok_and(|made| made.status.success()) {
            symlink("/dev/zero", odd.join("device")).expect("a link");
        }
        let mut sandbox = Self { root, outside: Listing::new() };
        sandbox.make_victim();
        sandbox.outside = sandbox.list_outside();
        sandbox
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Makes the folder of a case, and returns the path of the store.
    pub(crate) fn lay_out(&self, case: &Case) -> PathBuf {
        let store = match case.location {
            Place::NoText => with_no_text(&self.path("no\ntext")),
            _ => self.path("store"),
        };
        let location = match case.location {
            Place::Plain | Place::NoText => store.clone(),
            Place::ThroughLink => {
                symlink("store", self.path("link")).expect("a link");
                self.path("link")
            }
            Place::WithDots => self.path("store/../store/."),
            Place::Missing => return self.path("missing/parents/store"),
            Place::LinkToNothing => {
                symlink("nothing", self.path("link")).expect("a link");
                return self.path("link/store");
            }
            Place::LinkLoop => {
                symlink("link", self.path("link")).expect("a link");
                return self.path("link");
            }
            Place::File => return self.path("etc/passwd"),
            Place::UnderFile => return self.path("etc/passwd/store"),
            Place::Fifo => return self.path("odd/fifo"),
            Place::Device => return self.path("odd/device"),
            Place::TooLong => return self.path(&"long".repeat(100)),
        };
        let layout = Layout { sandbox: self, store };
        layout.make_base(case.base);
        for harm in case.attack.harms().iter().chain(&case.harms) {
            // Not where an earlier harm is in the way.
            let _ = layout.put(harm.slot, &harm.thing);
        }
        layout.keep_snapshots_in_here();
        location
    }

    /// Removes what was laid out, and what became of it.
    pub(crate) fn clear(&self) {
        for entry in fs::read_dir(self.root.path()).expect("the sandbox") {
            let name = entry.expect("an entry").file_name();
            match name.as_bytes() {
                b"etc" | b"odd" => {}
                b"store" | b"no\ntext\xff" | b"link" | b"elsewhere" | b"missing" => {
                    remove(&self.root.path().join(name)).expect("what was laid out goes away");
                }
                _ => panic!("{name:?} was made outside of the store"),
            }
        }
    }

    /// Everything in the store's folder, and where its `snapshots` leads to.
    pub(crate) fn list(&self, store: &Path) -> Listing {
        let mut listing = Listing::new();
        list(store, &mut listing);
        // The folder itself, where it is reached through a link.
        if let Ok(folder) = fs::canonicalize(store)
            && folder != store
        {
            list(&folder, &mut listing);
        }
        list(&self.path("elsewhere"), &mut listing);
        listing
    }

    /// Panics if anything changed that isn't the store's.
    pub(crate) fn check_outside(&self) {
        assert_eq!(self.list_outside(), self.outside, "what isn't the store's was touched");
    }

    fn list_outside(&self) -> Listing {
        let mut listing = Listing::new();
        for folder in ["etc", "odd"] {
            list(&self.path(folder), &mut listing);
        }
        listing
    }

    fn make_victim(&self) {
        let victim = self.path("etc");
        let generation = victim.join("snapshots").join(name_of(Of::Victim));
        fs::create_dir_all(&generation).expect("folders");
        fs::write(generation.join("snapshot.json"), json_of(Of::Victim)).expect("a file");
        fs::write(generation.join("snapshot.seq"), seq_text(seq_of(Of::Victim))).expect("a file");
        symlink("1", generation.join("retained")).expect("a link");
        symlink(name_of(Of::Victim), victim.join("snapshots/current")).expect("a link");
        fs::write(victim.join("snapshots/.lock"), "").expect("a file");
        for file in ["snapshot.json", "snapshot.seq"] {
            symlink(format!("snapshots/current/{file}"), victim.join(file)).expect("a link");
        }
        fs::write(victim.join("passwd"), SECRET).expect("a file");
    }
}

/// A store's folder being made.
struct Layout<'a> {
    sandbox: &'a Sandbox,
    store: PathBuf,
}

impl Layout<'_> {
    fn make_base(&self, base: Base) {
        fs::create_dir(&self.store).expect("a folder");
        let put = |slot, thing| self.put(slot, &thing).expect("a fresh folder takes anything");
        let file = |content| Thing::File(content);
        let generations: &[Of] = match base {
            Base::Empty => return,
            Base::PlainPair => {
                put(Slot::Json, file(Content::JsonOf(Of::Oldest)));
                put(Slot::Seq, file(Content::SeqOf(Of::Oldest)));
                return;
            }
            Base::Fresh => &[],
            Base::One => &[Of::Newest],
            Base::Three => &[Of::Newest, Of::Middle, Of::Oldest],
        };
        put(Slot::Snapshots, Thing::Folder);
        put(Slot::Lock, file(Content::Bytes(Vec::new())));
        for (location, of) in generations.iter().enumerate() {
            put(Slot::Generation(*of), Thing::Folder);
            put(Slot::In(*of, Entry::Json), file(Content::JsonOf(*of)));
            put(Slot::In(*of, Entry::Seq), file(Content::SeqOf(*of)));
            if let Some(parent) = generations.get(location + 1) {
                put(Slot::In(*of, Entry::Parent), Thing::Link(Target::ParentOf(*parent)));
            }
            put(Slot::In(*of, Entry::Retained), Thing::Link(Target::Count((generations.len() - location) as u64)));
        }
        let current = generations.first().map_or(Target::NothingPublished, |of| Target::NameOf(*of));
        put(Slot::Current, Thing::Link(current));
        put(Slot::Json, Thing::Link(Target::Ours));
        put(Slot::Seq, Thing::Link(Target::Ours));
    }

    /// What `snapshots` leads to is the store's, also by way of other links; so it doesn't lead out of the sandbox's reach.
    fn keep_snapshots_in_here(&self) {
        let snapshots = self.store.join("snapshots");
        let outside = ["etc", "odd"].map(|folder| fs::canonicalize(self.sandbox.path(folder)).expect("a folder"));
        let leads_to = fs::canonicalize(&snapshots);
        if leads_to.is_ok_and(|leads_to| outside.iter().any(|outside| leads_to.starts_with(outside))) {
            let elsewhere = self.sandbox.path("elsewhere");
            fs::remove_file(&snapshots).expect("a link");
            fs::create_dir_all(&elsewhere).and_then(|()| symlink(elsewhere, &snapshots)).expect("another link");
        }
    }

    /// Puts a thing in its place, whatever was there, and never through a link.
    fn put(&self, slot: Slot, thing: &Thing) -> io::Result<()> {
        let path = self.store.join(within(slot));
        if (slot, thing) == (Slot::Snapshots, &Thing::Link(Target::OtherDisk)) {
            let _ = fs::rename(&path, self.sandbox.path("elsewhere"));
        }
        self.make_room(&path)?;
        let linked = |odd: &str| fs::hard_link(self.sandbox.path("odd").join(odd), &path);
        match thing {
            Thing::Nothing => Ok(()),
            Thing::File(content) => fs::write(&path, content.bytes()),
            Thing::Endless => File::create(&path)?.set_len(8 << 40),
            Thing::Sparse => File::create(&path)?.set_len(100_000),
            Thing::Link(target) => self.link(slot, target, &path),
            Thing::Folder => fs::create_dir(&path),
            Thing::FullFolder => {
                fs::create_dir(&path)?;
                fs::write(path.join("mine"), "mine")
            }
            Thing::Fifo => linked("fifo"),
            Thing::Socket => linked("socket"),
            Thing::Device => linked("device"),
        }
    }

    /// Makes the folder a thing stands in, if it isn't there, and removes what is in the thing's place.
    fn make_room(&self, path: &Path) -> io::Result<()> {
        let parent = path.parent().expect("it stands in a folder");
        if parent != self.store {
            self.make_parent(parent)?;
        }
        remove(path)
    }

    fn make_parent(&self, folder: &Path) -> io::Result<()> {
        let above = folder.parent().expect("it stands in a folder");
        if above != self.store {
            self.make_parent(above)?;
        }
        match fs::symlink_metadata(folder) {
            Ok(found) if found.is_dir() => Ok(()),
            Ok(_) => Err(io::ErrorKind::NotADirectory.into()),
            Err(_) => fs::create_dir(folder),
        }
    }

    fn link(&self, slot: Slot, target: &Target, path: &Path) -> io::Result<()> {
        let to_store = "../".repeat(within(slot).components().count() - 1);
        let elsewhere = self.sandbox.path("elsewhere");
        let target: OsString = match target {
            Target::OtherDisk => elsewhere.into(),
            // What `snapshots` leads to is the store's, on whichever disk; so not to the victim, nor anywhere on this machine.
            Target::Victim(..) | Target::Zero | Target::Null | Target::Text(_) if slot == Slot::Snapshots => {
                fs::create_dir_all(&elsewhere)?;
                elsewhere.into()
            }
            Target::Itself => path.into(),
            Target::Absolute(other) => self.store.join(within(*other)).into(),
            Target::Relative(other) => Path::new(&to_store).join(within(*other)).into(),
            Target::NameOf(of) => name_of(*of).into(),
            Target::ParentOf(of) => format!("../{}", name_of(*of)).into(),
            Target::RoundAbout(of) => format!("../snapshots/{}", name_of(*of)).into(),
            Target::Ours => Path::new("snapshots/current").join(path.file_name().expect("it has a name")).into(),
            Target::NothingPublished => "none".into(),
            Target::Count(count) => count.to_string().into(),
            Target::Victim(part, true) => self.sandbox.path("etc").join(part.within()).into(),
            Target::Victim(part, false) => Path::new(&to_store).join("../etc").join(part.within()).into(),
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
            // The victim's own bytes are only ever the victim's.
            Self::JsonOf(Of::Victim) => b"{}".to_vec(),
            Self::JsonOf(of) => json_of(*of).into_bytes(),
            Self::SeqOf(of) => seq_text(seq_of(*of)).into_bytes(),
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
