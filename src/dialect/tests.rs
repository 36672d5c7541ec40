//! Tests of whole dialects: the built-in files, the faults of bad ones, and that no bytes can break the reading.

use proptest::prelude::*;

use super::*;
use crate::engine::sample::{Answer, SessionState, WORD_CHARS_MAX};

/// Bodies as gateways send them, to be broken in every way.
const BODIES: [&str; 12] = [
    r#"{"connected":false,"hasQR":true,"state":"connecting","timestamp":"2026-02-04T09:00:00.000Z"}"#,
    r#"{"connected":true,"state":"open","lastDisconnect":{"statusCode":440,"message":"Stream Errored (conflict)"}}"#,
    r#"{"status":"pending","qr":"2@AAAABBBBCCCCDDDD,EEEE,FFFF=","expiresIn":"120s"}"#,
    r#"{"name":"default","status":"WORKING","me":{"id":"15550100@c.us"},"engine":{"engine":"WEBJS","state":"CONFLICT"}}"#,
    r#"[{"name":"a","status":"WORKING"},{"name":"b","status":"FAILED"}]"#,
    r#"{"success":true,"data":{"id":16548,"status":"connected","api_key":"0123456789abcdef0123456789abcdef"}}"#,
    r#"{"success":true,"data":{"status":"unknown","sessionId":"16548","qrAvailable":false}}"#,
    r#"[{"name":"shop","connectionStatus":"close","disconnectionReasonCode":401,"_count":{"Message":8123}}]"#,
    r#"{"success":false,"state":null,"message":"browser tab closed"}"#,
    r#"{"status":"QRCODE","qrcode":"data:image/png;base64,AAAA","urlcode":"2@AAAA","version":"2.8.1"}"#,
    r#"{"status":200,"code":"SUCCESS","results":{"is_connected":false,"is_logged_in":false,"jid":""}}"#,
    r#"{"message":"Too Many Attempts.","retry_after":20}"#,
];

#[test]
fn every_builtin_file_parses_under_its_own_name() {
    for (name, text) in builtins() {
        let dialect = Dialect::parse(text).unwrap_or_else(|faults| panic!("{name}: {faults:#?}"));
        assert_eq!(dialect.name(), *name);
        assert!(!dialect.title().is_empty() && !dialect.notes().is_empty(), "{name} explains itself");
        assert!(Dialect::builtin(name).is_some(), "{name}");
    }
    assert!(builtins().is_sorted() && Dialect::builtin("waha2").is_none());
}

#[test]
fn a_small_file_is_a_dialect() {
    let text = "name = 'mine'\npath = '/s'\n[[rule]]\nwhen = { '/s' = 'ok' }\nstate = 'connected'\n";
    let dialect = Dialect::parse(text).unwrap();
    let state = |body: &str| match dialect.body.read(asked(200, body.as_bytes())) {
        Reply::Answer(Answer { state, .. }) => state,
        other @ (Reply::NoAnswer(_)
        | Reply::Missing(_)
        | Reply::Refused { .. }
        | Reply::Throttled { .. }
        | Reply::Unasked(_)) => {
            panic!("{other:?}")
        }
    };
    assert_eq!([state(r#"{"s":"OK"}"#), state("{}")], [SessionState::Connected, SessionState::Unknown]);
    assert!(dialect.has(Ask::Status) && !dialect.has(Ask::Deep) && !dialect.has(Ask::Qr) && dialect.auth().is_none());
}

#[test]
fn every_fault_is_reported_at_once_with_its_line() {
    let text = r#"
titel = "x"
path = "status"
word = ["/api_key", "nowhere"]

[place]
status = "/a"
state = "a"

[facts]
last_mesage = "/at"
qr = 5

[[rule]]
when = { state = "open", "/x~" = 1 }
state = "conected"

[[rule]]
when = { status = 99, "/b" = { holds = 1 } }
outcome = "missing"
phase = "linked"

[[rule]]
when = { "/c" = { absent = true } }
state = "missing"

[[rule]]
state = "unknown"
outcome = "down"
[[rule]]
when = { "/d" = [] , "/e" = { present = true } }
state = "connected"

[[log]]
match = "(a"
state = "connected"

[[log]]
match = '(?<state>\w+)'
"#;
    let faults = Dialect::parse(text).unwrap_err();
    let shown: Vec<String> = faults.iter().map(|f| format!("{} {}: {}", f.line, f.key, f.what)).collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    1 name: is missing
    2 titel: is not a known key
    3 path: "status" does not start with '/'
    4 word: "nowhere" is neither a pointer nor a known place
    4 word: "api_key" holds a secret
    7 place.status: "status" cannot name a place
    8 place.state: "a" does not start with '/'
    11 facts.last_mesage: is not a known key
    12 facts.qr: is of type integer
    15 rule.when./x~: "/x~" has a '~' that is neither ~0 nor ~1
    16 rule.state: "conected" is not known
    19 rule.when./b.holds: is not a known key
    19 rule.when.status: is no HTTP status
    20 rule.outcome: has a phase or an effort
    24 rule.when: would hold for any answer that lacks these
    25 rule.state: is no state that an answer can have
    27 rule.when: is missing
    29 rule.outcome: stands beside a state
    31 rule.when./d: is an empty list, which nothing matches
    35 log.match: error: unclosed group
    38 log: says nothing
    "#);
    assert!(faults.iter().all(|fault| !fault.hint.is_empty()));
}

#[test]
fn text_that_is_not_toml_is_a_fault_with_its_line() {
    let faults = Dialect::parse("name = 'a'\npath = \n[place\n").unwrap_err();
    assert_eq!(faults.iter().map(|fault| fault.line).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(Dialect::parse(&"#".repeat(300_000)).unwrap_err().len(), 1);
}

#[test]
fn a_pattern_that_grows_too_large_is_a_fault() {
    let text = "name = 'a'\npath = '/'\n[[rule]]\nwhen = { '/s' = 1 }\nstate = 'connected'\n[[log]]\nmatch = '(\\w{500}){500}'\nstate = 'connected'";
    let faults = Dialect::parse(text).unwrap_err();
    assert!(faults.len() == 1 && faults[0].line == 7 && faults[0].key == "log.match", "{faults:?}");
}

proptest! {
    #[test]
    fn no_bytes_break_the_reading(bytes in any::<Vec<u8>>(), status in 0_u16..1000, header in ".{0,30}") {
        let pace = Pace { retry_after: Some(&header), rate_limit_reset: Some(&header) };
        let heard = Heard::Reply { status, pace, body: &bytes };
        for dialect in all() {
            let read = |ask| dialect.read(ask, Route::default(), Wall::default(), Duration::ZERO, heard);
            let is_poll = matches!(read(Ask::Status), Sample::Poll { .. });
            prop_assert!(is_poll);
            prop_assert!(status == 429 || matches!(read(Ask::Deep), Sample::Deep(_)));
            prop_assert!(status == 429 || matches!(read(Ask::Qr), Sample::Qr(_)));
        }
    }

    #[test]
    fn a_broken_body_neither_breaks_the_reading_nor_shows_a_secret(
        body in prop::sample::select(BODIES.to_vec()),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        status in prop::sample::select(vec![200_u16, 404, 429, 500]),
    ) {
        let mut body = body.as_bytes().to_vec();
        let at = at.index(body.len());
        body[at] = byte;
        for dialect in all() {
            let shown = format!("{:?}", dialect.body.read(asked(status, &body)));
            prop_assert!(!shown.contains("cdef0123456789") && !shown.contains("CCCCDDDD"), "{}: {shown}", dialect.name());
        }
    }

    #[test]
    fn no_line_breaks_the_log_reading(line in any::<String>()) {
        for dialect in all() {
            for line in [line.clone(), format!("State changed to: {line}"), format!("Connection closed. Reason: {line}")] {
                let signal = dialect.read_log(&line);
                prop_assert!(signal.is_none_or(|signal| signal.line.as_str().chars().count() <= WORD_CHARS_MAX));
            }
        }
    }

    #[test]
    fn what_is_kept_of_a_line_means_the_same(
        before in "(|x{0,200}|\\[12:00:01\\] |é{150,170}|token: |api_key='| \u{1b}\\[31m|k9k9k9k9k9k9k9k9k9k9k9k9k9)",
        between in "(| |\\[04.02.2026\\] |x{0,200})",
        after in "(|\u{1b}\\[0m| (after 812ms)| for 15550100123@c.us|x{0,5000})",
        which in any::<proptest::sample::Index>(),
    ) {
        let (starts, words) = (
            ["State changed to: ", "Disconnected: ", "Connection closed. Reason: ", "status_change ", "Auth failed: ", "⚠️ LOGOUT: "],
            ["CONFLICT", "LOGOUT", "OPENING", "CONNECTED", "440", "401", "expired", "Max qrcode retries reached", "DREAMING"],
        );
        let (start, word) = (which.get(&starts), which.get(&words));
        for line in [format!("{before}{start}{between}{word}{after}"), format!("{start}{word}{after}")] {
            for dialect in all() {
                let Some(signal) = dialect.read_log(&line) else { continue };
                let again = dialect.read_log(signal.line.as_str());
                prop_assert_eq!(again, Some(signal), "{} {}", dialect.name(), line);
            }
        }
    }

    #[test]
    fn no_text_breaks_the_parser(
        text in "(name|path|\\[\\[?rule\\]?\\]|when|state|=|\\{|\\}|\"|/a|\\[|\\]|\n| |,|1|true){0,60}",
    ) {
        if let Err(faults) = Dialect::parse(&text) {
            prop_assert!(!faults.is_empty() && faults.iter().all(|fault| 1 <= fault.line));
        }
    }
}

fn all() -> impl Iterator<Item = Arc<Dialect>> {
    builtins().iter().filter_map(|(name, _)| Dialect::builtin(name))
}

fn asked(status: u16, bytes: &[u8]) -> Asked<'_> {
    Asked {
        status,
        pace: Pace::default(),
        bytes,
        now: Wall::default(),
        session: Some("a"),
        path: "/status",
        token_is_of_session: false,
    }
}
