//! Paper and ink: standard output, colours, tables.

use std::io::{self, IsTerminal, Write};

/// Writes a line to standard output.
pub(super) fn line(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// Writes a line to standard error; where even that fails nobody is left to tell.
pub(super) fn complain(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// Tells whether colours suit a stream: only on a terminal, and not where `NO_COLOR` is set (<https://no-color.org>).
pub(super) fn colours(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The colours of meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    /// Well.
    Green,
    /// Suspect, or a thing to look at.
    Yellow,
    /// Failing.
    Red,
    /// Beside the point.
    Dim,
}

/// Dips a text in ink, where colours suit.
pub(super) fn ink(text: &str, ink: Ink, colours: bool) -> String {
    if !colours {
        return text.to_owned();
    }
    let code = match ink {
        Ink::Green => 32,
        Ink::Yellow => 33,
        Ink::Red => 31,
        Ink::Dim => 2,
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// Lays rows out in columns as wide as their widest cell; the last one is as long as it likes.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let widths: Vec<usize> = head
        .iter()
        .enumerate()
        .map(|(column, title)| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
            cells.chain([title.chars().count()]).max().unwrap_or(0)
        })
        .collect();
    let lay = |cells: Vec<&str>| {
        let padded = cells.into_iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let head = lay(head.to_vec());
    let body = rows.iter().map(|row| lay(row.iter().map(String::as_str).collect()));
    std::iter::once(head).chain(body).collect()
}

/// Tells whether an error only says that nobody reads any more (`wa-watchdog history | head`).
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|io| io.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = vec![vec!["shop".to_owned(), "ok".to_owned()], vec!["a-long-name".to_owned(), "x".to_owned()]];
        assert_eq!(table(&["target", "is"], &rows), ["target       is", "shop         ok", "a-long-name  x"]);
    }

    #[test]
    fn ink_is_used_only_where_colours_suit() {
        assert_eq!(ink("x", Ink::Red, false), "x");
        assert_eq!(ink("x", Ink::Red, true), "\u{1b}[31mx\u{1b}[0m");
    }
}
