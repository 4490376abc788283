//! The error and help of a refused copy.

use super::{
    Copy, Histories,
    resume::{history_missing, newest_missing},
    select_newer::select_newer,
};
use crate::{
    exit::{Exit, Failure},
    select::have_same_content,
    text,
};
use minisnap::Generation;

impl Copy {
    /// The target's history isn't a part of the source's; or, with `--onto`, the source isn't newer.
    pub(super) fn refusal(&self, histories: &Histories) -> Failure {
        let (from, to) = (self.from.name(), self.to.name());
        let why = match (histories.source.last(), histories.target.last()) {
            (Some(newest), Some(current)) if self.args.onto && newest.seq() == current.seq() => {
                format!(
                    "{to}: the current snapshot here, {current}, and that of {from}, {newest}, have the same seq and \
                     different bytes"
                )
            }
            (Some(newest), Some(current)) if self.args.onto => format!(
                "{to}: the current seq {} of the source {from} is not above seq {} of the target's current snapshot {current}",
                newest.seq(),
                current.seq()
            ),
            _ => format!(
                "{to}: the history here ({}) is not a part of the history of {from}",
                text::seqs(&histories.target)
            ),
        };
        let changed = match self.committed.len() {
            0 => "nothing was changed".into(),
            copied => format!("already copied: {copied}"),
        };
        Failure::new(Exit::Refused, format!("{why}; {changed}")).with_help(self.help_for_refusal(histories))
    }

    fn help_for_refusal(&self, histories: &Histories) -> String {
        if select_newer(&histories.source_contents, histories.target_contents.last().copied()).is_some() {
            return "check that the target is the right store; to commit on top of its older snapshots, add `--onto`; or copy \
                    to a new location"
                .into();
        }
        let command =
            self.without_onto(histories).or_else(|| self.by_rollback(histories)).or_else(|| self.by_create(histories));
        format!(
            "check that the two stores are not swapped; if {} was rolled back on purpose, {}",
            self.from.name(),
            command.unwrap_or_else(|| "copy to a new location".into())
        )
    }

    /// If the target's current snapshot is in the source's history.
    fn without_onto(&self, histories: &Histories) -> Option<String> {
        if self.args.history && history_missing(&histories.source_contents, &histories.target_contents).is_some() {
            return Some(format!("run {} to roll back the target, too", self.command(&["--history"])));
        }
        newest_missing(&histories.source_contents, &histories.target_contents)?;
        Some(format!("run {} to roll back the target, too", self.command(&[])))
    }

    /// This copy with other flags; it can be pasted.
    fn command(&self, flags: &[&str]) -> String {
        self.from.copy_command(&self.to, flags)
    }

    /// If the source's current snapshot is in the target's history.
    fn by_rollback(&self, histories: &Histories) -> Option<String> {
        let newest = histories.source.last()?;
        let same = |generation: &&Generation| have_same_content(generation, newest);
        let older = histories.target.iter().rev().find(same)?;
        Some(format!("run {} to roll back the target, too", self.to.command("rollback", &["--to", older.name()])))
    }

    fn by_create(&self, histories: &Histories) -> Option<String> {
        let newest = histories.source.last()?;
        let cat = self.from.command("cat", &["--at", newest.name()]);
        let create = self.to.command("create", &["--seq", &newest.seq().to_string()]);
        Some(format!("run `{} | {}` to roll back the target, too", cat.trim_matches('`'), create.trim_matches('`')))
    }
}
