//! The written form of a recording, read: one header, then one observation a line, without copying what it quotes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::dialect::{Dialect, Heard, Pace, Route};
use crate::engine::moment::Wall;
use crate::engine::sample::{Alert, Failure, Memory, Reply, Runtime, Sample, Word};
use crate::engine::watchdog::Ask;

/// Keys of the header, or of one target in it; `config` knows their meaning.
pub(crate) type Keys = serde_json::Map<String, serde_json::Value>;

/// The first half of the header: tells whether anything else of it can be understood.
#[derive(Debug, Deserialize)]
pub(crate) struct Version {
    pub(crate) recording: u64,
}

/// The second half of the header. A line that tells that the watchdog started, or read its configuration anew, may hold one too.
#[derive(Debug, Deserialize)]
pub(crate) struct Header {
    /// The targets, by name.
    pub(crate) targets: BTreeMap<String, Keys>,
    /// What is said of all of them.
    #[serde(flatten)]
    pub(crate) all: Keys,
}

/// Every other line.
#[derive(Debug)]
pub(crate) enum Entry<'a> {
    /// Something was seen.
    Seen(Observation<'a>),
    /// The watchdog itself changed. What it watches from then on may stand on the same line, as in a header.
    Turned(Wall, Turn),
}

/// What changed about the watchdog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It started: it knows what its ledger holds, and begins to look anew.
    Started,
    /// It read its configuration anew.
    Reloaded,
}

/// One observation.
#[derive(Debug)]
pub(crate) struct Observation<'a> {
    pub(crate) at: Wall,
    pub(crate) target: Cow<'a, str>,
    pub(crate) seen: Seen<'a>,
}

/// What was observed.
#[derive(Debug)]
pub(crate) enum Seen<'a> {
    /// An endpoint was asked.
    Asked(Ask, Call<'a>),
    /// It could not be asked, by the watchdog's own fault.
    Unasked(Word),
    /// The gateway pushed its status.
    Pushed(Call<'a>),
    Memory(Memory),
    Log(Cow<'a, str>),
    Activity(u32),
    Runtime(Runtime),
    Alert(Alert),
}

/// One HTTP call and what came of it.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) latency: Duration,
    outcome: Outcome<'a>,
    /// What came of asking somebody else whether that can be true.
    checked: Option<Box<Outcome<'a>>>,
}

#[derive(Debug)]
enum Outcome<'a> {
    Reply { status: u16, headers: Headers<'a>, body: Cow<'a, str> },
    Failed(Failure),
}

impl Observation<'_> {
    /// Returns what the daemon's sources would have handed in; none where it means nothing to the dialect.
    pub(crate) fn sample(&self, dialect: &Dialect, route: Route<'_>) -> Option<Sample> {
        let read = |ask, call: &Call<'_>| dialect.read(ask, route, self.at, call.latency, call.heard());
        match &self.seen {
            Seen::Asked(ask, call) => Some(call.settled(read(*ask, call), dialect, route, self.at)),
            Seen::Unasked(why) => Some(Sample::Poll { reply: Reply::Unasked(why.clone()), latency: Duration::ZERO }),
            // What was pushed and not understood proves nothing: nobody waited for it.
            Seen::Pushed(call) => read(Ask::Status, call).answer().cloned().map(Sample::Pushed),
            Seen::Memory(memory) => Some(Sample::Memory(*memory)),
            Seen::Log(line) => dialect.read_log(line).map(Sample::Signal),
            Seen::Activity(messages) => Some(Sample::Activity(*messages)),
            Seen::Alert(alert) => Some(Sample::Alert(alert.clone())),
            Seen::Runtime(fact) => Some(Sample::Runtime(fact.clone())),
        }
    }
}

impl Call<'_> {
    /// Returns what a dialect reads.
    pub(crate) fn heard(&self) -> Heard<'_> {
        self.outcome.heard()
    }

    /// Returns what a sample means beside what else was asked.
    fn settled(&self, sample: Sample, dialect: &Dialect, route: Route<'_>, at: Wall) -> Sample {
        let (Sample::Poll { reply, latency }, Some(checked)) = (&sample, &self.checked) else { return sample };
        let Some(doubt) = dialect.doubt(route, reply, self.heard()) else { return sample };
        Sample::Poll { reply: doubt.settle(reply.clone(), at, checked.heard()), latency: *latency }
    }
}

impl Outcome<'_> {
    fn heard(&self) -> Heard<'_> {
        match self {
            Self::Failed(failure) => Heard::Failed(*failure),
            Self::Reply { status, headers, body } => Heard::Reply {
                status: *status,
                pace: Pace {
                    retry_after: headers.retry_after.as_deref(),
                    rate_limit_reset: headers.rate_limit_reset.as_deref(),
                },
                body: body.as_bytes(),
            },
        }
    }
}

/// The names that a line may hold: when, whose, and one kind of observation.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Key {
    At,
    Target,
    Poll,
    Deep,
    Qr,
    Push,
    Memory,
    Log,
    Activity,
    Runtime,
    Alert,
    Started,
    Reloaded,
    // What such a line says of the watchdog is read apart.
    Mode,
    Together,
    Fleet,
    Targets,
}

/// A text, borrowed from the line unless it holds escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCall<'a> {
    #[serde(borrow)]
    error: Option<Text<'a>>,
    #[serde(borrow)]
    unasked: Option<Text<'a>>,
    status: Option<u16>,
    #[serde(borrow, default)]
    headers: Headers<'a>,
    // A body of `null` is a body, an absent one is not.
    #[serde(borrow, default, deserialize_with = "present")]
    body: Option<&'a RawValue>,
    #[serde(default)]
    latency_ms: u64,
    #[serde(borrow)]
    checked: Option<Box<Self>>,
}

/// The headers that say when to come back; a recording may hold others.
#[derive(Debug, Default, Deserialize)]
struct Headers<'a> {
    #[serde(borrow, default, rename = "retry-after", alias = "Retry-After")]
    retry_after: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "x-ratelimit-reset", alias = "X-RateLimit-Reset")]
    rate_limit_reset: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMemory {
    used_bytes: u64,
    limit_bytes: Option<u64>,
    oom_kills: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawRuntime<'a> {
    Started(Yes),
    Died(Death),
    Version(#[serde(borrow)] Cow<'a, str>),
    OomKilled(Yes),
    Health(#[serde(borrow)] Cow<'a, str>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Death {
    exit_code: Option<i64>,
    #[serde(default)]
    oom_killed: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAlert<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    fires: bool,
}

/// `true`, or an object for what a later version may want to say.
struct Yes;

/// How many messages passed: `true` for one, or an object with `count`.
struct Passed(u32);

impl<'de> Deserialize<'de> for Entry<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an observation: at, target and what was seen")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut at, mut target, mut seen, mut turned) = (None, None, None, None);
        while let Some(key) = map.next_key()? {
            let kind = match key {
                Key::At => {
                    let Text(text) = map.next_value()?;
                    at = Some(text.parse().map_err(A::Error::custom)?);
                    continue;
                }
                Key::Target => {
                    let Text(text) = map.next_value()?;
                    target = Some(text);
                    continue;
                }
                Key::Started | Key::Reloaded => {
                    let Yes = map.next_value()?;
                    turned = Some(if matches!(key, Key::Started) { Turn::Started } else { Turn::Reloaded });
                    continue;
                }
                Key::Mode | Key::Together | Key::Fleet | Key::Targets => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                Key::Poll => poll(map.next_value()?)?,
                Key::Deep => Seen::Asked(Ask::Deep, call(map.next_value()?)?),
                Key::Qr => Seen::Asked(Ask::Qr, call(map.next_value()?)?),
                Key::Push => Seen::Pushed(call(map.next_value()?)?),
                Key::Memory => Seen::Memory(memory(&map.next_value()?)),
                Key::Log => Seen::Log(map.next_value::<Text<'_>>()?.0),
                Key::Activity => {
                    let Passed(messages) = map.next_value()?;
                    Seen::Activity(messages)
                }
                Key::Runtime => Seen::Runtime(runtime(map.next_value()?)),
                Key::Alert => {
                    let RawAlert { name, fires } = map.next_value()?;
                    Seen::Alert(Alert { name: Word::new(&name), fires })
                }
            };
            if seen.replace(kind).is_some() {
                return Err(A::Error::custom("a line holds one observation, and this one holds two"));
            }
        }
        let at = at.ok_or_else(|| A::Error::missing_field("at"))?;
        if let Some(turn) = turned {
            return Ok(Entry::Turned(at, turn));
        }
        Ok(Entry::Seen(Observation {
            at,
            target: target.ok_or_else(|| A::Error::missing_field("target"))?,
            seen: seen
                .ok_or_else(|| A::Error::custom("nothing was observed: no poll, deep, qr, push, memory, log, …"))?,
        }))
    }
}

impl<'de> Deserialize<'de> for Yes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(YesVisitor)
    }
}

struct YesVisitor;

impl<'de> Deserialize<'de> for Passed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PassedVisitor)
    }
}

struct PassedVisitor;

impl<'de> Visitor<'de> for PassedVisitor {
    type Value = Passed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true")
    }

    fn visit_bool<E: serde::de::Error>(self, yes: bool) -> Result<Passed, E> {
        YesVisitor.visit_bool(yes).map(|Yes| Passed(1))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Passed, A::Error> {
        let mut count = 1;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == "count" {
                count = map.next_value()?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Passed(count))
    }
}

impl<'de> Visitor<'de> for YesVisitor {
    type Value = Yes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true")
    }

    fn visit_bool<E: serde::de::Error>(self, yes: bool) -> Result<Yes, E> {
        if yes { Ok(Yes) } else { Err(E::invalid_value(serde::de::Unexpected::Bool(yes), &self)) }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Yes, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Yes)
    }
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

fn poll<E: serde::de::Error>(raw: RawCall<'_>) -> Result<Seen<'_>, E> {
    if let (None, None, Some(Text(why))) = (raw.status, &raw.error, &raw.unasked) {
        return Ok(Seen::Unasked(Word::new(why)));
    }
    call(raw).map(|call| Seen::Asked(Ask::Status, call))
}

fn call<E: serde::de::Error>(raw: RawCall<'_>) -> Result<Call<'_>, E> {
    if raw.unasked.is_some() {
        return Err(E::custom("only a poll can be unasked, and then nothing came of it"));
    }
    let latency = Duration::from_millis(raw.latency_ms);
    let checked = raw.checked.map(|checked| call(*checked)).transpose()?.map(|call| Box::new(call.outcome));
    let outcome = match (raw.status, raw.error) {
        (Some(status), None) => {
            Outcome::Reply { status, headers: raw.headers, body: body(raw.body).map_err(E::custom)? }
        }
        (None, Some(Text(word))) => Outcome::Failed(failure(&word).ok_or_else(|| E::unknown_variant(&word, FAILURES))?),
        (None, None) => return Err(E::custom("a call has a status or an error, and this one has none")),
        (Some(_), Some(_)) => return Err(E::custom("a call has a status or an error, and this one has both")),
    };
    Ok(Call { latency, outcome, checked })
}

/// Returns a body as it came: a JSON string holds the text itself (a proxy's page), any other value is its own text.
fn body(raw: Option<&RawValue>) -> Result<Cow<'_, str>, serde_json::Error> {
    let Some(raw) = raw else { return Ok(Cow::Borrowed("")) };
    if raw.get().starts_with('"') {
        return serde_json::from_str::<Text<'_>>(raw.get()).map(|Text(text)| text);
    }
    Ok(Cow::Borrowed(raw.get()))
}

/// The failures that a recording may name; the others are written as the HTTP status that they are.
pub(super) const FAILURES: &[&str] = &["timeout", "connection_refused", "reset", "dns", "tls", "not_json", "too_large"];

fn failure(word: &str) -> Option<Failure> {
    Failure::ALL.into_iter().find(|failure| FAILURES.contains(&word) && failure.as_str() == word)
}

fn memory(raw: &RawMemory) -> Memory {
    Memory { used_bytes: raw.used_bytes, limit_bytes: raw.limit_bytes, oom_kills: raw.oom_kills }
}

fn runtime(raw: RawRuntime<'_>) -> Runtime {
    match raw {
        RawRuntime::Started(Yes) => Runtime::Started,
        RawRuntime::Died(death) => Runtime::Died { exit_code: death.exit_code, oom_killed: death.oom_killed },
        RawRuntime::Version(version) => Runtime::VersionChanged(Word::new(&version)),
        RawRuntime::OomKilled(Yes) => Runtime::OomKilled,
        RawRuntime::Health(word) => Runtime::Health(Word::new(&word)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_its_own_text_and_a_string_holds_it() {
        check_body(r#"{"status":200,"body":{ "connected" : true }}"#, r#"{ "connected" : true }"#);
        check_body(r#"{"status":502,"body":"<h1>Bad\nGateway</h1>"}"#, "<h1>Bad\nGateway</h1>");
        check_body(r#"{"status":200,"body":[1,2]}"#, "[1,2]");
        check_body(r#"{"status":200,"body":null}"#, "null");
        check_body(r#"{"status":204}"#, "");
    }

    #[test]
    fn a_call_keeps_latency_and_the_headers_that_set_the_pace() {
        let line = line_of(
            r#""poll":{"status":429,"headers":{"Retry-After":"20","x-ratelimit-reset":"7","via":"x"},"latency_ms":12}"#,
        );
        let Seen::Asked(Ask::Status, call) = read(&line).unwrap().seen else { panic!("not a poll") };
        assert_eq!(call.latency, Duration::from_millis(12));
        let Heard::Reply { status: 429, pace, body: b"" } = call.heard() else { panic!("not a 429") };
        assert_eq!((pace.retry_after, pace.rate_limit_reset), (Some("20"), Some("7")));
    }

    #[test]
    fn every_failure_that_has_no_status_can_be_written() {
        for word in FAILURES {
            let line = line_of(&format!(r#""qr":{{"error":"{word}"}}"#));
            let Seen::Asked(Ask::Qr, call) = read(&line).unwrap().seen else { panic!("not a QR call") };
            let Heard::Failed(failure) = call.heard() else { panic!("{word} is no failure") };
            assert_eq!(failure.as_str(), *word);
        }
    }

    #[test]
    fn every_other_kind_is_read() {
        let kinds = [
            (
                r#""memory":{"used_bytes":5,"limit_bytes":9}"#,
                "Memory(Memory { used_bytes: 5, limit_bytes: Some(9), oom_kills: None })",
            ),
            (r#""poll":{"unasked":"no token"}"#, r#"Unasked(Word("no token"))"#),
            (r#""log":"State: \"CONFLICT\"""#, r#"Log("State: \"CONFLICT\"")"#),
            (r#""activity":true"#, "Activity(1)"),
            (r#""activity":{}"#, "Activity(1)"),
            (r#""activity":{"count":7,"more":[]}"#, "Activity(7)"),
            (r#""alert":{"name":"Down","fires":true}"#, r#"Alert(Alert { name: Word("Down"), fires: true })"#),
            (r#""runtime":{"started":true}"#, "Runtime(Started)"),
            (
                r#""runtime":{"died":{"exit_code":137,"oom_killed":true}}"#,
                "Runtime(Died { exit_code: Some(137), oom_killed: true })",
            ),
            (r#""runtime":{"died":{}}"#, "Runtime(Died { exit_code: None, oom_killed: false })"),
            (r#""runtime":{"version":"2.0"}"#, r#"Runtime(VersionChanged(Word("2.0")))"#),
            (r#""runtime":{"oom_killed":true}"#, "Runtime(OomKilled)"),
            (r#""runtime":{"health":"unhealthy"}"#, r#"Runtime(Health(Word("unhealthy")))"#),
        ];
        for (kind, seen) in kinds {
            assert_eq!(format!("{:?}", read(&line_of(kind)).unwrap().seen), seen);
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let faults = [
            (r#""pol":{"status":200}"#, "unknown field `pol`, expected one of `at`, `target`, `poll`"),
            (r#""poll":{"status":200,"error":"dns"}"#, "this one has both"),
            (r#""poll":{}"#, "this one has none"),
            (r#""qr":{"unasked":"no token"}"#, "only a poll can be unasked"),
            (r#""poll":{"status":200,"unasked":"no token"}"#, "only a poll can be unasked"),
            (r#""poll":{"error":"gremlins"}"#, "unknown variant `gremlins`"),
            (r#""poll":{"error":"server_error"}"#, "unknown variant `server_error`"),
            (r#""poll":{"status":70000}"#, "invalid value: integer `70000`"),
            (r#""poll":{"status":200},"log":"x""#, "this one holds two"),
            (r#""activity":false"#, "expected true"),
            (r#""runtime":{"exploded":true}"#, "unknown variant `exploded`"),
            (r#""at":"noon""#, "not a time"),
        ];
        for (kind, what) in faults {
            let error = read(&line_of(kind)).unwrap_err().to_string();
            assert!(error.contains(what), "{kind}: {error}");
        }
        assert!(read("{}").unwrap_err().to_string().contains("missing field `at`"));
        assert!(read(r#"{"at":"2026-02-04T09:00:00Z","target":"a"}"#).unwrap_err().to_string().contains("nothing was"));
        assert!(read("[]").unwrap_err().to_string().contains("expected an observation"));
    }

    fn line_of(kind: &str) -> String {
        format!(r#"{{"at":"2026-02-04T09:00:00.000Z","target":"shop",{kind}}}"#)
    }

    fn read(line: &str) -> Result<Observation<'_>, serde_json::Error> {
        match serde_json::from_slice(line.as_bytes())? {
            Entry::Seen(seen) => Ok(seen),
            Entry::Turned(..) => panic!("no observation"),
        }
    }

    #[test]
    fn a_line_may_tell_of_the_watchdog_itself() {
        let line =
            r#"{"at":"2026-02-04T09:00:00.000Z","started":true,"mode":"act","targets":{"shop":{"dialect":"waha"}}}"#;
        let Entry::Turned(at, Turn::Started) = serde_json::from_str(line).unwrap() else { panic!("no start") };
        assert_eq!(at.clock(), "09:00:00");
        let header: Header = serde_json::from_str(line).unwrap();
        assert_eq!((header.targets.len(), header.all["mode"].as_str()), (1, Some("act")));
        let line = r#"{"at":"2026-02-04T09:00:00.000Z","reloaded":true}"#;
        assert!(matches!(serde_json::from_str(line).unwrap(), Entry::Turned(_, Turn::Reloaded)));
    }

    fn check_body(poll: &str, body: &str) {
        let line = line_of(&format!(r#""poll":{poll}"#));
        let Seen::Asked(Ask::Status, call) = read(&line).unwrap().seen else { panic!("not a poll") };
        let Heard::Reply { body: seen, .. } = call.heard() else { panic!("not a reply") };
        assert_eq!(std::str::from_utf8(seen).unwrap(), body);
    }
}
