//! `minisnap log show`: which records a journal holds, and from which snapshots of a store it can be replayed.

use super::{byte_count, failure::begin_instead, inspect, open_store};
use crate::{
    args::log::LogShowArgs,
    exit::{Exit, Failure, Outcome},
    library_error,
    open_store::OpenStore,
    shell::quoted,
    stdio, text,
};
use minisnap::Generation;
use minisnap_wal::{Inspection, JournalFile, WalError};
use serde_json::{Value, json};
use std::path::Path;

pub(super) async fn run(args: LogShowArgs) -> Outcome {
    let store = open_store(&args.store)?;
    let journal = inspect(&args.file, store.as_ref()).await?;
    let snapshots = match &store {
        Some(store) => Some(Snapshots::check(store, &journal, &args.file).await?),
        None => None,
    };
    let current = snapshots.as_ref().and_then(|snapshots| snapshots.retained.first());
    let corrupt = journal.unreadable.is_some().then(|| match current {
        Some((current, None)) => not_needed(&journal, current),
        _ => unreadable(&journal, &args.file),
    });
    let shown = Shown { journal, snapshots, corrupt };
    stdio::print(&match args.form.json {
        true => format!("{:#}\n", shown.to_json()),
        false => shown.to_text(),
    })?;
    shown.into_failure().map_or(Ok(()), Err)
}

struct Shown {
    journal: Inspection,
    snapshots: Option<Snapshots>,
    /// A record can't be read.
    corrupt: Option<Failure>,
}

/// Which snapshots of a store the journal reaches.
struct Snapshots {
    store: String,
    /// Newest first, each with the reason why the journal doesn't reach it.
    retained: Vec<(Generation, Option<String>)>,
    /// Why the program can't start.
    problem: Option<Failure>,
}

impl Snapshots {
    async fn check(store: &OpenStore, journal: &Inspection, file: &Path) -> Outcome<Self> {
        let history = store.history_if_any().await?;
        // Without a snapshot, the program replays the journal from record 1.
        let needed = history.first().map_or(0, Generation::seq);
        let problem = journal.check_reaches(needed).err().map(|error| not_reached(journal, error, needed, file));
        let retained = history.into_iter().map(|generation| {
            let reached = journal.check_reaches(generation.seq());
            let problem = reached.err().map(|error| brief(&error));
            (generation, problem)
        });
        Ok(Self { store: store.name().into(), retained: retained.collect(), problem })
    }
}

/// The reason why the journal doesn't reach a snapshot.
fn brief(error: &WalError) -> String {
    match error {
        WalError::Gap { from, to, .. } => super::missing(*from, *to),
        WalError::Beyond { last, .. } => format!("the journal ends before it, with {last}"),
        WalError::Log { source, .. } => library_error::with_causes(source.as_ref()),
        other => library_error::with_causes(other),
    }
}

/// The failure that a program gets when it starts from a snapshot with this seq.
fn not_reached(journal: &Inspection, error: WalError, seq: u64, file: &Path) -> Failure {
    let what = format!("{}: the journal doesn't reach seq {seq}: {}", journal.path.display(), brief(&error));
    let failure = Failure::new(Exit::Corrupt, what);
    match error {
        WalError::Gap { .. } | WalError::Beyond { .. } => failure.with_help(begin_instead(file, seq)),
        _ => failure.with_help(help_without_rest(file, journal.readable_through(seq))),
    }
}

/// A record can't be read, and the program may need it.
fn unreadable(journal: &Inspection, file: &Path) -> Failure {
    let help = help_without_rest(file, first_readable_through(journal));
    Failure::new(Exit::Corrupt, which_record(journal))
        .with_help(format!("{help}; first check with --store whether a snapshot contains it"))
}

/// The help if the records after `through` can't be read.
fn help_without_rest(file: &Path, through: u64) -> String {
    format!(
        "restore a copy of the file; or continue without that record and those after it: `minisnap log cut {} --after {through}` \
         moves them to a file of their own",
        quoted(file.as_os_str())
    )
}

fn first_readable_through(journal: &Inspection) -> u64 {
    journal.readable_through(journal.after())
}

/// A record can't be read, but the current snapshot contains it.
fn not_needed(journal: &Inspection, current: &Generation) -> Failure {
    Failure::new(Exit::Corrupt, which_record(journal)).with_help(format!(
        "the program doesn't need it, since the current snapshot has seq {}; only to go back to an older snapshot, restore \
         a copy of that file",
        current.seq()
    ))
}

fn which_record(journal: &Inspection) -> String {
    let why = match &journal.unreadable {
        Some(WalError::Corrupt { path, line, source }) => format!("{}, line {line}: {source}", path.display()),
        _ => journal.path.display().to_string(),
    };
    format!("record {} of the journal can't be read: {why}", first_readable_through(journal).saturating_add(1))
}

impl Shown {
    /// Why the command fails. A snapshot that isn't reached takes precedence over a record that can't be read.
    fn failure(&self) -> Option<&Failure> {
        self.snapshots.as_ref().and_then(|snapshots| snapshots.problem.as_ref()).or(self.corrupt.as_ref())
    }

    fn into_failure(self) -> Option<Failure> {
        self.snapshots.and_then(|snapshots| snapshots.problem).or(self.corrupt)
    }

    fn to_text(&self) -> String {
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
            let bytes = format!(
                "{} after the last record: an append that is incomplete or in progress",
                byte_count(torn_bytes)
            );
            lines.push(("partial", bytes));
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
                lines.push(("snapshot", "none; the program replays the complete journal".into()));
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

    fn to_json(&self) -> Value {
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
            "error": self.failure().map(Failure::to_json),
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
