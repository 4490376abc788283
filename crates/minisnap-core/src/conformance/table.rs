//! The one table of cases, and what is made of it: the list for [`cases`], and a `#[test]` for each.

use super::{
    Case, StoreUnderTest, atomic, cancel, chunks, conditional, durable, expire, garbage, isolated, outcome, race,
    reading, retention, round_trip, verify,
};

/// Every case there is, by group. A case that isn't here is never run; the suite's own tests see to it that each is.
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
                several_stages_at_once_do_not_meet,
                discarded_stage_is_gone,
            }
            atomic {
                readers_never_see_a_mixed_pair_during_200_commits,
                readers_see_what_was_acknowledged_before_they_looked,
                histories_during_commits_are_whole,
                read_while_being_expired_is_whole_or_expired,
            }
            durable {
                reopened_empty_store_is_empty,
                reopened_store_has_the_last_committed,
                reopened_store_has_the_history,
                reopened_store_goes_on_where_it_was,
                stage_is_gone_after_reopening,
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
                refused_only_on_a_fresh_look,
                stale_names_a_durable_generation,
                what_is_lacking_is_refused,
            }
            race {
                of_8_handles_with_the_same_if_current_one_wins,
                of_8_tasks_on_one_handle_with_the_same_if_current_one_wins,
                of_8_writers_of_a_first_snapshot_one_wins,
                with_8_if_newer_the_largest_seq_ends_current,
                always_is_never_refused_while_the_current_one_moves,
                as_many_as_asked_are_retained_while_the_current_one_moves,
            }
            retention {
                committed_agrees_with_current_and_history,
                history_is_in_order_of_committing,
                as_many_as_asked_are_retained,
                current_is_never_expired,
                retaining_everything_is_allowed,
                what_a_small_retention_expired_does_not_come_back,
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
                reading_goes_on_beside_a_commit_that_stands_still,
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
                cancelled_commits_beside_others_never_overtake,
                cancelled_commit_keeps_no_one_waiting,
                cancelled_stage_leaves_no_trace,
            }
            chunks {
                chunks_are_the_json_as_it_was_written,
                unretained_are_refused,
                expiring_meanwhile_it_is_whole_or_expired,
            }
            expire {
                newest_stay_and_the_rest_is_returned,
                expiring_none_changes_nothing,
                expired_do_not_come_back,
                expired_files_are_removed,
                expiring_beside_writers_loses_no_commit,
                cancelled_expiry_is_all_or_none,
            }
            verify {
                intact_store_is_found_intact,
                verifying_changes_nothing,
            }
            garbage {
                collecting_an_empty_store_does_nothing,
                collecting_removes_dropped_stages,
                collecting_spares_what_is_retained,
                collecting_spares_living_stages,
                collecting_beside_writers_loses_nothing,
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

/// Makes a `#[test]` of every case of the suite, for one [`StoreUnderTest`], on both kinds of runtime: in the modules
/// `current_thread` and `multi_thread`, a module per group, a test per property. Nothing but `minisnap-core` with the
/// feature `conformance` is needed. For more than one store in a file, call it in a module for each.
///
/// A store that can't be had everywhere (a server that has to be installed) gets attributes for all its tests:
/// `conformance_tests!(MyStore, #[ignore = "needs a server at MY_SERVER"])`. Have your CI run those.
///
/// See the [`conformance`](crate::conformance) module for a whole example.
#[macro_export]
macro_rules! conformance_tests {
    ($store:ty $(, #[$attribute:meta])*) => {
        type StoreOfTheConformanceTests = $store;
        $crate::__conformance_table!(__conformance_tests [$(#[$attribute])*]);
    };
}
