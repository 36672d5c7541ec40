//! The alert rules, their tests, their runbook and the example for Alertmanager, held against each other and against the program.
//!
//! What the rules do is tested by promtool, in `scripts/check-alerts`; here is what it cannot know.
#![expect(clippy::expect_used, clippy::panic, clippy::unreachable, reason = "helpers of tests")]

#[path = "support/labels.rs"]
#[expect(dead_code, reason = "the reference of metrics needs more of it")]
mod labels;
#[path = "support/promql.rs"]
#[expect(dead_code, reason = "the dashboard's tests need more of it")]
mod promql;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use labels::Values;
use promql::Selector;
use serde::Deserialize;
use wa_watchdog::engine::pattern::Pattern;

const RULES: &str = "config/prometheus/rules.yml";
const TESTS: [&str; 2] = ["config/prometheus/rules_test.yml", "config/prometheus/rules_days_test.yml"];
const RUNBOOK: &str = "docs/runbook.md";
const ALERTMANAGER: &str = "config/alertmanager/alertmanager.yml";

#[test]
fn every_alert_says_what_it_is_how_bad_it_is_and_where_to_read_on() {
    for alert in alerts() {
        let name = &alert.name;
        assert_eq!(alert.labels.keys().map(String::as_str).collect::<Vec<_>>(), ["scope", "severity"], "{name}");
        assert!(["critical", "warning", "none"].contains(&alert.labels["severity"].as_str()), "{name}");
        assert!(["session", "care", "fleet", "watchdog"].contains(&alert.labels["scope"].as_str()), "{name}");
        let said: Vec<&str> = alert.annotations.keys().map(String::as_str).collect();
        assert_eq!(said, ["description", "runbook_url", "summary"], "{name}");
        let summary = &alert.annotations["summary"];
        assert!(summary.ends_with('.') && !summary.contains("{{"), "{name}: the summary is not one static sentence");
        assert_eq!(alert.annotations["runbook_url"], format!("{RUNBOOK}#{}", name.to_lowercase()), "{name}");
    }
}

#[test]
fn every_pattern_has_exactly_one_alert() {
    let mut alerted: Vec<String> = Vec::new();
    for selector in alerts().iter().flat_map(|alert| selectors(&alert.expr)) {
        if selector.series == "wa_watchdog_pattern_active" {
            let named = selector.matchers_of("pattern").flat_map(|(operator, value)| named_values(operator, value));
            alerted.extend(named.map(str::to_owned));
        }
    }
    alerted.sort();
    let mut patterns: Vec<&str> = Pattern::ALL.into_iter().map(Pattern::as_str).collect();
    patterns.sort_unstable();
    assert_eq!(alerted, patterns);
}

#[test]
fn every_series_that_a_rule_reads_is_one_that_the_program_writes() {
    let rules = rules();
    let recorded: BTreeSet<&str> = rules.iter().filter_map(|rule| rule.record.as_deref()).collect();
    for Selector { series, matchers, .. } in rules.iter().flat_map(|rule| selectors(&rule.expr)) {
        assert!(!series.is_empty(), "every selector names its metric");
        if series == "up" || recorded.contains(series.as_str()) {
            continue;
        }
        let Some(metric) = promql::declared(&series) else { panic!("{series} is read and never written") };
        for (label, operator, value) in &matchers {
            assert!(metric.labels.contains(&label.as_str()), "{series} has no label {label}");
            let Values::Closed(words) = labels::values(metric.name, label) else { continue };
            for value in named_values(operator, value) {
                assert!(words.contains(&value), "{series}: {label} is never {value}");
            }
        }
    }
}

#[test]
fn every_alert_fires_in_a_test_and_does_not_fire_in_one() {
    let tests: Vec<RuleTest> = TESTS.iter().flat_map(|path| read::<TestFile>(path).tests).collect();
    let checks: Vec<&AlertTest> = tests.iter().flat_map(|test| &test.alert_rule_test).collect();
    for alert in alerts() {
        let (name, severity) = (&alert.name, &alert.labels["severity"]);
        let of_it = |check: &&&AlertTest| check.alertname == *name;
        let expects = |check: &AlertTest| check.exp_alerts.iter().any(|exp| exp.exp_labels["severity"] == *severity);
        assert!(checks.iter().filter(of_it).any(|check| expects(check)), "{name} ({severity}) fires in no test");
        // The dead man's switch is never silent.
        let is_always_on = alert.expr == "vector(1)";
        let is_silent = checks.iter().filter(of_it).any(|check| !expects(check));
        assert_eq!(is_silent, !is_always_on, "{name} ({severity}): a test in which it does not fire");
    }
    let names: BTreeSet<String> = alerts().into_iter().map(|alert| alert.name).collect();
    for check in checks {
        assert!(names.contains(&check.alertname), "a test names {}, which is no alert", check.alertname);
    }
}

#[test]
fn every_recording_rule_is_tested() {
    let text: String = TESTS.iter().map(|path| fs::read_to_string(path).expect(path)).collect();
    for name in rules().into_iter().filter_map(|rule| rule.record) {
        let is_asked = text.lines().any(|line| line.trim_start().starts_with("- expr:") && line.contains(&name));
        assert!(is_asked, "no test asks for {name}");
    }
}

#[test]
fn the_runbook_has_one_section_for_each_alert_and_no_other() {
    let sections = sections();
    let names: BTreeSet<String> = alerts().into_iter().map(|alert| alert.name).collect();
    let titles: Vec<String> = sections.iter().map(|(title, _)| title.clone()).collect();
    assert_eq!(titles.len(), names.len(), "a section stands there twice, or one is missing");
    assert_eq!(titles.into_iter().collect::<BTreeSet<_>>(), names);
    for (title, body) in sections {
        for part in ["**What it means.**", "**What was tried.**", "**What to do.**"] {
            assert_eq!(body.matches(part).count(), 1, "{title}: {part}");
        }
    }
}

#[test]
fn every_alert_that_alertmanagers_example_names_exists() {
    let names: BTreeSet<String> = alerts().into_iter().map(|alert| alert.name).collect();
    let example: Alertmanager = read(ALERTMANAGER);
    let rules = &example.inhibit_rules;
    assert!(!rules.is_empty());
    let matchers = rules.iter().flat_map(|rule| rule.source_matchers.iter().chain(&rule.target_matchers));
    for matcher in matchers.chain(example.route.routes.iter().flat_map(|route| &route.matchers)) {
        for name in named(matcher) {
            assert!(names.contains(&name), "{matcher}: there is no alert {name}");
        }
    }
    for rule in rules {
        for label in &rule.equal {
            let known = ["alertname", "job", "instance", "target"];
            assert!(known.contains(&label.as_str()), "a label that neither side has silences everything: {label}");
        }
    }
}

/// Two resets in a day stay within a day for a day, whatever is done about it.
#[test]
fn what_stays_true_for_a_day_does_not_page_every_hour() {
    let example: Alertmanager = read(ALERTMANAGER);
    let matched = |route: &&Route| {
        route
            .matchers
            .iter()
            .all(|matcher| ["alertname=\"WaWatchdogResetsDaily\"", "severity=\"critical\""].contains(&matcher.as_str()))
    };
    let first = example.route.routes.iter().find(matched).expect("a route");
    assert_eq!((first.receiver.as_deref(), first.repeat_interval.as_deref()), (Some("page"), Some("24h")));
}

#[derive(Deserialize)]
struct RuleFile {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    alert: Option<String>,
    record: Option<String>,
    expr: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

struct Alert {
    name: String,
    expr: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct TestFile {
    tests: Vec<RuleTest>,
}

#[derive(Deserialize)]
struct RuleTest {
    #[serde(default)]
    alert_rule_test: Vec<AlertTest>,
}

#[derive(Deserialize)]
struct AlertTest {
    alertname: String,
    exp_alerts: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    exp_labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Alertmanager {
    route: Route,
    inhibit_rules: Vec<InhibitRule>,
}

#[derive(Deserialize)]
struct Route {
    receiver: Option<String>,
    repeat_interval: Option<String>,
    #[serde(default)]
    matchers: Vec<String>,
    #[serde(default)]
    routes: Vec<Self>,
}

#[derive(Deserialize)]
struct InhibitRule {
    source_matchers: Vec<String>,
    target_matchers: Vec<String>,
    equal: Vec<String>,
}

fn selectors(expr: &str) -> Vec<Selector> {
    promql::read(expr).expect(expr).selectors
}

/// Returns the values that a matcher names; an expression of alternatives names each of them.
fn named_values<'a>(operator: &str, value: &'a str) -> Vec<&'a str> {
    if operator.ends_with('~') { value.split('|').collect() } else { vec![value] }
}

/// Returns the names of alerts in a matcher of Alertmanager, such as `alertname=~"WaWatchdog(Storm|Down)"`.
fn named(matcher: &str) -> Vec<String> {
    let quoted = matcher.strip_prefix("alertname").and_then(|rest| rest.split('"').nth(1)).unwrap_or_default();
    match quoted.strip_prefix("WaWatchdog") {
        None | Some(".*") => Vec::new(),
        Some(rest) => {
            let names = rest.trim_start_matches('(').trim_end_matches(')').split('|');
            names.map(|name| format!("WaWatchdog{name}")).collect()
        }
    }
}

fn rules() -> Vec<Rule> {
    let file: RuleFile = read(RULES);
    file.groups.into_iter().flat_map(|group| group.rules).collect()
}

fn alerts() -> Vec<Alert> {
    let alert = |rule: Rule| {
        let Rule { alert, record: _, expr, labels, annotations } = rule;
        Some(Alert { name: alert?, expr, labels, annotations })
    };
    let alerts: Vec<Alert> = rules().into_iter().filter_map(alert).collect();
    assert!(40 < alerts.len(), "the rules were not read");
    alerts
}

/// Returns the sections of the runbook, each with its title.
fn sections() -> Vec<(String, String)> {
    let text = fs::read_to_string(RUNBOOK).expect(RUNBOOK);
    let sections = text.split("\n### ").skip(1).filter_map(|section| section.split_once('\n'));
    sections.map(|(title, body)| (title.to_owned(), body.to_owned())).collect()
}

fn read<T: for<'de> Deserialize<'de>>(path: &str) -> T {
    let text = fs::read_to_string(path).expect(path);
    serde_saphyr::from_str(&text).expect(path)
}
