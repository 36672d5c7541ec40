//! Scores the watchdog on labelled recordings, as they are and with polls lost, delayed and shifted in phase.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    reason = "a test may fail loudly, and a score is there to be read"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use wa_watchdog::engine::Wall;
use wa_watchdog::replay::{Line, News, Options, replay};

/// Recordings that must be right as they are, of 54.
const RIGHT_MIN: usize = 52;
/// Share of recordings that must be right when polls are lost and late.
const RIGHT_SHARE_MIN: f64 = 0.95;
/// False alarms a run that are tolerated then.
const FALSE_ALARMS_MAX: f64 = 0.2;
/// Polls that are lost, in a thousand.
const LOST_PER_MILLE: u64 = 50;
/// Runs with polls lost and late.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=10;

#[test]
fn the_recordings_are_judged_right() {
    let corpus = corpus();
    assert_eq!(corpus.len(), 54);
    let score = Score::of(&corpus, |recording| recording.text.clone());
    println!("{}", score.told());
    assert!(RIGHT_MIN <= score.right, "only {} right:\n{}", score.right, score.told());
    assert_eq!(score.false_alarms, 0, "{}", score.told());
}

#[test]
fn lost_and_late_polls_change_no_verdict() {
    let corpus = corpus();
    let (mut right, mut false_alarms, mut told) = (0, 0, String::new());
    for seed in SEEDS {
        let mut dice = Dice(seed);
        let score = Score::of(&corpus, |recording| disturbed(recording, &mut dice));
        writeln!(told, "seed {seed}: {}", score.told()).expect("a string takes it");
        right += score.right;
        false_alarms += score.false_alarms;
    }
    println!("{told}");
    let (runs, all) = (SEEDS.count(), SEEDS.count() * corpus.len());
    assert!(RIGHT_SHARE_MIN <= ratio(right, all), "{right} of {all} right:\n{told}");
    assert!(ratio(false_alarms, runs) <= FALSE_ALARMS_MAX, "{false_alarms} false alarms in {runs} runs:\n{told}");
}

#[test]
fn a_verdict_is_scored_by_pattern_time_and_remedy() {
    let fault = Label {
        pattern_ok: vec!["conflict".to_owned()],
        onset_s: Some(90.0),
        earliest_s: Some(100.0),
        latest_s: Some(200.0),
        remedy_ok: vec!["notify".to_owned()],
    };
    let calm = Label { pattern_ok: vec!["none".to_owned()], ..Label::default() };
    let verdict = |at_s, pattern: &str, remedy: &str| Verdict {
        at_s,
        pattern: pattern.to_owned(),
        remedy: remedy.to_owned(),
        evidence: String::new(),
    };
    let outcome = |label: &Label, verdicts: &[Verdict]| match judge(label, verdicts) {
        Outcome::Right(_) => "right",
        Outcome::Wrong(_) => "wrong",
        Outcome::FalseAlarm(_) => "false alarm",
    };
    assert_eq!(outcome(&fault, &[verdict(150.0, "conflict", "notify")]), "right");
    assert_eq!(outcome(&fault, &[verdict(89.0, "conflict", "notify")]), "false alarm");
    assert_eq!(outcome(&fault, &[verdict(95.0, "conflict", "notify")]), "wrong");
    assert_eq!(outcome(&fault, &[verdict(201.0, "conflict", "notify")]), "wrong");
    assert_eq!(outcome(&fault, &[verdict(150.0, "conflict", "reset")]), "wrong");
    assert_eq!(
        outcome(&fault, &[verdict(140.0, "unreachable", "restart"), verdict(150.0, "conflict", "notify")]),
        "wrong"
    );
    assert_eq!(outcome(&fault, &[]), "wrong");
    assert_eq!(outcome(&calm, &[]), "right");
    assert_eq!(outcome(&calm, &[verdict(150.0, "conflict", "notify")]), "false alarm");
}

/// One recording with its label.
struct Recording {
    name: String,
    text: String,
    /// When its first observation was made; labels count from here.
    start: Wall,
    label: Label,
}

#[derive(Default, Deserialize)]
struct Label {
    pattern_ok: Vec<String>,
    onset_s: Option<f64>,
    earliest_s: Option<f64>,
    latest_s: Option<f64>,
    remedy_ok: Vec<String>,
}

/// What the watchdog concluded, in seconds from the start.
struct Verdict {
    at_s: f64,
    pattern: String,
    remedy: String,
    evidence: String,
}

enum Outcome {
    /// With the delay after the onset, where there is one.
    Right(Option<f64>),
    Wrong(String),
    FalseAlarm(String),
}

#[derive(Default)]
struct Score {
    right: usize,
    all: usize,
    false_alarms: usize,
    delays: Vec<f64>,
    misses: Vec<String>,
}

impl Score {
    fn of(corpus: &[Recording], mut text: impl FnMut(&Recording) -> String) -> Self {
        let mut score = Self { all: corpus.len(), ..Self::default() };
        for recording in corpus {
            let verdicts = verdicts(&recording.name, &text(recording), recording.start);
            match judge(&recording.label, &verdicts) {
                Outcome::Right(delay) => {
                    score.right += 1;
                    score.delays.extend(delay);
                }
                Outcome::Wrong(why) => score.misses.push(format!("{}: {why}", recording.name)),
                Outcome::FalseAlarm(why) => {
                    score.false_alarms += 1;
                    score.misses.push(format!("{}: false alarm, {why}", recording.name));
                }
            }
        }
        score.delays.sort_by(f64::total_cmp);
        score
    }

    fn told(&self) -> String {
        let median = self.delays.get(self.delays.len() / 2).copied().unwrap_or_default();
        let head = format!(
            "{} of {} right, {} false alarms, median delay after onset {median:.0} s",
            self.right, self.all, self.false_alarms
        );
        self.misses.iter().fold(head, |told, miss| format!("{told}\n  {miss}"))
    }
}

fn judge(label: &Label, verdicts: &[Verdict]) -> Outcome {
    let Some(first) = verdicts.first() else {
        let is_calm = label.pattern_ok == ["none"];
        return if is_calm { Outcome::Right(None) } else { Outcome::Wrong("no verdict".to_owned()) };
    };
    let Verdict { at_s, pattern, remedy, evidence } = first;
    let said = format!("{pattern}, {remedy} at {at_s:.0} s ({evidence})");
    let (Some(earliest), Some(latest)) = (label.earliest_s, label.latest_s) else {
        return Outcome::FalseAlarm(said);
    };
    let wanted = format!("wanted {} in {earliest:.0} to {latest:.0} s", label.pattern_ok.join(" or "));
    if *at_s < earliest.min(label.onset_s.unwrap_or(earliest)) {
        return Outcome::FalseAlarm(format!("{said}, {wanted}"));
    }
    if !(earliest..=latest).contains(at_s) || !label.pattern_ok.contains(pattern) {
        return Outcome::Wrong(format!("{said}, {wanted}"));
    }
    if !label.remedy_ok.contains(remedy) {
        return Outcome::Wrong(format!("{said}, wanted {}", label.remedy_ok.join(" or ")));
    }
    Outcome::Right(label.onset_s.map(|onset| at_s - onset))
}

fn verdicts(name: &str, text: &str, start: Wall) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    let mut keep = |news| {
        if let News::Line(Line::Verdict { at, incident }) = news {
            verdicts.push(Verdict {
                at_s: at.secs_f64() - start.secs_f64(),
                pattern: incident.pattern.as_str().to_owned(),
                remedy: incident.remedy.as_str().to_owned(),
                evidence: incident.evidence.sentence.clone(),
            });
        }
    };
    replay(text.as_bytes(), name, &Options::default(), &mut keep).expect("the recording is well formed");
    verdicts
}

/// Loses some polls, moves what is asked by up to a quarter of an interval, and shifts its phase against everything else.
fn disturbed(recording: &Recording, dice: &mut Dice) -> String {
    let mut lines = recording.text.lines();
    let header = lines.next().expect("a header");
    let every = poll_every(header);
    let phase = dice.below(every);
    let mut moved: Vec<(i64, Value)> = lines
        .map(|line| {
            let mut line: Value = serde_json::from_str(line).expect("a line of JSON");
            let at: Wall = line["at"].as_str().expect("a time").parse().expect("a time");
            if line.get("poll").is_some() && dice.below(1000) < LOST_PER_MILLE {
                line["poll"] = json!({"error": "timeout"});
            }
            let is_asked = ["poll", "deep", "qr", "memory"].iter().any(|kind| line.get(kind).is_some());
            let shift = if is_asked { signed(phase + dice.below(every / 2)) - signed(every / 4) } else { 0 };
            (at.millis() + shift, line)
        })
        .collect();
    moved.sort_by_key(|(at, _)| *at);
    moved.into_iter().fold(header.to_owned(), |text, (at, mut line)| {
        line["at"] = json!(Wall::from_millis(at));
        format!("{text}\n{line}")
    })
}

/// Returns the poll interval of the header's first target, in milliseconds.
fn poll_every(header: &str) -> u64 {
    let header: Value = serde_json::from_str(header).expect("a header of JSON");
    let targets = header["targets"].as_object().expect("targets");
    let every = targets.values().next().and_then(|keys| keys["poll_every"].as_str()).expect("a poll interval");
    let every: Duration = humantime::parse_duration(every).expect("a duration in words");
    u64::try_from(every.as_millis()).expect("a short interval")
}

fn corpus() -> Vec<Recording> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let read = |file: &str| fs::read_to_string(folder.join(file)).expect("the file is there");
    let labels: BTreeMap<String, Label> = serde_json::from_str(&read("expected.json")).expect("labels");
    let recording = |(name, label): (String, Label)| {
        let text = read(&format!("{name}.jsonl"));
        let first: Value = serde_json::from_str(text.lines().nth(1).expect("an observation")).expect("JSON");
        let start = first["at"].as_str().expect("a time").parse().expect("a time");
        Recording { name, text, start, label }
    };
    labels.into_iter().map(recording).collect()
}

fn ratio(part: usize, whole: usize) -> f64 {
    let exact = |n| f64::from(u32::try_from(n).expect("a small number"));
    exact(part) / exact(whole)
}

fn signed(millis: u64) -> i64 {
    i64::try_from(millis).expect("a short time")
}

/// A small generator of random numbers that gives the same ones for the same seed (`SplitMix64`; Steele, Lea, Flood, 2014).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below a limit; the bias of the remainder does not matter here.
    fn below(&mut self, limit: u64) -> u64 {
        self.roll() % limit.max(1)
    }
}
