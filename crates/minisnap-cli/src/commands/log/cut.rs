//! `minisnap log cut`: what a snapshot has made unneeded is removed; what a rollback went back from is moved aside.

use super::{
    failure::{failure, see_numbers},
    held, inspect, missing, open, records, store, torn,
};
use crate::{
    args::log::LogCutArgs,
    commands::show::truncation_point,
    exit::{Exit, Failure, Outcome},
    given::quoted,
    open_store::Place,
    out,
    pending_change::PendingChange,
};
use minisnap_wal::{Inspection, Log};
use serde_json::json;
use std::path::{Path, PathBuf};

pub(super) async fn run(args: LogCutArgs) -> Outcome {
    let place = store(&args.store)?;
    let journal = inspect(&args.file, place.as_ref()).await?;
    let cut = match (args.which.before, args.which.after) {
        (Some(before), _) => Cut::Before(before),
        (None, after) => Cut::After(after.unwrap_or(journal.last)),
    };
    cut.check(&journal, &args.file)?;
    if let Some(place) = &place {
        cut.check_store(place, &args).await?;
    }
    let mut done = Done {
        path: journal.path.clone(),
        cut: cut.of(&journal),
        moved_to: None,
        first: 0,
        last: 0,
        records: 0,
        torn: journal.torn_bytes,
        args: &args,
    };
    (done.first, done.last, done.records) = cut.leaves(&journal);
    if !args.dry_run && done.cut.is_some() {
        PendingChange::Journal.begin();
        let mut journal = open(&args.file).await?;
        let moved = match cut {
            Cut::Before(before) => journal.truncate(before.saturating_sub(1)).await.map(|()| None),
            Cut::After(after) => journal.split_off_after(after).await,
        };
        done.moved_to = moved.map_err(|error| failure(error, &args.file))?;
        (done.first, done.last, done.records) = (journal.first(), journal.last(), journal.records());
        done.torn = journal.torn_bytes();
    }
    let told = if args.form.json { done.for_programs() } else { done.for_people() };
    match done.cut.is_some() && !args.dry_run {
        true => out::report_of("the journal is cut", &told),
        false => out::print(&told),
    }
}

#[derive(Clone, Copy)]
enum Cut {
    Before(u64),
    After(u64),
}

impl Cut {
    /// Whether the journal has the number that it is cut at.
    fn check(self, journal: &Inspection, file: &Path) -> Outcome {
        let what = match self {
            Self::Before(number) if number > journal.last.saturating_add(1) => ends(journal, number),
            Self::After(number) if number > journal.last => ends(journal, number),
            Self::After(number) if number < journal.after() => {
                format!("{} from the journal", missing(number + 1, journal.after()))
            }
            _ => return Ok(()),
        };
        let what = format!("{}: {what}; nothing was cut", journal.path.display());
        Err(Failure::new(Exit::Refused, what).advice(see_numbers(&quoted(file.as_os_str()))))
    }

    /// Whether the store's snapshots need none of what is cut.
    async fn check_store(self, place: &Place, args: &LogCutArgs) -> Outcome {
        match self {
            Self::Before(before) => {
                let refused = |what: String, to_do: String| {
                    Err(Failure::new(Exit::Refused, format!("{}: {what}; nothing was cut", place.name())).advice(to_do))
                };
                match truncation_point(place).await? {
                    None => refused(
                        "all of the log is needed: a snapshot is corrupt or missing".into(),
                        format!("{} tells which", place.command("verify", &[])),
                    ),
                    Some(through) if before.saturating_sub(1) > through => refused(
                        format!("the oldest retained snapshot has seq {through}, and needs the records after it"),
                        format!(
                            "`minisnap log cut {} --before {}` keeps those",
                            quoted(args.file.as_os_str()),
                            through.saturating_add(1)
                        ),
                    ),
                    Some(_) => Ok(()),
                }
            }
            Self::After(after) => {
                let current = place.current_if_any().await?.map_or(0, |current| current.seq());
                if current <= after {
                    return Ok(());
                }
                let what = format!(
                    "{}: the current snapshot has seq {current}, so a program needs the log to reach it; nothing was cut",
                    place.name()
                );
                Err(Failure::new(Exit::Refused, what).advice(format!(
                    "first go back to a snapshot that {} lists, with {} if there is one with that seq",
                    place.command("history", &[]),
                    place.command("rollback", &["--to", &after.to_string()])
                )))
            }
        }
    }

    /// The first and the last record that are cut, if any are.
    fn of(self, journal: &Inspection) -> Option<(u64, u64)> {
        let (after, last) = match self {
            Self::Before(before) => (journal.after(), before.saturating_sub(1)),
            Self::After(after) => (after, journal.last),
        };
        (after < last).then(|| (after + 1, last))
    }

    /// What the journal holds afterwards: the first and the last record, and how many.
    fn leaves(self, journal: &Inspection) -> (u64, u64, u64) {
        match self {
            Self::Before(before) => {
                let after = journal.after().max(before.saturating_sub(1));
                (after.saturating_add(1), journal.last, journal.last - after)
            }
            Self::After(after) => (journal.first, after, after - journal.after()),
        }
    }
}

fn ends(journal: &Inspection, before: u64) -> String {
    format!("the journal ends with number {}, before {before}", journal.last)
}

struct Done<'a> {
    path: PathBuf,
    cut: Option<(u64, u64)>,
    moved_to: Option<PathBuf>,
    /// What the journal holds now.
    first: u64,
    last: u64,
    records: u64,
    /// The bytes of an append that was cut short, which the cut drops.
    torn: u64,
    args: &'a LogCutArgs,
}

impl Done<'_> {
    fn for_people(&self) -> String {
        let path = self.path.display();
        let held = held(self.records, self.last);
        let Some((first, last)) = self.cut else {
            return format!("there was nothing to cut; {path} holds {held}\n");
        };
        let (cut, is_after) = (records(first, last), self.args.which.after.is_some());
        let and = |verb: &str| torn(self.torn).map_or_else(String::new, |torn| format!("{verb} {torn}; "));
        let (dropped, would_drop) = (and("dropped"), and("would drop"));
        match (&self.moved_to, self.args.dry_run) {
            (Some(moved_to), _) => format!("moved {cut} to {}; {dropped}{path} holds {held}\n", moved_to.display()),
            (None, false) => format!("removed {cut}; {dropped}{path} holds {held}\n"),
            (None, true) if is_after => {
                format!(
                    "would move {cut} to a file beside {path}, which would hold {held}; {would_drop}nothing was changed\n"
                )
            }
            (None, true) => {
                format!("would remove {cut} from {path}, which would hold {held}; {would_drop}nothing was changed\n")
            }
        }
    }

    fn for_programs(&self) -> String {
        let cut = self.cut.map(|(first, last)| json!({ "first": first, "last": last }));
        let done = json!({
            "path": self.path.display().to_string(),
            "cut": cut,
            "moved_to": self.moved_to.as_ref().map(|path| path.display().to_string()),
            "first": self.first,
            "last": self.last,
            "dropped_bytes": if self.cut.is_some() { self.torn } else { 0 },
            "dry_run": self.args.dry_run,
        });
        format!("{done:#}\n")
    }
}
