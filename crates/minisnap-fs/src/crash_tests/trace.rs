//! The trace of a run: its recorded steps, with a kill or a power loss at each of them.

use super::{
    expected::{Expected, Recovery, Snapshots, inspect},
    recorder::Step,
    run::{Run, block_on, test_dir},
};
use crate::layout::{GenerationName, is_stage};
use minisnap_crash_model::{Event, Model, Siblings, Tree};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// The recorded steps, and what is expected after each.
pub(super) struct Trace {
    pub(super) dir: &'static str,
    pub(super) start: Arc<Tree>,
    pub(super) expect: Arc<Expected>,
    pub(super) steps: Vec<Step>,
    pub(super) from: usize,
    pub(super) numbers: usize,
}

impl Trace {
    /// For each step, the machine on which the program was killed before it. Its earlier changes are visible, and only the synced ones
    /// are durable.
    pub(super) fn killed_at_each_step(&self) -> impl Iterator<Item = Run> {
        (self.from..=self.steps.len()).map(|from| {
            let mut model = Model::of(&self.start);
            let mut expect = self.expect.clone();
            for step in &self.steps[..from] {
                match step {
                    Step::Did(_, event) => model.apply(event),
                    Step::Expect(next) => expect = next.clone(),
                }
            }
            let mut run = Run::on(model.now(), self.dir, expect.clone(), self.numbers);
            self.steps[..from].iter().for_each(|step| run.recording.push(step.clone()));
            run.recording.push(Step::Expect(expect));
            run.start = self.start.clone();
            run.first_expected = self.expect.clone();
            run.from = from;
            run
        })
    }

    /// Simulates a power loss at every point, and checks every state that the disk may then have. States in `checked_states` aren't
    /// checked again.
    pub(super) fn check_power_losses(&self, checked_states: &mut CheckedStates) -> Result<(), String> {
        self.each_state(|_| false, |index, tree, expect| self.check(index, tree, expect, checked_states))
    }

    /// Simulates the power losses without the `omitted` steps. Checks only the states that become possible by the omission.
    pub(super) fn check_power_losses_without(
        &self,
        omitted: impl Fn(usize) -> bool,
        checked_states: &mut CheckedStates,
    ) -> Result<(), String> {
        let possible = self.states();
        self.each_state(omitted, |index, tree, expect| match possible.contains(&(tree.clone(), expect.clone())) {
            true => Ok(()),
            false => self.check(index, tree, expect, checked_states),
        })
    }

    fn check(
        &self,
        index: usize,
        tree: Arc<Tree>,
        expect: &Expected,
        checked_states: &mut CheckedStates,
    ) -> Result<(), String> {
        let found = checked_states.0.entry((tree.clone(), expect.recovery)).or_insert_with(|| {
            let machine = test_dir();
            let root = machine.path().join("disk");
            tree.write_to(&root).expect("write the disk");
            block_on(inspect(&root.join(self.dir), expect.recovery))
        });
        let checked = found.as_ref().map_err(Clone::clone).and_then(|found| expect.check(found.as_ref()));
        checked.map_err(|found| self.explain(index, &found, &tree))
    }

    /// For each state that the disk may have after a power loss, the restarted machine.
    pub(super) fn restarted_after_power_loss(&self) -> impl Iterator<Item = Run> {
        self.states().into_iter().map(|(tree, expect)| Run::on(tree, self.dir, expect, self.numbers))
    }

    fn states(&self) -> HashSet<(Arc<Tree>, Arc<Expected>)> {
        let mut states = HashSet::new();
        let add = |_, tree, expect: &Arc<Expected>| {
            states.insert((tree, expect.clone()));
            Ok(())
        };
        self.each_state(|_| false, add).expect("nothing is checked");
        states
    }

    /// Calls `visit` for each state that a power loss may leave. Between two syncs, the set of possible states only grows. So it is enough
    /// to compute it before each sync, before each change of the expectation, and at the end.
    fn each_state(
        &self,
        omitted: impl Fn(usize) -> bool,
        mut visit: impl FnMut(usize, Arc<Tree>, &Arc<Expected>) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut model = Model::of(&self.start);
        let mut expect = &self.expect;
        for (index, step) in self.steps.iter().enumerate().filter(|(index, _)| !omitted(*index)) {
            if index >= self.from && matches!(step, Step::Expect(_) | Step::Did(_, Event::Sync(_))) {
                model.after_power_loss(&is_never_read).into_iter().try_for_each(|tree| visit(index, tree, expect))?;
            }
            match step {
                Step::Did(_, event) => model.apply(event),
                Step::Expect(next) => expect = next,
            }
        }
        model.after_power_loss(&is_never_read).into_iter().try_for_each(|tree| visit(self.steps.len(), tree, expect))
    }

    fn explain(&self, index: usize, found: &str, tree: &Tree) -> String {
        let line = |step: &Step| match step {
            Step::Did(operation, event) => format!("{operation}: {event:?}"),
            Step::Expect(expect) => format!("{expect:?}"),
        };
        let steps: Vec<_> = self.steps[..index].iter().map(line).collect();
        format!("power loss after\n{}\n\n{found}\n\n{tree}", steps.join("\n"))
    }
}

/// The states that were checked, each with the history that was found.
#[derive(Default)]
pub(super) struct CheckedStates(HashMap<(Arc<Tree>, Recovery), Result<Option<Snapshots>, String>>);

impl CheckedStates {
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }
}

/// Whether a folder is a stage, or a generation that the commit record doesn't name. A generation that was current earlier was checked
/// then. Any other folder is only ever removed. So only the presence of its files matters, and not their content.
fn is_never_read(name: &str, siblings: &Siblings<'_>) -> bool {
    is_stage(name) || (GenerationName::parse(name).is_some() && siblings.link("current") != Some(name))
}
