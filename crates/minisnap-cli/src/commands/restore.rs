//! `minisnap restore` and `minisnap cat`: write the bytes of a snapshot to a file or to stdout.

use crate::{
    args::{CatArgs, RestoreArgs},
    exit::{Exit, Failure, Outcome},
    open_store::OpenStore,
    replace_file::{ReplaceError, replace},
    select::SnapshotRef,
    shell::quoted,
    stdio, text,
};
use minisnap::FsBackend;
use std::{
    io::{self, IsTerminal},
    path::Path,
};

pub(crate) async fn run(args: RestoreArgs) -> Outcome {
    let store = OpenStore::of(&args.store)?;
    let Some(output) = args.output else {
        return stdio::print_bytes(store.read(args.at.which.as_ref()).await?.1).await;
    };
    if FsBackend::is_part_of_store(&output) {
        let what = format!("{} is part of a store: writing to it would change a committed snapshot", output.display());
        return Err(Failure::new(Exit::Refused, format!("{what}; nothing was changed")).with_help(format!(
            "to go back to an older snapshot, choose one from {} and use `rollback`; otherwise give another file",
            store.command("history", &[])
        )));
    }
    let (generation, json) = store.read(args.at.which.as_ref()).await?;
    let size = json.len() as u64;
    let in_place = cat_command(&output, &store, args.at.which.as_ref());
    replace(&output, json).await.map_err(|error| cannot_write(&output, error, &in_place))?;
    let report = format!("restored seq {} ({}) to {}\n", generation.seq(), text::size(size), output.display());
    stdio::report_of("the file is restored", &report)
}

/// The command that writes into the existing file instead of replacing it. It can be pasted.
fn cat_command(output: &Path, store: &OpenStore, which: Option<&SnapshotRef>) -> String {
    let cat = match which {
        None => store.command("cat", &[]),
        Some(SnapshotRef::Seq(seq)) => store.command("cat", &["--at", &seq.to_string()]),
        Some(SnapshotRef::Name(name)) => store.command("cat", &["--at", name]),
    };
    format!("{} > {}`", cat.trim_end_matches('`'), quoted(output.as_os_str()))
}

fn cannot_write(output: &Path, error: ReplaceError, in_place: &str) -> Failure {
    let shown = output.display();
    let failure = |what: String| Failure::new(Exit::LocalFile, format!("cannot write {shown}: {what}"));
    match error {
        ReplaceError::Io(error) => failure(format!("{error}; no incomplete file remains"))
            .with_help("check the folder, its permissions and its disk"),
        ReplaceError::CannotPreserve(what) => failure(format!("{what}; nothing was written")).with_help(format!(
            "give the name of a new file; or write into this file, which preserves its access, but leaves it incomplete if \
             interrupted: {in_place}"
        )),
        ReplaceError::Changed => {
            failure("another process changed, created or deleted it at the same time; nothing was written".into())
                .with_help("run the same command again")
        }
    }
}

/// Prints the bytes; on a terminal, with a line break after them.
pub(crate) async fn cat(args: CatArgs) -> Outcome {
    let (_, json) = OpenStore::of(&args.store)?.read(args.at.which.as_ref()).await?;
    stdio::print_bytes(json).await?;
    match io::stdout().is_terminal() {
        true => stdio::print("\n"),
        false => Ok(()),
    }
}
