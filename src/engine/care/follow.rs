//! Whether an attempt helped.

use super::hand_off::HandOff;
use crate::engine::attempt::{AttemptId, AttemptView, Outcome, RunEnd};
use crate::engine::incident::IncidentId;
use crate::engine::ladder::Remedy;
use crate::engine::moment::{Moment, Stamp, words};
use crate::engine::policy::{AttemptLimits, Limits};
use crate::engine::timeline::Timeline;

/// An attempt whose help is awaited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Following {
    /// Its number.
    pub id: AttemptId,
    /// The incident that it shall end.
    pub incident: Option<IncidentId>,
    /// When its run ended.
    pub ended: Stamp,
    /// Until when it may show that it helped.
    pub until: Stamp,
    end: RunEnd,
    /// It had connected when its time was over, and got the time to prove it.
    extended: bool,
}

impl Following {
    /// Begins when the run ended.
    #[must_use]
    pub fn new(view: &AttemptView, end: RunEnd, ended: Stamp, limits: &AttemptLimits) -> Self {
        let helps_in = match view.remedy {
            Remedy::Notify | Remedy::Reconnect => limits.reconnect_helps_in,
            // A reset has until its hand-off ends.
            Remedy::Restart | Remedy::Reset | Remedy::Restore => limits.restart_helps_in,
        };
        let until = ended.after(helps_in);
        Self { id: view.id, incident: view.cause.incident, ended, until, end, extended: false }
    }

    /// Gives it the time to prove itself: a person has just scanned.
    pub fn extend(&mut self, now: Moment, limits: &Limits) {
        self.extended = true;
        self.until = now.stamp().after(limits.steady.saturating_mul(2));
    }

    /// Judges it; none while it is not known yet.
    #[must_use]
    pub fn judge(
        &mut self,
        now: Moment,
        timeline: &Timeline,
        hand_off: Option<&HandOff>,
        limits: &Limits,
    ) -> Option<(Outcome, String)> {
        match self.end {
            RunEnd::Failed => return Some((Outcome::Failed, String::new())),
            RunEnd::Unmet => return Some((Outcome::Unmet, String::new())),
            RunEnd::Aborted => return Some((Outcome::Aborted, String::new())),
            RunEnd::Done | RunEnd::Interrupted => {}
        }
        let steady = timeline.steady.map(|since| now.since(since));
        // Where an incident is open, its closing is the proof.
        if self.incident.is_none() && steady.is_some_and(|steady| limits.steady <= steady) {
            return Some((Outcome::Helped, format!("connected for {}", words(limits.steady))));
        }
        if hand_off.is_some_and(HandOff::holds) || !self.until.has_come(now) {
            return None;
        }
        if steady.is_some() && !self.extended {
            self.extend(now, limits);
            return None;
        }
        let outcome = if self.end == RunEnd::Done { Outcome::DidNotHelp } else { Outcome::Interrupted };
        Some((outcome, format!("not well {} after it", words(self.ended.age(now)))))
    }
}
