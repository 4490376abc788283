//! Whether a store is intact, and what to do if not.

use super::{Health, Verified, Wrong};
use crate::{
    exit::{Exit, Failure},
    help::{self, Left},
    open_store::Place,
    text,
};
use minisnap::{Corruption, Generation, Problem};

impl Verified {
    /// `None` if all is intact. Corruption comes before doubt: what is certainly wrong must be acted on.
    pub(super) fn verdict(&mut self, place: &Place) -> Option<Failure> {
        if let Some(error) = self.error.take() {
            return Some(error);
        }
        let (corrupt, total) = (self.corrupt().len(), self.snapshots.len());
        let (exit, what) = if corrupt > 0 {
            (Exit::Corrupt, format!("of {total} snapshots, {corrupt} can't be restored as committed"))
        } else if self.one_is_missing() {
            (
                Exit::Corrupt,
                format!("the {total} snapshots that are there are intact, and one that is retained is missing"),
            )
        } else if self.problems.iter().any(|problem| !is_forbidden(&problem.found)) {
            let what = match self.is_unread() {
                true => "not all snapshots could be read, and the store around them is not intact",
                false => "the snapshots are intact, and the store around them is not",
            };
            (Exit::Corrupt, what.into())
        } else if self.is_unread() {
            (Exit::CouldNotLook, format!("not all of {total} snapshots could be read"))
        } else {
            return None;
        };
        let what = format!("{}: {what}", place.name());
        let failure = Failure::new(exit, what).advice(self.help(place));
        Some(failure.with_intact(self.intact()).with_unconfirmed(self.unconfirmed.clone()))
    }

    /// One that is retained is not there.
    fn one_is_missing(&self) -> bool {
        self.problems.iter().any(|problem| matches!(problem.found, Corruption::HistoryGap { retained: Some(_), .. }))
    }

    /// Whether there is something that couldn't be looked at.
    fn is_unread(&self) -> bool {
        let is_denied = self.problems.iter().any(|problem| is_forbidden(&problem.found));
        is_denied || self.snapshots.is_empty() || self.snapshots.iter().any(|(_, health)| health.wrong().is_some())
    }

    fn corrupt(&self) -> Vec<Generation> {
        self.of_health(|health| matches!(health, Health::Corrupt(_)))
    }

    /// What the advice depends on.
    pub(super) fn left(&self) -> Left {
        let current = self.snapshots.first().map(|(generation, _)| generation.clone());
        Left { current, intact: self.intact(), unconfirmed: self.unconfirmed.clone() }
    }

    fn intact(&self) -> Vec<Generation> {
        self.of_health(|health| matches!(health, Health::Intact(_)))
    }

    fn of_health(&self, is_it: impl Fn(&Health) -> bool) -> Vec<Generation> {
        let those = self.snapshots.iter().filter(|(_, health)| is_it(health));
        those.map(|(generation, _)| generation.clone()).collect()
    }

    fn help(&self, place: &Place) -> String {
        if self.one_is_missing() {
            // A commit would no longer know of it.
            let first = "bring the missing folder back (from a backup, or from where it was moved) BEFORE anything is \
                         committed";
            let then = match self.intact().is_empty() {
                true => Some(format!("{} tells what is left to go back to", place.command("verify", &[]))),
                false => self.help_about_snapshots(place),
            };
            return then.map_or_else(|| first.into(), |then| format!("{first}; then: {then}"));
        }
        let is_of_owner = |problem: &Problem| matches!(problem.found, Corruption::WrongOwner { .. });
        if self.corrupt().is_empty() && self.problems.iter().any(is_of_owner) {
            // That is why a snapshot can't be read.
            return self.help_about_the_store(place);
        }
        self.help_about_snapshots(place).unwrap_or_else(|| self.help_about_the_store(place))
    }

    /// Each advice once.
    fn help_about_the_store(&self, place: &Place) -> String {
        let (left, mut advice) = (self.left(), Vec::new());
        for problem in &self.problems {
            let help = help::of_found(&problem.found, &problem.location, place, &left);
            if !advice.contains(&help) {
                advice.push(help);
            }
        }
        advice.join("; ")
    }

    /// `None` if all snapshots are intact.
    fn help_about_snapshots(&self, place: &Place) -> Option<String> {
        let (corrupt, left) = (self.corrupt(), self.left());
        let Wrong { found, .. } = self.snapshots.iter().find_map(|(_, health)| health.wrong())?;
        Some(match found {
            Some(found @ Corruption::Forbidden { .. }) if corrupt.is_empty() => {
                help::of_found(found, place.name(), place, &left)
            }
            _ if corrupt.is_empty() => "see to the path, its permissions and the disk; then try again".into(),
            _ if left.intact.first() == left.current.as_ref() => format!(
                "the current snapshot is intact: there is nothing to go back from; but {} can't be gone back to",
                text::seqs(&corrupt)
            ),
            found => help::of_generation(place, &left, found.as_ref().is_some_and(Corruption::may_be_an_edit)),
        })
    }
}

fn is_forbidden(found: &Corruption) -> bool {
    matches!(found, Corruption::Forbidden { .. })
}
