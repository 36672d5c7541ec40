//! Incidents: how they open, change and close, over restarts, suspensions and jumps of a clock.

use std::sync::Arc;
use std::time::Duration;

use wa_watchdog::engine::day::CELLS;
use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::ledger::{Fact, Seq};
use wa_watchdog::engine::policy::{Limits, MemoryReading};
use wa_watchdog::engine::sample::{SessionState, Word};
use wa_watchdog::engine::{Input, Moment, Wall, Watchdog};

use super::{Play, check, policy};

#[test]
fn an_incident_closes_after_two_minutes_of_steady_connected() {
    check(
        "every 30s
         connected x2
         logged_out x2
         connected x4
         connecting
         connected x6",
        "1 min 30 s session_expired: the gateway says logged_out since 09:01:00, 2 times in a row; last connected at 09:00:30 -> reconnect
         6 min 30 s session_expired recovered after 5 min",
    );
}

#[test]
fn a_pattern_that_turns_out_to_be_another_stays_one_incident() {
    check(
        "every 30s
         connected x2
         gone x6
         conflict x3",
        "3 min 30 s unreachable: no answer 6 times in 2 min 30 s (newest: 6 × connection refused); limit is 3 in 2 min 10 s -> restart
         5 min becomes conflict: the gateway says that another client took the session (\"CONFLICT\"), for 1 min since 09:04:00; limit is 1 min -> notify",
    );
}

#[test]
fn memory_has_an_incident_of_its_own_beside_the_sessions() {
    check(
        "every 60s
         connected + memory 950/1000 x2
         logged_out + memory 950/1000 x4
         logged_out + memory 400/1000 x3
         connected + memory 400/1000 x3",
        "3 min session_expired: the gateway says logged_out since 09:02:00, 2 times in a row; last connected at 09:01:00 -> reconnect
         5 min memory_pressure: uses 950 MiB of 1000 MiB (95 %), at least 90 % for 5 min; limit is 5 min -> restart
         8 min memory_pressure recovered after 3 min
         11 min session_expired recovered after 8 min",
    );
}

#[test]
fn a_restart_in_the_middle_neither_closes_nor_reopens() {
    check(
        "every 30s
         connected x2
         logged_out x2
         restart
         logged_out x4
         connected x5",
        "1 min 30 s session_expired: the gateway says logged_out since 09:01:00, 2 times in a row; last connected at 09:00:30 -> reconnect
         --- restarted ---
         6 min session_expired recovered after 4 min 30 s",
    );
}

#[test]
fn a_silent_session_is_not_closed_by_the_status_that_lied_all_along() {
    check(
        "every 60s
         connected + deep_bad x2
         restart
         connected x10
         connected + deep_ok",
        "1 min silent_session: says connected, but the deep probe failed 2 times in a row since 09:00:00 (Target closed); limit is 2 -> restart
         --- restarted ---
         12 min silent_session recovered after 11 min",
    );
}

#[test]
fn a_good_session_is_remembered_over_a_restart() {
    check(
        "connected x4
         restart
         scan x5",
        "--- restarted ---
         2 min session_expired: was good, and asks for a QR scan since 09:01:00, for 1 min; limit is 1 min -> notify",
    );
}

#[test]
fn windows_start_anew_after_a_silence_and_after_a_suspension() {
    check("timeout\n wait 20m\n connected x4", "");
    check("every 30s\n connecting x9\n wait 20m\n connecting x9", "");
    check("every 30s\n connecting x9\n suspend 3h\n connecting x9", "3 h 4 min suspended");
    check("every 30s\n conflict x2\n suspend 1h\n conflict x2", "1 h 1 min suspended");
}

#[test]
fn a_start_of_the_service_starts_the_windows_anew() {
    check("every 30s\n connecting x9\n started\n connecting x9\n connected", "");
}

#[test]
fn a_session_that_is_stopped_on_purpose_closes_its_incident() {
    check(
        "every 30s
         connected
         gone x6
         stopped x6",
        "3 min unreachable: no answer 6 times in 2 min 30 s (newest: 6 × connection refused); limit is 3 in 2 min 10 s -> restart
         6 min unreachable stopped after 3 min",
    );
}

#[test]
fn what_was_judged_and_closed_is_not_judged_again() {
    check(
        "every 20s
         connected\n connecting\n connected\n connecting\n connected\n connecting
         connected x7
         connecting
         connected x20",
        "2 min state_loop: connected again 3 times in 1 min 20 s (09:00:40, 09:01:20, 09:02:00), longest stay 20 s; limit is 3 in 10 min -> restart
         4 min state_loop recovered after 2 min",
    );
}

#[test]
fn a_clock_that_goes_back_loses_nothing_and_proves_nothing() {
    let mut play = Play::new(Limits::default());
    play.script("connected x4");
    let back = Moment { uptime: Duration::ZERO, wall: Wall::from_secs(0) };
    play.now = back;
    play.script("conflict x2");
    assert_eq!(play.view().state, Some(SessionState::Conflict));
    assert!(play.view().open.is_empty());
}

#[test]
fn the_view_says_what_is_still_missing() {
    let mut play = Play::new(Limits::default());
    play.script("every 30s\n connecting x5");
    let view = play.view();
    assert_eq!(view.verdict.as_str(), "suspect");
    let said = wa_watchdog::engine::explain::explain(&view, None, play.now.wall);
    assert!(
        said.contains(&String::from("suspect never_ready: not usable and no scan wanted for 2 min; it takes 5 min")),
        "{said:?}"
    );
}

#[test]
fn the_view_shows_health_image_and_a_limit_that_is_too_small() {
    let mut play = Play::new(Limits::default());
    play.watch.memory = MemoryReading { every: Some(Duration::from_secs(15)), minimum: Some(512 << 20) };
    play.watchdog = Watchdog::restore(policy(&play.limits, &play.watch), &[], play.now);
    play.script("every 15s\n connected + memory 100/256\n runs 1.4 wa:1\n health unhealthy");
    let view = play.view();
    assert_eq!(view.image.as_ref().map(Word::as_str), Some("1.4 wa:1"));
    assert_eq!(view.memory_until, Some(view.since.expect("a state").after(Duration::from_mins(1))));
    let said = wa_watchdog::engine::explain::explain(&view, None, play.now.wall);
    let has = |line: &str| said.iter().any(|said| said == line);
    assert!(has("its memory is limited to 256 MiB, less than the 512 MiB that it needs at least"), "{said:?}");
    assert!(has("its container's own health check says unhealthy; nothing follows from that"), "{said:?}");
    let later = wa_watchdog::engine::explain::explain(&view, None, play.now.wall.after(Duration::from_mins(2)));
    assert!(!later.iter().any(|said| said.contains("256 MiB")), "the reading is of the past: {later:?}");
    play.script("died");
    assert_eq!((play.view().memory, play.view().health.clone()), (None, None));
}

#[test]
fn what_its_runtime_said_is_remembered_over_a_restart_of_the_watchdog() {
    let mut play = Play::new(Limits::default());
    play.watch.memory = MemoryReading { every: None, minimum: Some(512 << 20) };
    play.script("restart\n connected + runs wa:1 + memory 100/256\n restart\n connected + runs wa:1 + memory 100/256");
    play.script("runs wa:2");
    let facts = |of: fn(&Fact) -> bool| play.ledger.iter().filter(|entry| of(&entry.fact)).count();
    assert_eq!(facts(|fact| matches!(fact, Fact::SmallLimit { .. })), 1);
    assert_eq!(facts(|fact| matches!(fact, Fact::VersionChanged { from: None, of_image: true, .. })), 1);
    assert_eq!(facts(|fact| matches!(fact, Fact::VersionChanged { from: Some(_), of_image: true, .. })), 1);
    assert_eq!(play.view().version, None, "its service did not say a word of it");
}

#[test]
fn what_only_the_log_saw_is_a_transition_too() {
    check(
        "every 20s
         connected x6
         log conflict
         connected x4
         log linked
         connected x3
         log conflict
         connected x6
         log ready
         connected x40",
        "3 min conflict: its log says that another client took the session (\"line: conflict\"), for 1 min since 09:02:00; limit is 1 min -> notify
         12 min 20 s conflict recovered after 9 min 20 s",
    );
}

#[test]
fn a_target_that_cannot_be_asked_is_not_taken_for_well() {
    let mut play = Play::new(Limits::default());
    play.script("connected x4\n unasked x2");
    let view = play.view();
    assert_eq!((view.up, view.verdict.as_str()), (None, "suspect"));
    play.script("connected");
    assert_eq!((play.view().up, play.view().verdict.as_str()), (Some(true), "healthy"));
}

#[test]
fn a_session_that_nobody_asked_to_connect_does_not_hold_its_gateways_incident_open() {
    check(
        "every 30s
         gone x6
         idle x7",
        "2 min 30 s unreachable: no answer 6 times in 2 min 30 s (newest: 6 × connection refused); limit is 3 in 2 min 10 s -> restart
         5 min 30 s unreachable recovered after 3 min",
    );
}

#[test]
fn the_remedy_of_an_open_incident_stays_fitting() {
    let mut play = Play::new(Limits::default());
    play.script("connected x4\n disconnected\n log logout");
    assert_eq!(play.view().open[0].remedy, Remedy::Reconnect);
    play.script("scan x2");
    assert_eq!(play.view().open[0].remedy, Remedy::Notify);
}

#[test]
fn an_incident_that_could_not_be_written_is_written_again() {
    let mut play = Play::new(Limits::default());
    play.script("connected x4");
    play.observe_unrecorded("logged_out x2");
    assert!(play.ledger.iter().all(|entry| entry.fact.kind() != "incident_opened"));
    play.now = play.now.after(Duration::from_secs(20));
    play.watchdog.handle(play.now, Input::DeadlinePassed);
    play.script("logged_out");
    assert!(play.ledger.iter().any(|entry| entry.fact.kind() == "incident_opened"));
}

#[test]
fn the_ledger_tells_states_and_verdicts_in_order() {
    let mut play = Play::new(Limits::default());
    play.script("connected x4\n logged_out x2\n connected x9");
    let kinds: Vec<&str> = play.ledger.iter().map(|entry| entry.fact.kind()).collect();
    let expected = [
        "state_changed",
        "state_changed",
        "verdict_changed",
        "incident_opened",
        "refused",
        "state_changed",
        "incident_closed",
    ];
    assert_eq!(kinds, expected);
    assert!(matches!(&play.ledger[2].fact, Fact::VerdictChanged { verdict, .. } if verdict == "suspect"));
}

#[test]
fn a_ledger_entry_that_fails_is_announced_and_counted_and_the_watch_goes_on() {
    let mut play = Play::new(Limits::default());
    play.script("connected");
    play.watchdog.handle(play.now, Input::RecordFailed(Seq(99)));
    assert_eq!(play.watchdog.snapshot(play.now).ledger_errors, 1);
    play.script("logged_out x2");
    assert_eq!(play.view().open.len(), 1);
}

#[test]
fn time_spent_connected_is_counted_between_good_samples_only() {
    let mut play = Play::new(Limits::default());
    play.script("connected x5\n timeout\n connected x2\n disconnected x3\n connected x2");
    assert_eq!(play.view().counts.connected, Duration::from_mins(2));
}

#[test]
fn the_last_day_of_a_session_is_told_in_cells_also_after_a_restart() {
    let newest = |play: &Play| {
        let day = Arc::clone(&play.view().day);
        day.cells().iter().skip(CELLS - 8).map(|cell| cell.as_str()).collect::<Vec<_>>()
    };
    let mut play = Play::new(Limits::default());
    play.script(
        "every 15s
         connected x80
         disconnected x80
         connected x80
         scan x40",
    );
    let seen = ["nothing", "well", "well", "failing", "failing", "failing", "well", "waiting"];
    assert_eq!(newest(&play), seen);
    play.script("wait 15m\n restart");
    let (_, before) = seen.split_at(2);
    assert_eq!(
        newest(&play),
        [before, &["waiting"; 2]].concat(),
        "the ledger tells the same, and what stayed so since"
    );
}
