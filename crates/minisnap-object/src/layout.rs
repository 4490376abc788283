//! Every name in the store: where the commit record is, what a generation is called, and what may be removed.

use minisnap_core::{
    Generation,
    format::{JSON_NAME, SEQ_NAME},
};
use object_store::path::Path;
use std::io;

/// 130 bits. Five would do to tell a thousand writers apart; these make it certain that a name is never drawn twice, on
/// which the protocol stands.
const RANDOM_CHARACTERS: usize = 26;

const SEQ_DIGITS: usize = 20;

const PROBE: &str = ".probe-";

/// The names under one prefix.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    prefix: Path,
    snapshots: Path,
}

impl Layout {
    pub(crate) fn new(prefix: Path) -> Self {
        Self { snapshots: prefix.clone().join("snapshots"), prefix }
    }

    /// What all objects of this store stand under.
    pub(crate) fn snapshots(&self) -> &Path {
        &self.snapshots
    }

    /// The commit record.
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

    /// Where corrupt generations are moved to. No collection lists it.
    pub(crate) fn corrupt(&self) -> Path {
        self.prefix.clone().join("corrupt")
    }

    /// Where the corrupt generation of this name is moved to.
    pub(crate) fn moved_aside(&self, name: &str) -> Path {
        self.corrupt().join(name)
    }

    /// Where all objects of a store stand that was given up: below a location that is like that of a store.
    pub(crate) fn given_up(&self, random: &str) -> Path {
        self.prefix.clone().join(format!("aside-{random}")).join("snapshots")
    }

    /// The name of the generation that an object under [`corrupt`](Self::corrupt) is of.
    pub(crate) fn name_of_moved_aside(&self, path: &Path) -> Option<String> {
        let rest = path.as_ref().strip_prefix(self.corrupt().as_ref())?.strip_prefix('/')?;
        let (name, _) = rest.split_once('/')?;
        is_name(name).then(|| name.to_owned())
    }

    /// Where an object of this store stands in another folder instead.
    pub(crate) fn aside(&self, folder: &Path, path: &Path) -> Option<Path> {
        let rest = path.as_ref().strip_prefix(self.snapshots.as_ref())?.strip_prefix('/')?;
        Path::parse(format!("{folder}/{rest}")).ok()
    }

    /// The path as seen from the prefix.
    pub(crate) fn within_prefix<'a>(&self, path: &'a Path) -> &'a str {
        path.as_ref().strip_prefix(self.prefix.as_ref()).unwrap_or(path.as_ref()).trim_start_matches('/')
    }

    /// A fresh object to try conditions on.
    pub(crate) fn probe(&self) -> io::Result<Path> {
        Ok(self.snapshots.clone().join(format!("{PROBE}{}", draw(RANDOM_CHARACTERS)?)))
    }

    /// What an object found in a listing is; `None` if it isn't ours and must be left alone.
    pub(crate) fn identify(&self, path: &Path) -> Option<Found> {
        let rest = path.as_ref().strip_prefix(self.snapshots.as_ref())?.strip_prefix('/')?;
        match rest.split_once('/') {
            Some((name, JSON_NAME | SEQ_NAME)) if is_name(name) => Some(Found::Of(name.to_owned())),
            None if rest.strip_prefix(PROBE).is_some_and(is_random) => Some(Found::Probe),
            _ => None,
        }
    }

    /// The name of the generation that an object is a file of.
    pub(crate) fn name_of(&self, path: &Path) -> Option<String> {
        match self.identify(path)? {
            Found::Of(name) => Some(name),
            Found::Probe => None,
        }
    }
}

/// An object of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// A file of the generation of this name, published or not.
    Of(String),
    /// What a writer that died while it checked the store's conditions left.
    Probe,
}

/// A name that was never used and never will be: the seq, for people and for sorting, and a random part.
pub(crate) fn draw_name(seq: u64) -> io::Result<String> {
    Ok(format!("{seq:020}-{}", draw(RANDOM_CHARACTERS)?))
}

/// The generation of this name, if it is of the grammar `[0-9]{20}-[a-z2-7]{26}`.
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

/// In a simulation the names come from its seed, so that a failing one can be run again.
#[cfg(test)]
fn draw(length: usize) -> io::Result<String> {
    seeded::NEXT.with(|next| match next.borrow_mut().as_mut() {
        Some(next) => Ok(next(length)),
        None => minisnap_core::random_name_part(length),
    })
}

/// Where a simulation sets the source of names, for its thread.
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
    fn a_drawn_name_is_read_back() {
        for seq in [0, 10, u64::MAX] {
            let name = draw_name(seq).unwrap();
            assert_eq!(parse_name(&name).map(|generation| generation.seq()), Some(seq), "{name}");
        }
    }

    #[test]
    fn only_names_of_the_grammar_are_ours() {
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
    fn all_stands_in_one_folder_under_the_prefix() {
        for (prefix, folder) in [("app/state", "app/state/snapshots"), ("", "snapshots")] {
            let layout = Layout::new(Path::from(prefix));
            let [json, seq] = layout.files("NAME").map(String::from);
            assert_eq!(layout.snapshots().as_ref(), folder, "no more than this is listed");
            assert_eq!(layout.current().as_ref(), format!("{folder}/current"));
            assert_eq!((json, seq), (format!("{folder}/NAME/snapshot.json"), format!("{folder}/NAME/snapshot.seq")));
            assert!(layout.probe().unwrap().as_ref().starts_with(&format!("{folder}/.probe-")));
            assert_eq!(layout.within_prefix(&layout.current()), "snapshots/current");
        }
    }

    #[test]
    fn only_what_minisnap_writes_is_identified() {
        let layout = Layout::new(Path::from("app/state"));
        let name = draw_name(10).unwrap();
        for path in layout.files(&name) {
            assert_eq!(layout.identify(&path), Some(Found::Of(name.clone())), "{path}");
        }
        assert_eq!(layout.identify(&layout.probe().unwrap()), Some(Found::Probe));
        for foreign in [
            layout.current().to_string(),
            format!("app/state/snapshots/{name}/notes.txt"),
            format!("app/state/snapshots/{name}"),
            format!("app/state/{name}/snapshot.json"),
            format!("app/state/snapshots/deeper/{name}/snapshot.json"),
            format!("app/state/snapshots2/{name}/snapshot.json"),
            "app/state/snapshots/.probe-by-hand".to_owned(),
        ] {
            assert_eq!(layout.identify(&Path::from(foreign.as_str())), None, "{foreign}");
        }
    }
}
