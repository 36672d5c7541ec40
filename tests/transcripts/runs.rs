//! Runs of several steps: how they go forward, backward, and on after a crash.

use std::sync::Arc;
use std::time::Duration;

use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::plan::{Plan, Resume, Step, StepName};
use wa_watchdog::engine::policy::{Limits, Mode, Watch};

use super::Play;
use super::remedies::{check, play};

/// A target whose reset is a line of steps, as a container's is.
fn stepwise(resume: Resume) -> Play {
    let step = |name: &str, destroys, has_undo, leaves_running| Step {
        name: StepName(Arc::from(name)),
        destroys,
        resume,
        has_undo,
        leaves_running,
        takes: Duration::from_mins(1),
    };
    let steps =
        vec![step("stop", false, true, false), step("wipe", true, false, false), step("start", false, false, true)];
    let plan = Arc::new(Plan { steps, within: Duration::from_mins(10), mark: 7, has_look: false });
    play(Limits::default(), Watch { mode: Mode::Act, plans: [(Remedy::Reset, plan)].into(), ..Watch::default() })
}

#[test]
fn a_run_that_a_crash_cut_short_goes_on_where_it_was() {
    check(
        stepwise(Resume::Again),
        "every 60s
         connected x3
         missing x2
         hook done silent
         missing x1
         hook done
         restart
         missing x1
         scan x2
         connected x4",
        "5 min repeated_404: the gateway answers and says that this session does not exist (\"Session not found\"): 3 times in 2 min since 09:03:00; limit is 3 in 1 min -> reset
         5 min reset is planned: the gateway answers and says that this session does not exist (\"Session not found\"): 3 times in 2 min since 09:03:00; limit is 3 in 1 min
         5 min reset begins (attempt 19c27e5d660)
         5 min > reset do stop
         5 min reset: do stop done
         5 min > reset do wipe
         --- restarted ---
         6 min > reset do wipe
         6 min reset: do wipe done
         6 min > reset do start
         6 min reset: do start done
         6 min reset done after 1 min
         7 min a person must scan the QR code, by 09:10:00
         9 min the QR code was scanned
         11 min reset helped: connected steadily since
         11 min repeated_404 recovered after 6 min",
    );
}

#[test]
fn a_step_of_which_nobody_knows_is_never_done_twice() {
    check(
        stepwise(Resume::Never),
        "every 60s
         connected x3
         missing x2
         hook done silent
         missing x1
         hook done
         restart
         missing x1
         scan x2
         connected x4",
        "5 min repeated_404: the gateway answers and says that this session does not exist (\"Session not found\"): 3 times in 2 min since 09:03:00; limit is 3 in 1 min -> reset
         5 min reset is planned: the gateway answers and says that this session does not exist (\"Session not found\"): 3 times in 2 min since 09:03:00; limit is 3 in 1 min
         5 min reset begins (attempt 19c27e5d660)
         5 min > reset do stop
         5 min reset: do stop done
         5 min > reset do wipe
         --- restarted ---
         6 min > reset do start
         6 min reset: do start done
         6 min reset interrupted after 1 min
         7 min a person must scan the QR code, by 09:10:00
         9 min the QR code was scanned
         11 min reset helped: connected steadily since
         11 min repeated_404 recovered after 6 min",
    );
}

#[test]
fn a_step_that_can_tell_is_asked_first() {
    check(
        stepwise(Resume::Check),
        "every 60s
         connected x3
         missing x2
         hook done silent
         missing x1
         hook unmet done
         restart
         missing x1",
        "5 min repeated_404: the gateway answers and says that this session does not exist (\"Session not found\"): 3 times in 2 min since 09:03:00; limit is 3 in 1 min -> reset
         5 min reset is planned: the gateway answers and says that this session does not exist (\"Session not found\"): 3 times in 2 min since 09:03:00; limit is 3 in 1 min
         5 min reset begins (attempt 19c27e5d660)
         5 min > reset do stop
         5 min reset: do stop done
         5 min > reset do wipe
         --- restarted ---
         6 min > reset check wipe
         6 min reset: check wipe unmet
         6 min > reset do wipe
         6 min reset: do wipe done
         6 min > reset do start
         6 min reset: do start done
         6 min reset done after 1 min",
    );
}

#[test]
fn a_failure_before_the_wipe_goes_backward() {
    check(
        stepwise(Resume::Never),
        "every 60s
         connected x3
         hook done failed done
         missing x4",
        "5 min repeated_404: the gateway answers and says that this session does not exist (\"Session not found\"): 3 times in 2 min since 09:03:00; limit is 3 in 1 min -> reset
         5 min reset is planned: the gateway answers and says that this session does not exist (\"Session not found\"): 3 times in 2 min since 09:03:00; limit is 3 in 1 min
         5 min reset begins (attempt 19c27e5d660)
         5 min > reset do stop
         5 min reset: do stop done
         5 min > reset do wipe
         5 min reset: do wipe failed
         5 min > reset undo stop
         5 min reset: undo stop done
         5 min > reset do start
         5 min reset: do start done
         5 min reset failed after 0 s
         5 min reset failed: wipe failed",
    );
}

#[test]
fn a_failure_after_the_wipe_still_leaves_the_service_running() {
    check(
        stepwise(Resume::Never),
        "every 60s
         connected x3
         hook done done failed done
         missing x4",
        "5 min repeated_404: the gateway answers and says that this session does not exist (\"Session not found\"): 3 times in 2 min since 09:03:00; limit is 3 in 1 min -> reset
         5 min reset is planned: the gateway answers and says that this session does not exist (\"Session not found\"): 3 times in 2 min since 09:03:00; limit is 3 in 1 min
         5 min reset begins (attempt 19c27e5d660)
         5 min > reset do stop
         5 min reset: do stop done
         5 min > reset do wipe
         5 min reset: do wipe done
         5 min > reset do start
         5 min reset: do start failed
         5 min > reset do start
         5 min reset: do start done
         5 min reset failed after 0 s
         5 min reset failed: start failed",
    );
}

#[test]
fn a_run_that_is_too_old_is_not_gone_on_with() {
    check(
        stepwise(Resume::Again),
        "every 60s
         connected x3
         missing x2
         hook done silent
         missing x1
         hook done
         suspend 40m
         restart
         missing x1",
        "5 min repeated_404: the gateway answers and says that this session does not exist (\"Session not found\"): 3 times in 2 min since 09:03:00; limit is 3 in 1 min -> reset
         5 min reset is planned: the gateway answers and says that this session does not exist (\"Session not found\"): 3 times in 2 min since 09:03:00; limit is 3 in 1 min
         5 min reset begins (attempt 19c27e5d660)
         5 min > reset do stop
         5 min reset: do stop done
         5 min > reset do wipe
         --- restarted ---
         46 min > reset do start
         46 min reset: do start done
         46 min reset interrupted after 41 min",
    );
}

#[test]
fn a_pause_stops_a_reset_before_it_destroys() {
    check(
        stepwise(Resume::Never),
        "every 60s
         connected x3
         missing x2
         hook silent
         missing x1
         order pause
         hook done
         answer
         missing x1",
        "5 min repeated_404: the gateway answers and says that this session does not exist (\"Session not found\"): 3 times in 2 min since 09:03:00; limit is 3 in 1 min -> reset
         5 min reset is planned: the gateway answers and says that this session does not exist (\"Session not found\"): 3 times in 2 min since 09:03:00; limit is 3 in 1 min
         5 min reset begins (attempt 19c27e5d660)
         5 min > reset do stop
         6 min accepted: paused: it watches and tells, and does nothing
         6 min ana paused it: because
         6 min reset: do stop done
         6 min > reset undo stop
         6 min reset: undo stop done
         6 min > reset do start
         6 min reset: do start done
         6 min reset aborted after 1 min
         6 min reset aborted: paused",
    );
}

#[test]
fn a_run_is_not_gone_on_with_where_a_person_switched_to_observe() {
    let mut play = stepwise(Resume::Again);
    play.script("every 60s\n connected x3\n missing x2\n hook done silent\n missing x1\n hook done");
    play.watch.mode = Mode::Observe;
    play.said.clear();
    play.script("restart\n missing x1");
    let expected = [
        "--- restarted ---",
        "6 min > reset do start",
        "6 min reset: do start done",
        "6 min reset interrupted after 1 min",
    ];
    assert_eq!(play.said, expected);
}

#[test]
fn an_attempt_ends_also_where_its_target_is_watched_no_more_and_its_hook_says_nothing() {
    let mut play = stepwise(Resume::Never);
    play.script("every 60s\n connected x3\n missing x2\n hook done silent\n missing x1\n unwatch\n wait 30m");
    let kinds: Vec<&str> = play.ledger.iter().map(|entry| entry.fact.kind()).collect();
    assert_eq!(kinds.last(), Some(&"verified"), "{kinds:?}");
}

#[test]
fn a_person_wants_back_what_a_reset_moved_aside() {
    let mut play = stepwise(Resume::Again);
    let restore = play.watch.plans[&Remedy::Reset].as_ref().clone();
    play.watch.plans.insert(Remedy::Restore, Arc::new(restore));
    check(
        super::remedies::play(play.limits.clone(), play.watch.clone()),
        "every 60s
         order restore
         connected x3
         missing x2
         hook done
         missing x1
         scan x2
         connected x4
         order restore",
        "0 s not taken: 00000000000 is no reset of shop that is known; history shows them
         5 min repeated_404: the gateway answers and says that this session does not exist (\"Session not found\"): 3 times in 2 min since 09:03:00; limit is 3 in 1 min -> reset
         5 min reset is planned: the gateway answers and says that this session does not exist (\"Session not found\"): 3 times in 2 min since 09:03:00; limit is 3 in 1 min
         5 min reset begins (attempt 19c27e5d660)
         5 min > reset do stop
         5 min reset: do stop done
         5 min > reset do wipe
         5 min reset: do wipe done
         5 min > reset do start
         5 min reset: do start done
         5 min reset done after 0 s
         6 min a person must scan the QR code, by 09:09:00
         8 min the QR code was scanned
         10 min reset helped: connected steadily since
         10 min repeated_404 recovered after 5 min
         12 min accepted: restore begins
         12 min ana wants back the session that 19c27e5d660 moved aside: because
         12 min restore is planned: because
         12 min restore begins (attempt 19c27ec3f00)
         12 min > restore do stop
         12 min restore: do stop done
         12 min > restore do wipe
         12 min restore: do wipe done
         12 min > restore do start
         12 min restore: do start done
         12 min restore done after 0 s",
    );
}

#[test]
fn what_somebody_stopped_is_left_alone_also_while_it_is_missing() {
    check(
        stepwise(Resume::Again),
        "every 60s
         connected x3
         stopped x2
         missing x6",
        "7 min repeated_404: the gateway answers and says that this session does not exist (\"Session not found\"): 3 times in 2 min since 09:05:00; limit is 3 in 1 min -> reset",
    );
}
