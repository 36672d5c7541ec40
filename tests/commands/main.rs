//! Every command in the README and in docs/ does what it says: ours are run for real, beside a running watchdog and a gateway; those of
//! other programs are listed in `covered.txt` with the check that runs them. One that nobody knows how to test fails.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::arithmetic_side_effects,
    reason = "a test that cannot go on shall stop"
)]

mod extract;
#[path = "../support/openapi.rs"]
mod openapi_document;
mod shells;
mod stage;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use extract::{Found, commands};
use openapi_document::Document;
use stage::Stage;

/// Exit codes of commands, by how they begin; the first that fits counts. All others end with 0.
const EXPECTED: [(&str, &[i32]); 6] = [
    // Nothing waits for it, or there is nothing to bring back: it is refused, and says so.
    ("wa-watchdog approve ", &[1]),
    ("wa-watchdog restore ", &[1]),
    // Whatever else on this machine is worth a warning.
    ("wa-watchdog doctor ", &[0, 1]),
    // The gateway of the WasenderAPI example is not there.
    ("wa-watchdog check ", &[0]),
    ("wa-watchdog healthcheck", &[0]),
    ("curl ", &[0]),
];

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
        let (code, said) = stage.perform(&line);
        if !code.is_some_and(|code| allowed.contains(&code)) {
            failures.push(format!("{document}: {line}\n  ended with {code:?}, not one of {allowed:?}\n  {said}"));
        }
        run += 1;
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(40 < run, "{run} commands were run");
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
    let document = Document::read();
    for operation in document.operations().iter().filter(|operation| operation.method == "get") {
        let path = operation.path.replace("{name}", "shop");
        let (status, kind, body) = stage.get(&path);
        let header = |name: &str| if name == "content-type" { kind.clone() } else { String::new() };
        document.assert_answer("GET", &path, status, &header, &body);
        assert_eq!(status, 200, "{path}");
    }
    let reference = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md")).unwrap();
    let (_, _, metrics) = stage.get("/metrics");
    let reasons = metrics.lines().filter_map(|line| line.strip_prefix("wa_watchdog_dropped_total{reason=\""));
    let reasons: BTreeSet<&str> = reasons.filter_map(|line| line.split('"').next()).collect();
    assert!(10 < reasons.len(), "{reasons:?}");
    for reason in reasons {
        assert!(reference.contains(&format!("`{reason}`")), "{reason}");
    }
}

fn covered() -> BTreeSet<String> {
    covered_lines().into_iter().map(|(command, _)| command).collect()
}

/// Commands of other programs: a command, a tab, and the file that runs it.
fn covered_lines() -> Vec<(String, String)> {
    let lines = include_str!("covered.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pair = |line: &str| {
        let (command, check) = line.split_once('\t').unwrap_or_else(|| panic!("no tab in {line:?}"));
        (command.to_owned(), check.to_owned())
    };
    lines.map(pair).collect()
}
