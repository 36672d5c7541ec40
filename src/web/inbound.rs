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
use crate::engine::target::TargetId;
use crate::engine::watchdog::Ask;
use crate::recording::{Call, Came, News, Raw};

use super::reply::{Answer, json, problem, unavailable};
use super::{Desk, HOOK_BYTES_MAX, LOG_LINES_MAX, api, body};

pub use self::count::{Inflow, Outcome, PushKind};
pub(super) use self::rate::Rates;

use self::form::{Form, Passed};
use self::key::Keys;

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
    let text = open(desk, kind, name, keys, headers, body).await?;
    let read = match kind {
        PushKind::Log => log(desk, &target, headers, &text),
        PushKind::Activity => form::activity(&text).map_or(Read::Malformed, |passed| activity(desk, &passed)),
        PushKind::Wasender | PushKind::Waha | PushKind::Evolution | PushKind::Plain => {
            form::status(kind, &target, text).map_or(Read::Malformed, |said| understood(&target, desk.now(), said))
        }
        PushKind::Alertmanager => Read::Malformed,
    };
    let granted = desk.rates.take(&target.id, desk.now(), inbound.rate_max, read.weight());
    count(desk, kind, Outcome::TooMany, read.weight().saturating_sub(granted));
    if granted == 0 {
        return Err(too_many());
    }
    let found = match read {
        Read::News(found) => found,
        Read::Late => {
            count(desk, kind, Outcome::Outdated, 1);
            return Ok(json(StatusCode::ACCEPTED, &Taken { taken: 0, hint: Some(LATE) }));
        }
        Read::Nothing => {
            count(desk, kind, Outcome::NotUnderstood, 1);
            Vec::new()
        }
        Read::Malformed => return Err(malformed(desk, kind)),
    };
    let pushes = found.into_iter().take(granted).map(|(sample, raw, at)| {
        let news = News { target: target.id.clone(), sample, raw };
        Push { kind, news, at }
    });
    Ok(hand_on(desk, pushes.collect()))
}

/// Takes in alerts.
pub(super) async fn alerts(desk: &Desk, headers: &HeaderMap, body: Incoming) -> Result<Answer, Answer> {
    let kind = PushKind::Alertmanager;
    let Some(settings) = desk.state.alertmanager.borrow().clone() else {
        let hint = "name a token with token_file in the section alertmanager of the configuration";
        return Err(problem(StatusCode::FORBIDDEN, "alerts are not taken here", hint));
    };
    let keys = key::read(desk, &settings.token, None).await;
    let text = open(desk, kind, "", keys, headers, body).await?;
    if desk.rates.take(&TargetId::all(), desk.now(), alert::LETTERS_MAX, 1) == 0 {
        count(desk, kind, Outcome::TooMany, 1);
        return Err(too_many());
    }
    let read = alert::read(&text, &settings.label).ok_or_else(|| malformed(desk, kind))?;
    let targets = Arc::clone(&desk.state.targets.borrow());
    let mut pushes = Vec::new();
    for (name, alert) in read {
        let known = name.and_then(|name| targets.get(name.as_str()));
        let Some(target) = known else {
            count(desk, kind, Outcome::NotUnderstood, 1);
            continue;
        };
        let news = News { target: target.id.clone(), sample: Sample::Alert(alert.clone()), raw: Raw::Alert(alert) };
        pushes.push(Push { kind, news, at: None });
    }
    Ok(hand_on(desk, pushes))
}

/// Reads the body of whoever shows that he knows the secret.
async fn open(
    desk: &Desk,
    kind: PushKind,
    name: &str,
    keys: Option<Keys>,
    headers: &HeaderMap,
    body: Incoming,
) -> Result<Bytes, Answer> {
    let keys = keys.ok_or_else(|| unreadable(desk, kind))?;
    let sent = key::sent(kind, headers).ok_or_else(|| refused(desk, kind, name))?;
    // Where the secret signs the body, that must come first.
    if !sent.signs() && !keys.open(&sent, &[]) {
        return Err(refused(desk, kind, name));
    }
    let text = body::read(body, HOOK_BYTES_MAX, kind.needs()).await;
    let text = text.inspect_err(|_| count(desk, kind, Outcome::NotUnderstood, 1))?;
    if sent.signs() && !keys.open(&sent, &text) {
        return Err(refused(desk, kind, name));
    }
    Ok(text)
}

/// A message that passed longer ago than this is no news.
const ACTIVITY_WITHIN: Duration = Duration::from_mins(5);

type Found = (Sample, Raw, Option<Wall>);

/// What a push says.
enum Read {
    News(Vec<Found>),
    /// It is too old.
    Late,
    /// It is about something else, or nobody knows what it means.
    Nothing,
    /// It has not the form that it should have.
    Malformed,
}

impl Read {
    /// How much of the rate it takes.
    fn weight(&self) -> usize {
        match self {
            Self::News(found) => found.len().max(1),
            Self::Late | Self::Nothing | Self::Malformed => 1,
        }
    }
}

/// Reads a status as the target's dialect reads an answer. What it does not know proves nothing.
fn understood(target: &Target, now: Wall, said: Form) -> Read {
    let Form::Said { body, at } = said else { return Read::Nothing };
    let route = Route { session: target.session.as_deref(), status_path: target.status_path.as_deref() };
    let came = Came::Reply { status: 200, retry_after: None, rate_limit_reset: None, body };
    let read = target.dialect.read(Ask::Status, route, now, Duration::ZERO, came.heard());
    let Some(answer) = read.answer().filter(|answer| answer.state != SessionState::Unknown).cloned() else {
        return Read::Nothing;
    };
    let call = Call { latency: Duration::ZERO, came, checked: None };
    Read::News(vec![(Sample::Pushed(answer), Raw::Pushed(call), at)])
}

fn activity(desk: &Desk, passed: &Passed) -> Read {
    if passed.at.is_some_and(|at| ACTIVITY_WITHIN < desk.now().since(at)) {
        return Read::Late;
    }
    Read::News(vec![(Sample::Activity(passed.count), Raw::Activity(passed.count), None)])
}

/// Reads what the lines of a log mean that mean something.
fn log(desk: &Desk, target: &Target, headers: &HeaderMap, text: &Bytes) -> Read {
    let Some(lines) = lines(headers, text) else { return Read::Malformed };
    count(desk, PushKind::Log, Outcome::TooMany, lines.len().saturating_sub(LOG_LINES_MAX));
    let signal = |line: &String| {
        let signal = target.dialect.read_log(line)?;
        let raw = Raw::Log(signal.line.as_str().to_owned());
        Some((Sample::Signal(signal), raw, None))
    };
    Read::News(lines.iter().take(LOG_LINES_MAX).filter_map(signal).collect())
}

/// Returns the lines of a log; none where they are not understood.
fn lines(headers: &HeaderMap, text: &Bytes) -> Option<Vec<String>> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.trim_start().to_ascii_lowercase().starts_with("application/json") {
        return form::lines(text);
    }
    Some(String::from_utf8_lossy(text).lines().map(str::to_owned).collect())
}

/// Hands news to the driver, or says that there is no room for all of them.
fn hand_on(desk: &Desk, pushes: Vec<Push>) -> Answer {
    let (taken, mut lost) = (pushes.len(), 0_usize);
    for push in pushes {
        let kind = push.kind;
        match desk.state.pushes.try_send(push) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                count(desk, kind, Outcome::QueueFull, 1);
                lost = lost.saturating_add(1);
            }
            Err(TrySendError::Closed(_)) => {
                return unavailable("the watchdog is stopping", "send it again when it runs");
            }
        }
    }
    if 0 < lost {
        let hint = "send it again in a moment, or leave it: polling goes on";
        return unavailable("too much news waits already", hint);
    }
    let hint = (taken == 0).then_some(NOT_KNOWN);
    json(StatusCode::ACCEPTED, &Taken { taken, hint })
}

fn count(desk: &Desk, kind: PushKind, outcome: Outcome, times: usize) {
    (0..times).for_each(|_| desk.state.inflow.count(kind, outcome));
}

/// Says no more than that: whoever guesses shall learn nothing.
fn refused(desk: &Desk, kind: PushKind, name: &str) -> Answer {
    count(desk, kind, Outcome::Refused, 1);
    if desk.pushers.lets_pass(desk.now()) {
        tracing::warn!(kind = kind.as_str(), target = name, "a push was not taken: it does not show the secret");
    }
    problem(StatusCode::UNAUTHORIZED, "this does not show the secret", kind.shows())
}

fn unreadable(desk: &Desk, kind: PushKind) -> Answer {
    count(desk, kind, Outcome::Refused, 1);
    unavailable("the secret cannot be read, so nothing is taken", "see the watchdog's log for the cause")
}

fn malformed(desk: &Desk, kind: PushKind) -> Answer {
    count(desk, kind, Outcome::NotUnderstood, 1);
    problem(StatusCode::BAD_REQUEST, "the body is not understood", kind.needs())
}

fn too_many() -> Answer {
    let hint = "send less, or raise rate_max in the section target.NAME.inbound";
    let mut answer = problem(StatusCode::TOO_MANY_REQUESTS, "too much was pushed in this second", hint);
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}
