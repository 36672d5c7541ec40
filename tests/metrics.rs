//! The metrics page as Prometheus reads it.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::float_cmp,
    reason = "helpers of tests; the numbers compared are whole"
)]

#[path = "support/exposition.rs"]
mod exposition;
#[path = "support/made_up.rs"]
mod made_up;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use exposition::{Family, Series, parse};
use wa_watchdog::engine::attempt::{AttemptView, Cause, Outcome};
use wa_watchdog::engine::incident::{Incident, IncidentId};
use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::pattern::Pattern;
use wa_watchdog::engine::sample::{Failure, Memory, SessionState};
use wa_watchdog::engine::snapshot::{CareView, Snapshot, TargetView};
use wa_watchdog::engine::target::TargetId;
use wa_watchdog::metrics::{self, Build, Discovery, Kind, Reload, Shell};

#[test]
fn a_small_fleet_reads_like_this() {
    insta::assert_snapshot!(own_lines(&metrics::render(&made_up::snapshot(), &shell())));
}

#[test]
fn the_same_snapshot_gives_the_same_text() {
    let text = || own_lines(&metrics::render(&made_up::snapshot(), &shell()));
    assert_eq!(text(), text());
}

#[test]
fn every_declared_metric_appears_as_declared_and_nothing_else_does() {
    let families = parse(&metrics::render(&made_up::snapshot(), &shell()));
    let written: BTreeSet<&str> = families.keys().map(String::as_str).filter(|name| !is_process(name)).collect();
    let declared: BTreeSet<&str> = metrics::catalogue().iter().map(|metric| metric.name).collect();
    assert_eq!(written, declared);
    for metric in metrics::catalogue() {
        let family = &families[metric.name];
        assert_eq!(family.kind, metric.kind.as_str(), "{}", metric.name);
        assert_eq!(family.help, metric.help, "{}", metric.name);
        let labels: BTreeSet<&str> = metric.labels.iter().copied().collect();
        for series in &family.series {
            let found: BTreeSet<&str> =
                series.labels.keys().map(String::as_str).filter(|label| *label != "le").collect();
            assert_eq!(found, labels, "{}", metric.name);
        }
    }
}

/// The rules of prometheus.io/docs/practices/naming that can be read off a name.
#[test]
fn names_keep_the_conventions() {
    let names: BTreeSet<&str> = metrics::catalogue().iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), metrics::catalogue().len(), "a name is declared twice");
    for metric in metrics::catalogue() {
        let name = metric.name;
        let short = name.strip_prefix("wa_watchdog_").unwrap_or_else(|| panic!("{name} lacks the prefix"));
        assert!(short.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name} is not snake_case");
        assert_eq!(
            metric.kind == Kind::Counter,
            name.ends_with("_total"),
            "{name}: _total is for counters, and only them"
        );
        for word in short.split('_') {
            let derived =
                ["ms", "millis", "milliseconds", "minutes", "hours", "days", "kb", "mb", "kib", "mib", "percent"];
            assert!(!derived.contains(&word), "{name} is not in base units");
            assert!(
                !["count", "sum", "bucket", "gauge", "counter", "histogram"].contains(&word),
                "{name}: reserved word"
            );
        }
        if short.contains("duration") || short.contains("timestamp") {
            assert!(name.ends_with("_seconds"), "{name} does not name its unit");
        }
        if short.contains("memory") {
            assert!(name.ends_with("_bytes"), "{name} does not name its unit");
        }
        assert!(metric.help.ends_with('.') && 20 < metric.help.len(), "{name} lacks a sentence of help");
        for label in metric.labels {
            let reserved = ["le", "quantile", "job", "instance", "type", "service", "env", "cluster"];
            assert!(!reserved.contains(label), "{name}: the label {label} belongs to somebody else");
        }
    }
}

#[test]
fn no_series_appears_twice() {
    let mut text_shell = shell();
    text_shell.dropped.insert("inputs", 3);
    let families = parse(&metrics::render(&made_up::fleet(5), &text_shell));
    for (name, family) in &families {
        let mut seen = BTreeSet::new();
        for series in &family.series {
            assert!(seen.insert((&series.name, &series.labels)), "{name} {:?} appears twice", series.labels);
        }
    }
    let summed = value(&families["wa_watchdog_dropped_total"].series, &[("reason", "inputs")]);
    assert_eq!(summed, Some(5.0), "what engine and shell dropped for one reason is one series");
}

#[test]
fn counters_start_at_zero_with_every_label_they_can_have() {
    let snapshot = only_a_newcomer();
    let expected = [
        ("wa_watchdog_session_state_changes_total", SessionState::ALL.len()),
        ("wa_watchdog_session_connected_seconds_total", 1),
        ("wa_watchdog_probes_total", 5 + Failure::ALL.len()),
        ("wa_watchdog_pattern_detections_total", Pattern::ALL.len()),
        ("wa_watchdog_incidents_total", Pattern::ALL.len()),
        ("wa_watchdog_oom_kills_total", 1),
        ("wa_watchdog_suspensions_total", 1),
        ("wa_watchdog_ledger_errors_total", 1),
        ("wa_watchdog_dropped_total", 1),
        ("wa_watchdog_foreign_restarts_total", 1),
        ("wa_watchdog_notifications_total", 3),
        ("wa_watchdog_orders_denied_total", 1),
        ("wa_watchdog_hard_stops_total", 1),
        ("wa_watchdog_inbound_total", 1),
        ("wa_watchdog_discovery_refreshes_total", 2),
    ];
    let shell = Shell {
        denials: BTreeMap::from([("no_token", 0)]),
        inbound: BTreeMap::from([(("waha", "taken"), 0)]),
        notifications: BTreeMap::from([("ops".to_owned(), [0; 3])]),
        hard_stops: BTreeMap::from([("shop".to_owned(), 0)]),
        discoveries: BTreeMap::from([("account".to_owned(), discovery(None, [0, 0]))]),
        ..shell()
    };
    let families = parse(&metrics::render(&snapshot, &shell));
    // Of these nearly every combination is impossible, so that they begin with what happens; resets begin where they are possible.
    let later = ["wa_watchdog_remedies_total", "wa_watchdog_refusals_total", "wa_watchdog_resets_total"];
    let counters: BTreeSet<&str> =
        metrics::catalogue().iter().filter(|metric| metric.kind == Kind::Counter).map(|metric| metric.name).collect();
    assert_eq!(counters, expected.iter().map(|(name, _)| *name).chain(later).collect());
    for name in later {
        assert!(!families.contains_key(name), "{name}");
    }
    for (name, count) in expected {
        let series = &families[name].series;
        assert_eq!(series.len(), count, "{name}");
        assert!(series.iter().all(|series| series.value == 0.0), "{name}");
    }
}

#[test]
fn what_is_not_known_is_absent() {
    let families = parse(&metrics::render(&only_a_newcomer(), &shell()));
    let unknown = [
        "wa_watchdog_session_state",
        "wa_watchdog_session_last_connected_timestamp_seconds",
        "wa_watchdog_probe_up",
        "wa_watchdog_memory_used_bytes",
        "wa_watchdog_memory_limit_bytes",
        "wa_watchdog_memory_minimum_bytes",
        "wa_watchdog_incident_duration_seconds",
        "wa_watchdog_remedies_total",
        "wa_watchdog_remedy_duration_seconds",
        "wa_watchdog_attempt_in_progress",
        "wa_watchdog_last_attempt_outcome",
        "wa_watchdog_resets_total",
        "wa_watchdog_resets_in_window",
        "wa_watchdog_reset_frequency",
        "wa_watchdog_refusal_active",
        "wa_watchdog_budget_remaining",
        "wa_watchdog_cooldown_until_timestamp_seconds",
        "wa_watchdog_scan_deadline_timestamp_seconds",
    ];
    for name in unknown {
        assert!(!families.contains_key(name), "{name}");
    }
}

#[test]
fn resets_start_at_zero_where_a_hook_can_destroy() {
    let care = CareView {
        budget: BTreeMap::from([(Remedy::Restart, 3), (Remedy::Reset, 1)]),
        destroys: BTreeSet::from([Remedy::Reset]),
        ..CareView::default()
    };
    let families = of_newcomer(care);
    let resets = &families["wa_watchdog_resets_total"].series;
    let patterns: Vec<&str> = resets.iter().map(|series| series.labels["pattern"].as_str()).collect();
    assert_eq!(patterns, ["none", "session_expired", "repeated_404", "state_loop", "never_ready"]);
    assert!(resets.iter().all(|series| series.value == 0.0));
    let windows = &families["wa_watchdog_resets_in_window"].series;
    assert_eq!(windows.iter().map(|series| series.labels["window"].as_str()).collect::<Vec<_>>(), ["24h", "7d", "30d"]);
    let grades = &families["wa_watchdog_reset_frequency"].series;
    assert_eq!(value(grades, &[("target", "new"), ("grade", "never")]), Some(1.0));
    assert_eq!(grades.iter().map(|series| series.value).sum::<f64>(), 1.0);
    let budget = &families["wa_watchdog_budget_remaining"].series;
    assert_eq!(value(budget, &[("target", "new"), ("remedy", "restart")]), Some(3.0));
    assert_eq!(families["wa_watchdog_attempt_in_progress"].series[0].value, 0.0);
}

#[test]
fn a_restart_that_destroys_counts_as_a_reset_of_the_patterns_that_it_fits() {
    let care = CareView { destroys: BTreeSet::from([Remedy::Restart]), ..CareView::default() };
    let families = of_newcomer(care);
    let resets = &families["wa_watchdog_resets_total"].series;
    let patterns: Vec<&str> = resets.iter().map(|series| series.labels["pattern"].as_str()).collect();
    assert_eq!(
        patterns,
        ["none", "session_expired", "state_loop", "never_ready"],
        "a restart cannot help repeated_404"
    );
}

#[test]
fn one_outcome_is_the_last_also_while_the_next_attempt_runs() {
    let mut care = made_up_care();
    let last = Arc::clone(&care.attempts[0]);
    let running = AttemptView { ended: None, outcome: None, remedy: Remedy::Reset, ..AttemptView::clone(&last) };
    care.attempts.push(Arc::new(running));
    let series = last_outcomes(care, &made_up_open());
    assert_eq!(series.len(), 1);
    assert_eq!(value(&series, &[("target", "new"), ("remedy", "restart"), ("outcome", "did_not_help")]), Some(1.0));
}

#[test]
fn what_an_attempt_did_for_an_older_incident_is_not_said_of_the_one_that_is_open() {
    let of_today = Arc::new(Incident { id: IncidentId(8), ..Incident::clone(&made_up_open()[0]) });
    let restarted = [("target", "new"), ("remedy", "restart"), ("outcome", "did_not_help")];
    // Yesterday's restart did not help, and nothing was tried yet today.
    let series = last_outcomes(made_up_care(), std::slice::from_ref(&of_today));
    assert_eq!((series.len(), value(&series, &restarted)), (1, Some(0.0)));
    // Nothing is open any more: what was done last is still said.
    let series = last_outcomes(made_up_care(), &[]);
    assert_eq!((series.len(), value(&series, &restarted)), (1, Some(0.0)));
    // What a person ordered while nothing was open was for no incident.
    let mut care = made_up_care();
    let ordered = Cause { incident: None, ..Cause::clone(&care.attempts[0].cause) };
    care.attempts = vec![Arc::new(AttemptView { cause: Arc::new(ordered), ..AttemptView::clone(&care.attempts[0]) })];
    assert_eq!(value(&last_outcomes(care, &[of_today]), &restarted), Some(0.0));
}

#[test]
fn an_attempt_for_the_open_incident_counts_before_a_newer_one_for_what_is_over() {
    let mut care = made_up_care();
    let last = Arc::clone(&care.attempts[0]);
    let memory = Cause { incident: Some(IncidentId(8)), ..Cause::clone(&last.cause) };
    let helped = AttemptView { cause: Arc::new(memory), outcome: Some(Outcome::Helped), ..AttemptView::clone(&last) };
    care.attempts.push(Arc::new(helped));
    let series = last_outcomes(care, &made_up_open());
    assert_eq!(series.len(), 1);
    assert_eq!(value(&series, &[("target", "new"), ("remedy", "restart"), ("outcome", "did_not_help")]), Some(1.0));
}

#[test]
fn what_is_refused_to_the_session_and_to_its_memory_is_one_series() {
    let mut care = made_up_care();
    care.refused.push(Arc::clone(&care.refused[0]));
    let families = of_newcomer(care);
    let series = &families["wa_watchdog_refusal_active"].series;
    assert_eq!(series.len(), 1);
    assert_eq!(value(series, &[("target", "new"), ("remedy", "reset"), ("reason", "unapproved")]), Some(1.0));
}

#[test]
fn a_cooldown_that_has_passed_is_absent() {
    let care = CareView { cooldown_until: Some(made_up::ago(1)), ..CareView::default() };
    let families = of_newcomer(care);
    assert!(!families.contains_key("wa_watchdog_cooldown_until_timestamp_seconds"));
}

#[test]
fn a_reading_of_memory_that_is_of_the_past_is_absent() {
    let memory = Some(Memory { used_bytes: 7, limit_bytes: Some(9), oom_kills: None });
    let reads = |until| {
        let view = TargetView { memory, memory_until: until, memory_minimum: Some(8), ..made_up::newcomer("new") };
        let snapshot = Snapshot { targets: vec![Arc::new(view)], ..made_up::snapshot() };
        let families = parse(&metrics::render(&snapshot, &shell()));
        let names = ["used", "limit", "minimum"].map(|name| format!("wa_watchdog_memory_{name}_bytes"));
        names.map(|name| families.contains_key(&name))
    };
    assert_eq!(reads(Some(made_up::ago(1))), [false, false, true]);
    assert_eq!(reads(Some(made_up::ago(-1))), [true; 3]);
    assert_eq!(reads(None), [true; 3], "nobody says how often it is read");
}

#[test]
fn a_state_set_has_exactly_one_state() {
    let families = parse(&metrics::render(&made_up::snapshot(), &shell()));
    let mut by_target: BTreeMap<&str, Vec<(&str, f64)>> = BTreeMap::new();
    for series in &families["wa_watchdog_session_state"].series {
        by_target.entry(&series.labels["target"]).or_default().push((&series.labels["state"], series.value));
    }
    assert_eq!(by_target.keys().copied().collect::<Vec<_>>(), ["atelier", "shop"], "`new` was never heard of");
    for (target, states) in by_target {
        assert_eq!(states.len(), SessionState::ALL.len(), "{target}");
        let set: Vec<&str> = states.into_iter().filter(|(_, value)| *value == 1.0).map(|(state, _)| state).collect();
        assert_eq!(set, [if target == "shop" { "connecting" } else { "connected" }]);
    }
}

#[test]
fn histograms_cumulate_up_to_their_count() {
    let families = parse(&metrics::render(&made_up::snapshot(), &shell()));
    let series: Vec<&Series> = families["wa_watchdog_probe_duration_seconds"]
        .series
        .iter()
        .filter(|series| series.labels["target"] == "shop")
        .collect();
    let buckets: Vec<(&str, f64)> = series
        .iter()
        .filter(|series| series.name.ends_with("_bucket"))
        .map(|series| (series.labels["le"].as_str(), series.value))
        .collect();
    assert_eq!(
        buckets,
        [
            ("0.005", 1.0),
            ("0.025", 1.0),
            ("0.1", 2.0),
            ("0.25", 3.0),
            ("0.5", 3.0),
            ("1", 3.0),
            ("2.5", 3.0),
            ("10", 3.0),
            ("+Inf", 4.0),
        ]
    );
    let one = |suffix: &str| series.iter().find(|series| series.name.ends_with(suffix)).expect("it is written").value;
    assert_eq!(one("_count"), 4.0);
    assert!((one("_sum") - 30.204).abs() < 1e-9);
}

#[test]
fn label_values_are_escaped() {
    let odd = "1.0 \"beta\" \\ two\nlines";
    let shell = Shell { build: Build { version: odd, revision: "abc" }, ..shell() };
    let text = metrics::render(&made_up::snapshot(), &shell);
    assert!(text.contains(r#"version="1.0 \"beta\" \\ two\nlines""#), "{}", own_lines(&text));
    assert_eq!(parse(&text)["wa_watchdog_build_info"].series[0].labels["version"], odd);
}

#[test]
fn the_shell_has_its_say() {
    let failed = Shell { reload: Reload { succeeded: false, last_success: made_up::ago(500) }, ..shell() };
    let families = parse(&metrics::render(&made_up::snapshot(), &failed));
    let alone = |name: &str| families[name].series[0].value;
    assert_eq!(alone("wa_watchdog_config_last_reload_successful"), 0.0);
    assert_eq!(alone("wa_watchdog_config_last_reload_success_timestamp_seconds"), 1_770_195_100.0);
    assert_eq!(families["wa_watchdog_build_info"].series[0].labels["version"], env!("CARGO_PKG_VERSION"));
}

#[cfg(target_os = "linux")]
#[test]
fn the_process_shows_itself() {
    let families = parse(&metrics::render(&Snapshot::default(), &shell()));
    for name in ["process_resident_memory_bytes", "process_open_fds", "process_start_time_seconds", "process_threads"] {
        assert!(0.0 < families[name].series[0].value, "{name}");
    }
}

#[test]
fn a_thousand_targets_cost_a_bounded_number_of_lines_each() {
    let text = metrics::render(&made_up::fleet(1000), &shell());
    let lines = text.lines().count();
    // These thousand all fail, with a remedy that waits: the most that a target shows. One that is only watched has 3 lines of it.
    assert!((120_000..140_000).contains(&lines), "{lines} lines");
}

/// Returns what is written of the last attempt at a target with these open incidents.
fn last_outcomes(care: CareView, open: &[Arc<Incident>]) -> Vec<Series> {
    let view = TargetView { open: open.to_vec(), ..made_up::newcomer("new") };
    of_view(TargetView { care: Arc::new(care), ..view })
        .remove("wa_watchdog_last_attempt_outcome")
        .expect("it is written")
        .series
}

/// The incident that the made-up attempts were for.
fn made_up_open() -> Vec<Arc<Incident>> {
    made_up::snapshot().target("shop").expect("shop").open.clone()
}

fn made_up_care() -> CareView {
    let snapshot = made_up::snapshot();
    CareView::clone(&snapshot.target("shop").expect("it is made up").care)
}

fn shell() -> Shell {
    Shell {
        build: Build { revision: "0123abc", ..Build::this() },
        reload: Reload { succeeded: true, last_success: made_up::ago(86_400) },
        dropped: BTreeMap::from([("log_lines", 0)]),
        inbound: BTreeMap::from([(("wasender", "taken"), 3), (("wasender", "refused"), 0)]),
        denials: BTreeMap::from([("no_token", 2), ("wrong_token", 0)]),
        notifications: BTreeMap::from([("ops".to_owned(), [7, 1, 0])]),
        hard_stops: BTreeMap::from([("shop".to_owned(), 1)]),
        credentials: BTreeMap::from([((TargetId::new("shop").expect("a name"), "reset"), made_up::ago(-86_400))]),
        discoveries: BTreeMap::from([("account".to_owned(), discovery(Some(true), [12, 1]))]),
    }
}

fn discovery(up: Option<bool>, [found, refused]: [u64; 2]) -> Discovery {
    let refreshes = BTreeMap::from([("found", found), ("refused", refused)]);
    Discovery { up, targets: found, refreshes, last_success: up.map(|_| made_up::ago(30)) }
}

fn only_a_newcomer() -> Snapshot {
    Snapshot { targets: vec![Arc::new(made_up::newcomer("new"))], ..Snapshot::default() }
}

/// Returns what is served of one target with such care.
fn of_newcomer(care: CareView) -> BTreeMap<String, Family> {
    of_view(TargetView { care: Arc::new(care), ..made_up::newcomer("new") })
}

/// Returns what is served of one target alone.
fn of_view(view: TargetView) -> BTreeMap<String, Family> {
    let snapshot = Snapshot { targets: vec![Arc::new(view)], ..made_up::snapshot() };
    parse(&metrics::render(&snapshot, &shell()))
}

/// Leaves out what differs between processes and between versions.
fn own_lines(text: &str) -> String {
    let own = text.lines().filter(|line| !line.split(' ').any(is_process) && !is_process(line));
    own.map(|line| line.replace(env!("CARGO_PKG_VERSION"), "VERSION") + "\n").collect()
}

fn is_process(name: &str) -> bool {
    name.starts_with("process_")
}

fn value(series: &[Series], labels: &[(&str, &str)]) -> Option<f64> {
    let wanted: BTreeMap<String, String> = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    series.iter().find(|series| series.labels == wanted).map(|series| series.value)
}
