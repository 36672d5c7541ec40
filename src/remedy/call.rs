//! Calls of URLs: tried until there is an answer, judged by status and body.

use std::collections::BTreeMap;
use std::path::PathBuf;

use reqwest::{Method, Url};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use super::brief::Brief;
use super::end::CallEnd;
use super::output::world;
use crate::config::template::{fill_json, fill_url};
use crate::config::{Call, HttpCall, HttpPoll, Target};
use crate::engine::attempt::{Act, StepOutcome};
use crate::engine::moment::Wall;
use crate::engine::target::TargetId;
use crate::http::Http;
use crate::http::message::{Heard, Message, Undelivered, until as deadline_in};
use crate::http::retry::{may_pass, pause};

/// The work was begun, and goes on.
const ACCEPTED: u16 = 202;
/// The token is not, or no longer, the right one.
const UNAUTHORIZED: u16 = 401;
/// There is no such thing any more.
const GONE: u16 = 410;
/// Someone in between had no answer either.
const NO_ANSWER_BEHIND: [u16; 3] = [408, 502, 504];
/// They say nothing about what was asked.
const SAYS_NOTHING: [u16; 2] = [UNAUTHORIZED, 403];

/// The HTTP clients, one for each file of CA certificates.
#[derive(Debug)]
pub(super) struct Clients {
    usual: Http,
    trusting: BTreeMap<PathBuf, Result<Http, String>>,
}

impl Clients {
    pub(super) fn of(targets: &BTreeMap<TargetId, std::sync::Arc<Target>>, http: &Http) -> Self {
        let mut trusting = BTreeMap::new();
        let calls = targets.values().flat_map(|target| target.hooks.values()).flat_map(|hook| hook.calls());
        for file in calls.filter_map(ca_file) {
            trusting.entry(file.clone()).or_insert_with(|| http.trusting(file).map_err(|error| with_causes(&error)));
        }
        Self { usual: http.clone(), trusting }
    }

    /// Returns the client that trusts what the system trusts.
    pub(super) fn usual(&self) -> &Http {
        &self.usual
    }

    /// Returns the client that also trusts what is in a file.
    pub(super) fn trusting(&self, ca_file: Option<&PathBuf>) -> Result<&Http, &str> {
        let Some(file) = ca_file else { return Ok(&self.usual) };
        match self.trusting.get(file) {
            Some(made) => made.as_ref().map_err(String::as_str),
            None => Err("its file of CA certificates was not read"),
        }
    }
}

/// Calls a URL until it says what came of it.
pub(super) async fn call(
    call: &HttpCall,
    act: Act,
    brief: &Brief,
    clients: &Clients,
    clock: &super::Clock,
    until: Instant,
) -> CallEnd {
    let http = match clients.trusting(call.ca_file.as_ref()) {
        Ok(http) => http,
        Err(why) => return unsent(act, why.to_owned()),
    };
    let errand = Errand { call, act, brief, http, until };
    errand.run(&**clock).await
}

/// One call with all its tries.
struct Errand<'a> {
    call: &'a HttpCall,
    act: Act,
    brief: &'a Brief,
    http: &'a Http,
    until: Instant,
}

impl Errand<'_> {
    async fn run(&self, clock: &(dyn Fn() -> Wall + Send + Sync)) -> CallEnd {
        let id = self.brief.message_id(self.act);
        let (mut tries, mut is_token_new, mut may_be_done) = (1_u32, false, false);
        loop {
            let (end, asked) = match self.try_once(&id, tries, clock()).await {
                Ok(heard) if self.has_begun(&heard) => return self.ask_until_done(tries, clock).await,
                Ok(heard) if heard.status == UNAUTHORIZED && self.call.token.is_some() && !is_token_new => {
                    // The token may just have been rotated; it is read anew for each try.
                    is_token_new = true;
                    continue;
                }
                Ok(heard) => {
                    let end = self.judge(&heard);
                    if end.outcome == StepOutcome::Done || !may_pass(heard.status) || self.call.retry.only_unsent {
                        return end;
                    }
                    may_be_done |= end.outcome == StepOutcome::Unknown;
                    (end, heard.retry_after)
                }
                Err(Silence::Unsent(why)) if may_be_done => (unknown(why), None),
                Err(Silence::Unsent(why)) => (unsent(self.act, why), None),
                Err(Silence::Lost(why)) if self.call.retry.only_unsent => return unknown(why),
                Err(Silence::Lost(why)) => {
                    may_be_done = true;
                    (unknown(why), None)
                }
                Err(Silence::Unsendable(why)) => return unsent(self.act, why),
            };
            if self.call.retry.tries_max <= tries {
                return end;
            }
            if timeout_at(self.until, sleep(pause(&id, tries, asked))).await.is_err() {
                return end;
            }
            tries = tries.saturating_add(1);
        }
    }

    async fn try_once(&self, id: &str, tries: u32, now: Wall) -> Result<Heard, Silence> {
        let values = self.brief.values(tries);
        let unsendable = |why: &str| Silence::Unsendable(why.to_owned());
        let url = fill_url(&self.call.url, &values).ok_or_else(|| unsendable("its URL cannot be filled in"))?;
        let method = Method::from_bytes(self.call.method.as_bytes());
        let method = method.map_err(|_| unsendable("its method is none"))?;
        let body = match &self.call.body {
            Some(body) => fill_json(body, &values).to_string().into_bytes(),
            None if method == Method::GET || method == Method::HEAD => Vec::new(),
            None => self.brief.event(self.act),
        };
        let message = Message {
            method,
            url: &url,
            id,
            body: &body,
            token: self.call.token.as_ref(),
            signing: self.call.signing.as_ref(),
            timeout: self.call.timeout,
        };
        match timeout_at(self.until, self.http.deliver(&message, now)).await {
            Ok(Ok(heard)) => Ok(heard),
            Ok(Err(error)) => Err(Silence::of(&error)),
            Err(_elapsed) => Err(Silence::Lost("no answer came in time".to_owned())),
        }
    }

    fn has_begun(&self, heard: &Heard) -> bool {
        heard.status == ACCEPTED && self.call.poll.is_some()
    }

    fn judge(&self, heard: &Heard) -> CallEnd {
        let status = heard.status;
        let Some(flaw) = flaw(heard, &self.call.expect_status, &self.call.expect_json) else {
            let world = if self.act == Act::Look { answer_text(heard).map(|text| world(&text)) } else { None };
            return CallEnd { world, ..CallEnd::new(StepOutcome::Done, None) };
        };
        let outcome = match self.act {
            Act::Check if may_pass(status) || SAYS_NOTHING.contains(&status) || status == GONE => StepOutcome::Unknown,
            Act::Check => StepOutcome::Unmet,
            Act::Look | Act::Do | Act::Undo if NO_ANSWER_BEHIND.contains(&status) => StepOutcome::Unknown,
            Act::Look | Act::Do | Act::Undo => StepOutcome::Failed,
        };
        CallEnd { is_gone: status == GONE, ..CallEnd::new(outcome, Some(flaw)) }
    }

    /// Asks whether the work that was begun is done, until it is.
    async fn ask_until_done(&self, tries: u32, clock: &(dyn Fn() -> Wall + Send + Sync)) -> CallEnd {
        let Some(poll) = &self.call.poll else { return unknown("it was begun".to_owned()) };
        let Some(url) = fill_url(&poll.url, &self.brief.values(tries)) else {
            return unknown("it was begun, and the URL that says whether it is done cannot be filled in".to_owned());
        };
        let until = self.until.min(deadline_in(poll.within));
        let id = format!("{}_poll", self.brief.message_id(self.act));
        loop {
            let last = match timeout_at(until, self.ask_once(&id, &url, poll, clock())).await {
                Ok(Ok(())) => return CallEnd::new(StepOutcome::Done, None),
                Ok(Err(why)) => why,
                Err(_elapsed) => "no answer came".to_owned(),
            };
            if timeout_at(until, sleep(poll.every)).await.is_err() {
                return unknown(format!("it was begun, and not done in time: {last}"));
            }
        }
    }

    async fn ask_once(&self, id: &str, url: &Url, poll: &HttpPoll, now: Wall) -> Result<(), String> {
        let message = Message {
            method: Method::GET,
            url,
            id,
            body: &[],
            token: self.call.token.as_ref(),
            signing: self.call.signing.as_ref(),
            timeout: self.call.timeout,
        };
        let heard = self.http.deliver(&message, now).await.map_err(|error| with_causes(&error))?;
        flaw(&heard, &[], &poll.expect_json).map_or(Ok(()), Err)
    }
}

/// Why a try brought no answer.
enum Silence {
    /// It can never be sent.
    Unsendable(String),
    /// It was certainly not sent.
    Unsent(String),
    /// It may have been carried out.
    Lost(String),
}

impl Silence {
    fn of(error: &Undelivered) -> Self {
        let why = with_causes(error);
        if error.is_unsent() { Self::Unsent(why) } else { Self::Lost(why) }
    }
}

fn unsent(act: Act, why: String) -> CallEnd {
    // Nobody was asked, so nobody said that it is not done.
    let outcome = if act == Act::Check { StepOutcome::Unknown } else { StepOutcome::Failed };
    CallEnd::new(outcome, Some(why))
}

fn unknown(why: String) -> CallEnd {
    CallEnd::new(StepOutcome::Unknown, Some(why))
}

/// Says what an answer lacks to be a success. Repeats nothing of its body.
fn flaw(heard: &Heard, statuses: &[u16], expected: &BTreeMap<String, Value>) -> Option<String> {
    let status = heard.status;
    let is_success = if statuses.is_empty() { (200..300).contains(&status) } else { statuses.contains(&status) };
    if !is_success {
        return Some(format!("answered {status}"));
    }
    if expected.is_empty() {
        return None;
    }
    let Some(body) = heard.body.as_deref() else { return Some(format!("answered {status}, and its body was cut off")) };
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return Some(format!("answered {status} without JSON"));
    };
    let (place, wanted) = expected.iter().find(|(place, wanted)| body.pointer(place) != Some(wanted))?;
    Some(format!("answered {status}, but {place} is not {wanted}"))
}

/// Returns an answer as a text: a JSON text itself, any other JSON in one line, anything else as it came.
fn answer_text(heard: &Heard) -> Option<String> {
    let body = heard.body.as_deref()?;
    let text = match serde_json::from_slice(body) {
        Ok(Value::String(text)) => text,
        Ok(json @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_))) => {
            json.to_string()
        }
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn ca_file(call: &Call) -> Option<&PathBuf> {
    match call {
        Call::Http(call) => call.ca_file.as_ref(),
        Call::Kubernetes(call) => call.at.ca_file.as_ref(),
        Call::Exec(_)
        | Call::Docker(_)
        | Call::Coolify(_)
        | Call::Wasender(_)
        | Call::WasenderBackend(_)
        | Call::Sqlite(_) => None,
    }
}

/// Says an error with its causes.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
