//! `minisnap accept`: shows the external changes of a folder, asks, and commits them as the newest snapshot.

use crate::{
    args::AcceptArgs,
    commands::external_changes::{BrokenLinks, folder_of},
    compare::{Comparison, NamedJson},
    detached,
    exit::{Exit, Failure, Outcome},
    library_error,
    open_store::OpenStore,
    pending_change::PendingChange,
    stdio, text,
};
use minisnap::{
    Bytes, Corruption, Digest, FsBackend, Generation, MiniSnapError,
    backend::{
        Digester,
        format::{CHUNK, JSON_NAME, SEQ_NAME, parse_seq},
    },
};
use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

pub(crate) async fn run(args: AcceptArgs) -> Outcome {
    let store = OpenStore::of(&args.store)?;
    let (folder, backend) = folder_of(&store).await?;
    let history = store.history().await?;
    refuse_links_as_text(&store, &history[0]).await?;
    let Some(edit) = find_edit(folder, &history[0]).await? else {
        // Completes an interrupted migration.
        let links = BrokenLinks::find(backend).await?;
        if let Some(digest) = history[0].digest() {
            PendingChange::Store.begin();
            backend.accept_external_changes_if(history[0].seq(), digest).await?;
        }
        let links = links.restored().await?;
        return stdio::print(&format!("{links}nothing to accept: the files are those of the current snapshot\n"));
    };
    match args.no_diff {
        true => edit.show_size(&store).await?,
        false => edit.show(&store, committed(backend, &history).await).await?,
    }
    if !args.yes && !is_confirmed().await? {
        return Err(Failure::new(Exit::NotConfirmed, "not accepted; nothing was changed").with_help(format!(
            "{} moves a replaced file aside; `--yes` accepts without asking",
            store.command("revert", &[])
        )));
    }
    if find_edit(folder, &history[0]).await?.as_ref() != Some(&edit) {
        return Err(changed_concurrently(&store));
    }
    PendingChange::Store.begin();
    let links = BrokenLinks::find(backend).await?;
    let accepted = backend.accept_external_changes_if(edit.seq, edit.digest).await?;
    let links = links.restored().await?;
    match accepted {
        Some(accepted) => stdio::report(&format!(
            "{links}accepted as seq {}; retained: {}\n",
            accepted.generation().seq(),
            text::seqs(accepted.retained())
        )),
        None => stdio::print("nothing to accept any more: the files are those of the current snapshot\n"),
    }
}

/// A link that a copy replaced by a text file with its target is no edit.
async fn refuse_links_as_text(store: &OpenStore, current: &Generation) -> Outcome {
    match store.backend().read(current).await {
        Err(error @ MiniSnapError::Corrupt { found: Corruption::LinkAsText { .. }, .. }) => Err(error.into()),
        _ => Ok(()),
    }
}

/// The content of the two public files, whether they are links or replaced files.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Edit {
    seq: u64,
    digest: Digest,
    path: PathBuf,
    /// The generation that the JSON belongs to, if its link is missing.
    linked: Option<Generation>,
}

/// Returns `None` if the files are as `current` was committed. A missing link counts as leading to `current`.
async fn find_edit(folder: &Path, current: &Generation) -> Outcome<Option<Edit>> {
    let [path, seq_path] = [JSON_NAME, SEQ_NAME].map(|name| folder.join(name));
    let linked = current.digest().filter(|_| is_missing(&path));
    let digest = match linked {
        Some(digest) => digest,
        None => with_file(&path, digest_of).await?,
    };
    let linked = linked.map(|_| current.clone());
    let seq = if is_missing(&seq_path) { current.seq() } else { seq_of(&seq_path).await? };
    let is_as_committed = Some(digest) == current.digest() && seq == current.seq();
    Ok((!is_as_committed).then_some(Edit { seq, digest, path, linked }))
}

fn is_missing(path: &Path) -> bool {
    path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

async fn seq_of(path: &Path) -> Outcome<u64> {
    parse_seq(&with_file(path, read_all).await?).map_err(|found| {
        let what = format!("{}: no seq, but {found}; nothing was changed", path.display());
        Failure::new(Exit::NotRestorable, what)
            .with_help("write the seq of the last change in snapshot.json to that file, in digits")
    })
}

/// Runs `work` on a regular file. Opening anything else, such as a pipe, may block for ever.
async fn with_file<T: Send + 'static>(path: &Path, work: fn(File) -> io::Result<T>) -> Outcome<T> {
    let opened = path.to_owned();
    let done = detached::run(move || match fs::metadata(&opened)?.is_file() {
        true => work(File::open(&opened)?),
        false => Err(io::Error::other("not a regular file")),
    });
    done.await?.map_err(|error| {
        Failure::new(Exit::CouldNotLook, format!("cannot read {}: {error}; nothing was changed", path.display()))
            .with_help("put both files in place: snapshot.json and snapshot.seq")
    })
}

/// Reads the complete file. An error if it doesn't fit in memory.
fn read_all(mut file: File) -> io::Result<Bytes> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX))?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

/// Computes the digest, with only one chunk in memory.
fn digest_of(mut file: File) -> io::Result<Digest> {
    let (mut digester, mut chunk) = (Digester::new(), vec![0; CHUNK]);
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(digester.digest()),
            Ok(length) => digester.update(&chunk[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

impl Edit {
    /// Shows what it changes, or why it can't be compared.
    async fn show(&self, store: &OpenStore, committed: Committed) -> Outcome {
        let (from, committed) = match committed {
            Committed::Intact(generation, json) => {
                (format!("seq {}", generation.seq()), NamedJson { json, name: generation.to_string() })
            }
            // Everything is new.
            Committed::Nothing => {
                ("no intact snapshot".into(), NamedJson { json: Bytes::from_static(b"null"), name: String::new() })
            }
            Committed::Unreadable(why) => {
                stdio::print(&self.heading("the current snapshot"))?;
                stdio::print(&format!("no diff: {why}\n"))?;
                return self.show_size(store).await;
            }
        };
        let (edit, heading) = (self.read(store).await?, self.heading(&from));
        let compared = detached::run(move || {
            let pair = Comparison::of(committed, edit)?;
            let mut lines = stdio::Pieces::of_lines();
            lines.add(&heading)?;
            pair.to_text(|line| lines.add(line))?;
            lines.end()
        });
        compared.await?
    }

    /// Checks that it can be committed, and shows its size.
    async fn show_size(&self, store: &OpenStore) -> Outcome {
        let edit = self.read(store).await?;
        edit.check()?;
        stdio::print(&format!("{}, seq {}: {}\n", edit.name, self.seq, text::size(edit.json.len() as u64)))
    }

    fn heading(&self, from: &str) -> String {
        let title = text::TITLE;
        format!("{title}{from} -> seq {}, with the external changes{title:#}\n", self.seq)
    }

    async fn read(&self, store: &OpenStore) -> Outcome<NamedJson> {
        let json = match (&self.linked, store.fs()) {
            (Some(generation), Some((_, backend))) => backend.read_committed(generation).await?,
            _ => with_file(&self.path, read_all).await?,
        };
        match Digest::of(&json) == self.digest {
            true => Ok(NamedJson { json, name: self.path.display().to_string() }),
            false => Err(changed_concurrently(store)),
        }
    }
}

fn changed_concurrently(store: &OpenStore) -> Failure {
    Failure::new(
        Exit::Refused,
        format!("{}: the files changed again after they were shown; not accepted", store.name()),
    )
    .with_help("find the program that writes there, then run the same command again")
}

/// The newest intact snapshot.
enum Committed {
    Intact(Generation, Bytes),
    /// No snapshot is intact.
    Nothing,
    /// A snapshot couldn't be read, and why. So the newest intact one is unknown.
    Unreadable(String),
}

/// Finds the newest intact snapshot: the current one, unless the edit changed it in place.
async fn committed(backend: &FsBackend, history: &[Generation]) -> Committed {
    for generation in history {
        // Reads the committed bytes, even if a public file was replaced.
        match backend.read_committed(generation).await {
            Ok(json) => return Committed::Intact(generation.clone(), json),
            Err(error @ (MiniSnapError::Io { .. } | MiniSnapError::Backend { .. })) => {
                return Committed::Unreadable(library_error::with_causes(&error));
            }
            // Corrupt or expired.
            Err(_) => {}
        }
    }
    Committed::Nothing
}

/// Asks on stderr, and reads a line from standard input.
async fn is_confirmed() -> Outcome<bool> {
    let answer = detached::run(|| {
        write!(io::stderr(), "Commit this as the newest snapshot? [y/N] ")?;
        io::stderr().flush()?;
        let mut line = String::new();
        io::stdin().read_line(&mut line)?;
        io::Result::Ok(line)
    });
    let answer = answer.await?.map_err(|error| {
        Failure::new(Exit::LocalFile, format!("cannot ask: {error}; nothing was changed"))
            .with_help("`--yes` accepts without asking")
    })?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
