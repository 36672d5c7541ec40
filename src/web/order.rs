//! What an operator orders: the words of its routes and bodies, and what comes of it.

use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use serde::Deserialize;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::engine::attempt::AttemptId;
use crate::engine::command::{CommandAnswer, OperatorCommand, Wish};
use crate::engine::ladder::Remedy;
use crate::engine::moment::Wall;
use crate::engine::sample::Word;
use crate::engine::target::TargetId;

use super::reply::{Answer, json, problem, unavailable};
use super::{BODY_BYTES_MAX, Desk, ORDER_WITHIN, Order, PAUSE_MAX, api, body, warden};

/// What can be ordered: the last part of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Pause,
    Resume,
    Approve,
    Ack,
    Restore,
    Remedy(Remedy),
}

/// The words of paths.
const VERBS: [(&str, Verb); 8] = [
    ("pause", Verb::Pause),
    ("resume", Verb::Resume),
    ("approve", Verb::Approve),
    ("ack", Verb::Ack),
    ("reconnect", Verb::Remedy(Remedy::Reconnect)),
    ("restart", Verb::Remedy(Remedy::Restart)),
    ("reset", Verb::Remedy(Remedy::Reset)),
    ("restore", Verb::Restore),
];

/// What an order says, as JSON or as the fields of a page's form. Every key is optional here, so that each that is missing or out
/// of place gets its own words.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fields {
    pub(super) reason: Option<String>,
    pub(super) who: Option<String>,
    pub(super) until: Option<Wall>,
    #[serde(rename = "for")]
    pub(super) lasts: Option<String>,
    pub(super) attempt: Option<AttemptId>,
    pub(super) force: Option<bool>,
}

/// Why an order is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    /// The key that it is about; empty where it is about all of them.
    pub(super) key: &'static str,
    pub(super) what: String,
    pub(super) hint: String,
}

/// Why nobody says what came of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// Too many wait before it; it was not placed.
    Full,
    /// Nobody takes orders any more; it was not placed.
    Stopping,
    /// It was placed, and then given up without a word.
    GivenUp,
    /// It was placed, and lies in the driver's queue or waits for the ledger.
    Late,
}

/// Whether an order of which nothing good was heard may count all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Certainty {
    /// It does not count.
    NotOrdered,
    /// It may count, or come to count: whoever orders it once more may order it twice.
    MayCount,
}

/// Longest part of a JSON parser's complaint that is repeated, in characters: it may repeat what came.
const COMPLAINT_CHARS_MAX: usize = 120;

impl Verb {
    /// Finds what a word of a path orders.
    pub(super) fn of(word: &str) -> Option<Self> {
        VERBS.iter().find(|(known, _)| *known == word).map(|(_, verb)| *verb)
    }

    /// Finds what a word orders that may be about all targets.
    pub(super) fn for_all(word: &str) -> Option<Self> {
        Self::of(word).filter(|verb| matches!(verb, Self::Pause | Self::Resume))
    }

    /// Returns the word of its path.
    pub(super) fn as_str(self) -> &'static str {
        VERBS.iter().find(|(_, verb)| *verb == self).map_or("", |(word, _)| word)
    }

    /// The keys that mean something, besides `reason` and `who`.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Pause => &["until", "for"],
            Self::Approve => &["attempt"],
            Self::Restore => &["attempt", "force"],
            Self::Remedy(_) => &["force"],
            Self::Resume | Self::Ack => &[],
        }
    }
}

/// Places an order and waits for what comes of it; `target` is none for all of them.
pub(super) async fn place(
    desk: &Desk,
    verb: Verb,
    target: Option<&str>,
    headers: &HeaderMap,
    body: Incoming,
) -> Result<Answer, Answer> {
    warden::admit(desk, headers).await?;
    let text = body::read(body, BODY_BYTES_MAX, r#"send a small JSON object, as {"reason": "…", "who": "…"}"#).await?;
    let target = match target.map(|name| desk.snapshot().target(name).map(|view| view.target.clone())) {
        Some(None) => return Err(api::no_such_target()),
        Some(Some(id)) => Some(id),
        None => None,
    };
    let command = understand(verb, &text)
        .and_then(|fields| fields.command(verb, target, desk.now()))
        .map_err(|bad| problem(StatusCode::BAD_REQUEST, &bad.what, &bad.hint))?;
    let answer = carry(desk, command).await.map_err(|lost| unavailable(lost.what(), lost.hint()))?;
    Ok(told(&answer))
}

/// Hands an order to the driver and waits for what comes of it.
pub(super) async fn carry(desk: &Desk, command: OperatorCommand) -> Result<CommandAnswer, Lost> {
    let (answer, answered) = oneshot::channel();
    desk.state.orders.try_send(Order { command, answer }).map_err(|error| match error {
        TrySendError::Full(_) => Lost::Full,
        TrySendError::Closed(_) => Lost::Stopping,
    })?;
    match timeout(ORDER_WITHIN, answered).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(Lost::GivenUp),
        Err(_) => Err(Lost::Late),
    }
}

fn told(answer: &CommandAnswer) -> Answer {
    match answer {
        CommandAnswer::Accepted { attempt: Some(_), .. } => json(StatusCode::ACCEPTED, answer),
        CommandAnswer::Accepted { attempt: None, .. } => json(StatusCode::OK, answer),
        CommandAnswer::Refused { why } => {
            problem(StatusCode::CONFLICT, why, "nothing was done; GET /api/v1/targets/NAME tells how things stand")
        }
    }
}

/// Reads the body of an order.
fn understand(verb: Verb, text: &[u8]) -> Result<Fields, Bad> {
    let text = if text.trim_ascii().is_empty() { b"{}".as_slice() } else { text };
    let fields: Fields = serde_json::from_slice(text).map_err(|error| {
        let complaint: String = error.to_string().chars().take(COMPLAINT_CHARS_MAX).collect();
        Bad::new("", &format!("the body is not understood: {complaint}"), &example(verb))
    })?;
    for key in fields.given() {
        if !verb.keys().contains(&key) {
            return Err(Bad::new(
                key,
                &format!("{key} means nothing here"),
                &format!("leave it out: {}", example(verb)),
            ));
        }
    }
    Ok(fields)
}

fn example(verb: Verb) -> String {
    let more = match verb {
        Verb::Pause => r#", "for": "2h""#,
        Verb::Approve | Verb::Restore => r#", "attempt": "19c27e14280""#,
        Verb::Remedy(_) => r#", "force": false"#,
        Verb::Resume | Verb::Ack => "",
    };
    format!(r#"send {{"reason": "…", "who": "…"{more}}}"#)
}

impl Fields {
    /// Makes the order; `target` is none for all of them.
    pub(super) fn command(&self, verb: Verb, target: Option<TargetId>, now: Wall) -> Result<OperatorCommand, Bad> {
        let needed = |key: &'static str, text: Option<&String>, hint: &str| {
            let word = Word::new(text.map_or("", String::as_str).trim());
            if word.as_str().is_empty() { Err(Bad::new(key, &format!("{key} is missing"), hint)) } else { Ok(word) }
        };
        let reason = needed("reason", self.reason.as_ref(), "say why: it goes into the ledger")?;
        let who = needed("who", self.who.as_ref(), "say who orders it: it goes into the ledger")?;
        let attempt = |hint| self.attempt.ok_or_else(|| Bad::new("attempt", "attempt is missing", hint));
        let force = self.force.unwrap_or_default();
        let what = match verb {
            Verb::Pause => Wish::Pause { until: self.until(now)? },
            Verb::Resume => Wish::Resume,
            Verb::Ack => Wish::Ack,
            Verb::Approve => Wish::Approve {
                attempt: attempt(
                    "name the attempt that waits; GET /api/v1/targets/NAME shows it as care.proposal.attempt",
                )?,
            },
            Verb::Restore => Wish::Restore {
                attempt: attempt("name the reset whose session is wanted back; wa-watchdog history shows them")?,
                force,
            },
            Verb::Remedy(remedy) => Wish::Remedy { remedy, force },
        };
        Ok(OperatorCommand { target, who, reason, what })
    }

    /// Returns the keys that were given, besides `reason` and `who`.
    fn given(&self) -> impl Iterator<Item = &'static str> {
        let keys = [
            ("until", self.until.is_some()),
            ("for", self.lasts.is_some()),
            ("attempt", self.attempt.is_some()),
            ("force", self.force.is_some()),
        ];
        keys.into_iter().filter(|(_, given)| *given).map(|(key, _)| key)
    }

    fn until(&self, now: Wall) -> Result<Option<Wall>, Bad> {
        let until = match (self.until, &self.lasts) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => return Err(Bad::new("for", "until and for are both given", "give one of them")),
            (Some(until), None) => until,
            (None, Some(text)) => {
                let span = humantime::parse_duration(text).ok().filter(|span| *span <= PAUSE_MAX);
                let hint = || format!("write a span as \"2h\" or \"30min\", of {} at most", days(PAUSE_MAX));
                now.after(span.ok_or_else(|| Bad::new("for", "for is no such span", &hint()))?)
            }
        };
        if until <= now || PAUSE_MAX < until.since(now) {
            let hint =
                format!("give a time between now and {} from now, or none to pause until resumed", days(PAUSE_MAX));
            return Err(Bad::new("for", &format!("a pause until {until} has no meaning"), &hint));
        }
        Ok(Some(until))
    }
}

fn days(span: Duration) -> String {
    format!("{} days", span.as_secs().div_euclid(86_400))
}

impl Lost {
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Full => "too many orders wait already",
            Self::Stopping => "the watchdog is stopping",
            Self::GivenUp => "the order was given up",
            Self::Late => "nobody can say yet whether the order counts",
        }
    }

    /// What a client of the API does about it.
    pub(super) fn hint(self) -> &'static str {
        match self {
            Self::Full => "order it again in a moment",
            Self::Stopping => "order it again when it runs",
            Self::GivenUp => "see the watchdog's log",
            Self::Late => "look at GET /api/v1/targets/NAME before you order it again; see the watchdog's log",
        }
    }

    pub(super) fn certainty(self) -> Certainty {
        match self {
            Self::Full | Self::Stopping => Certainty::NotOrdered,
            Self::GivenUp | Self::Late => Certainty::MayCount,
        }
    }
}

impl Bad {
    fn new(key: &'static str, what: &str, hint: &str) -> Self {
        Self { key, what: what.to_owned(), hint: hint.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Wall {
        Wall::from_secs(secs)
    }

    fn wish(word: &str, text: &str) -> Result<Wish, String> {
        let verb = Verb::of(word).unwrap();
        let ordered = understand(verb, text.as_bytes()).and_then(|fields| fields.command(verb, None, at(1000)));
        ordered.map(|command| command.what).map_err(|bad| bad.what)
    }

    #[test]
    fn every_order_has_its_body() {
        let said = |more: &str| format!(r#"{{"reason":"deploy","who":"ana"{more}}}"#);
        assert_eq!(wish("pause", &said("")), Ok(Wish::Pause { until: None }));
        assert_eq!(wish("pause", &said(r#","for":"2h""#)), Ok(Wish::Pause { until: Some(at(8200)) }));
        let until = Ok(Wish::Pause { until: Some(at(1_060)) });
        assert_eq!(wish("pause", &said(r#","until":"1970-01-01T00:17:40Z""#)), until);
        assert_eq!(wish("resume", &said("")), Ok(Wish::Resume));
        assert_eq!(wish("ack", &said("")), Ok(Wish::Ack));
        let approved = Wish::Approve { attempt: "19c27e14280".parse().unwrap() };
        assert_eq!(wish("approve", &said(r#","attempt":"19c27e14280""#)), Ok(approved));
        let restart = |force| Wish::Remedy { remedy: Remedy::Restart, force };
        assert_eq!(wish("restart", &said("")), Ok(restart(false)));
        assert_eq!(wish("restart", &said(r#","force":true"#)), Ok(restart(true)));
        assert_eq!(Verb::of("notify"), None);
        assert_eq!(Verb::for_all("reset"), None);
    }

    #[test]
    fn a_body_that_is_not_understood_says_why() {
        let said = |more: &str| format!(r#"{{"reason":"deploy","who":"ana"{more}}}"#);
        let wrong = [
            ("pause", String::new(), "reason is missing"),
            ("pause", r#"{"reason":"  ","who":"ana"}"#.to_owned(), "reason is missing"),
            ("pause", r#"{"reason":"deploy"}"#.to_owned(), "who is missing"),
            ("pause", said(r#","force":true"#), "force means nothing here"),
            ("resume", said(r#","for":"2h""#), "for means nothing here"),
            ("reset", said(r#","attempt":"019""#), "attempt means nothing here"),
            ("approve", said(""), "attempt is missing"),
            ("pause", said(r#","for":"2 parsecs""#), "for is no such span"),
            ("pause", said(r#","for":"2000 years""#), "for is no such span"),
            ("pause", said(r#","for":"2h","until":"2026-02-04T09:00:00Z""#), "until and for are both given"),
            ("pause", said(r#","for":"0s""#), "a pause until 1970-01-01T00:16:40.000Z has no meaning"),
        ];
        for (word, text, why) in wrong {
            assert_eq!(wish(word, &text), Err(why.to_owned()), "{text}");
        }
        for broken in [
            "[]",
            "nonsense",
            r#"{"reson":"x"}"#,
            r#"{"force":"yes"}"#,
            r#"{"attempt":"xyz"}"#,
            r#"{"until":"tomorrow"}"#,
        ] {
            let why = wish("restart", broken).unwrap_err();
            assert!(why.starts_with("the body is not understood"), "{broken}: {why}");
        }
        let long = format!(r#"{{"{}":1}}"#, "k".repeat(3000));
        assert!(wish("restart", &long).unwrap_err().len() < 200, "only the start of what came is repeated");
    }

    #[test]
    fn a_name_is_cut() {
        let text = format!(r#"{{"reason":"x","who":"{}"}}"#, "w".repeat(1000));
        let command = understand(Verb::Ack, text.as_bytes()).unwrap().command(Verb::Ack, None, at(0)).unwrap();
        assert_eq!(command.who.as_str().len(), crate::engine::sample::WORD_CHARS_MAX);
    }
}
