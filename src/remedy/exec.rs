//! Calls of programs: what their ends mean, and which are tried again.

use std::process::Stdio;

use tokio::time::{Instant, sleep, timeout_at};

use super::brief::Brief;
use super::end::CallEnd;
use super::output::world;
use super::process::{End, Ran, run};
use super::runs::{Hindrance, RunFile};
use crate::config::Exec;
use crate::engine::attempt::{Act, StepOutcome};
use crate::http::retry::pause;

/// How often a program is tried in all.
pub const TRIES_MAX: u32 = 5;

/// Exit codes with a meaning of their own, as in `sysexits.h` and the shell.
const DONE: i32 = 0;
const NOT_DONE: i32 = 1;
const UNMET: i32 = 69;
const TRY_AGAIN: i32 = 75;
const NOT_EXECUTABLE: i32 = 126;
const NOT_FOUND: i32 = 127;

/// Calls a program until it says what came of it.
pub(super) async fn call(exec: &Exec, act: Act, brief: &Brief, file: &RunFile, until: Instant) -> CallEnd {
    let mut tries = 1_u32;
    loop {
        let stdin = match file.stdin(brief.event(act)).await {
            Ok(stdin) => stdin,
            Err(hindrance) => return hindered(&hindrance),
        };
        let ran = try_once(exec, act, brief, file, stdin, tries, until).await;
        let (end, is_over) = judge(exec, act, &ran);
        if is_over || TRIES_MAX <= tries {
            return end;
        }
        let pause = pause(&brief.order().key(), tries, None);
        if timeout_at(until, sleep(pause)).await.is_err() {
            return end;
        }
        tries = tries.saturating_add(1);
    }
}

/// Says what it means that a run cannot begin.
pub(super) fn hindered(hindrance: &Hindrance) -> CallEnd {
    match hindrance {
        Hindrance::Busy => {
            let note = "an earlier run of this target goes on and does not end; nothing was begun";
            CallEnd::new(StepOutcome::Unknown, Some(note.to_owned()))
        }
        Hindrance::Unwritable(why) => {
            CallEnd::failed(format!("its run file cannot be written, so nothing was begun: {why}"))
        }
    }
}

async fn try_once(
    exec: &Exec,
    act: Act,
    brief: &Brief,
    file: &RunFile,
    stdin: Stdio,
    tries: u32,
    until: Instant,
) -> Ran {
    run(exec, &brief.env(act, tries, file.folder()), stdin, until).await
}

/// Says what an end means, and whether it is the last word.
fn judge(exec: &Exec, act: Act, ran: &Ran) -> (CallEnd, bool) {
    let said = ran.stderr.last_line().or_else(|| ran.stdout.last_line());
    let with = |outcome, what: String| {
        let note = said.as_ref().map_or_else(|| what.clone(), |said| format!("{what}: {said}"));
        CallEnd::new(outcome, Some(note))
    };
    // A question that was not answered says nothing; a deed that went wrong may be done in part.
    let wrong = if act == Act::Check { StepOutcome::Unknown } else { StepOutcome::Failed };
    let repeats_safely = exec.idempotent || matches!(act, Act::Check | Act::Look);
    match &ran.end {
        End::Exit(DONE) => {
            let world = if act == Act::Look { ran.stdout.first_line().map(|line| world(&line)) } else { None };
            (CallEnd { world, ..CallEnd::new(StepOutcome::Done, said) }, true)
        }
        End::Exit(UNMET) => (CallEnd::new(StepOutcome::Unmet, said), true),
        End::Exit(NOT_DONE) if act == Act::Check => (CallEnd::new(StepOutcome::Unmet, said), true),
        End::Exit(TRY_AGAIN) => (with(wrong, "tried in vain".to_owned()), false),
        End::Exit(code @ (NOT_EXECUTABLE | NOT_FOUND)) => {
            (with(wrong, format!("exit code {code}: the program cannot be run, check the configuration")), true)
        }
        End::Exit(code) => (with(wrong, format!("exit code {code}")), true),
        End::Signal(signal) => (with(wrong, format!("ended by signal {signal}")), !repeats_safely),
        End::TimedOut => (with(wrong, "did not end in time and was ended".to_owned()), !repeats_safely),
        End::NotStarted(error) => {
            let note = format!("cannot be started, check the configuration: {error}");
            (CallEnd::new(wrong, Some(note)), true)
        }
    }
}
