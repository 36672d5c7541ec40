//! Acts over the API of Coolify: stop, a new volume, start.
//!
//! Three rules of its API shape all of this. A stop and a start are queued, and their answers say nothing about their success.
//! A restart and a deployment over a running container run both on one session for a while, so neither is ever asked for.
//! Bodies may claim success beside a refusal, so the status alone counts.

mod refusal;
mod volume;

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tokio::time::Instant;

use super::brief::Brief;
use super::end::CallEnd;
use super::preflight::Seen;
use super::rest::{Ask, Rest, Said, Silence};
use super::run::Desk;
use crate::config::{CoolifyAt, CoolifyCall, CoolifyDeed, CoolifyResource};
use crate::engine::attempt::{Act, StepOutcome};
use crate::http::message::until as deadline_in;

/// A deployment that nobody knows after this long was never queued: where the queue is full Coolify invents its number.
const GHOST_AFTER: Duration = Duration::from_secs(10);
/// The same, counted in questions.
const GHOST_ASKS: u32 = 5;

/// Says in a status that it is stopped.
const EXITED: &str = "exited";
/// Says in a status that it runs.
const RUNNING: &str = "running";

/// Carries out one act.
pub(super) async fn call(call: &CoolifyCall, act: Act, brief: &Brief, desk: &Desk, until: Instant) -> CallEnd {
    let until = until.min(deadline_in(call.timeout));
    let rest = Rest {
        http: desk.clients.usual(),
        token: &call.at.token,
        clock: &desk.clock,
        key: brief.message_id(act),
        until,
    };
    let errand = Errand { at: &call.at, rest, act, brief, desk };
    let end = match &call.deed {
        CoolifyDeed::Find { mount_path } => errand.find(mount_path).await,
        CoolifyDeed::Stop { within, settle } => errand.stop(*within, *settle).await,
        CoolifyDeed::Start { within, settle } => errand.start(*within, *settle).await,
        CoolifyDeed::Rotate => errand.rotate().await,
        CoolifyDeed::IsRotated => errand.is_rotated().await,
        CoolifyDeed::RotateBack => errand.rotate_back().await,
        CoolifyDeed::IsBack => errand.is_back().await,
    };
    end.unwrap_or_else(|end| end)
}

/// Looks whether the token is taken and the resource is known.
pub(super) async fn preflight(call: &CoolifyCall, brief: &Brief, desk: &Desk, until: Instant) -> Seen {
    let (http, act) = (desk.clients.usual(), Act::Look);
    let rest = Rest { http, token: &call.at.token, clock: &desk.clock, key: brief.message_id(act), until };
    let errand = Errand { at: &call.at, rest, act, brief, desk };
    let CoolifyAt { resource, uuid, .. } = &call.at;
    match errand.status().await {
        Ok(status) => {
            let kind = resource.as_str();
            (
                Some(true),
                format!("{kind} {uuid} is {status}; whether the token may stop and start it is seen only when it does"),
            )
        }
        Err(end) => (Some(false), end.note.unwrap_or_default()),
    }
}

/// One act with everything that it needs. What ends it early is an error, whatever it means for the step.
struct Errand<'a> {
    at: &'a CoolifyAt,
    rest: Rest<'a>,
    act: Act,
    brief: &'a Brief,
    desk: &'a Desk,
}

impl Errand<'_> {
    /// Stops it, and waits until it stays stopped.
    async fn stop(&self, within: Duration, settle: Duration) -> Result<CallEnd, CallEnd> {
        // Whoever may not see whether it is stopped shall not stop it.
        self.status().await?;
        let url = format!("{}/stop?docker_cleanup=false", self.resource());
        let ask = Ask { method: Method::POST, url: &url, body: None, is_repeatable: true };
        match self.rest.ask(&ask).await {
            Ok(said) if said.is_good() || is_already(&said, "stopped") => {}
            Ok(said) => return Err(self.refused(&said, "stop")),
            Err(Silence::Unsent(why)) => return Err(self.nothing_done(format!("it was not told to stop: {why}"))),
            // It may have been heard: its status says.
            Err(Silence::Lost(_)) => {}
        }
        let until = deadline_in(within.saturating_add(settle));
        self.until_status(EXITED, settle, until)
            .await
            .map_err(|last| CallEnd::failed(format!("it was told to stop and did not: {last}")))?;
        Ok(CallEnd::new(StepOutcome::Done, None))
    }

    /// Starts it where it does not run, and waits until it runs.
    async fn start(&self, within: Duration, settle: Duration) -> Result<CallEnd, CallEnd> {
        let until = deadline_in(within.saturating_add(settle));
        // To start what runs is a rolling update: two containers on one session. Nothing is sent before that is ruled out.
        if self.status().await? == RUNNING && self.rest.wait(settle, until).await && self.status().await? == RUNNING {
            return Ok(CallEnd::new(StepOutcome::Done, Some("it runs already, so nothing was started".to_owned())));
        }
        let url = format!("{}/start", self.resource());
        let ask = Ask { method: Method::POST, url: &url, body: None, is_repeatable: false };
        let deployment = match self.rest.ask(&ask).await {
            // Without a number a deployment is under way already.
            Ok(said) if said.is_good() => said.text("/deployment_uuid").map(str::to_owned),
            Ok(said) if is_already(&said, "running") => None,
            Ok(said) => return Err(self.refused(&said, "start")),
            Err(Silence::Unsent(why)) => return Err(self.nothing_done(format!("it was not told to start: {why}"))),
            // A second one would be queued behind the first, and roll over it.
            Err(Silence::Lost(_)) => None,
        };
        if let Some(deployment) = &deployment {
            self.until_deployed(deployment, until).await?;
        }
        self.until_status(RUNNING, Duration::ZERO, until)
            .await
            .map_err(|last| CallEnd::failed(format!("it was told to start and does not run: {last}")))?;
        Ok(CallEnd::new(StepOutcome::Done, None))
    }

    /// Waits until a deployment is finished.
    async fn until_deployed(&self, deployment: &str, until: Instant) -> Result<(), CallEnd> {
        if !deployment.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(CallEnd::failed("the number of its deployment cannot be one"));
        }
        let url = format!("{}/deployments/{deployment}", self.at.api);
        let ghost_after = GHOST_AFTER.min(self.at.ask_every.saturating_mul(GHOST_ASKS));
        let ghost_from = deadline_in(ghost_after);
        loop {
            let last = match self.rest.get(&url).await {
                Ok(said) if said.is_good() => match said.text("/status") {
                    Some("finished") => return Ok(()),
                    Some(status) if status == "failed" || status.starts_with("cancelled") => {
                        return Err(CallEnd::failed(format!("its deployment {status}: see its log in Coolify")));
                    }
                    Some(status) => format!("it is {status}"),
                    None => "it has no status".to_owned(),
                },
                Ok(said) if said.status == 404 && ghost_from <= deadline_in(Duration::ZERO) => {
                    let note = "its deployment was never queued, though Coolify said so: the queue may be full";
                    return Err(CallEnd::failed(note));
                }
                Ok(said) if said.status == 404 => "nobody knows it".to_owned(),
                Ok(said) if is_refusal(&said) => return Err(CallEnd::failed(refusal::note(&said, "read"))),
                Ok(said) => format!("the question is answered {}", said.status),
                Err(silence) => silence.why(),
            };
            if !self.rest.wait(self.at.ask_every, until).await {
                return Err(CallEnd::failed(format!("its deployment did not finish in time: {last}")));
            }
        }
    }

    /// Waits until its status is this word, and still is after a while. The error says what was seen last.
    async fn until_status(&self, wanted: &str, settle: Duration, until: Instant) -> Result<(), String> {
        loop {
            let last = match self.status().await {
                Ok(status) if status == wanted => {
                    // Coolify sets it before the container is gone, and its own look comes some seconds late.
                    if settle.is_zero() {
                        return Ok(());
                    }
                    if !self.rest.wait(settle, until).await {
                        return Err(format!("it was {wanted} too short a time"));
                    }
                    match self.status().await {
                        Ok(status) if status == wanted => return Ok(()),
                        Ok(status) => format!("it was {wanted} and is {status} again"),
                        Err(end) => end.note.unwrap_or_default(),
                    }
                }
                Ok(status) => format!("it is {status}"),
                Err(end) => end.note.unwrap_or_default(),
            };
            if !self.rest.wait(self.at.ask_every, until).await {
                return Err(last);
            }
        }
    }

    /// Returns the first word of its status: what comes after the colon is its health.
    async fn status(&self) -> Result<String, CallEnd> {
        let said = self.ask_for(&self.resource()).await?;
        let status = said.text("/status").and_then(|status| status.split([':', ' ', '(']).next());
        let status = status.filter(|status| !status.is_empty());
        status.map(str::to_owned).ok_or_else(|| self.nothing_done("Coolify does not say its status".to_owned()))
    }

    /// Asks a question that needs the ability to read.
    async fn ask_for(&self, url: &str) -> Result<Said, CallEnd> {
        match self.rest.get(url).await {
            Ok(said) if said.is_good() => Ok(said),
            Ok(said) => Err(self.refused(&said, "read")),
            Err(silence) => Err(self.nothing_done(format!("Coolify could not be asked: {}", silence.why()))),
        }
    }

    fn resource(&self) -> String {
        let CoolifyAt { api, resource, uuid, token: _, ask_every: _ } = self.at;
        let kind = match resource {
            CoolifyResource::Application => "applications",
            CoolifyResource::Service => "services",
        };
        format!("{api}/{kind}/{uuid}")
    }

    /// Ends because of an answer that is no success; nothing was changed by it.
    fn refused(&self, said: &Said, what: &str) -> CallEnd {
        match said.status {
            // Someone in between had no answer either.
            408 | 500.. if self.act != Act::Check && what != "read" => {
                CallEnd::new(StepOutcome::Unknown, Some(refusal::note(said, what)))
            }
            _ => self.nothing_done(refusal::note(said, what)),
        }
    }

    /// Ends where nothing was changed. Who asked and got no answer does not know whether it is done.
    fn nothing_done(&self, note: String) -> CallEnd {
        let outcome = if self.act == Act::Check { StepOutcome::Unknown } else { StepOutcome::Unmet };
        CallEnd::new(outcome, Some(note))
    }
}

/// A service says so of what it was told, and an application does not.
fn is_already(said: &Said, what: &str) -> bool {
    said.status == 400 && said.message.contains("already") && said.message.contains(what)
}

fn is_refusal(said: &Said) -> bool {
    matches!(said.status, 400 | 401 | 403 | 405)
}

/// Returns a text of a JSON object.
fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
