//! How much usually passes, by the hour of the week: what makes a silence at noon on Monday another one than on Sunday.
//!
//! An hour is learned only where it was watched nearly whole, so that neither a restart nor an outage teaches silence.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::engine::moment::{Moment, Wall};

/// Hours of a week.
const HOURS: usize = 168;
/// The same, for hours before 1970 too.
const HOURS_SIGNED: i64 = 168;
/// Hours since Monday 00:00 at 1970-01-01 00:00, a Thursday.
const FIRST: i64 = 72;
const HOUR_MILLIS: i64 = 3_600_000;
const HOUR: Duration = Duration::from_hours(1);
/// An hour is learned if it was watched for this long.
const WATCHED_MIN: Duration = Duration::from_mins(54);
/// Between two answers further apart than this nobody watched.
const STEP_MAX: Duration = Duration::from_mins(15);
/// An hour of the week is known once it was learned in this many weeks.
const WEEKS_MIN: u8 = 2;
/// From this many weeks on the newest one weighs as one of so many.
const WEEKS_MAX: u8 = 4;
/// Averages are kept in parts of a message.
const PARTS: u32 = 10;

/// What usually passes in each hour of a week. Written as one short text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Week(Box<[Slot; HOURS]>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Slot {
    /// The slowly moving average, in parts of a message.
    parts: u16,
    weeks: u8,
}

/// A week, and the hour of it that is being watched.
#[derive(Clone, Debug)]
pub(super) struct Habit {
    week: Week,
    hour: Option<Hour>,
    messages: u32,
    watched: Duration,
    seen: Option<Moment>,
    /// The day, counted in the zone, as of which the world last heard what was learned.
    told: Option<i64>,
    has_news: bool,
}

/// One hour in a zone. Two hours of one name, as clocks are put back, differ in their distance from UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hour {
    index: i64,
    offset: i32,
}

/// Says that a text is no week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a week of {HOURS} hours")]
pub struct NotAWeek;

impl Default for Week {
    fn default() -> Self {
        Self(Box::new([Slot::default(); HOURS]))
    }
}

impl Week {
    /// Returns how many messages usually pass between two times; none unless each hour between them is known.
    #[must_use]
    pub fn expected(&self, from: Wall, to: Wall, zone: &TimeZone) -> Option<u64> {
        let (mut at, mut sum) = (from, 0_u64);
        for _ in 0..=HOURS {
            let left = to.since(at);
            if left.is_zero() {
                return Some(sum.div_euclid(u64::from(PARTS)).div_euclid(HOUR_MILLIS.unsigned_abs()));
            }
            let (hour, into) = local(at, zone);
            let slot = self.0.get(hour.slot()).filter(|slot| WEEKS_MIN <= slot.weeks)?;
            let span = left.min(HOUR.saturating_sub(into));
            let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
            sum = sum.saturating_add(u64::from(slot.parts).saturating_mul(millis));
            at = at.after(span);
        }
        // Longer than a week: whoever still asks has waited long enough.
        Some(u64::MAX)
    }

    /// Returns how many of its hours are known.
    #[must_use]
    pub fn known(&self) -> usize {
        self.0.iter().filter(|slot| WEEKS_MIN <= slot.weeks).count()
    }

    fn learn(&mut self, hour: Hour, messages: u32) {
        let Some(slot) = self.0.get_mut(hour.slot()) else { return };
        slot.weeks = slot.weeks.saturating_add(1).min(WEEKS_MAX);
        let weeks = u32::from(slot.weeks);
        let before = u32::from(slot.parts).saturating_mul(weeks.saturating_sub(1));
        let sum = before.saturating_add(messages.saturating_mul(PARTS));
        slot.parts = u16::try_from(sum.checked_div(weeks).unwrap_or(0)).unwrap_or(u16::MAX);
    }
}

impl Habit {
    /// Goes on with what was learned so far.
    pub(super) fn new(week: Week) -> Self {
        Self { week, hour: None, messages: 0, watched: Duration::ZERO, seen: None, told: None, has_news: false }
    }

    pub(super) fn week(&self) -> &Week {
        &self.week
    }

    /// Notes that it is watched, and that so many messages passed.
    pub(super) fn watch(&mut self, now: Moment, messages: u32, zone: &TimeZone) {
        let (hour, into) = local(now.wall, zone);
        let step = self.seen.replace(now).map(|seen| now.since(seen)).filter(|step| *step <= STEP_MAX);
        let step = step.unwrap_or_default();
        self.told.get_or_insert(hour.day());
        if self.hour == Some(hour) {
            self.watched = self.watched.saturating_add(step);
            self.messages = self.messages.saturating_add(messages);
            return;
        }
        let watched = self.watched.saturating_add(step.saturating_sub(into));
        if let Some(past) = self.hour.replace(hour).filter(|_| WATCHED_MIN <= watched) {
            self.week.learn(past, self.messages);
            self.has_news = true;
        }
        (self.watched, self.messages) = (step.min(into), messages);
    }

    /// Notes that nobody can tell until it is watched again.
    pub(super) fn rest(&mut self) {
        self.seen = None;
    }

    /// Returns what was learned, once a day.
    pub(super) fn news(&mut self) -> Option<&Week> {
        let today = self.hour?.day();
        if !self.has_news || self.told == Some(today) {
            return None;
        }
        (self.told, self.has_news) = (Some(today), false);
        Some(&self.week)
    }
}

impl Hour {
    fn slot(self) -> usize {
        usize::try_from(self.index.saturating_add(FIRST).rem_euclid(HOURS_SIGNED)).unwrap_or(0)
    }

    fn day(self) -> i64 {
        self.index.div_euclid(24)
    }
}

/// Returns the hour in a zone, and how much of it has passed.
fn local(at: Wall, zone: &TimeZone) -> (Hour, Duration) {
    let offset = zone.to_offset(at.timestamp()).seconds();
    let millis = at.millis().saturating_add(i64::from(offset).saturating_mul(1000));
    let into = Duration::from_millis(millis.rem_euclid(HOUR_MILLIS).unsigned_abs());
    (Hour { index: millis.div_euclid(HOUR_MILLIS), offset }, into)
}

impl From<Week> for String {
    /// Writes each hour as the digit of its weeks and the parts of its average.
    fn from(week: Week) -> Self {
        let slots = week.0.iter().map(|slot| format!("{}{}", slot.weeks, slot.parts));
        slots.collect::<Vec<_>>().join(" ")
    }
}

impl TryFrom<String> for Week {
    type Error = NotAWeek;

    fn try_from(text: String) -> Result<Self, NotAWeek> {
        let slot = |text: &str| {
            let (weeks, parts) = text.split_at_checked(1)?;
            let weeks = weeks.parse().ok().filter(|weeks| *weeks <= WEEKS_MAX)?;
            Some(Slot { weeks, parts: parts.parse().ok()? })
        };
        let slots: Option<Vec<Slot>> = text.split(' ').map(slot).collect();
        slots.and_then(|slots| slots.try_into().ok()).map(Self).ok_or(NotAWeek)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(text: &str) -> Wall {
        text.parse().unwrap()
    }

    /// Watches for so many hours from a time on, so many messages in each.
    fn watched(habit: &mut Habit, from: &str, hours: u32, messages: u32, zone: &TimeZone) {
        let mut now = Moment { uptime: Duration::from_hours(1), wall: wall(from) };
        for _ in 0..hours {
            habit.watch(now, messages, zone);
            for _ in 0..12 {
                now = now.after(Duration::from_mins(5));
                habit.watch(now, 0, zone);
            }
        }
    }

    #[test]
    fn an_hour_is_known_after_two_weeks_and_follows_slowly() {
        let (mut habit, zone) = (Habit::new(Week::default()), TimeZone::UTC);
        // A Monday at noon.
        let expected =
            |habit: &Habit| habit.week().expected(wall("2026-02-23T12:00:00Z"), wall("2026-02-23T12:30:00Z"), &zone);
        for (from, known) in [
            ("2026-02-02T12:00:00Z", None),
            ("2026-02-09T12:00:00Z", Some(20)),
            ("2026-02-16T12:00:00Z", Some(20)),
            ("2026-02-23T12:00:00Z", Some(20)),
        ] {
            habit.rest();
            watched(&mut habit, from, 1, 40, &zone);
            assert_eq!(expected(&habit), known, "{from}");
        }
        habit.rest();
        watched(&mut habit, "2026-03-02T12:00:00Z", 1, 0, &zone);
        assert_eq!(expected(&habit), Some(15), "one quiet Monday is a quarter of what is usual");
        assert_eq!(habit.week().known(), 1);
    }

    #[test]
    fn an_hour_that_was_not_watched_whole_teaches_nothing() {
        let (mut habit, zone) = (Habit::new(Week::default()), TimeZone::UTC);
        for from in ["2026-02-02T12:10:00Z", "2026-02-09T12:10:00Z"] {
            habit.rest();
            watched(&mut habit, from, 1, 40, &zone);
        }
        assert_eq!(habit.week().known(), 0);
        let at =
            |text: &str| Moment { uptime: Duration::from_millis(wall(text).millis().unsigned_abs()), wall: wall(text) };
        for (from, to) in
            [("2026-02-16T12:00:00Z", "2026-02-16T13:00:00Z"), ("2026-02-23T12:00:00Z", "2026-02-23T13:00:00Z")]
        {
            habit.watch(at(from), 40, &zone);
            habit.watch(at(to), 0, &zone);
        }
        assert_eq!(habit.week().known(), 0, "an hour between two answers was not watched");
    }

    #[test]
    fn a_night_in_which_clocks_are_put_back_or_forward_stays_in_its_hours() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        // The local hours 00 to 04 of Sundays; on 2026-03-29 there is no hour 02, on 2026-10-25 there are two.
        for (weeks, summer) in [
            (["2026-03-14T23:00:00Z", "2026-03-21T23:00:00Z", "2026-03-28T23:00:00Z"], false),
            (["2026-10-10T22:00:00Z", "2026-10-17T22:00:00Z", "2026-10-24T22:00:00Z"], true),
        ] {
            let mut habit = Habit::new(Week::default());
            for from in weeks {
                habit.rest();
                watched(&mut habit, from, 5, 10, &zone);
            }
            let of = |hour: i64| habit.week().0[usize::try_from(144 + hour).unwrap()];
            assert!((0..4).all(|hour| of(hour).parts == 100), "{:?}", (0..6).map(of).collect::<Vec<_>>());
            assert_eq!(of(2).weeks, if summer { 4 } else { 2 });
            let (from, to) = (wall(weeks[2]), wall(weeks[2]).after(Duration::from_hours(4)));
            assert_eq!(habit.week().expected(from, to, &zone), Some(40));
        }
    }

    #[test]
    fn a_week_survives_its_text_and_nonsense_is_none() {
        let mut habit = Habit::new(Week::default());
        watched(&mut habit, "2026-02-02T00:00:00Z", 400, 7, &TimeZone::UTC);
        let text = String::from(habit.week().clone());
        assert!(text.len() < 900, "{}", text.len());
        assert_eq!(Week::try_from(text.clone()).as_ref(), Ok(habit.week()));
        for wrong in [
            "",
            "40",
            text.split_at(1).1,
            &format!("{text} 40"),
            &text.replace("270", "970"),
            &text.replace("270", "ä"),
        ] {
            assert_eq!(Week::try_from(wrong.to_owned()), Err(NotAWeek), "{wrong}");
        }
    }

    #[test]
    fn what_was_learned_is_told_once_a_day() {
        let mut habit = Habit::new(Week::default());
        let mut told = 0;
        let mut now = Moment { uptime: Duration::ZERO, wall: wall("2026-02-02T06:00:00Z") };
        for _ in 0..(3 * 24 * 12) {
            habit.watch(now, 1, &TimeZone::UTC);
            told += u32::from(habit.news().is_some());
            now = now.after(Duration::from_mins(5));
        }
        assert_eq!(told, 3);
    }

    #[test]
    fn a_silence_of_weeks_ends_the_sum() {
        let mut habit = Habit::new(Week::default());
        watched(&mut habit, "2026-02-02T00:00:00Z", 400, 0, &TimeZone::UTC);
        let from = wall("2026-03-02T00:00:00Z");
        assert_eq!(habit.week().expected(from, from.after(Duration::from_hours(100)), &TimeZone::UTC), Some(0));
        let month = from.after(Duration::from_hours(700));
        assert_eq!(habit.week().expected(from, month, &TimeZone::UTC), Some(u64::MAX));
    }
}
