//! `history` on paper: days, times, names, sentences.

use crate::cli::print::{self, Ink, TABLE_COLUMNS_MIN};
use crate::engine::{TargetId, Wall};

/// The longest name that has a column of its own; a longer one moves its sentence to the right.
const NAME_COLUMNS_MAX: usize = 20;
/// Of a time that stands below the heading of its day, and of a gap.
const CLOCK_COLUMNS: usize = 8;
const GAP: &str = "  ";
/// The heading of the columns of a day.
const HEADS: (&str, &str) = ("TARGET", "WHAT");

/// What was printed so far, as far as it matters for the next line.
#[derive(Clone, Debug, Default)]
pub(super) struct Paper {
    day: Option<String>,
    name: usize,
}

/// Names the target; `all` where it is about all of them.
pub(super) fn whom(target: &TargetId) -> &str {
    if *target == TargetId::all() { "all" } else { target.as_str() }
}

impl Paper {
    /// Makes room for names.
    pub(super) fn widen<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        let widest = names.map(print::columns).max().unwrap_or(0).max(print::columns(HEADS.0));
        self.name = self.name.max(widest.min(NAME_COLUMNS_MAX));
    }

    /// Lays an entry out. Without a window it is one line that stands for itself.
    pub(super) fn lay_out(
        &mut self,
        at: Wall,
        whom: &str,
        (ink, what): (Ink, &str),
        window: Option<usize>,
        colours: bool,
    ) -> Vec<String> {
        let dip = |text: &str| print::ink(text, ink, colours);
        let Some(window) = window else { return vec![format!("{at}{GAP}{whom}{GAP}{}", dip(what))] };
        let dim = |text: &str| print::ink(text, Ink::Dim, colours);
        let mut lines = self.heading(at, window, colours);
        let clock = at.clock();
        if window < TABLE_COLUMNS_MIN {
            lines.extend(print::wrap(&format!("{clock} {whom}"), window).iter().map(|line| dim(line)));
            lines.extend(print::wrap(&format!("{GAP}{what}"), window).iter().map(|line| dip(line)));
            return lines;
        }
        let margin = CLOCK_COLUMNS.saturating_add(self.name).saturating_add(GAP.len().saturating_mul(2));
        let pad = " ".repeat(self.name.saturating_sub(print::columns(whom)));
        let mut told = print::wrap(what, window.saturating_sub(margin)).into_iter();
        // A name too long for its column stands on a line of its own, or its sentence would stand askew.
        if print::columns(whom) <= self.name {
            let first = told.next().unwrap_or_default();
            lines.push(format!("{}{GAP}{whom}{pad}{GAP}{}", dim(&clock), dip(&first)));
        } else {
            let room = window.saturating_sub(CLOCK_COLUMNS.saturating_add(GAP.len()));
            let mut names = print::wrap(whom, room).into_iter();
            lines.push(format!("{}{GAP}{}", dim(&clock), names.next().unwrap_or_default()));
            lines.extend(names.map(|rest| format!("{}{rest}", " ".repeat(CLOCK_COLUMNS.saturating_add(GAP.len())))));
        }
        lines.extend(told.map(|rest| format!("{}{}", " ".repeat(margin), dip(&rest))));
        lines
    }

    /// The day and the names of the columns, where another day begins.
    fn heading(&mut self, at: Wall, window: usize, colours: bool) -> Vec<String> {
        let day: String = at.to_string().chars().take_while(|letter| *letter != 'T').collect();
        if self.day.as_ref() == Some(&day) {
            return Vec::new();
        }
        let begins = format!("{day} (UTC)");
        let gap = self.day.replace(day).map(|_| String::new());
        let (name, what) = HEADS;
        let columns = format!("{:CLOCK_COLUMNS$}{GAP}{name:room$}{GAP}{what}", "TIME", room = self.name);
        let columns = (TABLE_COLUMNS_MIN <= window).then(|| print::ink(&columns, Ink::Dim, colours));
        gap.into_iter().chain([print::ink(&begins, Ink::Bold, colours)]).chain(columns).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "a-session-with-a-name-that-is-longer-than-its-column";

    fn laid(window: Option<usize>) -> Vec<String> {
        let entries = [
            (
                "2026-02-03T23:59:58Z",
                "shop",
                "incident #1 opened, state_loop: sixteen returns in four minutes (fits first: restart)",
            ),
            (
                "2026-02-04T00:00:01Z",
                "all",
                "  run: done in 1 s: 商店 🔥 restarted, and its log says that it came up without a fault",
            ),
            ("2026-02-04T00:00:02Z", LONG, "connected -> connecting"),
        ];
        let mut paper = Paper::default();
        paper.widen(entries.iter().map(|(_, name, _)| *name).filter(|name| *name != LONG));
        let lay = |(at, name, what): &(&str, &str, &str)| {
            paper.lay_out(at.parse().unwrap(), name, (Ink::Red, what), window, false)
        };
        entries.iter().flat_map(lay).collect()
    }

    #[test]
    fn an_entry_in_a_pipe_is_one_line_with_its_whole_time() {
        let lines = laid(None);
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("2026-02-03T23:59:58.000Z  shop  incident #1 opened"), "{lines:?}");
    }

    #[test]
    fn on_a_terminal_days_have_headings_and_sentences_hang() {
        assert_eq!(
            laid(Some(60)),
            [
                "2026-02-03 (UTC)",
                "TIME      TARGET  WHAT",
                "23:59:58  shop    incident #1 opened, state_loop: sixteen",
                "                  returns in four minutes (fits first:",
                "                  restart)",
                "",
                "2026-02-04 (UTC)",
                "TIME      TARGET  WHAT",
                "00:00:01  all       run: done in 1 s: 商店 🔥 restarted, and",
                "                      its log says that it came up without a",
                "                      fault",
                "00:00:02  a-session-with-a-name-that-is-longer-than-its-colu",
                "          mn",
                "                  connected -> connecting",
            ]
        );
    }

    #[test]
    fn a_narrow_window_gets_blocks() {
        assert_eq!(
            laid(Some(40))[..4],
            [
                "2026-02-03 (UTC)",
                "23:59:58 shop",
                "  incident #1 opened, state_loop:",
                "    sixteen returns in four minutes"
            ]
        );
    }

    #[test]
    fn no_line_is_wider_than_the_window() {
        for window in [200, 120, 80, 60, 50, 49, 40, 25] {
            for line in laid(Some(window)) {
                assert!(print::columns(&line) <= window, "{window}: {line:?}");
            }
        }
    }
}
