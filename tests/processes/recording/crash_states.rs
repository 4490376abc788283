//! The states of the disk that a power loss may leave.

use super::{Recording, Step};
use minisnap_crash_model::{Event, Model, Tree};
use std::{collections::HashSet, path::Path, sync::Arc};

/// A possible state of the disk after a power loss.
#[derive(Clone)]
struct State {
    tree: Arc<Tree>,
    /// The number of steps before the power loss.
    after: usize,
    /// The number of lines that the child had sent.
    lines: usize,
}

impl Recording {
    /// Cuts the power after each step, and runs `check` once for each possible state of the disk and the lines that the child
    /// had sent by then. The state is in a separate folder. Returns the number of states.
    ///
    /// # Panics
    ///
    /// If `check` finds a violation, with the steps before the power loss and the content of the disk.
    pub(crate) fn for_each_state(&self, check: impl Fn(&Path, &[&str]) -> Result<(), String>) -> usize {
        let states = self.states();
        if let Some(violation) = self.first_violation(states.iter(), &check) {
            panic!("{violation}");
        }
        states.len()
    }

    /// Leaves out some syncs, and runs `check` for the states that are possible only without them. Returns the first
    /// violation. `left_out` gets the number and the path of each sync.
    pub(crate) fn violation_without(
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
        let known: HashSet<_> = self.states().into_iter().map(|state| (state.tree, state.lines)).collect();
        let states = without.states();
        let new = states.iter().filter(|state| !known.contains(&(state.tree.clone(), state.lines)));
        without.first_violation(new, &check)
    }

    /// Returns the path of each sync, in order.
    pub(crate) fn synced(&self) -> Vec<&str> {
        self.syncs().map(|(_, path)| path).collect()
    }

    fn syncs(&self) -> impl Iterator<Item = (usize, &str)> {
        self.steps.iter().enumerate().filter_map(|(index, step)| match step {
            Step::Changed(Event::Sync(path)) => Some((index, &**path)),
            _ => None,
        })
    }

    /// Returns each state once, the earliest first.
    fn states(&self) -> Vec<State> {
        let (mut model, mut lines) = (Model::of(&self.start), 0);
        let (mut states, mut seen) = (Vec::new(), HashSet::new());
        for after in 0..=self.steps.len() {
            match after.checked_sub(1).map(|last| &self.steps[last]) {
                Some(Step::Changed(event)) => model.apply(event),
                Some(Step::Printed(_)) => lines += 1,
                None => {}
            }
            // No file is ignored here, since a reader may read any of them.
            let new =
                model.after_power_loss(&|_, _| false).into_iter().filter(|tree| seen.insert((tree.clone(), lines)));
            states.extend(new.map(|tree| State { tree, after, lines }));
        }
        states
    }

    fn first_violation<'a>(
        &self,
        mut states: impl Iterator<Item = &'a State>,
        check: impl Fn(&Path, &[&str]) -> Result<(), String>,
    ) -> Option<String> {
        let lines: Vec<_> = self.steps.iter().filter_map(Step::line).collect();
        states.find_map(|state| {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let disk = folder.path().join("disk");
            state.tree.write_to(&disk).expect("to write the state");
            let violation = check(&disk, &lines[..state.lines]).err()?;
            Some(format!("{violation}\n\nafter a power loss after\n{}\n{}", self.steps_before(state.after), state.tree))
        })
    }

    fn steps_before(&self, steps: usize) -> String {
        self.steps[..steps].iter().map(|step| format!("{step:?}\n")).collect()
    }
}

impl Step {
    fn line(&self) -> Option<&str> {
        match self {
            Self::Printed(line) => Some(line),
            Self::Changed(_) => None,
        }
    }
}
