//! `minisnap reseal`: what a person or another program wrote in the snapshot's place becomes the newest snapshot, once it was
//! seen what it changes; or it is moved aside.

use crate::{
    args::ResealArgs,
    compare::{Named, for_people},
    exit::{Exit, Failure, Outcome},
    out,
    pending_change::PendingChange,
    place::Place,
    text,
};
use minisnap::{
    Bytes, Digest, FsBackend, Generation, MiniSnapError,
    format::{JSON_NAME, SEQ_NAME, parse_seq},
};
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

pub(crate) async fn run(args: ResealArgs) -> Outcome {
    let place = Place::of(&args.store)?;
    let Some(folder) = place.folder() else { return Err(not_a_folder(&place, &place.current().await?)) };
    let backend = FsBackend::new(&folder).with_busy_timeout(busy_timeout(&args));
    if args.set_aside {
        return set_aside(&backend, &place).await;
    }
    let history = place.history().await?;
    refuse_text_of_links(&place, &folder, &history[0]).await?;
    let Some(edit) = look(&folder, &history[0]).await? else {
        // Settles what an adoption left that was cut short.
        if let Some(digest) = history[0].digest() {
            PendingChange::Store.begin();
            backend.reseal_if(history[0].seq(), digest).await?;
        }
        return out::print("nothing to accept: what is there is what was published\n");
    };
    let shown = edit.shown(published(&place, &folder, &history).await).await?;
    out::print(&shown)?;
    if !args.yes && !is_agreed().await? {
        return Err(Failure::new(Exit::NotConfirmed, "not resealed; nothing was changed").advice(format!(
            "{} moves a replaced file out of the way; `--yes` doesn't ask",
            place.command("reseal", &["--set-aside"])
        )));
    }
    if look(&folder, &history[0]).await?.as_ref() != Some(&edit) {
        return Err(Failure::new(Exit::Refused, format!("{}: it was changed meanwhile; not resealed", place.name()))
            .advice("see who else writes there, and reseal again"));
    }
    PendingChange::Store.begin();
    match backend.reseal_if(edit.seq, Digest::of(&edit.json)).await? {
        Some(resealed) => out::report(&format!(
            "resealed as seq {}; retained: {}\n",
            resealed.generation().seq(),
            text::seqs(resealed.retained())
        )),
        None => out::print("nothing to accept any more: what is there is what was published\n"),
    }
}

/// At one of the two names, a reader finds an edit, which is `Foreign`; what is `Corrupt` there is the text of a link.
async fn refuse_text_of_links(place: &Place, folder: &Path, current: &Generation) -> Outcome {
    match place.backend().read(current).await {
        Err(error @ MiniSnapError::Corrupt { .. })
            if [JSON_NAME, SEQ_NAME].iter().any(|name| Path::new(&error.at().place) == folder.join(name)) =>
        {
            Err(error.into())
        }
        _ => Ok(()),
    }
}

async fn set_aside(backend: &FsBackend, place: &Place) -> Outcome {
    PendingChange::Store.begin();
    let moved = backend.set_aside().await?;
    if moved.is_empty() {
        let verify = place.command("verify", &[]);
        let hint = format!("an edit of the snapshot itself can't be moved aside: {verify} tells if there is one");
        return out::print(&format!("nothing to set aside in {}; {hint}\n", place.name()));
    }
    let moved = moved.iter().fold(String::new(), |text, path| text + &format!("moved aside: {}\n", path.display()));
    out::report_of("they are moved aside", &moved)
}

/// What stands at the two names, by way of their links or instead of them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Edit {
    json: Bytes,
    seq: u64,
    path: PathBuf,
}

/// `None` if it is as `current` was published.
async fn look(folder: &Path, current: &Generation) -> Outcome<Option<Edit>> {
    let [path, seq_path] = [JSON_NAME, SEQ_NAME].map(|name| folder.join(name));
    let (json, seq) = (read(path.clone()).await?, read(seq_path.clone()).await?);
    let seq = parse_seq(&seq).map_err(|found| {
        let what = format!("{} holds {found}, not a seq; nothing was changed", seq_path.display());
        Failure::new(Exit::NotRestorable, what).advice("write the number of the last change in the JSON into it")
    })?;
    let is_as_published = Some(Digest::of(&json)) == current.digest() && seq == current.seq();
    Ok((!is_as_published).then_some(Edit { json, seq, path }))
}

/// A regular file's bytes. Anything else could have this wait for ever.
async fn read(path: PathBuf) -> Outcome<Bytes> {
    let shown = path.display().to_string();
    let read = out::aside(move || match fs::metadata(&path)?.is_file() {
        true => fs::read(&path),
        false => Err(io::Error::other("it is no regular file")),
    });
    read.await.flatten().map(Bytes::from).map_err(|error| {
        Failure::new(Exit::CouldNotLook, format!("cannot read {shown}: {error}; nothing was changed"))
            .advice("to reseal, both files must be there: snapshot.json and snapshot.seq")
    })
}

impl Edit {
    /// What it changes.
    async fn shown(&self, published: Option<(Generation, Bytes)>) -> Outcome<String> {
        let edit = Named { json: self.json.clone(), name: self.path.display().to_string() };
        let (from, published) = match published {
            Some((generation, json)) => {
                (format!("seq {}", generation.seq()), Named { json, name: generation.to_string() })
            }
            // All of it is new.
            None => ("nothing that is intact".into(), Named { json: Bytes::from_static(b"null"), name: String::new() }),
        };
        let changes = out::aside(move || for_people(&published, &edit)).await.map_err(out::failed)??;
        let title = text::TITLE;
        Ok(format!("{title}{from} -> seq {}, as it stands there now{title:#}\n{changes}", self.seq))
    }
}

/// The newest snapshot that is as it was published: the current one, unless it was edited itself.
async fn published(place: &Place, folder: &Path, history: &[Generation]) -> Option<(Generation, Bytes)> {
    // Not by the backend, which reads nothing as long as somebody else's files stand in its place.
    let json = read(folder.join("snapshots/current").join(JSON_NAME)).await.unwrap_or_default();
    if Some(Digest::of(&json)) == history[0].digest() {
        return Some((history[0].clone(), json));
    }
    for older in &history[1..] {
        if let Ok(json) = place.backend().read(older).await {
            return Some((older.clone(), json));
        }
    }
    None
}

/// Asks on the terminal, and waits for a line on standard input.
async fn is_agreed() -> Outcome<bool> {
    let answer = out::aside(|| {
        write!(io::stderr(), "Publish this as the newest snapshot? [y/N] ")?;
        io::stderr().flush()?;
        let mut line = String::new();
        io::stdin().read_line(&mut line)?;
        io::Result::Ok(line)
    });
    let answer = answer.await.flatten().map_err(|error| {
        Failure::new(Exit::LocalFile, format!("cannot ask: {error}; nothing was changed")).advice("`--yes` doesn't ask")
    })?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// As for all that the place itself does: it has understood the option already.
fn busy_timeout(args: &ResealArgs) -> Duration {
    let options = args.store.options.options.iter().rev();
    let given = options.filter(|(name, _)| name == "busy_timeout").find_map(|(_, value)| value.parse().ok());
    given.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or(FsBackend::DEFAULT_BUSY_TIMEOUT)
}

fn not_a_folder(place: &Place, current: &Generation) -> Failure {
    let what = format!("{}: only a folder can be resealed: objects can't be edited in place", place.name());
    let seq = current.seq().to_string();
    Failure::new(Exit::Unsupported, what).advice(format!(
        "{}, edit that file, and {}, with the same seq",
        place.command("restore", &["--output", "edited.json"]),
        place.command("create", &["--seq", &seq, "edited.json"])
    ))
}
