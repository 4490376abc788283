//! `minisnap log cut`: deletes the records that a snapshot contains, or moves aside the records that a rollback undid.

use super::{
    describe_records,
    failure::{failure, show_numbers},
    incomplete_append, inspect, missing, open, open_store, records,
};
use crate::{
    args::log::LogCutArgs,
    commands::show::truncation_point,
    exit::{Exit, Failure, Outcome},
    open_store::OpenStore,
    pending_change::PendingChange,
    shell::quoted,
    stdio,
};
use minisnap_wal::{Inspection, Log};
use serde_json::json;
use std::path::{Path, PathBuf};

pub(super) async fn run(args: LogCutArgs) -> Outcome {
    let store = open_store(&args.store)?;
    let journal = inspect(&args.file, store.as_ref()).await?;
    let cut = match (args.which.before, args.which.after) {
        (Some(before), _) => Cut::Before(before),
        (None, after) => Cut::After(after.unwrap_or(journal.last)),
    };
    cut.check(&journal, &args.file)?;
    if let Some(store) = &store {
        cut.check_store(store, &args).await?;
    }
    let mut done = Done {
        path: journal.path.clone(),
        cut: cut.of(&journal),
        moved_to: None,
        first: 0,
        last: 0,
        records: 0,
        torn_bytes: journal.torn_bytes,
        args: &args,
    };
    (done.first, done.last, done.records) = cut.remaining(&journal);
    if !args.dry_run && done.cut.is_some() {
        PendingChange::Journal.begin();
        let mut journal = open(&args.file).await?;
        let moved = match cut {
            Cut::Before(before) => journal.truncate(before.saturating_sub(1)).await.map(|()| None),
            Cut::After(after) => journal.split_off_after(after).await,
        };
        done.moved_to = moved.map_err(|error| failure(error, &args.file))?;
        (done.first, done.last, done.records) = (journal.first(), journal.last(), journal.records());
        done.torn_bytes = journal.torn_bytes();
    }
    let report = if args.form.json { done.to_json() } else { done.to_text() };
    match done.cut.is_some() && !args.dry_run {
        true => stdio::report_of("the journal is cut", &report),
        false => stdio::print(&report),
    }
}

#[derive(Clone, Copy)]
enum Cut {
    Before(u64),
    After(u64),
}

impl Cut {
    /// Refuses a number that isn't in the journal.
    fn check(self, journal: &Inspection, file: &Path) -> Outcome {
        let what = match self {
            Self::Before(number) if number > journal.last.saturating_add(1) => ends_before(journal, number),
            Self::After(number) if number > journal.last => ends_before(journal, number),
            Self::After(number) if number < journal.after() => {
                format!("{} from the journal", missing(number + 1, journal.after()))
            }
            _ => return Ok(()),
        };
        let what = format!("{}: {what}; nothing was cut", journal.path.display());
        Err(Failure::new(Exit::Refused, what).with_help(show_numbers(&quoted(file.as_os_str()))))
    }

    /// Refuses to cut records that the store's snapshots need.
    async fn check_store(self, store: &OpenStore, args: &LogCutArgs) -> Outcome {
        match self {
            Self::Before(before) => {
                let refused = |what: String, help: String| {
                    Err(Failure::new(Exit::Refused, format!("{}: {what}; nothing was cut", store.name()))
                        .with_help(help))
                };
                match truncation_point(store).await? {
                    None => refused(
                        "all of the log is needed: a snapshot is corrupt or missing".into(),
                        format!("run {} to find it", store.command("verify", &[])),
                    ),
                    Some(through) if before.saturating_sub(1) > through => refused(
                        format!("the oldest retained snapshot, seq {through}, needs the records after it"),
                        format!(
                            "`minisnap log cut {} --before {}` preserves those",
                            quoted(args.file.as_os_str()),
                            through.saturating_add(1)
                        ),
                    ),
                    Some(_) => Ok(()),
                }
            }
            Self::After(after) => {
                let current = store.current_if_any().await?.map_or(0, |current| current.seq());
                if current <= after {
                    return Ok(());
                }
                let what = format!(
                    "{}: the journal must reach the current snapshot, seq {current}; nothing was cut",
                    store.name()
                );
                Err(Failure::new(Exit::Refused, what).with_help(format!(
                    "first go back to an older snapshot: {} lists them, and {} works if one has that seq",
                    store.command("history", &[]),
                    store.command("rollback", &["--to", &after.to_string()])
                )))
            }
        }
    }

    /// The first and the last record to cut, if any.
    fn of(self, journal: &Inspection) -> Option<(u64, u64)> {
        let (after, last) = match self {
            Self::Before(before) => (journal.after(), before.saturating_sub(1)),
            Self::After(after) => (after, journal.last),
        };
        (after < last).then(|| (after + 1, last))
    }

    /// What remains in the journal: the first and the last record, and how many.
    fn remaining(self, journal: &Inspection) -> (u64, u64, u64) {
        match self {
            Self::Before(before) => {
                let after = journal.after().max(before.saturating_sub(1));
                (after.saturating_add(1), journal.last, journal.last - after)
            }
            Self::After(after) => (journal.first, after, after - journal.after()),
        }
    }
}

fn ends_before(journal: &Inspection, number: u64) -> String {
    format!("the journal ends with number {}, before {number}", journal.last)
}

struct Done<'a> {
    path: PathBuf,
    cut: Option<(u64, u64)>,
    moved_to: Option<PathBuf>,
    /// The remaining records.
    first: u64,
    last: u64,
    records: u64,
    /// The bytes of an incomplete append, which the cut drops.
    torn_bytes: u64,
    args: &'a LogCutArgs,
}

impl Done<'_> {
    fn to_text(&self) -> String {
        let path = self.path.display();
        let records_left = describe_records(self.records, self.last);
        let Some((first, last)) = self.cut else {
            return format!("nothing to cut; {path} holds {records_left}\n");
        };
        let (cut, is_after) = (records(first, last), self.args.which.after.is_some());
        let and = |verb: &str| {
            incomplete_append(self.torn_bytes).map_or_else(String::new, |bytes| format!("{verb} {bytes}; "))
        };
        let (dropped, would_drop) = (and("dropped"), and("would drop"));
        match (&self.moved_to, self.args.dry_run) {
            (Some(moved_to), _) => {
                format!("moved {cut} to {}; {dropped}{path} holds {records_left}\n", moved_to.display())
            }
            (None, false) => format!("deleted {cut}; {dropped}{path} holds {records_left}\n"),
            (None, true) if is_after => {
                format!(
                    "would move {cut} to a file next to {path}, which would hold {records_left}; \
                     {would_drop}nothing was changed\n"
                )
            }
            (None, true) => {
                format!(
                    "would delete {cut} from {path}, which would hold {records_left}; \
                     {would_drop}nothing was changed\n"
                )
            }
        }
    }

    fn to_json(&self) -> String {
        let cut = self.cut.map(|(first, last)| json!({ "first": first, "last": last }));
        let report = json!({
            "path": self.path.display().to_string(),
            "cut": cut,
            "moved_to": self.moved_to.as_ref().map(|path| path.display().to_string()),
            "first": self.first,
            "last": self.last,
            "dropped_bytes": if self.cut.is_some() { self.torn_bytes } else { 0 },
            "dry_run": self.args.dry_run,
        });
        format!("{report:#}\n")
    }
}
