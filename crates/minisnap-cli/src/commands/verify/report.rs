//! The output of `verify`.

use super::{Health, Verified};
use crate::{exit::Failure, help, open_store::OpenStore, text};
use minisnap::{Generation, Overdue};
use serde_json::{Value, json};

impl Verified {
    /// A line for each snapshot, the store, and the garbage; `collect` is the command that deletes garbage.
    pub(super) fn lines(&self, collect: &str) -> String {
        let snapshots: String = self.snapshots.iter().map(line).collect();
        let store = match self.problems.is_empty() {
            true => format!("{good}intact {good:#}  store\n", good = text::GOOD),
            false => self.store_problem_lines(),
        };
        let unconfirmed = self.unconfirmed.iter().map(|generation| {
            let bad = text::BAD;
            format!("{bad}unclear{bad:#}  {}: intact, but possibly never committed\n", text::line(generation))
        });
        let unconfirmed: String = unconfirmed.collect();
        let aside: String = self.moved_aside.iter().map(|location| format!("aside    {location}\n")).collect();
        let garbage = match (self.expired, self.orphans) {
            (0, 0) => String::new(),
            (expired, orphans) => {
                format!("garbage  {}: {collect} deletes them\n", text::garbage(expired, orphans))
            }
        };
        [snapshots, unconfirmed, store, aside, garbage].concat()
    }

    /// Only the problems.
    pub(super) fn finding_lines(&self) -> String {
        let findings = self.snapshots.iter().filter(|(_, health)| health.finding().is_some());
        findings.map(line).chain([self.store_problem_lines()]).collect()
    }

    /// The warning of garbage that commits should have deleted, with its help.
    pub(super) fn warning(&self, store: &str) -> Option<String> {
        let overdue = self.overdue.as_ref()?;
        Some(format!("{store}: {overdue}\nhelp: {}", overdue.help()))
    }

    fn store_problem_lines(&self) -> String {
        let bad = text::BAD;
        let line = |problem: &minisnap::Problem| {
            format!("{bad}corrupt{bad:#}  store: {}: {}\n", problem.location, problem.found)
        };
        self.problems.iter().map(line).collect()
    }

    pub(super) fn to_json(&self, store: &OpenStore, verdict: Option<&Failure>) -> Value {
        let remaining = self.remaining();
        let snapshots = self.snapshots.iter().map(|(generation, health)| {
            let mut snapshot = text::generation(generation);
            snapshot["health"] = json!(health.word());
            snapshot["problem"] = json!(health.finding().map(|finding| &finding.what));
            snapshot["warning"] = json!(match health {
                Health::Intact(warning) => warning.as_deref(),
                _ => None,
            });
            snapshot
        });
        let problems = self.problems.iter().map(|problem| {
            let help = help::for_finding(&problem.found, &problem.location, store, &remaining);
            json!({ "location": problem.location, "problem": problem.found.to_string(), "help": help })
        });
        json!({
            "store": store.name(),
            "intact": verdict.is_none(),
            "snapshots": snapshots.collect::<Vec<_>>(),
            "problems": problems.collect::<Vec<_>>(),
            "unconfirmed": self.unconfirmed.iter().map(text::generation).collect::<Vec<_>>(),
            "moved_aside": self.moved_aside,
            "expired": self.expired,
            "orphans": self.orphans,
            "overdue": self.overdue.as_ref().map(overdue_to_json),
            "error": verdict.map(Failure::to_json),
        })
    }
}

fn overdue_to_json(overdue: &Overdue) -> Value {
    let failure = overdue.failure.as_ref().map(|failure| {
        json!({
            "objects": failure.objects,
            "location": failure.location,
            "forbidden": failure.forbidden,
            "reason": failure.reason,
        })
    });
    json!({ "expired": overdue.expired, "orphans": overdue.orphans, "failure": failure, "help": overdue.help() })
}

fn line((generation, health): &(Generation, Health)) -> String {
    let (good, bad) = (text::GOOD, text::BAD);
    let what = text::line(generation);
    match health {
        Health::Intact(None) => format!("{good}intact {good:#}  {what}\n"),
        Health::Intact(Some(warning)) => format!("{good}intact {good:#}  {what}; warning: {warning}\n"),
        Health::Corrupt(finding) | Health::Unknown(finding) => {
            format!("{bad}{:7}{bad:#}  {what}: {}\n", health.word(), finding.what)
        }
    }
}
