//! A person is asked to scan a QR code: when that begins, is repeated and ends.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::incident::IncidentId;
use crate::engine::ledger::ScanNews;
use crate::engine::moment::{Moment, Stamp};
use crate::engine::policy::{HandOffLimits, Limits};
use crate::engine::snapshot::HandOffView;
use crate::engine::target::TargetId;
use crate::engine::timeline::Timeline;

/// A scan that a person is asked for, or soon will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandOff {
    /// The incident, if one was open.
    pub incident: Option<IncidentId>,
    /// Since when.
    pub since: Stamp,
    /// A reset of ours began it: nothing is done until it ends.
    pub after_reset: bool,
    /// When the codes of this round end; none before the first code was seen.
    round_ends: Option<Stamp>,
    /// When the scan counts as not made; before the first code: when one must have appeared.
    until: Stamp,
    /// That has come.
    pub expired: bool,
    /// When it was last said again after that.
    reminded: Stamp,
}

impl HandOff {
    /// Begins after a reset: a code must appear first.
    #[must_use]
    pub fn after_reset(incident: Option<IncidentId>, now: Stamp, limits: &HandOffLimits) -> Self {
        let until = now.after(limits.qr_within);
        Self { incident, since: now, after_reset: true, round_ends: None, until, expired: false, reminded: now }
    }

    /// Goes on after a restart of the watchdog: a code may have been seen before it.
    #[must_use]
    pub fn resumed(self, now: Moment, limits: &HandOffLimits) -> Self {
        let until = self.since.after(limits.window);
        Self { until, expired: until.has_come(now), ..self }
    }

    /// Begins with a code on the screen.
    #[must_use]
    pub fn with_code(incident: Option<IncidentId>, shown_since: Stamp, now: Stamp, limits: &HandOffLimits) -> Self {
        let mut hand_off = Self { after_reset: false, ..Self::after_reset(incident, now, limits) };
        hand_off.code_appeared(shown_since, now, limits);
        hand_off
    }

    /// Follows what the session shows; returns what a person must hear, and whether it ended.
    #[must_use]
    pub fn follow(&mut self, now: Moment, timeline: &Timeline, limits: &Limits) -> (Option<ScanNews>, bool) {
        let limits = &limits.hand_off;
        let was_asked = self.round_ends.is_some();
        if timeline.is_connected() && timeline.last_good.is_some_and(|at| self.since < at.stamp()) {
            return (was_asked.then_some(ScanNews::Done), true);
        }
        let Some(shown_since) = timeline.scan.since() else {
            let is_over =
                if was_asked { !self.after_reset || self.until.has_come(now) } else { self.until.has_come(now) };
            return (Some(ScanNews::Withdrawn).filter(|_| is_over && was_asked), is_over);
        };
        let Some(round_ends) = self.round_ends else {
            self.code_appeared(shown_since.stamp(), now.stamp(), limits);
            return (Some(ScanNews::Wanted), false);
        };
        if !self.expired && self.until.has_come(now) {
            self.expired = true;
            self.reminded = now.stamp();
            return (Some(ScanNews::Expired), false);
        }
        let pause = if self.expired { limits.remind_every } else { Duration::ZERO };
        if round_ends.has_come(now) {
            // The next round, however many passed unseen.
            self.round_ends = Some(now.stamp().after(limits.round));
            if self.reminded.after(pause).has_come(now) {
                self.reminded = now.stamp();
                return (Some(ScanNews::Reminder), false);
            }
        }
        (None, false)
    }

    /// Returns when to follow it again although nothing is heard.
    #[must_use]
    pub fn next(&self) -> Stamp {
        let round = self.round_ends.unwrap_or(self.until);
        if self.expired { round } else { round.min(self.until) }
    }

    /// Tells whether it is still waited for, after a reset.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.after_reset && !self.expired
    }

    /// Returns when the scan counts as not made.
    #[must_use]
    pub fn until(&self) -> Stamp {
        self.until
    }

    /// Shows it; none before a person is asked.
    #[must_use]
    pub fn view(&self, target: &TargetId, now: Moment) -> Option<Arc<HandOffView>> {
        let deadline = self.round_ends?;
        Some(Arc::new(HandOffView {
            target: target.clone(),
            incident: self.incident,
            since: self.since.wall(now),
            deadline: (!deadline.has_come(now)).then(|| deadline.wall(now)),
            until: self.until.wall(now),
            expired: self.expired,
            after_reset: self.after_reset,
        }))
    }

    fn code_appeared(&mut self, shown_since: Stamp, now: Stamp, limits: &HandOffLimits) {
        self.round_ends = Some(shown_since.after(limits.round).max(now));
        self.until = now.after(limits.window);
    }
}

/// Says why a person must not be disturbed now; none where nobody can be.
#[must_use]
pub fn disturbs(now: Moment, hand_off: Option<&HandOff>, timeline: &Timeline, limits: &Limits) -> Option<String> {
    if let Some(hand_off) = hand_off.filter(|hand_off| hand_off.holds()) {
        return Some(format!(
            "a reset was just made, and a person is waited for until {}",
            hand_off.until.wall(now).clock()
        ));
    }
    let scan = &timeline.scan;
    let is_dead = scan.frozen_since(limits.stuck_qr.frozen_after).is_some() || timeline.scanned_since().is_some();
    let seen = scan.last().filter(|last| now.since(*last) < limits.hand_off.round && !is_dead)?;
    let since = scan.since().unwrap_or(seen);
    Some(format!(
        "a live QR code is on the screen since {}; whoever scans it must not be disturbed",
        since.wall.clock()
    ))
}
