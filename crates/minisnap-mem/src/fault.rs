//! Planned failures: which operation fails, on which call, with what. And how often each was called.

use crate::sync::{Mutex, MutexGuard};
use minisnap_core::Operation;
use std::{
    collections::{HashMap, VecDeque},
    fmt, io,
    sync::PoisonError,
};

/// What a planned failure looks like to the program under test. [`Failing::with`] takes it, or an [`io::ErrorKind`].
///
/// `Stale` and `Conflict` are not among them: a commit through a second handle causes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// An `Io` error of this kind. The operation did nothing. Any operation.
    Io(io::ErrorKind),
    /// `Busy`: others held the store until the deadline, which here is over at once. `Stage`, `Commit`,
    /// `Expire`, `CollectGarbage`.
    Busy,
    /// `StageLost`: the staged bytes are gone. `Commit`.
    StageLost,
    /// `Expired`: the generation expired between finding and reading it. `Read`.
    Expired,
    /// `Corrupt`: the generation's bytes are corrupt; the other retained ones are listed as intact. The stored bytes stay
    /// as they are, so a later read succeeds. `Read`.
    Corrupt,
    /// `OutcomeUnknown`: the answer to the commit was lost. A precondition that doesn't hold is refused as ever. `Commit`.
    OutcomeUnknown {
        /// Whether the snapshot was committed all the same. If so, no older generation expires with this commit, as after
        /// every unknown outcome; they expire with the next one.
        applied: bool,
    },
}

impl From<io::ErrorKind> for Fault {
    fn from(kind: io::ErrorKind) -> Self {
        Self::Io(kind)
    }
}

impl Fault {
    /// Whether `operation` can end this way in a real store.
    fn fits(self, operation: Operation) -> bool {
        use Operation::{CollectGarbage, Commit, Expire, Read, Stage, Write};
        match self {
            // Everything that writes through `io::Write` tries again after this one, for ever if need be.
            Self::Io(io::ErrorKind::Interrupted) => operation != Write,
            Self::Io(_) => true,
            Self::Busy => matches!(operation, Stage | Commit | Expire | CollectGarbage),
            Self::StageLost | Self::OutcomeUnknown { .. } => operation == Commit,
            Self::Expired | Self::Corrupt => operation == Read,
        }
    }
}

/// A failure being planned: see [`MemBackend::fail`](crate::MemBackend::fail). It is in force once [`once`](Self::once),
/// [`times`](Self::times) or [`always`](Self::always) is called.
#[must_use = "nothing fails until `once`, `times` or `always` is called"]
#[derive(Debug)]
pub struct Failing<'a> {
    script: &'a Script,
    operation: Operation,
    plan: Plan,
}

impl Failing<'_> {
    /// Fails with `fault`; unless this is called, with an I/O error of kind [`Other`](io::ErrorKind::Other).
    ///
    /// # Panics
    ///
    /// If the operation can't fail this way: a read has no unknown outcome. [`Fault`] says what goes with what.
    #[track_caller]
    pub fn with(mut self, fault: impl Into<Fault>) -> Self {
        let fault = fault.into();
        assert!(fault.fits(self.operation), "{:?} can't fail with {fault:?}", self.operation);
        self.plan.fault = fault;
        self
    }

    /// Lets this many calls through first.
    pub fn after(mut self, calls: usize) -> Self {
        self.plan.pass = calls;
        self
    }

    /// Fails one call.
    pub fn once(self) {
        self.times(1);
    }

    /// Fails this many calls in a row.
    pub fn times(mut self, calls: usize) {
        self.plan.fail = Some(calls);
        self.arm();
    }

    /// Fails every call from then on, until [`clear_faults`](crate::MemBackend::clear_faults).
    pub fn always(mut self) {
        self.plan.fail = None;
        self.arm();
    }

    fn arm(self) {
        self.script.lock().entry(self.operation).or_default().plans.push_back(self.plan);
    }
}

#[derive(Debug)]
struct Plan {
    fault: Fault,
    pass: usize,
    /// `None`: for ever.
    fail: Option<usize>,
}

/// What is planned for each operation, and how often it was called.
#[derive(Default)]
pub(crate) struct Script(Mutex<HashMap<Operation, Line>>);

#[derive(Default)]
struct Line {
    calls: usize,
    plans: VecDeque<Plan>,
}

impl Script {
    #[track_caller]
    pub(crate) fn fail(&self, operation: Operation) -> Failing<'_> {
        use Operation::{CollectGarbage, Commit, Current, Expire, History, Read, Stage, Verify, Write};
        assert!(
            matches!(operation, Current | History | Read | Stage | Write | Commit | Expire | Verify | CollectGarbage),
            "no backend is called for {operation:?}: it would never fail"
        );
        let plan = Plan { fault: Fault::Io(io::ErrorKind::Other), pass: 0, fail: None };
        Failing { script: self, operation, plan }
    }

    pub(crate) fn clear(&self) {
        self.lock().values_mut().for_each(|line| line.plans.clear());
    }

    pub(crate) fn calls(&self, operation: Operation) -> usize {
        self.lock().get(&operation).map_or(0, |line| line.calls)
    }

    /// Counts a call of `operation`, and says how it is to fail, if it is.
    pub(crate) fn call(&self, operation: Operation) -> Option<Fault> {
        let mut script = self.lock();
        let line = script.entry(operation).or_default();
        line.calls += 1;
        while line.plans.front().is_some_and(|plan| plan.pass == 0 && plan.fail == Some(0)) {
            line.plans.pop_front();
        }
        let plan = line.plans.front_mut()?;
        if plan.pass > 0 {
            plan.pass -= 1;
            return None;
        }
        plan.fail = plan.fail.map(|left| left - 1);
        Some(plan.fault)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Operation, Line>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let script = self.lock();
        let planned = script.iter().filter(|(_, line)| !line.plans.is_empty());
        f.debug_map().entries(planned.map(|(operation, line)| (operation, &line.plans))).finish()
    }
}
