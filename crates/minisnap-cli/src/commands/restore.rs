//! `minisnap restore` and `minisnap cat`: a snapshot's bytes, to a file or to stdout.

use crate::{
    args::{CatArgs, RestoreArgs},
    exit::{Exit, Failure, Outcome},
    out,
    place::Place,
    progress::Progress,
    text,
};
use minisnap::{
    Bytes,
    format::{CHUNK, JSON_NAME, SEQ_NAME},
};
use std::{
    fs::{self, File, Permissions},
    io::{self, IsTerminal, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;
use tokio::task::{spawn_blocking, yield_now};

pub(crate) async fn run(args: RestoreArgs) -> Outcome {
    let place = Place::of(&args.store)?;
    let Some(output) = args.output else { return out::bytes(place.read(args.at.which.as_ref()).await?.1).await };
    if is_a_stores(&output) {
        let what =
            format!("{} is, or would be, part of a store: it would change a published snapshot", output.display());
        return Err(Failure::new(Exit::Refused, format!("{what}; nothing was changed")).advice(format!(
            "to go back to an older one, choose from {} and use `rollback`; or give another file's name",
            place.command("history", &[])
        )));
    }
    let (generation, json) = place.read(args.at.which.as_ref()).await?;
    let size = json.len() as u64;
    let cannot = |error: io::Error| {
        let what = format!("cannot write {}: {error}; there is no half of it", output.display());
        Failure::new(Exit::LocalFile, what).advice("see to the folder, its permissions and its disk")
    };
    write_file(&output, json).await.map_err(cannot)?;
    let told = format!("restored seq {} ({}) to {}\n", generation.seq(), text::size(size), output.display());
    out::report_of("the file is restored", &told)
}

/// Whether a path is one of a store's files, by whatever links it leads there: one of the two names, with the other or a
/// store beside it, or anything in its folder `snapshots`.
fn is_a_stores(path: &Path) -> bool {
    let path = fs::canonicalize(path).unwrap_or_else(|_| std::path::absolute(path).unwrap_or_else(|_| path.into()));
    let folder = path.parent().map(|folder| fs::canonicalize(folder).unwrap_or_else(|_| folder.into()));
    let Some(folder) = folder else { return false };
    let is_there = |path: PathBuf| path.symlink_metadata().is_ok();
    let names = [JSON_NAME, SEQ_NAME];
    let is_public = path.file_name().is_some_and(|name| names.iter().any(|public| name == *public));
    let is_beside_a_store = is_there(folder.join("snapshots/current"))
        || names.iter().any(|public| path.file_name() != Some(public.as_ref()) && is_there(folder.join(public)));
    is_public && is_beside_a_store
        || folder.ancestors().any(|above| above.ends_with("snapshots") && is_there(above.join("current")))
}

/// The same bytes; on a terminal, with a line break after them.
pub(crate) async fn cat(args: CatArgs) -> Outcome {
    let (_, json) = Place::of(&args.store)?.read(args.at.which.as_ref()).await?;
    out::bytes(json).await?;
    match io::stdout().is_terminal() {
        true => out::print("\n"),
        false => Ok(()),
    }
}

/// Writes a file whole or not at all: beside it, synced, renamed. What is no regular file (a pipe, `/dev/null`) is written
/// to as it is.
async fn write_file(path: &Path, bytes: Bytes) -> io::Result<()> {
    let path = match fs::metadata(path) {
        Ok(found) if found.is_file() => fs::canonicalize(path)?,
        Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        Ok(_) => return write_special(path.into(), bytes).await,
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.into(),
        Err(error) => return Err(error),
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    };
    // Less what the umask takes away, as for any new file.
    let permissions = Permissions::from_mode(0o666);
    let mut file =
        tempfile::Builder::new().prefix(".minisnap-restore-").permissions(permissions).tempfile_in(&folder)?;
    if let Ok(found) = fs::metadata(&path) {
        file.as_file().set_permissions(found.permissions())?;
    }
    let progress = Progress::of_bytes("restoring", bytes.len() as u64);
    for chunk in bytes.chunks(CHUNK) {
        file.write_all(chunk)?;
        progress.add(chunk.len() as u64);
        // So that Ctrl-C is heard, which removes the file.
        yield_now().await;
    }
    progress.doing("syncing");
    spawn_blocking(move || settle(file, &path, &folder)).await.map_err(io::Error::other)?
}

fn settle(file: NamedTempFile, path: &Path, folder: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    // Opened before, so that nothing but the sync can fail once the file is there. Who may write there, but not read, may
    // not open it.
    let folder = match File::open(folder) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => None,
        folder => Some(folder?),
    };
    file.persist(path)?;
    folder.map_or(Ok(()), |folder| folder.sync_all())
}

async fn write_special(path: PathBuf, bytes: Bytes) -> io::Result<()> {
    out::aside(move || File::options().write(true).open(path)?.write_all(&bytes)).await?
}
