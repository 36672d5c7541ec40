//! What an order means: which calls are made, and that each is answered once.

use std::fs;

use wa_watchdog::config::{Call, Hook, HookStep};
use wa_watchdog::engine::TargetId;
use wa_watchdog::engine::attempt::{Act, AttemptId, StepOrder, StepOutcome};
use wa_watchdog::engine::ladder::Remedy;

use crate::{Bench, assert_end, order, sh, single};

fn exec(script: &str) -> Call {
    Call::Exec(sh(script))
}

#[tokio::test]
async fn an_answer_names_its_order() {
    let mut bench = Bench::exec(sh("exit 0"));
    bench.remedies.run(order(Act::Do));
    let answer = bench.answers.recv().await.unwrap();
    let order = order(Act::Do);
    assert_eq!((answer.target, answer.attempt, answer.number), (order.target, order.attempt, order.number));
    assert!(bench.answers.try_recv().is_err(), "it was answered twice");
}

#[tokio::test]
async fn an_order_without_a_way_to_carry_it_out_is_answered_too() {
    let mut bench = Bench::exec(sh("exit 0"));
    let elsewhere = StepOrder { target: TargetId::new("other").unwrap(), ..order(Act::Do) };
    assert_end(&bench.run(elsewhere).await, StepOutcome::Unmet, "no hook");
    let reset = StepOrder { remedy: Remedy::Reset, ..order(Act::Do) };
    assert_end(&bench.run(reset).await, StepOutcome::Unmet, "no hook");
    let later = StepOrder { index: 1, ..order(Act::Do) };
    assert_end(&bench.run(later).await, StepOutcome::Unmet, "no such step");
    assert_end(&bench.act(Act::Undo).await, StepOutcome::Unmet, "does not say how");
    // Nobody said that it is not done.
    assert_end(&bench.act(Act::Check).await, StepOutcome::Unknown, "does not say how");
    let look = bench.act(Act::Look).await;
    assert_eq!((look.outcome, look.world), (StepOutcome::Done, None));
    assert!(bench.runs().is_empty());
}

#[tokio::test]
async fn what_is_done_must_pass_its_check() {
    for (check, outcome, note) in [
        ("exit 0", StepOutcome::Done, "all well"),
        ("echo still old; exit 1", StepOutcome::Failed, "its check says unmet: still old"),
        ("exit 9", StepOutcome::Failed, "its check says unknown"),
    ] {
        let steps = vec![HookStep { run: exec("echo all well"), check: Some(exec(check)), undo: None }];
        let mut bench = Bench::new(Hook { steps, look: None });
        assert_end(&bench.act(Act::Do).await, outcome, note);
    }
}

#[tokio::test]
async fn a_check_is_not_asked_about_what_failed() {
    let bench = Bench::exec(sh(""));
    let asked = bench.path("asked");
    let check = Some(exec(&format!("touch {}", asked.display())));
    let steps = vec![HookStep { run: exec("exit 3"), check, undo: None }];
    assert_end(&Bench::new(Hook { steps, look: None }).act(Act::Do).await, StepOutcome::Failed, "exit code 3");
    assert!(!asked.exists());
}

#[tokio::test]
async fn each_act_calls_its_own() {
    let say = |word: &str| exec(&format!("echo {word} $WA_WATCHDOG_ACT $WA_WATCHDOG_STEP"));
    let first = HookStep { run: say("first"), check: None, undo: None };
    let second = HookStep { run: say("run"), check: Some(say("check")), undo: Some(say("undo")) };
    let hook = Hook { steps: vec![first, second], look: Some(say("look")) };
    let mut bench = Bench::new(hook);
    for (act, said) in [(Act::Do, "run do run"), (Act::Check, "check check run"), (Act::Undo, "undo undo run")] {
        let end = bench.run(StepOrder { index: 1, ..order(act) }).await;
        assert_end(&end, StepOutcome::Done, said);
        assert_eq!(end.world, None);
    }
    let end = bench.act(Act::Look).await;
    assert_eq!(end.world.unwrap().as_str(), "look look run");
}

#[tokio::test]
async fn the_world_is_the_first_line_that_is_said() {
    let look = Some(exec("echo; echo web-1 2026-02-04; echo more; echo noise >&2"));
    let mut bench = Bench::new(Hook { look, ..single(exec("exit 0")) });
    let end = bench.act(Act::Look).await;
    assert_eq!((end.outcome, end.world.unwrap().as_str()), (StepOutcome::Done, "web-1 2026-02-04"));
}

#[tokio::test]
async fn attempts_under_way_go_on_with_what_they_began_with() {
    let mut bench = Bench::exec(sh(""));
    let (begun, go) = (bench.path("begun"), bench.path("go"));
    let script =
        format!("touch {}; while [ ! -e {} ]; do sleep 0.02; done; echo as it was", begun.display(), go.display());
    bench.remedies.replace(crate::targets(single(exec(&script))));
    bench.remedies.run(order(Act::Do));
    while !begun.exists() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    bench.remedies.replace(std::collections::BTreeMap::new());
    fs::write(go, "").unwrap();
    assert_end(&bench.answer().await, StepOutcome::Done, "as it was");
    assert_end(&bench.act(Act::Do).await, StepOutcome::Done, "as it was");
    bench.remedies.run(StepOrder { attempt: AttemptId(0x0019_4d8f), ..order(Act::Do) });
    assert_end(&bench.answer().await, StepOutcome::Unmet, "no hook");
}
