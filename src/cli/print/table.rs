//! Tables that fit the window.
//!
//! Where a table is too wide, first its columns that can give way do so, the last one first, and wrap: as far as that is easy to read,
//! then as far as it must be. Then the columns that may leave do so in their order; and where even that does not fit, there is no
//! table, and its owner tells the rows as blocks.

use super::ink::{Ink, ink};
use super::width::{columns, wrap_within};

/// Stands between two columns.
const GAP: usize = 2;
/// A window narrower than this is no place for a table.
pub(in crate::cli) const TABLE_COLUMNS_MIN: usize = 50;

/// A column.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Column {
    pub(in crate::cli) title: &'static str,
    pub(in crate::cli) give: Give,
    /// Its place among those that leave: 0 goes first. One without a place stays.
    pub(in crate::cli) leaves: Option<u8>,
}

/// How a column gives way.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) enum Give {
    /// It does not.
    Nothing,
    /// Its cells wrap into at most so many lines: gladly down to `easy` columns, if it must be down to `min`.
    Wraps { easy: usize, min: usize, lines_max: usize },
}

/// What stands in one row of one column.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Cell {
    pub(in crate::cli) text: String,
    pub(in crate::cli) ink: Option<Ink>,
}

/// A table as it is printed.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Table {
    pub(in crate::cli) head: String,
    /// Each row with its lines.
    pub(in crate::cli) rows: Vec<Vec<String>>,
    /// The columns that found no room.
    pub(in crate::cli) left: Vec<&'static str>,
}

impl Cell {
    pub(in crate::cli) fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), ink: None }
    }

    pub(in crate::cli) fn inked(text: impl Into<String>, ink: Ink) -> Self {
        Self { text: text.into(), ink: Some(ink) }
    }
}

/// Lays a table out, as wide as it likes or as the window is; none where it does not fit.
pub(in crate::cli) fn fit(heads: &[Column], rows: &[Vec<Cell>], window: Option<usize>, colours: bool) -> Option<Table> {
    let natural = |(number, head): (usize, &Column)| {
        let cells = rows.iter().filter_map(|row| row.get(number)).map(|cell| columns(&cell.text));
        let widest = cells.max().unwrap_or(0);
        Plan { number, head: *head, is_empty: widest == 0, width: widest.max(columns(head.title)) }
    };
    let mut plans: Vec<Plan> = heads.iter().enumerate().map(natural).collect();
    let mut left = Vec::new();
    if let Some(window) = window {
        if window < TABLE_COLUMNS_MIN {
            return None;
        }
        // What says nothing takes no room.
        plans.retain(|plan| !(plan.is_empty && plan.head.leaves.is_some()));
        while !squeeze(&mut plans, window) {
            let next = plans.iter().filter_map(|plan| Some((plan.head.leaves?, plan.number))).min()?.1;
            left.extend(plans.iter().find(|plan| plan.number == next).map(|plan| plan.head.title));
            plans.retain(|plan| plan.number != next);
        }
    }
    let head: Vec<Cell> = heads.iter().map(|head| Cell::inked(head.title, Ink::Dim)).collect();
    let head = lines_of(&head, &plans, colours).concat();
    let rows = rows.iter().map(|row| lines_of(row, &plans, colours)).collect();
    Some(Table { head, rows, left })
}

/// Lays plain rows out; the last column gives way. Where there is no room for a table each row is a block: its first cell, and what
/// the others say under their titles.
pub(in crate::cli) fn plain(head: &[&'static str], rows: &[Vec<String>], window: Option<usize>) -> Vec<String> {
    let last = head.len().saturating_sub(1);
    let column = |(number, title): (usize, &&'static str)| {
        let give =
            if number == last { Give::Wraps { easy: 16, min: 16, lines_max: usize::MAX } } else { Give::Nothing };
        Column { title, give, leaves: None }
    };
    let heads: Vec<Column> = head.iter().enumerate().map(column).collect();
    let cells: Vec<Vec<Cell>> = rows.iter().map(|row| row.iter().map(Cell::plain).collect()).collect();
    if let Some(Table { head, rows, left: _ }) = fit(&heads, &cells, window, false) {
        return std::iter::once(head).chain(rows.into_iter().flatten()).collect();
    }
    let block = |row: &Vec<String>| {
        let told = |(number, (title, cell)): (usize, (&&str, &String))| {
            if number == 0 { cell.clone() } else { format!("  {}: {cell}", title.to_lowercase()) }
        };
        let lines: Vec<String> = head.iter().zip(row).enumerate().map(told).collect();
        lines.iter().flat_map(|line| super::width::hang(line, 4, window)).collect::<Vec<_>>()
    };
    rows.iter().flat_map(block).collect()
}

/// One column that is shown.
#[derive(Clone, Copy, Debug)]
struct Plan {
    number: usize,
    head: Column,
    is_empty: bool,
    width: usize,
}

/// Makes the columns narrower until they fit; leaves them as they are where they cannot.
fn squeeze(plans: &mut [Plan], window: usize) -> bool {
    let gaps = plans.len().saturating_sub(1).saturating_mul(GAP);
    let needed = plans.iter().fold(gaps, |sum, plan| sum.saturating_add(plan.width));
    let mut over = needed.saturating_sub(window);
    if plans.iter().map(|plan| spare(plan, false)).fold(0, usize::saturating_add) < over {
        return false;
    }
    for is_easy in [true, false] {
        for plan in plans.iter_mut().rev() {
            let given = spare(plan, is_easy).min(over);
            plan.width = plan.width.saturating_sub(given);
            over = over.saturating_sub(given);
        }
    }
    true
}

/// How many columns it can give, if it is to stay easy to read or not.
fn spare(plan: &Plan, is_easy: bool) -> usize {
    match plan.head.give {
        Give::Nothing => 0,
        Give::Wraps { easy, min, .. } => {
            let least = if is_easy { easy.max(min) } else { min };
            plan.width.saturating_sub(least.max(columns(plan.head.title)))
        }
    }
}

fn lines_of(row: &[Cell], plans: &[Plan], colours: bool) -> Vec<String> {
    let nothing = Cell::default();
    let wrapped: Vec<(Vec<String>, &Cell, usize)> = plans
        .iter()
        .map(|plan| {
            let cell = row.get(plan.number).unwrap_or(&nothing);
            let lines_max = match plan.head.give {
                Give::Nothing => 1,
                Give::Wraps { lines_max, .. } => lines_max,
            };
            (wrap_within(&cell.text, plan.width, lines_max), cell, plan.width)
        })
        .collect();
    let height = wrapped.iter().map(|(lines, ..)| lines.len()).max().unwrap_or(0);
    (0..height).map(|number| line_of(&wrapped, number, colours)).collect()
}

fn line_of(wrapped: &[(Vec<String>, &Cell, usize)], number: usize, colours: bool) -> String {
    let (mut line, mut owed) = (String::new(), 0_usize);
    for (lines, cell, width) in wrapped {
        let text = lines.get(number).map_or("", String::as_str);
        if !text.is_empty() {
            // Nothing but what is read stands at the end of a line.
            line.push_str(&" ".repeat(owed));
            line.push_str(&cell.ink.map_or_else(|| text.to_owned(), |with| ink(text, with, colours)));
            owed = 0;
        }
        owed = owed.saturating_add(width.saturating_sub(columns(text))).saturating_add(GAP);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADS: [Column; 4] = [
        Column { title: "TARGET", give: Give::Wraps { easy: usize::MAX, min: 12, lines_max: 9 }, leaves: None },
        Column { title: "MODE", give: Give::Nothing, leaves: Some(0) },
        Column { title: "STATE", give: Give::Nothing, leaves: Some(1) },
        Column { title: "WHY", give: Give::Wraps { easy: 40, min: 20, lines_max: 2 }, leaves: None },
    ];

    fn rows() -> Vec<Vec<Cell>> {
        let why = "connected and lost again sixteen times in four minutes, last at 09:01:40; it does not come to rest";
        let row = |cells: [&str; 4]| cells.map(Cell::plain).to_vec();
        vec![row(["shop", "observe", "connecting", why]), row(["商店-🔥", "act", "connected", ""])]
    }

    fn laid(window: Option<usize>) -> Option<Vec<String>> {
        let table = fit(&HEADS, &rows(), window, false)?;
        Some(std::iter::once(table.head).chain(table.rows.into_iter().flatten()).collect())
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["shop".to_owned(), "ok".to_owned()], vec!["a-long-name".to_owned(), "x".to_owned()]];
        assert_eq!(plain(&["target", "is"], &rows, None), ["target       is", "shop         ok", "a-long-name  x"]);
    }

    #[test]
    fn where_nothing_limits_it_nothing_wraps() {
        let lines = laid(None).unwrap();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].ends_with("does not come to rest"));
    }

    #[test]
    fn the_last_column_wraps_first_and_is_cut() {
        assert_eq!(
            laid(Some(80)).unwrap(),
            [
                "TARGET   MODE     STATE       WHY",
                "shop     observe  connecting  connected and lost again sixteen times in four",
                "                              minutes, last at 09:01:40; it does not come to…",
                "商店-🔥  act      connected",
            ]
        );
    }

    #[test]
    fn then_columns_leave_in_their_order() {
        let left = |window| fit(&HEADS, &rows(), Some(window), false).map(|table| table.left);
        assert_eq!(left(120), Some(vec![]));
        assert_eq!(left(50), Some(vec![]));
        assert_eq!(left(49), None);
        let mut wide = rows();
        wide[0][2] = Cell::plain("a state with a very long name");
        let left = |window| fit(&HEADS, &wide, Some(window), false).map(|table| table.left);
        assert_eq!(left(60), Some(vec!["MODE"]));
        assert_eq!(left(50), Some(vec!["MODE", "STATE"]));
    }

    #[test]
    fn no_line_is_wider_than_the_window() {
        for window in [200, 120, 80, 60, 55, 50] {
            for line in laid(Some(window)).unwrap() {
                assert!(columns(&line) <= window, "{window}: {line}");
            }
        }
    }

    #[test]
    fn a_column_that_says_nothing_takes_no_room_of_a_window() {
        let rows = [["shop", "", "x", "y"].map(Cell::plain).to_vec()];
        assert_eq!(fit(&HEADS, &rows, Some(80), false).unwrap().head, "TARGET  STATE  WHY");
        assert_eq!(fit(&HEADS, &rows, None, false).unwrap().head, "TARGET  MODE  STATE  WHY");
    }

    #[test]
    fn a_plain_table_becomes_blocks_where_it_does_not_fit() {
        let rows = [vec!["shop".to_owned(), "connected".to_owned()]];
        assert_eq!(plain(&["NAME", "STATE"], &rows, Some(40)), ["shop", "  state: connected"]);
    }

    #[test]
    fn ink_takes_no_room() {
        let rows = [vec![Cell::inked("a", Ink::Red), Cell::default(), Cell::plain("b")]];
        let table = fit(&HEADS, &rows, Some(80), true).unwrap();
        assert_eq!(table.rows[0], ["\u{1b}[31ma\u{1b}[0m       b"]);
    }
}
