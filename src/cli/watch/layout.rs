//! `status` on paper: a line that says it all, then a table, or blocks where there is no room for one.

use super::listing::{Listing, Row, Weight};
use crate::cli::print::{self, Cell, Column, Give, Ink, Table};
use crate::engine::Wall;
use crate::engine::moment::words;

/// Lines of one cell of WHY; `explain` tells the whole.
const WHY_LINES_MAX: usize = 3;

/// What stays longest is worth most: the name, the verdict and its pattern, and after them what is asked of a person.
const COLUMNS: [Column; 8] = [
    Column { title: "TARGET", give: Give::Wraps { easy: usize::MAX, min: 14, lines_max: usize::MAX }, leaves: None },
    Column { title: "STATE", give: Give::Nothing, leaves: Some(2) },
    Column { title: "FOR", give: Give::Nothing, leaves: Some(1) },
    Column { title: "VERDICT", give: Give::Nothing, leaves: None },
    Column { title: "PATTERN", give: Give::Nothing, leaves: None },
    Column { title: "MODE", give: Give::Nothing, leaves: Some(0) },
    Column { title: "PENDING", give: Give::Wraps { easy: 14, min: 14, lines_max: usize::MAX }, leaves: Some(4) },
    Column { title: "WHY", give: Give::Wraps { easy: 40, min: 24, lines_max: WHY_LINES_MAX }, leaves: Some(3) },
];

/// How wide a line may be, and whether there are colours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paper {
    pub(super) width: Option<usize>,
    pub(super) colours: bool,
}

/// What is printed.
#[derive(Clone, Debug, Default)]
pub(super) struct Page {
    /// The summary, and what holds for all.
    pub(super) top: Vec<String>,
    /// The head of the table.
    pub(super) head: Option<String>,
    /// Each session with its lines.
    pub(super) rows: Vec<Vec<String>>,
    /// What found no room.
    pub(super) foot: Option<String>,
}

/// Lays out what is believed.
pub(super) fn lay_out(listing: &Listing, paper: Paper) -> Page {
    let (summary, ink) = listing.summary();
    let dipped = |text: &str, ink| {
        let lines = print::hang(text, 2, paper.width);
        lines.into_iter().map(move |line| print::ink(&line, ink, paper.colours))
    };
    let mut top: Vec<String> = dipped(&summary, ink).collect();
    top.extend(listing.weather().iter().flat_map(|line| dipped(line, Ink::Yellow)));
    if listing.rows.is_empty() {
        return Page { top, ..Page::default() };
    }
    let cells: Vec<Vec<Cell>> = listing.rows.iter().map(|row| cells(row, listing.at)).collect();
    match print::fit(&COLUMNS, &cells, paper.width, paper.colours) {
        Some(Table { head, rows, left }) => {
            let foot = format!("no room for {}", left.join(", "));
            let foot = (!left.is_empty()).then(|| print::ink(&foot, Ink::Dim, paper.colours));
            Page { top, head: Some(head), rows, foot }
        }
        None => Page {
            top,
            rows: listing.rows.iter().map(|row| block(row, listing.at, paper)).collect(),
            ..Page::default()
        },
    }
}

impl Page {
    /// Returns every line.
    pub(super) fn lines(self) -> impl Iterator<Item = String> {
        self.top.into_iter().chain(self.head).chain(self.rows.into_iter().flatten()).chain(self.foot)
    }

    /// Returns as many lines as fit a window that is so high; the sessions that do not fit are counted.
    pub(super) fn lines_within(self, height: usize) -> Vec<String> {
        let Self { top, head, rows, foot } = self;
        let mut lines: Vec<String> = top.into_iter().chain(head).collect();
        let foot: Vec<String> = foot.into_iter().collect();
        let needed = rows.iter().map(Vec::len).fold(lines.len().saturating_add(foot.len()), usize::saturating_add);
        // One line is kept for the count of those that do not fit.
        let end = if needed <= height { height } else { height.saturating_sub(1) };
        let mut unseen: usize = 0;
        for row in rows {
            if unseen == 0 && lines.len().saturating_add(row.len()).saturating_add(foot.len()) <= end {
                lines.extend(row);
            } else {
                unseen = unseen.saturating_add(1);
            }
        }
        lines.extend(foot);
        if 0 < unseen {
            lines.push(format!("and {unseen} more that the window has no room for"));
        }
        lines.truncate(height);
        lines
    }
}

fn cells(row: &Row, now: Wall) -> Vec<Cell> {
    let belief = row.belief();
    let ink = ink(row);
    let lasts = row.since.map_or_else(String::new, |since| words(now.since(since)));
    let pending = row.countdown(now);
    vec![
        Cell { text: row.target.clone(), ink: (belief.weight() != Weight::Well).then_some(Ink::Bold) },
        Cell::plain(row.state.as_deref().unwrap_or("-")),
        Cell::inked(lasts, Ink::Dim),
        Cell::inked(belief.verdict.as_str(), ink),
        Cell::inked(belief.pattern.as_deref().unwrap_or_default(), ink),
        Cell::inked(row.mode(), if row.mode() == "paused" { Ink::Yellow } else { Ink::Dim }),
        Cell { text: pending, ink: row.waits_for_person.then_some(Ink::Yellow) },
        Cell::plain(belief.why()),
    ]
}

/// The verdict of a session that was not heard of yet is worth nothing.
fn ink(row: &Row) -> Ink {
    match row.belief().weight() {
        Weight::Failing => Ink::Red,
        Weight::Suspect => Ink::Yellow,
        Weight::Well if row.state.is_none() => Ink::Dim,
        Weight::Well => Ink::Green,
    }
}

/// A session in a narrow window: the name and the verdict, then what else is known, two columns deeper.
fn block(row: &Row, now: Wall, paper: Paper) -> Vec<String> {
    let belief = row.belief();
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let head = [Some(row.target.as_str()), Some(belief.verdict.as_str()), belief.pattern.as_deref()];
    let head = head.into_iter().flatten().collect::<Vec<_>>().join("  ");
    let lasts = row.since.map_or_else(String::new, |since| format!(" for {}", words(now.since(since))));
    let state = format!("{}{lasts}, {}", row.state.as_deref().unwrap_or("no state known"), row.mode());
    let body = [
        (Some(state), Ink::Dim),
        (some(&row.countdown(now)), if row.waits_for_person { Ink::Yellow } else { Ink::Dim }),
    ];
    let dip = |line: &str, ink| print::ink(line, ink, paper.colours);
    let indented = |text: &str| print::hang(&format!("  {text}"), 4, paper.width);
    let mut lines: Vec<String> = print::hang(&head, 2, paper.width).iter().map(|line| dip(line, ink(row))).collect();
    for (text, ink) in body {
        lines.extend(text.iter().flat_map(|text| indented(text)).map(|line| dip(&line, ink)));
    }
    lines.extend(some(belief.why()).iter().flat_map(|why| indented(why)));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing() -> Listing {
        let text = r#"{"at":"2026-02-04T09:30:00Z","storm":false,
            "pause":{"who":"ana","reason":"the provider moves the database to another host","until":null},
            "paths":[{"path":"wa-web","up":false,"why":"no answer from the resolver"}],
            "targets":[
            {"target":"shop","state":"needs_scan","since":"2026-02-04T09:26:00Z","verdict":"failing","pattern":"logged_out",
             "evidence":"its word was \"UNPAIRED\" at 09:26:00, and it asks for a scan since: 商店 🔥 said so sixteen times",
             "missing":null,"mode":"act","paused":true,"pending":"approve restart 19c27e14280 by 09:40:00",
             "pending_until":"2026-02-04T09:40:00Z","waits_for_person":true},
            {"target":"acc-16548-a-session-with-a-very-long-name","state":"connecting","since":"2026-02-04T09:29:00Z",
             "verdict":"suspect","pattern":"state_loop","evidence":null,"missing":"two more returns within 4 min","mode":"observe",
             "paused":true,"pending":null},
            {"target":"bistro","state":"connected","since":"2026-02-01T09:29:00Z","verdict":"healthy","pattern":null,"evidence":null,
             "missing":null,"mode":"act","paused":true,"pending":null},
            {"target":"new","state":null,"since":null,"verdict":"healthy","pattern":null,"evidence":null,
             "missing":null,"mode":"act","paused":true,"pending":null}]}"#;
        Listing::parse(text).unwrap()
    }

    fn laid(width: Option<usize>) -> Vec<String> {
        lay_out(&listing(), Paper { width, colours: false }).lines().collect()
    }

    #[test]
    fn no_line_is_wider_than_the_window() {
        for width in [200, 120, 100, 80, 70, 60, 50, 49, 40, 30, 20] {
            for line in laid(Some(width)) {
                assert!(print::columns(&line) <= width, "{width}: {line:?}");
            }
        }
    }

    #[test]
    fn what_matters_most_is_said_at_every_width() {
        for width in [Some(200), Some(120), Some(80), Some(60), Some(40), None] {
            let lines = laid(width);
            assert!(lines[0].starts_with("1 of 4 failing · 1 suspect"), "{lines:?}");
            let text = lines.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
            for word in ["shop", "failing", "logged_out", "suspect", "state_loop", "19c27e14280", "paused by ana"] {
                assert!(text.contains(word), "{width:?}: no {word} in {lines:#?}");
            }
        }
    }

    #[test]
    fn columns_leave_in_the_documented_order() {
        let foot = |width| lay_out(&listing(), Paper { width: Some(width), colours: false }).foot;
        assert_eq!(foot(120), None);
        assert_eq!(foot(90).as_deref(), Some("no room for MODE, FOR"));
        assert_eq!(foot(80).as_deref(), Some("no room for MODE, FOR, STATE"));
        assert_eq!(foot(60).as_deref(), Some("no room for MODE, FOR, STATE, WHY"));
    }

    #[test]
    fn a_narrow_window_gets_blocks() {
        let lines = laid(Some(40));
        let begin = lines.iter().position(|line| line.starts_with("shop")).unwrap();
        assert_eq!(
            lines[begin..begin + 5],
            [
                "shop  failing  logged_out",
                "  needs_scan for 4 min, paused",
                "  approve restart 19c27e14280 by",
                "    09:40:00, 10 min left",
                "  its word was \"UNPAIRED\" at 09:26:00,",
            ]
        );
    }

    #[test]
    fn without_a_window_a_session_is_one_line() {
        let lines = laid(None);
        assert_eq!(lines.len(), 8, "{lines:#?}");
        assert!(lines[3].starts_with("TARGET") && lines[3].ends_with("WHY"));
    }

    #[test]
    fn colours_stand_beside_words_and_change_none() {
        let plain = laid(Some(80));
        let inked: Vec<String> = lay_out(&listing(), Paper { width: Some(80), colours: true }).lines().collect();
        let text = inked.join("\n");
        assert!(text.contains("\u{1b}[31mfailing\u{1b}[0m") && text.contains("\u{1b}[33msuspect\u{1b}[0m"), "{text}");
        assert!(text.contains("\u{1b}[32mhealthy\u{1b}[0m") && text.contains("\u{1b}[2mhealthy\u{1b}[0m"), "{text}");
        let codes = regex::Regex::new("\u{1b}\\[[0-9]+m").unwrap();
        let bare: Vec<String> = inked.iter().map(|line| codes.replace_all(line, "").into_owned()).collect();
        assert_eq!(bare, plain);
    }

    #[test]
    fn what_a_low_window_has_no_room_for_is_counted() {
        let page = || lay_out(&listing(), Paper { width: None, colours: false });
        assert_eq!(page().lines_within(50), page().lines().collect::<Vec<_>>());
        let low = page().lines_within(6);
        assert_eq!(low.len(), 6);
        assert_eq!(low[5], "and 3 more that the window has no room for");
        assert!(low[4].starts_with("shop"));
    }
}
