//! Programs that end well, badly, late, or not at all.

use std::time::{Duration, Instant};

use serde_json::Value;
use wa_watchdog::config::{Call, Exec};
use wa_watchdog::engine::attempt::{Act, AttemptId, StepEnd, StepOrder, StepOutcome};
use wa_watchdog::remedy::TRIES_MAX;

use crate::{Bench, assert_end, order, sh, until_gone};

/// How long a program of these tests may take that takes too long.
const SHORT: Duration = Duration::from_secs(1);

async fn ended(script: &str, act: Act) -> StepEnd {
    let mut hook = crate::single(Call::Exec(sh(script)));
    hook.steps[0].check = Some(Call::Exec(sh(script)));
    if act == Act::Do {
        hook.steps[0].check = None;
    }
    Bench::new(hook).act(act).await
}

/// Marks a process by an argument that no other test uses; the shell stays its parent.
fn sleeper(mark: &str) -> String {
    format!("/bin/sh -c 'sleep 300; :' {mark}")
}

#[tokio::test]
async fn the_exit_code_says_what_came_of_it() {
    for (script, outcome, note) in [
        ("echo out; echo ' last words '; echo >&2", StepOutcome::Done, "last words"),
        ("echo out; echo err >&2", StepOutcome::Done, "err"),
        ("echo not today; exit 69", StepOutcome::Unmet, "not today"),
        ("echo broken >&2; exit 3", StepOutcome::Failed, "exit code 3: broken"),
        ("exit 1", StepOutcome::Failed, "exit code 1"),
        ("exit 126", StepOutcome::Failed, "check the configuration"),
        ("exit 127", StepOutcome::Failed, "check the configuration"),
    ] {
        assert_end(&ended(script, Act::Do).await, outcome, note);
    }
}

#[tokio::test]
async fn a_check_says_whether_it_is_done_and_nothing_else() {
    for (script, outcome) in [
        ("exit 0", StepOutcome::Done),
        ("exit 1", StepOutcome::Unmet),
        ("exit 69", StepOutcome::Unmet),
        ("exit 2", StepOutcome::Unknown),
        ("exit 127", StepOutcome::Unknown),
    ] {
        assert_end(&ended(script, Act::Check).await, outcome, "");
    }
}

#[tokio::test]
async fn a_program_that_is_not_there_is_a_fault_of_the_configuration() {
    for (program, note) in [("/nowhere/restart", "cannot be started"), ("restart", "no absolute path")] {
        let end = Bench::exec(Exec { argv: vec![program.to_owned()], ..sh("") }).act(Act::Do).await;
        assert_end(&end, StepOutcome::Failed, "check the configuration");
        assert_end(&end, StepOutcome::Failed, note);
    }
}

#[tokio::test]
async fn a_flood_neither_blocks_nor_fills_the_memory() {
    let end = ended("head -c 52428800 /dev/zero | tr '\\0' x; echo; echo 'last line'", Act::Do).await;
    assert_end(&end, StepOutcome::Done, "last line");
}

#[tokio::test]
async fn what_hangs_is_ended_with_everything_that_it_began() {
    let script = format!("{} & {}", sleeper("hang-child"), sleeper("hang-leader"));
    let mut bench = Bench::exec(Exec { timeout: SHORT, ..sh(&script) });
    let end = bench.act(Act::Do).await;
    assert_end(&end, StepOutcome::Failed, "did not end in time");
    until_gone("hang-child").await;
    until_gone("hang-leader").await;
}

#[tokio::test]
async fn what_ignores_being_asked_is_killed() {
    let script = format!("trap '' TERM; {}; {}", sleeper("term-1"), sleeper("term-2"));
    let began = Instant::now();
    let mut bench = Bench::exec(Exec { timeout: SHORT, kill_grace: SHORT, ..sh(&script) });
    let end = bench.act(Act::Do).await;
    assert_end(&end, StepOutcome::Failed, "did not end in time");
    assert!(2 * SHORT <= began.elapsed(), "it got no grace");
    until_gone("term-1").await;
    until_gone("term-2").await;
}

#[tokio::test]
async fn what_ends_when_asked_gets_the_time_for_it() {
    let script = "trap 'echo tidied >&2; exit 0' TERM; while :; do sleep 0.05; done";
    let end = Bench::exec(Exec { timeout: SHORT, ..sh(script) }).act(Act::Do).await;
    assert_end(&end, StepOutcome::Failed, "did not end in time and was ended: tidied");
}

#[tokio::test]
async fn a_grandchild_that_holds_the_output_does_not_hold_up_the_answer() {
    let began = Instant::now();
    let end = ended(&format!("echo begun; {} & exit 0", sleeper("pipe-holder")), Act::Do).await;
    assert_end(&end, StepOutcome::Done, "begun");
    assert!(began.elapsed() < Duration::from_secs(20));
    until_gone("pipe-holder").await;
}

#[tokio::test]
async fn a_service_that_a_program_starts_apart_lives_on() {
    let end = ended(&format!("{} >/dev/null 2>&1 & echo $!", sleeper("service")), Act::Do).await;
    assert_eq!(end.outcome, StepOutcome::Done);
    let found = crate::processes_with("service");
    let number = end.note.unwrap();
    assert!(found.iter().any(|found| found == number.as_str()), "{found:?} {number}");
    let kill = format!("pkill -P {number}; kill {number}");
    assert_end(&ended(&kill, Act::Do).await, StepOutcome::Done, "");
    until_gone("service").await;
}

#[tokio::test]
async fn a_signal_is_a_failure_that_is_not_repeated_unless_that_is_safe() {
    let mut bench = Bench::exec(sh(""));
    let tries = bench.path("tries");
    let script = format!("echo x >> {}; kill -SEGV $$", tries.display());
    for (is_idempotent, expected) in [(false, 1), (true, 1 + TRIES_MAX)] {
        let exec = Exec { idempotent: is_idempotent, ..sh(&script) };
        bench.remedies.replace(crate::targets(crate::single(Call::Exec(exec))));
        bench.remedies.run(StepOrder { attempt: AttemptId(expected.into()), ..order(Act::Do) });
        assert_end(&bench.answer().await, StepOutcome::Failed, "signal 11");
        let count = std::fs::read_to_string(&tries).unwrap().lines().count();
        assert_eq!(u32::try_from(count).unwrap(), expected);
    }
}

#[tokio::test]
async fn a_program_that_asks_for_another_try_gets_it() {
    let bench = Bench::exec(sh(""));
    let tries = bench.path("tries");
    let script = format!("echo $WA_WATCHDOG_ATTEMPT >> {}; [ $WA_WATCHDOG_ATTEMPT = 2 ] || exit 75", tries.display());
    assert_end(&ended(&script, Act::Do).await, StepOutcome::Done, "");
    assert_eq!(std::fs::read_to_string(&tries).unwrap(), "1\n2\n");
}

#[tokio::test]
async fn the_time_of_the_order_ends_all_tries() {
    let mut bench = Bench::exec(Exec { idempotent: true, ..sh(&sleeper("deadline")) });
    let end = bench.run(StepOrder { takes: SHORT, ..order(Act::Do) }).await;
    assert_end(&end, StepOutcome::Failed, "did not end in time");
    until_gone("deadline").await;
}

#[tokio::test]
async fn a_program_gets_the_event_and_a_small_environment() {
    let bench = Bench::exec(sh(""));
    let seen = bench.path("seen");
    let script = format!("cat > {0}; pwd >> {0}.env; env >> {0}.env", seen.display());
    let mut exec = sh(&script);
    exec.env.insert("MINE".to_owned(), "yes".to_owned());
    exec.env.insert("WA_WATCHDOG_STEP".to_owned(), "not so".to_owned());
    let mut bench = Bench::exec(exec);
    assert_end(&bench.act(Act::Do).await, StepOutcome::Done, "");

    let event: Value = serde_json::from_slice(&std::fs::read(&seen).unwrap()).unwrap();
    assert_eq!(event["type"], "remediation.step.requested");
    assert_eq!(event["data"]["run"]["key"], order(Act::Do).key());
    assert_eq!(event["data"]["incident"], 7);

    let text = std::fs::read_to_string(seen.with_extension("env")).unwrap();
    let mut lines: Vec<&str> =
        text.lines().filter(|line| !line.starts_with("_=") && !line.starts_with("SHLVL=")).collect();
    assert_eq!(lines.remove(0), "/");
    lines.retain(|line| !line.starts_with("PWD=") && !line.starts_with("OLDPWD="));
    lines.sort_unstable();
    let state_dir = format!("WA_WATCHDOG_STATE_DIR={}", bench.path("runs").display());
    let key = format!("WA_WATCHDOG_IDEMPOTENCY_KEY={}", order(Act::Do).key());
    let expected = [
        "MINE=yes",
        "PATH=/usr/bin:/bin",
        "WA_WATCHDOG_ACT=do",
        "WA_WATCHDOG_ATTEMPT=1",
        "WA_WATCHDOG_CLASS=state_loop",
        "WA_WATCHDOG_DEADLINE_UNIX=1770195630",
        "WA_WATCHDOG_EVENT=remediation.step.requested",
        &key,
        "WA_WATCHDOG_QR_URL=http://127.0.0.1:1/qr",
        "WA_WATCHDOG_REASON=connecting 6 times within 10 min; the limit is 5",
        "WA_WATCHDOG_REMEDY=restart",
        "WA_WATCHDOG_RUN_ID=00000194d8e",
        &state_dir,
        "WA_WATCHDOG_STEP=run",
        "WA_WATCHDOG_TARGET=shop",
    ];
    assert_eq!(lines, expected);
}
