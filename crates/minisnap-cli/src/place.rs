//! Opening a folder or URL, and how many snapshots stay in it.

use crate::{
    args::{StoreArgs, StoreOptions},
    exit::{Exit, Failure, Outcome},
    links,
    progress::Progress,
};
use minisnap::{Bytes, Generation, MiniSnapError, SnapStore, SnapshotBackend};
use std::{io, num::NonZeroUsize, path::PathBuf, sync::Arc};

/// A store, and what is known of where it is.
#[derive(Debug)]
pub(crate) struct Place {
    store: SnapStore<Arc<dyn SnapshotBackend>>,
    is_folder: bool,
}

impl Place {
    /// The store that a command is about.
    pub(crate) fn of(args: &StoreArgs) -> Outcome<Self> {
        Self::open(&args.store, &args.options)
    }

    /// A store by its path or URL. No I/O.
    pub(crate) fn open(store: &str, options: &StoreOptions) -> Outcome<Self> {
        if store.eq_ignore_ascii_case("memory:") {
            return Err(Failure::new(Exit::Usage, "open (memory:): such a store is within one process")
                .advice("give a folder, or the URL of an object store"));
        }
        if is_on_another_machine(store) {
            let what =
                format!("open ({store}): this looks like a place on another machine, or a URL without its colon");
            return Err(Failure::new(Exit::Usage, what).advice(format!(
                "the URL of a bucket begins with s3://, az:// or gs://; a folder of that name is ./{store}"
            )));
        }
        let options = options.options.iter().map(|(name, value)| (name, value));
        let opened = minisnap::open_with(store, options)?;
        // The place of an object store begins with its scheme, that of a folder is a path: an absolute one, unless the working
        // directory was removed.
        let is_folder = !opened.backend().place().contains("://");
        Ok(Self { store: opened, is_folder })
    }

    /// Where it is, for people: an absolute path, or a URL.
    pub(crate) fn name(&self) -> &str {
        self.backend().place()
    }

    /// The folder, if it is one.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        // A name that isn't text can't be told by its text.
        (self.is_folder && !self.name().contains(char::REPLACEMENT_CHARACTER)).then(|| self.name().into())
    }

    /// The backend.
    pub(crate) fn backend(&self) -> &Arc<dyn SnapshotBackend> {
        self.store.backend()
    }

    /// The current generation; an error says that there is none.
    pub(crate) async fn current(&self) -> Outcome<Generation> {
        match self.backend().current().await? {
            Some(generation) => Ok(generation),
            None => Err(self.nothing_here()),
        }
    }

    /// The current generation, if there is one.
    pub(crate) async fn current_if_any(&self) -> Outcome<Option<Generation>> {
        Ok(self.store.current().await?)
    }

    /// The retained generations, newest first, if there are any.
    pub(crate) async fn history_if_any(&self) -> minisnap::Result<Vec<Generation>> {
        self.store.history().await
    }

    /// The retained generations, newest first; an error says that there are none.
    pub(crate) async fn history(&self) -> Outcome<Vec<Generation>> {
        match self.backend().history().await? {
            generations if generations.is_empty() => Err(self.nothing_here()),
            generations => Ok(generations),
        }
    }

    /// The most recently published of the retained generations with a seq of at most `seq`.
    pub(crate) async fn at(&self, seq: u64) -> Outcome<Generation> {
        let history = self.history().await?;
        if let Some(generation) = history.iter().find(|generation| generation.seq() <= seq) {
            return Ok(generation.clone());
        }
        let seqs: Vec<_> = history.iter().map(|generation| generation.seq().to_string()).collect();
        let what = format!("{}: no snapshot with a seq of at most {seq}; there are: {}", self.name(), seqs.join(", "));
        Err(Failure::new(Exit::NoSnapshot, what).advice("choose one of these seqs"))
    }

    /// Reads a snapshot, byte for byte: the current one, or that with a seq of at most `seq`. Looks again when it is
    /// retired meanwhile.
    pub(crate) async fn read(&self, seq: Option<u64>) -> Outcome<(Generation, Bytes)> {
        let mut looks = 0;
        loop {
            let generation = match seq {
                Some(seq) => self.at(seq).await?,
                None => self.current().await?,
            };
            let _reading = Progress::of_reading(&generation);
            match self.backend().read(&generation).await {
                Err(MiniSnapError::Retired { .. }) if looks < LOOKS => looks += 1,
                read => return Ok((generation, read?)),
            }
        }
    }

    /// How many a publish over `history` keeps where nothing else was asked for: as many, and at least two; but all if there
    /// is a gap in it, since what lies beyond may be found again. The gap is told.
    pub(crate) fn keep_over(&self, history: &[Generation]) -> (NonZeroUsize, Option<String>) {
        const CURRENT_AND_THE_ONE_BEFORE: NonZeroUsize = NonZeroUsize::new(2).expect("it is not zero");
        match self.gap(history) {
            Some(gap) => (NonZeroUsize::MAX, Some(gap)),
            None => {
                let retained = NonZeroUsize::new(history.len()).unwrap_or(NonZeroUsize::MIN);
                (retained.max(CURRENT_AND_THE_ONE_BEFORE), None)
            }
        }
    }

    fn gap(&self, history: &[Generation]) -> Option<String> {
        let snapshots = self.folder()?.join("snapshots");
        // Without a commit record it is a plain pair, or nothing.
        snapshots.join("current").symlink_metadata().ok()?;
        links::lost(&snapshots, history).unwrap_or_else(|error| Some(format!("it can't be looked at: {error}")))
    }

    /// The failure to look at the folder's links.
    pub(crate) fn unreadable(&self, error: &io::Error) -> Failure {
        Failure::new(Exit::CouldNotLook, format!("{}: cannot look at the links: {error}", self.name()))
            .advice("see to the path, its permissions and the disk; then try again")
    }

    fn nothing_here(&self) -> Failure {
        let found = match self.folder() {
            Some(folder) if !folder.exists() => "there is no such folder",
            _ => "nothing was published yet",
        };
        Failure::new(Exit::NoSnapshot, format!("{}: no snapshot here: {found}", self.name())).advice(
            "is the store named rightly, and its disk mounted? `minisnap create STORE --seq N FILE` makes the first",
        )
    }
}

/// Whether somebody means `scp`'s `user@host:/path`, or forgot the colon of a URL. It would be a local folder, and no copy on
/// another machine.
fn is_on_another_machine(store: &str) -> bool {
    let first = store.split('/').next().unwrap_or_default();
    first.split_once(':').is_some_and(|(host, _)| host.contains('@'))
        || ["s3//", "az//", "gs//"].iter().any(|scheme| store.starts_with(scheme))
}

/// How often to look again when what was found was retired under the reader.
pub(crate) const LOOKS: usize = 16;
