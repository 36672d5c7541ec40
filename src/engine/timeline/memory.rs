//! Memory against its limit.

use std::time::Duration;

use crate::engine::moment::Moment;
use crate::engine::policy::MemoryPressure;
use crate::engine::sample::Memory;

/// After a fall to this share of the reading before, in percent, the process is another one.
const FALL_PERCENT: u64 = 60;
/// A fall counts as a kill only when the reading before it is this young.
const FALL_WITHIN: Duration = Duration::from_mins(5);
/// A kill that a counter shows this long after one that was heard of is the same.
const SAME_KILL: Duration = Duration::from_mins(1);

/// What memory showed.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryWatch {
    /// The newest reading and when it was made.
    pub last: Option<(Moment, Memory)>,
    /// The stretch above the threshold that is under way.
    pub high: Option<High>,
    /// The newest kill for memory.
    pub kill: Option<Kill>,
    /// The service ended since the newest reading.
    pub is_over: bool,
    /// How often it was heard to be killed, and how often a counter showed it: both see the same kills.
    heard: u64,
    counted: u64,
    /// The service was gone since the newest reading, which was high.
    went_down: bool,
}

/// A kill for memory.
#[derive(Clone, Copy, Debug)]
pub struct Kill {
    /// When it was seen.
    pub at: Moment,
    /// What was killed.
    pub victim: Victim,
}

/// What was killed for memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    /// The service itself, as far as is known.
    Service,
    /// Something in it, while it lives on.
    Child,
    /// One or the other: a counter does not tell.
    Unknown,
}

/// A stretch above the threshold.
#[derive(Clone, Copy, Debug)]
pub struct High {
    /// First reading of it.
    pub first: Moment,
    /// Newest reading of it.
    pub last: Moment,
    /// Bytes at its first reading.
    pub first_bytes: u64,
    /// How many readings.
    pub count: u32,
    /// Longest time between two of them.
    pub pause_max: Duration,
}

impl MemoryWatch {
    /// Folds in a reading.
    pub fn observe(&mut self, now: Moment, memory: Memory, limits: &MemoryPressure) {
        let before = self.last.replace((now, memory));
        let went_down = std::mem::take(&mut self.went_down);
        self.is_over = false;
        self.high = is_high(memory, limits.percent_min).then(|| match self.high {
            Some(high) => High {
                last: now,
                count: high.count.saturating_add(1),
                pause_max: high.pause_max.max(now.since(high.last)),
                ..high
            },
            None => High { first: now, last: now, first_bytes: memory.used_bytes, count: 1, pause_max: Duration::ZERO },
        });
        let Some((then, before)) = before else { return };
        let more = memory.oom_kills.zip(before.oom_kills).map_or(0, |(after, before)| after.saturating_sub(before));
        if 0 < more {
            self.counted = self.counted.saturating_add(more);
            let is_news = self.kill.is_none_or(|kill| SAME_KILL < now.since(kill.at));
            if is_news {
                self.note(now, Victim::Unknown);
            }
        }
        // Gone at a high reading, back at a low one: it was killed, even where nobody counts the kills.
        if went_down && memory.oom_kills.is_none() && now.since(then) <= FALL_WITHIN && is_fall(before, memory) {
            self.killed(now, Victim::Service);
        }
    }

    /// Notes that the service is gone.
    pub fn service_gone(&mut self) {
        self.went_down |= self.high.is_some();
    }

    /// Notes that the service ended: its last reading speaks of one that is no more.
    pub fn service_ended(&mut self) {
        self.is_over = true;
        self.high = None;
    }

    /// Notes a kill for memory that somebody told of.
    pub fn killed(&mut self, now: Moment, victim: Victim) {
        self.heard = self.heard.saturating_add(1);
        self.note(now, victim);
    }

    /// Returns how often it was killed for memory.
    #[must_use]
    pub fn kills(&self) -> u64 {
        self.heard.max(self.counted)
    }

    fn note(&mut self, at: Moment, victim: Victim) {
        self.kill = Some(Kill { at, victim });
        self.high = None;
        self.went_down = false;
    }

    /// Starts evidence anew.
    pub fn restart(&mut self) {
        self.high = None;
        self.kill = None;
        self.went_down = false;
    }
}

/// Returns the share of the limit that is used, in percent; none without a limit.
#[must_use]
pub fn percent(memory: Memory) -> Option<u64> {
    let limit = memory.limit_bytes.filter(|limit| 0 < *limit)?;
    let share = u128::from(memory.used_bytes).saturating_mul(100).checked_div(u128::from(limit))?;
    u64::try_from(share).ok()
}

fn is_high(memory: Memory, percent_min: u8) -> bool {
    percent(memory).is_some_and(|share| u64::from(percent_min) <= share)
}

fn is_fall(before: Memory, after: Memory) -> bool {
    let share = u128::from(after.used_bytes).saturating_mul(100);
    share <= u128::from(before.used_bytes).saturating_mul(u128::from(FALL_PERCENT))
}
