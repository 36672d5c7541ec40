//! Remedies: what is due, what refuses it, how it is carried out, handed over and verified.

use std::sync::Arc;
use std::time::Duration;

use wa_watchdog::engine::Watchdog;
use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::plan::{Plan, Resume};
use wa_watchdog::engine::policy::{Limits, MemoryReading, Mode, Night, Watch};

use super::{Play, policy};

/// A target on which everything may be done, each remedy in one step.
fn acting() -> Play {
    with(Limits::default(), Mode::Act, &[Remedy::Reconnect, Remedy::Restart, Remedy::Reset])
}

fn with(limits: Limits, mode: Mode, hooks: &[Remedy]) -> Play {
    let plan = |remedy: &Remedy| {
        (*remedy, Arc::new(Plan::single(*remedy == Remedy::Reset, Resume::Never, Duration::from_mins(2))))
    };
    play(limits, Watch { mode, plans: hooks.iter().map(plan).collect(), ..Watch::default() })
}

pub(super) fn play(limits: Limits, watch: Watch) -> Play {
    let mut play = Play::new(limits);
    play.watch = watch;
    play.with_care = true;
    play.watchdog = Watchdog::restore(policy(&play.limits, &play.watch), &[], play.now);
    play
}

pub(super) fn check(mut play: Play, script: &str, expected: &str) {
    play.script(script);
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(play.said, expected, "\nscript:{script}\nsaid:\n{}", play.said.join("\n"));
}

/// It is night all day.
fn quiet() -> Play {
    let zone = jiff::tz::TimeZone::UTC;
    let limits = Limits { quiet_hours: Night { from: 1, to: 23, zone }, ..Limits::default() };
    with(limits, Mode::Act, &[Remedy::Reset])
}

#[test]
fn a_restart_that_helps_closes_its_incident() {
    check(
        acting(),
        "every 20s
         connected x2
         looping x3
         gone
         connecting
         connected x8",
        "2 min 20 s state_loop: connected again 3 times in 1 min 20 s (09:01:00, 09:01:40, 09:02:20), longest stay 20 s; limit is 3 in 10 min -> restart
         2 min 20 s restart is planned: connected again 3 times in 1 min 20 s (09:01:00, 09:01:40, 09:02:20), longest stay 20 s; limit is 3 in 10 min
         2 min 20 s restart begins (attempt 19c27e36560)
         2 min 20 s > restart do run
         2 min 20 s restart: do run done
         2 min 20 s restart done after 0 s
         5 min 20 s restart helped: connected steadily since
         5 min 20 s state_loop recovered after 3 min",
    );
}

#[test]
fn a_reset_comes_only_after_a_restart_that_did_not_help_and_hands_over() {
    check(
        acting(),
        "every 20s
         connected x2
         looping x12
         connecting x2
         scan x4
         connected x8",
        "2 min 20 s state_loop: connected again 3 times in 1 min 20 s (09:01:00, 09:01:40, 09:02:20), longest stay 20 s; limit is 3 in 10 min -> restart
         2 min 20 s restart is planned: connected again 3 times in 1 min 20 s (09:01:00, 09:01:40, 09:02:20), longest stay 20 s; limit is 3 in 10 min
         2 min 20 s restart begins (attempt 19c27e36560)
         2 min 20 s > restart do run
         2 min 20 s restart: do run done
         2 min 20 s restart done after 0 s
         5 min 20 s restart did not help: not well 3 min after it
         5 min 20 s reset is planned: connected again 3 times in 1 min 20 s (09:01:00, 09:01:40, 09:02:20), longest stay 20 s; limit is 3 in 10 min
         5 min 20 s reset begins (attempt 19c27e62480)
         5 min 20 s > reset do run
         5 min 20 s reset: do run done
         5 min 20 s reset done after 0 s
         9 min 40 s a person must scan the QR code, by 09:12:20
         10 min 20 s becomes session_expired: was good, and asks for a QR scan since 09:09:20, for 1 min; limit is 1 min; last connected at 09:08:20 -> notify
         10 min 40 s becomes state_loop: connected again 5 times in 4 min 20 s (09:06:20, 09:07:00, 09:07:40, 09:08:20, 09:10:40), longest stay 20 s; limit is 3 in 10 min -> restart
         10 min 40 s the QR code was scanned
         12 min 40 s reset helped: connected steadily since
         12 min 40 s state_loop recovered after 10 min 20 s",
    );
}

#[test]
fn a_hook_that_fails_leads_to_the_next_rung() {
    check(
        acting(),
        "every 30s
         connected x2
         hook failed
         connecting x24
         hook done
         connecting x14
         scan x2
         connected x6",
        "8 min 30 s never_ready: not usable and asks for no scan for 7 min 30 s, now connecting; limit is 7 min 30 s; last connected at 09:00:30 -> restart
         8 min 30 s restart is planned: not usable and asks for no scan for 7 min 30 s, now connecting; limit is 7 min 30 s; last connected at 09:00:30
         8 min 30 s restart begins (attempt 19c27e90ab0)
         8 min 30 s > restart do run
         8 min 30 s restart: do run failed
         8 min 30 s restart failed after 0 s
         8 min 30 s restart failed: run failed
         14 min restart is planned: not usable and asks for no scan for 7 min 30 s, now connecting; limit is 7 min 30 s; last connected at 09:00:30
         14 min restart begins (attempt 19c27ee13c0)
         14 min > restart do run
         14 min restart: do run done
         14 min restart done after 0 s
         17 min restart did not help: not well 3 min after it
         19 min 30 s reset is due and not done, cooldown: the last attempt or foreign restart is too fresh: it waits until 09:34:00
         20 min 30 s a person must scan the QR code, by 09:23:00
         21 min the QR code was scanned
         23 min never_ready recovered after 14 min 30 s",
    );
}

#[test]
fn nothing_is_done_in_observe() {
    check(
        with(Limits::default(), Mode::Observe, &[]),
        "every 30s
         connected x2
         gone x7
         connected x6",
        "3 min 30 s unreachable: no answer 6 times in 2 min 30 s (newest: 6 × connection refused); limit is 3 in 2 min 10 s -> restart
         3 min 30 s restart is due and not done, mode: mode is observe: it decides and tells, and never acts
         6 min 30 s unreachable recovered after 3 min",
    );
}

#[test]
fn a_person_releases_exactly_what_is_proposed() {
    check(
        with(Limits::default(), Mode::Approve, &[Remedy::Restart]),
        "every 30s
         connected x2
         gone x6
         order approve
         gone x1
         order approve
         connected x6",
        "3 min 30 s unreachable: no answer 6 times in 2 min 30 s (newest: 6 × connection refused); limit is 3 in 2 min 10 s -> restart
         3 min 30 s restart waits for approval 19c27e476d0 until 10:03:30: no answer 6 times in 2 min 30 s (newest: 6 × connection refused); limit is 3 in 2 min 10 s
         3 min 30 s restart is due and not done, unapproved: mode is approve: a person must release it
         4 min accepted: released: 19c27e476d0 begins as soon as its guards let it
         4 min ana released attempt 19c27e476d0: because
         4 min restart is planned: no answer 6 times in 2 min 30 s (newest: 6 × connection refused); limit is 3 in 2 min 10 s
         4 min restart begins (attempt 19c27e476d0)
         4 min > restart do run
         4 min restart: do run done
         4 min restart done after 0 s
         4 min 30 s not taken: nothing waits for approval at shop
         6 min 30 s restart helped: connected steadily since
         6 min 30 s unreachable recovered after 3 min",
    );
}

#[test]
fn a_pause_holds_everything_until_it_ends() {
    check(
        acting(),
        "every 30s
         order pause 5m
         gone x7
         gone x6
         connected x6",
        "0 s accepted: paused: it watches and tells, and does nothing
         0 s ana paused it until 2026-02-04T09:05:00.000Z: because
         2 min 30 s unreachable: no answer 6 times in 2 min 30 s (newest: 6 × connection refused); limit is 3 in 2 min 10 s -> restart
         2 min 30 s restart is due and not done, paused: paused by ana until 2026-02-04T09:05:00.000Z: because
         5 min restart is planned: no answer 6 times in 2 min 30 s (newest: 6 × connection refused); limit is 3 in 2 min 10 s
         5 min restart begins (attempt 19c27e5d660)
         5 min > restart do run
         5 min restart: do run done
         5 min restart done after 0 s
         8 min 30 s restart helped: connected steadily since
         8 min 30 s unreachable recovered after 6 min",
    );
}

#[test]
fn a_live_code_is_never_disturbed() {
    check(
        acting(),
        "every 30s
         connected x2
         scan_live x4
         order restart
         order restart force
         scan_live x2
         connected x6",
        "1 min 30 s a person must scan the QR code, by 09:04:00
         2 min session_expired: was good, and asks for a QR scan since 09:01:00, for 1 min; limit is 1 min; last connected at 09:00:30 -> notify
         3 min not taken: hand_off: a live QR code is on the screen since 09:01:00; whoever scans it must not be disturbed; order it by force if you know better
         3 min accepted: restart begins
         3 min ana ordered a restart by force: because
         3 min restart is planned: because
         3 min restart begins (attempt 19c27e401a0)
         3 min > restart do run
         3 min restart: do run done
         3 min restart done after 0 s
         3 min no QR code is shown any more
         3 min 30 s a person must scan the QR code, by 09:06:00
         4 min the QR code was scanned
         6 min restart helped: connected steadily since
         6 min session_expired recovered after 4 min",
    );
}

#[test]
fn a_conflict_is_left_alone_for_ten_minutes_and_never_reset() {
    check(
        acting(),
        "every 60s
         connected x2
         conflict x40",
        "3 min conflict: the gateway says that another client took the session (\"CONFLICT\"), for 1 min since 09:02:00; limit is 1 min -> notify
         13 min restart is planned: the gateway says that another client took the session (\"CONFLICT\"), for 1 min since 09:02:00; limit is 1 min
         13 min restart begins (attempt 19c27ed2960)
         13 min > restart do run
         13 min restart: do run done
         13 min restart done after 0 s
         16 min restart did not help: not well 3 min after it
         16 min a person must look: every remedy that fits was tried, and none helped",
    );
}

#[test]
fn nothing_is_done_that_cannot_be_written() {
    check(
        acting(),
        "every 30s
         connected x2
         disk full
         gone x8
         disk free
         gone x3
         connected x6",
        "1 min 30 s record failed
         3 min 30 s unreachable: no answer 6 times in 2 min 30 s (newest: 6 × connection refused); limit is 3 in 2 min 10 s -> restart
         3 min 30 s record failed
         3 min 30 s record failed
         3 min 30 s restart is due and not done, ledger: the ledger cannot be written, so nothing is done
         3 min 30 s record failed
         3 min 40 s record failed
         3 min 40 s record failed
         3 min 50 s record failed
         3 min 50 s record failed
         4 min record failed
         4 min record failed
         4 min record failed
         4 min 10 s record failed
         4 min 10 s record failed
         4 min 20 s record failed
         4 min 20 s record failed
         4 min 30 s record failed
         4 min 30 s record failed
         4 min 30 s record failed
         4 min 40 s record failed
         4 min 40 s record failed
         4 min 50 s record failed
         4 min 50 s record failed
         5 min record failed
         5 min record failed
         5 min restart is planned: no answer 6 times in 2 min 30 s (newest: 6 × connection refused); limit is 3 in 2 min 10 s
         5 min restart begins (attempt 19c27e5d660)
         5 min > restart do run
         5 min restart: do run done
         5 min restart done after 0 s
         8 min 30 s restart helped: connected steadily since
         8 min 30 s unreachable recovered after 5 min",
    );
}

#[test]
fn resets_that_do_not_help_end_in_giving_up_until_a_person_looked() {
    check(
        acting(),
        "every 60s
         connected x3
         missing x20
         missing x600
         missing x400
         order ack
         missing x60",
        "5 min repeated_404: the gateway answers and says that this session does not exist (\"Session not found\"): 3 times in 2 min since 09:03:00; limit is 3 in 1 min -> reset
         5 min reset is planned: the gateway answers and says that this session does not exist (\"Session not found\"): 3 times in 2 min since 09:03:00; limit is 3 in 1 min
         5 min reset begins (attempt 19c27e5d660)
         5 min > reset do run
         5 min reset: do run done
         5 min reset done after 0 s
         10 min reset did not help: not well 5 min after it
         10 min a person must look: every remedy that fits was tried, and none helped
         6 h 5 min reset is planned: the gateway answers and says that this session does not exist (\"Session not found\"): 3 times in 2 min since 09:03:00; limit is 3 in 1 min
         6 h 5 min reset begins (attempt 19c292f6d60)
         6 h 5 min > reset do run
         6 h 5 min reset: do run done
         6 h 5 min reset done after 0 s
         6 h 10 min reset did not help: not well 5 min after it
         6 h 10 min a person must look: every remedy that fits was tried, and none helped
         12 h 5 min reset is due and not done, budget: the budget is spent: 2 of 2 resets in 1 d
         17 h 3 min accepted: acknowledged: resets may run again within their budgets
         17 h 3 min ana looked at the underlying problem: because",
    );
}

#[test]
fn without_a_restart_hook_a_loop_is_never_reset() {
    check(
        with(Limits::default(), Mode::Act, &[Remedy::Reset]),
        "every 20s
         connected x2
         looping x3
         looping x6
         connected x8",
        "2 min 20 s state_loop: connected again 3 times in 1 min 20 s (09:01:00, 09:01:40, 09:02:20), longest stay 20 s; limit is 3 in 10 min -> restart
         2 min 20 s reset is due and not done, cannot_help: for state_loop a restart must be tried first, and not help
         8 min 20 s state_loop recovered after 6 min",
    );
}

#[test]
fn a_restart_by_somebody_else_is_noticed_and_waited_out() {
    check(
        acting(),
        "every 30s
         connected x2
         started
         gone x10
         connected x6",
        "1 min the service was restarted by somebody else
         4 min unreachable: no answer 6 times in 2 min 30 s (newest: 6 × connection refused); limit is 3 in 2 min 10 s -> restart
         4 min restart is due and not done, cooldown: the last attempt or foreign restart is too fresh: it waits until 09:06:00
         6 min restart is planned: no answer 6 times in 2 min 30 s (newest: 6 × connection refused); limit is 3 in 2 min 10 s
         6 min restart begins (attempt 19c27e6c0c0)
         6 min > restart do run
         6 min restart: do run done
         6 min restart done after 0 s
         8 min 30 s restart helped: connected steadily since
         8 min 30 s unreachable recovered after 4 min 30 s",
    );
}

#[test]
fn a_session_that_is_stopped_on_purpose_is_left_alone() {
    check(
        acting(),
        "every 30s
         connected
         connecting x14
         stopped x8",
        "",
    );
}

#[test]
fn quiet_hours_hold_what_needs_a_person() {
    check(
        quiet(),
        "every 60s
         connected x3
         missing x6",
        "5 min repeated_404: the gateway answers and says that this session does not exist (\"Session not found\"): 3 times in 2 min since 09:03:00; limit is 3 in 1 min -> reset
         5 min reset is due and not done, quiet_hours: it needs a person with the phone, and it is quiet from 1:00 to 23:00",
    );
}

#[test]
fn memory_is_freed_by_a_restart_and_never_by_a_reset() {
    check(
        acting(),
        "every 60s
         connected + memory 950/1000 x7
         connected + memory 300/1000 x4",
        "5 min memory_pressure: uses 950 MiB of 1000 MiB (95 %), at least 90 % for 5 min; limit is 5 min -> restart
         5 min restart is planned: uses 950 MiB of 1000 MiB (95 %), at least 90 % for 5 min; limit is 5 min
         5 min restart begins (attempt 19c27e5d660)
         5 min > restart do run
         5 min restart: do run done
         5 min restart done after 0 s
         8 min restart helped: connected steadily since
         8 min memory_pressure recovered after 3 min",
    );
}

#[test]
fn a_hook_that_never_answers_is_not_waited_for() {
    check(
        acting(),
        "every 30s
         connected x2
         hook silent
         gone x14
         hook done
         connected x6",
        "3 min 30 s unreachable: no answer 6 times in 2 min 30 s (newest: 6 × connection refused); limit is 3 in 2 min 10 s -> restart
         3 min 30 s restart is planned: no answer 6 times in 2 min 30 s (newest: 6 × connection refused); limit is 3 in 2 min 10 s
         3 min 30 s restart begins (attempt 19c27e476d0)
         3 min 30 s > restart do run
         6 min 30 s restart: do run unknown (the hook never answered)
         6 min 30 s restart failed after 3 min
         6 min 30 s restart failed: nobody can tell whether run was done: the hook never answered
         10 min unreachable recovered after 6 min 30 s",
    );
}

#[test]
fn a_reset_whose_code_nobody_scans_waits_and_is_told() {
    check(
        acting(),
        "every 60s
         connected x3
         missing x4
         scan x40",
        "5 min repeated_404: the gateway answers and says that this session does not exist (\"Session not found\"): 3 times in 2 min since 09:03:00; limit is 3 in 1 min -> reset
         5 min reset is planned: the gateway answers and says that this session does not exist (\"Session not found\"): 3 times in 2 min since 09:03:00; limit is 3 in 1 min
         5 min reset begins (attempt 19c27e5d660)
         5 min > reset do run
         5 min reset: do run done
         5 min reset done after 0 s
         7 min a person must scan the QR code, by 09:10:00
         10 min a person must still scan the QR code, by 09:13:00
         12 min becomes session_expired: was good, and asks for a QR scan since 09:07:00, for 5 min; limit is 5 min; last connected at 09:02:00 -> notify
         13 min a person must still scan the QR code, by 09:16:00
         16 min a person must still scan the QR code, by 09:19:00
         19 min a person must still scan the QR code, by 09:22:00
         22 min nobody scanned the QR code in time
         22 min reset did not help: not well 17 min after it",
    );
}

#[test]
fn a_start_that_runtime_and_gateway_tell_is_one() {
    check(
        acting(),
        "every 30s
         born 2026-02-04T08:00:00Z x2
         started
         born 2026-02-04T09:01:01Z x2
         wait 5m
         born 2026-02-04T09:01:01Z
         born 2026-02-04T09:07:00Z",
        "1 min the service was restarted by somebody else
         8 min the service was restarted by somebody else",
    );
}

#[test]
fn a_start_after_a_restart_of_our_own_is_ours() {
    check(
        acting(),
        "every 30s
         connected x2
         gone x7
         started
         connected x2",
        "3 min 30 s unreachable: no answer 6 times in 2 min 30 s (newest: 6 × connection refused); limit is 3 in 2 min 10 s -> restart
         3 min 30 s restart is planned: no answer 6 times in 2 min 30 s (newest: 6 × connection refused); limit is 3 in 2 min 10 s
         3 min 30 s restart begins (attempt 19c27e476d0)
         3 min 30 s > restart do run
         3 min 30 s restart: do run done
         3 min 30 s restart done after 0 s",
    );
}

#[test]
fn a_limit_that_is_too_small_is_told_once_and_nothing_is_done_about_it() {
    let memory = MemoryReading { every: None, minimum: Some(512 << 20) };
    let watch = Watch { memory, mode: Mode::Act, ..Watch::default() };
    check(
        play(Limits::default(), watch),
        "every 30s
         connected + memory 100/256 x9
         connected + memory 100/300 x2
         connected + memory 100/1024 x2
         connected + memory 100/none x2
         connected + memory 100/256",
        "0 s its memory is limited to 256 MiB, less than the 512 MiB that it needs at least
         4 min 30 s its memory is limited to 300 MiB, less than the 512 MiB that it needs at least
         7 min 30 s its memory is limited to 256 MiB, less than the 512 MiB that it needs at least",
    );
}
