//! Every command in the README and in docs/ does what it says: ours are run for real, beside a running watchdog and a gateway; those of
//! other programs are listed in `covered.txt` with the check that runs them. One that nobody knows how to test fails.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test that cannot go on shall stop"
)]

mod extract;
#[path = "../support/labels.rs"]
#[expect(dead_code, reason = "the reference of metrics needs more of it")]
mod labels;
#[path = "../support/openapi.rs"]
mod openapi_document;
#[path = "../support/ports.rs"]
mod ports;
mod shells;
mod stage;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use extract::{Found, commands};
use labels::{Values, values};
use openapi_document::Document;
use serde_json::Value;
use stage::{Demo, Stage, get};

/// Exit codes of commands, by how they begin; the first that fits counts. All others end with 0.
const EXPECTED: [(&str, &[i32]); 2] = [
    // There is nothing to bring back, which needs Docker: it is refused, and says so.
    ("wa-watchdog restore ", &[1]),
    // Whatever else on this machine is worth a warning.
    ("wa-watchdog doctor ", &[0, 1]),
];

/// How long a command may be held back by the one before.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the demo may take until it has shown much of what it plays, which is half a minute on a machine that does nothing else.
const DEMO_WITHIN: Duration = Duration::from_mins(2);

/// How many patterns it shall name until then.
const DEMO_PATTERNS: usize = 5;

/// Programs that are ours to run, and the one that asks ours.
const RUN_HERE: [&str; 2] = ["wa-watchdog", "curl"];

#[test]
fn every_command_in_the_documents_does_what_it_says() {
    let stage = Stage::build();
    let covered: BTreeSet<String> = covered().into_iter().map(|covered| covered.command).collect();
    let mut run = 0;
    let mut failures = Vec::new();
    for Found { document, line } in commands() {
        let program = line.split_whitespace().next().expect("a command is not empty");
        if !RUN_HERE.contains(&program) {
            if !covered.contains(&line) {
                failures.push(format!("{document}: nobody knows how to test this command: {line}"));
            }
            continue;
        }
        let allowed = EXPECTED.iter().find(|(begin, _)| line.starts_with(begin)).map_or(&[0][..], |(_, codes)| codes);
        let (code, said) =
            if line.starts_with("wa-watchdog approve ") { approve(&line) } else { perform(&stage, &line) };
        if !code.is_some_and(|code| allowed.contains(&code)) {
            failures.push(format!("{document}: {line}\n  ended with {code:?}, not one of {allowed:?}\n  {said}"));
        }
        run += 1;
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(40 < run, "{run} commands were run");
}

/// What stands in backticks in the middle of a sentence names commands and options that exist.
#[test]
fn every_command_in_a_sentence_exists() {
    let mut helps: BTreeMap<String, String> = BTreeMap::new();
    let mut seen = 0;
    for (document, call) in extract::in_sentences() {
        let words = shells::words(&call);
        let mut path: Vec<&str> = words.iter().skip(1).map(String::as_str).take(1).collect();
        if let Some(second) = words.get(2).filter(|_| ["record", "dialects"].contains(&path.concat().as_str())) {
            path.push(second);
        }
        if path.first().is_none_or(|first| first.starts_with('-')) {
            path.clear();
        }
        let help = helps.entry(path.join(" ")).or_insert_with(|| shells::help(&path));
        let known: BTreeSet<&str> = help.split(|c: char| c != '-' && !c.is_ascii_alphanumeric()).collect();
        for option in words.iter().filter_map(|word| word.split('=').next()).filter(|word| word.starts_with("--")) {
            assert!(known.contains(option), "{document}: `{call}`: {option} is no option of {path:?}");
        }
        seen += 1;
    }
    assert!(20 < seen, "{seen} calls");
}

#[test]
fn what_is_said_to_be_covered_is_in_a_document_and_its_check_runs_it() {
    let found: BTreeSet<String> = commands().into_iter().map(|found| found.line).collect();
    for Covered { command, by } in covered() {
        assert!(found.contains(&command), "no document says this any more: {command}");
        let Some((script, part)) = by else { continue };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&script);
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{script}, for {command}: {error}"));
        let words: Vec<&str> = part.split(' ').collect();
        let runs = text.lines().filter(|line| !line.trim_start().starts_with('#')).any(|line| {
            let said: Vec<&str> =
                line.split_whitespace().map(|word| word.trim_matches(['\'', '"', '$', '(', '['])).collect();
            said.windows(words.len()).any(|part| part == words)
        });
        assert!(runs, "{script}, which shall cover {command}, does not run {part}");
        let own: BTreeSet<&str> = command.split(' ').collect();
        let foreign: Vec<&&str> = words.iter().filter(|word| !word.starts_with('-') && !own.contains(*word)).collect();
        assert!(
            foreign.is_empty() && words.iter().any(|word| !word.starts_with('-')),
            "{part} is no part of {command}"
        );
    }
}

/// The running watchdog answers as the document of the API says, and counts for each of the reasons that the reference of metrics names.
#[test]
fn the_running_watchdog_is_what_the_references_say() {
    let stage = Stage::build();
    assert_documented(&Document::read(), stage.address(), &["shop".to_owned()]);
    let (_, _, metrics) = get(stage.address(), "/metrics");
    let reasons = metrics.lines().filter_map(|line| line.strip_prefix("wa_watchdog_dropped_total{reason=\""));
    let reasons: BTreeSet<&str> = reasons.filter_map(|line| line.split('"').next()).collect();
    let Values::Closed(named) = values("wa_watchdog_dropped_total", "reason") else { panic!("they are a list") };
    assert_eq!(reasons, named.into_iter().collect());
}

/// The demo shows more of what can be: incidents, attempts, scans.
#[test]
fn the_demo_answers_as_the_document_says() {
    let (document, demo) = (Document::read(), Demo::start());
    let until = Instant::now() + DEMO_WITHIN;
    let mut patterns = BTreeSet::new();
    let has_acted = || get(demo.address, "/metrics").2.contains("\nwa_watchdog_last_attempt_outcome{");
    while patterns.len() < DEMO_PATTERNS || !has_acted() {
        assert!(Instant::now() < until, "the demo named {patterns:?} alone");
        let (_, _, listing) = get(demo.address, "/api/v1/targets");
        let listing: Value = serde_json::from_str(&listing).unwrap();
        let targets = listing["targets"].as_array().unwrap();
        patterns.extend(targets.iter().filter_map(|target| target["pattern"].as_str().map(str::to_owned)));
        let names: Vec<String> = targets.iter().map(|target| target["target"].as_str().unwrap().to_owned()).collect();
        assert_documented(&document, demo.address, &names);
        thread::sleep(Duration::from_secs(1));
    }
}

/// Runs a line where it shall be calm.
fn perform(stage: &Stage, line: &str) -> (Option<i32>, String) {
    stage.calm();
    let until = Instant::now() + PATIENCE;
    loop {
        let done = stage.perform(line);
        // The reset of the command before still waits for a person, as it should.
        if !done.1.contains("a person is waited for") || until < Instant::now() {
            return done;
        }
        thread::sleep(Duration::from_millis(200));
    }
}

/// Runs a line that approves an attempt, where there is one to approve: under its own number, and, which must be refused, under the
/// one of the document.
fn approve(line: &str) -> (Option<i32>, String) {
    let (stage, attempt) = Stage::that_asks();
    let named = shells::words(line)[3].clone();
    let (code, said) = stage.perform(line);
    assert_eq!(code, Some(1), "{line}: nothing has this number: {said}");
    stage.perform(&line.replace(&named, &attempt))
}

/// Asserts that every route that is read answers as the document says, for each target.
fn assert_documented(document: &Document, address: SocketAddr, targets: &[String]) {
    for operation in document.operations().iter().filter(|operation| operation.method == "get") {
        // What is of no target is asked once.
        let asked = if operation.path.contains("{name}") { targets } else { &targets[..1] };
        for target in asked {
            let path = operation.path.replace("{name}", target);
            let (status, kind, body) = get(address, &path);
            let header = |name: &str| if name == "content-type" { kind.clone() } else { String::new() };
            document.assert_answer("GET", &path, status, &header, &body);
            assert_eq!(status, 200, "{path}");
        }
    }
}

/// A command of another program.
struct Covered {
    command: String,
    /// The script that runs it, and the words with which it does; none where it is not run.
    by: Option<(String, String)>,
}

fn covered() -> Vec<Covered> {
    let lines = include_str!("covered.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let read = |line: &str| {
        let parts: Vec<&str> = line.split('\t').collect();
        let [command, script, how] = parts[..] else { panic!("not three parts: {line:?}") };
        let by = (script != "not run").then(|| (script.to_owned(), how.to_owned()));
        Covered { command: command.to_owned(), by }
    };
    lines.map(read).collect()
}
