//! The table of metrics: name, kind, labels, help, and where each value stands in the snapshot.

use std::collections::BTreeMap;

use crate::engine::pattern::Pattern;
use crate::engine::sample::SessionState;
use crate::engine::snapshot::{INCIDENT_BUCKETS, PROBE_BUCKETS, TargetView};

use super::discoveries::{discovery_last_success, discovery_refreshes, discovery_targets, discovery_up};
use super::remedies::{
    attempt_in_progress, budget_remaining, cooldown_until, foreign_restarts, last_attempt_outcome, needs_person,
    network_path_up, paused, refusal_active, refusals, remedies, remedy_duration, reset_frequency, resets,
    resets_in_window, scan_deadline, storm_active, target_paused,
};
use super::rows::Rows;
use super::{Declared, Kind, Scrape};

const NONE: &[&str] = &[];
const TARGET: &[&str] = &["target"];
const STATE: &[&str] = &["target", "state"];
const DISCOVERY: &[&str] = &["discovery"];
const PATTERN: &[&str] = &["target", "pattern"];

/// Every metric of this program.
pub(super) static CATALOGUE: [Declared; 53] = [
    gauge(
        "wa_watchdog_session_state",
        STATE,
        session_state,
        "State that the session was last seen in: 1 for that state, 0 for every other.",
    ),
    counter(
        "wa_watchdog_session_state_changes_total",
        STATE,
        session_state_changes,
        "Changes of the session into a state.",
    ),
    gauge(
        "wa_watchdog_session_last_connected_timestamp_seconds",
        TARGET,
        session_last_connected,
        "Unix time at which the session was last seen connected.",
    ),
    counter(
        "wa_watchdog_session_connected_seconds_total",
        TARGET,
        session_connected,
        "Time for which the session was seen connected, between two polls that both said so.",
    ),
    gauge("wa_watchdog_probe_up", TARGET, probe_up, "Whether the last poll was answered (1) or not (0)."),
    counter(
        "wa_watchdog_probes_total",
        &["target", "outcome"],
        probes,
        "Polls by what came of them: an answer, a refusal, or why there was none.",
    ),
    histogram("wa_watchdog_probe_duration_seconds", TARGET, probe_duration, "How long polls took, failed ones too."),
    gauge(
        "wa_watchdog_pattern_active",
        PATTERN,
        pattern_active,
        "Whether the verdict is that this failure pattern is proven (1) or not (0).",
    ),
    counter("wa_watchdog_pattern_detections_total", PATTERN, pattern_detections, "Times a pattern was newly proven."),
    gauge(
        "wa_watchdog_incident_open",
        PATTERN,
        incident_open,
        "Whether an incident with this pattern is open (1) or not (0).",
    ),
    counter("wa_watchdog_incidents_total", PATTERN, incidents, "Incidents opened, by the pattern that opened them."),
    histogram(
        "wa_watchdog_incident_duration_seconds",
        PATTERN,
        incident_duration,
        "How long closed incidents lasted; absent until one with that pattern has closed.",
    ),
    gauge(
        "wa_watchdog_memory_used_bytes",
        TARGET,
        memory_used,
        "Memory in use by the session's service, without page cache that can be dropped.",
    ),
    gauge(
        "wa_watchdog_memory_limit_bytes",
        TARGET,
        memory_limit,
        "Memory limit of the session's service; absent where nothing limits it.",
    ),
    gauge(
        "wa_watchdog_memory_minimum_bytes",
        TARGET,
        memory_minimum,
        "Least memory limit that the session's service should have; absent where none is known.",
    ),
    counter(
        "wa_watchdog_oom_kills_total",
        TARGET,
        oom_kills,
        "Kills of the session's service for memory that were seen.",
    ),
    counter(
        "wa_watchdog_remedies_total",
        &["target", "remedy", "pattern", "outcome"],
        remedies,
        "Attempts by what came of them; pattern is none where a person ordered one. Absent until it happened.",
    ),
    histogram(
        "wa_watchdog_remedy_duration_seconds",
        &["target", "remedy"],
        remedy_duration,
        "How long the runs of attempts took, without the time to see whether they helped; absent until the first.",
    ),
    gauge(
        "wa_watchdog_attempt_in_progress",
        TARGET,
        attempt_in_progress,
        "Whether an attempt is under way (1) or not (0); absent where no remedy has a hook.",
    ),
    gauge(
        "wa_watchdog_last_attempt_outcome",
        &["target", "remedy", "outcome"],
        last_attempt_outcome,
        "What came of the newest attempt of which that is known: 1 while the incident is open that it was for, 0 once that is over; all others absent.",
    ),
    counter(
        "wa_watchdog_resets_total",
        PATTERN,
        resets,
        "Attempts that destroyed the session, by pattern; none where a person ordered one.",
    ),
    gauge(
        "wa_watchdog_resets_in_window",
        &["target", "window"],
        resets_in_window,
        "Attempts that destroyed the session within the last 24 h, 7 d and 30 d, from the ledger.",
    ),
    gauge(
        "wa_watchdog_reset_frequency",
        &["target", "grade"],
        reset_frequency,
        "How often resets are needed: 1 for that grade, 0 for every other. Weekly and daily mean that something else is wrong.",
    ),
    counter(
        "wa_watchdog_refusals_total",
        &["target", "remedy", "reason"],
        refusals,
        "Remedies that were due and not carried out; one that lasts counts once. Absent until it happened.",
    ),
    gauge(
        "wa_watchdog_refusal_active",
        &["target", "remedy", "reason"],
        refusal_active,
        "Remedies that are due now and not carried out: 1 for the reason, all others absent.",
    ),
    gauge(
        "wa_watchdog_budget_remaining",
        &["target", "remedy"],
        budget_remaining,
        "Attempts that the budgets of the target have left; absent where the remedy has no hook.",
    ),
    gauge(
        "wa_watchdog_cooldown_until_timestamp_seconds",
        TARGET,
        cooldown_until,
        "Unix time before which nothing new is begun after the last attempt; absent where nothing is waited for.",
    ),
    gauge(
        "wa_watchdog_scan_deadline_timestamp_seconds",
        TARGET,
        scan_deadline,
        "Unix time at which a scan that a person is asked for counts as not made; absent where none is asked for.",
    ),
    gauge(
        "wa_watchdog_needs_person",
        TARGET,
        needs_person,
        "Whether a person must scan, release an attempt, or look (1) or not (0).",
    ),
    gauge(
        "wa_watchdog_target_paused",
        TARGET,
        target_paused,
        "Whether a person paused the target itself (1) or not (0); see wa_watchdog_paused for all of them.",
    ),
    counter(
        "wa_watchdog_foreign_restarts_total",
        TARGET,
        foreign_restarts,
        "Restarts of the session's service by somebody else.",
    ),
    gauge(
        "wa_watchdog_storm_active",
        NONE,
        storm_active,
        "Whether many targets turned bad together, or did just now, so that nothing is done (1) or not (0).",
    ),
    gauge(
        "wa_watchdog_network_path_up",
        &["path"],
        network_path_up,
        "Whether a network path that sessions need is up (1) or not (0); while it is not, what needs it is left alone.",
    ),
    gauge("wa_watchdog_paused", NONE, paused, "Whether a person paused all targets (1) or not (0)."),
    counter(
        "wa_watchdog_hard_stops_total",
        TARGET,
        hard_stops,
        "Services that did not end by themselves when a remedy stopped them, and were killed: that can damage a session.",
    ),
    counter(
        "wa_watchdog_notifications_total",
        &["notifier", "outcome"],
        notifications,
        "Notifications by what came of them: sent, failed for good, or dropped because too many waited.",
    ),
    counter(
        "wa_watchdog_orders_denied_total",
        &["reason"],
        orders_denied,
        "Orders over HTTP that came without the right to give them, by reason.",
    ),
    counter(
        "wa_watchdog_inbound_total",
        &["kind", "outcome"],
        inbound,
        "What was pushed to the watchdog, by what it came as and what became of it.",
    ),
    gauge(
        "wa_watchdog_credential_expiry_timestamp_seconds",
        &["target", "credential"],
        credential_expiry,
        "When a token ends that says it itself (a JWT): the target's own, or the one that the hook of a remedy sends.",
    ),
    gauge(
        "wa_watchdog_discovery_up",
        DISCOVERY,
        discovery_up,
        "Whether the last refresh of the discovery was clean (1), or what was found before still counts (0).",
    ),
    gauge(
        "wa_watchdog_discovery_targets",
        DISCOVERY,
        discovery_targets,
        "Targets that are watched because of the discovery.",
    ),
    counter(
        "wa_watchdog_discovery_refreshes_total",
        &["discovery", "outcome"],
        discovery_refreshes,
        "Refreshes of the discovery by what came of them.",
    ),
    gauge(
        "wa_watchdog_discovery_last_success_timestamp_seconds",
        DISCOVERY,
        discovery_last_success,
        "Unix time of the last clean refresh of the discovery; absent before the first.",
    ),
    gauge("wa_watchdog_targets", NONE, targets, "Targets that are watched."),
    gauge("wa_watchdog_targets_failing", NONE, targets_failing, "Targets with an open incident."),
    gauge(
        "wa_watchdog_targets_turned_bad_together",
        NONE,
        targets_turned_bad_together,
        "Failing targets that turned bad within the same window: the reach of one common cause.",
    ),
    gauge(
        "wa_watchdog_snapshot_timestamp_seconds",
        NONE,
        snapshot_timestamp,
        "Unix time of the state that all of this was read from; stands still if the watchdog does.",
    ),
    counter("wa_watchdog_suspensions_total", NONE, suspensions, "Times the watchdog was suspended or a clock jumped."),
    counter("wa_watchdog_ledger_errors_total", NONE, ledger_errors, "Ledger entries that could not be written."),
    counter(
        "wa_watchdog_dropped_total",
        &["reason"],
        dropped,
        "Orders and samples that came to nothing in the watchdog itself, by reason.",
    ),
    gauge(
        "wa_watchdog_config_last_reload_successful",
        NONE,
        reload_successful,
        "Whether the last reading of the configuration was taken (1) or the one before is still in force (0).",
    ),
    gauge(
        "wa_watchdog_config_last_reload_success_timestamp_seconds",
        NONE,
        reload_timestamp,
        "Unix time at which a configuration was last taken.",
    ),
    gauge("wa_watchdog_build_info", &["version", "revision"], build_info, "Which build runs; always 1."),
];

type Read = fn(Scrape<'_>, &mut Rows);

const fn gauge(name: &'static str, labels: &'static [&'static str], read: Read, help: &'static str) -> Declared {
    Declared { name, help, kind: Kind::Gauge, labels, read }
}

const fn counter(name: &'static str, labels: &'static [&'static str], read: Read, help: &'static str) -> Declared {
    Declared { name, help, kind: Kind::Counter, labels, read }
}

const fn histogram(name: &'static str, labels: &'static [&'static str], read: Read, help: &'static str) -> Declared {
    Declared { name, help, kind: Kind::Histogram, labels, read }
}

impl<'a> Scrape<'a> {
    pub(super) fn targets(self) -> impl Iterator<Item = (&'a str, &'a TargetView)> {
        self.snapshot.targets.iter().map(|view| (view.target.as_str(), &**view))
    }
}

fn session_state(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets() {
        let Some(seen) = view.state else { continue };
        for state in SessionState::ALL {
            rows.flag(&[target, state.as_str()], state == seen);
        }
    }
}

fn session_state_changes(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets() {
        for (state, changes) in SessionState::ALL.into_iter().zip(view.counts.state_changes) {
            rows.count(&[target, state.as_str()], changes);
        }
    }
}

fn session_last_connected(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets() {
        if let Some(at) = view.last_connected {
            rows.put(&[target], at.secs_f64());
        }
    }
}

fn session_connected(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets() {
        rows.put(&[target], view.counts.connected.as_secs_f64());
    }
}

fn probe_up(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets() {
        if let Some(up) = view.up {
            rows.flag(&[target], up);
        }
    }
}

fn probes(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets() {
        for (outcome, polls) in view.counts.outcomes() {
            rows.count(&[target, outcome], polls);
        }
    }
}

fn probe_duration(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets() {
        rows.histogram(&[target], &PROBE_BUCKETS, &view.counts.probe_durations);
    }
}

fn pattern_active(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets() {
        for pattern in Pattern::ALL {
            rows.flag(&[target, pattern.as_str()], view.is_active(pattern));
        }
    }
}

fn pattern_detections(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets() {
        for (pattern, detections) in Pattern::ALL.into_iter().zip(view.counts.detections) {
            rows.count(&[target, pattern.as_str()], detections);
        }
    }
}

fn incident_open(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets() {
        for pattern in Pattern::ALL {
            let open = view.open.iter().any(|incident| incident.pattern == pattern);
            rows.flag(&[target, pattern.as_str()], open);
        }
    }
}

fn incidents(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets() {
        for (pattern, opened) in Pattern::ALL.into_iter().zip(view.counts.incidents) {
            rows.count(&[target, pattern.as_str()], opened);
        }
    }
}

/// Leaves out the pairs of target and pattern in which no incident has closed: all of them would be 90 series a target, nearly
/// all empty for ever. That the first incident is seen at once is the work of `incidents_total`, which starts at 0.
fn incident_duration(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets() {
        for (pattern, durations) in &view.counts.incident_durations {
            rows.histogram(&[target, pattern.as_str()], &INCIDENT_BUCKETS, durations);
        }
    }
}

fn memory_used(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets() {
        if let Some(memory) = view.memory_at(scrape.snapshot.at) {
            rows.count(&[target], memory.used_bytes);
        }
    }
}

fn memory_limit(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets() {
        if let Some(limit) = view.memory_at(scrape.snapshot.at).and_then(|memory| memory.limit_bytes) {
            rows.count(&[target], limit);
        }
    }
}

fn memory_minimum(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets() {
        if let Some(minimum) = view.memory_minimum {
            rows.count(&[target], minimum);
        }
    }
}

fn oom_kills(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets() {
        rows.count(&[target], view.counts.oom_kills);
    }
}

fn targets(scrape: Scrape<'_>, rows: &mut Rows) {
    rows.put(&[], f64::from(scrape.snapshot.fleet.targets));
}

fn targets_failing(scrape: Scrape<'_>, rows: &mut Rows) {
    rows.put(&[], f64::from(scrape.snapshot.fleet.failing));
}

fn targets_turned_bad_together(scrape: Scrape<'_>, rows: &mut Rows) {
    rows.put(&[], f64::from(scrape.snapshot.fleet.turned_bad_together));
}

fn snapshot_timestamp(scrape: Scrape<'_>, rows: &mut Rows) {
    rows.put(&[], scrape.snapshot.at.secs_f64());
}

fn suspensions(scrape: Scrape<'_>, rows: &mut Rows) {
    rows.count(&[], scrape.snapshot.suspensions);
}

fn ledger_errors(scrape: Scrape<'_>, rows: &mut Rows) {
    rows.count(&[], scrape.snapshot.ledger_errors);
}

/// Adds up what engine and shell dropped for the same reason, so that no series appears twice.
fn dropped(scrape: Scrape<'_>, rows: &mut Rows) {
    let mut by_reason: BTreeMap<&str, u64> = BTreeMap::new();
    for (reason, count) in scrape.snapshot.dropped.iter().chain(&scrape.shell.dropped) {
        let total = by_reason.entry(reason).or_default();
        *total = total.saturating_add(*count);
    }
    for (reason, count) in by_reason {
        rows.count(&[reason], count);
    }
}

fn notifications(scrape: Scrape<'_>, rows: &mut Rows) {
    for (notifier, counts) in &scrape.shell.notifications {
        for (outcome, count) in ["sent", "failed", "dropped"].into_iter().zip(counts) {
            rows.count(&[notifier, outcome], *count);
        }
    }
}

fn hard_stops(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, count) in &scrape.shell.hard_stops {
        rows.count(&[target], *count);
    }
}

fn orders_denied(scrape: Scrape<'_>, rows: &mut Rows) {
    for (reason, count) in &scrape.shell.denials {
        rows.count(&[reason], *count);
    }
}

fn inbound(scrape: Scrape<'_>, rows: &mut Rows) {
    for ((kind, outcome), count) in &scrape.shell.inbound {
        rows.count(&[kind, outcome], *count);
    }
}

fn credential_expiry(scrape: Scrape<'_>, rows: &mut Rows) {
    for ((target, credential), ends) in &scrape.shell.credentials {
        rows.put(&[target.as_str(), credential], ends.secs_f64());
    }
}

fn reload_successful(scrape: Scrape<'_>, rows: &mut Rows) {
    rows.flag(&[], scrape.shell.reload.succeeded);
}

fn reload_timestamp(scrape: Scrape<'_>, rows: &mut Rows) {
    rows.put(&[], scrape.shell.reload.last_success.secs_f64());
}

fn build_info(scrape: Scrape<'_>, rows: &mut Rows) {
    let build = scrape.shell.build;
    rows.put(&[build.version, build.revision], 1.0);
}
