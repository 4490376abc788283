//! Planned failures: which operation fails, on which calls, with which error. The plans also count the calls.

use crate::sync::{Mutex, MutexGuard};
use minisnap_core::Operation;
use std::{
    collections::{HashMap, VecDeque},
    fmt, io,
    sync::PoisonError,
};

/// The error of a planned failure. [`Failing::with`] takes a `Fault` or an [`io::ErrorKind`].
///
/// For `Stale` and `Conflict`, commit through a second handle instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// An `Io` error of this kind. The operation changes nothing. For every operation.
    Io(io::ErrorKind),
    /// `Busy`: other writers held the store until the deadline. The call doesn't wait. For `Stage`, `Commit`, `Expire` and
    /// `CollectGarbage`.
    Busy,
    /// `StageLost`: a forced collection deleted the stage. For `Commit`.
    StageLost,
    /// `Expired`: the generation expired between its lookup and its read. For `Read`.
    Expired,
    /// `Corrupt`: the generation is corrupt, and the other retained ones are listed as intact. The stored bytes don't change, so a later
    /// read succeeds. For `Read`.
    Corrupt,
    /// `OutcomeUnknown`: the answer to the commit is lost. If the precondition doesn't hold, the commit is refused as usual. For
    /// `Commit`.
    OutcomeUnknown {
        /// Whether the commit happens. As after every unknown outcome, no generation expires until the next commit.
        applied: bool,
    },
}

impl From<io::ErrorKind> for Fault {
    fn from(kind: io::ErrorKind) -> Self {
        Self::Io(kind)
    }
}

impl Fault {
    /// Whether `operation` of a real store can fail with this fault.
    fn fits(self, operation: Operation) -> bool {
        use Operation::{CollectGarbage, Commit, Expire, Read, Stage, Write};
        match self {
            // `io::Write::write_all` retries after this error, and would never return.
            Self::Io(io::ErrorKind::Interrupted) => operation != Write,
            Self::Io(_) => true,
            Self::Busy => matches!(operation, Stage | Commit | Expire | CollectGarbage),
            Self::StageLost | Self::OutcomeUnknown { .. } => operation == Commit,
            Self::Expired | Self::Corrupt => operation == Read,
        }
    }
}

/// A builder of a planned failure: see [`MemBackend::fail`](crate::MemBackend::fail).
///
/// [`once`](Self::once), [`times`](Self::times) or [`always`](Self::always) activates the plan.
///
/// # Examples
///
/// ```
/// # use minisnap_core::Operation;
/// # use minisnap_mem::{Fault, MemBackend};
/// # let mem = MemBackend::new();
/// // The next two commits succeed, the third one has an unknown outcome.
/// mem.fail(Operation::Commit).after(2).with(Fault::OutcomeUnknown { applied: true }).once();
/// ```
#[must_use = "nothing fails until `once`, `times` or `always` is called"]
#[derive(Debug)]
pub struct Failing<'a> {
    plans: &'a FaultPlans,
    operation: Operation,
    plan: Plan,
}

impl Failing<'_> {
    /// Sets the error. The default is an I/O error of kind [`Other`](io::ErrorKind::Other).
    ///
    /// # Panics
    ///
    /// Panics if the operation can't fail with this fault. [`Fault`] lists the operations of each fault.
    #[track_caller]
    pub fn with(mut self, fault: impl Into<Fault>) -> Self {
        let fault = fault.into();
        assert!(fault.fits(self.operation), "{:?} can't fail with {fault:?}", self.operation);
        self.plan.fault = fault;
        self
    }

    /// Skips this many calls before the first failure.
    pub fn after(mut self, calls: usize) -> Self {
        self.plan.skip = calls;
        self
    }

    /// Activates the plan for one call.
    pub fn once(self) {
        self.times(1);
    }

    /// Activates the plan for this many calls in a row.
    pub fn times(mut self, calls: usize) {
        self.plan.fail = Some(calls);
        self.activate();
    }

    /// Activates the plan for every later call, until [`clear_faults`](crate::MemBackend::clear_faults).
    pub fn always(mut self) {
        self.plan.fail = None;
        self.activate();
    }

    fn activate(self) {
        self.plans.lock().entry(self.operation).or_default().plans.push_back(self.plan);
    }
}

#[derive(Debug)]
struct Plan {
    fault: Fault,
    skip: usize,
    /// The number of calls that fail; `None` for all.
    fail: Option<usize>,
}

/// The plans and the count of calls of each operation.
#[derive(Default)]
pub(crate) struct FaultPlans(Mutex<HashMap<Operation, OperationPlans>>);

#[derive(Default)]
struct OperationPlans {
    calls: usize,
    plans: VecDeque<Plan>,
}

impl FaultPlans {
    #[track_caller]
    pub(crate) fn fail(&self, operation: Operation) -> Failing<'_> {
        use Operation::{CollectGarbage, Commit, Current, Expire, History, Read, Stage, Verify, Write};
        assert!(
            matches!(operation, Current | History | Read | Stage | Write | Commit | Expire | Verify | CollectGarbage),
            "a backend has no operation {operation:?} to fail"
        );
        let plan = Plan { fault: Fault::Io(io::ErrorKind::Other), skip: 0, fail: None };
        Failing { plans: self, operation, plan }
    }

    pub(crate) fn clear(&self) {
        self.lock().values_mut().for_each(|entry| entry.plans.clear());
    }

    pub(crate) fn calls(&self, operation: Operation) -> usize {
        self.lock().get(&operation).map_or(0, |entry| entry.calls)
    }

    /// Counts a call of `operation`, and returns its planned fault, if any.
    pub(crate) fn call(&self, operation: Operation) -> Option<Fault> {
        let mut plans = self.lock();
        let entry = plans.entry(operation).or_default();
        entry.calls += 1;
        while entry.plans.front().is_some_and(|plan| plan.skip == 0 && plan.fail == Some(0)) {
            entry.plans.pop_front();
        }
        let plan = entry.plans.front_mut()?;
        if plan.skip > 0 {
            plan.skip -= 1;
            return None;
        }
        plan.fail = plan.fail.map(|left| left - 1);
        Some(plan.fault)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Operation, OperationPlans>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for FaultPlans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plans = self.lock();
        let planned = plans.iter().filter(|(_, entry)| !entry.plans.is_empty());
        f.debug_map().entries(planned.map(|(operation, entry)| (operation, &entry.plans))).finish()
    }
}
