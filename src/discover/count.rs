//! What became of the refreshes of one section, as numbers.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::failed::FOUND;
use super::{Failed, OUTCOMES};
use crate::engine::moment::Wall;

/// Numbers since the start; shared by a section's task and whoever shows them.
#[derive(Debug)]
pub struct Counts(Mutex<Counted>);

/// The numbers at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Whether the last refresh was clean; none before the first.
    pub up: Option<bool>,
    /// Refreshes by outcome; holds every outcome from the start, at 0.
    pub refreshes: BTreeMap<&'static str, u64>,
    /// When the last clean one was.
    pub last_success: Option<Wall>,
    /// Sessions that were left out because there were too many; one that stays so counts at every refresh.
    pub over_max: u64,
    /// Sessions that cannot be targets; one that stays so counts at every refresh.
    pub unusable: u64,
}

impl Default for Counts {
    fn default() -> Self {
        let refreshes = OUTCOMES.into_iter().map(|outcome| (outcome, 0)).collect();
        Self(Mutex::new(Counted { up: None, refreshes, last_success: None, over_max: 0, unusable: 0 }))
    }
}

impl Counts {
    /// Returns the numbers.
    #[must_use]
    pub fn now(&self) -> Counted {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn found(&self, now: Wall, over_max: usize, unusable: usize) {
        let many = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        self.change(|counted| {
            counted.up = Some(true);
            counted.last_success = Some(now);
            counted.over_max = counted.over_max.saturating_add(many(over_max));
            counted.unusable = counted.unusable.saturating_add(many(unusable));
            counted.add(FOUND);
        });
    }

    pub(super) fn failed(&self, why: &Failed) {
        self.change(|counted| {
            counted.up = Some(false);
            counted.add(why.outcome());
        });
    }

    fn change(&self, change: impl FnOnce(&mut Counted)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Counted {
    fn add(&mut self, outcome: &'static str) {
        let count = self.refreshes.entry(outcome).or_default();
        *count = count.saturating_add(1);
    }
}
