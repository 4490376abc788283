//! The table of cases, and the macros that use it: the list of [`cases`], and a `#[test]` for each case.

use super::{
    Case, StoreUnderTest, atomic, cancel, chunks, conditional, durable, expire, garbage, isolated, outcome, race,
    reading, retention, round_trip, verify,
};

/// Every case, by group. The suite's own tests check that none is missing.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_table {
    ($consumer:ident $attributes:tt) => {
        $crate::$consumer! {
            $attributes
            round_trip {
                empty_store_is_empty,
                every_seq_round_trips,
                smallest_jsons_round_trip,
                nothing_written_is_read_as_nothing,
                text_in_any_script_round_trips,
                typed_state_has_the_bytes_of_to_string_pretty,
                pieces_of_odd_sizes_round_trip,
                single_bytes_round_trip,
                large_state_round_trips,
                drain_may_be_called_at_any_time,
                same_seq_and_state_again_is_another_generation,
            }
            isolated {
                staged_is_invisible,
                staged_is_invisible_in_an_empty_store,
                dropped_stage_leaves_no_trace,
                dropped_stage_of_a_large_state_leaves_no_trace,
                concurrent_stages_do_not_mix,
                discarded_stage_is_deleted,
            }
            atomic {
                readers_never_see_a_mixed_pair_during_200_commits,
                readers_see_every_acknowledged_commit,
                history_is_consistent_during_commits,
                read_of_an_expiring_generation_is_complete_or_expired,
            }
            durable {
                reopened_empty_store_is_empty,
                reopened_store_has_the_last_committed,
                reopened_store_has_the_history,
                reopened_store_goes_on_where_it_was,
                stage_is_discarded_after_reopening,
            }
            conditional {
                always_is_never_refused,
                if_newer_commits_above_and_refuses_the_rest,
                if_newer_commits_into_an_empty_store,
                if_newer_works_at_both_ends_of_seq,
                if_current_commits_over_that_generation_only,
                if_current_none_commits_into_an_empty_store_only,
                if_current_of_a_generation_that_never_was_conflicts,
                refusal_changes_nothing,
                evaluated_when_committing_not_when_staging,
                precondition_is_evaluated_on_the_latest_record,
                stale_names_a_durable_generation,
                missing_capability_is_unsupported,
            }
            race {
                only_1_of_8_handles_commits_with_the_same_if_current,
                only_1_of_8_tasks_commits_with_the_same_if_current,
                only_1_of_8_writers_commits_the_first_snapshot,
                with_8_if_newer_the_largest_seq_ends_current,
                always_is_never_refused_during_other_commits,
                retention_holds_during_concurrent_commits,
            }
            retention {
                committed_agrees_with_current_and_history,
                history_is_in_order_of_committing,
                as_many_as_asked_are_retained,
                current_is_never_expired,
                retaining_everything_is_allowed,
                larger_retention_restores_no_expired_generation,
                expired_files_are_removed,
                names_are_used_once,
            }
            reading {
                expired_generation_is_expired,
                names_that_never_were_are_refused,
                hostile_names_are_refused,
                other_seq_of_a_name_is_refused,
                reading_changes_nothing,
                reading_an_empty_store_makes_nothing,
                reads_proceed_during_a_stalled_commit,
            }
            outcome {
                refusals_name_operation_and_location,
                unread_names_operation_and_location,
                refused_commit_leaves_no_trace,
            }
            cancel {
                commit_never_polled_never_commits,
                cancelled_commit_leaves_old_or_new,
                cancelled_commit_never_overtakes_a_later_one,
                cancelled_commits_never_overtake_concurrent_commits,
                cancelled_commit_blocks_no_later_commit,
                cancelled_stage_leaves_no_trace,
            }
            chunks {
                chunks_are_the_json_as_it_was_written,
                unretained_are_refused,
                chunks_of_an_expiring_generation_are_complete_or_expired,
            }
            expire {
                newest_stay_and_the_rest_is_returned,
                expiring_none_changes_nothing,
                expired_generations_stay_expired,
                expired_files_are_removed,
                expire_loses_no_concurrent_commit,
                cancelled_expiry_is_all_or_none,
            }
            verify {
                intact_store_is_found_intact,
                verifying_changes_nothing,
            }
            garbage {
                collecting_an_empty_store_does_nothing,
                collecting_removes_dropped_stages,
                collecting_preserves_retained_generations,
                collecting_preserves_active_stages_or_loses_them,
                collecting_loses_no_concurrent_commit,
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_list {
    ([] $($group:ident { $($case:ident,)* })*) => {
        vec![$($(Case::new(concat!(stringify!($group), "::", stringify!($case)), || Box::pin($group::$case::<T>())),)*)*]
    };
}

/// The cases for a store, in the order of the table.
#[must_use]
pub fn cases<T: StoreUnderTest>() -> Vec<Case> {
    crate::__conformance_table!(__conformance_list [])
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    ($attributes:tt $($group:ident { $($case:ident,)* })*) => {
        $crate::__conformance_flavour! { $attributes current_thread CurrentThread $($group { $($case,)* })* }
        $crate::__conformance_flavour! { $attributes multi_thread MultiThread $($group { $($case,)* })* }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_flavour {
    ($attributes:tt $module:ident $flavour:ident $($group:ident { $($case:ident,)* })*) => {
        mod $module {
            $(mod $group {
                $($crate::__conformance_test! { $attributes $group $case $flavour })*
            })*
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_test {
    ([$(#[$attribute:meta])*] $group:ident $case:ident $flavour:ident) => {
        #[test]
        $(#[$attribute])*
        fn $case() {
            $crate::conformance::run::<super::super::StoreOfTheConformanceTests>(
                concat!(stringify!($group), "::", stringify!($case)),
                $crate::conformance::Flavour::$flavour,
            );
        }
    };
}

/// Makes a `#[test]` of every case of the suite, for one [`StoreUnderTest`], on both kinds of runtime.
///
/// The tests are in the modules `current_thread` and `multi_thread`, with a module for each group. They need nothing but
/// `minisnap-core` with the feature `conformance`. For several stores in a file, call the macro in a module for each.
///
/// Attributes after the store are set on all its tests, for a store that needs a server:
/// `conformance_tests!(MyStore, #[ignore = "needs a server at MY_SERVER"])`. Run those in CI with `cargo test -- --ignored`.
///
/// The module [`conformance`](crate::conformance) has a complete example.
#[macro_export]
macro_rules! conformance_tests {
    ($store:ty $(, #[$attribute:meta])*) => {
        type StoreOfTheConformanceTests = $store;
        $crate::__conformance_table!(__conformance_tests [$(#[$attribute])*]);
    };
}
