//! The last day of a session, in cells of equal length: what a strip of colours shows.

use serde::{Serialize, Serializer};

use super::moment::Wall;
use super::sample::SessionState;

/// Length of one cell, in milliseconds: ten minutes.
pub const CELL_MILLIS: i64 = 600_000;
/// How many cells a day has.
pub const CELLS: usize = 144;

/// How a session was during a cell: the worst that was seen in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shade {
    /// Nothing was seen.
    #[default]
    Nothing,
    /// Connected, and nothing was suspected.
    Well,
    /// Not connected, not answered, or suspected of something; nothing was proven.
    Unsettled,
    /// It waited for a person with a phone.
    Waiting,
    /// An incident of the session was open, other than one that a person with a phone ends.
    Failing,
}

/// The cells of the last 24 hours, oldest first; the last one holds the newest sample. Cells begin at whole tens of minutes of UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// The number of the last cell, counted from the epoch.
    last: i64,
    cells: [Shade; CELLS],
}

impl Shade {
    /// Every shade, the worst last.
    pub const ALL: [Self; 5] = [Self::Nothing, Self::Well, Self::Unsettled, Self::Waiting, Self::Failing];

    /// Judges what is known at one moment; `is_answered` is absent before the first poll.
    #[must_use]
    pub fn of(state: Option<SessionState>, is_answered: Option<bool>, is_failing: bool, is_suspect: bool) -> Self {
        match (state, is_answered) {
            (Some(SessionState::NeedsScan), _) => Self::Waiting,
            (_, _) if is_failing => Self::Failing,
            (None, None) => Self::Nothing,
            (Some(SessionState::Connected), Some(true) | None) if !is_suspect => Self::Well,
            (_, _) => Self::Unsettled,
        }
    }

    /// Returns the word used in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Well => "well",
            Self::Unsettled => "unsettled",
            Self::Failing => "failing",
            Self::Waiting => "waiting",
        }
    }
}

impl Day {
    /// Begins a day of which nothing is known.
    #[must_use]
    pub fn new(now: Wall) -> Self {
        Self { last: number(now), cells: [Shade::Nothing; CELLS] }
    }

    /// Tells whether a shade at that time would change anything: most samples change nothing.
    #[must_use]
    pub fn would_change(&self, at: Wall, shade: Shade) -> bool {
        number(at) != self.last || self.cells.last().is_some_and(|seen| *seen < shade)
    }

    /// Notes what was seen. A wall clock that went back by more than a cell begins anew.
    pub fn see(&mut self, at: Wall, shade: Shade) {
        self.turn_to(number(at), Shade::Nothing);
        self.darken(shade);
    }

    /// Notes that it stayed so from the last time until now.
    pub fn stay(&mut self, until: Wall, shade: Shade) {
        self.darken(shade);
        self.turn_to(number(until), shade);
    }

    /// Returns when the first cell begins.
    #[must_use]
    pub fn begins(&self) -> Wall {
        let first = self.last.saturating_sub(i64::try_from(CELLS).unwrap_or(0)).saturating_add(1);
        Wall::from_millis(first.saturating_mul(CELL_MILLIS))
    }

    /// Returns the cells, oldest first.
    #[must_use]
    pub fn cells(&self) -> &[Shade] {
        &self.cells
    }

    /// Moves on to a cell; those in between get a shade.
    fn turn_to(&mut self, cell: i64, between: Shade) {
        let steps = cell.saturating_sub(self.last);
        if steps < -1 {
            self.cells = [Shade::Nothing; CELLS];
        } else if steps <= 0 {
            return;
        }
        let steps = usize::try_from(steps).unwrap_or(0).min(CELLS);
        self.cells.rotate_left(steps);
        for seen in self.cells.iter_mut().rev().take(steps) {
            *seen = between;
        }
        self.last = cell;
    }

    fn darken(&mut self, shade: Shade) {
        if let Some(seen) = self.cells.last_mut() {
            *seen = shade.max(*seen);
        }
    }
}

impl Serialize for Shade {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Strip<'a> {
            begins: Wall,
            cell_seconds: i64,
            cells: &'a [Shade],
        }
        let cell_seconds = CELL_MILLIS.div_euclid(1000);
        Strip { begins: self.begins(), cell_seconds, cells: &self.cells }.serialize(serializer)
    }
}

fn number(at: Wall) -> i64 {
    at.millis().div_euclid(CELL_MILLIS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Wall {
        Wall::from_secs(minutes.saturating_mul(60))
    }

    fn newest(day: &Day, count: usize) -> Vec<&'static str> {
        day.cells().iter().skip(CELLS.saturating_sub(count)).map(|shade| shade.as_str()).collect()
    }

    #[test]
    fn a_cell_keeps_the_worst_that_was_seen_in_it() {
        let mut day = Day::new(at(10_000));
        day.see(at(10_000), Shade::Well);
        day.see(at(10_005), Shade::Waiting);
        day.see(at(10_009), Shade::Well);
        assert_eq!(newest(&day, 2), ["nothing", "waiting"]);
        assert!(!day.would_change(at(10_009), Shade::Well), "it is worse already");
        assert!(day.would_change(at(10_009), Shade::Failing) && day.would_change(at(10_010), Shade::Well));
    }

    #[test]
    fn time_in_which_nothing_was_seen_stays_empty() {
        let mut day = Day::new(at(10_000));
        day.see(at(10_000), Shade::Well);
        day.see(at(10_030), Shade::Well);
        assert_eq!(newest(&day, 4), ["well", "nothing", "nothing", "well"]);
        assert_eq!(day.begins(), at(10_030 - 1430));
    }

    #[test]
    fn what_stayed_so_fills_the_time_between() {
        let mut day = Day::new(at(10_000));
        day.stay(at(10_020), Shade::Failing);
        day.see(at(10_025), Shade::Well);
        assert_eq!(newest(&day, 4), ["nothing", "failing", "failing", "failing"]);
        day.stay(at(10_020 + 100_000), Shade::Well);
        assert_eq!(day.cells(), [Shade::Well; CELLS], "a day is all that is kept");
    }

    #[test]
    fn a_clock_that_goes_back_begins_anew() {
        let mut day = Day::new(at(10_000));
        day.see(at(10_000), Shade::Well);
        day.see(at(9_995), Shade::Well);
        assert_eq!(newest(&day, 2), ["nothing", "well"], "a correction by minutes changes nothing");
        day.see(at(5_000), Shade::Unsettled);
        assert_eq!(newest(&day, 2), ["nothing", "unsettled"]);
        assert_eq!(day.begins(), at(5_000 - 1430));
    }

    #[test]
    fn a_shade_is_the_worst_of_what_is_known() {
        let of = Shade::of;
        let connected = Some(SessionState::Connected);
        assert_eq!(of(None, None, false, false), Shade::Nothing);
        assert_eq!(of(connected, Some(true), false, false), Shade::Well);
        assert_eq!(of(connected, Some(false), false, false), Shade::Unsettled, "the last poll was not answered");
        assert_eq!(of(connected, Some(true), false, true), Shade::Unsettled);
        assert_eq!(of(None, Some(false), false, false), Shade::Unsettled);
        assert_eq!(of(connected, Some(true), true, false), Shade::Failing);
        assert_eq!(of(Some(SessionState::NeedsScan), Some(true), true, false), Shade::Waiting, "a person can end it");
    }
}
