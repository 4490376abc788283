//! The rules that the safety of the protocol stands on, by name. `docs/object-store.md` says why each is needed, and the
//! fault histories show it: with any one of them left out, a simulation loses or mixes something.

/// One rule of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    /// A publisher's files are copied to a fresh name if the sweep counter moved since before they were written.
    SweepCounter,
    /// The record names generations beyond the retained ones.
    NamesBeyondRetained,
    /// After a refusal or a missing answer, a publisher looks for its own name in the record.
    ReadBack,
    /// What was refused may still arrive, as long as the record is the one that it was to replace.
    RefusedMayArrive,
    /// If more was published than the record still names, a publisher can't tell whether it was among that.
    PublishCounter,
    /// `min(keep, retained before + 1)`, and not `keep`.
    MinRule,
    /// Once the record is on its way, its publisher deletes nothing until it knows that it didn't arrive.
    NoCleanUpOnItsWay,
    /// A refusal is only judged on a record that was read during this publish.
    FreshLook,
    /// A sweeper raises the counter before it deletes.
    RaiseBeforeDelete,
    /// A sweeper lists before it reads the record whose counter it raises.
    ListBeforeRead,
    /// The record is replaced under the condition that it is the one that was read.
    Condition,
}

impl Guard {
    /// Whether the rule is kept: always, but in the simulations that leave it out.
    #[cfg(not(test))]
    pub(crate) const fn holds(self) -> bool {
        true
    }

    #[cfg(test)]
    pub(crate) fn holds(self) -> bool {
        LEFT_OUT.get() != Some(self)
    }
}

#[cfg(test)]
thread_local! {
    /// The rule that the simulation on this thread leaves out.
    pub(crate) static LEFT_OUT: std::cell::Cell<Option<Guard>> = const { std::cell::Cell::new(None) };
}
