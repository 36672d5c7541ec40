//! The written form of a recording, written.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::wire::FAILURES;
use super::{Call, Came, Raw};
use crate::engine::moment::Wall;
use crate::engine::sample::{Failure, Runtime};
use crate::engine::target::TargetId;
use crate::engine::watchdog::Ask;

/// Writes one observation as a line, without its end.
pub(crate) fn line(at: Wall, target: &TargetId, raw: &Raw) -> String {
    // A number or a text cannot fail to be written; what could is left out, and read as an observation of nothing.
    serde_json::to_string(&Line { at, target, seen: seen(raw) }).unwrap_or_default()
}

#[derive(Serialize)]
struct Line<'a> {
    at: Wall,
    target: &'a TargetId,
    #[serde(flatten)]
    seen: Seen<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Seen<'a> {
    Poll(Told<'a>),
    Deep(Told<'a>),
    Qr(Told<'a>),
    Push(Told<'a>),
    Memory {
        used_bytes: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        limit_bytes: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        oom_kills: Option<u64>,
    },
    Log(&'a str),
    Activity(Passed),
    Runtime(Fact<'a>),
    Alert {
        name: &'a str,
        fires: bool,
    },
}

/// A call, and what else was asked about it.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    came: Written<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checked: Option<Written<'a>>,
}

/// How many messages passed.
#[derive(Serialize)]
#[serde(untagged)]
enum Passed {
    One(bool),
    Several { count: u32 },
}

#[derive(Serialize)]
#[serde(untagged)]
enum Written<'a> {
    Reply {
        status: u16,
        #[serde(skip_serializing_if = "Headers::is_empty")]
        headers: Headers<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        body: Option<Body<'a>>,
        #[serde(skip_serializing_if = "is_zero")]
        latency_ms: u64,
    },
    Failed {
        error: &'static str,
        #[serde(skip_serializing_if = "is_zero")]
        latency_ms: u64,
    },
    Unasked {
        unasked: &'a str,
    },
}

#[derive(Clone, Copy, Serialize)]
struct Headers<'a> {
    #[serde(rename = "retry-after", skip_serializing_if = "Option::is_none")]
    retry_after: Option<&'a str>,
    #[serde(rename = "x-ratelimit-reset", skip_serializing_if = "Option::is_none")]
    rate_limit_reset: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Body<'a> {
    Json(&'a RawValue),
    Text(String),
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Fact<'a> {
    Started(bool),
    Died {
        #[serde(skip_serializing_if = "Option::is_none")]
        exit_code: Option<i64>,
        oom_killed: bool,
    },
    Version(&'a str),
    OomKilled(bool),
    Health(&'a str),
}

impl Headers<'_> {
    const NONE: Self = Self { retry_after: None, rate_limit_reset: None };

    fn is_empty(&self) -> bool {
        self.retry_after.is_none() && self.rate_limit_reset.is_none()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn seen(raw: &Raw) -> Seen<'_> {
    match raw {
        Raw::Asked(Ask::Status, call) => Seen::Poll(told(call)),
        Raw::Asked(Ask::Deep, call) => Seen::Deep(told(call)),
        Raw::Asked(Ask::Qr, call) => Seen::Qr(told(call)),
        Raw::Unasked(why) => Seen::Poll(Told { came: Written::Unasked { unasked: why.as_str() }, checked: None }),
        Raw::Pushed(call) => Seen::Push(told(call)),
        Raw::Memory(memory) => {
            Seen::Memory { used_bytes: memory.used_bytes, limit_bytes: memory.limit_bytes, oom_kills: memory.oom_kills }
        }
        Raw::Log(line) => Seen::Log(line),
        Raw::Activity(1) => Seen::Activity(Passed::One(true)),
        Raw::Activity(count) => Seen::Activity(Passed::Several { count: *count }),
        Raw::Alert(alert) => Seen::Alert { name: alert.name.as_str(), fires: alert.fires },
        Raw::Runtime(Runtime::Started) => Seen::Runtime(Fact::Started(true)),
        Raw::Runtime(Runtime::Died { exit_code, oom_killed }) => {
            Seen::Runtime(Fact::Died { exit_code: *exit_code, oom_killed: *oom_killed })
        }
        Raw::Runtime(Runtime::VersionChanged(version)) => Seen::Runtime(Fact::Version(version.as_str())),
        Raw::Runtime(Runtime::OomKilled) => Seen::Runtime(Fact::OomKilled(true)),
        Raw::Runtime(Runtime::Health(word)) => Seen::Runtime(Fact::Health(word.as_str())),
    }
}

fn told(call: &Call) -> Told<'_> {
    let latency_ms = u64::try_from(call.latency.as_millis()).unwrap_or(u64::MAX);
    Told { came: written(&call.came, latency_ms), checked: call.checked.as_ref().map(|came| written(came, 0)) }
}

fn written(came: &Came, latency_ms: u64) -> Written<'_> {
    match came {
        Came::Reply { status, retry_after, rate_limit_reset, body: bytes } => {
            let (retry_after, rate_limit_reset) = (retry_after.as_deref(), rate_limit_reset.as_deref());
            let headers = Headers { retry_after, rate_limit_reset };
            Written::Reply { status: *status, headers, body: body(bytes), latency_ms }
        }
        Came::Failed(Failure::ServerError(status) | Failure::UnexpectedStatus(status)) => {
            Written::Reply { status: *status, headers: Headers::NONE, body: None, latency_ms }
        }
        Came::Failed(failure) => {
            let word = failure.as_str();
            debug_assert!(FAILURES.contains(&word), "{word} can be read");
            Written::Failed { error: word, latency_ms }
        }
    }
}

/// Returns a body as it came where it is JSON that fits on a line, else as a text that holds it. A JSON text is held by another
/// one: alone it would be taken for what it holds.
fn body(bytes: &[u8]) -> Option<Body<'_>> {
    let text = std::str::from_utf8(bytes).ok();
    let fits =
        |text: &&str| !text.starts_with('"') && text.trim_ascii().len() == text.len() && !text.contains(['\n', '\r']);
    // What is JSON only to those who pass over it would be none to a dialect.
    let json = text.filter(fits).filter(|text| serde_json::from_str::<Value>(text).is_ok());
    match json.and_then(|text| serde_json::from_str(text).ok()) {
        Some(json) => Some(Body::Json(json)),
        None if bytes.is_empty() => None,
        None => Some(Body::Text(String::from_utf8_lossy(bytes).into_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::wire::{self, Entry, Observation};
    use super::*;
    use crate::dialect::{Dialect, Heard, Route, builtins, redact_text};
    use crate::engine::sample::{Alert, Memory, Reply, Sample, Word};

    const AT: &str = "2026-02-04T09:00:00.123Z";

    fn read(line: &str) -> Observation<'_> {
        match serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")) {
            Entry::Seen(seen) => seen,
            Entry::Turned(..) => panic!("{line} is no observation"),
        }
    }

    fn write(raw: &Raw) -> String {
        line(AT.parse().unwrap(), &TargetId::new("shop").unwrap(), raw)
    }

    fn asked(ask: Ask, status: u16, body: &[u8]) -> Raw {
        let came = Came::Reply { status, retry_after: None, rate_limit_reset: None, body: body.to_vec() };
        Raw::Asked(ask, Call { latency: Duration::from_millis(7), came, checked: None })
    }

    #[test]
    fn a_line_reads_as_the_format_says() {
        let came = Came::Reply {
            status: 429,
            retry_after: Some("20".to_owned()),
            rate_limit_reset: None,
            body: br#"{"a":1}"#.to_vec(),
        };
        let call = Call { latency: Duration::from_millis(12), came, checked: None };
        let head = format!(r#"{{"at":"{AT}","target":"shop","#);
        for (raw, rest) in [
            (
                Raw::Asked(Ask::Status, call),
                r#""poll":{"status":429,"headers":{"retry-after":"20"},"body":{"a":1},"latency_ms":12}}"#,
            ),
            (
                Raw::Asked(
                    Ask::Deep,
                    Call { latency: Duration::ZERO, came: Came::Failed(Failure::Timeout), checked: None },
                ),
                r#""deep":{"error":"timeout"}}"#,
            ),
            (asked(Ask::Qr, 204, b""), r#""qr":{"status":204,"latency_ms":7}}"#),
            (Raw::Unasked(Word::new("no token")), r#""poll":{"unasked":"no token"}}"#),
            (
                Raw::Memory(Memory { used_bytes: 5, limit_bytes: None, oom_kills: Some(0) }),
                r#""memory":{"used_bytes":5,"oom_kills":0}}"#,
            ),
            (Raw::Log("a \"b\"".to_owned()), r#""log":"a \"b\""}"#),
            (Raw::Activity(1), r#""activity":true}"#),
            (Raw::Activity(7), r#""activity":{"count":7}}"#),
            (Raw::Runtime(Runtime::OomKilled), r#""runtime":{"oom_killed":true}}"#),
            (Raw::Runtime(Runtime::Health(Word::new("unhealthy"))), r#""runtime":{"health":"unhealthy"}}"#),
            (Raw::Alert(Alert { name: Word::new("Down"), fires: true }), r#""alert":{"name":"Down","fires":true}}"#),
            (Raw::Runtime(Runtime::Started), r#""runtime":{"started":true}}"#),
            (
                Raw::Runtime(Runtime::Died { exit_code: Some(137), oom_killed: true }),
                r#""runtime":{"died":{"exit_code":137,"oom_killed":true}}}"#,
            ),
            (Raw::Runtime(Runtime::VersionChanged(Word::new("2.0"))), r#""runtime":{"version":"2.0"}}"#),
        ] {
            assert_eq!(write(&raw), format!("{head}{rest}"));
        }
    }

    #[test]
    fn what_settled_a_doubt_is_read_with_it() {
        let reply = |status| Came::Reply { status, retry_after: None, rate_limit_reset: None, body: b"{}".to_vec() };
        let waha = Dialect::builtin("waha").unwrap();
        let route = Route { session: Some("shop"), status_path: None };
        let sample = |checked: Option<Came>| {
            let call = Call { latency: Duration::ZERO, came: reply(404), checked };
            let line = write(&Raw::Asked(Ask::Status, call));
            let sample = read(&line).sample(&waha, route).unwrap();
            let Sample::Poll { reply, .. } = sample else { panic!("{sample:?}") };
            reply
        };
        assert!(matches!(sample(None), Reply::Missing(_)));
        assert!(matches!(sample(Some(reply(200))), Reply::Missing(_)));
        assert_eq!(sample(Some(reply(404))), Reply::NoAnswer(Failure::UnexpectedStatus(404)));
        assert_eq!(sample(Some(Came::Failed(Failure::Timeout))), Reply::NoAnswer(Failure::Timeout));
    }

    fn body_of(line: &str) -> Vec<u8> {
        let wire::Seen::Asked(_, call) = read(line).seen else { panic!("{line}: nothing was asked") };
        let Heard::Reply { body, .. } = call.heard() else { panic!("{line}: no answer") };
        body.to_vec()
    }

    #[test]
    fn a_body_comes_back_byte_for_byte() {
        for body in [
            r#"{ "connected" : true }"#,
            "",
            " ",
            "null",
            "12",
            r#""connected""#,
            "{\n  \"a\": 1\n}",
            " {}",
            "{}\n",
            "<h1>Bad\nGateway</h1>",
            "\u{feff}{\"a\":1}",
            r#"{"a":"\ud800"}"#,
            r#"{"a":1}}"#,
            &"[".repeat(200),
            &format!("{}{}", "[".repeat(130), "]".repeat(130)),
        ] {
            assert_eq!(String::from_utf8(body_of(&write(&asked(Ask::Status, 200, body.as_bytes())))).unwrap(), body);
        }
        assert_eq!(body_of(&write(&asked(Ask::Status, 200, b"a\xffb"))), "a\u{fffd}b".as_bytes());
    }

    fn without_latency(sample: Option<Sample>) -> Option<Sample> {
        match sample {
            Some(Sample::Poll { reply, latency: _ }) => Some(Sample::Poll { reply, latency: Duration::ZERO }),
            other => other,
        }
    }

    fn body_strategy() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..60),
            any::<String>().prop_map(String::into_bytes),
            any::<String>().prop_map(|text| Value::from(text).to_string().into_bytes()),
            (prop::sample::select(vec!["connected", "state", "status", "message", "error", "qr"]), any::<String>())
                .prop_map(|(key, text)| serde_json::to_vec_pretty(&serde_json::json!({ key: text })).unwrap()),
        ]
    }

    fn came() -> impl Strategy<Value = Came> {
        let text = || prop::option::of(any::<String>());
        let reply = (100..600_u16, text(), text(), body_strategy()).prop_map(
            |(status, retry_after, rate_limit_reset, body)| Came::Reply { status, retry_after, rate_limit_reset, body },
        );
        let failed = prop::sample::select(Failure::ALL.to_vec())
            .prop_filter("a status is a reply", |failure| FAILURES.contains(&failure.as_str()))
            .prop_map(Came::Failed);
        prop_oneof![4 => reply, 1 => failed]
    }

    proptest! {
        // Each is read by every dialect.
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn whatever_comes_reads_the_same_once_it_was_written(came in came(), ms in 0..100_000_u64, which in 0..3_usize) {
            let ask = [Ask::Status, Ask::Deep, Ask::Qr][which];
            let at: Wall = AT.parse().unwrap();
            let call = Call { latency: Duration::from_millis(ms), came, checked: None };
            let line = write(&Raw::Asked(ask, call.clone()));
            prop_assert!(!line.contains('\n'));
            for (name, _) in builtins() {
                let dialect = Dialect::builtin(name).unwrap();
                let direct = dialect.read(ask, Route::default(), at, call.latency, call.came.heard());
                prop_assert_eq!(read(&line).sample(&dialect, Route::default()), Some(direct));
            }
        }

        #[test]
        fn no_body_breaks_the_redaction(body in body_strategy()) {
            let dialect = Dialect::builtin("generic").unwrap();
            let redacted = dialect.redact(&body, None, &hash);
            prop_assert_eq!(
                serde_json::from_slice::<Value>(&body).is_ok(),
                serde_json::from_slice::<Value>(&redacted).is_ok()
            );
        }
    }

    fn hash(text: &str) -> u64 {
        text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }

    /// The marks of QR codes differ, and are compared apart.
    fn shown(sample: Option<Sample>) -> String {
        let text = format!("{:?}", without_latency(sample));
        regex::Regex::new(r"QrMark\(\d+\)").unwrap().replace_all(&text, "QrMark").into_owned()
    }

    fn check_redacted(dialect: &Dialect, route: Route<'_>, raw: Raw, as_it_was: &str) {
        let session = route.session.map(|session| redact_text(session, &hash).into_owned());
        let safe = write(&raw.redacted(dialect, route.session, &hash));
        let route_after = Route { session: session.as_deref(), ..route };
        let (before, after) = (read(as_it_was).sample(dialect, route), read(&safe).sample(dialect, route_after));
        assert_eq!(shown(before), shown(after), "{as_it_was}\n{safe}");
    }

    #[test]
    fn what_was_redacted_reads_the_same_in_every_recording() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
        let mut bodies = BTreeSet::new();
        for file in fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
            if file.extension().is_none_or(|extension| extension != "jsonl") {
                continue;
            }
            let text = fs::read_to_string(file).unwrap();
            let header: wire::Header = serde_json::from_str(text.lines().next().unwrap()).unwrap();
            let keys = &header.targets["shop"];
            let dialect = Dialect::builtin(keys["dialect"].as_str().unwrap()).unwrap();
            let (session, path) = (keys.get("session").and_then(Value::as_str), keys.get("status_path"));
            let route = Route { session, status_path: path.and_then(Value::as_str) };
            for line in text.lines().skip(1) {
                let seen = read(line);
                let raw = match &seen.seen {
                    wire::Seen::Asked(ask, call) => match call.heard() {
                        Heard::Reply { status, body, .. } => asked(*ask, status, body),
                        Heard::Failed(_) => continue,
                    },
                    wire::Seen::Log(line) => Raw::Log(line.clone().into_owned()),
                    wire::Seen::Unasked(_)
                    | wire::Seen::Pushed(_)
                    | wire::Seen::Memory(_)
                    | wire::Seen::Activity(_)
                    | wire::Seen::Alert(_)
                    | wire::Seen::Runtime(_) => continue,
                };
                if line.contains("retry-after") {
                    continue;
                }
                bodies.insert(line.to_owned());
                check_redacted(&dialect, route, raw, line);
            }
        }
        assert!(400 < bodies.len(), "{} bodies", bodies.len());
    }

    #[test]
    fn a_session_that_is_a_phone_number_is_found_in_a_list() {
        let dialect = Dialect::builtin("evolution").unwrap();
        let route = Route { session: Some("15550100123"), status_path: Some("/instance/fetchInstances") };
        for body in [
            r#"[{"name":"15550100124","connectionStatus":"open"},{"name":"15550100123","connectionStatus":"close"}]"#,
            r#"[{"id":15550100124,"connectionStatus":"open"},{"id":15550100123,"connectionStatus":"close"}]"#,
        ] {
            let raw = asked(Ask::Status, 200, body.as_bytes());
            check_redacted(&dialect, route, raw.clone(), &write(&raw));
            let safe = write(&raw.redacted(&dialect, route.session, &hash));
            assert!(!safe.contains("15550100123"), "{safe}");
        }
    }

    #[test]
    fn a_code_that_changes_still_changes_and_one_that_stays_stays() {
        let dialect = Dialect::builtin("waha").unwrap();
        let mark = |code: &str| {
            let raw = asked(Ask::Qr, 200, format!(r#"{{"value":"{code}"}}"#).as_bytes());
            let line = write(&raw.redacted(&dialect, None, &hash));
            assert!(!line.contains(code), "{line}");
            match read(&line).sample(&dialect, Route::default()) {
                Some(Sample::Qr(Some(mark))) => mark,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(mark("2@AAAA,BBBB="), mark("2@AAAA,BBBB="));
        assert_ne!(mark("2@AAAA,BBBB="), mark("2@AAAA,BBBC="));
        assert_ne!(mark("some other form of code"), mark("some other form of kode"));
    }
}
