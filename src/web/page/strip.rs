//! The last day of a session as a strip: one column for ten minutes, the taller the worse.

use std::fmt;
use std::time::Duration;

use askama::filters::HtmlSafe;

use crate::engine::moment::{Wall, words};
use crate::engine::sample::SessionState;
use crate::engine::snapshot::TargetView;

/// Columns of a strip.
const CELLS: usize = 144;
/// What one column stands for, in milliseconds.
const CELL_MILLIS: i64 = 600_000;

/// What ten minutes showed at worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Shade {
    #[default]
    Unseen,
    Well,
    Scan,
    Unsettled,
    Down,
}

/// A strip, drawn as one path a shade: a thousand of them are on one page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Strip([Shade; CELLS]);

/// Draws the last day of a session. Columns lie on whole ten minutes, so that a strip changes only with them or with news.
pub(super) fn strip(view: &TargetView, now: Wall) -> Strip {
    let mut cells = [Shade::Unseen; CELLS];
    let last = now.millis().div_euclid(CELL_MILLIS);
    for run in &view.timeline {
        let shade = Shade::of(run.state);
        let age = |at: Wall| last.saturating_sub(at.millis().div_euclid(CELL_MILLIS));
        for back in age(run.to).max(0)..=age(run.from).max(0) {
            let place = usize::try_from(back).ok().and_then(|back| CELLS.checked_sub(back.saturating_add(1)));
            let Some(cell) = place.and_then(|place| cells.get_mut(place)) else { break };
            *cell = shade.max(*cell);
        }
    }
    Strip(cells)
}

impl Strip {
    /// Says it in words, for who does not see it.
    pub(super) fn words(&self) -> String {
        let span = |shade: Shade| {
            let cells = self.0.iter().filter(|cell| **cell == shade).count();
            let span = Duration::from_secs(600).saturating_mul(u32::try_from(cells).unwrap_or(u32::MAX));
            (!span.is_zero()).then(|| format!("{} {}", shade.as_str(), words(span)))
        };
        Shade::ALL.into_iter().filter_map(span).collect::<Vec<String>>().join(", ")
    }

    fn path(&self, f: &mut fmt::Formatter<'_>, shade: Shade) -> fmt::Result {
        let Some((class, middle)) = shade.drawn() else { return Ok(()) };
        let mut places = self.0.iter().enumerate().filter(|(_, cell)| **cell == shade).map(|(place, _)| place).peekable();
        if places.peek().is_none() {
            return Ok(());
        }
        write!(f, "<path class={class} d=\"")?;
        while let Some(from) = places.next() {
            let mut cells: usize = 1;
            while places.next_if_eq(&from.saturating_add(cells)).is_some() {
                cells = cells.saturating_add(1);
            }
            write!(f, "M{from} {middle}h{cells}")?;
        }
        f.write_str("\"/>")
    }
}

/// Writes an element that holds no text of anybody else.
impl fmt::Display for Strip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self.words();
        write!(f, "<svg class=strip viewBox=\"0 0 {CELLS} 20\" preserveAspectRatio=none role=img aria-label=\"Last 24 h: {said}\">")?;
        for shade in Shade::ALL {
            self.path(f, shade)?;
        }
        f.write_str("</svg>")
    }
}

impl HtmlSafe for Strip {}

impl Shade {
    const ALL: [Self; 5] = [Self::Down, Self::Unsettled, Self::Scan, Self::Well, Self::Unseen];

    fn of(state: SessionState) -> Self {
        match state {
            SessionState::Connected => Self::Well,
            SessionState::NeedsScan => Self::Scan,
            SessionState::Connecting | SessionState::Unknown => Self::Unsettled,
            SessionState::Disconnected
            | SessionState::Conflict
            | SessionState::LoggedOut
            | SessionState::Expired
            | SessionState::Missing
            | SessionState::Blocked => Self::Down,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Unseen => "not seen",
            Self::Well => "well",
            Self::Scan => "waiting for a scan",
            Self::Unsettled => "unsettled",
            Self::Down => "down",
        }
    }

    /// Its class and the middle of its column, from above: the stylesheet gives the class a height of twice what is below.
    fn drawn(self) -> Option<(&'static str, u8)> {
        match self {
            Self::Unseen => None,
            Self::Well => Some(("w", 16)),
            Self::Scan => Some(("q", 13)),
            Self::Unsettled => Some(("u", 13)),
            Self::Down => Some(("d", 10)),
        }
    }
}
