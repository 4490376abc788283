//! The verdict: whether a store is intact, and the help if not.

use super::{Finding, Health, Verified};
use crate::{
    exit::{Exit, Failure},
    help::{self, Remaining},
    open_store::OpenStore,
    text,
};
use minisnap::{Corruption, Generation, Problem};

impl Verified {
    /// `None` if the store is intact. Corruption takes precedence over snapshots that couldn't be read.
    pub(super) fn verdict(&mut self, store: &OpenStore) -> Option<Failure> {
        if let Some(error) = self.error.take() {
            return Some(error);
        }
        let (corrupt, total) = (self.corrupt().len(), self.snapshots.len());
        let (exit, what) = if corrupt > 0 {
            (Exit::Corrupt, format!("of {total} snapshots, {corrupt} can't be restored as committed"))
        } else if self.is_incomplete() {
            (Exit::Corrupt, format!("a retained snapshot is missing; intact: {total}"))
        } else if self.problems.iter().any(|problem| !is_forbidden(&problem.found)) {
            let what = match self.is_unread() {
                true => "some snapshots could not be read, and other parts of the store are corrupt",
                false => "the snapshots are intact, but other parts of the store are not",
            };
            (Exit::Corrupt, what.into())
        } else if self.is_unread() {
            (Exit::CouldNotLook, format!("some of {total} snapshots could not be read"))
        } else {
            return None;
        };
        let what = format!("{}: {what}", store.name());
        let failure = Failure::new(exit, what).with_help(self.help(store));
        Some(failure.with_intact(self.intact()).with_unconfirmed(self.unconfirmed.clone()))
    }

    /// A retained snapshot is missing.
    fn is_incomplete(&self) -> bool {
        self.problems.iter().any(|problem| matches!(problem.found, Corruption::HistoryGap { retained: Some(_), .. }))
    }

    /// Whether something couldn't be read.
    fn is_unread(&self) -> bool {
        let is_denied = self.problems.iter().any(|problem| is_forbidden(&problem.found));
        is_denied || self.snapshots.is_empty() || self.snapshots.iter().any(|(_, health)| health.finding().is_some())
    }

    fn corrupt(&self) -> Vec<Generation> {
        self.of_health(|health| matches!(health, Health::Corrupt(_)))
    }

    /// The readable snapshots, on which the help depends.
    pub(super) fn remaining(&self) -> Remaining {
        let current = self.snapshots.first().map(|(generation, _)| generation.clone());
        Remaining { current, intact: self.intact(), unconfirmed: self.unconfirmed.clone() }
    }

    fn intact(&self) -> Vec<Generation> {
        self.of_health(|health| matches!(health, Health::Intact(_)))
    }

    fn of_health(&self, matches: impl Fn(&Health) -> bool) -> Vec<Generation> {
        let matching = self.snapshots.iter().filter(|(_, health)| matches(health));
        matching.map(|(generation, _)| generation.clone()).collect()
    }

    fn help(&self, store: &OpenStore) -> String {
        if self.is_incomplete() {
            // A commit would drop the missing snapshot from the history.
            let first = "put back what is missing (from a backup, or from where it was moved) BEFORE the next commit: the folder of a \
                 snapshot, or its link `parent` or `retained`";
            let then = match self.intact().is_empty() {
                true => Some(format!("{} lists what a rollback can go back to", store.command("verify", &[]))),
                false => self.help_for_snapshots(store),
            };
            return then.map_or_else(|| first.into(), |then| format!("{first}; then: {then}"));
        }
        let is_of_owner = |problem: &Problem| matches!(problem.found, Corruption::WrongOwner { .. });
        if self.corrupt().is_empty() && self.problems.iter().any(is_of_owner) {
            // The owner is the reason why a snapshot can't be read.
            return self.help_for_store(store);
        }
        self.help_for_snapshots(store).unwrap_or_else(|| self.help_for_store(store))
    }

    /// Each text once.
    fn help_for_store(&self, store: &OpenStore) -> String {
        let (remaining, mut texts) = (self.remaining(), Vec::new());
        for problem in &self.problems {
            let help = help::for_finding(&problem.found, &problem.location, store, &remaining);
            if !texts.contains(&help) {
                texts.push(help);
            }
        }
        texts.join("; ")
    }

    /// `None` if all snapshots are intact.
    fn help_for_snapshots(&self, store: &OpenStore) -> Option<String> {
        let (corrupt, remaining) = (self.corrupt(), self.remaining());
        let Finding { found, .. } = self.snapshots.iter().find_map(|(_, health)| health.finding())?;
        Some(match found {
            Some(found @ Corruption::Forbidden { .. }) if corrupt.is_empty() => {
                help::for_finding(found, store.name(), store, &remaining)
            }
            _ if corrupt.is_empty() => "check the path, its permissions and the disk; then retry".into(),
            _ if remaining.intact.first() == remaining.current.as_ref() => format!(
                "the current snapshot is intact, so no rollback is needed; a rollback to {} is not possible",
                text::seqs(&corrupt)
            ),
            found => help::for_generation(store, &remaining, found.as_ref().is_some_and(Corruption::may_be_an_edit)),
        })
    }
}

fn is_forbidden(found: &Corruption) -> bool {
    matches!(found, Corruption::Forbidden { .. })
}
