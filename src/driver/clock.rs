//! The only reader of clocks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::moment::{Moment, Wall};

/// Tells the time to everybody who needs it; tests hand in their own.
pub type Clock = Arc<dyn Fn() -> Moment + Send + Sync>;

/// Starts the machine's clock. Uptime is tokio's, so that paused time pauses it in tests.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place where clocks are read")]
pub fn machine() -> Clock {
    let start = Instant::now();
    Arc::new(move || Moment {
        uptime: Instant::now().saturating_duration_since(start),
        wall: Wall::from_millis(jiff::Timestamp::now().as_millisecond()),
    })
}

/// Reads the clock that systemd compares with, `CLOCK_MONOTONIC`.
pub(super) fn since_boot() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::try_from(time).unwrap_or_default()
}

/// The two clocks may be this far apart before one of them counts as set: readings are not taken at the same instant, and cut to
/// milliseconds.
const SLACK: Duration = Duration::from_millis(20);

/// Makes a clock whose two hands move by the same whole milliseconds, unless one of them is set.
///
/// A recording holds only the time of day. With such a clock a span between two times of day is the span that the engine measured.
#[must_use]
pub fn steady(clock: Clock) -> Clock {
    let anchor = Mutex::new(whole(clock()));
    Arc::new(move || {
        let now = whole(clock());
        let mut anchor = anchor.lock().unwrap_or_else(PoisonError::into_inner);
        let wall = anchor.wall.after(now.since(*anchor));
        if SLACK < wall.since(now.wall).max(now.wall.since(wall)) {
            *anchor = now;
            return now;
        }
        Moment { wall, ..now }
    })
}

fn whole(now: Moment) -> Moment {
    let millis = u64::try_from(now.uptime.as_millis()).unwrap_or(u64::MAX);
    Moment { uptime: Duration::from_millis(millis), ..now }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_hands_move_by_the_same_milliseconds_until_one_is_set() {
        // Readings of uptime in microseconds and of the time of day in milliseconds.
        let readings =
            [(500, 1000), (1600, 1001), (2400, 1002), (3999, 1003), (9_000, 2008), (10_100, 2009), (11_000, 900)];
        let at = Mutex::new(readings.into_iter());
        let clock: Clock = Arc::new(move || {
            let (micros, millis) = at.lock().unwrap().next().unwrap();
            Moment { uptime: Duration::from_micros(micros), wall: Wall::from_millis(millis) }
        });
        let steady = steady(clock);
        let read: Vec<(u128, i64)> = std::iter::repeat_with(|| steady())
            .take(6)
            .map(|now| (now.uptime.as_micros(), now.wall.millis()))
            .collect();
        assert_eq!(read, [(1000, 1001), (2000, 1002), (3000, 1003), (9000, 2008), (10_000, 2009), (11_000, 900)]);
    }
}
