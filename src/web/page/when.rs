//! Times as a person reads them: in UTC, as logs and ledger have them; the page's script counts them on.

use std::fmt;

use askama::filters::HtmlSafe;

use crate::engine::moment::Wall;

/// A time within a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct When {
    at: Wall,
    now: Wall,
    counts: Counts,
}

/// What the script makes of it.
#[derive(Clone, Copy, Debug)]
enum Counts {
    /// Nothing: it is a time of day.
    Nothing,
    /// How long ago it was.
    Up,
    /// The same, after the time itself: shown by the script alone, which keeps it true.
    UpBeside,
    /// How long it is until then.
    Down,
}

impl When {
    /// A time of day.
    pub(super) fn at(at: Wall, now: Wall) -> Self {
        Self { at, now, counts: Counts::Nothing }
    }

    /// A time in the past whose age counts.
    pub(super) fn since(at: Wall, now: Wall) -> Self {
        Self { at, now, counts: Counts::Up }
    }

    /// How long ago a time was, to stand behind it.
    pub(super) fn age(at: Wall, now: Wall) -> Self {
        Self { at, now, counts: Counts::UpBeside }
    }

    /// A time to come that is waited for.
    pub(super) fn until(at: Wall, now: Wall) -> Self {
        Self { at, now, counts: Counts::Down }
    }
}

/// Writes an element that holds no text of anybody else.
impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (counts, text) = match self.counts {
            Counts::Nothing => ("", text(self.at, self.now)),
            Counts::Up => (" data-ago", text(self.at, self.now)),
            Counts::UpBeside => (" data-ago=\", for \" hidden", String::new()),
            Counts::Down => (" data-left", text(self.at, self.now)),
        };
        write!(f, "<time datetime={:.0}{counts}>{text}</time>", self.at.timestamp())
    }
}

impl HtmlSafe for When {}

/// Writes the time of day, and the date where it is another day.
pub(super) fn text(at: Wall, now: Wall) -> String {
    let day = |wall: Wall| wall.millis().div_euclid(86_400_000);
    if day(at) == day(now) { at.clock() } else { at.timestamp().strftime("%-d %b %H:%M").to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_names_its_day_where_that_is_another() {
        let now: Wall = "2026-02-04T09:00:00Z".parse().unwrap();
        let at: Wall = "2026-02-03T23:59:59.500Z".parse().unwrap();
        assert_eq!(text(now, now), "09:00:00");
        assert_eq!(text(at, now), "3 Feb 23:59");
        assert_eq!(When::since(now, now).to_string(), "<time datetime=2026-02-04T09:00:00Z data-ago>09:00:00</time>");
        assert_eq!(
            When::age(now, now).to_string(),
            "<time datetime=2026-02-04T09:00:00Z data-ago=\", for \" hidden></time>"
        );
        assert_eq!(
            When::until(at, now).to_string(),
            "<time datetime=2026-02-03T23:59:59Z data-left>3 Feb 23:59</time>"
        );
    }
}
