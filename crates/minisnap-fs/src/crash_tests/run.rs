//! Programs that use a store: recorded, killed at any point, and put through a power loss at every point.

use super::{
    expect::{CORRUPT, Expect, OrElse, Pair, Snapshots, commit, find, look, published_over},
    recorder::{Recording, Step},
};
use crate::{
    FsBackend,
    layout::{GenerationName, is_stage},
};
use minisnap_core::{CommitOptions, Committed, MiniSnapError, Precondition, SnapshotBackend, StagedSnapshot};
use minisnap_crash_model::{Beside, Event, Model, Tree};
use std::{
    collections::{HashMap, HashSet},
    fs,
    future::Future,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    time::Duration,
};
use tempfile::TempDir;

/// The programs of a machine, one after the other, with a store in the folder `dir` of its disk.
pub(super) struct Run {
    machine: TempDir,
    dir: &'static str,
    start: Arc<Tree>,
    first_expect: Arc<Expect>,
    expect: Arc<Expect>,
    recording: Recording,
    /// A power loss before this step isn't looked at.
    from: usize,
    /// The handle that does everything, if it is one; else each operation has a fresh one.
    handle: Option<FsBackend>,
}

impl Run {
    /// A machine with `tree` on its disk, all of it durable; `expect` can be found in it.
    pub(super) fn new(dir: &'static str, tree: Tree, expect: Expect) -> Self {
        Self::on(Arc::new(tree), dir, Arc::new(expect), 0)
    }

    fn on(tree: Arc<Tree>, dir: &'static str, expect: Arc<Expect>, numbers: usize) -> Self {
        let machine = scratch();
        fs::remove_dir(machine.path()).and_then(|()| tree.write_to(machine.path())).expect("lay out the disk");
        let recording = Recording::start(machine.path(), numbers);
        Self { machine, dir, start: tree, first_expect: expect.clone(), expect, recording, from: 0, handle: None }
    }

    /// The whole disk.
    pub(super) fn root(&self) -> &Path {
        self.machine.path()
    }

    pub(super) fn path(&self) -> PathBuf {
        self.machine.path().join(self.dir)
    }

    /// From here on one handle does everything: it remembers what it saw, and stages in memory. Not after a kill.
    pub(super) fn by_one_handle(mut self) -> Self {
        self.handle = Some(FsBackend::new(self.path()));
        self
    }

    pub(super) fn backend(&self) -> FsBackend {
        self.handle.clone().unwrap_or_else(|| FsBackend::new(self.path()))
    }

    /// Whether nothing was done that changes the disk since [`let_time_pass`](Self::let_time_pass).
    pub(super) fn is_at_rest(&self) -> bool {
        self.recording.steps().is_empty()
    }

    /// What may be found now.
    pub(super) fn expected(&self) -> Vec<Snapshots> {
        self.expect.one_of.clone()
    }

    pub(super) fn or_else(&self) -> OrElse {
        self.expect.or_else
    }

    /// From here on `expect` may be found.
    pub(super) fn expect(&mut self, one_of: Vec<Snapshots>, or_else: OrElse) {
        self.expect = Arc::new(Expect { one_of, or_else });
        self.recording.push(Step::Expect(self.expect.clone()));
    }

    /// All that was done so far has reached the disk.
    pub(super) fn let_time_pass(mut self) -> Self {
        self.recording.cut(0);
        self.first_expect = self.expect.clone();
        let tame = |text: &str| self.recording.tame(text);
        self.start = Tree::read_from(self.machine.path(), &tame).expect("read the disk");
        self
    }

    /// Takes the way out if something stands in the way of reading, else publishes.
    pub(super) fn go_on(self, seq: u64, retain: usize) -> Self {
        match (self.try_to_find(), self.expect.or_else) {
            (Err(_), OrElse::Reseal) => self.accept_external_changes(),
            (Err(_), OrElse::SetAside) => self.revert_external_changes(),
            _ => self.commit(seq, retain),
        }
    }

    /// Begins a snapshot and gives it up.
    pub(super) fn stage(self, seq: u64) -> Self {
        drop(block_on(self.backend().stage(seq)).expect("stage"));
        self
    }

    pub(super) fn commit(self, seq: u64, retain: usize) -> Self {
        let staged = block_on(self.backend().stage(seq)).expect("stage");
        self.publish_staged(staged, seq, retain)
    }

    pub(super) fn publish_staged(mut self, mut staged: Box<dyn StagedSnapshot>, seq: u64, retain: usize) -> Self {
        let (pair, retain) = (Pair::new(seq), NonZeroUsize::new(retain).expect("keeps at least one"));
        staged.write_all(pair.json.as_bytes()).expect("write");
        self.try_to_publish(|before| published_over(before, &pair, retain));
        let published = block_on(staged.commit(CommitOptions::new(retain))).expect("publish");
        self.acknowledge(&published);
        self
    }

    /// A publish, and another one in the middle of it: after its `after`th change of the disk, unless it has the lock then.
    /// `None` if it has no more than that.
    pub(super) fn publish_interrupted(mut self, seq: u64, by: u64, retain: usize, after: usize) -> Option<Self> {
        let retain = NonZeroUsize::new(retain).expect("keeps at least one");
        let (mine, other) = (Pair::new(seq), Pair::new(by));
        let (recording, backend) = (self.recording.clone(), self.backend().with_busy_timeout(Duration::ZERO));
        let (before, pair) = (self.expect.one_of[0].clone(), mine.clone());
        let (interrupted, was_interrupted) = mpsc::channel();
        self.recording.interrupt(after, move || {
            publish_between(&recording, &backend, &before, [&pair, &other], retain);
            let _ = interrupted.send(());
        });
        self.try_to_publish(|before| published_over(before, &mine, retain));
        let published = block_on(commit(&self.backend(), &mine, retain)).expect("publish");
        was_interrupted.try_recv().ok()?;
        if let Some(Step::Expect(last)) = self.recording.steps().iter().rfind(|step| matches!(step, Step::Expect(_))) {
            self.expect = last.clone();
        }
        self.acknowledge(&published);
        Some(self)
    }

    /// From here on, what `commit` makes of what may be found may be found, too.
    pub(super) fn try_to_publish(&mut self, commit: impl Fn(&Snapshots) -> Snapshots) {
        let mut one_of = self.expect.one_of.clone();
        one_of.extend(self.expect.one_of.iter().map(commit));
        self.expect(one_of, self.expect.or_else);
    }

    fn acknowledge(&mut self, published: &Committed) {
        let found = self.find();
        assert!(self.expect.one_of.contains(&found), "{found:?} in {:?}", self.expect);
        let seqs = |published: &Committed| published.retained().iter().map(|generation| generation.seq()).collect();
        let seqs: Vec<_> = seqs(published);
        assert_eq!(seqs, found.iter().map(|pair| pair.seq).collect::<Vec<_>>());
        self.expect(vec![found], OrElse::Nothing);
    }

    /// What is retained now. Not a part of the run: it makes nothing durable.
    fn find(&self) -> Snapshots {
        self.try_to_find().expect("read")
    }

    fn try_to_find(&self) -> Result<Snapshots, MiniSnapError> {
        let length = self.recording.steps().len();
        let found = block_on(find(&self.backend()));
        self.recording.cut(length);
        found
    }

    /// What `history` returns is durable, whatever became of its publisher.
    pub(super) fn history(mut self) -> Self {
        if self.expect.or_else == OrElse::Reseal && self.try_to_find().is_err() {
            // What it tells of isn't what is to be found.
            return self;
        }
        let returned = block_on(self.backend().history()).expect("history");
        let found = self.find();
        assert!(self.expect.one_of.contains(&found), "{found:?} in {:?}", self.expect);
        assert_eq!(returned.len(), found.len());
        // A bare pair that was returned isn't torn any more.
        let or_else = match self.expect.or_else {
            OrElse::TornPlainPair if !returned.is_empty() => OrElse::Nothing,
            or_else => or_else,
        };
        self.expect(vec![found], or_else);
        self
    }

    /// Refused if what is current has this seq: then that is durable, whatever became of its writer.
    pub(super) fn commit_if_newer(mut self, seq: u64, retain: usize) -> Self {
        let (pair, retain) = (Pair::new(seq), NonZeroUsize::new(retain).expect("keeps at least one"));
        let mut staged = block_on(self.backend().stage(seq)).expect("stage");
        staged.write_all(pair.json.as_bytes()).expect("write");
        self.try_to_publish(|before| published_over(before, &pair, retain));
        let options = CommitOptions::new(retain).with_precondition(Precondition::IfNewer);
        match block_on(staged.commit(options)) {
            Ok(committed) => self.acknowledge(&committed),
            Err(MiniSnapError::Stale { current, .. }) => {
                let found = self.find();
                assert_eq!(found.first().map(|pair| pair.seq), Some(current.seq()));
                self.expect(vec![found], OrElse::Nothing);
            }
            Err(error) => panic!("{error}"),
        }
        self
    }

    /// The JSON of the current generation is changed behind its back, long ago; `intact` is retained besides.
    pub(super) fn corrupt_current(mut self, seq: u64, intact: Snapshots) -> Self {
        fs::write(self.path().join("snapshots/current/snapshot.json"), CORRUPT).expect("change it");
        self.expect(vec![intact], OrElse::Heal(seq));
        self.let_time_pass()
    }

    /// Commits over a corrupt current generation, or goes on where that is done. What is corrupt is found by this handle.
    pub(super) fn heal(mut self, seq: u64, retain: usize) -> Self {
        let (pair, retain) = (Pair::new(seq), NonZeroUsize::new(retain).expect("keeps at least one"));
        let (backend, or_else) = (self.backend(), self.expect.or_else);
        let length = self.recording.steps().len();
        let _ = block_on(find(&backend));
        self.recording.cut(length);
        self.try_to_publish(|before| published_over(before, &pair, retain));
        block_on(commit(&backend, &pair, retain)).expect("commit");
        let found = self.find();
        assert!(self.expect.one_of.contains(&found), "{found:?} in {:?}", self.expect);
        // From here on, what is corrupt is not current any more.
        self.expect(vec![found], or_else);
        self
    }

    /// Gives up a lost store, unless that was done.
    pub(super) fn give_up(mut self) -> Self {
        let moved = block_on(self.backend().give_up_lost_store()).expect("give up");
        let or_else = if moved.is_empty() { self.expect.or_else } else { OrElse::Nothing };
        self.expect(vec![Vec::new()], or_else);
        self
    }

    /// Goes back to the newest generation that is certainly committed, unless that was done.
    pub(super) fn reset(mut self) -> Self {
        let length = self.recording.steps().len();
        let found = block_on(find(&self.backend()));
        self.recording.cut(length);
        if let Err(MiniSnapError::Corrupt { intact, .. }) = found {
            block_on(self.backend().reset_to(&intact[0])).expect("go back").expect("it is lost");
            self.expect(self.expect.one_of.clone(), OrElse::Nothing);
        }
        self
    }

    /// Reduces the retention.
    pub(super) fn expire(mut self, retain: usize) -> Self {
        self.try_to_publish(|before| before.iter().take(retain).cloned().collect());
        let retain = NonZeroUsize::new(retain).expect("keeps at least one");
        block_on(self.backend().expire(retain)).expect("expire");
        let found = self.find();
        assert!(found.len() <= retain.get() && self.expect.one_of.contains(&found), "{found:?} in {:?}", self.expect);
        self.expect(vec![found], OrElse::Nothing);
        self
    }

    pub(super) fn collect_garbage(self) -> Self {
        block_on(self.backend().collect_garbage()).expect("sweep");
        self
    }

    pub(super) fn accept_external_changes(mut self) -> Self {
        let published = block_on(self.backend().accept_external_changes()).expect("reseal");
        match published {
            Some(published) => self.acknowledge(&published),
            // It had been published before its program was killed, and isn't acknowledged by this.
            None => self.expect(self.expect.one_of.clone(), OrElse::Nothing),
        }
        self
    }

    pub(super) fn revert_external_changes(mut self) -> Self {
        block_on(self.backend().revert_external_changes()).expect("set aside");
        self.expect(self.expect.one_of.clone(), OrElse::Nothing);
        self
    }

    /// Only from here on: a power loss before this may take what another program didn't sync.
    pub(super) fn look_from_here(mut self) -> Self {
        self.from = self.recording.steps().len();
        self
    }

    pub(super) fn end(self) -> Trace {
        self.recording.end();
        Trace {
            dir: self.dir,
            start: self.start,
            expect: self.first_expect,
            steps: self.recording.steps(),
            from: self.from,
            numbers: self.recording.numbers(),
        }
    }
}

/// Publishes `other` in the middle of the publish of `mine`, unless that has the lock.
fn publish_between(
    recording: &Recording,
    backend: &FsBackend,
    before: &Snapshots,
    [mine, other]: [&Pair; 2],
    retain: NonZeroUsize,
) {
    let now = |one_of| recording.push(Step::Expect(Arc::new(Expect { one_of, or_else: OrElse::Nothing })));
    let length = recording.steps().len();
    let after_other = published_over(before, other, retain);
    now(vec![before.clone(), after_other.clone()]);
    match block_on(commit(backend, other, retain)) {
        Ok(_) => now(vec![after_other.clone(), published_over(&after_other, mine, retain)]),
        Err(MiniSnapError::Busy { .. }) => recording.cut(length),
        Err(error) => panic!("publish in between: {error}"),
    }
}

/// What was done, and what may be found after each step.
pub(super) struct Trace {
    pub(super) dir: &'static str,
    start: Arc<Tree>,
    expect: Arc<Expect>,
    pub(super) steps: Vec<Step>,
    from: usize,
    numbers: usize,
}

impl Trace {
    /// For each step: the machine on which the program was killed before it. What it did is there to see, and as little
    /// durable as it was.
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
            run.first_expect = self.expect.clone();
            run.from = from;
            run
        })
    }

    /// Cuts the power at every point and checks every state the disk may be in; those in `seen` aren't laid out again.
    pub(super) fn cut_power(&self, seen: &mut Seen) -> Result<(), String> {
        self.each_state(|_| false, |index, tree, expect| self.check(index, tree, expect, seen))
    }

    /// The same if the steps that are `left_out` hadn't been done: the states that may only be there because of it.
    pub(super) fn cut_power_without(&self, left_out: impl Fn(usize) -> bool, seen: &mut Seen) -> Result<(), String> {
        let fine = self.states();
        self.each_state(left_out, |index, tree, expect| match fine.contains(&(tree.clone(), expect.clone())) {
            true => Ok(()),
            false => self.check(index, tree, expect, seen),
        })
    }

    fn check(&self, index: usize, tree: Arc<Tree>, expect: &Expect, seen: &mut Seen) -> Result<(), String> {
        let found = seen.0.entry((tree.clone(), expect.or_else)).or_insert_with(|| {
            let machine = scratch();
            let root = machine.path().join("disk");
            tree.write_to(&root).expect("lay out the disk");
            block_on(look(&root.join(self.dir), expect.or_else))
        });
        let checked = found.as_ref().map_err(Clone::clone).and_then(|found| expect.check(found.as_ref()));
        checked.map_err(|found| self.explain(index, &found, &tree))
    }

    /// For each state the disk may be in after a power loss: the machine, started again.
    pub(super) fn restarted_after_power_loss(&self) -> impl Iterator<Item = Run> {
        self.states().into_iter().map(|(tree, expect)| Run::on(tree, self.dir, expect, self.numbers))
    }

    fn states(&self) -> HashSet<(Arc<Tree>, Arc<Expect>)> {
        let mut states = HashSet::new();
        let add = |_, tree, expect: &Arc<Expect>| {
            states.insert((tree, expect.clone()));
            Ok(())
        };
        self.each_state(|_| false, add).expect("nothing is checked");
        states
    }

    /// Between two syncs, what may be on the disk only becomes more. So it is enough to look before each sync, before each
    /// change of what is expected, and at the end.
    fn each_state(
        &self,
        left_out: impl Fn(usize) -> bool,
        mut visit: impl FnMut(usize, Arc<Tree>, &Arc<Expect>) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut model = Model::of(&self.start);
        let mut expect = &self.expect;
        for (index, step) in self.steps.iter().enumerate().filter(|(index, _)| !left_out(*index)) {
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
        let did = |step: &Step| match step {
            Step::Did(operation, event) => format!("{operation}: {event:?}"),
            Step::Expect(expect) => format!("{expect:?}"),
        };
        let steps: Vec<_> = self.steps[..index].iter().map(did).collect();
        format!("power loss after\n{}\n\n{found}\n\n{tree}", steps.join("\n"))
    }
}

/// The states that were looked at, each with what was found.
#[derive(Default)]
pub(super) struct Seen(HashMap<(Arc<Tree>, OrElse), Result<Option<Snapshots>, String>>);

impl Seen {
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }
}

/// Whether it is a stage, or a generation and the commit record beside it says another. Either it was current before, and
/// was looked at as such, or nothing is ever done with it but removing it: which files are there makes a difference, what
/// they say doesn't.
fn is_never_read(name: &str, beside: &Beside<'_>) -> bool {
    is_stage(name) || (GenerationName::parse(name).is_some() && beside.link("current") != Some(name))
}

/// A fresh folder, in memory where there is such a place: nothing here waits for a real disk.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    let location = if memory.is_dir() { memory.into() } else { std::env::temp_dir() };
    let location = fs::canonicalize(location).expect("a place for temporary files");
    tempfile::tempdir_in(location).or_else(|_| TempDir::new()).expect("a temporary folder")
}

/// Drives a future. What is done side by side can happen in any order, but of that the model makes all that a power loss could.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().expect("a runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(future))
}
