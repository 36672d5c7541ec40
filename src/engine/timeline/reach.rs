//! Whether a gateway answers at all.

use std::collections::VecDeque;

use crate::engine::moment::Moment;
use crate::engine::sample::Failure;

/// Most failures that are kept as evidence.
const KEPT_MAX: usize = 8;

/// Equal samples in a row, however far apart.
#[derive(Clone, Copy, Debug, Default)]
pub struct Streak {
    /// The first and the last of them.
    span: Option<(Moment, Moment)>,
    /// How many.
    pub count: u32,
}

/// Failures to answer, cleared by enough answers in a row.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    streak: Streak,
    /// Failures in the streak.
    pub failures: u32,
    /// Those of them that were time-outs.
    pub timeouts: u32,
    /// Failures other than time-outs, in a row and up to the newest sample.
    gone: u32,
    answers_in_row: u32,
    kept: VecDeque<(Moment, Failure)>,
}

impl Streak {
    /// Adds one.
    pub fn add(&mut self, now: Moment) {
        self.span = Some((self.span.map_or(now, |(first, _)| first), now));
        self.count = self.count.saturating_add(1);
    }

    /// Returns the time from the first to the last of them.
    #[must_use]
    pub fn lasts(&self) -> std::time::Duration {
        self.span.map_or(std::time::Duration::ZERO, |(first, last)| last.since(first))
    }

    /// Returns the first and the last.
    #[must_use]
    pub fn span(&self) -> Option<(Moment, Moment)> {
        self.span
    }
}

impl Reach {
    /// Notes a failure that means down.
    pub fn failed(&mut self, now: Moment, failure: Failure) {
        self.streak.add(now);
        self.failures = self.failures.saturating_add(1);
        self.answers_in_row = 0;
        if failure == Failure::Timeout {
            self.timeouts = self.timeouts.saturating_add(1);
            self.gone = 0;
        } else {
            self.gone = self.gone.saturating_add(1);
        }
        if KEPT_MAX <= self.kept.len() {
            self.kept.pop_front();
        }
        self.kept.push_back((now, failure));
    }

    /// Notes an answer; `clears` of them in a row end the streak, a lucky one does not.
    pub fn answered(&mut self, _now: Moment, clears: u32) {
        self.gone = 0;
        if self.failures == 0 {
            return;
        }
        self.answers_in_row = self.answers_in_row.saturating_add(1);
        if clears <= self.answers_in_row {
            *self = Self::default();
        }
    }

    /// Tells whether the service is gone for certain: two failures in a row that no lost packet explains.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        1 < self.gone
    }

    /// Returns the time from the first to the last failure of the streak.
    #[must_use]
    pub fn lasts(&self) -> std::time::Duration {
        self.streak.lasts()
    }

    /// Returns the newest failures, oldest first.
    pub fn kept(&self) -> impl Iterator<Item = &(Moment, Failure)> {
        self.kept.iter()
    }
}
