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
#[path = "../support/openapi.rs"]
mod openapi_document;
mod shells;
mod stage;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use extract::{Found, commands};
use openapi_document::Document;
use serde_json::Value;
use stage::{Demo, Stage, get};

/// Exit codes of commands, by how they begin; the first that fits counts. All others end with 0.
const EXPECTED: [(&str, &[i32]); 3] = [
    // Nothing waits for it, or there is nothing to bring back: it is refused, and says so.
    ("wa-watchdog approve ", &[1]),
    ("wa-watchdog restore ", &[1]),
    // Whatever else on this machine is worth a warning.
    ("wa-watchdog doctor ", &[0, 1]),
];

/// How long a command may be held back by the one before.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the demo is watched: until it has named some of what it plays.
const DEMO_LASTS: Duration = Duration::from_secs(20);

/// Programs that are ours to run, and the one that asks ours.
const RUN_HERE: [&str; 2] = ["wa-watchdog", "curl"];

#[test]
fn every_command_in_the_documents_does_what_it_says() {
    let stage = Stage::build();
    let covered = covered();
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
        stage.calm();
        let until = Instant::now() + PATIENCE;
        let (code, said) = loop {
            let done = stage.perform(&line);
            // The reset of the command before still waits for a person, as it should.
            if !done.1.contains("a person is waited for") || until < Instant::now() {
                break done;
            }
            thread::sleep(Duration::from_millis(200));
        };
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
        for option in words.iter().filter(|word| word.starts_with("--")) {
            assert!(help.contains(option.as_str()), "{document}: `{call}`: {option} is no option of {path:?}");
        }
        seen += 1;
    }
    assert!(20 < seen, "{seen} calls");
}

#[test]
fn what_is_said_to_be_covered_is_in_a_document_and_its_check_exists() {
    let found: BTreeSet<String> = commands().into_iter().map(|found| found.line).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (command, check) in covered_lines() {
        assert!(found.contains(&command), "no document says this any more: {command}");
        assert!(root.join(&check).exists(), "{check}, which shall cover {command}, is not there");
    }
}

/// The running watchdog answers as the document of the API says, and counts for the reasons that the reference of metrics names.
#[test]
fn the_running_watchdog_is_what_the_references_say() {
    let stage = Stage::build();
    assert_documented(&Document::read(), stage.address(), &["shop".to_owned()]);
    let reference = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md")).unwrap();
    let (_, _, metrics) = get(stage.address(), "/metrics");
    let reasons = metrics.lines().filter_map(|line| line.strip_prefix("wa_watchdog_dropped_total{reason=\""));
    let reasons: BTreeSet<&str> = reasons.filter_map(|line| line.split('"').next()).collect();
    assert!(10 < reasons.len(), "{reasons:?}");
    for reason in reasons {
        assert!(reference.contains(&format!("`{reason}`")), "{reason}");
    }
}

/// The demo shows more of what can be: incidents, attempts, scans.
#[test]
fn the_demo_answers_as_the_document_says() {
    let (document, demo) = (Document::read(), Demo::start());
    let until = Instant::now() + DEMO_LASTS;
    let mut patterns = BTreeSet::new();
    while Instant::now() < until {
        let (_, _, listing) = get(demo.address, "/api/v1/targets");
        let listing: Value = serde_json::from_str(&listing).unwrap();
        let targets = listing["targets"].as_array().unwrap();
        patterns.extend(targets.iter().filter_map(|target| target["pattern"].as_str().map(str::to_owned)));
        let names: Vec<String> = targets.iter().map(|target| target["target"].as_str().unwrap().to_owned()).collect();
        assert_documented(&document, demo.address, &names);
        thread::sleep(Duration::from_secs(1));
    }
    assert!(1 < patterns.len(), "the demo named {patterns:?} alone");
}

/// Asserts that every route that is read answers as the document says, for each target.
fn assert_documented(document: &Document, address: SocketAddr, targets: &[String]) {
    for operation in document.operations().iter().filter(|operation| operation.method == "get") {
        for target in targets.iter().filter(|_| operation.path.contains("{name}")).chain(&targets[..1]) {
            let path = operation.path.replace("{name}", target);
            let (status, kind, body) = get(address, &path);
            let header = |name: &str| if name == "content-type" { kind.clone() } else { String::new() };
            document.assert_answer("GET", &path, status, &header, &body);
            assert_eq!(status, 200, "{path}");
        }
    }
}

fn covered() -> BTreeSet<String> {
    covered_lines().into_iter().map(|(command, _)| command).collect()
}

/// Commands of other programs: a command, the file that covers it, and how, with tabs between.
fn covered_lines() -> Vec<(String, String)> {
    let lines = include_str!("covered.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pair = |line: &str| {
        let parts: Vec<&str> = line.split('\t').collect();
        let [command, check, _how] = parts[..] else { panic!("not three parts: {line:?}") };
        (command.to_owned(), check.to_owned())
    };
    lines.map(pair).collect()
}
