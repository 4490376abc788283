//! `minisnap accept`: external changes (what a person or another program wrote in the snapshot's place) become the newest
//! snapshot, once they were shown and agreed to.

use crate::{
    args::AcceptArgs,
    commands::external_changes::{Links, folder_of},
    compare::{Named, Pair},
    exit::{Exit, Failure, Outcome},
    library,
    open_store::Place,
    out,
    pending_change::PendingChange,
    text,
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
    let place = Place::of(&args.store)?;
    let (folder, backend) = folder_of(&place).await?;
    let history = place.history().await?;
    refuse_text_of_links(&place, &history[0]).await?;
    let Some(edit) = look(folder, &history[0]).await? else {
        // Finishes a migration that was cut short.
        let links = Links::look(backend).await?;
        if let Some(digest) = history[0].digest() {
            PendingChange::Store.begin();
            backend.accept_external_changes_if(history[0].seq(), digest).await?;
        }
        let links = links.put_back().await?;
        return out::print(&format!("{links}nothing to accept: what is there is the current snapshot\n"));
    };
    match args.no_diff {
        true => edit.show_size(&place).await?,
        false => edit.show(&place, committed(backend, &history).await).await?,
    }
    if !args.yes && !is_agreed().await? {
        return Err(Failure::new(Exit::NotConfirmed, "not accepted; nothing was changed")
            .advice(format!("{} moves a replaced file aside; `--yes` doesn't ask", place.command("revert", &[]))));
    }
    if look(folder, &history[0]).await?.as_ref() != Some(&edit) {
        return Err(changed_meanwhile(&place));
    }
    PendingChange::Store.begin();
    let links = Links::look(backend).await?;
    let accepted = backend.accept_external_changes_if(edit.seq, edit.digest).await?;
    let links = links.put_back().await?;
    match accepted {
        Some(accepted) => out::report(&format!(
            "{links}accepted as seq {}; retained: {}\n",
            accepted.generation().seq(),
            text::seqs(accepted.retained())
        )),
        None => out::print("nothing to accept any more: what is there is the current snapshot\n"),
    }
}

/// A link that became a file with its text is no edit.
async fn refuse_text_of_links(place: &Place, current: &Generation) -> Outcome {
    match place.backend().read(current).await {
        Err(error @ MiniSnapError::Corrupt { found: Corruption::LinkAsText { .. }, .. }) => Err(error.into()),
        _ => Ok(()),
    }
}

/// What stands at the two names, by way of their links or instead of them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Edit {
    seq: u64,
    digest: Digest,
    path: PathBuf,
    /// What the JSON is that of, where its link is missing.
    linked: Option<Generation>,
}

/// `None` if it is as `current` was committed. A link that is missing says what it led to.
async fn look(folder: &Path, current: &Generation) -> Outcome<Option<Edit>> {
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
    parse_seq(&with_file(path, all_of).await?).map_err(|found| {
        let what = format!("{} holds {found}, not a seq; nothing was changed", path.display());
        Failure::new(Exit::NotRestorable, what).advice("write the number of the last change in the JSON into it")
    })
}

/// Does something with a regular file. Anything else could have this wait for ever.
async fn with_file<T: Send + 'static>(path: &Path, work: fn(File) -> io::Result<T>) -> Outcome<T> {
    let opened = path.to_owned();
    let done = out::run_aside(move || match fs::metadata(&opened)?.is_file() {
        true => work(File::open(&opened)?),
        false => Err(io::Error::other("it is no regular file")),
    });
    done.await?.map_err(|error| {
        Failure::new(Exit::CouldNotLook, format!("cannot read {}: {error}; nothing was changed", path.display()))
            .advice("both files must be there to be accepted: snapshot.json and snapshot.seq")
    })
}

/// All that is in it. What is larger than the memory that there is, is an error.
fn all_of(mut file: File) -> io::Result<Bytes> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX))?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

/// Its digest, with no more of it in memory than a chunk.
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
    /// Shows what it changes. Where it can't be compared, why.
    async fn show(&self, place: &Place, committed: Committed) -> Outcome {
        let (from, committed) = match committed {
            Committed::Intact(generation, json) => {
                (format!("seq {}", generation.seq()), Named { json, name: generation.to_string() })
            }
            // All of it is new.
            Committed::Nothing => {
                ("nothing that is intact".into(), Named { json: Bytes::from_static(b"null"), name: String::new() })
            }
            Committed::Unreadable(why) => {
                out::print(&self.heading("the current snapshot"))?;
                out::print(&format!("there is no diff: {why}\n"))?;
                return self.show_size(place).await;
            }
        };
        let (edit, heading) = (self.read(place).await?, self.heading(&from));
        let compared = out::run_aside(move || {
            let pair = Pair::of(committed, edit)?;
            let mut lines = out::Pieces::of_lines();
            lines.add(&heading)?;
            pair.for_people(|line| lines.add(line))?;
            lines.end()
        });
        compared.await?
    }

    /// Shows how large it is, once it is certain that it can be committed.
    async fn show_size(&self, place: &Place) -> Outcome {
        let edit = self.read(place).await?;
        edit.check()?;
        out::print(&format!("{}, seq {}: {}\n", edit.name, self.seq, text::size(edit.json.len() as u64)))
    }

    fn heading(&self, from: &str) -> String {
        let title = text::TITLE;
        format!("{title}{from} -> seq {}, as it stands there now{title:#}\n", self.seq)
    }

    async fn read(&self, place: &Place) -> Outcome<Named> {
        let json = match (&self.linked, place.fs()) {
            (Some(generation), Some((_, backend))) => backend.read_committed(generation).await?,
            _ => with_file(&self.path, all_of).await?,
        };
        match Digest::of(&json) == self.digest {
            true => Ok(Named { json, name: self.path.display().to_string() }),
            false => Err(changed_meanwhile(place)),
        }
    }
}

fn changed_meanwhile(place: &Place) -> Failure {
    Failure::new(Exit::Refused, format!("{}: it was changed meanwhile; not accepted", place.name()))
        .advice("find out who else writes there, and run it again")
}

/// The newest snapshot that is as it was committed.
enum Committed {
    Intact(Generation, Bytes),
    /// There is none.
    Nothing,
    /// It isn't known which: one couldn't be read, and why.
    Unreadable(String),
}

/// The current one, unless it was edited itself.
async fn committed(backend: &FsBackend, history: &[Generation]) -> Committed {
    for generation in history {
        // Whatever stands in its place.
        match backend.read_committed(generation).await {
            Ok(json) => return Committed::Intact(generation.clone(), json),
            Err(error @ (MiniSnapError::Io { .. } | MiniSnapError::Backend { .. })) => {
                return Committed::Unreadable(library::with_causes(&error));
            }
            // It is corrupt, or expired.
            Err(_) => {}
        }
    }
    Committed::Nothing
}

/// Asks on the terminal, and waits for a line on standard input.
async fn is_agreed() -> Outcome<bool> {
    let answer = out::run_aside(|| {
        write!(io::stderr(), "Commit this as the newest snapshot? [y/N] ")?;
        io::stderr().flush()?;
        let mut line = String::new();
        io::stdin().read_line(&mut line)?;
        io::Result::Ok(line)
    });
    let answer = answer.await?.map_err(|error| {
        Failure::new(Exit::LocalFile, format!("cannot ask: {error}; nothing was changed")).advice("`--yes` doesn't ask")
    })?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
