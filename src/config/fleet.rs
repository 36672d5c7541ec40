//! What holds for all targets taken together.

use serde_json::{Map, Value};

use super::policy::{SPAN, TIMES_MAX, set};
use super::problem::Report;
use super::section::Section;
use super::unit;
use crate::engine::policy::FleetLimits;

/// Fewest targets of a storm: one that turned bad alone did not turn bad together with others.
const STORM_TARGETS_MIN: u32 = 2;
/// Most attempts under way at once.
const ATTEMPTS_MAX: u32 = 100;

/// Takes the limits of the fleet; what is not said stays as it is by default.
pub(super) fn take(root: &mut Section, report: &mut Report) -> FleetLimits {
    let mut limits = FleetLimits::default();
    let Some(mut section) = root.take_section(report, "fleet") else { return limits };
    let FleetLimits {
        storm_targets,
        storm_percent,
        storm_holds,
        storm_exit,
        storm_jitter,
        attempts,
        restarts_hourly,
        resets_daily,
    } = &mut limits;
    for (name, count, range) in [
        ("storm_targets", storm_targets, STORM_TARGETS_MIN..=TIMES_MAX),
        ("attempts", attempts, 1..=ATTEMPTS_MAX),
        ("restarts_hourly", restarts_hourly, 0..=TIMES_MAX),
        ("resets_daily", resets_daily, 0..=TIMES_MAX),
    ] {
        set(count, section.take(name).and_then(|item| item.count(report, range)));
    }
    for (name, span) in [("storm_holds", storm_holds), ("storm_exit", storm_exit), ("storm_jitter", storm_jitter)] {
        set(span, section.take(name).and_then(|item| item.span(report, SPAN)));
    }
    let (wanted, hint) = ("a share from 1% to 100%", "write it as in \"50%\"");
    let share = section.take("storm_share").and_then(|item| item.word(report, unit::percent, wanted, hint));
    set(storm_percent, share);
    section.finish(report);
    limits
}

/// Writes those that differ from the default.
pub(super) fn write(limits: &FleetLimits) -> Map<String, Value> {
    let usual = rows(&FleetLimits::default());
    rows(limits).into_iter().zip(usual).filter(|(row, usual)| row != usual).map(|(row, _)| row).collect()
}

fn rows(limits: &FleetLimits) -> [(String, Value); 8] {
    let FleetLimits {
        storm_targets,
        storm_percent,
        storm_holds,
        storm_exit,
        storm_jitter,
        attempts,
        restarts_hourly,
        resets_daily,
    } = limits;
    [
        ("storm_targets", (*storm_targets).into()),
        ("storm_share", format!("{storm_percent}%").into()),
        ("storm_holds", unit::in_words(*storm_holds).into()),
        ("storm_exit", unit::in_words(*storm_exit).into()),
        ("storm_jitter", unit::in_words(*storm_jitter).into()),
        ("attempts", (*attempts).into()),
        ("restarts_hourly", (*restarts_hourly).into()),
        ("resets_daily", (*resets_daily).into()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
}
