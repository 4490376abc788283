//! The operations of the programs on a machine, with the expectation after each.

use super::{
    expected::{CORRUPT, Expected, Pair, Recovery, Snapshots, commit, committed_over, find},
    recorder::{Recording, Step},
    run::{Run, block_on},
};
use crate::FsBackend;
use minisnap_core::{CommitOptions, Committed, MiniSnapError, Precondition, SnapshotBackend, StagedSnapshot};
use std::{
    fs,
    num::NonZeroUsize,
    sync::{Arc, mpsc},
    time::Duration,
};

impl Run {
    /// Accepts or reverts an external change if there is one, else commits.
    pub(super) fn accept_revert_or_commit(self, seq: u64, retain: usize) -> Self {
        match (self.try_to_find(), self.expect.recovery) {
            (Err(_), Recovery::Accept) => self.accept_external_changes(),
            (Err(_), Recovery::Revert) => self.revert_external_changes(),
            _ => self.commit(seq, retain),
        }
    }

    /// Stages a snapshot, and discards it.
    pub(super) fn stage(self, seq: u64) -> Self {
        drop(block_on(self.backend().stage(seq)).expect("stage"));
        self
    }

    pub(super) fn commit(self, seq: u64, retain: usize) -> Self {
        let staged = block_on(self.backend().stage(seq)).expect("stage");
        self.commit_staged(staged, seq, retain)
    }

    pub(super) fn commit_staged(mut self, mut staged: Box<dyn StagedSnapshot>, seq: u64, retain: usize) -> Self {
        let (pair, retain) = (Pair::new(seq), NonZeroUsize::new(retain).expect("at least one"));
        staged.write_all(pair.json.as_bytes()).expect("write");
        self.expect_attempt(|before| committed_over(before, &pair, retain));
        let committed = block_on(staged.commit(CommitOptions::new(retain))).expect("commit");
        self.acknowledge(&committed);
        self
    }

    /// A commit, and another commit in the middle of it: after the `after`th change of the disk, unless the first one holds the lock
    /// then. `None` if the first one makes fewer changes.
    pub(super) fn commit_interrupted(mut self, seq: u64, by: u64, retain: usize, after: usize) -> Option<Self> {
        let retain = NonZeroUsize::new(retain).expect("at least one");
        let (mine, other) = (Pair::new(seq), Pair::new(by));
        let (recording, backend) = (self.recording.clone(), self.backend().with_busy_timeout(Duration::ZERO));
        let (before, pair) = (self.expect.one_of[0].clone(), mine.clone());
        let (interrupted, was_interrupted) = mpsc::channel();
        self.recording.interrupt(after, move || {
            commit_in_between(&recording, &backend, &before, [&pair, &other], retain);
            let _ = interrupted.send(());
        });
        self.expect_attempt(|before| committed_over(before, &mine, retain));
        let committed = block_on(commit(&self.backend(), &mine, retain)).expect("commit");
        was_interrupted.try_recv().ok()?;
        if let Some(Step::Expect(last)) = self.recording.steps().iter().rfind(|step| matches!(step, Step::Expect(_))) {
            self.expect = last.clone();
        }
        self.acknowledge(&committed);
        Some(self)
    }

    /// From here on, each expected history may be found unchanged, or as `commit` changes it.
    pub(super) fn expect_attempt(&mut self, commit: impl Fn(&Snapshots) -> Snapshots) {
        let mut one_of = self.expect.one_of.clone();
        one_of.extend(self.expect.one_of.iter().map(commit));
        self.expect(one_of, self.expect.recovery);
    }

    fn acknowledge(&mut self, committed: &Committed) {
        let found = self.find();
        assert!(self.expect.one_of.contains(&found), "{found:?} in {:?}", self.expect);
        let seqs = |committed: &Committed| committed.retained().iter().map(|generation| generation.seq()).collect();
        let seqs: Vec<_> = seqs(committed);
        assert_eq!(seqs, found.iter().map(|pair| pair.seq).collect::<Vec<_>>());
        self.expect(vec![found], Recovery::NotNeeded);
    }

    /// The retained pairs. Not recorded, so the syncs of the read make nothing durable.
    fn find(&self) -> Snapshots {
        self.try_to_find().expect("read")
    }

    fn try_to_find(&self) -> Result<Snapshots, MiniSnapError> {
        let length = self.recording.steps().len();
        let found = block_on(find(&self.backend()));
        self.recording.truncate(length);
        found
    }

    /// `history`, after which the generations that it returns are durable, also if their writer was killed.
    pub(super) fn history(mut self) -> Self {
        if self.expect.recovery == Recovery::Accept && self.try_to_find().is_err() {
            // `history` returns the generation before the external change, which isn't the expected state.
            return self;
        }
        let returned = block_on(self.backend().history()).expect("history");
        let found = self.find();
        assert!(self.expect.one_of.contains(&found), "{found:?} in {:?}", self.expect);
        assert_eq!(returned.len(), found.len());
        // A bare pair that was returned is durable.
        let recovery = match self.expect.recovery {
            Recovery::UnsyncedBarePair if !returned.is_empty() => Recovery::NotNeeded,
            recovery => recovery,
        };
        self.expect(vec![found], recovery);
        self
    }

    /// A conditional commit. If it is rejected, the current generation is durable, also if its writer was killed.
    pub(super) fn commit_if_newer(mut self, seq: u64, retain: usize) -> Self {
        let (pair, retain) = (Pair::new(seq), NonZeroUsize::new(retain).expect("at least one"));
        let mut staged = block_on(self.backend().stage(seq)).expect("stage");
        staged.write_all(pair.json.as_bytes()).expect("write");
        self.expect_attempt(|before| committed_over(before, &pair, retain));
        let options = CommitOptions::new(retain).with_precondition(Precondition::IfNewer);
        match block_on(staged.commit(options)) {
            Ok(committed) => self.acknowledge(&committed),
            Err(MiniSnapError::Stale { current, .. }) => {
                let found = self.find();
                assert_eq!(found.first().map(|pair| pair.seq), Some(current.seq()));
                self.expect(vec![found], Recovery::NotNeeded);
            }
            Err(error) => panic!("{error}"),
        }
        self
    }

    /// Corrupts the JSON of the current generation, durably. The `intact` generations are retained, too.
    pub(super) fn corrupt_current(mut self, seq: u64, intact: Snapshots) -> Self {
        fs::write(self.path().join("snapshots/current/snapshot.json"), CORRUPT).expect("write");
        self.expect(vec![intact], Recovery::Heal(seq));
        self.make_all_durable()
    }

    /// Commits over a corrupt current generation, after this handle has found it corrupt. Commits normally if an earlier call has already
    /// done so.
    pub(super) fn heal(mut self, seq: u64, retain: usize) -> Self {
        let (pair, retain) = (Pair::new(seq), NonZeroUsize::new(retain).expect("at least one"));
        let (backend, recovery) = (self.backend(), self.expect.recovery);
        let length = self.recording.steps().len();
        let _ = block_on(find(&backend));
        self.recording.truncate(length);
        self.expect_attempt(|before| committed_over(before, &pair, retain));
        block_on(commit(&backend, &pair, retain)).expect("commit");
        let found = self.find();
        assert!(self.expect.one_of.contains(&found), "{found:?} in {:?}", self.expect);
        // From here on, the current generation isn't corrupt.
        self.expect(vec![found], recovery);
        self
    }

    /// Moves a lost store aside, unless an earlier call has done so.
    pub(super) fn give_up(mut self) -> Self {
        let moved = block_on(self.backend().give_up_lost_store()).expect("give up");
        let recovery = if moved.is_empty() { self.expect.recovery } else { Recovery::NotNeeded };
        self.expect(vec![Vec::new()], recovery);
        self
    }

    /// Resets a lost store to the newest generation that was certainly committed, unless an earlier call has done so.
    pub(super) fn reset(mut self) -> Self {
        let length = self.recording.steps().len();
        let found = block_on(find(&self.backend()));
        self.recording.truncate(length);
        if let Err(MiniSnapError::Corrupt { intact, .. }) = found {
            block_on(self.backend().reset_to(&intact[0])).expect("reset").expect("it is lost");
            self.expect(self.expect.one_of.clone(), Recovery::NotNeeded);
        }
        self
    }

    /// Reduces the retention.
    pub(super) fn expire(mut self, retain: usize) -> Self {
        self.expect_attempt(|before| before.iter().take(retain).cloned().collect());
        let retain = NonZeroUsize::new(retain).expect("at least one");
        block_on(self.backend().expire(retain)).expect("expire");
        let found = self.find();
        assert!(found.len() <= retain.get() && self.expect.one_of.contains(&found), "{found:?} in {:?}", self.expect);
        self.expect(vec![found], Recovery::NotNeeded);
        self
    }

    pub(super) fn collect_garbage(self) -> Self {
        block_on(self.backend().collect_garbage()).expect("collect garbage");
        self
    }

    pub(super) fn accept_external_changes(mut self) -> Self {
        let committed = block_on(self.backend().accept_external_changes()).expect("accept");
        match committed {
            Some(committed) => self.acknowledge(&committed),
            // The killed program had committed the change, and this call doesn't acknowledge it.
            None => self.expect(self.expect.one_of.clone(), Recovery::NotNeeded),
        }
        self
    }

    pub(super) fn revert_external_changes(mut self) -> Self {
        block_on(self.backend().revert_external_changes()).expect("revert");
        self.expect(self.expect.one_of.clone(), Recovery::NotNeeded);
        self
    }
}

/// Commits `other` in the middle of the commit of `mine`, unless the writer of `mine` holds the lock.
fn commit_in_between(
    recording: &Recording,
    backend: &FsBackend,
    before: &Snapshots,
    [mine, other]: [&Pair; 2],
    retain: NonZeroUsize,
) {
    let expect = |one_of| recording.push(Step::Expect(Arc::new(Expected { one_of, recovery: Recovery::NotNeeded })));
    let length = recording.steps().len();
    let after_other = committed_over(before, other, retain);
    expect(vec![before.clone(), after_other.clone()]);
    match block_on(commit(backend, other, retain)) {
        Ok(_) => expect(vec![after_other.clone(), committed_over(&after_other, mine, retain)]),
        Err(MiniSnapError::Busy { .. }) => recording.truncate(length),
        Err(error) => panic!("commit in between: {error}"),
    }
}
