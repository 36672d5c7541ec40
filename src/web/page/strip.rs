//! The last day of a session as a strip: one column for ten minutes, the taller the worse.

use std::fmt;
use std::time::Duration;

use askama::filters::HtmlSafe;

use crate::engine::day::{CELL_MILLIS, CELLS, Day, Shade};
use crate::engine::moment::words;

/// A strip, drawn as one path a shade: a thousand of them are on one page. What stands beside it says that it is the last day.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strip<'a>(pub(super) &'a Day);

impl Strip<'_> {
    /// Says it in words, for who does not see it.
    pub(super) fn words(self) -> String {
        let span = |shade: Shade| {
            let cells = self.0.cells().iter().filter(|cell| **cell == shade).count();
            let span = Duration::from_millis(u64::try_from(CELL_MILLIS).unwrap_or(0))
                .saturating_mul(u32::try_from(cells).unwrap_or(u32::MAX));
            (!span.is_zero()).then(|| format!("{} {}", name(shade), words(span)))
        };
        Shade::ALL.into_iter().rev().filter_map(span).collect::<Vec<String>>().join(", ")
    }

    fn path(self, f: &mut fmt::Formatter<'_>, shade: Shade) -> fmt::Result {
        let Some((class, middle)) = drawn(shade) else { return Ok(()) };
        let cells = self.0.cells().iter().enumerate();
        let mut places = cells.filter(|(_, cell)| **cell == shade).map(|(place, _)| place).peekable();
        if places.peek().is_none() {
            return Ok(());
        }
        write!(f, "<path class={class} d=\"")?;
        while let Some(from) = places.next() {
            let mut count: usize = 1;
            while places.next_if_eq(&from.saturating_add(count)).is_some() {
                count = count.saturating_add(1);
            }
            write!(f, "M{from} {middle}h{count}")?;
        }
        f.write_str("\"/>")
    }
}

/// Writes an element that holds no text of anybody else.
impl fmt::Display for Strip<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self.words();
        write!(f, "<svg viewBox=\"0 0 {CELLS} 20\" preserveAspectRatio=none role=img aria-label=\"{said}\">")?;
        for shade in Shade::ALL {
            self.path(f, shade)?;
        }
        f.write_str("</svg>")
    }
}

impl HtmlSafe for Strip<'_> {}

fn name(shade: Shade) -> &'static str {
    match shade {
        Shade::Nothing => "not seen",
        Shade::Well => "well",
        Shade::Unsettled => "unsettled",
        Shade::Failing => "failing",
        Shade::Waiting => "waiting for a scan",
    }
}

/// The class of a shade, and the middle of its columns from above: the stylesheet gives the class a height of twice what is below.
fn drawn(shade: Shade) -> Option<(&'static str, u8)> {
    match shade {
        Shade::Nothing => None,
        Shade::Well => Some(("w", 16)),
        Shade::Unsettled => Some(("u", 14)),
        Shade::Waiting => Some(("q", 12)),
        Shade::Failing => Some(("d", 10)),
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::moment::Wall;

    use super::*;

    #[test]
    fn a_day_is_drawn_in_as_few_strokes_as_it_has_stretches() {
        let cell = |number: i64| Wall::from_millis(number * CELL_MILLIS);
        let mut day = Day::new(cell(0));
        day.stay(cell(100), Shade::Well);
        day.stay(cell(103), Shade::Failing);
        day.stay(cell(110), Shade::Well);
        let drawn = Strip(&day).to_string();
        assert!(drawn.contains("<path class=d d=\"M133 10h4\"/>"), "{drawn}");
        assert!(drawn.contains("<path class=w d=\"M33 16h100M137 16h7\"/>"), "{drawn}");
        assert!(drawn.contains("aria-label=\"failing 40 min, well 17 h 50 min, not seen 5 h 30 min"), "{drawn}");
    }
}
