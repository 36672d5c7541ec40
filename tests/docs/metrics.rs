//! docs/metrics.md, from the catalogue of metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use wa_watchdog::engine::care::RUN_BUCKETS;
use wa_watchdog::engine::snapshot::{INCIDENT_BUCKETS, PROBE_BUCKETS};
use wa_watchdog::metrics::{Declared, Kind, catalogue};

use crate::assert_generated;
use crate::labels::{ORDERED, Values, values};

const HEAD: &str = "# Metrics

<!-- Generated from `metrics::catalogue()`. UPDATE_DOCS=1 cargo test --test docs writes it anew. -->

`GET /metrics`, Prometheus text format 0.0.4, is read from one snapshot of what the watchdog believes, so that it never differs from page and API.

- A value that is not known is absent, never 0. A counter starts at 0 with every label that it can have, unless its line says otherwise.
- Counters begin anew at 0 when the watchdog starts, as `rate()` and `increase()` expect. Resets in windows and their grade come from the
  ledger and outlive a restart.
- Besides these there are the usual `process_*` metrics of the watchdog itself.
- A target that is only watched has about 100 lines, one that fails with a remedy that waits about 125.

";

const QUERIES: &str = "## Questions, as PromQL

| question | query |
|---|---|
| what fails now, and why | `wa_watchdog_pattern_active == 1` |
| which sessions need a person | `wa_watchdog_needs_person == 1` |
| how long is left for a scan, in seconds | `wa_watchdog_scan_deadline_timestamp_seconds - time()` |
| share of the last day for which a session was connected | `increase(wa_watchdog_session_connected_seconds_total[1d]) / 86400` |
| which state each session is in | `wa_watchdog_session_state == 1` |
| seconds since a session was last seen connected | `time() - wa_watchdog_session_last_connected_timestamp_seconds` |
| polls that were not answered, as a share | `sum by (target) (rate(wa_watchdog_probes_total{outcome!=\"answer\"}[10m])) / sum by (target) (rate(wa_watchdog_probes_total[10m]))` |
| resets in a week | `wa_watchdog_resets_in_window{window=\"7d\"}` |
| sessions that are reset too often: something else is wrong | `wa_watchdog_reset_frequency{grade=~\"weekly\\|daily\"} == 1` |
| attempts that did not help, in a day | `sum by (target, remedy) (increase(wa_watchdog_remedies_total{outcome!=\"helped\"}[1d]))` |
| memory in use, as a share of its limit | `wa_watchdog_memory_used_bytes / wa_watchdog_memory_limit_bytes` |
| one cause for many: how far it reaches | `wa_watchdog_targets_turned_bad_together / wa_watchdog_targets` |
| does the watchdog itself still work | `time() - wa_watchdog_snapshot_timestamp_seconds < 60` |
| days until a token ends | `(wa_watchdog_credential_expiry_timestamp_seconds - time()) / 86400` |

";

#[test]
fn every_metric_is_in_the_reference() {
    let mut text = HEAD.to_owned();
    text.push_str("| metric | kind | labels | meaning |\n|---|---|---|---|\n");
    for metric in catalogue() {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let kind = metric.kind.as_str();
        writeln!(text, "| `{}` | {kind} | {} | {} |", metric.name, labels.join(", "), metric.help).unwrap();
    }
    text.push_str("\n## Values of labels\n\n| label | where | values |\n|---|---|---|\n");
    for ((label, values), metrics) in by_values() {
        let everywhere = catalogue().iter().filter(|metric| metric.labels.contains(&label)).count();
        let names: Vec<String> = metrics.iter().map(|name| format!("`{}`", short(name))).collect();
        let names = if names.len() == everywhere { "everywhere".to_owned() } else { names.join(", ") };
        writeln!(text, "| `{label}` | {names} | {values} |").unwrap();
    }
    text.push_str("\n## Buckets of histograms\n\n| metric | upper bounds, in seconds |\n|---|---|\n");
    for metric in catalogue().iter().filter(|metric| metric.kind == Kind::Histogram) {
        writeln!(text, "| `{}` | {} |", metric.name, buckets(metric)).unwrap();
    }
    text.push('\n');
    text.push_str(QUERIES.trim_end());
    text.push('\n');
    assert_generated("docs/metrics.md", &text);
}

#[test]
fn every_metric_that_a_query_names_exists() {
    let names: BTreeSet<&str> = catalogue().iter().map(|metric| metric.name).collect();
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    let asked: BTreeSet<&str> = QUERIES.split(word).filter(|word| word.starts_with("wa_watchdog_")).collect();
    assert!(12 < asked.len());
    for name in asked {
        assert!(names.contains(name), "{name}");
    }
}

/// Returns labels and their values, each with the metrics that have them so.
fn by_values() -> BTreeMap<(&'static str, String), Vec<&'static str>> {
    let mut found: BTreeMap<(&'static str, String), Vec<&'static str>> = BTreeMap::new();
    for metric in catalogue() {
        for label in metric.labels {
            found.entry((label, meaning(metric, label))).or_default().push(metric.name);
        }
    }
    found
}

fn meaning(metric: &Declared, label: &str) -> String {
    let words = match values(metric.name, label) {
        Values::Open(meaning) => return meaning.to_owned(),
        Values::Closed(words) => words,
    };
    if label == "pattern" && words.contains(&ORDERED) {
        return format!("the same, and `{ORDERED}`: a person ordered it");
    }
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn short(name: &str) -> &str {
    name.strip_prefix("wa_watchdog_").unwrap()
}

fn buckets(metric: &Declared) -> String {
    let bounds: &[f64] = match short(metric.name) {
        "probe_duration_seconds" => &PROBE_BUCKETS,
        "incident_duration_seconds" => &INCIDENT_BUCKETS,
        "remedy_duration_seconds" => &RUN_BUCKETS,
        name => panic!("nobody says which buckets {name} has"),
    };
    bounds.iter().map(f64::to_string).collect::<Vec<_>>().join(", ")
}
