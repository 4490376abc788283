//! What a power loss may leave of what was recorded.

use super::{Recording, Step};
use minisnap_crash_model::{Event, Model, Tree};
use std::{collections::HashSet, path::Path, sync::Arc};

/// What may be on the disk after a power loss.
#[derive(Clone)]
struct State {
    tree: Arc<Tree>,
    /// How many steps were done.
    after: usize,
    /// How many lines were said.
    said: usize,
}

impl Recording {
    /// Cuts the power after every step, and does `check` once for each state that the disk may be in then, and for what
    /// the peer had said by that time: in a folder of its own that holds what was under the root. Returns how many there
    /// were.
    ///
    /// # Panics
    ///
    /// If `check` finds something wrong: with all that had been done, and with what was on the disk.
    pub(crate) fn for_each_state(&self, check: impl Fn(&Path, &[&str]) -> Result<(), String>) -> usize {
        let states = self.states();
        if let Some(wrong) = self.first_wrong(states.iter(), &check) {
            panic!("{wrong}");
        }
        states.len()
    }

    /// Does `check` for the states that may only be there if some syncs are left out, up to the first in which something is
    /// wrong, and returns what that is. `left_out` is asked for the number and the path of each.
    pub(crate) fn harm_without(
        &self,
        left_out: impl Fn(usize, &str) -> bool,
        check: impl Fn(&Path, &[&str]) -> Result<(), String>,
    ) -> Option<String> {
        let left_out: HashSet<_> = self
            .syncs()
            .enumerate()
            .filter(|(number, (_, path))| left_out(*number, path))
            .map(|(_, (at, _))| at)
            .collect();
        let mut without = self.clone();
        let mut at = 0..;
        without.steps.retain(|_| at.next().is_none_or(|at| !left_out.contains(&at)));
        let fine: HashSet<_> = self.states().into_iter().map(|state| (state.tree, state.said)).collect();
        let states = without.states();
        let new = states.iter().filter(|state| !fine.contains(&(state.tree.clone(), state.said)));
        without.first_wrong(new, &check)
    }

    /// The path of each sync, in order.
    pub(crate) fn synced(&self) -> Vec<&str> {
        self.syncs().map(|(_, path)| path).collect()
    }

    fn syncs(&self) -> impl Iterator<Item = (usize, &str)> {
        self.steps.iter().enumerate().filter_map(|(index, step)| match step {
            Step::Did(Event::Sync(path)) => Some((index, &**path)),
            _ => None,
        })
    }

    /// Each once, the earliest first.
    fn states(&self) -> Vec<State> {
        let (mut model, mut said) = (Model::of(&self.start), 0);
        let (mut states, mut seen) = (Vec::new(), HashSet::new());
        for after in 0..=self.steps.len() {
            match after.checked_sub(1).map(|last| &self.steps[last]) {
                Some(Step::Did(event)) => model.apply(event),
                Some(Step::Said(_)) => said += 1,
                None => {}
            }
            // Nothing is left out: this knows no names of which it could say that nobody reads what is there.
            let new =
                model.after_power_loss(&|_, _| false).into_iter().filter(|tree| seen.insert((tree.clone(), said)));
            states.extend(new.map(|tree| State { tree, after, said }));
        }
        states
    }

    fn first_wrong<'a>(
        &self,
        mut states: impl Iterator<Item = &'a State>,
        check: impl Fn(&Path, &[&str]) -> Result<(), String>,
    ) -> Option<String> {
        let said: Vec<_> = self.steps.iter().filter_map(Step::said).collect();
        states.find_map(|state| {
            let machine = tempfile::tempdir().expect("a temporary folder");
            let disk = machine.path().join("disk");
            state.tree.write_to(&disk).expect("to lay it out");
            let wrong = check(&disk, &said[..state.said]).err()?;
            Some(format!("{wrong}\n\nafter a power loss after\n{}\n{}", self.story(state.after), state.tree))
        })
    }

    fn story(&self, steps: usize) -> String {
        self.steps[..steps].iter().map(|step| format!("{step:?}\n")).collect()
    }
}

impl Step {
    fn said(&self) -> Option<&str> {
        match self {
            Self::Said(line) => Some(line),
            Self::Did(_) => None,
        }
    }
}
