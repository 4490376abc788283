//! `minisnap restore` and `minisnap cat`: a snapshot's bytes, to a file or to stdout.

use crate::{
    args::{CatArgs, RestoreArgs},
    exit::{Exit, Failure, Outcome},
    given::quoted,
    open_store::Place,
    out,
    replace_file::{ReplaceError, replace},
    select::Which,
    text,
};
use minisnap::FsBackend;
use std::{
    io::{self, IsTerminal},
    path::Path,
};

pub(crate) async fn run(args: RestoreArgs) -> Outcome {
    let place = Place::of(&args.store)?;
    let Some(output) = args.output else { return out::bytes(place.read(args.at.which.as_ref()).await?.1).await };
    if FsBackend::is_part_of_store(&output) {
        let what =
            format!("{} is, or would be, part of a store: it would change a committed snapshot", output.display());
        return Err(Failure::new(Exit::Refused, format!("{what}; nothing was changed")).advice(format!(
            "to go back to an older one, choose from {} and use `rollback`; or give another file's name",
            place.command("history", &[])
        )));
    }
    let (generation, json) = place.read(args.at.which.as_ref()).await?;
    let size = json.len() as u64;
    let in_place = writing_into(&output, &place, args.at.which.as_ref());
    replace(&output, json).await.map_err(|error| cannot_write(&output, error, &in_place))?;
    let told = format!("restored seq {} ({}) to {}\n", generation.seq(), text::size(size), output.display());
    out::report_of("the file is restored", &told)
}

/// A command that writes into a file, and leaves it the file that it is. To be pasted.
fn writing_into(output: &Path, place: &Place, which: Option<&Which>) -> String {
    let cat = match which {
        None => place.command("cat", &[]),
        Some(Which::Seq(seq)) => place.command("cat", &["--at", &seq.to_string()]),
        Some(Which::Name(name)) => place.command("cat", &["--at", name]),
    };
    format!("{} > {}`", cat.trim_end_matches('`'), quoted(output.as_os_str()))
}

fn cannot_write(output: &Path, error: ReplaceError, in_place: &str) -> Failure {
    let shown = output.display();
    let failure = |what: String| Failure::new(Exit::LocalFile, format!("cannot write {shown}: {what}"));
    match error {
        ReplaceError::Io(error) => failure(format!("{error}; there is no half of it"))
            .advice("see to the folder, its permissions and its disk"),
        ReplaceError::CannotKeep(what) => failure(format!("{what}; nothing was written")).advice(format!(
            "give the name of a file that isn't there yet; or write into this one, which keeps who may read it, but not all \
             of its content if that is interrupted: {in_place}"
        )),
        ReplaceError::Changed => {
            failure("its owner, mode or ACL was changed meanwhile, or it came or went; it is as it was left".into())
                .advice("run the same command again")
        }
    }
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
