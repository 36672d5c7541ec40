//! What was done for a target, folded so that budgets, cooldown and the grade of reset frequency can be read from it.

use std::time::Duration;

use crate::engine::attempt::{AttemptId, AttemptView, Outcome};
use crate::engine::incident::IncidentId;
use crate::engine::ladder::Remedy;
use crate::engine::moment::{Moment, Stamp, words};
use crate::engine::policy::{Budget, Cooldown, FleetLimits};
use crate::engine::snapshot::{Grade, ResetView};

/// Most attempts that are kept; budgets allow far fewer in 30 days.
const PAST_MAX: usize = 256;
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const WEEK: Duration = Duration::from_hours(7 * 24);
/// The longest window.
pub const MONTH: Duration = Duration::from_hours(30 * 24);

/// What was done.
#[derive(Clone, Debug, Default)]
pub struct History {
    past: Vec<Past>,
    /// Attempts in a row that did not help.
    unhelpful: u32,
    /// Resets in a row that did not help.
    failed_resets: u32,
    /// When a person last acknowledged.
    acked: Option<Stamp>,
    /// When somebody else last restarted the service.
    disturbed: Option<Stamp>,
    /// When the version last changed.
    updated: Option<Stamp>,
}

/// One attempt that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// Its number.
    pub id: AttemptId,
    /// What was done.
    pub remedy: Remedy,
    /// Whether that destroyed the session.
    pub destroys: bool,
    /// For which incident.
    pub incident: Option<IncidentId>,
    /// When its run ended.
    pub ended: Stamp,
    /// Whether it counts: something of it ran.
    pub spent: bool,
    /// What came of it, once that is known.
    pub outcome: Option<Outcome>,
}

impl Past {
    /// Folds an attempt whose run ended.
    #[must_use]
    pub fn of(view: &AttemptView, ended: Stamp, spent: bool) -> Self {
        Self {
            id: view.id,
            remedy: view.remedy,
            destroys: view.destroys,
            incident: view.cause.incident,
            ended,
            spent,
            outcome: view.outcome,
        }
    }
}

impl History {
    /// Tells whether nothing ever happened.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        let Self { past, unhelpful: _, failed_resets: _, acked, disturbed, updated } = self;
        past.is_empty() && acked.is_none() && disturbed.is_none() && updated.is_none()
    }

    /// Adds an attempt.
    pub fn note(&mut self, past: Past) {
        if PAST_MAX <= self.past.len() {
            self.past.remove(0);
        }
        self.past.push(past);
    }

    /// Notes what came of an attempt.
    pub fn settle(&mut self, id: AttemptId, outcome: Outcome) {
        let Some(past) = self.past.iter_mut().rev().find(|past| past.id == id) else { return };
        past.outcome = Some(outcome);
        match outcome {
            Outcome::Helped => {
                self.unhelpful = 0;
                self.failed_resets = 0;
            }
            Outcome::DidNotHelp | Outcome::Failed | Outcome::Interrupted if past.spent => {
                self.unhelpful = self.unhelpful.saturating_add(1);
                if past.destroys {
                    self.failed_resets = self.failed_resets.saturating_add(1);
                }
            }
            Outcome::DidNotHelp | Outcome::Failed | Outcome::Interrupted | Outcome::Unmet | Outcome::Aborted => {}
        }
    }

    /// Notes that a person looked at the problem.
    pub fn acknowledge(&mut self, at: Stamp) {
        self.acked = Some(at);
        self.failed_resets = 0;
        self.unhelpful = 0;
    }

    /// Notes that somebody else restarted the service.
    pub fn disturb(&mut self, at: Stamp) {
        self.disturbed = Some(at);
    }

    /// Notes that the service runs another version.
    pub fn update(&mut self, at: Stamp) {
        self.updated = Some(at);
    }

    /// Returns the attempts for an incident, oldest first, since its ladder was last begun.
    ///
    /// A pause of `again_after` begins it anew: the gentlest remedy first.
    #[must_use]
    pub fn climbed(&self, now: Moment, incident: IncidentId, again_after: Duration) -> Vec<&Past> {
        let mut climbed: Vec<&Past> = Vec::new();
        // One whose precondition was not met costs nothing, but it was tried: the next rung is due.
        let was_tried = |past: &&Past| past.spent || past.outcome == Some(Outcome::Unmet);
        for past in self.past.iter().filter(|past| past.incident == Some(incident)).filter(was_tried) {
            if climbed.last().is_some_and(|last| last.ended.after(again_after) <= past.ended) {
                climbed.clear();
            }
            climbed.push(past);
        }
        if climbed.last().is_some_and(|last| again_after <= last.ended.age(now)) {
            climbed.clear();
        }
        climbed
    }

    /// Returns until when nothing is done; none where that has passed.
    ///
    /// Between the first and the second attempt of one incident the first one's time to help is pause enough.
    #[must_use]
    pub fn cooldown_until(&self, now: Moment, incident: Option<IncidentId>, limits: &Cooldown) -> Option<Stamp> {
        let doubled = 2_u32.saturating_pow(self.unhelpful.min(31));
        let pause = limits.first.saturating_mul(doubled).min(limits.longest);
        let last = self.past.iter().rev().find(|past| past.spent);
        let of_incident =
            |past: &Past| self.past.iter().filter(|other| other.spent && other.incident == past.incident).count();
        let is_second =
            last.is_some_and(|past| incident.is_some() && past.incident == incident && of_incident(past) == 1);
        let ours = last.filter(|_| !is_second).map(|past| past.ended.after(pause));
        let theirs = self.disturbed.map(|at| at.after(limits.first));
        ours.into_iter().chain(theirs).max().filter(|until| !until.has_come(now))
    }

    /// Returns how many more attempts the budgets allow now, and in words which of them is spent.
    #[must_use]
    pub fn left(&self, now: Moment, remedy: Remedy, destroys: bool, budget: &Budget) -> (u32, String) {
        let windows: [(u32, Duration); 2] = match (destroys, remedy) {
            (true, _) => [(1, budget.reset_every), (budget.resets_daily, DAY)],
            (false, Remedy::Restart) => [(budget.restarts_hourly, HOUR), (budget.restarts_daily, DAY)],
            (false, Remedy::Notify | Remedy::Reconnect | Remedy::Reset | Remedy::Restore) => {
                [(budget.reconnects_hourly, HOUR), (budget.reconnects_daily, DAY)]
            }
        };
        let kind = |past: &&Past| past.destroys == destroys && (destroys || past.remedy == remedy);
        let left = |(most, window): (u32, Duration)| {
            let used = self.within(now, window, kind);
            let counted = if destroys { "resets" } else { "attempts" };
            (most.saturating_sub(used), format!("{used} of {most} {counted} in {}", words(window)))
        };
        let [first, second] = windows.map(left);
        if second.0 < first.0 { second } else { first }
    }

    /// Counts attempts of all remedies of a kind, for the budgets of the fleet.
    #[must_use]
    pub fn fleet_use(&self, now: Moment, destroys: bool) -> u32 {
        if destroys {
            return self.within(now, DAY, |past| past.destroys);
        }
        self.within(now, HOUR, |past| !past.destroys && past.remedy == Remedy::Restart)
    }

    /// Returns the newest attempt, whose run ended last.
    #[must_use]
    pub fn last(&self) -> Option<&Past> {
        self.past.last()
    }

    /// Returns every attempt that is kept, oldest first.
    #[must_use]
    pub fn past(&self) -> &[Past] {
        &self.past
    }

    /// Tells how often resets were needed.
    #[must_use]
    pub fn resets(&self, now: Moment, budget: &Budget) -> ResetView {
        let within = |window| self.within(now, window, |past| past.destroys);
        let (day, week, month) = (within(DAY), within(WEEK), within(MONTH));
        ResetView {
            day,
            week,
            month,
            grade: self.grade(day, week, month),
            underlying_problem: budget.resets_weekly <= self.unacked_resets(now),
            gave_up: budget.gives_up_after <= self.failed_resets,
        }
    }

    /// Counts the resets of the last seven days that no person has looked at.
    #[must_use]
    pub fn unacked_resets(&self, now: Moment) -> u32 {
        let since_ack = |past: &&Past| self.acked.is_none_or(|acked| acked < past.ended);
        self.within(now, WEEK, |past| past.destroys && since_ack(past))
    }

    /// Counts the resets in a row that did not help.
    #[must_use]
    pub fn failed_resets(&self) -> u32 {
        self.failed_resets
    }

    fn grade(&self, day: u32, week: u32, month: u32) -> Grade {
        let newest = self.past.iter().rev().find(|past| past.destroys && past.spent);
        let after_update =
            newest.is_some_and(|past| self.updated.is_some_and(|at| at <= past.ended && past.ended <= at.after(DAY)));
        match (day, week, month) {
            (2.., _, _) | (_, 4.., _) => Grade::Daily,
            (_, 2.., _) | (_, _, 4..) => Grade::Weekly,
            (_, 1, _) if after_update => Grade::AfterUpdate,
            (_, _, 1..) => Grade::Rare,
            (_, _, 0) => Grade::Never,
        }
    }

    fn within(&self, now: Moment, window: Duration, kind: impl Fn(&&Past) -> bool) -> u32 {
        let count = self.past.iter().filter(|past| past.spent && past.ended.age(now) < window).filter(kind).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

/// Returns in words which budget of the fleet is spent; none where all have something left.
#[must_use]
pub fn fleet_spent(used: u32, remedy: Remedy, destroys: bool, fleet: &FleetLimits) -> Option<String> {
    let (most, window) = match (destroys, remedy) {
        (true, _) => (fleet.resets_daily, "24 h"),
        (false, Remedy::Restart) => (fleet.restarts_hourly, "1 h"),
        (false, Remedy::Notify | Remedy::Reconnect | Remedy::Reset | Remedy::Restore) => return None,
    };
    (most <= used).then(|| format!("{used} of {most} in {window} for all targets together"))
}
