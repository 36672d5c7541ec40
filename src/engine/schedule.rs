//! When each target is asked next.

use std::collections::BTreeSet;
use std::time::Duration;

use super::moment::Moment;
use super::target::TargetId;

/// Questions go out at full ticks: a thousand targets wake the process ten times a second, not a hundred.
const TICK: Duration = Duration::from_millis(100);
/// The first question to a target comes within this time.
const FIRST_WITHIN: Duration = Duration::from_secs(30);
/// How long a throttled target is left alone, in poll intervals, when it does not say so itself.
const HOLD_POLLS: u32 = 2;

/// The order in which targets are asked.
#[derive(Debug, Default)]
pub struct Schedule {
    queue: BTreeSet<(Duration, TargetId)>,
}

/// When one target is asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slot {
    /// When the status is due.
    pub due: Option<Moment>,
    /// When the deep probe was asked last.
    pub deep_asked: Option<Moment>,
    /// When the QR endpoint was asked last.
    pub qr_asked: Option<Moment>,
    /// Until when it must not be asked at all.
    pub held_until: Option<Moment>,
    /// The target's own place in the interval, where the first question comes before it.
    anchor: Option<Moment>,
}

impl Schedule {
    /// Queues a target for the moment in its slot.
    pub fn add(&mut self, id: &TargetId, slot: &Slot) {
        if let Some(due) = slot.due {
            self.queue.insert((due.uptime, id.clone()));
        }
    }

    /// Takes a target off the queue.
    pub fn remove(&mut self, id: &TargetId, slot: &Slot) {
        if let Some(due) = slot.due {
            self.queue.remove(&(due.uptime, id.clone()));
        }
    }

    /// Returns when the next target is due.
    #[must_use]
    pub fn next(&self) -> Option<Duration> {
        self.queue.first().map(|(due, _)| *due)
    }

    /// Takes off the next target that is due.
    pub fn pop(&mut self, now: Moment) -> Option<TargetId> {
        if self.next()? <= now.uptime { self.queue.pop_first().map(|(_, id)| id) } else { None }
    }
}

impl Slot {
    /// Places the questions by name, so that a fleet is not asked all at once: the first one soon, because until then nothing is
    /// known, the next ones at the target's own place in the interval.
    pub fn begin(&mut self, now: Moment, id: &TargetId, every: Duration) {
        self.due = Some(now.after(phase(id, every.min(FIRST_WITHIN))));
        self.anchor = (FIRST_WITHIN < every).then(|| now.after(phase(id, every)));
    }

    /// Places the next question one interval on; intervals that were missed are skipped, the phase stays.
    pub fn advance(&mut self, now: Moment, every: Duration) {
        let every = every.max(Duration::from_millis(1));
        if let Some(anchor) = self.anchor.take().filter(|anchor| now.uptime < anchor.uptime) {
            self.due = Some(anchor);
            return;
        }
        let due = self.due.unwrap_or(now);
        let behind = now.since(due);
        let missed = behind.as_nanos().checked_div(every.as_nanos()).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        let next = due.uptime.saturating_add(every.saturating_mul(missed.saturating_add(1)));
        self.due = Some(now.after(next.saturating_sub(now.uptime)));
    }

    /// Leaves the target alone for a while.
    pub fn hold(&mut self, now: Moment, retry_after: Option<Duration>, every: Duration) {
        let pause = retry_after.unwrap_or_else(|| every.saturating_mul(HOLD_POLLS));
        self.held_until = Some(now.after(pause));
    }

    /// Tells whether the target must be left alone.
    #[must_use]
    pub fn is_held(&self, now: Moment) -> bool {
        self.held_until.is_some_and(|until| now.uptime < until.uptime)
    }
}

/// A place in the interval that depends on the name alone, at a full tick.
fn phase(id: &TargetId, every: Duration) -> Duration {
    let ticks = every.as_millis().checked_div(TICK.as_millis()).and_then(|n| u32::try_from(n).ok()).unwrap_or(1).max(1);
    TICK.saturating_mul(id.hash().checked_rem(ticks).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Moment {
        Moment::default().after(Duration::from_secs(secs))
    }

    #[test]
    fn phases_of_a_fleet_spread_over_the_interval() {
        let every = Duration::from_secs(10);
        let mut tenths = [0_u32; 10];
        for n in 0..1000 {
            let id = TargetId::new(&format!("session-{n}")).unwrap();
            tenths[usize::try_from(phase(&id, every).as_secs()).unwrap()] += 1;
        }
        assert!(tenths.iter().all(|count| (60..140).contains(count)), "{tenths:?}");
    }

    #[test]
    fn a_missed_interval_is_skipped_and_the_phase_stays() {
        let mut slot = Slot { due: Some(at(3)), ..Slot::default() };
        slot.advance(at(3), Duration::from_secs(10));
        assert_eq!(slot.due, Some(at(13)));
        slot.advance(at(47), Duration::from_secs(10));
        assert_eq!(slot.due, Some(at(53)));
    }

    #[test]
    fn a_target_that_is_asked_rarely_is_asked_soon_for_the_first_time() {
        let (every, id) = (Duration::from_hours(1), TargetId::new("shop").unwrap());
        let mut slot = Slot::default();
        slot.begin(at(0), &id, every);
        let first = slot.due.unwrap();
        assert!(first.uptime < FIRST_WITHIN);
        slot.advance(first, every);
        let second = slot.due.unwrap();
        assert_eq!(second, at(0).after(phase(&id, every)));
        slot.advance(second, every);
        assert_eq!(slot.due.unwrap(), second.after(every));
    }

    #[test]
    fn a_throttled_target_is_left_alone_as_long_as_it_says() {
        let mut slot = Slot::default();
        slot.hold(at(0), Some(Duration::from_secs(40)), Duration::from_secs(10));
        assert!(slot.is_held(at(39)) && !slot.is_held(at(40)));
        slot.hold(at(0), None, Duration::from_secs(10));
        assert!(slot.is_held(at(19)) && !slot.is_held(at(20)));
    }

    #[test]
    fn targets_come_off_the_queue_in_the_order_in_which_they_are_due() {
        let mut schedule = Schedule::default();
        for (name, secs) in [("b", 2), ("a", 1), ("c", 9)] {
            schedule.add(&TargetId::new(name).unwrap(), &Slot { due: Some(at(secs)), ..Slot::default() });
        }
        assert_eq!(schedule.next(), Some(Duration::from_secs(1)));
        let due: Vec<String> = std::iter::from_fn(|| schedule.pop(at(5))).map(|id| id.to_string()).collect();
        assert_eq!(due, ["a", "b"]);
    }
}
