//! Time as data: what the clock said, handed in with every input.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One reading of both clocks.
///
/// `uptime` only ever moves forward and measures intervals; `wall` is for people and for the ledger, and may jump.
/// The engine reads no clock: a `Moment` comes in with every input, from the driver or from a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// Time since an arbitrary start, monotonic.
    pub uptime: Duration,
    /// Wall-clock time.
    pub wall: Wall,
}

impl Moment {
    /// Returns how long ago `earlier` was; zero when it lies in the future.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.uptime.saturating_sub(earlier.uptime)
    }

    /// Returns its point on the axis of uptime.
    #[must_use]
    pub fn stamp(self) -> Stamp {
        Stamp(millis(self.uptime))
    }

    /// Returns the moment `span` later, on both clocks.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self { uptime: self.uptime.saturating_add(span), wall: self.wall.after(span) }
    }
}

/// A point on the axis of uptime, in milliseconds; before zero for what a ledger tells of times before the watchdog's start.
///
/// Windows that reach over a restart are measured on it, so that a wall clock that jumps while the watchdog runs moves none of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(i64);

impl Stamp {
    /// Places a wall-clock time by its age. One that lies in the future is taken for now.
    #[must_use]
    pub fn of_wall(now: Moment, wall: Wall) -> Self {
        now.stamp().before(now.wall.since(wall))
    }

    /// Returns how long ago it was.
    #[must_use]
    pub fn age(self, now: Moment) -> Duration {
        Duration::from_millis(u64::try_from(now.stamp().0.saturating_sub(self.0)).unwrap_or(0))
    }

    /// Returns how long it is until then; zero when it has passed.
    #[must_use]
    pub fn left(self, now: Moment) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(now.stamp().0)).unwrap_or(0))
    }

    /// Tells whether it has come.
    #[must_use]
    pub fn has_come(self, now: Moment) -> bool {
        self <= now.stamp()
    }

    /// Returns the point `span` later.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }

    /// Returns the point `span` earlier.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }

    /// Returns it as a wall-clock time, as the clock stands now.
    #[must_use]
    pub fn wall(self, now: Moment) -> Wall {
        Wall::from_millis(now.wall.millis().saturating_add(self.0.saturating_sub(now.stamp().0)))
    }

    /// Returns it as a moment; one before the watchdog's start becomes its start.
    #[must_use]
    pub fn moment(self, now: Moment) -> Moment {
        Moment { uptime: Duration::from_millis(u64::try_from(self.0).unwrap_or(0)), wall: self.wall(now) }
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// A wall-clock time in milliseconds since 1970-01-01T00:00:00Z, written as RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Wall(i64);

/// Says that a text is no RFC 3339 time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a time like 2026-02-04T09:00:00.000Z")]
pub struct NotATime {
    text: String,
}

impl Wall {
    /// Wraps milliseconds since the epoch, kept within the years that RFC 3339 can write.
    #[must_use]
    pub fn from_millis(millis: i64) -> Self {
        // Whole seconds: jiff takes no milliseconds within its last one.
        let [first, last] = [jiff::Timestamp::MIN, jiff::Timestamp::MAX].map(|at| at.as_second().saturating_mul(1000));
        Self(millis.clamp(first, last))
    }

    /// Wraps seconds since the epoch.
    #[must_use]
    pub fn from_secs(secs: i64) -> Self {
        Self::from_millis(secs.saturating_mul(1000))
    }

    /// Returns milliseconds since the epoch.
    #[must_use]
    pub fn millis(self) -> i64 {
        self.0
    }

    /// Returns seconds since the epoch, as Prometheus wants timestamps.
    #[must_use]
    #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "milliseconds of any year fit 53 bits")]
    pub fn secs_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// Returns the time `span` later.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self::from_millis(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Returns how long ago `earlier` was; zero when it lies in the future.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Returns the same instant for calendar arithmetic.
    #[must_use]
    pub fn timestamp(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or_default()
    }

    /// Returns the time of day in UTC, `09:01:40`, as evidence names it.
    #[must_use]
    pub fn clock(self) -> String {
        let of_day = self.0.div_euclid(1000).rem_euclid(86_400);
        let (hour, minute, second) =
            (of_day.div_euclid(3600), of_day.div_euclid(60).rem_euclid(60), of_day.rem_euclid(60));
        format!("{hour:02}:{minute:02}:{second:02}")
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.timestamp())
    }
}

impl From<Wall> for String {
    fn from(wall: Wall) -> Self {
        wall.to_string()
    }
}

impl std::str::FromStr for Wall {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        let parsed: Result<jiff::Timestamp, _> = text.parse();
        parsed
            .map(|at| Self::from_millis(at.as_millisecond()))
            .map_err(|_| NotATime { text: text.chars().take(40).collect() })
    }
}

impl TryFrom<String> for Wall {
    type Error = NotATime;

    fn try_from(text: String) -> Result<Self, NotATime> {
        text.parse()
    }
}

/// Writes a span as a person says it: `40 s`, `4 min 10 s`, `2 h 5 min`, `3 d 4 h`.
#[must_use]
pub fn words(span: Duration) -> String {
    let secs = span.as_secs();
    let (days, hours, minutes, seconds) =
        (secs.div_euclid(86_400), secs.div_euclid(3600) % 24, secs.div_euclid(60) % 60, secs % 60);
    let two = |large: u64, large_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) if secs == 0 && 0 < span.subsec_millis() => format!("{} ms", span.subsec_millis()),
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => two(minutes, "min", seconds, "s"),
        (0, _, _) => two(hours, "h", minutes, "min"),
        (_, _, _) => two(days, "d", hours, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_time_survives_its_text() {
        let at: Wall = "2026-02-04T09:00:15.100Z".parse().unwrap();
        assert_eq!(at.to_string(), "2026-02-04T09:00:15.100Z");
        assert_eq!(at.clock(), "09:00:15");
        assert_eq!("2026-02-04T10:00:15.1+01:00".parse::<Wall>().unwrap(), at);
        assert!("yesterday".parse::<Wall>().is_err());
    }

    #[test]
    fn a_clock_that_goes_back_gives_no_negative_span() {
        let later = Moment { uptime: Duration::from_secs(5), wall: Wall::from_secs(5) };
        assert_eq!(Moment::default().since(later), Duration::ZERO);
        assert_eq!(Wall::from_secs(1).since(Wall::from_secs(9)), Duration::ZERO);
    }

    #[test]
    fn spans_read_as_a_person_says_them() {
        let say = |secs| words(Duration::from_secs(secs));
        assert_eq!([say(40), say(250), say(7500), say(273_600)], ["40 s", "4 min 10 s", "2 h 5 min", "3 d 4 h"]);
        assert_eq!(words(Duration::from_millis(120)), "120 ms");
    }

    #[test]
    fn times_out_of_range_are_clamped() {
        assert!(Wall::from_millis(i64::MAX).to_string().starts_with("9999-12-30T"));
        assert!(Wall::from_millis(i64::MIN).to_string().starts_with("-009999-01-02T"));
        for edge in [i64::MIN, i64::MAX].map(Wall::from_millis) {
            assert_eq!(edge.to_string().parse(), Ok(edge));
        }
    }
}
