//! The ways to break the contract, one at a time, and the cases that have to notice each.

use crate::toy::Toy;
use minisnap_core::conformance;
use std::panic::{self, AssertUnwindSafe};

/// A flaw, a case that must catch it, and that case on that flaw.
pub struct Catch {
    pub flaw: &'static str,
    pub case: &'static str,
    pub run: fn() -> Result<(), String>,
}

/// Whether a store is flawed, and how: a type for each, since a store under test is made by its type.
pub trait Flawed: Send + Sync + 'static {
    const FLAW: Flaw;
}

/// No flaw at all.
pub struct Correct;

impl Flawed for Correct {
    const FLAW: Flaw = Flaw::None;
}

/// No flaw either: it lacks the conditions, and says so.
pub struct Lacking;

impl Flawed for Lacking {
    const FLAW: Flaw = Flaw::LacksTheConditions;
}

macro_rules! flaws {
    ($($flaw:ident => $($group:ident::$case:ident)*;)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Flaw { None, LacksTheConditions, $($flaw,)* }

        $(pub struct $flaw;
        impl Flawed for $flaw {
            const FLAW: Flaw = Flaw::$flaw;
        })*

        pub fn catches() -> Vec<Catch> {
            vec![$($(Catch {
                flaw: stringify!($flaw),
                case: concat!(stringify!($group), "::", stringify!($case)),
                run: || alone(conformance::$group::$case::<Toy<$flaw>>()),
            },)*)*]
        }
    };
}

/// Runs a case by itself, to its end or its panic, whose message it gives. On one thread, so that it always goes the same
/// way, and in virtual time, so that a case that waits for remains to go away waits for nothing when they don't.
fn alone(case: impl Future<Output = ()>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(case)))
        .map_err(|panic| panic.downcast_ref::<String>().cloned().unwrap_or_default())
}

flaws! {
    // What is written is what is read.
    PublishesOnOpen => round_trip::empty_store_is_empty durable::reopened_empty_store_is_empty;
    SeqIsSigned => round_trip::every_seq_round_trips;
    SizeIsWrong => round_trip::smallest_jsons_round_trip;
    DigestIsWrong => round_trip::smallest_jsons_round_trip;
    LooksIntoTheJson => round_trip::nothing_written_is_read_as_nothing;
    ChangesLineBreaks => round_trip::text_in_any_script_round_trips;
    SqueezesJson => round_trip::typed_state_has_the_bytes_of_to_string_pretty;
    LosesOfLongPieces => round_trip::pieces_of_odd_sizes_round_trip;
    LosesSingleBytes => round_trip::single_bytes_round_trip;
    CutsAt2MiB => round_trip::large_state_round_trips;
    CannotDrainNothing => round_trip::drain_may_be_called_at_any_time;
    NamesBySeq => round_trip::same_seq_and_state_again_is_another_generation retention::names_are_used_once;

    // Invisible until published.
    DrainingShows => isolated::staged_is_invisible;
    ShowsStaged => isolated::staged_is_invisible isolated::staged_is_invisible_in_an_empty_store;
    DroppingCommits => isolated::dropped_stage_leaves_no_trace cancel::commit_never_polled_never_commits;
    DroppedStagesStay => isolated::dropped_stage_leaves_no_trace garbage::collecting_removes_dropped_stages;
    LargeStagesStay =>
        isolated::dropped_stage_of_a_large_state_leaves_no_trace
        garbage::collecting_removes_dropped_stages;
    StagesShareABuffer => isolated::several_stages_at_once_do_not_meet;

    // Atomic.
    CommitsInTwoSteps => atomic::readers_never_see_a_mixed_pair_during_200_commits;
    ReadsTheCurrentOne => atomic::readers_never_see_a_mixed_pair_during_200_commits;
    LooksEverySecondTime => atomic::readers_see_what_was_acknowledged_before_they_looked;
    HistoryIsReadStepByStep => atomic::histories_during_commits_are_whole;
    ReadsInParts => atomic::read_while_being_expired_is_whole_or_expired;

    // Durable.
    ForgetsOnReopen => durable::reopened_store_has_the_last_committed durable::reopened_store_has_the_history;
    ForgetsHistoryOnReopen => durable::reopened_store_has_the_history durable::reopened_store_goes_on_where_it_was;
    ForgetsNamesOnReopen => retention::names_are_used_once;
    AdoptsStagesOnReopen => durable::stage_is_gone_after_reopening;

    // Conditional.
    AlwaysGoesUp => conditional::always_is_never_refused;
    ReturnsAnotherSeq => conditional::always_is_never_refused;
    AlwaysConflicts => race::always_is_never_refused_while_the_current_one_moves;
    IgnoresIfNewer => conditional::if_newer_commits_above_and_refuses_the_rest conditional::refusal_changes_nothing;
    SameSeqIsNewer => conditional::if_newer_commits_above_and_refuses_the_rest;
    StaleNamesAnother =>
        conditional::if_newer_commits_above_and_refuses_the_rest
        conditional::if_newer_works_at_both_ends_of_seq;
    NothingIsSeqZero => conditional::if_newer_commits_into_an_empty_store;
    ComparesSigned => conditional::if_newer_works_at_both_ends_of_seq;
    IgnoresIfCurrent =>
        conditional::if_current_commits_over_that_generation_only
        race::of_8_handles_with_the_same_if_current_one_wins;
    ComparesSeqs => conditional::if_current_commits_over_that_generation_only;
    FirstIsAlways => conditional::if_current_none_commits_into_an_empty_store_only;
    StrangersAreNone => conditional::if_current_of_a_generation_that_never_was_conflicts;
    NamesNoWinner =>
        conditional::if_current_commits_over_that_generation_only
        race::of_8_handles_with_the_same_if_current_one_wins;
    RefusalsRetire => conditional::refusal_changes_nothing;
    JudgesWhenStaging => conditional::evaluated_when_committing_not_when_staging;
    JudgesOnAnOldView => conditional::refused_only_on_a_fresh_look;
    JudgesBeforeItCommits =>
        race::of_8_handles_with_the_same_if_current_one_wins
        race::of_8_tasks_on_one_handle_with_the_same_if_current_one_wins
        race::of_8_writers_of_a_first_snapshot_one_wins
        race::with_8_if_newer_the_largest_seq_ends_current;
    LosesWhatCameBetween =>
        race::always_is_never_refused_while_the_current_one_moves
        race::as_many_as_asked_are_retained_while_the_current_one_moves;
    RefusesWhatItHas => conditional::what_is_lacking_is_refused;
    LacksIfNewerInSilence => conditional::what_is_lacking_is_refused conditional::if_newer_works_at_both_ends_of_seq;
    LacksIfCurrentInSilence =>
        conditional::what_is_lacking_is_refused race::of_8_writers_of_a_first_snapshot_one_wins;

    // History and retention.
    ReturnsItselfAlone => retention::committed_agrees_with_current_and_history;
    HistoryIsBySeq => retention::history_is_in_order_of_committing;
    KeepsOneMore => retention::as_many_as_asked_are_retained retention::current_is_never_expired;
    RetiresTheLowestSeq => retention::current_is_never_expired;
    AddsToKeep => retention::retaining_everything_is_allowed;
    RetiredComeBack => retention::what_a_small_retention_expired_does_not_come_back;
    RetiredFilesStay => retention::expired_files_are_removed garbage::collecting_spares_what_is_retained;

    // Reading.
    RetiredIsTheCurrentOne => reading::expired_generation_is_expired;
    TakesNamesByTheirStart => reading::names_that_never_were_are_refused;
    KnowsNamesOfOthers => reading::names_that_never_were_are_refused;
    CurrentIsAName => reading::hostile_names_are_refused;
    FollowsNames => reading::hostile_names_are_refused;
    LooksAtNamesAlone => reading::other_seq_of_a_name_is_refused;
    CleansOnReading => reading::reading_changes_nothing;
    MakesRoomOnLooking => reading::reading_an_empty_store_makes_nothing;
    ReadingTakesTheLock => reading::reading_goes_on_beside_a_commit_that_stands_still;

    // Outcomes.
    NamesNoPlace => outcome::refusals_name_operation_and_location outcome::unread_names_operation_and_location;
    RefusedLargeStagesStay => outcome::refused_commit_leaves_no_trace;
    RefusedStagesStay => outcome::refused_commit_leaves_no_trace;

    // Cancelling.
    CancellingDeletes => cancel::cancelled_commit_leaves_old_or_new;
    CancellingTakesBack => cancel::cancelled_commit_leaves_old_or_new;
    CancelledCommitsLater =>
        cancel::cancelled_commit_never_overtakes_a_later_one
        cancel::cancelled_commits_beside_others_never_overtake;
    CancelledPublishesStay => cancel::cancelled_commit_leaves_old_or_new;
    CancellingKeepsTheLock => cancel::cancelled_commit_keeps_no_one_waiting;
    CancelledStagesStay => cancel::cancelled_stage_leaves_no_trace;

    // Sweeping.
    StreamsEndEarly => chunks::chunks_are_the_json_as_it_was_written;
    StreamsOfUnknownAreEmpty => chunks::unretained_are_refused;
    StreamsFollowTheStore => chunks::expiring_meanwhile_it_is_whole_or_expired;

    // Expiry and checks.
    ExpiryDoesNothing => expire::newest_stay_and_the_rest_is_returned;
    ExpiryMustDoSomething => expire::expiring_none_changes_nothing;
    ExpiredComeBack => expire::expired_do_not_come_back;
    ExpiredFilesStay => expire::expired_files_are_removed;
    ExpiryRewrites => expire::expiring_beside_writers_loses_no_commit;
    ExpiresOneByOne => expire::cancelled_expiry_is_all_or_none;
    VerifiesTheCurrentAlone => verify::intact_store_is_found_intact;
    VerifyingCleans => verify::verifying_changes_nothing;
    DiscardedStagesStay => isolated::discarded_stage_is_gone;
    StaleTakesBack => conditional::stale_names_a_durable_generation;

    CannotSweepNothing => garbage::collecting_an_empty_store_does_nothing;
    SweepsRetained => garbage::collecting_spares_what_is_retained garbage::collecting_beside_writers_loses_nothing;
    SweepsLivingStages => garbage::collecting_spares_living_stages;
}
