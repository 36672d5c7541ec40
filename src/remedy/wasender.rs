//! Acts on a session at `WasenderAPI`: connect, and restart where the vendor allows it.
//!
//! What the vendor answers holds codes, tokens and keys: nothing of it is repeated but its words for a state.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::bearer::{Bearer, Heard, Silence, UNAUTHORIZED, named};
use super::end::CallEnd;
use super::preflight::Seen;
use super::run::Desk;
use crate::config::{WasenderAt, WasenderCall, WasenderDeed};
use crate::http::message::until as deadline_in;

/// How often a vendor is asked that asks for a pause.
const TRIES_MAX: u32 = 3;
/// The pause where it does not say how long.
const PAUSE_DEFAULT: Duration = Duration::from_secs(5);
/// The vendor's words for a session, all that are known.
const STATES: [&str; 7] =
    ["connected", "connecting", "disconnected", "need_scan", "need_passkey", "logged_out", "expired"];

/// Carries it out.
pub(super) async fn call(call: &WasenderCall, desk: &Desk, until: Instant) -> CallEnd {
    let WasenderCall { at, deed, patience, timeout } = call;
    let until = until.min(deadline_in(*timeout));
    let http = desk.clients.usual();
    let bearer = Bearer { http, token: &at.token, patience: *patience, until, clock: &desk.clock };
    let errand = Errand { at, bearer };
    let end = match deed {
        WasenderDeed::Connect => errand.connect().await,
        WasenderDeed::Restart => errand.restart().await,
    };
    end.unwrap_or_else(|end| end)
}

/// Looks whether the vendor takes the token and knows the session.
pub(super) async fn preflight(call: &WasenderCall, desk: &Desk, until: Instant) -> Seen {
    let WasenderCall { at, patience, .. } = call;
    let (http, clock) = (desk.clients.usual(), &desk.clock);
    let bearer = Bearer { http, token: &at.token, patience: *patience, until, clock };
    let errand = Errand { at, bearer };
    match errand.bearer.get(&errand.url("")).await {
        Err(silence) => (Some(false), silence.into_end("the vendor").note.unwrap_or_default()),
        Ok(heard) if heard.is_success() && heard.json.is_some() => {
            (Some(true), format!("the vendor knows session {}", at.session))
        }
        Ok(heard) => (Some(false), errand.refused(&heard).note.unwrap_or_default()),
    }
}

struct Errand<'a> {
    at: &'a WasenderAt,
    bearer: Bearer<'a>,
}

impl Errand<'_> {
    async fn connect(&self) -> Result<CallEnd, CallEnd> {
        let heard = self.post("connect").await?;
        if !heard.says_success() {
            return Ok(self.refused(&heard));
        }
        let session = &self.at.session;
        Ok(match state(heard.text("/data/status")) {
            Some("connected" | "connecting") => {
                CallEnd::done(format!("session {session} is connected, or connecting already"))
            }
            Some("need_scan") => {
                CallEnd::done(format!("session {session} wants a scan: a person must scan the code with the phone"))
            }
            Some("need_passkey") => CallEnd::unmet(format!(
                "session {session} wants a passkey: a person must approve it at the vendor, no call can"
            )),
            Some(state) => CallEnd::done(format!("the vendor took it; session {session} is {state}")),
            None => CallEnd::done(format!("the vendor took it; it does not say how session {session} is")),
        })
    }

    async fn restart(&self) -> Result<CallEnd, CallEnd> {
        let session = &self.at.session;
        let url = self.url("");
        let heard = self.paced(|| self.bearer.get(&url)).await?;
        if !heard.is_success() || heard.json.is_none() {
            let end = self.refused(&heard);
            // So far it was only asked.
            return Ok(CallEnd::unmet(end.note.unwrap_or_default()));
        }
        match state(heard.text("/data/status")) {
            Some("connected") => {}
            Some(state) => {
                return Ok(CallEnd::unmet(format!(
                    "session {session} is {state}: the vendor restarts only one that is connected; reconnect it"
                )));
            }
            None => {
                return Ok(CallEnd::unmet(format!("the vendor does not say whether session {session} is connected")));
            }
        }
        let heard = self.post("restart").await?;
        if heard.says_success() {
            return Ok(CallEnd::done(format!("the vendor restarted session {session}")));
        }
        Ok(self.refused(&heard))
    }

    async fn post(&self, act: &str) -> Result<Heard, CallEnd> {
        let (url, body) = (self.url(act), json!({}));
        self.paced(|| self.bearer.send(&Method::POST, &url, Some(&body))).await
    }

    /// Asks until the vendor does not ask for a pause: whoever is told to come back was not served.
    async fn paced<F>(&self, mut ask: impl FnMut() -> F) -> Result<Heard, CallEnd>
    where
        F: Future<Output = Result<Heard, Silence>>,
    {
        for tries in 1.. {
            let heard = ask().await.map_err(|silence| silence.into_end("the vendor"))?;
            if heard.status != 429 {
                return Ok(heard);
            }
            let pause = heard.pause.unwrap_or(PAUSE_DEFAULT);
            if TRIES_MAX <= tries || self.bearer.until <= deadline_in(pause) {
                break;
            }
            sleep(pause).await;
        }
        Err(CallEnd::failed("the vendor was asked too often, and refuses (429): poll it less often"))
    }

    fn url(&self, act: &str) -> String {
        let WasenderAt { url, session, .. } = self.at;
        let slash = if act.is_empty() { "" } else { "/" };
        format!("{url}/whatsapp-sessions/{session}{slash}{act}")
    }

    fn refused(&self, heard: &Heard) -> CallEnd {
        let (session, complaint) = (&self.at.session, heard.complaint());
        if complaint.contains("subscription") {
            return CallEnd::unmet("the vendor wants an active subscription: a person must pay or renew it");
        }
        if complaint.contains("not connected") {
            return CallEnd::unmet(format!("session {session} is not connected, and the vendor restarts no such one"));
        }
        match heard.status {
            UNAUTHORIZED => {
                let named = named(&self.at.token);
                CallEnd::failed(format!(
                    "the vendor refuses the token in {named} (401): it wants a personal access token"
                ))
            }
            404 => CallEnd::unmet(format!("the vendor does not know session {session} (404): it was deleted there")),
            _ if heard.is_from_between() => CallEnd::unknown(format!("the vendor {}", heard.in_words())),
            _ if heard.is_success() => CallEnd::failed("the vendor says that it did not succeed"),
            _ => CallEnd::failed(format!("the vendor {}", heard.in_words())),
        }
    }
}

/// Returns the vendor's word for a state, in lower case; none for any that is not known.
fn state(word: Option<&str>) -> Option<&'static str> {
    STATES.into_iter().find(|state| word.is_some_and(|word| word.trim().eq_ignore_ascii_case(state)))
}
