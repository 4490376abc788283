//! The hooks that a store under test may offer.

use std::fmt;

/// An optional hook of [`StoreUnderTest`](super::StoreUnderTest). Its cases are tested only for stores that offer it.
///
/// [`conformance_tests!`](crate::conformance_tests) takes the names in small letters: `hooks = [processes, corrupt]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Hook {
    /// [`address`](super::StoreUnderTest::address) and [`open_address`](super::StoreUnderTest::open_address): several processes use
    /// the store, and some are killed. The cases are in [`processes`](super::processes).
    Processes,
    /// [`open_read_only`](super::StoreUnderTest::open_read_only): a reader needs no write access. The cases are in
    /// [`read_only`](super::read_only).
    ReadOnly,
    /// [`hold_write_lock`](super::StoreUnderTest::hold_write_lock): a writer that has stopped blocks no reader, and other writers wait for
    /// a limited time. The cases are in [`write_lock`](super::write_lock).
    WriteLock,
    /// [`corrupt`](super::StoreUnderTest::corrupt): corruption is detected. The cases are in [`corrupt`](super::corrupt).
    Corrupt,
    /// [`unreachable`](super::StoreUnderTest::unreachable): an unreachable store isn't an empty one. The cases are in
    /// [`unreachable`](super::unreachable).
    Unreachable,
    /// [`lose_next_answer`](super::StoreUnderTest::lose_next_answer): an unknown outcome is reported. The cases are in
    /// [`lost_answer`](super::lost_answer).
    LostAnswer,
    /// [`neighbour`](super::StoreUnderTest::neighbour): two stores on a medium are independent. The cases are in
    /// [`neighbour`](super::neighbour).
    Neighbour,
    /// [`end_times_to_live`](super::StoreUnderTest::end_times_to_live): retained generations have no time to live. The cases are in
    /// [`time_to_live`](super::time_to_live).
    TimeToLive,
    /// [`power_cut`](super::StoreUnderTest::power_cut): acknowledged snapshots survive a power loss. The cases are in
    /// [`power_cut`](super::power_cut).
    PowerCut,
}

impl Hook {
    /// Every hook.
    pub const ALL: [Self; 9] = [
        Self::Processes,
        Self::ReadOnly,
        Self::WriteLock,
        Self::Corrupt,
        Self::Unreachable,
        Self::LostAnswer,
        Self::Neighbour,
        Self::TimeToLive,
        Self::PowerCut,
    ];

    /// The guarantee that its cases test, for the report.
    pub(super) fn guarantee(self) -> &'static str {
        match self {
            Self::Processes => "several processes share a store, and a killed one leaves no garbage",
            Self::ReadOnly => "readers need no write access",
            Self::WriteLock => "readers and other writers don't wait for ever for a writer that has stopped",
            Self::Corrupt => "corruption is detected",
            Self::Unreachable => "an unreachable store is an error",
            Self::LostAnswer => "an unknown outcome is reported, and nothing is deleted after it",
            Self::Neighbour => "stores on the same medium are independent",
            Self::TimeToLive => "retained generations have no time to live",
            Self::PowerCut => "an acknowledged snapshot survives a power loss",
        }
    }

    /// Unwraps what a hook returned.
    ///
    /// # Panics
    ///
    /// Panics if the store returned `None`: the hook is listed, and its method isn't written.
    #[track_caller]
    pub(super) fn must<T>(self, returned: Option<T>) -> T {
        returned
            .unwrap_or_else(|| panic!("the store under test lists the hook `{self}`, and its method returned `None`"))
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Processes => "processes",
            Self::ReadOnly => "read_only",
            Self::WriteLock => "write_lock",
            Self::Corrupt => "corrupt",
            Self::Unreachable => "unreachable",
            Self::LostAnswer => "lost_answer",
            Self::Neighbour => "neighbour",
            Self::TimeToLive => "time_to_live",
            Self::PowerCut => "power_cut",
        })
    }
}
