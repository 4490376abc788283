//! `minisnap log show`: which records a journal holds, and whether it leads from the snapshots of a store to its own end.

use super::{byte_count, failure::begin_instead, inspect, store};
use crate::{
    args::log::LogShowArgs,
    exit::{Exit, Failure, Outcome},
    given::quoted,
    library,
    open_store::Place,
    out, text,
};
use minisnap::Generation;
use minisnap_wal::{Inspection, JournalFile, WalError};
use serde_json::{Value, json};
use std::path::Path;

pub(super) async fn run(args: LogShowArgs) -> Outcome {
    let place = store(&args.store)?;
    let journal = inspect(&args.file, place.as_ref()).await?;
    let snapshots = match &place {
        Some(place) => Some(Snapshots::look(place, &journal, &args.file).await?),
        None => None,
    };
    let current = snapshots.as_ref().and_then(|snapshots| snapshots.retained.first());
    let corrupt = journal.unreadable.is_some().then(|| match current {
        Some((current, None)) => not_needed(&journal, current),
        _ => unreadable(&journal, &args.file),
    });
    let shown = Shown { journal, snapshots, corrupt };
    out::print(&match args.form.json {
        true => format!("{:#}\n", shown.for_programs()),
        false => shown.for_people(),
    })?;
    shown.into_failure().map_or(Ok(()), Err)
}

struct Shown {
    journal: Inspection,
    snapshots: Option<Snapshots>,
    /// A record can't be read.
    corrupt: Option<Failure>,
}

/// How the snapshots of a store fit the journal.
struct Snapshots {
    store: String,
    /// Newest first, each with what stands between it and the end of the journal.
    retained: Vec<(Generation, Option<String>)>,
    /// Why a program can't start.
    problem: Option<Failure>,
}

impl Snapshots {
    async fn look(place: &Place, journal: &Inspection, file: &Path) -> Outcome<Self> {
        let history = place.history_if_any().await?;
        // Without a snapshot, a start needs the log from its first record on.
        let needed = history.first().map_or(0, Generation::seq);
        let problem = journal.check_reaches(needed).err().map(|error| stops(journal, error, needed, file));
        let retained = history.into_iter().map(|generation| {
            let reached = journal.check_reaches(generation.seq());
            let problem = reached.err().map(|error| in_short(&error));
            (generation, problem)
        });
        Ok(Self { store: place.name().into(), retained: retained.collect(), problem })
    }
}

/// What stands between a snapshot and the end of the journal.
fn in_short(error: &WalError) -> String {
    match error {
        WalError::Gap { from, to, .. } => super::missing(*from, *to),
        WalError::Beyond { last, .. } => format!("the journal ends before, with {last}"),
        WalError::Log { source, .. } => library::with_causes(source.as_ref()),
        other => library::with_causes(other),
    }
}

/// A program that starts with a snapshot of this seq fails.
fn stops(journal: &Inspection, error: WalError, seq: u64, file: &Path) -> Failure {
    let what = format!("{}: the journal doesn't reach seq {seq}: {}", journal.path.display(), in_short(&error));
    let failure = Failure::new(Exit::Corrupt, what);
    match error {
        WalError::Gap { .. } | WalError::Beyond { .. } => failure.advice(begin_instead(file, seq)),
        _ => failure.advice(go_on_without(file, journal.readable_through(seq))),
    }
}

/// A record can't be read, and a start may need it.
fn unreadable(journal: &Inspection, file: &Path) -> Failure {
    let advice = go_on_without(file, first_readable_through(journal));
    Failure::new(Exit::Corrupt, which(journal))
        .advice(format!("{advice}; but first see with --store whether a snapshot holds it"))
}

/// The way out if what comes after a record can't be read.
fn go_on_without(file: &Path, through: u64) -> String {
    format!(
        "bring back a copy of the file; or go on without that record and those after it, which `minisnap log cut {} --after \
         {through}` moves to a file of their own",
        quoted(file.as_os_str())
    )
}

fn first_readable_through(journal: &Inspection) -> u64 {
    journal.readable_through(journal.after())
}

/// A record can't be read, and the current snapshot holds it.
fn not_needed(journal: &Inspection, current: &Generation) -> Failure {
    Failure::new(Exit::Corrupt, which(journal)).advice(format!(
        "no start needs it, since the current snapshot has seq {}; only to fall back to a snapshot before it, bring back a copy \
         of that file",
        current.seq()
    ))
}

fn which(journal: &Inspection) -> String {
    let why = match &journal.unreadable {
        Some(WalError::Corrupt { path, line, source }) => format!("{}, line {line}: {source}", path.display()),
        _ => journal.path.display().to_string(),
    };
    format!("record {} of the journal can't be read: {why}", first_readable_through(journal).saturating_add(1))
}

impl Shown {
    /// Why the command fails: a snapshot that isn't reached stops a start; a record that can't be read does so only after the
    /// snapshot.
    fn failure(&self) -> Option<&Failure> {
        self.snapshots.as_ref().and_then(|snapshots| snapshots.problem.as_ref()).or(self.corrupt.as_ref())
    }

    fn into_failure(self) -> Option<Failure> {
        self.snapshots.and_then(|snapshots| snapshots.problem).or(self.corrupt)
    }

    fn for_people(&self) -> String {
        let Inspection { first, last, torn_bytes, .. } = self.journal;
        let files = &self.journal.files;
        let bytes = files.iter().map(|file| file.bytes).sum();
        let records = match self.journal.records() {
            0 => format!(
                "none{}",
                last.checked_add(1).map_or_else(String::new, |next| format!("; the next one is {next}"))
            ),
            records => format!("{records}, from {first} to {last}"),
        };
        let readable = match &self.corrupt {
            None => format!("{good}all{good:#}", good = text::GOOD),
            Some(_) => format!("{bad}only to {}{bad:#}", first_readable_through(&self.journal), bad = text::BAD),
        };
        let mut lines = vec![
            ("journal", self.journal.path.display().to_string()),
            ("records", records),
            ("files", format!("{} ({})", files.len(), text::size(bytes))),
            ("readable", readable),
        ];
        if torn_bytes > 0 {
            let torn = format!(
                "{} after the last record: an append that was cut short, or is on its way",
                byte_count(torn_bytes)
            );
            lines.push(("torn", torn));
        }
        if let Some(snapshots) = &self.snapshots {
            lines.push(("store", snapshots.store.clone()));
            lines.extend(
                snapshots
                    .retained
                    .iter()
                    .map(|(generation, problem)| ("snapshot", self.reached(generation, problem.as_deref()))),
            );
            if snapshots.retained.is_empty() {
                lines.push(("snapshot", "none; a start replays all of the journal".into()));
            }
        }
        lines.iter().map(|(what, is)| format!("{title}{what:9}{title:#} {is}\n", title = text::TITLE)).collect()
    }

    fn reached(&self, generation: &Generation, problem: Option<&str>) -> String {
        let seq = generation.seq();
        match problem {
            None => {
                format!("seq {seq}: {good}reached{good:#}, {} after it", self.journal.last - seq, good = text::GOOD)
            }
            Some(problem) => format!("seq {seq}: {bad}not reached{bad:#}: {problem}", bad = text::BAD),
        }
    }

    fn for_programs(&self) -> Value {
        let snapshots = self.snapshots.as_ref().map(|snapshots| {
            let each = snapshots.retained.iter().map(|(generation, problem)| {
                let mut snapshot = text::generation(generation);
                snapshot["reached"] = json!(problem.is_none());
                snapshot["problem"] = json!(problem);
                snapshot
            });
            each.collect::<Vec<_>>()
        });
        json!({
            "path": self.journal.path.display().to_string(),
            "first": self.journal.first,
            "last": self.journal.last,
            "records": self.journal.records(),
            "files": self.journal.files.iter().map(file).collect::<Vec<_>>(),
            "torn_bytes": self.journal.torn_bytes,
            "readable_through": first_readable_through(&self.journal),
            "problem": self.corrupt.as_ref().map(Failure::what),
            "store": self.snapshots.as_ref().map(|snapshots| snapshots.store.as_str()),
            "reaches_current": self.snapshots.as_ref().map(|snapshots| snapshots.problem.is_none()),
            "snapshots": snapshots,
            "error": self.failure().map(Failure::for_programs),
        })
    }
}

fn file(file: &JournalFile) -> Value {
    json!({
        "path": file.path.display().to_string(),
        "first": file.first,
        "records": file.records,
        "bytes": file.bytes,
    })
}
