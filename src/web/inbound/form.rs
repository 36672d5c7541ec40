//! The forms in which gateways push, turned into what their status routes would have answered. What else stands in them, keys and
//! QR texts among it, is left behind here.

use hyper::body::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::PushKind;
use crate::config::Target;
use crate::engine::moment::Wall;

/// Most messages that one post may tell of.
const MESSAGES_MAX: u32 = 10_000;
/// Numbers of a time below this are seconds, those above milliseconds.
const SECONDS_END: i64 = 100_000_000_000;

/// What a gateway said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// How the session is.
    Said {
        /// As its status route would have answered.
        body: Vec<u8>,
        /// When, by its own clock.
        at: Option<Wall>,
    },
    /// It is about something else, or about another session.
    Other,
}

/// Messages that passed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Passed {
    /// When the last of them did.
    pub(super) at: Option<Wall>,
    /// How many.
    #[serde(default = "one")]
    pub(super) count: u32,
}

#[derive(Deserialize)]
struct Lines {
    lines: Vec<String>,
}

fn one() -> u32 {
    1
}

/// Reads a webhook; none where it is no JSON object.
pub(super) fn status(kind: PushKind, target: &Target, text: Bytes) -> Option<Form> {
    if kind == PushKind::Plain {
        return Some(Form::Said { body: text.into(), at: None });
    }
    let whole: Value = serde_json::from_slice(&text).ok().filter(Value::is_object)?;
    let session = target.session.as_deref();
    let body = match kind {
        PushKind::Wasender => wasender(&whole, session),
        PushKind::Waha => waha(&whole, session),
        PushKind::Evolution => evolution(&whole, session),
        PushKind::Plain | PushKind::Activity | PushKind::Log | PushKind::Alertmanager => None,
    };
    let said = |body: Value| Form::Said { body: body.to_string().into_bytes(), at: time(&whole) };
    Some(body.map_or(Form::Other, said))
}

/// Reads how many messages passed; a body that is empty says one.
pub(super) fn activity(text: &[u8]) -> Option<Passed> {
    if text.trim_ascii().is_empty() {
        return Some(Passed { at: None, count: 1 });
    }
    serde_json::from_slice(text).ok().filter(|passed: &Passed| (1..=MESSAGES_MAX).contains(&passed.count))
}

/// Reads lines of a log.
pub(super) fn lines(text: &[u8]) -> Option<Vec<String>> {
    serde_json::from_slice(text).ok().map(|Lines { lines }| lines)
}

/// `session.status`, and `qrcode.updated`: a new code is shown to a person.
fn wasender(whole: &Value, session: Option<&str>) -> Option<Value> {
    // The session's number, where it is one: `sessionId` is its key.
    let other = whole.pointer("/data/session_id").and_then(number);
    if other.zip(session).is_some_and(|(other, session)| is_number(session) && other != session) {
        return None;
    }
    match event(whole)?.as_str() {
        "session.status" => Some(json!({ "data": { "status": text(whole, "/data/status")? } })),
        "qrcode.updated" => Some(json!({ "data": { "status": "need_scan" } })),
        _ => None,
    }
}

fn waha(whole: &Value, session: Option<&str>) -> Option<Value> {
    let name = text(whole, "/session");
    if event(whole)? != "session.status" || is_other(name, session) {
        return None;
    }
    Some(json!({ "name": name, "status": text(whole, "/payload/status")? }))
}

fn evolution(whole: &Value, session: Option<&str>) -> Option<Value> {
    let name = text(whole, "/instance").or_else(|| text(whole, "/data/instance"));
    if event(whole)? != "connection.update" || is_other(name, session) {
        return None;
    }
    let (state, reason) = (text(whole, "/data/state")?, whole.pointer("/data/statusReason"));
    let mut instance = json!({ "instanceName": name, "state": state });
    if let (Some(reason), Some(instance)) = (reason.filter(|reason| reason.is_number()), instance.as_object_mut()) {
        instance.insert("disconnectionReasonCode".to_owned(), reason.clone());
    }
    Some(json!({ "instance": instance }))
}

/// Returns the name of an event as all versions mean it: `CONNECTION_UPDATE` is `connection.update`.
fn event(whole: &Value) -> Option<String> {
    text(whole, "/event").map(|event| event.to_lowercase().replace('_', "."))
}

fn is_other(name: Option<&str>, session: Option<&str>) -> bool {
    name.zip(session).is_some_and(|(name, session)| name != session)
}

fn text<'a>(whole: &'a Value, pointer: &str) -> Option<&'a str> {
    whole.pointer(pointer)?.as_str()
}

fn number(value: &Value) -> Option<String> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    is_number(&text).then_some(text)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns when something was sent, in seconds or milliseconds.
fn time(whole: &Value) -> Option<Wall> {
    let number = whole.get("timestamp")?.as_i64().filter(|number| 0 < *number)?;
    Some(if number < SECONDS_END { Wall::from_secs(number) } else { Wall::from_millis(number) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: fn(&Value, Option<&str>) -> Option<Value>, session: &str, text: &str) -> Option<String> {
        let whole = serde_json::from_str(text).unwrap();
        form(&whole, Some(session).filter(|session| !session.is_empty())).map(|body| body.to_string())
    }

    #[test]
    fn both_forms_of_wasender_are_read_and_no_key_is_kept() {
        let connected = Some(r#"{"data":{"status":"connected"}}"#.to_owned());
        let of = |session: &str, text: &str| read(wasender, session, text);
        let current = r#"{"event":"session.status","sessionId":"k3y","data":{"status":"connected"}}"#;
        let older =
            r#"{"event":"session.status","timestamp":1770195600,"data":{"status":"connected","session_id":"16548"}}"#;
        assert_eq!(of("", current), connected);
        assert_eq!(of("16548", current), connected);
        assert_eq!(of("16548", older), connected);
        assert_eq!(of("16549", older), None, "of another session");
        assert_eq!(of("16549", &older.replace("16548", "a-key")), connected, "nobody knows whose key that is");
        let code = r#"{"event":"qrcode.updated","sessionId":"k3y","data":{"qr":"2@c0de"}}"#;
        assert_eq!(of("16548", code).as_deref(), Some(r#"{"data":{"status":"need_scan"}}"#));
        for nothing in
            [r#"{"event":"messages.upsert","data":{"status":"connected"}}"#, r#"{"event":"session.status"}"#, "{}"]
        {
            assert_eq!(of("", nothing), None, "{nothing}");
        }
    }

    #[test]
    fn waha_and_evolution_are_read_of_their_own_session() {
        let working =
            r#"{"event":"session.status","session":"default","payload":{"status":"WORKING"},"me":{"id":"1@c.us"}}"#;
        assert_eq!(read(waha, "default", working).as_deref(), Some(r#"{"name":"default","status":"WORKING"}"#));
        assert_eq!(read(waha, "other", working), None);
        assert_eq!(read(waha, "default", &working.replace("session.status", "message")), None);
        let closed = r#"{"event":"connection.update","instance":"shop","apikey":"k3y","data":{"state":"close","statusReason":401}}"#;
        let expected = r#"{"instance":{"disconnectionReasonCode":401,"instanceName":"shop","state":"close"}}"#;
        assert_eq!(read(evolution, "shop", closed).as_deref(), Some(expected));
        let shouted = closed.replace("connection.update", "CONNECTION_UPDATE").replace(r#""instance":"shop","#, "");
        assert!(read(evolution, "shop", &shouted).is_some());
        assert_eq!(read(evolution, "other", closed), None);
    }

    #[test]
    fn times_are_seconds_or_milliseconds() {
        let of = |text: &str| time(&serde_json::from_str(text).unwrap()).map(Wall::millis);
        assert_eq!(of(r#"{"timestamp":1770195600}"#), Some(1_770_195_600_000));
        assert_eq!(of(r#"{"timestamp":1770195600123}"#), Some(1_770_195_600_123));
        for none in ["{}", r#"{"timestamp":null}"#, r#"{"timestamp":-5}"#, r#"{"timestamp":"noon"}"#] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[test]
    fn messages_are_counted_from_one() {
        let of = |text: &str| activity(text.as_bytes()).map(|passed| (passed.count, passed.at.map(Wall::millis)));
        assert_eq!(of(" \n"), Some((1, None)));
        assert_eq!(of("{}"), Some((1, None)));
        assert_eq!(of(r#"{"count":7,"at":"1970-01-01T00:00:01Z"}"#), Some((7, Some(1000))));
        for wrong in
            ["x", "[]x", r#"{"count":0}"#, r#"{"count":-1}"#, r#"{"count":10001}"#, r#"{"at":"noon"}"#, r#"{"n":1}"#]
        {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
