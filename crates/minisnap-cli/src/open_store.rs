//! An opened store: its backend, its history, the retention of a commit, and commands about it for messages.

use crate::{
    args::{StoreArgs, StoreOptions},
    exit::{Exit, Failure, Outcome},
    library_error, location,
    progress::Progress,
    select::{Candidates, Selection, SeqMatch, SnapshotRef},
    shell::ShellStore,
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

/// A store that was opened by its location.
#[derive(Debug)]
pub(crate) struct OpenStore {
    store: SnapStore<Arc<dyn SnapshotBackend>>,
    fs: Option<FsBackend>,
    shell: ShellStore,
    folder: Option<PathBuf>,
}

impl OpenStore {
    /// Opens the store of a command. No I/O.
    pub(crate) fn of(args: &StoreArgs) -> Outcome<Self> {
        Self::open(&args.store, &args.options)
    }

    /// Opens a store by its path or URL. No I/O.
    pub(crate) fn open(store: &OsStr, options: &StoreOptions) -> Outcome<Self> {
        let shell = ShellStore::new(store, &options.options);
        let options = options.options.iter().map(|(name, value)| (name, value));
        let (url, folder) = location::parse(store)?;
        let (backend, fs): (Arc<dyn SnapshotBackend>, _) = if location::is_object_store(&url) {
            (Arc::new(ObjectBackend::open(&url, options)?), None)
        } else {
            let opened = minisnap::open_with(&url, options)?;
            (Arc::new(opened.backend().clone()), opened.backend().as_fs().cloned())
        };
        Ok(Self { store: SnapStore::with_backend(backend), fs, shell, folder })
    }

    /// A command about this store that can be pasted.
    pub(crate) fn command(&self, command: &str, rest: &[&str]) -> String {
        self.shell.command(command, rest)
    }

    /// The command that copies from this store to `to`; it can be pasted.
    pub(crate) fn copy_command(&self, to: &Self, flags: &[&str]) -> String {
        self.shell.copy_command(&to.shell, flags)
    }

    /// The location for messages: an absolute path, or a URL.
    pub(crate) fn name(&self) -> &str {
        self.backend().location()
    }

    /// The folder, if the store is one.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        self.folder.clone()
    }

    /// The folder and its backend, for operations that only a folder supports.
    pub(crate) fn fs(&self) -> Option<(&Path, &FsBackend)> {
        self.folder.as_deref().zip(self.fs.as_ref())
    }

    /// The backend.
    pub(crate) fn backend(&self) -> &Arc<dyn SnapshotBackend> {
        self.store.backend()
    }

    /// The current generation. An error if there is none.
    pub(crate) async fn current(&self) -> Outcome<Generation> {
        match self.backend().current().await? {
            Some(generation) => Ok(generation),
            None => Err(self.no_snapshot()),
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

    /// The retained generations, newest first. An error if there are none.
    pub(crate) async fn history(&self) -> Outcome<Vec<Generation>> {
        match self.backend().history().await? {
            generations if generations.is_empty() => Err(self.no_snapshot()),
            generations => Ok(generations),
        }
    }

    /// Reads a snapshot, byte for byte: the current one, or the one that `which` selects. Selects again if it expires before
    /// it is read.
    pub(crate) async fn read(&self, which: Option<&SnapshotRef>) -> Outcome<(Generation, Bytes)> {
        let mut retries = 0;
        loop {
            let selection = match which {
                Some(which) => Candidates::of(self, &self.history().await?).choose(which, SeqMatch::AtMost)?,
                None => Selection::only(&self.current().await?),
            };
            match self.read_selection(&selection).await {
                Err(MiniSnapError::Expired { .. }) if retries < READ_ATTEMPTS => retries += 1,
                read => {
                    let read = read?;
                    selection.print_note();
                    return Ok(read);
                }
            }
        }
    }

    /// Reads a selected snapshot. If several have the same content, the first one that is intact; if none is, the error is
    /// that of the newest.
    pub(crate) async fn read_selection(&self, selection: &Selection) -> minisnap::Result<(Generation, Bytes)> {
        let _reading = Progress::of_reading(&selection.newest);
        let failed = match self.backend().read(&selection.newest).await {
            Ok(json) => return Ok((selection.newest.clone(), json)),
            Err(error) => error,
        };
        for equivalent in &selection.equivalents {
            if let Ok(json) = self.backend().read(equivalent).await {
                return Ok((equivalent.clone(), json));
            }
        }
        Err(failed)
    }

    /// The default retention of a commit over `history`: as many as there are, at least two. If the history has a gap, all,
    /// since the snapshots beyond the gap may be recovered; then the gap is returned, too.
    pub(crate) async fn retain_over(&self, history: &[Generation]) -> (NonZeroUsize, Option<String>) {
        const CURRENT_AND_PREVIOUS: NonZeroUsize = NonZeroUsize::new(2).expect("a number above zero");
        if let Some(gap) = self.gap().await {
            (NonZeroUsize::MAX, Some(gap))
        } else {
            let retained = NonZeroUsize::new(history.len()).unwrap_or(NonZeroUsize::MIN);
            (retained.max(CURRENT_AND_PREVIOUS), None)
        }
    }

    /// The gap in the history: a retained snapshot is missing, or the retention is unknown. Object stores have no gaps:
    /// their commit record lists all retained generations.
    pub(crate) async fn gap(&self) -> Option<String> {
        match self.fs.as_ref()?.history_gap().await {
            Ok(gap) => gap.map(|problem| problem.to_string()),
            Err(error) => Some(library_error::with_causes(&error)),
        }
    }

    /// Through which seq the log can be truncated after a commit. `None` if the history has a gap: all of the log is needed.
    pub(crate) async fn truncation_point(&self, committed: &Committed) -> Option<u64> {
        self.gap().await.is_none().then(|| committed.truncation_point())
    }

    /// The sentence about the log.
    pub(crate) fn describe_log(&self, truncation_point: Option<u64>) -> String {
        match truncation_point {
            Some(seq) => format!("the log can be truncated through seq {seq}"),
            None => {
                format!("keep all of the log: a retained snapshot is missing (see {})", self.command("verify", &[]))
            }
        }
    }

    /// The history that a commit replaces, newest first. If the folder of the current generation is missing, that
    /// generation alone: the link to its predecessor is missing, too.
    pub(crate) async fn history_to_commit_over(&self) -> minisnap::Result<Vec<Generation>> {
        match self.store.history().await {
            Err(MiniSnapError::Corrupt { found: Corruption::ContainerMissing, .. }) => {
                Ok(self.store.current().await?.into_iter().collect())
            }
            history => history,
        }
    }

    /// An error if the folder certainly is no store. A store without a commit, or with a lost record, is no error.
    pub(crate) async fn refuse_no_store(&self) -> Outcome {
        match &self.fs {
            Some(backend) if self.history_if_any().await?.is_empty() && !backend.is_store() => Err(self.no_snapshot()),
            _ => Ok(()),
        }
    }

    fn no_snapshot(&self) -> Failure {
        let found = match self.fs() {
            Some((folder, backend)) if !backend.is_store() => describe_folder(folder),
            _ => "nothing was committed yet".into(),
        };
        Failure::new(Exit::NoSnapshot, format!("{}: no snapshot here: {found}", self.name())).with_help(format!(
            "check the path, and that its disk is mounted; to create a new store, run {}",
            self.command("create", &["--seq", "1", "state.json"])
        ))
    }
}

/// Describes a folder that is no store.
fn describe_folder(folder: &Path) -> String {
    match fs::read_dir(folder).map(Iterator::count) {
        Ok(0) => "the folder is empty".into(),
        Ok(1) => "the folder has 1 entry, but no snapshot".into(),
        Ok(entries) => format!("the folder has {entries} entries, but no snapshot"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => "the folder does not exist".into(),
        Err(error) => format!("the folder can't be listed: {error}"),
    }
}

/// The maximum number of retries if a snapshot expires before it is read.
pub(crate) const READ_ATTEMPTS: usize = 16;
