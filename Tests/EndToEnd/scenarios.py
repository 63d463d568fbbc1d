"""What was reported from the field of gateways like this one, and what shows that it does no harm here.

C, A and U are groups of reports about cooldowns, names, and usage in 9router and OmniRoute; R1 to R42 are
reports about CLIProxyAPI and its relatives. Each has a sentence on what went wrong there, and either the cases
that play its sequence here (`module.Class.case` of this directory, or `Target: display name` of a unit test)
or the later feature that it belongs to and why.
"""


class Report:
    def __init__(self, went_wrong, *shown, later=None):
        self.went_wrong, self.shown, self.later = went_wrong, shown, later


REFRESH = "the refresh of credentials: accounts have API keys only so far"
SYNC = "the sync of accounts with peers"
VIEWS = "the views of usage: there is one list of requests so far, and the log"

REPORTS = {
    "C1": Report(
        "A bad request cools one account after the other, until the pool is down.",
        "test_scenarios_cooldown.RequestFaultTests.test_c1_bad_requests_cool_nobody_and_are_tried_once",
        "test_scenarios_cooldown.RequestFaultTests.test_c1_ten_accounts_and_a_client_that_sends_only_bad_requests",
        "test_openai_sdk.ErrorsTests.test_what_upstream_calls_a_bad_request_is_one_and_is_not_tried_elsewhere"),
    "C2": Report(
        "Nothing ends a cooldown early; a good test shows active and changes nothing.",
        "test_scenarios_cooldown.EndTests.test_c2_an_operator_ends_a_cooldown_and_the_next_request_goes_there",
        "test_scenarios_cooldown.EndTests.test_c2_a_good_test_ends_a_cooldown_and_clears_its_error"),
    "C3": Report(
        "After a new login the tests pass while traffic goes on with the old credential.",
        "test_scenarios_cooldown.EndTests.test_c3_a_repaired_credential_is_what_traffic_uses"),
    "C4": Report(
        "A failed test leaves an error that nothing lifts.",
        "test_scenarios_cooldown.RequestFaultTests.test_c4_an_outage_leaves_no_mark_that_stays"),
    "C5": Report(
        "The provider's reset time is cut short, or believed without a bound.",
        "test_scenarios_cooldown.KeptTests.test_c5_the_providers_own_time_is_kept_to_in_each_of_its_forms",
        "test_scenarios_cooldown.KeptTests.test_c5_r28_a_time_of_many_days_is_asked_about_again_before"),
    "C6": Report(
        "A request goes round and round among accounts that fail.",
        "test_scenarios_cooldown.KeptTests.test_c6_a_request_asks_no_account_twice_and_comes_to_an_end"),
    "C7": Report(
        "A 429 is ignored, forgotten, or taken for the end of the account.",
        "test_scenarios_cooldown.KeptTests.test_c7_c11_r30_cooldowns_of_accounts_and_models_outlive_a_kill",
        "test_scenarios_cooldown.KeptTests.test_c7_a_429_is_no_verdict_for_ever_and_a_degraded_account_is_not_probed"),
    "C8": Report(
        "A breaker never trips, never closes, or waits for ever for its probe.",
        "test_scenarios_cooldown.RequestFaultTests.test_c8_a_few_failures_among_many_answers_open_no_breaker",
        "test_scenarios_cooldown.RequestFaultTests.test_c8_failures_in_a_row_are_an_outage_whether_told_or_not",
        "test_scenarios_cooldown.EndTests.test_c8_one_probe_at_a_time_and_its_success_ends_it",
        "test_scenarios_cooldown.EndTests.test_c8_a_probe_whose_client_leaves_does_not_block_the_next"),
    "C9": Report(
        "A late success wipes out a cooldown that is newer than it.",
        "test_scenarios_cooldown.KeptTests.test_c9_a_late_success_does_not_end_a_newer_cooldown"),
    "C10": Report(
        "A stream counts as a success before its first byte.",
        "test_scenarios_cooldown.EndTests.test_c10_an_empty_stream_is_no_success"),
    "C11": Report(
        "A restart forgets which models an account may not serve.",
        "test_scenarios_cooldown.KeptTests.test_c7_c11_r30_cooldowns_of_accounts_and_models_outlive_a_kill"),
    "C12": Report(
        "Round-robin does not rotate; a session stays with an exhausted account.",
        "test_scenarios_selection.StrategyTests.test_c12_round_robin_rotates_and_keeps_to_its_sticky_limit",
        "test_scenarios_selection.StrategyTests.test_c12_round_robin_passes_over_an_account_that_cools",
        "test_scenarios_selection.StrategyTests.test_c12_r33_a_session_leaves_an_exhausted_account_and_does_not_try_it_each_turn"),
    "C13": Report(
        "With every target limited, requests wait for ever or fail without a reason.",
        "test_scenarios_cooldown.EndTests.test_c13_where_all_are_limited_the_answer_comes_at_once_and_says_until_when"),

    "A1": Report(
        "An alias set on one screen is not the one that routes; what is unknown goes to a default provider.",
        "test_scenarios_alias.AliasTests.test_a1_an_alias_set_in_one_place_routes_and_shows_in_every_other"),
    "A2": Report(
        "Two stores of aliases, of which the router reads one.",
        "test_scenarios_alias.AliasTests.test_a2_the_ways_to_write_an_alias_have_one_store"),
    "A3": Report(
        "A prefix of one's own equals a built-in one, and one of them wins.",
        "test_scenarios_alias.AliasTests.test_a3_names_that_would_hide_each_other_are_refused_when_written"),
    "A4": Report(
        "An explicit prefix leads to another provider; catalogues capture names.",
        "test_scenarios_alias.AliasTests.test_a4_a_prefix_leads_to_its_provider_whatever_others_call_their_models"),
    "A5": Report(
        "Edited combos and disabled providers are still used.",
        "test_scenarios_alias.AliasTests.test_a5_an_edited_combo_and_a_disabled_provider_count_from_the_next_request"),
    "A6": Report(
        "A combo hides the alias of the same name, and bares it when it goes.",
        "test_scenarios_alias.AliasTests.test_a6_an_alias_and_a_combo_never_have_one_name"),

    "U1": Report(
        "A client that leaves early leaves a row that is never finished.",
        "test_scenarios_usage.UsageTests.test_u1_a_client_that_leaves_early_leaves_one_finished_record"),
    "U2": Report(
        "Split, cached and padded token counts are read wrong.",
        "test_scenarios_usage.UsageTests.test_u2_split_cached_and_foreign_figures_are_recorded_as_told",
        "test_scenarios_usage.UsageTests.test_u2_what_the_client_reads_is_what_upstream_told"),
    "U3": Report(
        "The log is empty, or short, while requests are counted.",
        "test_scenarios_usage.UsageTests.test_u3_every_request_is_in_the_log_and_in_the_audit",
        "test_directories.RefusedDirectoryTests.test_a_place_without_a_log_is_no_log"),
    "U4": Report(
        "Two processes overwrite each other's usage; a corrupt file becomes an empty one.",
        "test_recovery.ModesTests.test_a_second_gateway_on_the_same_directory_is_refused",
        "test_directories.RefusedDirectoryTests.test_each_refusal_names_file_place_rule_and_remedy"),
    "U5": Report(
        "Tokens under other names count nothing; history is priced anew.",
        "test_scenarios_usage.UsageTests.test_u5_tokens_count_whatever_their_names_and_records_survive_a_price"),
    "U6": Report(
        "What was buffered is lost by a failed write or an exit.",
        "test_recovery.KillTests.test_after_kill_nothing_whole_is_missing_nothing_is_doubled_and_the_rest_is_interrupted"),
    "U7": Report(
        "A start deletes usage; roll-ups count twice.",
        "test_scenarios_usage.UsageTests.test_r36_usage_is_there_after_restarts",
        "test_recovery.RepeatedKillTests.test_configuration_and_requests_survive_five_kills"),
    "U8": Report("Filters and periods disagree about the keys.", later=VIEWS),
    "U9": Report(
        "Equal requests within a minute are taken for one.",
        "test_scenarios_usage.UsageTests.test_u9_equal_requests_are_as_many_records"),

    "R1": Report(
        "A background writer saves an old copy over an operator's edit.",
        "test_scenarios_edits.EditTests.test_r1_r2_field_edits_outlive_the_writers_of_credentials_and_health",
        "test_concurrent_edits.ConcurrentEditsTests.test_clients_that_try_until_they_win_lose_no_edit"),
    "R2": Report(
        "The same by another background writer, minutes later.",
        "test_scenarios_edits.EditTests.test_r1_r2_field_edits_outlive_the_writers_of_credentials_and_health"),
    "R3": Report(
        "A switch in the panel flips back.",
        "test_scenarios_edits.EditTests.test_r3_a_switch_stays_as_it_was_set_and_health_does_not_move_its_revision"),
    "R4": Report(
        "Saving any setting removes an unrelated block of the file.",
        "test_scenarios_edits.EditTests.test_r4_r5_nobody_rewrites_the_file_and_what_it_may_not_say_is_named",
        "test_undo.UndoTests.test_an_edit_by_api_is_kept_when_the_gateway_starts_with_the_file"),
    "R5": Report(
        "A save mangles a comment, and every later save fails.",
        "test_scenarios_edits.EditTests.test_r4_r5_nobody_rewrites_the_file_and_what_it_may_not_say_is_named"),
    "R6": Report(
        "An update writes the file anew, and keys are gone.",
        "test_scenarios_edits.EditTests.test_r4_r5_nobody_rewrites_the_file_and_what_it_may_not_say_is_named",
        "DomainTests: golden bytes of every kind are as they were first written"),
    "R7": Report(
        "Saving a list of models again drops its aliases.",
        "test_scenarios_edits.EditTests.test_r7_saving_a_providers_models_again_leaves_the_aliases_alone"),
    "R8": Report(
        "A replaced file is not the one that the process reads.",
        "test_scenarios_edits.EditTests.test_r8_a_file_that_was_replaced_under_the_same_name_is_seen"),
    "R9": Report(
        "What was added while running differs from what a start reads.",
        "test_scenarios_alias.ModelListTests.test_r17_new_credentials_serve_and_list_their_models_at_once",
        "DomainTests: state after any prefix plus the tail is the state from zero"),
    "R10": Report(
        "A question to a provider at the start holds up everything else.",
        "test_scenarios_usage.StreamTests.test_r10_a_provider_that_hangs_holds_up_nobody_else"),
    "R11": Report(
        "A late answer to an old credential is booked on the new one.",
        "test_scenarios_cooldown.KeptTests.test_r11_what_an_old_credential_earned_is_not_booked_on_the_new_one"),
    "R12": Report("Two refreshes at once use up a single-use token.", later=REFRESH),
    "R13": Report("Servers that share a credential refresh it from under each other.", later=REFRESH),
    "R14": Report("A token expires because nothing asked for it while quota was out.", later=REFRESH),
    "R15": Report("A deleted credential goes on being refreshed.", later=REFRESH),
    "R16": Report("A disabled credential dies for want of a refresh.", later=REFRESH),
    "R17": Report(
        "After new credentials inference works and the list of models stays short.",
        "test_scenarios_alias.ModelListTests.test_r17_new_credentials_serve_and_list_their_models_at_once"),
    "R18": Report(
        "Disabled and enabled again, an account has no models.",
        "test_scenarios_alias.ModelListTests.test_r18_disabled_and_enabled_again_is_as_before"),
    "R19": Report(
        "A passing 404 takes models away for twelve hours, from the list too.",
        "test_scenarios_cooldown.KeptTests.test_r19_a_transient_404_is_a_matter_of_minutes_and_of_one_model"),
    "R20": Report(
        "The list advertises models that nobody can serve.",
        "test_scenarios_alias.ModelListTests.test_r20_the_list_says_which_models_can_be_served_now"),
    "R21": Report(
        "An alias needs a second entry, or is itself sent upstream.",
        "test_scenarios_alias.ModelListTests.test_r21_an_alias_needs_no_second_entry_and_is_not_sent_upstream"),
    "R22": Report(
        "Of several aliases one is kept; of two names under one alias one is used.",
        "test_scenarios_alias.ModelListTests.test_r22_every_alias_of_a_model_is_kept_and_a_name_means_one_thing"),
    "R23": Report(
        "The same model of two providers is ambiguous for clients.",
        "test_scenarios_alias.ModelListTests.test_r23_a_model_of_two_providers_is_listed_by_prefix_and_asked_for_by_it"),
    "R24": Report(
        "Forcing prefixes does not do what it says.",
        "test_scenarios_alias.ModelListTests.test_r24_a_forced_prefix_forces_prefixes_and_nothing_else"),
    "R25": Report(
        "An excluded model is served.",
        "test_scenarios_alias.ModelListTests.test_r25_what_is_excluded_is_neither_listed_nor_served"),
    "R26": Report(
        "The catalogue changes upstream, and listed models fail.",
        "test_health.DiscoveryTests.test_a_failing_list_keeps_the_last_good_one",
        "test_health.DiscoveryTests.test_a_model_switched_off_is_not_asked_for_and_not_listed"),
    "R27": Report(
        "Entries are reordered, and a request under way is taken for another's.",
        "test_scenarios_alias.ModelListTests.test_r27_a_request_under_way_keeps_its_account_while_the_others_are_reordered"),
    "R28": Report(
        "Quota comes back early, and the local 429 lasts for days.",
        "test_scenarios_cooldown.KeptTests.test_c5_r28_a_time_of_many_days_is_asked_about_again_before"),
    "R29": Report(
        "A cooldown whose time is over goes on blocking, or being shown.",
        "test_scenarios_cooldown.KeptTests.test_r29_a_cooldown_whose_time_is_over_blocks_nothing_and_is_not_shown"),
    "R30": Report(
        "A restart forgets cooldowns and hammers exhausted accounts.",
        "test_scenarios_cooldown.KeptTests.test_c7_c11_r30_cooldowns_of_accounts_and_models_outlive_a_kill"),
    "R31": Report(
        "Clients that leave cool accounts.",
        "test_scenarios_usage.StreamTests.test_r31_clients_that_leave_cool_nobody"),
    "R32": Report(
        "The strategy seems ignored, because errors rotate.",
        "test_scenarios_selection.StrategyTests.test_r32_fill_first_keeps_to_the_first_and_comes_back_to_it"),
    "R33": Report(
        "A session tries the failing account first on every turn.",
        "test_scenarios_selection.StrategyTests.test_c12_r33_a_session_leaves_an_exhausted_account_and_does_not_try_it_each_turn"),
    "R34": Report(
        "An empty stream is the answer, though others could serve.",
        "test_scenarios_usage.StreamTests.test_r34_an_empty_stream_is_answered_by_the_next_account"),
    "R35": Report(
        "A stream that ends too early is neither retried nor told.",
        "test_scenarios_usage.StreamTests.test_r35_an_error_before_the_first_byte_is_answered_by_the_next_account",
        "test_scenarios_usage.StreamTests.test_r35_after_the_first_byte_the_client_gets_an_error_and_no_second_answer"),
    "R36": Report(
        "Usage is zero after each restart.",
        "test_scenarios_usage.UsageTests.test_r36_usage_is_there_after_restarts"),
    "R37": Report(
        "Usage is kept in memory without a bound, and reads copy all of it.",
        "test_scenarios_usage.UsageTests.test_r37_records_are_in_the_log_and_read_by_the_page"),
    "R38": Report(
        "Streams are recorded with no tokens, or not at all.",
        "test_scenarios_usage.UsageTests.test_r38_a_stream_is_recorded_with_its_tokens_with_none_and_with_no_report",
        "test_openai_sdk.OddUpstreamTests.test_usage_that_was_not_reported_is_recorded_as_such"),
    "R39": Report(
        "One client's key drains every account.",
        "test_scenarios_limits.KeyTests.test_r39_one_key_does_not_drain_what_others_live_on",
        "test_resolution.KeyTests.test_a_key_is_served_by_its_accounts_only",
        "test_resolution.KeyTests.test_a_key_sees_and_asks_for_its_models_only"),
    "R40": Report(
        "Sample keys, open panels, listeners on every interface, an administrator locked out by guesses.",
        "test_access.PasswordTests.test_a_sample_key_in_the_file_is_refused_with_its_line",
        "test_access.TierTests.test_every_administrative_row_is_closed_to_strangers_and_to_clients",
        "test_access.ProxyTests.test_behind_a_proxy_each_client_has_its_own_count",
        "test_listeners.TLSTests.test_listening_for_other_machines_wants_tls_or_the_word"),
    "R41": Report(
        "Thousands of accounts take hundreds of megabytes.",
        "test_scenarios_edits.ManyAccountsTests.test_r41_a_thousand_accounts_are_no_load"),
    "R42": Report("A store in git cannot push, and local and remote diverge.", later=SYNC),
}
