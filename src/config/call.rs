//! Calls out: one of a program or of a URL, and how long it may take.

use std::time::Duration;

use super::problem::Report;
use super::scope::Scope;
use super::section::{Item, Section};
use super::{Call, Exec, HttpCall, built_in, exec, http_call};

/// How often a program is tried at most that asks for another try, or may be tried again.
const EXEC_TRIES: u32 = 4;
/// How long is waited before the second try of a URL; doubled before each further one.
const BACK_OFF_FIRST: Duration = Duration::from_secs(1);
/// The longest wait between two tries.
const BACK_OFF_MAX: Duration = Duration::from_mins(1);

/// Takes the one call of a section that may hold other keys too.
pub(super) fn take(section: &mut Section, scope: &mut Scope<'_>) -> Option<Call> {
    match (section.take("exec"), section.take("http")) {
        (Some(exec), None) => exec::read(exec, scope).map(Call::Exec),
        (None, Some(http)) => http_call::read(http, scope).map(|call| Call::Http(Box::new(call))),
        // What is there instead is told as a key that does not belong there.
        (None, None) if built_in::is_any_in(section) => None,
        (None, None) => {
            let hint = "write exec = { argv = [\"/path/to/program\"] } or http = { url = \"https://…\" }";
            scope.report.refuse(&section.at, &section.key, "calls nothing", hint);
            None
        }
        (Some(_), Some(http)) => {
            http.refuse(scope.report, "stands beside exec", "a call is one of the two: take the other out");
            None
        }
    }
}

/// Reads a section that is one call and nothing else.
pub(super) fn read(item: Item, scope: &mut Scope<'_>) -> Option<Call> {
    let mut section = item.section(scope.report)?;
    let call = take(&mut section, scope);
    finish(section, scope.report);
    call
}

/// Notes what nobody took of a section that holds calls.
pub(super) fn finish(section: Section, report: &mut Report) {
    section.finish_with(report, |name| {
        let of_its_own = "such a hook knows its steps itself: write it in the place of step, not in it";
        built_in::is_kind(name).then(|| of_its_own.to_owned())
    });
}

/// Returns how long one try of a call may take.
pub(super) fn one_try(call: &Call) -> Duration {
    match call {
        Call::Exec(Exec { timeout, kill_grace, .. }) => timeout.saturating_add(*kill_grace),
        Call::Http(call) => call.timeout.saturating_add(polled(call)),
        Call::Docker(call) => call.timeout,
        Call::Wasender(call) => call.timeout,
        Call::WasenderBackend(call) => call.timeout,
        Call::Sqlite(call) => call.timeout,
        Call::Coolify(call) => call.timeout,
        Call::Kubernetes(call) => call.timeout,
    }
}

/// Returns how long a call may take, tries and all.
pub(super) fn takes(call: &Call) -> Duration {
    match call {
        Call::Exec(Exec { timeout, kill_grace, .. }) => timeout.saturating_mul(EXEC_TRIES).saturating_add(*kill_grace),
        Call::Http(call) => {
            let tries = call.retry.tries_max;
            let waits = (1..tries).fold((Duration::ZERO, BACK_OFF_FIRST), |(sum, wait), _| {
                (sum.saturating_add(wait), wait.saturating_mul(2).min(BACK_OFF_MAX))
            });
            call.timeout.saturating_mul(tries).saturating_add(waits.0).saturating_add(polled(call))
        }
        Call::Docker(call) => call.timeout,
        Call::Wasender(call) => call.timeout,
        Call::WasenderBackend(call) => call.timeout,
        Call::Sqlite(call) => call.timeout,
        Call::Coolify(call) => call.timeout,
        Call::Kubernetes(call) => call.timeout,
    }
}

fn polled(call: &HttpCall) -> Duration {
    call.poll.as_ref().map_or(Duration::ZERO, |poll| poll.within)
}
