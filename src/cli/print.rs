//! Paper and ink: standard output, colours, tables, the window.

mod ink;
mod progress;
mod table;
mod width;
mod window;

use std::io::{self, Write};

pub(super) use ink::{Colour, Ink, colours, ink, want};
pub(super) use progress::{Progress, during};
pub(super) use table::{Cell, Column, Give, TABLE_COLUMNS_MIN, Table, fit};
pub(super) use width::{columns, hang, wrap};
pub(super) use window::{Screen, Window};

/// Writes a line to standard output.
pub(super) fn line(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// Writes a line to standard output, wrapped to the window; all but its first line stand deeper.
pub(super) fn paragraph(text: &str, deeper: usize) -> io::Result<()> {
    hang(text, deeper, Window::width()).iter().try_for_each(|text| line(text))
}

/// Writes a line to standard error; where even that fails nobody is left to tell.
pub(super) fn complain(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// Lays rows out in columns as wide as their widest cell; on a terminal the last one wraps where the window ends.
pub(super) fn table(head: &[&'static str], rows: &[Vec<String>]) -> Vec<String> {
    table::plain(head, rows, Window::width())
}

/// Tells whether an error only says that nobody reads any more (`wa-watchdog history | head`).
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|io| io.kind() == io::ErrorKind::BrokenPipe)
}
