//! What is asked before it counts that a session is missing.
//!
//! A 404 may be that of a proxy, of a deploy, or of a wrong path: it counts when a route that always exists answers meanwhile. A
//! backend that swallows its vendor's errors says the same for all of them: the vendor itself knows which one it is.

use std::sync::Arc;

use serde_json::Value;

use super::pointer::Pointer;
use super::{Dialect, Heard, Route, clean};
use crate::engine::moment::Wall;
use crate::engine::sample::{Answer, Failure, Reply, SessionState, Word};

/// What a dialect says about it.
#[derive(Clone, Debug, Default)]
pub(super) struct Proofs {
    /// Path of a route that answers whatever becomes of sessions.
    pub(super) known_good: Option<String>,
    pub(super) vendor: Option<Vendor>,
}

/// Who stands behind a backend.
#[derive(Clone, Debug)]
pub(super) struct Vendor {
    /// Name of its built-in dialect.
    pub(super) dialect: String,
    /// Where the backend's answer has the session's number at the vendor.
    pub(super) session: Pointer,
}

/// What is to be asked before a reply counts.
#[derive(Clone, Debug)]
pub enum Doubt {
    /// A route of the same gateway that answers whatever becomes of sessions.
    KnownGood {
        /// Its path.
        path: String,
    },
    /// The vendor behind the gateway.
    Vendor {
        /// Its wire language.
        dialect: Arc<Dialect>,
        /// The session's number there.
        session: String,
    },
}

impl Proofs {
    /// Returns what is to be asked about a reply that says that the session is missing.
    pub(super) fn doubt(&self, session: Option<&str>, heard: Heard<'_>) -> Option<Doubt> {
        let Heard::Reply { status, body, pace: _ } = heard else { return None };
        if let Some(vendor) = &self.vendor {
            let body: Value = serde_json::from_slice(body).ok()?;
            let session = vendor.session.find(&body).and_then(number)?;
            return Some(Doubt::Vendor { dialect: Dialect::builtin(&vendor.dialect)?, session });
        }
        // Any other status comes from somebody who looked for the session.
        let path = self.known_good.as_deref().filter(|_| status == 404)?;
        Some(Doubt::KnownGood { path: super::template::fill(path, session)? })
    }
}

impl Doubt {
    /// Returns what a reply means once this was asked.
    #[must_use]
    pub fn settle(&self, reply: Reply, now: Wall, heard: Heard<'_>) -> Reply {
        match self {
            Self::KnownGood { .. } => match heard {
                Heard::Failed(failure) => Reply::NoAnswer(failure),
                Heard::Reply { status: status @ 500..=599, .. } => Reply::NoAnswer(Failure::ServerError(status)),
                // Nothing is where it should be: that says nothing about one session.
                Heard::Reply { status: 404, .. } => Reply::NoAnswer(Failure::UnexpectedStatus(404)),
                Heard::Reply { .. } => reply,
            },
            Self::Vendor { dialect, session } => {
                let route = Route { session: Some(session), status_path: None };
                by_vendor(dialect.read_status(route, now, heard), &reply)
            }
        }
    }
}

/// Joins what the backend and its vendor say.
fn by_vendor(vendor: Reply, backend: &Reply) -> Reply {
    let said = if let Reply::Missing(word) = backend { word.as_str() } else { "missing" };
    let unclear = |why: String| {
        let word = Some(clean::word(&format!("{said}; its vendor {why}")));
        Reply::Answer(Answer { state: SessionState::Unknown, word, ..Answer::default() })
    };
    match vendor {
        Reply::Missing(_) => Reply::Missing(clean::word(&format!("{said}; its vendor does not know it either"))),
        Reply::Answer(answer) => {
            let word = answer.word.as_ref().map_or(answer.state.as_str(), Word::as_str);
            let word = Some(clean::word(&format!("{said}; its vendor says {word}")));
            Reply::Answer(Answer { word, ..answer })
        }
        Reply::NoAnswer(failure) => unclear(format!("gives no answer: {failure}")),
        Reply::Refused { status, .. } => unclear(format!("refuses the token with {status}")),
        Reply::Throttled { .. } => unclear("is asked too often".to_owned()),
        Reply::Unasked(word) => unclear(format!("cannot be asked: {word}")),
    }
}

/// Returns a session's number as text.
fn number(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Pace;

    fn now() -> Wall {
        Wall::from_secs(0)
    }

    fn heard(status: u16, body: &str) -> Heard<'_> {
        Heard::Reply { status, pace: Pace::default(), body: body.as_bytes() }
    }

    fn missing() -> Reply {
        Reply::Missing(Word::new("unknown (16548)"))
    }

    #[test]
    fn a_404_counts_once_a_known_good_route_answers() {
        let dialect = Dialect::builtin("waha").unwrap();
        let route = Route { session: Some("shop"), status_path: None };
        let doubt = dialect.doubt(route, &missing(), heard(404, "{}")).unwrap();
        assert!(matches!(&doubt, Doubt::KnownGood { path } if path == "/ping"));
        for status in [200, 401, 403, 429] {
            assert_eq!(doubt.settle(missing(), now(), heard(status, "")), missing());
        }
        let no_answer = |failure| Reply::NoAnswer(failure);
        assert_eq!(doubt.settle(missing(), now(), heard(404, "")), no_answer(Failure::UnexpectedStatus(404)));
        assert_eq!(doubt.settle(missing(), now(), heard(503, "")), no_answer(Failure::ServerError(503)));
        let failed = Heard::Failed(Failure::Timeout);
        assert_eq!(doubt.settle(missing(), now(), failed), no_answer(Failure::Timeout));
    }

    #[test]
    fn nothing_else_is_in_doubt() {
        let dialect = Dialect::builtin("waha").unwrap();
        let route = Route { session: Some("shop"), status_path: None };
        assert!(dialect.doubt(route, &missing(), heard(200, "{}")).is_none());
        assert!(dialect.doubt(route, &missing(), Heard::Failed(Failure::Timeout)).is_none());
        assert!(dialect.doubt(route, &Reply::Answer(Answer::default()), heard(404, "{}")).is_none());
        assert!(Dialect::builtin("generic").unwrap().doubt(route, &missing(), heard(404, "{}")).is_none());
    }

    #[test]
    fn what_a_backend_does_not_know_its_vendor_does() {
        let dialect = Dialect::builtin("wasender-backend").unwrap();
        let body = r#"{"success":true,"data":{"status":"unknown","sessionId":16548}}"#;
        let doubt = dialect.doubt(Route::default(), &missing(), heard(200, body)).unwrap();
        let Doubt::Vendor { session, .. } = &doubt else { panic!("{doubt:?}") };
        assert_eq!(session, "16548");
        let settle = |status, body| match doubt.settle(missing(), now(), heard(status, body)) {
            Reply::Missing(word) => (SessionState::Missing, word.as_str().to_owned()),
            Reply::Answer(answer) => (answer.state, answer.word.unwrap().as_str().to_owned()),
            reply @ (Reply::NoAnswer(_) | Reply::Refused { .. } | Reply::Unasked(_) | Reply::Throttled { .. }) => {
                panic!("{reply:?}")
            }
        };
        let gone = settle(404, r#"{"success":false,"message":"Session not found"}"#);
        assert_eq!(gone, (SessionState::Missing, "unknown (16548); its vendor does not know it either".to_owned()));
        let expired = settle(200, r#"{"success":true,"data":{"id":16548,"status":"expired"}}"#);
        assert_eq!(expired, (SessionState::Expired, "unknown (16548); its vendor says expired".to_owned()));
        for (status, why) in [(502, "gives no answer: HTTP 502"), (401, "refuses the token with 401")] {
            let (state, word) = settle(status, "{}");
            assert_eq!((state, word), (SessionState::Unknown, format!("unknown (16548); its vendor {why}")));
        }
    }
}
