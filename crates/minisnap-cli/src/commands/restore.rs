//! `minisnap restore` and `minisnap cat`: a snapshot's bytes, to a file or to stdout.

use crate::{
    args::{CatArgs, RestoreArgs},
    exit::{Exit, Failure, Outcome},
    out,
    place::Place,
    progress::Progress,
    text,
};
use minisnap::{Bytes, format::CHUNK};
use std::{
    fs::{self, File, Permissions},
    io::{self, IsTerminal, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;
use tokio::task::{spawn_blocking, yield_now};

pub(crate) async fn run(args: RestoreArgs) -> Outcome {
    let (generation, json) = Place::of(&args.store)?.read(args.at.seq).await?;
    let Some(output) = args.output else { return out::bytes(json).await };
    let size = json.len() as u64;
    let cannot = |error: io::Error| {
        let what = format!("cannot write {}: {error}; there is no half of it", output.display());
        Failure::new(Exit::LocalFile, what).advice("see to the folder, its permissions and its disk")
    };
    write_file(&output, json).await.map_err(cannot)?;
    out::print(&format!("restored seq {} ({}) to {}\n", generation.seq(), text::size(size), output.display()))
}

/// The same bytes; on a terminal, with a line break after them.
pub(crate) async fn cat(args: CatArgs) -> Outcome {
    let (_, json) = Place::of(&args.store)?.read(args.at.seq).await?;
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
    file.persist(path)?;
    File::open(folder)?.sync_all()
}

async fn write_special(path: PathBuf, bytes: Bytes) -> io::Result<()> {
    out::aside(move || File::options().write(true).open(path)?.write_all(&bytes)).await?
}
