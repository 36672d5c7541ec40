//! Whether a gateway answers at all.
//!
//! What is wrong lies in boxes: a target that is well has none, so that a large fleet stays small and near the processor.

use std::collections::VecDeque;
use std::time::Duration;

use crate::engine::moment::Moment;
use crate::engine::sample::Failure;

/// Most failures that are kept as evidence.
const KEPT_MAX: usize = 8;

/// Equal samples in a row, however far apart.
#[derive(Clone, Debug, Default)]
pub struct Streak(Option<Box<Row>>);

#[derive(Clone, Copy, Debug)]
struct Row {
    first: Moment,
    last: Moment,
    count: u32,
}

/// Failures to answer, cleared by enough answers in a row.
#[derive(Clone, Debug, Default)]
pub struct Reach(Option<Box<Down>>);

#[derive(Clone, Debug)]
struct Down {
    streak: Streak,
    timeouts: u32,
    /// Failures other than time-outs, in a row and up to the newest sample.
    gone: u32,
    answers_in_row: u32,
    kept: VecDeque<(Moment, Failure)>,
}

impl Streak {
    /// Adds one.
    pub fn add(&mut self, now: Moment) {
        let row = self.0.get_or_insert_with(|| Box::new(Row { first: now, last: now, count: 0 }));
        row.last = now;
        row.count = row.count.saturating_add(1);
    }

    /// Ends it.
    pub fn clear(&mut self) {
        self.0 = None;
    }

    /// Returns how many.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.0.as_ref().map_or(0, |row| row.count)
    }

    /// Returns the time from the first to the last of them.
    #[must_use]
    pub fn lasts(&self) -> Duration {
        self.span().map_or(Duration::ZERO, |(first, last)| last.since(first))
    }

    /// Returns the first and the last.
    #[must_use]
    pub fn span(&self) -> Option<(Moment, Moment)> {
        self.0.as_ref().map(|row| (row.first, row.last))
    }
}

impl Reach {
    /// Notes a failure that means down.
    pub fn failed(&mut self, now: Moment, failure: Failure) {
        let down = self.0.get_or_insert_default();
        down.streak.add(now);
        down.answers_in_row = 0;
        if failure == Failure::Timeout {
            down.timeouts = down.timeouts.saturating_add(1);
            down.gone = 0;
        } else {
            down.gone = down.gone.saturating_add(1);
        }
        if KEPT_MAX <= down.kept.len() {
            down.kept.pop_front();
        }
        down.kept.push_back((now, failure));
    }

    /// Notes an answer; `clears` of them in a row end the streak, a lucky one does not.
    pub fn answered(&mut self, clears: u32) {
        let Some(down) = &mut self.0 else { return };
        down.gone = 0;
        down.answers_in_row = down.answers_in_row.saturating_add(1);
        if clears <= down.answers_in_row {
            self.0 = None;
        }
    }

    /// Forgets every failure.
    pub fn clear(&mut self) {
        self.0 = None;
    }

    /// Returns how many failures are in the streak.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.0.as_ref().map_or(0, |down| down.streak.count())
    }

    /// Returns how many of them were time-outs.
    #[must_use]
    pub fn timeouts(&self) -> u32 {
        self.0.as_ref().map_or(0, |down| down.timeouts)
    }

    /// Tells whether the service is gone for certain: two failures in a row that no lost packet explains.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.0.as_ref().is_some_and(|down| 1 < down.gone)
    }

    /// Returns the time from the first to the last failure of the streak.
    #[must_use]
    pub fn lasts(&self) -> Duration {
        self.0.as_ref().map_or(Duration::ZERO, |down| down.streak.lasts())
    }

    /// Returns the newest failures, oldest first.
    pub fn kept(&self) -> impl Iterator<Item = &(Moment, Failure)> {
        self.0.iter().flat_map(|down| &down.kept)
    }
}

impl Default for Down {
    fn default() -> Self {
        let (streak, kept) = (Streak::default(), VecDeque::new());
        Self { streak, timeouts: 0, gone: 0, answers_in_row: 0, kept }
    }
}
