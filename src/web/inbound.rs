//! What is pushed: webhooks of gateways, messages that passed, lines of logs, alerts of others.
//!
//! Whoever pushes shows that he knows the target's secret; then the target's dialect reads what came as if it had been asked for, and
//! it goes to the driver over a bounded queue. Nothing waits: what finds no room is refused, and counted. Pushes complement polling
//! and never replace it, so one that is lost costs some seconds.

mod alert;
mod count;
mod form;
mod key;
mod rate;

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use serde::Serialize;
use tokio::sync::mpsc::error::TrySendError;

use crate::config::Target;
use crate::dialect::Route;
use crate::engine::moment::Wall;
use crate::engine::sample::{Sample, SessionState};
use crate::engine::watchdog::Ask;
use crate::recording::{Call, Came, News, Raw};

use super::reply::{Answer, json, problem, unavailable};
use super::{Desk, LOG_LINES_MAX, api, body};

pub use self::count::{Inflow, Outcome, PushKind};
pub(super) use self::rate::Rates;

use self::form::Said;

/// One piece of pushed news.
#[derive(Debug)]
pub struct Push {
    /// What it came as.
    pub kind: PushKind,
    /// What it is.
    pub news: News,
    /// When that was so, by the gateway's own clock, as far as it said.
    pub at: Option<Wall>,
}

/// What was taken in of a push.
#[derive(Debug, Serialize)]
struct Taken {
    taken: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
}

const NOT_KNOWN: &str = "this says nothing about the state of this session, as far as its dialect knows";
const LATE: &str = "this happened too long ago to be news";

/// Takes in what is pushed about one target.
pub(super) async fn take(
    desk: &Desk,
    kind: PushKind,
    name: &str,
    headers: &HeaderMap,
    body: Incoming,
) -> Result<Answer, Answer> {
    let target = desk.state.targets.borrow().get(name).cloned().ok_or_else(api::no_such_target)?;
    let Some(inbound) = target.senses.inbound.clone() else {
        let hint = "name a secret with secret_file in the section target.NAME.inbound of the configuration";
        return Err(problem(StatusCode::FORBIDDEN, "nothing may be pushed about this target", hint));
    };
    let keys = key::read(desk, &inbound.secret, inbound.previous.as_ref()).await;
    let keys = keys.ok_or_else(|| unreadable(desk, kind))?;
    let sent = key::sent(kind, headers).ok_or_else(|| refused(desk, kind, name))?;
    // A body is read of whoever holds the secret; where it signs the body, that must come first.
    if !sent.signs() && !keys.open(&sent, &[]) {
        return Err(refused(desk, kind, name));
    }
    let text = body::read(body, super::HOOK_BYTES_MAX, kind.needs()).await.inspect_err(|_| {
        desk.state.inflow.count(kind, Outcome::NotUnderstood);
    })?;
    if sent.signs() && !keys.open(&sent, &text) {
        return Err(refused(desk, kind, name));
    }
    let rate = |wanted: usize| {
        let granted = desk.rates.take(&target.id, desk.now(), inbound.rate_max, wanted);
        (0..wanted.saturating_sub(granted)).for_each(|_| desk.state.inflow.count(kind, Outcome::TooMany));
        if granted == 0 { Err(too_many()) } else { Ok(granted) }
    };
    let found = match kind {
        PushKind::Log => {
            let lines = lines(headers, &text).ok_or_else(|| malformed(desk, kind))?;
            let surplus = lines.len().saturating_sub(LOG_LINES_MAX);
            (0..surplus).for_each(|_| desk.state.inflow.count(kind, Outcome::TooMany));
            let mut signals = signals(&target, &lines);
            signals.truncate(rate(signals.len().max(1))?);
            signals
        }
        PushKind::Activity => {
            rate(1)?;
            let passed = form::activity(&text).ok_or_else(|| malformed(desk, kind))?;
            if passed.at.is_some_and(|at| ACTIVITY_WITHIN < desk.now().since(at)) {
                desk.state.inflow.count(kind, Outcome::Outdated);
                return Ok(json(StatusCode::ACCEPTED, &Taken { taken: 0, hint: Some(LATE) }));
            }
            vec![(Sample::Activity(passed.count), Raw::Activity(passed.count), None)]
        }
        PushKind::Wasender | PushKind::Waha | PushKind::Evolution | PushKind::Plain => {
            rate(1)?;
            let said = form::status(kind, &target, text).ok_or_else(|| malformed(desk, kind))?;
            match said.and_then(|said| understood(&target, desk.now(), said)) {
                Some(found) => vec![found],
                None => {
                    desk.state.inflow.count(kind, Outcome::NotUnderstood);
                    Vec::new()
                }
            }
        }
        PushKind::Alertmanager => Vec::new(),
    };
    let pushes = found.into_iter().map(|(sample, raw, at)| {
        let news = News { target: target.id.clone(), sample, raw };
        Push { kind, news, at }
    });
    hand_on(desk, pushes.collect())
}

/// Takes in alerts.
pub(super) async fn alerts(desk: &Desk, headers: &HeaderMap, body: Incoming) -> Result<Answer, Answer> {
    let kind = PushKind::Alertmanager;
    let Some(settings) = desk.state.alertmanager.borrow().clone() else {
        let hint = "name a token with token_file in the section alertmanager of the configuration";
        return Err(problem(StatusCode::FORBIDDEN, "alerts are not taken here", hint));
    };
    let keys = key::read(desk, &settings.token, None).await.ok_or_else(|| unreadable(desk, kind))?;
    let sent = key::sent(kind, headers).filter(|sent| keys.open(sent, &[]));
    sent.ok_or_else(|| refused(desk, kind, ""))?;
    let text = body::read(body, super::HOOK_BYTES_MAX, kind.needs()).await.inspect_err(|_| {
        desk.state.inflow.count(kind, Outcome::NotUnderstood);
    })?;
    if desk.rates.take(&crate::engine::target::TargetId::all(), desk.now(), alert::LETTERS_MAX, 1) == 0 {
        desk.state.inflow.count(kind, Outcome::TooMany);
        return Err(too_many());
    }
    let read = alert::read(&text, &settings.label).ok_or_else(|| malformed(desk, kind))?;
    let targets = Arc::clone(&desk.state.targets.borrow());
    let mut pushes = Vec::new();
    for (name, alert) in read {
        let known = name.and_then(|name| targets.get(name.as_str()));
        let Some(target) = known else {
            desk.state.inflow.count(kind, Outcome::NotUnderstood);
            continue;
        };
        let news = News { target: target.id.clone(), sample: Sample::Alert(alert.clone()), raw: Raw::Alert(alert) };
        pushes.push(Push { kind, news, at: None });
    }
    hand_on(desk, pushes)
}

/// A message that passed longer ago than this is no news.
const ACTIVITY_WITHIN: Duration = Duration::from_mins(5);

type Found = (Sample, Raw, Option<Wall>);

/// Reads a status as the target's dialect reads an answer. What it does not know proves nothing.
fn understood(target: &Target, now: Wall, said: Said) -> Option<Found> {
    let route = Route { session: target.session.as_deref(), status_path: target.status_path.as_deref() };
    let came = Came::Reply { status: 200, retry_after: None, rate_limit_reset: None, body: said.body };
    let read = target.dialect.read(Ask::Status, route, now, Duration::ZERO, came.heard());
    let answer = read.answer().filter(|answer| answer.state != SessionState::Unknown)?.clone();
    let call = Call { latency: Duration::ZERO, came, checked: None };
    Some((Sample::Pushed(answer), Raw::Pushed(call), said.at))
}

/// Returns the lines of a log; none where they are not understood.
fn lines(headers: &HeaderMap, text: &Bytes) -> Option<Vec<String>> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.trim_start().to_ascii_lowercase().starts_with("application/json") {
        return form::lines(text);
    }
    Some(String::from_utf8_lossy(text).lines().map(str::to_owned).collect())
}

/// Returns what the lines mean that mean something.
fn signals(target: &Target, lines: &[String]) -> Vec<Found> {
    let signal = |line: &String| {
        let signal = target.dialect.read_log(line)?;
        let raw = Raw::Log(signal.line.as_str().to_owned());
        Some((Sample::Signal(signal), raw, None))
    };
    lines.iter().take(LOG_LINES_MAX).filter_map(signal).collect()
}

/// Hands news to the driver, or says that there is no room for all of them.
fn hand_on(desk: &Desk, pushes: Vec<Push>) -> Result<Answer, Answer> {
    let (count, mut lost) = (pushes.len(), 0_usize);
    for push in pushes {
        let kind = push.kind;
        match desk.state.pushes.try_send(push) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                desk.state.inflow.count(kind, Outcome::QueueFull);
                lost = lost.saturating_add(1);
            }
            Err(TrySendError::Closed(_)) => {
                return Err(unavailable("the watchdog is stopping", "send it again when it runs"));
            }
        }
    }
    if 0 < lost {
        return Err(unavailable(
            "too much news waits already",
            "send it again in a moment, or leave it: polling goes on",
        ));
    }
    let hint = (count == 0).then_some(NOT_KNOWN);
    Ok(json(StatusCode::ACCEPTED, &Taken { taken: count, hint }))
}

/// Says no more than that: whoever guesses shall learn nothing.
fn refused(desk: &Desk, kind: PushKind, name: &str) -> Answer {
    desk.state.inflow.count(kind, Outcome::Refused);
    if desk.pushers.lets_pass(desk.now()) {
        tracing::warn!(kind = kind.as_str(), target = name, "a push was not taken: it does not show the secret");
    }
    problem(StatusCode::UNAUTHORIZED, "this does not show the secret", kind.shows())
}

fn unreadable(desk: &Desk, kind: PushKind) -> Answer {
    desk.state.inflow.count(kind, Outcome::Refused);
    unavailable("the secret cannot be read, so nothing is taken", "see the watchdog's log for the cause")
}

fn malformed(desk: &Desk, kind: PushKind) -> Answer {
    desk.state.inflow.count(kind, Outcome::NotUnderstood);
    problem(StatusCode::BAD_REQUEST, "the body is not understood", kind.needs())
}

fn too_many() -> Answer {
    let hint = "send less, or raise rate_max in the section target.NAME.inbound";
    let mut answer = problem(StatusCode::TOO_MANY_REQUESTS, "too much was pushed in this second", hint);
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}
