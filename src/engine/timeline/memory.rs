//! Memory against its limit.

use std::time::Duration;

use crate::engine::moment::Moment;
use crate::engine::policy::MemoryPressure;
use crate::engine::sample::Memory;

/// After a fall to this share of the reading before, in percent, the process is another one.
const FALL_PERCENT: u64 = 60;
/// A fall counts as a kill only when the reading before it is this young.
const FALL_WITHIN: Duration = Duration::from_mins(5);

/// What memory showed.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryWatch {
    /// The newest reading and when it was made.
    pub last: Option<(Moment, Memory)>,
    /// The stretch above the threshold that is under way.
    pub high: Option<High>,
    /// When it was last seen to be killed for memory.
    pub kill: Option<Moment>,
    /// How often it was.
    pub kills: u64,
    /// The service was gone since the newest reading, which was high.
    went_down: bool,
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
        let counted = memory.oom_kills.zip(before.oom_kills).is_some_and(|(after, before)| before < after);
        // Gone at a high reading, back at a low one: it was killed, even where nobody counts the kills.
        let fell = went_down && memory.oom_kills.is_none() && now.since(then) <= FALL_WITHIN && is_fall(before, memory);
        if counted || fell {
            self.killed(now);
        }
    }

    /// Notes that the service is gone.
    pub fn service_gone(&mut self) {
        self.went_down |= self.high.is_some();
    }

    /// Notes a kill for memory.
    pub fn killed(&mut self, now: Moment) {
        self.kill = Some(now);
        self.kills = self.kills.saturating_add(1);
        self.high = None;
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
