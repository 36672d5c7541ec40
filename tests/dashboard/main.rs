//! The Grafana dashboard keeps the rules of grafana/dashboard-linter and our own. Each rule finds a fault that is planted for it.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unreachable,
    clippy::arithmetic_side_effects,
    reason = "a test's helper that fails fails its test"
)]

mod board;
mod faults;
#[path = "../support/labels.rs"]
#[expect(dead_code, reason = "the reference of metrics needs more of it")]
mod labels;
mod own;
#[path = "../support/promql.rs"]
mod promql;
mod upstream;

use std::path::Path;

use board::Board;

/// A rule: its name, and what it finds.
type Rule = (&'static str, fn(&Board) -> Vec<String>);

#[test]
fn the_dashboard_keeps_every_rule() {
    let board = shipped();
    let found: Vec<String> = rules()
        .flat_map(|(name, rule)| rule(&board).into_iter().map(move |fault| format!("{name}: {fault}")))
        .collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn the_dashboard_is_whole() {
    let board = shipped();
    assert!(50 < board.panels().count() && 70 < board.queries().len());
}

#[test]
fn the_linter_is_told_of_the_same_exceptions() {
    let told = std::fs::read_to_string(file(".lint")).expect("it lies beside the dashboard");
    let panels: Vec<&str> = told.lines().filter_map(|line| line.trim().strip_prefix("panel: ")).collect();
    let board = shipped();
    let reads = |metric: &str| {
        board.readings().into_iter().any(|(query, reading)| {
            panels.contains(&query.place) && reading.selectors.iter().any(|selector| selector.series == metric)
        })
    };
    assert!(upstream::SINCE_START.iter().all(|metric| reads(metric)), "{panels:?}");
    assert_eq!(panels.len(), upstream::SINCE_START.len());
}

fn rules() -> impl Iterator<Item = Rule> {
    upstream::RULES.iter().chain(own::RULES).copied()
}

fn shipped() -> Board {
    let text = std::fs::read_to_string(file("wa-watchdog.json")).expect("the dashboard");
    Board(serde_json::from_str(&text).expect("JSON"))
}

fn file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards").join(name)
}
