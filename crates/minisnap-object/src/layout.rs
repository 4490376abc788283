//! The names of all objects: the commit record, the files of generations, probes, and what was moved aside.

use minisnap_core::{
    Generation,
    format::{JSON_NAME, SEQ_NAME},
};
use object_store::path::Path;
use std::io;

/// The length of a name's random part: 130 bits. The protocol relies on unique names.
const RANDOM_CHARACTERS: usize = 26;

const SEQ_DIGITS: usize = 20;

const PROBE_PREFIX: &str = ".probe-";

/// The names of the objects under one prefix.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    prefix: Path,
    snapshots: Path,
}

impl Layout {
    pub(crate) fn new(prefix: Path) -> Self {
        Self { snapshots: prefix.clone().join("snapshots"), prefix }
    }

    /// The folder of all objects of this store.
    pub(crate) fn snapshots(&self) -> &Path {
        &self.snapshots
    }

    /// The path of the commit record.
    pub(crate) fn current(&self) -> Path {
        self.snapshots.clone().join("current")
    }

    pub(crate) fn json(&self, name: &str) -> Path {
        self.snapshots.clone().join(name).join(JSON_NAME)
    }

    fn seq(&self, name: &str) -> Path {
        self.snapshots.clone().join(name).join(SEQ_NAME)
    }

    /// Both files of a generation.
    pub(crate) fn files(&self, name: &str) -> [Path; 2] {
        [self.json(name), self.seq(name)]
    }

    /// The folder to which corrupt generations are moved. No collection lists it.
    pub(crate) fn corrupt(&self) -> Path {
        self.prefix.clone().join("corrupt")
    }

    /// The folder to which the corrupt generation of this name is moved.
    pub(crate) fn moved_aside(&self, name: &str) -> Path {
        self.corrupt().join(name)
    }

    /// The folder to which the objects of a store that is given up are moved. Its parent is the location of a store.
    pub(crate) fn given_up(&self, random: &str) -> Path {
        self.prefix.clone().join(format!("aside-{random}")).join("snapshots")
    }

    /// The name of the generation to which an object under [`corrupt`](Self::corrupt) belongs.
    pub(crate) fn name_of_moved_aside(&self, path: &Path) -> Option<String> {
        let rest = path.as_ref().strip_prefix(self.corrupt().as_ref())?.strip_prefix('/')?;
        let (name, _) = rest.split_once('/')?;
        is_name(name).then(|| name.to_owned())
    }

    /// The path of an object of this store if it is moved to another folder.
    pub(crate) fn in_folder(&self, folder: &Path, path: &Path) -> Option<Path> {
        let rest = path.as_ref().strip_prefix(self.snapshots.as_ref())?.strip_prefix('/')?;
        Path::parse(format!("{folder}/{rest}")).ok()
    }

    /// The path without the prefix.
    pub(crate) fn within_prefix<'a>(&self, path: &'a Path) -> &'a str {
        path.as_ref().strip_prefix(self.prefix.as_ref()).unwrap_or(path.as_ref()).trim_start_matches('/')
    }

    /// A fresh path, on which to check the store's conditions.
    pub(crate) fn probe(&self) -> io::Result<Path> {
        Ok(self.snapshots.clone().join(format!("{PROBE_PREFIX}{}", draw(RANDOM_CHARACTERS)?)))
    }

    /// The kind of a listed object. `None` if minisnap didn't write it, and so must not delete it.
    pub(crate) fn identify(&self, path: &Path) -> Option<ObjectKind> {
        let rest = path.as_ref().strip_prefix(self.snapshots.as_ref())?.strip_prefix('/')?;
        match rest.split_once('/') {
            Some((name, JSON_NAME | SEQ_NAME)) if is_name(name) => Some(ObjectKind::GenerationFile(name.to_owned())),
            None if rest.strip_prefix(PROBE_PREFIX).is_some_and(is_random) => Some(ObjectKind::Probe),
            _ => None,
        }
    }

    /// The name of the generation to which a file belongs.
    pub(crate) fn name_of(&self, path: &Path) -> Option<String> {
        match self.identify(path)? {
            ObjectKind::GenerationFile(name) => Some(name),
            ObjectKind::Probe => None,
        }
    }
}

/// The kind of an object that minisnap wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ObjectKind {
    /// A file of the generation of this name, committed or not.
    GenerationFile(String),
    /// An object on which a writer checked the store's conditions.
    Probe,
}

/// A unique name for a generation: its sequence number, for people and for sorting, and a random part.
pub(crate) fn draw_name(seq: u64) -> io::Result<String> {
    Ok(format!("{seq:020}-{}", draw(RANDOM_CHARACTERS)?))
}

/// The generation of this name, if the name matches `[0-9]{20}-[a-z2-7]{26}`.
pub(crate) fn parse_name(name: &str) -> Option<Generation> {
    let (seq, random) = name.split_at_checked(SEQ_DIGITS)?;
    let is_ours = seq.bytes().all(|byte| byte.is_ascii_digit()) && random.strip_prefix('-').is_some_and(is_random);
    let seq = seq.parse().ok()?;
    is_ours.then(|| Generation::new(name, seq))
}

fn is_name(name: &str) -> bool {
    parse_name(name).is_some()
}

fn is_random(text: &str) -> bool {
    text.len() == RANDOM_CHARACTERS && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'))
}

#[cfg(not(test))]
fn draw(length: usize) -> io::Result<String> {
    minisnap_core::random_name_part(length)
}

/// The names of a simulation depend only on its seed, so that a failed simulation can be repeated.
#[cfg(test)]
fn draw(length: usize) -> io::Result<String> {
    seeded::NEXT.with(|next| match next.borrow_mut().as_mut() {
        Some(next) => Ok(next(length)),
        None => minisnap_core::random_name_part(length),
    })
}

/// The source of names that a simulation sets for its thread.
#[cfg(test)]
pub(crate) mod seeded {
    use std::cell::RefCell;

    type Source = Box<dyn FnMut(usize) -> String>;

    thread_local! {
        pub(crate) static NEXT: RefCell<Option<Source>> = const { RefCell::new(None) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for seq in [0, 10, u64::MAX] {
            let name = draw_name(seq).unwrap();
            assert_eq!(parse_name(&name).map(|generation| generation.seq()), Some(seq), "{name}");
        }
    }

    #[test]
    fn parse_name_accepts_only_its_grammar() {
        let random = "a".repeat(26);
        for name in [
            "",
            "current",
            "..",
            &format!("00000000000000000010-{}", "a".repeat(25)),
            &format!("00000000000000000010-{}", "A".repeat(26)),
            &format!("00000000000000000010-{}1", "a".repeat(25)),
            &format!("0000000000000000010-a{random}"),
            &format!("99999999999999999999-{random}"),
            &format!("+0000000000000000010-{random}"),
            &format!("00000000000000000010_{random}"),
            &format!("0000000000000000001é-{random}"),
            &format!("00000000000000000010-{random}/.."),
        ] {
            assert_eq!(parse_name(name), None, "{name:?}");
        }
    }

    #[test]
    fn all_objects_are_in_one_folder_under_the_prefix() {
        for (prefix, folder) in [("app/state", "app/state/snapshots"), ("", "snapshots")] {
            let layout = Layout::new(Path::from(prefix));
            let [json, seq] = layout.files("NAME").map(String::from);
            assert_eq!(layout.snapshots().as_ref(), folder, "the folder that is listed");
            assert_eq!(layout.current().as_ref(), format!("{folder}/current"));
            assert_eq!((json, seq), (format!("{folder}/NAME/snapshot.json"), format!("{folder}/NAME/snapshot.seq")));
            assert!(layout.probe().unwrap().as_ref().starts_with(&format!("{folder}/.probe-")));
            assert_eq!(layout.within_prefix(&layout.current()), "snapshots/current");
        }
    }

    #[test]
    fn identify_accepts_only_objects_of_minisnap() {
        let layout = Layout::new(Path::from("app/state"));
        let name = draw_name(10).unwrap();
        for path in layout.files(&name) {
            assert_eq!(layout.identify(&path), Some(ObjectKind::GenerationFile(name.clone())), "{path}");
        }
        assert_eq!(layout.identify(&layout.probe().unwrap()), Some(ObjectKind::Probe));
        for external in [
            layout.current().to_string(),
            format!("app/state/snapshots/{name}/notes.txt"),
            format!("app/state/snapshots/{name}"),
            format!("app/state/{name}/snapshot.json"),
            format!("app/state/snapshots/deeper/{name}/snapshot.json"),
            format!("app/state/snapshots2/{name}/snapshot.json"),
            "app/state/snapshots/.probe-by-hand".to_owned(),
        ] {
            assert_eq!(layout.identify(&Path::from(external.as_str())), None, "{external}");
        }
    }
}
