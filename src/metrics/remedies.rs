//! Where the metrics of remedies stand in the snapshot.
//!
//! What cannot happen to a target, because no remedy has a hook there, has no series: most targets of a large fleet are watched only.

use std::collections::BTreeSet;

use crate::engine::care::RUN_BUCKETS;
use crate::engine::ladder::Remedy;
use crate::engine::pattern::Pattern;
use crate::engine::snapshot::{CareView, Grade};

use super::Scrape;
use super::rows::Rows;

/// The pattern of what a person ordered.
const NO_PATTERN: &str = "none";

/// Leaves out what has not happened: remedies, patterns and outcomes make 180 combinations a target, nearly all impossible.
pub(super) fn remedies(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets() {
        for ((remedy, pattern, outcome), count) in &view.care.finished {
            rows.count(&[target, remedy.as_str(), word(*pattern), outcome.as_str()], *count);
        }
    }
}

pub(super) fn remedy_duration(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets() {
        for (remedy, durations) in &view.care.durations {
            rows.histogram(&[target, remedy.as_str()], &RUN_BUCKETS, durations);
        }
    }
}

pub(super) fn attempt_in_progress(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets() {
        let is_under_way = view.care.under_way().is_some();
        if is_under_way || !view.care.budget.is_empty() {
            rows.flag(&[target], is_under_way);
        }
    }
}

/// Leaves out every other outcome: of 30 combinations a target one is shown. The attempts come from the ledger, so that a restart of
/// the watchdog does not forget what came of the last one.
///
/// What an attempt did for an incident that is over says nothing of the one that is open now: it is 0, and gives way to what was done for
/// an open one.
pub(super) fn last_attempt_outcome(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets() {
        let known = view.care.attempts.iter().rev().filter_map(|attempt| {
            let is_open = view.open.iter().any(|incident| attempt.cause.incident == Some(incident.id));
            Some((is_open, attempt.remedy, attempt.outcome?))
        });
        let newest = known.clone().find(|(is_open, ..)| *is_open).or_else(|| known.clone().next());
        if let Some((is_open, remedy, outcome)) = newest {
            rows.flag(&[target, remedy.as_str(), outcome.as_str()], is_open);
        }
    }
}

/// Starts at 0 for every pattern that the remedies of the target which destroy may be used for.
pub(super) fn resets(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets() {
        let care = &view.care;
        let possible = |pattern: &Pattern| {
            // What destroys must be able to help as a reset, and as what it is.
            pattern.allows(Remedy::Reset) && care.destroys.iter().any(|remedy| pattern.allows(*remedy))
        };
        let mut patterns: BTreeSet<Option<Pattern>> = care.resets_made.keys().copied().collect();
        if !care.destroys.is_empty() {
            patterns.insert(None);
            patterns.extend(Pattern::ALL.into_iter().filter(possible).map(Some));
        }
        for pattern in patterns {
            rows.count(&[target, word(pattern)], care.resets_made.get(&pattern).copied().unwrap_or(0));
        }
    }
}

pub(super) fn resets_in_window(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets().filter(|(_, view)| has_resets(&view.care)) {
        let resets = view.care.resets;
        for (window, count) in [("24h", resets.day), ("7d", resets.week), ("30d", resets.month)] {
            rows.put(&[target, window], f64::from(count));
        }
    }
}

pub(super) fn reset_frequency(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets().filter(|(_, view)| has_resets(&view.care)) {
        for grade in Grade::ALL {
            rows.flag(&[target, grade.as_str()], grade == view.care.resets.grade);
        }
    }
}

/// Leaves out what has not happened, as [`remedies`] does.
pub(super) fn refusals(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets() {
        for ((remedy, reason), count) in &view.care.refusals {
            rows.count(&[target, remedy.as_str(), reason.as_str()], *count);
        }
    }
}

/// Leaves out what is not so: 70 combinations a target, of which two at most are true. The session and its memory may be refused the same for the same reason.
pub(super) fn refusal_active(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets() {
        let refused: BTreeSet<_> = view.care.refused.iter().map(|refused| (refused.remedy, refused.reason)).collect();
        for (remedy, reason) in refused {
            rows.flag(&[target, remedy.as_str(), reason.as_str()], true);
        }
    }
}

pub(super) fn budget_remaining(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets() {
        for (remedy, left) in &view.care.budget {
            rows.put(&[target, remedy.as_str()], f64::from(*left));
        }
    }
}

pub(super) fn cooldown_until(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets() {
        if let Some(until) = view.care.cooldown_until.filter(|until| scrape.snapshot.at < *until) {
            rows.put(&[target], until.secs_f64());
        }
    }
}

pub(super) fn scan_deadline(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets() {
        if let Some(hand_off) = &view.care.hand_off {
            rows.put(&[target], hand_off.until.secs_f64());
        }
    }
}

pub(super) fn needs_person(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets() {
        rows.flag(&[target], view.care.wants_person());
    }
}

pub(super) fn target_paused(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets() {
        rows.flag(&[target], view.care.pause.is_some());
    }
}

pub(super) fn foreign_restarts(scrape: Scrape<'_>, rows: &mut Rows) {
    for (target, view) in scrape.targets() {
        rows.count(&[target], view.care.foreign_restarts);
    }
}

pub(super) fn storm_active(scrape: Scrape<'_>, rows: &mut Rows) {
    rows.flag(&[], scrape.snapshot.fleet.storm);
}

pub(super) fn network_path_up(scrape: Scrape<'_>, rows: &mut Rows) {
    for view in &scrape.snapshot.paths {
        rows.flag(&[&view.path], view.up);
    }
}

pub(super) fn paused(scrape: Scrape<'_>, rows: &mut Rows) {
    rows.flag(&[], scrape.snapshot.fleet.paused);
}

/// Tells whether resets of a target are possible, or were made.
fn has_resets(care: &CareView) -> bool {
    !care.destroys.is_empty() || 0 < care.resets.month
}

fn word(pattern: Option<Pattern>) -> &'static str {
    pattern.map_or(NO_PATTERN, Pattern::as_str)
}
