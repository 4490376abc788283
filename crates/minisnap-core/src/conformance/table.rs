//! The table of cases, and the list of [`cases`] that is made of it.

use super::*;

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
                readers_never_see_a_mixed_pair_during_commits,
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
                long_history_is_complete,
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
                location_has_no_credentials,
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
                cancelled_drain_can_be_repeated,
            }
            chunks {
                chunks_are_the_json_as_it_was_written,
                unretained_are_refused,
                chunks_of_an_expiring_generation_are_complete_or_expired,
                chunks_are_complete_or_expired_during_commits,
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
            runtime {
                stage_may_be_dropped_outside_a_runtime,
                commit_may_be_dropped_outside_a_runtime,
                handle_may_be_used_from_two_runtimes,
                handle_outlives_the_runtime_it_was_opened_on,
            }
            ;
            // The groups of hooks: the variant of `Hook`, and the group, which has the name of the hook.
            Processes processes {
                commits_of_3_processes_with_if_current_form_a_chain,
                commits_of_3_processes_with_always_form_a_chain,
                open_handle_sees_commits_of_another_process,
                readers_see_no_mixed_pair_of_another_process,
                commits_remove_orphans_of_a_killed_process,
                collection_removes_orphans_of_a_killed_process,
                stage_survives_commits_of_another_process,
                collection_preserves_stages_of_another_or_loses_them,
                process_killed_in_a_commit_loses_no_acknowledged_one,
            }
            ReadOnly read_only {
                read_only_handle_reads_everything,
                read_only_handle_reads_an_empty_store,
                read_only_handle_reads_during_a_stalled_commit,
                read_only_handle_changes_nothing,
            }
            WriteLock write_lock {
                reads_proceed_while_a_writer_holds_the_lock,
                commit_is_busy_while_another_writer_holds_the_lock,
            }
            Corrupt corrupt {
                read_of_a_corrupt_generation_is_corrupt,
                corrupt_error_lists_the_intact_generations,
                stream_of_a_corrupt_generation_ends_with_an_error,
                verification_names_the_corrupt_generations,
                corrupt_generation_stays_in_the_history,
                commit_over_a_corrupt_generation_preserves_intact_ones,
                collecting_preserves_intact_ones_of_a_corrupt_store,
            }
            Unreachable unreachable {
                lookups_in_an_unreachable_store_are_errors,
                reads_in_an_unreachable_store_are_errors,
                commits_to_an_unreachable_store_fail,
                maintenance_of_an_unreachable_store_fails,
            }
            LostAnswer lost_answer {
                lost_answer_is_ok_or_outcome_unknown,
                lost_commit_never_conflicts_with_itself,
                lost_answer_loses_no_generation,
                commits_continue_after_a_lost_answer,
            }
            Neighbour neighbour {
                neighbour_is_empty_and_has_its_own_location,
                writes_leave_the_neighbour_unchanged,
                open_stage_survives_what_the_neighbour_does,
                generations_of_the_neighbour_are_expired,
                verification_covers_no_neighbour,
            }
            TimeToLive time_to_live {
                retained_generations_have_no_time_to_live,
                stage_is_complete_or_lost_after_its_time_to_live,
            }
            PowerCut power_cut {
                acknowledged_commits_survive_a_power_cut,
                power_cut_during_a_commit_leaves_old_or_new,
                listed_history_survives_a_power_cut,
                generation_in_a_stale_error_survives_a_power_cut,
                power_cut_after_an_expiry_loses_nothing_retained,
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_list {
    ([] $($group:ident { $($case:ident,)* })* ; $($variant:ident $hook:ident { $($hook_case:ident,)* })*) => {
        vec![
            $($(Case::new::<T>(concat!(stringify!($group), "::", stringify!($case)), None, || Box::pin($group::$case::<T>())),)*)*
            $($(Case::new::<T>(
                concat!(stringify!($hook), "::", stringify!($hook_case)),
                Some(Hook::$variant),
                || Box::pin($hook::$hook_case::<T>()),
            ),)*)*
        ]
    };
}

/// The cases for a store, in the order of the table.
#[must_use]
pub fn cases<T: StoreUnderTest>() -> Vec<Case> {
    crate::__conformance_table!(__conformance_list [])
}
