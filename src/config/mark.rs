//! What stands for a whole hook: a run that a crash interrupted goes on with the same one or not at all.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{Call, Exec, Hook, HookStep, HttpCall, HttpPoll, Retry, Secret, Signing};
use crate::engine::plan::{Plan, Step};

/// Returns a number that depends on everything a hook and its plan say, the same in every run (FNV-1a).
///
/// Of secrets the names of file or variable count, not what is in them: they may be rotated in the middle of a run.
pub(super) fn of(plan: &Plan, hook: &Hook) -> u64 {
    // The mark itself is what is being made, and whether there is a look follows from the hook.
    let Plan { steps, within, mark: _, has_look: _ } = plan;
    let Hook { steps: calls, look } = hook;
    let steps: Vec<Json> = steps.iter().zip(calls).map(|(step, calls)| of_step(step, calls)).collect();
    fnv(&json!({ "within": ms(*within), "steps": steps, "look": look.as_ref().map(of_call) }).to_string())
}

fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn of_step(step: &Step, calls: &HookStep) -> Json {
    // How it is resumed, undone and timed follows from its calls.
    let Step { name, destroys, resume: _, has_undo: _, leaves_running, takes: _ } = step;
    let HookStep { run, check, undo } = calls;
    json!({
        "name": name.0.as_ref(),
        "destroys": destroys,
        "leaves_running": leaves_running,
        "run": of_call(run),
        "check": check.as_ref().map(of_call),
        "undo": undo.as_ref().map(of_call),
    })
}

fn of_call(call: &Call) -> Json {
    match call {
        Call::Exec(exec) => of_exec(exec),
        Call::Http(call) => of_http(call),
        // Plain data of ours: everything it says counts, and secrets show as the names of their files.
        Call::Docker(call) => json!(format!("{call:?}")),
        Call::Wasender(call) => json!(format!("{call:?}")),
        Call::WasenderBackend(call) => json!(format!("{call:?}")),
        Call::Sqlite(call) => json!(format!("{call:?}")),
        Call::Coolify(call) => json!(format!("{call:?}")),
        Call::Kubernetes(call) => json!(format!("{call:?}")),
    }
}

fn of_exec(exec: &Exec) -> Json {
    let Exec { argv, env, timeout, kill_grace, output_bytes_max, idempotent } = exec;
    json!({ "exec": {
        "argv": argv,
        "env": env,
        "timeout": ms(*timeout),
        "kill_grace": ms(*kill_grace),
        "output_bytes_max": output_bytes_max,
        "idempotent": idempotent,
    }})
}

fn of_http(call: &HttpCall) -> Json {
    let HttpCall {
        method,
        url,
        token,
        body,
        signing,
        expect_status,
        expect_json,
        timeout,
        retry: Retry { only_unsent, tries_max },
        poll,
        ca_file,
    } = call;
    let of_signing =
        |Signing { secret, previous }: &Signing| json!([of_secret(secret), previous.as_ref().map(of_secret)]);
    json!({ "http": {
        "method": method,
        "url": url,
        "token": token.as_ref().map(of_secret),
        "body": body,
        "signing": signing.as_ref().map(of_signing),
        "expect_status": expect_status,
        "expect_json": expect_json,
        "timeout": ms(*timeout),
        "only_unsent": only_unsent,
        "tries_max": tries_max,
        "poll": poll.as_ref().map(of_poll),
        "ca_file": ca_file.as_deref().map(Path::to_string_lossy),
    }})
}

fn of_poll(poll: &HttpPoll) -> Json {
    let HttpPoll { url, expect_json, every, within } = poll;
    json!({ "url": url, "expect_json": expect_json, "every": ms(*every), "within": ms(*within) })
}

fn of_secret(secret: &Secret) -> Json {
    match secret {
        Secret::File(path) => json!({ "file": path.to_string_lossy() }),
        Secret::Env(name) => json!({ "env": name }),
    }
}

fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
