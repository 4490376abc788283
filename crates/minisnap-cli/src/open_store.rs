//! Opening a folder or URL, and how many snapshots stay in it.

use crate::{
    args::{StoreArgs, StoreOptions},
    exit::{Exit, Failure, Outcome},
    given::Given,
    library, location,
    progress::Progress,
    select::{Choice, Choices, Reach, Which},
};
use minisnap::{Bytes, Committed, Corruption, FsBackend, Generation, MiniSnapError, SnapStore, SnapshotBackend};
use minisnap_object::ObjectBackend;
use std::{
    ffi::OsStr,
    fs, io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A store, and what is known of where it is.
#[derive(Debug)]
pub(crate) struct Place {
    store: SnapStore<Arc<dyn SnapshotBackend>>,
    fs: Option<FsBackend>,
    given: Given,
    folder: Option<PathBuf>,
}

impl Place {
    /// The store that a command is about.
    pub(crate) fn of(args: &StoreArgs) -> Outcome<Self> {
        Self::open(&args.store, &args.options)
    }

    /// A store by its path or URL. No I/O.
    pub(crate) fn open(store: &OsStr, options: &StoreOptions) -> Outcome<Self> {
        let given = Given::new(store, &options.options);
        let options = options.options.iter().map(|(name, value)| (name, value));
        let (url, folder) = location::of(store)?;
        let (backend, fs): (Arc<dyn SnapshotBackend>, _) = if location::is_object_store(&url) {
            (Arc::new(ObjectBackend::open(&url, options)?), None)
        } else {
            let opened = minisnap::open_with(&url, options)?;
            (Arc::new(opened.backend().clone()), opened.backend().as_fs().cloned())
        };
        Ok(Self { store: SnapStore::with_backend(backend), fs, given, folder })
    }

    /// A command about this store, to be pasted.
    pub(crate) fn command(&self, command: &str, rest: &[&str]) -> String {
        self.given.command(command, rest)
    }

    /// A copy from here to `to`, to be pasted.
    pub(crate) fn copy_command(&self, to: &Self, flags: &[&str]) -> String {
        self.given.copy_command(&to.given, flags)
    }

    /// Where it is, for people: an absolute path, or a URL.
    pub(crate) fn name(&self) -> &str {
        self.backend().location()
    }

    /// The folder, if it is one.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        self.folder.clone()
    }

    /// The folder and its backend, for what only a folder can do.
    pub(crate) fn fs(&self) -> Option<(&Path, &FsBackend)> {
        self.folder.as_deref().zip(self.fs.as_ref())
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

    /// Reads a snapshot, byte for byte: the current one, or the one that is meant by `which`. Looks again when it expires
    /// meanwhile.
    pub(crate) async fn read(&self, which: Option<&Which>) -> Outcome<(Generation, Bytes)> {
        let mut looks = 0;
        loop {
            let choice = match which {
                Some(which) => Choices::of(self, &self.history().await?).choose(which, Reach::AtMost)?,
                None => Choice::only(&self.current().await?),
            };
            match self.read_choice(&choice).await {
                Err(MiniSnapError::Expired { .. }) if looks < LOOKS => looks += 1,
                read => {
                    let read = read?;
                    choice.tell();
                    return Ok(read);
                }
            }
        }
    }

    /// Reads what was chosen. Of several that say the same, any that is intact; if none is, the error is that of the newest.
    pub(crate) async fn read_choice(&self, choice: &Choice) -> minisnap::Result<(Generation, Bytes)> {
        let _reading = Progress::of_reading(&choice.newest);
        let failed = match self.backend().read(&choice.newest).await {
            Ok(json) => return Ok((choice.newest.clone(), json)),
            Err(error) => error,
        };
        for twin in &choice.twins {
            if let Ok(json) = self.backend().read(twin).await {
                return Ok((twin.clone(), json));
            }
        }
        Err(failed)
    }

    /// How many a commit over `history` retains where nothing else was asked for: as many, and at least two; but all if there
    /// is a gap in it, since what lies beyond may be found again. The gap is told.
    pub(crate) async fn retain_over(&self, history: &[Generation]) -> (NonZeroUsize, Option<String>) {
        const CURRENT_AND_THE_ONE_BEFORE: NonZeroUsize = NonZeroUsize::new(2).expect("it is not zero");
        if let Some(gap) = self.gap().await {
            (NonZeroUsize::MAX, Some(gap))
        } else {
            let retained = NonZeroUsize::new(history.len()).unwrap_or(NonZeroUsize::MIN);
            (retained.max(CURRENT_AND_THE_ONE_BEFORE), None)
        }
    }

    /// What may be missing from the history, if anything: a retained snapshot, or the number of them. Objects have no gaps:
    /// their commit record lists them.
    pub(crate) async fn gap(&self) -> Option<String> {
        match self.fs.as_ref()?.history_gap().await {
            Ok(gap) => gap.map(|problem| problem.to_string()),
            Err(error) => Some(library::with_causes(&error)),
        }
    }

    /// Through which seq the log can be truncated after a commit: not at all while something may be missing from the history.
    pub(crate) async fn truncation_point(&self, committed: &Committed) -> Option<u64> {
        self.gap().await.is_none().then(|| committed.truncation_point())
    }

    /// What that means for the log, for people.
    pub(crate) fn about_the_log(&self, truncation_point: Option<u64>) -> String {
        match truncation_point {
            Some(seq) => format!("the log can be truncated through seq {seq}"),
            None => format!("keep all of the log: a retained snapshot is missing ({})", self.command("verify", &[])),
        }
    }

    /// What a commit is over: the history, newest first; or the current generation alone, where its folder is gone, and with it
    /// what leads to those before it.
    pub(crate) async fn history_to_commit_over(&self) -> minisnap::Result<Vec<Generation>> {
        match self.store.history().await {
            Err(MiniSnapError::Corrupt { found: Corruption::ContainerMissing, .. }) => {
                Ok(self.store.current().await?.into_iter().collect())
            }
            history => history,
        }
    }

    /// An error where there certainly is no store, not even one in which nothing was committed yet, or where it is lost.
    pub(crate) async fn refuse_no_store(&self) -> Outcome {
        match &self.fs {
            Some(backend) if self.history_if_any().await?.is_empty() && !backend.is_store() => Err(self.nothing_here()),
            _ => Ok(()),
        }
    }

    fn nothing_here(&self) -> Failure {
        let found = match self.fs() {
            Some((folder, backend)) if !backend.is_store() => nothing_in(folder),
            _ => "nothing was committed yet".into(),
        };
        Failure::new(Exit::NoSnapshot, format!("{}: no snapshot here: {found}", self.name())).advice(format!(
            "is the store named rightly, and its disk mounted? {} would begin a new one",
            self.command("create", &["--seq", "1", "state.json"])
        ))
    }
}

/// What a folder is in which no writer ever was.
fn nothing_in(folder: &Path) -> String {
    match fs::read_dir(folder).map(Iterator::count) {
        Ok(0) => "the folder is empty".into(),
        Ok(1) => "there is a folder, with 1 entry, which is no snapshot's".into(),
        Ok(entries) => format!("there is a folder, with {entries} entries, none of them a snapshot's"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => "there is no such folder".into(),
        Err(error) => format!("the folder can't be listed: {error}"),
    }
}

/// How often to look again when what was found expired under the reader.
pub(crate) const LOOKS: usize = 16;
