//! Messages passing, and how long they have not.

use std::time::Duration;

use super::week::{Habit, Week};
use crate::engine::moment::{Moment, Wall};
use crate::engine::policy::{Night, SilentSession};
use crate::engine::sample::{Answer, SessionState};

/// Most gaps between messages that are remembered.
const GAPS_MAX: usize = 32;
/// A counter whose longest gap is at most this many usual gaps moves steadily.
const STEADY_GAPS_MAX: u32 = 6;

/// How messages pass.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    last_message: Option<Wall>,
    messages: Option<u64>,
    /// When the counter was last seen to move, by its own time where it has one.
    moved: Option<Wall>,
    still_since: Option<Moment>,
    gaps: Gaps,
    seen: Option<Moment>,
    /// Whether it moved since evidence started anew.
    pub has_moved: bool,
    /// Whether the gateway itself counts. Where somebody else tells of messages, he may have fallen silent instead.
    is_counted: bool,
    /// What usually passes; only of a target that has messages.
    habit: Option<Box<Habit>>,
}

/// The newest gaps in milliseconds, in no order, without a heap: they change with every message.
#[derive(Clone, Debug, Default)]
struct Gaps {
    millis: [u32; GAPS_MAX],
    seen: usize,
}

impl Gaps {
    fn add(&mut self, gap: Duration) {
        let place = self.seen.checked_rem(GAPS_MAX).unwrap_or(0);
        if let Some(slot) = self.millis.get_mut(place) {
            *slot = u32::try_from(gap.as_millis()).unwrap_or(u32::MAX);
        }
        self.seen = self.seen.saturating_add(1);
    }

    fn kept(&self) -> &[u32] {
        self.millis.get(..self.seen.min(GAPS_MAX)).unwrap_or_default()
    }
}

impl Activity {
    /// Folds in an answer's counters.
    pub fn observe(&mut self, now: Moment, answer: &Answer, limits: &SilentSession) {
        let facts = &answer.facts;
        let counts = facts.last_message.is_some() || facts.messages.is_some();
        // Messages may be told of by themselves: then any answer shows that nothing came meanwhile.
        if !counts && self.moved.is_none() {
            return;
        }
        let is_first = self.seen.is_none();
        self.seen = Some(now);
        if answer.state != SessionState::Connected {
            // Nothing can pass: the clock starts anew with the connection.
            self.hold_still_from(now);
        } else if let Some(habit) = &mut self.habit {
            habit.watch(now, 0, &limits.night.zone);
        }
        let newer = facts.last_message.filter(|at| self.last_message.is_none_or(|before| before < *at));
        let grown = facts.messages.zip(self.messages).map_or(0, |(count, before)| count.saturating_sub(before));
        self.last_message = newer.or(self.last_message);
        self.messages = facts.messages.or(self.messages);
        if is_first {
            self.moved = newer;
            self.still_since = Some(now);
        } else if newer.is_some() || 0 < grown {
            self.is_counted = true;
            let passed = u32::try_from(grown).unwrap_or(u32::MAX).max(1);
            self.moved(now, newer.unwrap_or(now.wall), passed, &limits.night);
        } else if self.is_night(now, facts.local_hour, &limits.night) {
            self.still_since = Some(now);
            self.has_moved = false;
        }
    }

    /// Notes that so many messages passed, the last one `at` by its own time.
    pub fn moved(&mut self, now: Moment, at: Wall, messages: u32, night: &Night) {
        if let Some(before) = self.moved {
            self.gaps.add(at.since(before));
        }
        self.habit.get_or_insert_with(|| Box::new(Habit::new(Week::default()))).watch(now, messages, &night.zone);
        self.moved = Some(at);
        self.seen = Some(now);
        self.still_since = Some(now);
        self.has_moved = true;
    }

    /// Starts the clock of stillness anew; what is usual stays learned.
    pub fn hold_still_from(&mut self, now: Moment) {
        self.still_since = Some(now);
        self.has_moved = false;
        if let Some(habit) = &mut self.habit {
            habit.rest();
        }
    }

    /// Goes on with what was learned before a restart of the watchdog.
    pub fn recall(&mut self, week: Week) {
        self.habit = Some(Box::new(Habit::new(week)));
    }

    /// Forgets what usually passes: its hours are those of another time zone.
    pub fn forget(&mut self) {
        self.habit = None;
    }

    /// Returns what was learned, once a day.
    pub fn news(&mut self) -> Option<&Week> {
        self.habit.as_mut()?.news()
    }

    /// Returns how many messages would usually have passed while nothing did; none as long as too little is learned.
    #[must_use]
    pub fn expected(&self, night: &Night) -> Option<u64> {
        let to = self.seen?.wall;
        let still = i64::try_from(self.still_for().as_millis()).unwrap_or(i64::MAX);
        let from = Wall::from_millis(to.millis().saturating_sub(still));
        self.habit.as_ref()?.week().expected(from, to, &night.zone)
    }

    /// Tells whether the gateway itself counts messages, so that nobody else can have fallen silent.
    #[must_use]
    pub fn is_counted(&self) -> bool {
        self.is_counted
    }

    /// Returns how long nothing passed, by the newest sample that could have told.
    #[must_use]
    pub fn still_for(&self) -> Duration {
        self.still_since.zip(self.seen).map_or(Duration::ZERO, |(since, seen)| seen.since(since))
    }

    /// Returns the usual gap between messages, if they passed steadily often enough to have one.
    #[must_use]
    pub fn usual_gap(&self, moves_min: u32) -> Option<Duration> {
        let mut sorted = self.gaps.kept().to_vec();
        if sorted.len() < usize::try_from(moves_min).unwrap_or(usize::MAX) {
            return None;
        }
        sorted.sort_unstable();
        let median = *sorted.get(sorted.len().div_euclid(2))?;
        let longest = *sorted.last()?;
        (longest <= median.saturating_mul(STEADY_GAPS_MAX)).then(|| Duration::from_millis(u64::from(median)))
    }

    /// Returns when the last message passed, by its own time.
    #[must_use]
    pub fn moved_at(&self) -> Option<Wall> {
        self.moved
    }

    fn is_night(&self, now: Moment, local_hour: Option<u8>, night: &Night) -> bool {
        if self.gaps.kept().is_empty() || night.from == night.to {
            return false;
        }
        let hour = local_hour.unwrap_or_else(|| {
            let local = now.wall.timestamp().to_zoned(night.zone.clone());
            u8::try_from(local.hour()).unwrap_or(0)
        });
        night.holds(hour)
    }
}
