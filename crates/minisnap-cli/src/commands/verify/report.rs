//! What `verify` prints.

use super::{Health, Verified};
use crate::{exit::Failure, help, open_store::Place, text};
use minisnap::Generation;
use serde_json::{Value, json};

impl Verified {
    /// A line for each snapshot, the store, and what else is there; `collect` is the command that removes garbage.
    pub(super) fn lines(&self, collect: &str) -> String {
        let snapshots: String = self.snapshots.iter().map(line).collect();
        let store = match self.problems.is_empty() {
            true => format!("{good}intact {good:#}  store\n", good = text::GOOD),
            false => self.problem_lines(),
        };
        let unconfirmed = self.unconfirmed.iter().map(|generation| {
            let bad = text::BAD;
            format!("{bad}unclear{bad:#}  {}: intact, and possibly never committed\n", text::line(generation))
        });
        let unconfirmed: String = unconfirmed.collect();
        let aside: String = self.moved_aside.iter().map(|location| format!("aside    {location}\n")).collect();
        let garbage = match (self.expired, self.orphans) {
            (0, 0) => String::new(),
            (expired, orphans) => {
                format!("garbage  {}: {collect} removes them\n", text::garbage(expired, orphans))
            }
        };
        [snapshots, unconfirmed, store, aside, garbage].concat()
    }

    /// Only what is wrong.
    pub(super) fn wrong_lines(&self) -> String {
        let wrong = self.snapshots.iter().filter(|(_, health)| health.wrong().is_some());
        wrong.map(line).chain([self.problem_lines()]).collect()
    }

    fn problem_lines(&self) -> String {
        let bad = text::BAD;
        let line = |problem: &minisnap::Problem| {
            format!("{bad}corrupt{bad:#}  store: {}: {}\n", problem.location, problem.found)
        };
        self.problems.iter().map(line).collect()
    }

    pub(super) fn for_programs(&self, place: &Place, verdict: Option<&Failure>) -> Value {
        let left = self.left();
        let snapshots = self.snapshots.iter().map(|(generation, health)| {
            let mut snapshot = text::generation(generation);
            snapshot["health"] = json!(health.word());
            snapshot["problem"] = json!(health.wrong().map(|wrong| &wrong.what));
            snapshot["warning"] = json!(match health {
                Health::Intact(warning) => warning.as_deref(),
                _ => None,
            });
            snapshot
        });
        let problems = self.problems.iter().map(|problem| {
            let help = help::of_found(&problem.found, &problem.location, place, &left);
            json!({ "location": problem.location, "problem": problem.found.to_string(), "help": help })
        });
        json!({
            "store": place.name(),
            "intact": verdict.is_none(),
            "snapshots": snapshots.collect::<Vec<_>>(),
            "problems": problems.collect::<Vec<_>>(),
            "unconfirmed": self.unconfirmed.iter().map(text::generation).collect::<Vec<_>>(),
            "moved_aside": self.moved_aside,
            "expired": self.expired,
            "orphans": self.orphans,
            "error": verdict.map(Failure::for_programs),
        })
    }
}

fn line((generation, health): &(Generation, Health)) -> String {
    let (good, bad) = (text::GOOD, text::BAD);
    let what = text::line(generation);
    match health {
        Health::Intact(None) => format!("{good}intact {good:#}  {what}\n"),
        Health::Intact(Some(warning)) => format!("{good}intact {good:#}  {what}; warning: {warning}\n"),
        Health::Corrupt(wrong) | Health::Unknown(wrong) => {
            format!("{bad}{:7}{bad:#}  {what}: {}\n", health.word(), wrong.what)
        }
    }
}
