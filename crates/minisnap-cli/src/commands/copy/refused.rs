//! Why a copy is refused, and what an operator can do then.

use super::{
    Copy, Look,
    onto::newer,
    resume::{history_missing, newest_missing},
};
use crate::{
    exit::{Exit, Failure},
    select::say_the_same,
    text,
};
use minisnap::Generation;

impl Copy {
    /// The target isn't a part of the source's history; or, with `--onto`, the source isn't newer.
    pub(super) fn refused(&self, look: &Look) -> Failure {
        let (from, to) = (self.from.name(), self.to.name());
        let why = match (look.source.last(), look.target.last()) {
            (Some(newest), Some(current)) if self.args.onto && newest.seq() == current.seq() => {
                format!(
                    "{to}: its current snapshot {current} has the seq of {newest}, that of {from}, and differs from it"
                )
            }
            (Some(newest), Some(current)) if self.args.onto => format!(
                "{to}: seq {} of the current snapshot of {from} is not above seq {} of its current snapshot {current}",
                newest.seq(),
                current.seq()
            ),
            _ => format!("{to}: what it has ({}) is no part of the history of {from}", text::seqs(&look.target)),
        };
        let changed = match self.committed.len() {
            0 => "nothing was changed".into(),
            copied => format!("{copied} were copied before"),
        };
        Failure::new(Exit::Refused, format!("{why}; {changed}")).advice(self.way_on(look))
    }

    fn way_on(&self, look: &Look) -> String {
        if newer(&look.contents, look.there.last().copied()).is_some() {
            return "is the target named rightly? `--onto` commits on top of what it has, if that is older; or copy to a new \
                    location"
                .into();
        }
        let follow = self.without_onto(look).or_else(|| self.by_rollback(look)).or_else(|| self.by_create(look));
        format!(
            "are the two stores the right way round? If {} was taken back to an older state on purpose, {}",
            self.from.name(),
            follow.unwrap_or_else(|| "copy to a new location".into())
        )
    }

    /// The target's current snapshot is in the source's history.
    fn without_onto(&self, look: &Look) -> Option<String> {
        if self.args.history && history_missing(&look.contents, &look.there).is_some() {
            return Some(format!("{} follows it", self.command(&["--history"])));
        }
        newest_missing(&look.contents, &look.there)?;
        Some(format!("{} follows it", self.command(&[])))
    }

    /// This copy with these flags, to be pasted.
    fn command(&self, flags: &[&str]) -> String {
        self.from.copy_command(&self.to, flags)
    }

    /// The source's current snapshot is in the target's history.
    fn by_rollback(&self, look: &Look) -> Option<String> {
        let newest = look.source.last()?;
        let same = |generation: &&Generation| say_the_same(generation, newest);
        let older = look.target.iter().rev().find(same)?;
        Some(format!("{} follows it", self.to.command("rollback", &["--to", older.name()])))
    }

    fn by_create(&self, look: &Look) -> Option<String> {
        let newest = look.source.last()?;
        let cat = self.from.command("cat", &["--at", newest.name()]);
        let create = self.to.command("create", &["--seq", &newest.seq().to_string()]);
        Some(format!("`{} | {}` follows it", cat.trim_matches('`'), create.trim_matches('`')))
    }
}
