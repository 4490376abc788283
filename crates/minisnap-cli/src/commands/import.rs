//! `minisnap import`: the newest intact snapshot of version 0.1.3 becomes the current one of a store.

use crate::{
    args::{ImportArgs, RetainArgs, StoreOptions},
    commit::commit,
    exit::{Failure, Outcome},
    open_store::Place,
    out,
    progress::Progress,
    text,
};
use minisnap::{
    Absence, Committed, ErrorContext, MiniSnapError, Operation, Precondition,
    import::{OldFormat, OldSnapshot},
};
use serde_json::json;
use std::{borrow::Cow, io::ErrorKind, path::Path};

pub(crate) async fn run(args: ImportArgs) -> Outcome {
    let place = Place::of(&args.store)?;
    let snapshot = read(&args.old, &place).await?;
    tell_of_passed_over(&snapshot);
    let committed = match commit_if_newer(&snapshot, &place, args.retain).await {
        Err(MiniSnapError::Stale { current, .. }) if snapshot.is_same(&current) => None,
        // There is no seq to retry with.
        Err(error @ MiniSnapError::Stale { .. }) => {
            let show = place.command("show", &[]);
            let advice = format!("{show} tells what is there; to look at the old one, import it into another store");
            return Err(Failure::from(error).advice(advice));
        }
        committed => Some(committed?),
    };
    let truncation_point = match &committed {
        Some(committed) => place.truncation_point(committed).await,
        None => None,
    };
    let told = match args.form.json {
        true => for_programs(&snapshot, &place, committed.as_ref(), truncation_point),
        false => for_people(&snapshot, &place, committed.as_ref(), truncation_point),
    };
    match committed {
        Some(_) => out::report(&told),
        None => out::print(&told),
    }
}

async fn commit_if_newer(snapshot: &OldSnapshot, place: &Place, retain: RetainArgs) -> minisnap::Result<Committed> {
    // What is refused now needs no writing. The commit evaluates it again.
    let current = place.backend().current().await?;
    let at = ErrorContext::new(Operation::Commit, place.name());
    Precondition::IfNewer.evaluate(snapshot.seq(), current.as_ref(), &at)?;
    let committed = commit(place, snapshot.json(), snapshot.seq(), Precondition::IfNewer, retain).await?;
    if current.is_none() {
        out::note(&format!("{}: this makes a new store", place.name()));
    }
    Ok(committed)
}

async fn read(old: &Path, place: &Place) -> Outcome<OldSnapshot> {
    let _reading = Progress::of_one_step("reading");
    OldSnapshot::newest(old).await.map_err(|error| {
        let advice = advice(&error, old, place);
        Failure::from(error).advice(advice)
    })
}

/// The advice where `old` can't be imported: it is about that folder, and not about the store.
fn advice(error: &MiniSnapError, old: &Path, place: &Place) -> String {
    match error {
        MiniSnapError::NotFound { found: Absence::NothingToImport { is_store: true }, .. } => {
            let same = Place::open(old.as_os_str(), &StoreOptions::default());
            let copy = same.map_or_else(|_| "`minisnap copy`".into(), |old| old.copy_command(place, &[]));
            format!("every command reads it as it is, and {copy} copies it")
        }
        MiniSnapError::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            "run it as the user whose program wrote that file: minisnap 0.1.3 made it readable for nobody else".into()
        }
        MiniSnapError::Unrestorable { .. } | MiniSnapError::MapKey { .. } => {
            "restore it with minisnap 0.1.3 in a program, and create it with this version in a form that JSON has"
                .into()
        }
        MiniSnapError::Serde { .. } => {
            "no version restores it; to import the snapshot before it, move this file to another folder".into()
        }
        error => error.help().map_or_else(|| "see to that path, and try again".into(), Cow::into_owned),
    }
}

/// Says that it isn't the newest, and what that means for the log.
fn tell_of_passed_over(snapshot: &OldSnapshot) {
    for passed_over in snapshot.passed_over() {
        out::warning(&format!("passed over {passed_over}"));
    }
    if !snapshot.passed_over().is_empty() {
        out::warning(&format!(
            "seq {seq} is the newest intact snapshot: the program needs every record of its log after seq {seq}; if some of \
             them were truncated because 0.1.3 said that it had saved a newer one, those changes are lost",
            seq = snapshot.seq()
        ));
    }
}

fn for_people(
    snapshot: &OldSnapshot,
    place: &Place,
    committed: Option<&Committed>,
    truncation_point: Option<u64>,
) -> String {
    let (seq, from, to) = (snapshot.seq(), snapshot.path().display(), place.name());
    match committed {
        None => format!("seq {seq} of {from} is the current snapshot of {to} already; nothing was changed\n"),
        Some(committed) => format!(
            "imported seq {seq} ({}) of {from} to {to}; retained: {}; {}\n",
            text::size(snapshot.json().len() as u64),
            text::seqs(committed.retained()),
            place.about_the_log(truncation_point),
        ),
    }
}

fn for_programs(
    snapshot: &OldSnapshot,
    place: &Place,
    committed: Option<&Committed>,
    truncation_point: Option<u64>,
) -> String {
    let format = match snapshot.format() {
        OldFormat::Json => "json",
        _ => "messagepack",
    };
    let passed_over: Vec<_> = snapshot
        .passed_over()
        .iter()
        .map(|over| json!({ "path": over.path.display().to_string(), "problem": over.flaw.to_string() }))
        .collect();
    let commit = committed.map(|committed| text::committed(committed, truncation_point)).unwrap_or_default();
    let told = json!({
        "store": place.name(),
        "imported": { "path": snapshot.path().display().to_string(), "seq": snapshot.seq(), "format": format },
        "passed_over": passed_over,
        "committed": commit["committed"],
        "retained": commit["retained"],
        "truncation_point": commit["truncation_point"],
    });
    format!("{told:#}\n")
}
