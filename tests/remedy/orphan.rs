//! Run files: what a killed watchdog leaves behind, and what the next one makes of it.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use wa_watchdog::config::Call;
use wa_watchdog::engine::TargetId;
use wa_watchdog::engine::attempt::{Act, AttemptId, StepOrder, StepOutcome};
use wa_watchdog::engine::plan::StepName;
use wa_watchdog::remedy::RUN_FILES_MAX;

use crate::{Bench, assert_end, order, remedies, sh, single};

/// Starts what a watchdog that was killed leaves behind: a program that still holds the lock of its run file.
fn orphan(bench: &Bench, order: &StepOrder, script: &str) -> Child {
    fs::create_dir_all(bench.path("runs")).unwrap();
    let path = bench.path("runs").join(format!("{}.json", order.key()));
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path).unwrap();
    file.lock().unwrap();
    // The lock goes to the child with the open file; ours is closed when it has begun.
    Command::new("/bin/sh").args(["-c", script]).stdin(Stdio::from(file)).spawn().unwrap()
}

#[tokio::test]
async fn nothing_runs_beside_an_orphan_of_the_same_target() {
    let earlier = StepOrder { attempt: AttemptId(1), step: StepName("stop".into()), ..order(Act::Do) };
    for (left_by, act) in [(order(Act::Do), Act::Do), (order(Act::Do), Act::Undo), (earlier, Act::Do)] {
        let mut bench = Bench::exec(sh(""));
        let log = bench.path("log");
        let mut hook = single(Call::Exec(sh(&format!("echo ours >> {}", log.display()))));
        hook.steps[0].undo = Some(hook.steps[0].run.clone());
        bench.remedies.replace(crate::targets(hook));
        let mut child = orphan(&bench, &left_by, &format!("sleep 0.5; echo orphan >> {}", log.display()));
        assert_end(&bench.act(act).await, StepOutcome::Done, "");
        assert_eq!(fs::read_to_string(&log).unwrap(), "orphan\nours\n");
        assert!(child.wait().unwrap().success());
    }
}

#[tokio::test]
async fn an_orphan_that_does_not_end_leaves_it_open() {
    let mut bench = Bench::exec(sh("exit 0"));
    let mut child = orphan(&bench, &order(Act::Do), "exec sleep 60");
    let hurried = |act| StepOrder { takes: Duration::from_millis(300), ..order(act) };
    let end = bench.run(hurried(Act::Do)).await;
    assert_end(&end, StepOutcome::Unknown, "an earlier run of this target goes on");
    // To look changes nothing, and waits for nobody.
    assert_end(&bench.run(hurried(Act::Look)).await, StepOutcome::Done, "");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_end(&bench.act(Act::Do).await, StepOutcome::Done, "");
}

#[tokio::test]
async fn an_orphan_of_another_target_is_nobodys_business() {
    let mut bench = Bench::exec(sh("exit 0"));
    let other = StepOrder { target: TargetId::new("other").unwrap(), ..order(Act::Do) };
    let mut child = orphan(&bench, &other, "exec sleep 60");
    let began = Instant::now();
    assert_end(&bench.act(Act::Do).await, StepOutcome::Done, "");
    assert!(began.elapsed() < crate::PATIENCE);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn a_program_holds_the_lock_for_as_long_as_it_lives() {
    // What it cannot lock is locked: by the open file that it got as its standard input.
    let mut bench = Bench::exec(sh(""));
    let seen = bench.path("seen");
    let script = format!(
        "for file in $WA_WATCHDOG_STATE_DIR/*.json; do flock --nonblock $file true || echo held $(basename $file) >> {}; done",
        seen.display()
    );
    bench.remedies.replace(crate::targets(single(Call::Exec(sh(&script)))));
    assert_end(&bench.act(Act::Do).await, StepOutcome::Done, "");
    let key = order(Act::Do).key();
    assert_eq!(fs::read_to_string(&seen).unwrap(), format!("held {key}.json\n"));
    assert_eq!(bench.runs(), [format!("{key}.ended.json")]);
}

#[tokio::test]
async fn a_daemon_that_keeps_its_input_does_not_look_like_an_orphan() {
    let mut bench = Bench::exec(sh("exec 3<&0; sleep 60 <&3 >/dev/null 2>&1 & echo $!"));
    let end = bench.act(Act::Do).await;
    assert_eq!(end.outcome, StepOutcome::Done);
    let number = end.note.unwrap();
    let mut hurried = order(Act::Do);
    hurried.takes = Duration::from_secs(5);
    assert_end(&bench.run(hurried).await, StepOutcome::Done, "");
    assert_end(&Bench::exec(sh(&format!("kill {number}"))).act(Act::Do).await, StepOutcome::Done, "");
}

#[tokio::test]
async fn few_run_files_are_kept() {
    let mut bench = Bench::exec(sh("exit 0"));
    for attempt in 1..=RUN_FILES_MAX + 5 {
        let order = StepOrder { attempt: AttemptId(u64::try_from(attempt).unwrap()), ..order(Act::Do) };
        assert_end(&bench.run(order).await, StepOutcome::Done, "");
    }
    let runs = bench.runs();
    assert_eq!(runs.len(), RUN_FILES_MAX);
    assert!(!runs.iter().any(|name| name.contains(&AttemptId(1).to_string())), "{runs:?}");
}

#[tokio::test]
async fn nothing_runs_whose_run_file_cannot_be_written() {
    let bench = Bench::exec(sh(""));
    let ran = bench.path("ran");
    fs::write(bench.path("a file"), "").unwrap();
    let hook = single(Call::Exec(sh(&format!("touch {}", ran.display()))));
    let (remedies, mut answers) = remedies(hook, Some(bench.path("a file").join("runs")));
    remedies.run(order(Act::Look));
    assert_eq!(answers.recv().await.unwrap().end.outcome, StepOutcome::Done, "nothing to look at, nothing to write");
    remedies.run(order(Act::Do));
    assert_end(&answers.recv().await.unwrap().end, StepOutcome::Failed, "");
    assert!(!ran.exists());
}

#[tokio::test]
async fn a_temporary_folder_ends_with_the_last_run() {
    let hook = single(Call::Exec(sh("echo $WA_WATCHDOG_STATE_DIR")));
    let (remedies, mut answers) = remedies(hook, None);
    remedies.run(order(Act::Do));
    let folder = answers.recv().await.unwrap().end.note.unwrap();
    let folder = std::path::Path::new(folder.as_str());
    assert!(folder.is_dir(), "{}", folder.display());
    drop(remedies);
    let gone = async {
        while folder.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(crate::PATIENCE, gone).await.expect("the folder goes");
}
