//! What a replay tells of a recording, and what it says of a bad one.
#![expect(clippy::expect_used, reason = "a test may fail loudly")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use wa_watchdog::config;
use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::policy::{FleetLimits, Limits, TOGETHER, Watch};
use wa_watchdog::engine::refusal::Refusal;
use wa_watchdog::engine::{TargetId, Wall};
use wa_watchdog::replay::{
    Difference, LINE_BYTES_MAX, Line, News, Options, PROGRESS_LINES, Replayed, Summary, Thresholds, replay,
};

const GOOD: &str = r#""poll":{"status":200,"body":{"connected":true,"hasQR":false}}"#;
const REFUSED: &str = r#""poll":{"error":"connection_refused"}"#;

#[test]
fn an_outage_is_told_and_its_end() {
    let mut recording = Tape::new(r#"{"shop":{"dialect":"whatsapp-service","poll_every":"15s"}}"#);
    recording.polls("shop", 8, GOOD).polls("shop", 12, REFUSED).polls("shop", 16, GOOD);
    let told = told(&recording.text, &Options::default());
    let events: Vec<(&str, &str)> = told.json.iter().map(|line| (word(line, "event"), word(line, "pattern"))).collect();
    assert_eq!(events, [("verdict", "unreachable"), ("remedy", ""), ("recovered", "unreachable"), ("summary", "")]);
    assert_eq!((word(&told.json[1], "remedy"), word(&told.json[1], "outcome")), ("restart", "would_run"));
    assert_eq!(word(&told.json[0], "remedy"), "restart");
    assert_eq!(word(&told.json[0], "target"), "shop");
    assert_eq!(told.summary.observations, 36);
    assert_eq!((told.summary.incidents, told.summary.open), (1, 0));
    assert!(told.text.contains("unreachable, restart fits first: "), "{}", told.text);
    assert!(told.text.ends_with("36 observations over 8 min 45 s, 1 incident, 1 restart\n"), "{}", told.text);
}

#[test]
fn targets_of_one_recording_are_judged_apart() {
    let mut recording = Tape::new(
        r#"{"a":{"dialect":"whatsapp-service","poll_every":"15s"},"b":{"dialect":"waha","poll_every":"15s"}}"#,
    );
    for _ in 0..20 {
        recording.line("a", REFUSED).line("b", r#""poll":{"status":200,"body":{"name":"default","status":"WORKING"}}"#);
        recording.wait(15);
    }
    let told = told(&recording.text, &Options::default());
    assert_eq!(told.json.len(), 3, "{}", told.text);
    assert_eq!((word(&told.json[0], "target"), word(&told.json[0], "pattern")), ("a", "unreachable"));
    assert!(told.text.ends_with("1 incident, 1 still open, 1 restart\n"), "{}", told.text);
}

#[test]
fn every_kind_of_observation_reaches_the_engine() {
    let mut recording = Tape::new(r#"{"shop":{"dialect":"whatsapp-service","poll_every":"15s"}}"#);
    for kind in [
        GOOD,
        r#""push":{"status":200,"body":{"connected":true,"hasQR":false}}"#,
        r#""push":{"status":200,"body":"<p>hello</p>"}"#,
        r#""deep":{"status":200,"body":{}}"#,
        r#""qr":{"status":200,"body":{"status":"pending","qr":"2@ABC"}}"#,
        r#""log":"just a line""#,
        r#""activity":true"#,
        r#""runtime":{"version":"2.1"}"#,
        r#""runtime":{"died":{"exit_code":137,"oom_killed":true}}"#,
    ] {
        recording.line("shop", kind).wait(5);
    }
    let told = told(&recording.text, &Options::default());
    assert_eq!(told.summary.observations, 9);
    assert_eq!(word(&told.json[0], "pattern"), "memory_pressure", "{}", told.text);
}

#[test]
fn a_pushed_status_counts_as_one_that_was_asked() {
    let pushed = |body: &str| {
        let mut recording = Tape::new(r#"{"shop":{"dialect":"whatsapp-service","poll_every":"15s"}}"#);
        for _ in 0..60 {
            recording.line("shop", &format!(r#""push":{{"status":200,"body":{body}}}"#)).wait(15);
        }
        told(&recording.text, &Options::default()).summary.incidents
    };
    assert_eq!(pushed(r#"{"connected":true,"hasQR":false}"#), 0);
    assert_eq!(pushed(r#"{"connected":false,"hasQR":false}"#), 1);
}

#[test]
fn time_that_goes_back_counts_as_no_time_passed() {
    let mut recording = Tape::new(r#"{"shop":{"dialect":"whatsapp-service","poll_every":"15s"}}"#);
    recording.line("shop", GOOD).wait(60).line("shop", GOOD).wait(-30).line("shop", GOOD).wait(40).line("shop", GOOD);
    let told = told(&recording.text, &Options::default());
    assert_eq!((told.summary.clock_back, told.summary.span), (1, Duration::from_secs(70)));
    assert!(told.text.contains("the clock went back 1 time"), "{}", told.text);
}

#[test]
fn thresholds_of_a_configuration_replace_those_of_the_recording() {
    let mut recording =
        Tape::new(r#"{"shop":{"dialect":"whatsapp-service","poll_every":"15s"},"b":{"dialect":"waha"}}"#);
    recording.polls("shop", 8, GOOD).polls("shop", 20, REFUSED);
    let patient = |shop: bool| {
        let mut limits = Limits::default();
        limits.unreachable.lasts = Duration::from_hours(1);
        let watch = Watch { limits: Arc::new(limits.clone()), ..Watch::default() };
        let named = shop.then(|| (id("shop"), watch));
        let defaults = if shop { Limits::default() } else { limits };
        let instead = Thresholds { targets: BTreeMap::from_iter(named), ..thresholds(defaults) };
        Options { instead: Some(instead), beside: None }
    };
    assert_eq!(told(&recording.text, &Options::default()).summary.incidents, 1);
    assert_eq!(told(&recording.text, &patient(true)).summary.incidents, 0);
    assert_eq!(told(&recording.text, &patient(false)).summary.incidents, 0);
}

#[test]
fn a_configuration_gives_thresholds_by_target_and_by_default() {
    let text = r#"
        [policy.unreachable]
        lasts = "20m"
        [target.shop]
        dialect = "whatsapp-service"
        url = "http://localhost:3001"
        [target.shop.policy.unreachable]
        lasts = "30m"
    "#;
    let settings = config::parse(text, "test", Path::new("."), &BTreeMap::new()).expect("a good configuration");
    let thresholds = Thresholds::of(&settings);
    assert_eq!(thresholds.targets[&id("shop")].limits.unreachable.lasts, Duration::from_mins(30));
    assert_eq!(thresholds.defaults.unreachable.lasts, Duration::from_mins(20));
}

#[test]
fn the_pace_of_a_recording_is_a_fact_and_no_threshold() {
    // Ten minutes between polls: with another target's 15 s each of them would look like a silence that starts all anew.
    let mut recording = Tape::new(r#"{"shop":{"dialect":"whatsapp-service","poll_every":"10m"}}"#);
    for poll in [GOOD, GOOD, REFUSED, REFUSED, REFUSED, REFUSED] {
        recording.line("shop", poll).wait(600);
    }
    let options = Options { instead: Some(thresholds(Limits::default())), beside: None };
    assert_eq!(told(&recording.text, &options).summary.incidents, 1);
}

#[test]
fn what_is_due_and_refused_is_told_with_its_reason() {
    let mut recording = Tape::new(r#"{"shop":{"dialect":"whatsapp-service","poll_every":"15s"}}"#);
    // A restart, which the recording does not heed; the second one within the cooldown, the last one beyond the budget.
    recording.polls("shop", 8, GOOD).polls("shop", 4 * 60 * 20, REFUSED);
    let told = told(&recording.text, &Options::default());
    assert_eq!(told.summary.remedies, BTreeMap::from([(Remedy::Restart, 3)]));
    assert_eq!(told.summary.refused.get(&Refusal::Budget), Some(&1), "{}", told.text);
    assert!(
        told.text.contains("shop  restart refused, budget: the budget is spent: 3 of 3 attempts in 1 d\n"),
        "{}",
        told.text
    );
}

#[test]
fn another_policy_is_compared_with_the_one_before() {
    let mut recording = Tape::new(r#"{"shop":{"dialect":"whatsapp-service","poll_every":"15s"}}"#);
    recording.polls("shop", 8, GOOD).polls("shop", 4 * 60 * 3, REFUSED);
    let mut patient = Limits::default();
    patient.unreachable.lasts = Duration::from_hours(4);
    let options = Options { instead: Some(thresholds(patient)), beside: None };
    let told = told(&recording.text, &options);
    let difference = Difference { before: told.beside.expect("two policies"), after: told.summary };
    let mut text = Vec::new();
    Line::Difference(difference).write_text(None, &mut text).expect("memory takes it");
    insta::assert_snapshot!(String::from_utf8(text).expect("text"), @r"
                                  before   after
    incidents                          1       0      -1
    open                               1       0      -1
    reconnect                          0       0
    restart                            1       0      -1
    reset                              0       0
    ");
}

#[test]
fn a_bad_recording_is_refused_with_file_line_and_reason() {
    let header = r#"{"recording":1,"targets":{"shop":{"dialect":"whatsapp-service","poll_every":"15s"}}}"#;
    let good = format!(r#"{{"at":"2026-02-04T09:00:00Z","target":"shop",{GOOD}}}"#);
    let after = |line: &str| format!("{header}\n{good}\n\n{line}");
    let cases = [
        (String::new(), "tape:1: no header: the first line must read"),
        ("\n\n".to_owned(), "tape:3: no header"),
        (good.clone(), "tape:1: no header"),
        ("PNG".to_owned(), "tape:1: no header"),
        (r#"{"recording":2}"#.to_owned(), "tape:1: version 2 of the recording format is not known"),
        (r#"{"recording":1}"#.to_owned(), "missing field `targets`"),
        (r#"{"recording":1,"targets":{"a b":{"dialect":"waha"}}}"#.to_owned(), "tape:1: \"a b\" cannot name a target"),
        (r#"{"recording":1,"targets":{"a":{"dialect":"nokia"}}}"#.to_owned(), "tape:1: target a: dialect"),
        (r#"{"recording":1,"targets":{"a":{"dialect":"waha","poll_evry":"1s"}}}"#.to_owned(), "poll_evry"),
        (after(r#"{"at":"2026-02-04T09:00:00Z","#), "tape:4: column 29: EOF while parsing"),
        (after(r#"{"at":"2026-02-04T09:00:00Z","target":"shop","pol":{}}"#), "tape:4: column 50: unknown field `pol`"),
        (after(r#"{"at":"noon","target":"shop","activity":true}"#), "tape:4: column 12: \"noon\" is not a time"),
        (
            after(r#"{"at":"2026-02-04T09:00:00Z","target":"b","activity":true}"#),
            "tape:4: target \"b\" is not in the header",
        ),
        (after(header), "tape:4: column 12: unknown field `recording`"),
    ];
    for (text, reason) in cases {
        let fault = replay(text.as_bytes(), "tape", &Options::default(), &mut |_| {}).expect_err(reason);
        assert!(fault.to_string().contains(reason), "{fault}");
    }
    let endless = format!("{header}\n{}", "x".repeat(usize::try_from(LINE_BYTES_MAX).expect("a small limit")));
    let fault = replay(endless.as_bytes(), "tape", &Options::default(), &mut |_| {}).expect_err("too long");
    assert_eq!(fault.to_string(), "tape:2: the line is longer than 16 MiB");
}

#[test]
fn a_recording_without_observations_is_calm() {
    let recording = Tape::new("{}");
    assert_eq!(told(&recording.text, &Options::default()).summary, Summary::default());
}

#[test]
fn a_long_recording_reports_how_far_it_is() {
    let mut recording = Tape::new(r#"{"shop":{"dialect":"whatsapp-service","poll_every":"15s"}}"#);
    recording.polls("shop", usize::try_from(PROGRESS_LINES).expect("a small number"), GOOD);
    let mut progress = Vec::new();
    let mut out = |news| {
        if let News::Progress(so_far) = news {
            progress.push(so_far);
        }
    };
    replay(recording.text.as_bytes(), "tape", &Options::default(), &mut out).expect("well formed");
    let [so_far] = progress[..] else { panic!("{progress:?}") };
    assert_eq!(so_far.lines, PROGRESS_LINES);
    assert!(recording.text.len() - 200 < usize::try_from(so_far.bytes).expect("small"));
}

/// A recording in the making.
struct Tape {
    text: String,
    now: Wall,
}

impl Tape {
    fn new(targets: &str) -> Self {
        let now = "2026-02-04T09:00:00Z".parse().expect("a time");
        Self { text: format!("{{\"recording\":1,\"targets\":{targets}}}\n"), now }
    }

    fn line(&mut self, target: &str, kind: &str) -> &mut Self {
        writeln!(self.text, r#"{{"at":"{}","target":"{target}",{kind}}}"#, self.now).expect("a string takes it");
        self
    }

    fn wait(&mut self, secs: i64) -> &mut Self {
        self.now = Wall::from_millis(self.now.millis().saturating_add(secs.saturating_mul(1000)));
        self
    }

    fn polls(&mut self, target: &str, times: usize, kind: &str) -> &mut Self {
        (0..times).fold(self, |tape, _| tape.line(target, kind).wait(15))
    }
}

struct Told {
    json: Vec<serde_json::Value>,
    text: String,
    summary: Summary,
    beside: Option<Summary>,
}

fn thresholds(defaults: Limits) -> Thresholds {
    Thresholds { targets: BTreeMap::new(), defaults, together: TOGETHER, fleet: FleetLimits::default() }
}

fn told(recording: &str, options: &Options) -> Told {
    let mut lines = Vec::new();
    let mut keep = |news| {
        if let News::Line(line) = news {
            lines.push(line);
        }
    };
    let Replayed { summary, beside } = replay(recording.as_bytes(), "tape", options, &mut keep).expect("well formed");
    lines.push(Line::Summary(summary.clone()));
    let (mut json, mut text) = (Vec::new(), Vec::new());
    for line in &lines {
        line.write_json(None, &mut json).expect("memory takes it");
        line.write_text(None, &mut text).expect("memory takes it");
    }
    let json = String::from_utf8(json).expect("text");
    Told {
        json: json.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect(),
        text: String::from_utf8(text).expect("text"),
        summary,
        beside,
    }
}

fn word<'a>(line: &'a serde_json::Value, key: &str) -> &'a str {
    line.get(key).and_then(serde_json::Value::as_str).unwrap_or_default()
}

fn id(name: &str) -> TargetId {
    TargetId::new(name).expect("a plain name")
}
