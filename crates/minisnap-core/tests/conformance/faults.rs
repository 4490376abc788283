//! Faults that violate the contract, one at a time, and the cases that have to detect each.

use crate::{backend::TestBackend, latency};
use minisnap_core::conformance::{self, Profile};
use std::{
    panic::{self, AssertUnwindSafe},
    time::Duration,
};

/// A fault, the name of a case that has to detect it, and a function that runs the case on the fault.
pub struct ExpectedFailure {
    pub fault: &'static str,
    pub case: &'static str,
    pub run: fn(Profile, Duration) -> Result<(), String>,
}

/// The fault of a store: a type for each fault, since the suite creates a store from its type.
pub trait WithFault: Send + Sync + 'static {
    const FAULT: Fault;
    const STEP: Duration = Duration::ZERO;
    const PROFILE: Profile = Profile::local();
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
                run: |profile, step| {
                    latency::with(profile, step, || {
                        run_case(Fault::$fault, conformance::$group::$case::<TestBackend<$fault>>())
                    })
                },
            },)*)*]
        }
    };
}

/// Runs a case, and returns the message of its panic, if any. One thread makes the run deterministic. Virtual time makes a case
/// that waits for leaked garbage fail at once.
fn run_case(fault: Fault, case: impl Future<Output = ()>) -> Result<(), String> {
    // Threads of the blocking pool need real time.
    let is_paused = !matches!(fault, Fault::EvaluatesBeforeTheLock | Fault::DeletesWhenCancelledOnThePool);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(is_paused).build().unwrap();
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
    TruncatesAtItsMaxSize => round_trip::large_state_round_trips;
    FailsAboveItsMaxSize => round_trip::large_state_round_trips;
    ReplacesIncompleteCharacters => round_trip::pieces_of_odd_sizes_round_trip round_trip::large_state_round_trips;
    RefusesIncompleteCharacters => round_trip::pieces_of_odd_sizes_round_trip;
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
    CommitsInTwoSteps => atomic::readers_never_see_a_mixed_pair_during_commits;
    ReadsTheCurrentGeneration => atomic::readers_never_see_a_mixed_pair_during_commits;
    CachesEverySecondRead => atomic::readers_see_every_acknowledged_commit;
    ReadsHistoryStepByStep => atomic::history_is_consistent_during_commits;
    EndsReadsAtMissingPieces => atomic::read_of_an_expiring_generation_is_complete_or_expired;
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
    EvaluatesBeforeTheLock =>
        race::only_1_of_8_handles_commits_with_the_same_if_current
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

    CutsHistoryAt1000 => retention::long_history_is_complete;
    ReturnsOnly250Retained => retention::long_history_is_complete;
    ReturnsOnly100Expired => retention::long_history_is_complete;

    // Reading.
    ReadsCurrentForExpired => reading::expired_generation_is_expired;
    MatchesNamePrefixes => reading::names_that_never_were_are_refused;
    MatchesNamesOfOtherStores => reading::names_that_never_were_are_refused;
    AcceptsCurrentAsAName => reading::hostile_names_are_refused;
    NormalizesNames => reading::hostile_names_are_refused;
    IgnoresTheCaseOfNames => reading::hostile_names_are_refused;
    IgnoresTrailingBlanksOfNames => reading::hostile_names_are_refused;
    IgnoresTheSeqOfAName => reading::other_seq_of_a_name_is_refused;
    CollectsWhenReading => reading::reading_changes_nothing;
    CreatesFilesWhenReading => reading::reading_an_empty_store_makes_nothing;
    ReadsTakeTheLock => reading::reads_proceed_during_a_stalled_commit;

    // Outcomes.
    NamesNoLocation => outcome::refusals_name_operation_and_location outcome::unread_names_operation_and_location;
    LocationHasAPassword => outcome::location_has_no_credentials;
    ErrorsHaveAPassword => outcome::location_has_no_credentials;
    LeaksLargeRefusedStages => outcome::refused_commit_leaves_no_trace;
    LeaksRefusedStages => outcome::refused_commit_leaves_no_trace;

    // Cancellation.
    DeletesWhenCancelledOnThePool => cancel::cancelled_commit_leaves_old_or_new;
    LosesPiecesOfCancelledDrains => cancel::cancelled_drain_can_be_repeated;
    DeletesWhenCancelled => cancel::cancelled_commit_leaves_old_or_new;
    RevertsWhenCancelled => cancel::cancelled_commit_leaves_old_or_new;
    CommitsAfterCancellation =>
        cancel::cancelled_commit_never_overtakes_a_later_one
        cancel::cancelled_commits_never_overtake_concurrent_commits;
    LeaksCancelledCommits => cancel::cancelled_commit_leaves_old_or_new;
    HoldsTheLockWhenCancelled => cancel::cancelled_commit_blocks_no_later_commit;
    LeaksCancelledStages => cancel::cancelled_stage_leaves_no_trace;

    // Runtimes.
    NeedsARuntimeToDropAStage => runtime::stage_may_be_dropped_outside_a_runtime;
    NeedsARuntimeToDropACommit => runtime::commit_may_be_dropped_outside_a_runtime;
    WorksOnItsFirstRuntimeOnly =>
        runtime::handle_may_be_used_from_two_runtimes
        runtime::handle_outlives_the_runtime_it_was_opened_on;

    // Streams.
    TruncatesStreams => chunks::chunks_are_the_json_as_it_was_written;
    StreamsNothingForUnknown => chunks::unretained_are_refused;
    EndsStreamsWhenExpired => chunks::chunks_of_an_expiring_generation_are_complete_or_expired;
    EndsStreamsBetweenTwoSteps => chunks::chunks_are_complete_or_expired_during_commits;

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

    // Hook `write_lock`.
    HistoryTakesTheLock => write_lock::reads_proceed_while_a_writer_holds_the_lock;
    FailsWhileLocked => write_lock::commit_is_busy_while_another_writer_holds_the_lock;
    CommitsWhileLocked => write_lock::commit_is_busy_while_another_writer_holds_the_lock;
    CommitsOnceUnlocked => write_lock::commit_is_busy_while_another_writer_holds_the_lock;
    CommitsAlthoughBusy => write_lock::commit_is_busy_while_another_writer_holds_the_lock;

    // Hook `corrupt`.
    ReadsUncheckedBytes => corrupt::read_of_a_corrupt_generation_is_corrupt;
    ChecksTheDigestOfTheArgument => corrupt::read_of_a_corrupt_generation_is_corrupt;
    ReadsCorruptAsExpired => corrupt::read_of_a_corrupt_generation_is_corrupt;
    CorruptListsNothing => corrupt::corrupt_error_lists_the_intact_generations;
    CorruptListsUnchecked => corrupt::corrupt_error_lists_the_intact_generations;
    StreamsUncheckedBytes => corrupt::stream_of_a_corrupt_generation_ends_with_an_error;
    VerifiesNothing => corrupt::verification_names_the_corrupt_generations;
    VerificationFailsOnCorruption => corrupt::verification_names_the_corrupt_generations;
    HidesTheHistoryOfACorruptStore => corrupt::corrupt_generation_stays_in_the_history;
    RefusesToCommitOverCorrupt => corrupt::commit_over_a_corrupt_generation_preserves_intact_ones;
    CommitExpiresWhatIsOlderThanCorrupt => corrupt::commit_over_a_corrupt_generation_preserves_intact_ones;
    CollectsWhatIsOlderThanCorrupt => corrupt::collecting_preserves_intact_ones_of_a_corrupt_store;

    // Hook `unreachable`.
    UnreachableIsNone => unreachable::lookups_in_an_unreachable_store_are_errors;
    UnreachableIsNotFound => unreachable::lookups_in_an_unreachable_store_are_errors;
    UnreachableHasNoHistory => unreachable::lookups_in_an_unreachable_store_are_errors;
    UnreachableNamesNoLocation => unreachable::lookups_in_an_unreachable_store_are_errors;
    UnreachableWaitsForever => unreachable::lookups_in_an_unreachable_store_are_errors;
    UnreachableIsExpired => unreachable::reads_in_an_unreachable_store_are_errors;
    UnreachableStreamIsEmpty => unreachable::reads_in_an_unreachable_store_are_errors;
    UnreachableAcceptsCommits => unreachable::commits_to_an_unreachable_store_fail;
    UnreachableCommitIsUnknown => unreachable::commits_to_an_unreachable_store_fail;
    UnreachableExpiresNothing => unreachable::maintenance_of_an_unreachable_store_fails;
    UnreachableIsIntact => unreachable::maintenance_of_an_unreachable_store_fails;
    UnreachableCollectsNothing => unreachable::maintenance_of_an_unreachable_store_fails;

    // Hook `lost_answer`.
    LostAnswerIsAFailure => lost_answer::lost_answer_is_ok_or_outcome_unknown;
    LostAnswerReturnsAnotherGeneration => lost_answer::lost_answer_is_ok_or_outcome_unknown;
    UnknownOutcomeNamesNoPrevious => lost_answer::lost_answer_is_ok_or_outcome_unknown;
    CommitsAgainWithoutAnswer => lost_answer::lost_answer_is_ok_or_outcome_unknown;
    ConflictsWithItself => lost_answer::lost_commit_never_conflicts_with_itself;
    DeletesItsFilesWithoutAnswer => lost_answer::lost_answer_is_ok_or_outcome_unknown;
    DeletesOlderWithoutAnswer => lost_answer::lost_answer_loses_no_generation;
    HoldsTheLockWithoutAnswer => lost_answer::commits_continue_after_a_lost_answer;

    // Hook `neighbour`.
    NeighboursShareALocation => neighbour::neighbour_is_empty_and_has_its_own_location;
    NeighboursShareAHistory => neighbour::neighbour_is_empty_and_has_its_own_location;
    CommitExpiresTheNeighbour => neighbour::writes_leave_the_neighbour_unchanged;
    CollectsTheNeighbour => neighbour::writes_leave_the_neighbour_unchanged;
    CollectsStagesOfTheNeighbour => neighbour::open_stage_survives_what_the_neighbour_does;
    ReadsTheNeighbour => neighbour::generations_of_the_neighbour_are_expired;
    VerifiesTheNeighbour => neighbour::verification_covers_no_neighbour;

    // Hook `read_only`.
    HistoryNeedsWriteAccess => read_only::read_only_handle_reads_everything;
    VerificationNeedsWriteAccess => read_only::read_only_handle_reads_everything;
    ReadOnlyHandleCollects => read_only::read_only_handle_reads_everything;
    LookupCreatesTables => read_only::read_only_handle_reads_an_empty_store;
    ReadOnlyHandleTakesTheLock => read_only::read_only_handle_reads_during_a_stalled_commit;
    ReadOnlyHandleCommits => read_only::read_only_handle_changes_nothing;
    ReadOnlyHandleExpires => read_only::read_only_handle_changes_nothing;

    // Hook `time_to_live`.
    GenerationsHaveATimeToLive => time_to_live::retained_generations_have_no_time_to_live;
    TheRecordHasATimeToLive => time_to_live::retained_generations_have_no_time_to_live;
    CommitsWhatItsTimeToLiveHasDeleted => time_to_live::stage_is_complete_or_lost_after_its_time_to_live;

    // Hook `power_cut`.
    CommitsWithoutSync => power_cut::acknowledged_commits_survive_a_power_cut;
    DeletesExpiredBeforeSync => power_cut::power_cut_during_a_commit_leaves_old_or_new;
    ListsUnsyncedGenerations => power_cut::listed_history_survives_a_power_cut;
    NamesUnsyncedInStale => power_cut::generation_in_a_stale_error_survives_a_power_cut;
    ExpiresBeforeItIsDurable => power_cut::power_cut_after_an_expiry_loses_nothing_retained;
}
