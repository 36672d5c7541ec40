//! Acts on a backend that keeps a session at `WasenderAPI`.
//!
//! The backend swallows what the vendor says, forgets a session even where the vendor could not delete it, and makes two where it
//! is asked twice at once. So every act looks first, is sent once, and looks again where its answer was lost.

mod backend;
mod proof;

use std::time::Duration;

use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use self::backend::{Backend, Status};
use self::proof::{Known, known};
use super::Adopted;
use super::bearer::{Bearer, Heard, Silence, UNAUTHORIZED, id, named};
use super::brief::Brief;
use super::end::CallEnd;
use super::preflight::Seen;
use super::run::Desk;
use crate::config::{BackendCall, BackendDeed, Secret, is_phone};
use crate::engine::attempt::StepOutcome;
use crate::engine::moment::Wall;
use crate::http::message::until as deadline_in;

/// How often it is asked whether something came of a call whose answer was lost.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// The record of the session that was seen to be gone ...
const PROVEN: &str = "proven";
/// ... and of when a new one was asked for.
const ASKED_FOR: &str = "asked-for";
/// Says what comes of not looking first.
const ORPHANS: &str = "a reset while the vendor is unwell orphans the session";

/// Carries it out.
pub(super) async fn call(call: &BackendCall, brief: &Brief, desk: &Desk, until: Instant) -> CallEnd {
    let BackendCall { at, deed, patience, timeout } = call;
    let until = until.min(deadline_in(*timeout));
    let http = desk.clients.usual();
    let bearer = Bearer { http, token: &at.token, patience: *patience, until, clock: &desk.clock };
    let errand = Errand { call, brief, desk, backend: Backend { url: &at.url, bearer } };
    let end = match deed {
        BackendDeed::Reconnect => errand.reconnect().await,
        BackendDeed::Prove => errand.prove().await,
        BackendDeed::Delete => errand.delete().await,
        BackendDeed::IsDeleted => errand.is_deleted().await,
        BackendDeed::Ensure { phone } => errand.ensure(phone).await,
        BackendDeed::IsEnsured => errand.is_ensured().await,
    };
    end.unwrap_or_else(|end| end)
}

/// Looks whether the backend takes the token, and whether anybody can ask the vendor.
pub(super) async fn preflight(call: &BackendCall, desk: &Desk, until: Instant) -> Seen {
    let (http, clock) = (desk.clients.usual(), &desk.clock);
    let bearer = Bearer { http, token: &call.at.token, patience: call.patience, until, clock };
    let backend = Backend { url: &call.at.url, bearer };
    match backend.status().await {
        Err(why) => (Some(false), why),
        Ok(Status { session, state, .. }) => {
            let stored =
                session.map_or_else(|| "no session".to_owned(), |session| format!("session {session}, {state}"));
            (Some(true), format!("the backend takes the token, and stores {stored}"))
        }
    }
}

struct Errand<'a> {
    call: &'a BackendCall,
    brief: &'a Brief,
    desk: &'a Desk,
    backend: Backend<'a>,
}

impl Errand<'_> {
    async fn reconnect(&self) -> Result<CallEnd, CallEnd> {
        let status = self.status().await.map_err(CallEnd::unmet)?;
        let Some(session) = status.session else {
            return Err(CallEnd::unmet("the backend stores no session: only a reset makes one"));
        };
        match known(self, &session).await {
            None | Some(Known::Yes) => {}
            Some(Known::No) => {
                let note =
                    format!("the vendor does not know session {session}: connecting heals nothing, a reset does");
                return Err(CallEnd::unmet(note));
            }
            Some(Known::NotSaid(why)) => return Err(CallEnd::unmet(format!("{why}: nothing was sent"))),
        }
        // Without a phone: where the session vanished meanwhile, no other one is to be made.
        let heard = self.post_ensure(&json!({})).await.map_err(|silence| silence.into_end("the backend"))?;
        if !heard.says_success() {
            return Err(self.refused(&heard));
        }
        if heard.text("/data/status") == Some("unknown") && heard.at("/data/meNumber").is_none_or(Value::is_null) {
            return Err(CallEnd::failed(
                "the backend tried, and the vendor did not answer it: ask the vendor directly",
            ));
        }
        match id(heard.at("/data/sessionId")) {
            Some(new) if new != session => {
                Ok(self.adopt(Some(session), new, "somebody replaced the session meanwhile"))
            }
            Some(_) | None => Ok(CallEnd::done(format!("the backend asked the vendor to connect session {session}"))),
        }
    }

    /// Sees that the vendor answers and that the session is gone, and remembers which it was.
    async fn prove(&self) -> Result<CallEnd, CallEnd> {
        let status = self.status().await.map_err(CallEnd::unmet)?;
        let stored = status.session.clone();
        if let (Some(stored), Some(watched)) = (&stored, &self.call.at.session)
            && stored != watched
        {
            let note =
                format!("the backend stores session {stored}, the target watches {watched}: put that right first");
            return Err(CallEnd::unmet(note));
        }
        let old = stored.or_else(|| self.call.at.session.clone());
        self.is_gone(&status, old.as_deref()).await?;
        self.remember(PROVEN, &json!({ "session": old })).await.map_err(CallEnd::unmet)?;
        Ok(CallEnd::done(match old {
            Some(old) => format!("the vendor answers, and does not know session {old}"),
            None => "the vendor answers, and the backend stores no session".to_owned(),
        }))
    }

    async fn delete(&self) -> Result<CallEnd, CallEnd> {
        let proven = self.proven().await.map_err(CallEnd::unmet)?;
        let status = self.status().await.map_err(CallEnd::unmet)?;
        let Some(stored) = status.session.clone() else {
            return Ok(CallEnd::done("the backend had forgotten the session already"));
        };
        if Some(&stored) != proven.as_ref() {
            return Err(replaced(proven.as_deref(), &stored));
        }
        // A crash may lie between the proof and this.
        self.is_gone(&status, Some(&stored)).await?;
        let heard = self.backend.bearer.send(&Method::DELETE, &self.backend.url("/user/session"), None).await;
        let heard = match heard {
            Ok(heard) if heard.is_from_between() => return Ok(self.was_deleted(&stored, heard.in_words()).await),
            Ok(heard) => heard,
            Err(Silence::Lost(why)) => return Ok(self.was_deleted(&stored, why).await),
            Err(unsent @ Silence::Unsent(_)) => return Err(unsent.into_end("the backend")),
        };
        if !heard.says_success() {
            return Err(self.refused(&heard));
        }
        match id(heard.at("/previousSessionId")) {
            Some(previous) if previous != stored => Err(replaced(Some(&stored), &previous)),
            Some(_) if heard.at("/deletedFromWasenderAPI") == Some(&Value::Bool(false)) => {
                let note = format!(
                    "the backend forgot session {stored}, and could not ask the vendor to delete it: look there for an orphan"
                );
                Err(CallEnd::failed(note))
            }
            Some(_) => Ok(CallEnd::done(format!("the backend forgot session {stored}"))),
            None => Ok(CallEnd::done("the backend had forgotten the session already")),
        }
    }

    /// Says whether a deletion was done whose answer was lost.
    async fn was_deleted(&self, stored: &str, why: String) -> CallEnd {
        let until = self.backend.bearer.until.min(deadline_in(self.call.patience));
        loop {
            if let Ok(Status { session: None, .. }) = self.status().await {
                return CallEnd::done(format!("the backend forgot session {stored}, though its answer was lost"));
            }
            if until <= deadline_in(ASK_EVERY) {
                return CallEnd::unknown(format!(
                    "the backend was asked to forget session {stored}, and did not say: {why}"
                ));
            }
            sleep(ASK_EVERY).await;
        }
    }

    async fn is_deleted(&self) -> Result<CallEnd, CallEnd> {
        let proven = self.proven().await.map_err(CallEnd::unknown)?;
        let status = self.status().await.map_err(CallEnd::unknown)?;
        match status.session {
            None => Ok(CallEnd::new(StepOutcome::Done, None)),
            Some(stored) if Some(&stored) == proven.as_ref() => {
                Err(CallEnd::unmet(format!("the backend still stores session {stored}")))
            }
            Some(stored) => Err(replaced(proven.as_deref(), &stored)),
        }
    }

    /// Has a new session made: asked for once, and only where there is none.
    async fn ensure(&self, phone: &Secret) -> Result<CallEnd, CallEnd> {
        let old = self.proven().await.map_err(CallEnd::failed)?;
        if let Some(there) = self.settled(old.as_deref()).await? {
            return Ok(there);
        }
        let number = read_phone(phone).await.map_err(CallEnd::failed)?;
        let now = (self.desk.clock)();
        self.remember(ASKED_FOR, &json!({ "at": now })).await.map_err(CallEnd::failed)?;
        let heard = match self.post_ensure(&json!({ "phoneNumber": number.expose_secret() })).await {
            Ok(heard) if !heard.is_from_between() => heard,
            Ok(heard) => return Ok(self.was_ensured(old, heard.in_words()).await),
            Err(Silence::Lost(why)) => return Ok(self.was_ensured(old, why).await),
            Err(unsent @ Silence::Unsent(_)) => {
                self.remember(ASKED_FOR, &Value::Null).await.map_err(CallEnd::failed)?;
                return Err(unsent.into_end("the backend"));
            }
        };
        if !heard.says_success() {
            self.remember(ASKED_FOR, &Value::Null).await.map_err(CallEnd::failed)?;
            return Err(self.refused(&heard));
        }
        match id(heard.at("/data/sessionId")) {
            Some(new) if Some(&new) != old.as_ref() => Ok(self.adopt(old, new, "a person must scan its code")),
            Some(new) => {
                Err(CallEnd::failed(format!("the backend still has session {new}, which the vendor does not know")))
            }
            None => Ok(self.was_ensured(old, "its answer names no session".to_owned()).await),
        }
    }

    /// Waits until what was asked for before, and whose end is not known, has come or will not come any more.
    ///
    /// Returns the session that is there; nothing where there is none, so that one may be asked for.
    async fn settled(&self, old: Option<&str>) -> Result<Option<CallEnd>, CallEnd> {
        let asked = self.recall(ASKED_FOR).await.map_err(CallEnd::failed)?;
        let asked: Option<Wall> = asked.and_then(|value| serde_json::from_value(value.get("at")?.clone()).ok());
        let now = (self.desk.clock)();
        let left = asked.map_or(Duration::ZERO, |asked| self.settles_in().saturating_sub(now.since(asked)));
        let until = self.backend.bearer.until.min(deadline_in(left));
        loop {
            match self.status().await.map_err(CallEnd::failed)?.session {
                Some(new) if Some(new.as_str()) != old => {
                    return Ok(Some(self.adopt(old.map(str::to_owned), new, "it was there already")));
                }
                Some(stored) => {
                    let note = format!("the backend still stores session {stored}, which the vendor does not know");
                    return Err(CallEnd::failed(note));
                }
                None if until <= deadline_in(Duration::ZERO) => return Ok(None),
                None => sleep(ASK_EVERY.min(left)).await,
            }
        }
    }

    /// How long something may still come of a call whose answer was lost.
    fn settles_in(&self) -> Duration {
        self.call.patience.saturating_mul(2)
    }

    /// Says whether a session came of a call whose answer was lost.
    async fn was_ensured(&self, old: Option<String>, why: String) -> CallEnd {
        match self.settled(old.as_deref()).await {
            Ok(Some(there)) => there,
            Ok(None) | Err(_) => {
                CallEnd::unknown(format!("the backend was asked for a session, and did not say: {why}"))
            }
        }
    }

    async fn is_ensured(&self) -> Result<CallEnd, CallEnd> {
        let old = self.proven().await.map_err(CallEnd::unknown)?;
        match self.settled(old.as_deref()).await {
            Ok(Some(there)) => Ok(there),
            Ok(None) => Err(CallEnd::unmet("the backend stores no session")),
            Err(end) => Err(CallEnd::unknown(end.note.unwrap_or_default())),
        }
    }

    /// Returns where the vendor answers and the session is gone; else says why nothing may be done.
    async fn is_gone(&self, status: &Status, session: Option<&str>) -> Result<(), CallEnd> {
        let session = session.unwrap_or("0");
        if status.session.is_some() && status.state != "unknown" {
            // An answer about the session came through: the token for the vendor may be that of another account.
            let note = format!("the backend says that session {session} is {}: it is not gone", status.state);
            return Err(CallEnd::unmet(note));
        }
        match known(self, session).await {
            Some(Known::No) => Ok(()),
            Some(Known::Yes) => {
                Err(CallEnd::unmet(format!("the vendor knows session {session}: it is not gone, reconnect it")))
            }
            Some(Known::NotSaid(why)) => Err(CallEnd::unmet(format!("{why}: {ORPHANS}"))),
            None => Err(CallEnd::unmet(format!("nobody can ask the vendor: {ORPHANS}"))),
        }
    }

    async fn status(&self) -> Result<Status, String> {
        self.backend.status().await
    }

    async fn post_ensure(&self, body: &Value) -> Result<Heard, Silence> {
        self.backend.bearer.send(&Method::POST, &self.backend.url("/user/session/ensure"), Some(body)).await
    }

    fn refused(&self, heard: &Heard) -> CallEnd {
        match heard.status {
            UNAUTHORIZED => {
                CallEnd::failed(format!("the backend refuses the token in {} (401)", named(&self.call.at.token)))
            }
            _ if heard.is_from_between() => CallEnd::unknown(format!("the backend {}", heard.in_words())),
            400 if heard.complaint().contains("phonenumber") => {
                CallEnd::failed("the backend has no session, and no number to make one for")
            }
            _ => CallEnd::failed(format!("the backend {}{}", heard.in_words(), upstream(heard))),
        }
    }

    fn adopt(&self, old: Option<String>, new: String, what: &str) -> CallEnd {
        let note = match &old {
            Some(old) => format!("session {new} takes the place of {old}: {what}"),
            None => format!("session {new} is new: {what}"),
        };
        let vendor = self.call.at.vendor.clone();
        CallEnd { adopted: old.map(|old| Adopted { vendor, old, new }), ..CallEnd::done(note) }
    }

    /// Returns the session that this attempt saw to be gone.
    async fn proven(&self) -> Result<Option<String>, String> {
        let record = self.recall(PROVEN).await?.ok_or("the record of the proof is gone: begin anew")?;
        Ok(id(record.get("session")))
    }

    async fn remember(&self, what: &'static str, value: &Value) -> Result<(), String> {
        let order = self.brief.order();
        self.desk.runs.remember(order.attempt, &order.target, what, value).await
    }

    async fn recall(&self, what: &'static str) -> Result<Option<Value>, String> {
        let order = self.brief.order();
        self.desk.runs.recall(order.attempt, &order.target, what).await
    }
}

fn replaced(proven: Option<&str>, stored: &str) -> CallEnd {
    let proven = proven.map_or_else(|| "none".to_owned(), |proven| format!("session {proven}"));
    CallEnd::failed(format!("somebody replaced the session: it was {proven}, and is {stored}"))
}

/// Returns the vendor's status that a backend's complaint names, if it does: `Wasender create session failed (403): …`.
fn upstream(heard: &Heard) -> String {
    let complaint = heard.complaint();
    let code = complaint.split('(').nth(1).and_then(|rest| rest.get(..3)).filter(|code| code.parse::<u16>().is_ok());
    code.map_or_else(String::new, |code| format!("; the vendor answered it {code}"))
}

async fn read_phone(phone: &Secret) -> Result<secrecy::SecretString, String> {
    let (secret, named) = (phone.clone(), named(phone));
    let read = spawn_blocking(move || secret.read()).await.map_err(|error| error.to_string())?;
    let number = read.map_err(|error| format!("{named}: {error}"))?;
    // It may have been changed since the configuration was read.
    if is_phone(number.expose_secret()) { Ok(number) } else { Err(format!("{named} holds no number of a phone")) }
}
