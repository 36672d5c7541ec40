//! Which values the labels of metrics have.

use std::collections::BTreeSet;

use wa_watchdog::discover;
use wa_watchdog::engine::attempt::Outcome;
use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::pattern::Pattern;
use wa_watchdog::engine::refusal::Refusal;
use wa_watchdog::engine::sample::SessionState;
use wa_watchdog::engine::snapshot::{Counts, Grade};
use wa_watchdog::web::{Denials, Inflow};

/// What a label says.
#[derive(Debug)]
pub(crate) enum Values {
    /// A word of the operator, or of the build: this is what it means.
    Open(&'static str),
    /// One of these words.
    Closed(Vec<&'static str>),
}

/// The pattern of an attempt that a person ordered.
pub(crate) const ORDERED: &str = "none";

/// Labels whose values are no closed list, and what they say.
const OPEN: [(&str, &str); 7] = [
    ("target", "the target's name, as in the configuration"),
    ("path", "the network path's name: the section `[path.NAME]`"),
    ("notifier", "the section `[notify.NAME]`"),
    ("discovery", "the section `[discover.NAME]`"),
    ("version", "the package's version"),
    ("revision", "the revision of the sources; `unknown` where the build was not told"),
    ("credential", "`target`: what the target is asked with; else the remedy whose hook sends it"),
];

/// Why orders and samples come to nothing: as the running watchdog counts them, which `tests/commands` compares.
const DROPPED: [&str; 20] = [
    "unknown_target",
    "late_answer",
    "log_cut",
    "log_meaningless",
    "log_old",
    "log_over_rate",
    "log_qr",
    "log_unread",
    "poll_busy",
    "poll_outdated",
    "poll_panicked",
    "poll_queue_full",
    "poll_unasked",
    "poll_unknown_target",
    "event_unread",
    "recorder_queue_full",
    "recorder_failed",
    "discovery_name_taken",
    "discovery_over_max",
    "discovery_unusable",
];

/// Returns the values of a label of a metric. Panics where nobody says which these are.
pub(crate) fn values(metric: &str, label: &str) -> Values {
    if let Some((_, meaning)) = OPEN.iter().find(|(open, _)| *open == label) {
        return Values::Open(meaning);
    }
    let inflow = Inflow::default().counts();
    let of_inflow = |part: fn(&(&'static str, &'static str)) -> &'static str| {
        inflow.keys().map(part).collect::<BTreeSet<_>>().into_iter().collect()
    };
    let mut patterns = Pattern::ALL.map(Pattern::as_str).to_vec();
    let short = metric.strip_prefix("wa_watchdog_").unwrap_or_default();
    Values::Closed(match (label, short) {
        ("state", _) => SessionState::ALL.map(SessionState::as_str).to_vec(),
        ("grade", _) => Grade::ALL.map(Grade::as_str).to_vec(),
        ("pattern", "remedies_total" | "resets_total") => {
            patterns.push(ORDERED);
            patterns
        }
        ("pattern", _) => patterns,
        ("remedy", _) => Remedy::ALL.map(Remedy::as_str).to_vec(),
        ("window", _) => vec!["24h", "7d", "30d"],
        ("outcome", "probes_total") => Counts::default().outcomes().map(|(word, _)| word).collect(),
        ("outcome", "remedies_total" | "last_attempt_outcome") => Outcome::ALL.map(Outcome::as_str).to_vec(),
        ("outcome", "notifications_total") => vec!["sent", "failed", "dropped"],
        ("outcome", "inbound_total") => of_inflow(|(_, outcome)| outcome),
        ("kind", "inbound_total") => of_inflow(|(kind, _)| kind),
        ("outcome", "discovery_refreshes_total") => discover::OUTCOMES.to_vec(),
        ("reason", "refusals_total" | "refusal_active") => Refusal::ALL.map(Refusal::as_str).to_vec(),
        ("reason", "orders_denied_total") => Denials::default().counts().into_keys().collect(),
        ("reason", "dropped_total") => DROPPED.to_vec(),
        (label, name) => panic!("nobody says which values {label} of {name} has"),
    })
}
