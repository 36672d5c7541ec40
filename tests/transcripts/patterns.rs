//! Each pattern: what proves it, and what looks like it and does not.

use super::check;

#[test]
fn a_conflict_that_lasts_a_minute_is_a_conflict() {
    check(
        "connected x4
         conflict x6",
        "2 min conflict: the gateway says that another client took the session (\"CONFLICT\"), for 1 min since 09:01:00; limit is 1 min -> notify",
    );
}

#[test]
fn a_conflict_that_is_taken_back_at_once_is_none() {
    check("connected x4\n conflict\n connected x40", "");
}

#[test]
fn a_second_conflict_within_ten_minutes_is_a_conflict() {
    check(
        "connected x4
         conflict
         connected x8
         conflict
         connected x3",
        "3 min 15 s conflict: another client took the session 2 times within 2 min 15 s (09:01:00, 09:03:15) (\"CONFLICT\"); limit is 2 in 10 min -> notify",
    );
    check("connected x4\n conflict\n connected x60\n conflict\n connected x4", "");
}

#[test]
fn a_conflict_in_the_log_counts_while_the_status_still_says_connected() {
    check(
        "connected x4
         log conflict
         connected x6",
        "2 min conflict: its log says that another client took the session (\"line: conflict\"), for 1 min since 09:01:00; limit is 1 min -> notify",
    );
}

#[test]
fn a_conflict_in_the_log_is_over_when_a_poll_sees_a_new_connection() {
    check("connected x4\n log conflict\n disconnected\n connected x8", "");
}

#[test]
fn two_words_of_logout_are_an_expiry_and_one_is_not() {
    check(
        "connected x4
         logged_out x2",
        "1 min 15 s session_expired: the gateway says logged_out since 09:01:00, 2 times in a row; last connected at 09:00:45 -> reconnect",
    );
    check("connected x4\n logged_out\n connecting x2\n connected x4", "");
}

#[test]
fn a_logout_in_the_log_needs_no_second_line() {
    check(
        "connected x4
         disconnected
         log logout",
        "1 min 15 s session_expired: its log says logged_out (\"line: logout\") at 09:01:15; last connected at 09:00:45 -> reconnect",
    );
}

#[test]
fn a_good_session_that_wants_a_scan_for_a_minute_has_expired_and_only_a_person_helps() {
    check(
        "connected x4
         connecting
         scan x5",
        "2 min 15 s session_expired: was good, and asks for a QR scan since 09:01:15, for 1 min; limit is 1 min; last connected at 09:00:45 -> notify",
    );
}

#[test]
fn after_the_service_was_down_a_person_gets_three_minutes_to_scan() {
    check("connected x4\n gone x2\n connecting x2\n scan x11\n connected x10", "");
}

#[test]
fn a_gateway_that_gave_up_on_a_good_session_for_a_minute_lost_it() {
    check(
        "connected x4
         failed x5",
        "2 min session_expired: was good, and its gateway gave up (\"FAILED\") at 09:01:00, 1 min ago; limit is 1 min; last connected at 09:00:45 -> reconnect",
    );
    check("connected x4\n failed x2\n connecting x3\n connected x10", "");
}

#[test]
fn a_session_key_that_worked_and_is_refused_means_an_expiry_that_no_call_mends() {
    check(
        "connected x4
         key_refused x5",
        "2 min session_expired: the session's own key, which worked, is refused since 09:01:00: 5 times in 1 min; last connected at 09:00:45 -> notify",
    );
}

#[test]
fn credentials_that_never_worked_are_the_watchdogs_own_fault() {
    check(
        "key_refused x5",
        "1 min credentials_refused: the gateway refuses the watchdog's credentials 5 times in 1 min since 09:00:00 (they never worked since the watch began): check token_file and the kind of token; limit is 2 in 1 min -> notify",
    );
}

#[test]
fn three_denials_over_a_minute_mean_that_the_session_is_gone_whatever_comes_between() {
    check(
        "connected x4
         missing x2
         timeout
         throttled
         missing",
        "2 min repeated_404: the gateway answers and says that this session does not exist (\"Session not found\"): 3 times in 1 min since 09:01:00; limit is 3 in 1 min -> reset",
    );
    check("connected x4\n missing x4\n connected x10", "");
}

#[test]
fn failures_for_longer_than_a_deploy_mean_unreachable() {
    check(
        "every 25s
         connected x2
         gone
         bad_gateway
         timeout x5",
        "3 min 20 s unreachable: no answer 7 times in 2 min 30 s (newest: 1 × HTTP 502, 1 × connection refused, 5 × time-out); limit is 4 in 2 min 10 s -> restart",
    );
}

#[test]
fn time_outs_alone_take_one_more() {
    check("every 60s\n connected x2\n timeout x3\n connected x3", "");
    check(
        "every 60s
         connected x2
         timeout x4",
        "5 min unreachable: no answer 4 times in 3 min (newest: 4 × time-out); limit is 4 in 2 min 10 s -> restart",
    );
}

#[test]
fn one_lucky_answer_does_not_clear_a_hanging_service() {
    check(
        "every 20s
         connected x4
         timeout
         connected
         timeout
         connected
         timeout
         connected
         timeout
         connected
         timeout",
        "4 min unreachable: no answer 5 times in 2 min 40 s (newest: 5 × time-out); limit is 4 in 2 min 10 s -> restart",
    );
}

#[test]
fn a_page_of_html_and_a_throttle_do_not_mean_down() {
    check("connected x2\n html x40\n connected x2\n throttled x40", "");
}

#[test]
fn three_returns_in_ten_minutes_are_a_loop() {
    check(
        "every 25s
         connected x2
         disconnected
         connected x2
         disconnected
         connected
         disconnected
         connected",
        "3 min 20 s state_loop: connected again 3 times in 2 min 5 s (09:01:15, 09:02:30, 09:03:20), longest stay 50 s; limit is 3 in 10 min -> restart",
    );
}

#[test]
fn a_healthy_start_and_two_reconnects_are_no_loop() {
    check("opening\n pairing\n linked\n connected x8\n connecting\n connected x8\n connecting\n connected x40", "");
}

#[test]
fn the_words_of_a_loop_count_where_the_session_never_gets_usable() {
    check(
        "opening\n pairing\n linked
         opening\n pairing\n linked
         opening\n pairing\n linked
         opening\n pairing\n linked",
        "2 min 45 s state_loop: connected again 3 times in 1 min 30 s (09:01:15, 09:02:00, 09:02:45), longest stay 15 s; limit is 3 in 10 min -> restart",
    );
}

#[test]
fn a_loop_that_only_the_log_shows_is_a_loop() {
    check(
        "connected
         log linked
         log opening
         log linked
         connected
         log opening
         log linked
         connected
         log opening
         log linked",
        "45 s state_loop: connected again 3 times in 30 s by its log (09:00:15, 09:00:30, 09:00:45), longest stay 15 s; limit is 3 in 10 min -> restart",
    );
}

#[test]
fn a_lost_poll_is_no_fall() {
    check(
        "connected x3\n timeout\n connected x3\n timeout\n connected x3\n timeout\n connected x3\n timeout\n connected",
        "",
    );
}

#[test]
fn a_scan_that_nobody_makes_for_ten_minutes_is_stuck() {
    check(
        "every 30s
         connecting
         scan_live x21",
        "10 min 30 s stuck_qr: asks for a QR scan since 09:00:30, for 10 min, and was never connected; its code is alive: 21 different ones seen; limit is 10 min -> notify",
    );
}

#[test]
fn rounds_of_codes_are_one_wait_and_a_gateway_that_gives_up_still_waits() {
    check(
        "every 30s
         scan x6\n connecting\n scan x6\n connecting\n scan x6\n connecting",
        "",
    );
    check(
        "every 60s
         scan x3
         failed x8",
        "10 min stuck_qr: asks for a QR scan since 09:00:00, for 10 min, and was never connected; limit is 10 min -> notify",
    );
}

#[test]
fn a_start_that_takes_five_minutes_without_a_scan_is_never_ready() {
    check(
        "every 30s
         connecting x11",
        "5 min never_ready: not usable and asks for no scan for 5 min, now connecting; limit is 5 min; never connected since the watch began -> restart",
    );
}

#[test]
fn progress_buys_time() {
    check("every 60s\n loading x9\n connected", "");
    check(
        "every 60s
         loading x3
         loading 100 x6",
        "8 min never_ready: not usable and asks for no scan for 8 min, now connecting, loading stands at 100 %; limit is 5 min; never connected since the watch began -> restart",
    );
}

#[test]
fn a_lost_connection_gets_longer_than_a_start() {
    check("every 30s\n connected x3\n connecting x14\n connected x3", "");
    check(
        "every 30s
         connected x3
         gone
         connecting x11",
        "7 min never_ready: not usable and asks for no scan for 5 min, now connecting; limit is 5 min; last connected at 09:01:00 -> restart",
    );
}

#[test]
fn a_frozen_code_is_scanned_or_dead_and_so_never_ready() {
    check(
        "every 20s
         scan_frozen x16",
        "5 min never_ready: shows the same QR code since 09:00:00: scanned or dead, and not usable for 5 min, now needs_scan; limit is 5 min; never connected since the watch began -> restart",
    );
}

#[test]
fn a_scan_that_the_log_knows_of_is_no_wait_for_a_person() {
    check(
        "every 30s
         scan x3
         log authenticated
         scan x30",
        "6 min 30 s never_ready: its log says the QR code was scanned at 09:01:30, and it is not usable for 5 min, now needs_scan; limit is 5 min; never connected since the watch began -> restart",
    );
}

#[test]
fn what_whatsapp_refuses_only_a_person_mends() {
    check(
        "blocked x5",
        "1 min never_ready: WhatsApp refuses this client: blocked (\"TOS_BLOCK\") for 1 min; only a person can help; never connected since the watch began -> notify",
    );
}

#[test]
fn a_word_that_nobody_knows_proves_nothing() {
    check("unknown x60", "");
    check("connected x4\n unknown x2\n connected x40", "");
}

#[test]
fn a_session_that_is_stopped_on_purpose_or_was_never_asked_to_connect_is_no_failure() {
    check("connected x4\n stopped x60", "");
    check("idle x60", "");
}

#[test]
fn connected_and_two_failed_deep_probes_is_silent() {
    check(
        "every 60s
         connected + deep_ok x3
         connected + deep_bad x2",
        "4 min silent_session: says connected, but the deep probe failed 2 times in a row since 09:03:00 (Target closed); limit is 2 -> restart",
    );
    check(
        "every 60s
         connected + deep_ok x3
         connected + deep_hung x3",
        "5 min silent_session: says connected, but the deep probe failed 3 times in a row since 09:03:00 (time-out); limit is 3 -> restart",
    );
    check(
        "every 60s\n connected + deep_bad\n connected + deep_ok\n connected + deep_bad\n connected + deep_unclear x9",
        "",
    );
}

#[test]
fn silence_is_proven_only_against_a_steady_counter_in_daytime() {
    check(
        "every 3m
         active x12
         still x20",
        "1 h 33 min silent_session: says connected, but nothing passed for 1 h (last at 09:33:00), where something usually passes every 3 min; limit is 20 such gaps and 30 min -> restart",
    );
    check("every 10m\n still x200", "");
    // Twelve hours later it is night.
    check("wait 12h\n every 3m\n active x12\n still x200", "");
}

#[test]
fn memory_near_its_limit_is_pressure_and_a_spike_a_plateau_or_no_limit_is_not() {
    check(
        "every 60s
         memory 940/1000 x6",
        "5 min memory_pressure: uses 940 MiB of 1000 MiB (94 %), at least 90 % for 5 min; limit is 5 min -> restart",
    );
    check(
        "every 20s
         memory 920/1000
         memory 940/1000
         memory 960/1000
         memory 970/1000",
        "1 min memory_pressure: uses 970 MiB of 1000 MiB (97 %), at least 90 % for 1 min; limit is 1 min -> restart",
    );
    check("every 20s\n memory 820/1000\n memory 930/1000\n memory 960/1000\n memory 610/1000 x9", "");
    check("every 60s\n memory 800/1000 x60\n memory 5000/none x60\n memory 5000/0 x60", "");
}

#[test]
fn a_kill_for_memory_is_pressure_at_once_counted_or_inferred() {
    check(
        "memory 500/1000
         oom",
        "15 s memory_pressure: killed for memory at 09:00:15, 1 times since the watch began; last used 500 MiB of 1000 MiB (50 %) -> restart",
    );
    check(
        "every 30s
         connected + memory 950/1000
         gone
         connecting + memory 300/1000
         connected",
        "1 min memory_pressure: killed for memory at 09:01:00, 1 times since the watch began; uses 300 MiB of 1000 MiB (30 %) -> restart",
    );
}

#[test]
fn a_child_that_is_killed_for_memory_is_told_apart_from_the_service() {
    check(
        "memory 500/1000
         oom_inside",
        "15 s memory_pressure: a child process was killed for memory while the service itself lives on, at 09:00:15, 1 times since the watch began; uses 500 MiB of 1000 MiB (50 %) -> restart",
    );
    // The same kill, heard of and counted.
    check(
        "memory 500/1000 kills 1
         oom_inside
         memory 300/1000 kills 2
         memory 300/1000 kills 2 x9",
        "15 s memory_pressure: a child process was killed for memory while the service itself lives on, at 09:00:15, 1 times since the watch began; uses 500 MiB of 1000 MiB (50 %) -> restart",
    );
    // Whoever follows the runtime waits for its word: that a service is gone and its memory low is no kill of the service.
    check(
        "every 15s
         runs wa:1
         connected + memory 950/1000
         gone
         memory 300/1000
         oom_inside",
        "1 min memory_pressure: a child process was killed for memory while the service itself lives on, at 09:01:00, 1 times since the watch began; uses 300 MiB of 1000 MiB (30 %) -> restart",
    );
    // Counted alone: nobody says what it was.
    check(
        "memory 500/1000 kills 1
         memory 300/1000 kills 3",
        "15 s memory_pressure: killed for memory at 09:00:15, 2 times since the watch began; uses 300 MiB of 1000 MiB (30 %) -> restart",
    );
}

#[test]
fn a_service_that_ended_is_not_near_its_limit_any_more() {
    check(
        "every 60s
         memory 950/1000 x4
         died
         connecting x4",
        "",
    );
    // Heard of as killed, it is not taken for killed once more because its memory fell.
    check(
        "every 30s
         connected + memory 950/1000
         oom
         gone
         connecting + memory 300/1000
         connected + memory 300/1000 x9",
        "30 s memory_pressure: killed for memory at 09:00:30, 1 times since the watch began; last used 950 MiB of 1000 MiB (95 %) -> restart
         4 min 30 s memory_pressure recovered after 4 min",
    );
}
