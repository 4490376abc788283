//! Faults that violate the contract, one at a time, and the cases that have to detect each.

use crate::backend::TestBackend;
use minisnap_core::conformance;
use std::panic::{self, AssertUnwindSafe};

/// A fault, the name of a case that has to detect it, and a function that runs the case on the fault.
pub struct ExpectedFailure {
    pub fault: &'static str,
    pub case: &'static str,
    pub run: fn() -> Result<(), String>,
}

/// The fault of a store: a type for each fault, since the suite creates a store from its type.
pub trait WithFault: Send + Sync + 'static {
    const FAULT: Fault;
}

/// No fault.
pub struct NoFault;

impl WithFault for NoFault {
    const FAULT: Fault = Fault::None;
}

/// No fault: refuses the preconditions, as its `lacks` declares.
pub struct WithoutPreconditions;

impl WithFault for WithoutPreconditions {
    const FAULT: Fault = Fault::LacksPreconditions;
}

macro_rules! faults {
    ($($fault:ident => $($group:ident::$case:ident)*;)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Fault { None, LacksPreconditions, $($fault,)* }

        $(pub struct $fault;
        impl WithFault for $fault {
            const FAULT: Fault = Fault::$fault;
        })*

        pub fn expected_failures() -> Vec<ExpectedFailure> {
            vec![$($(ExpectedFailure {
                fault: stringify!($fault),
                case: concat!(stringify!($group), "::", stringify!($case)),
                run: || run_case(conformance::$group::$case::<TestBackend<$fault>>()),
            },)*)*]
        }
    };
}

/// Runs a case, and returns the message of its panic, if any. One thread makes the run deterministic. Virtual time makes a case
/// that waits for leaked garbage fail at once.
fn run_case(case: impl Future<Output = ()>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(case)))
        .map_err(|panic| panic.downcast_ref::<String>().cloned().unwrap_or_default())
}

faults! {
    // Round trips.
    CommitsOnOpen => round_trip::empty_store_is_empty durable::reopened_empty_store_is_empty;
    StoresSignedSeqs => round_trip::every_seq_round_trips;
    ReportsAnotherSize => round_trip::smallest_jsons_round_trip;
    ReportsAnotherDigest => round_trip::smallest_jsons_round_trip;
    ParsesTheJson => round_trip::nothing_written_is_read_as_nothing;
    ChangesLineBreaks => round_trip::text_in_any_script_round_trips;
    CompactsJson => round_trip::typed_state_has_the_bytes_of_to_string_pretty;
    TruncatesLongPieces => round_trip::pieces_of_odd_sizes_round_trip;
    LosesSingleBytes => round_trip::single_bytes_round_trip;
    TruncatesAt2MiB => round_trip::large_state_round_trips;
    FailsToDrainAnEmptyStage => round_trip::drain_may_be_called_at_any_time;
    NamesBySeq => round_trip::same_seq_and_state_again_is_another_generation retention::names_are_used_once;

    // Isolated.
    CommitsWhenDrained => isolated::staged_is_invisible;
    ListsStages => isolated::staged_is_invisible isolated::staged_is_invisible_in_an_empty_store;
    CommitsWhenDropped => isolated::dropped_stage_leaves_no_trace cancel::commit_never_polled_never_commits;
    LeaksDroppedStages => isolated::dropped_stage_leaves_no_trace garbage::collecting_removes_dropped_stages;
    LeaksLargeStages =>
        isolated::dropped_stage_of_a_large_state_leaves_no_trace
        garbage::collecting_removes_dropped_stages;
    SharesOneBuffer => isolated::concurrent_stages_do_not_mix;

    // Atomic.
    CommitsInTwoSteps => atomic::readers_never_see_a_mixed_pair_during_200_commits;
    ReadsTheCurrentGeneration => atomic::readers_never_see_a_mixed_pair_during_200_commits;
    CachesEverySecondRead => atomic::readers_see_every_acknowledged_commit;
    ReadsHistoryStepByStep => atomic::history_is_consistent_during_commits;
    ReadsInTwoSteps => atomic::read_of_an_expiring_generation_is_complete_or_expired;

    // Durable.
    LosesDataOnReopen => durable::reopened_store_has_the_last_committed durable::reopened_store_has_the_history;
    LosesHistoryOnReopen => durable::reopened_store_has_the_history durable::reopened_store_goes_on_where_it_was;
    ReusesNamesAfterReopen => retention::names_are_used_once;
    CommitsStagesOnReopen => durable::stage_is_discarded_after_reopening;

    // Conditional.
    AlwaysNeedsANewerSeq => conditional::always_is_never_refused;
    ReturnsAnotherSeq => conditional::always_is_never_refused;
    AlwaysConflicts => race::always_is_never_refused_during_other_commits;
    IgnoresIfNewer => conditional::if_newer_commits_above_and_refuses_the_rest conditional::refusal_changes_nothing;
    SameSeqIsNewer => conditional::if_newer_commits_above_and_refuses_the_rest;
    StaleNamesAnotherGeneration =>
        conditional::if_newer_commits_above_and_refuses_the_rest
        conditional::if_newer_works_at_both_ends_of_seq;
    RefusesSeqZeroFirst => conditional::if_newer_commits_into_an_empty_store;
    ComparesSigned => conditional::if_newer_works_at_both_ends_of_seq;
    IgnoresIfCurrent =>
        conditional::if_current_commits_over_that_generation_only
        race::only_1_of_8_handles_commits_with_the_same_if_current;
    ComparesSeqs => conditional::if_current_commits_over_that_generation_only;
    IgnoresIfCurrentNone => conditional::if_current_none_commits_into_an_empty_store_only;
    AcceptsUnknownInAnEmptyStore => conditional::if_current_of_a_generation_that_never_was_conflicts;
    ConflictNamesNoWinner =>
        conditional::if_current_commits_over_that_generation_only
        race::only_1_of_8_handles_commits_with_the_same_if_current;
    RefusedCommitExpires => conditional::refusal_changes_nothing;
    EvaluatesWhenStaging => conditional::evaluated_when_committing_not_when_staging;
    EvaluatesOnCachedRecord => conditional::precondition_is_evaluated_on_the_latest_record;
    EvaluatesBeforeTheCommit =>
        race::only_1_of_8_handles_commits_with_the_same_if_current
        race::only_1_of_8_tasks_commits_with_the_same_if_current
        race::only_1_of_8_writers_commits_the_first_snapshot
        race::with_8_if_newer_the_largest_seq_ends_current;
    LosesConcurrentCommits =>
        race::always_is_never_refused_during_other_commits
        race::retention_holds_during_concurrent_commits;
    RefusesASupportedPrecondition => conditional::missing_capability_is_unsupported;
    AcceptsUnsupportedIfNewer => conditional::missing_capability_is_unsupported conditional::if_newer_works_at_both_ends_of_seq;
    AcceptsUnsupportedIfCurrent =>
        conditional::missing_capability_is_unsupported race::only_1_of_8_writers_commits_the_first_snapshot;

    // History and retention.
    ReturnsOnlyItself => retention::committed_agrees_with_current_and_history;
    SortsHistoryBySeq => retention::history_is_in_order_of_committing;
    RetainsOneMore => retention::as_many_as_asked_are_retained retention::current_is_never_expired;
    ExpiresTheLowestSeq => retention::current_is_never_expired;
    AddsToRetain => retention::retaining_everything_is_allowed;
    RestoresExpiredOnCommit => retention::larger_retention_restores_no_expired_generation;
    LeaksExpiredFilesOnCommit => retention::expired_files_are_removed garbage::collecting_preserves_retained_generations;

    // Reading.
    ReadsCurrentForExpired => reading::expired_generation_is_expired;
    MatchesNamePrefixes => reading::names_that_never_were_are_refused;
    MatchesNamesOfOtherStores => reading::names_that_never_were_are_refused;
    AcceptsCurrentAsAName => reading::hostile_names_are_refused;
    NormalizesNames => reading::hostile_names_are_refused;
    IgnoresTheSeqOfAName => reading::other_seq_of_a_name_is_refused;
    CollectsWhenReading => reading::reading_changes_nothing;
    CreatesFilesWhenReading => reading::reading_an_empty_store_makes_nothing;
    ReadsTakeTheLock => reading::reads_proceed_during_a_stalled_commit;

    // Outcomes.
    NamesNoLocation => outcome::refusals_name_operation_and_location outcome::unread_names_operation_and_location;
    LeaksLargeRefusedStages => outcome::refused_commit_leaves_no_trace;
    LeaksRefusedStages => outcome::refused_commit_leaves_no_trace;

    // Cancellation.
    DeletesWhenCancelled => cancel::cancelled_commit_leaves_old_or_new;
    RevertsWhenCancelled => cancel::cancelled_commit_leaves_old_or_new;
    CommitsAfterCancellation =>
        cancel::cancelled_commit_never_overtakes_a_later_one
        cancel::cancelled_commits_never_overtake_concurrent_commits;
    LeaksCancelledCommits => cancel::cancelled_commit_leaves_old_or_new;
    HoldsTheLockWhenCancelled => cancel::cancelled_commit_blocks_no_later_commit;
    LeaksCancelledStages => cancel::cancelled_stage_leaves_no_trace;

    // Streams.
    TruncatesStreams => chunks::chunks_are_the_json_as_it_was_written;
    StreamsNothingForUnknown => chunks::unretained_are_refused;
    EndsStreamsWhenExpired => chunks::chunks_of_an_expiring_generation_are_complete_or_expired;

    // Expiry, verification, garbage collection.
    ExpiresNothing => expire::newest_stay_and_the_rest_is_returned;
    FailsWhenNothingExpires => expire::expiring_none_changes_nothing;
    RestoresExpiredAfterExpire => expire::expired_generations_stay_expired;
    LeaksExpiredFiles => expire::expired_files_are_removed;
    OverwritesWhenExpiring => expire::expire_loses_no_concurrent_commit;
    ExpiresStepByStep => expire::cancelled_expiry_is_all_or_none;
    VerifiesOnlyTheCurrent => verify::intact_store_is_found_intact;
    CollectsWhenVerifying => verify::verifying_changes_nothing;
    LeaksDiscardedStages => isolated::discarded_stage_is_deleted;
    RevertsWhenStale => conditional::stale_names_a_durable_generation;

    FailsToCollectAnEmptyStore => garbage::collecting_an_empty_store_does_nothing;
    CollectsRetained => garbage::collecting_preserves_retained_generations garbage::collecting_loses_no_concurrent_commit;
    CollectsActiveStages => garbage::collecting_preserves_active_stages_or_loses_them;
}
