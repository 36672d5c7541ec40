//! The window: how large it is, and one that is drawn over and over.

use std::io::{self, IsTerminal, Write};

use super::ink::is_dumb;
use super::width::cut;

/// What a terminal is taken for that does not say how wide it is.
const COLUMNS_DEFAULT: usize = 80;
/// And how high.
const ROWS_DEFAULT: usize = 24;

/// A window, as large as it is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Window {
    pub(in crate::cli) columns: usize,
    pub(in crate::cli) rows: usize,
}

impl Window {
    /// Looks how large standard output's window is; none where that is no terminal.
    pub(in crate::cli) fn of_stdout() -> Option<Self> {
        Self::of(&io::stdout())
    }

    /// Looks how large the window of standard error is.
    pub(in crate::cli) fn of_stderr() -> Option<Self> {
        Self::of(&io::stderr())
    }

    fn of(stream: &(impl IsTerminal + std::os::fd::AsFd)) -> Option<Self> {
        if !stream.is_terminal() {
            return None;
        }
        let size = rustix::termios::tcgetwinsize(stream).ok();
        let known = |count: u16| Some(usize::from(count)).filter(|count| 0 < *count);
        let said = |name| std::env::var_os(name)?.to_str()?.parse().ok().filter(|count: &usize| 0 < *count);
        Some(Self {
            columns: said("COLUMNS").or(size.and_then(|size| known(size.ws_col))).unwrap_or(COLUMNS_DEFAULT),
            rows: said("LINES").or(size.and_then(|size| known(size.ws_row))).unwrap_or(ROWS_DEFAULT),
        })
    }

    /// Returns how wide standard output may be printed on; none: as wide as one likes.
    pub(in crate::cli) fn width() -> Option<usize> {
        Self::of_stdout().map(|window| window.columns)
    }
}

/// A screen of our own over the person's, given back when it is dropped.
#[derive(Debug)]
pub(in crate::cli) struct Screen {
    is_open: bool,
}

/// Another page than that of the shell, and no cursor.
const OPEN: &str = "\u{1b}[?1049h\u{1b}[?25l";
/// The cursor, and the page of the shell as it was.
const CLOSE: &str = "\u{1b}[?25h\u{1b}[?1049l";
const HOME: &str = "\u{1b}[H";
const CLEAR_LINE: &str = "\u{1b}[K";
const CLEAR_BELOW: &str = "\u{1b}[J";

impl Screen {
    /// Tells whether standard output is a terminal that can be drawn over.
    pub(in crate::cli) fn suits() -> bool {
        io::stdout().is_terminal() && !is_dumb()
    }

    pub(in crate::cli) fn open() -> io::Result<Self> {
        let mut screen = Self { is_open: false };
        screen.reopen()?;
        Ok(screen)
    }

    /// Opens it again after it was closed.
    pub(in crate::cli) fn reopen(&mut self) -> io::Result<()> {
        self.is_open = true;
        put(OPEN)
    }

    /// Gives the person's screen back.
    pub(in crate::cli) fn close(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.is_open) { put(CLOSE) } else { Ok(()) }
    }

    /// Draws lines over what is there, in one go so that nothing flickers. What is below the window is not drawn,
    /// and nothing over a person's own page.
    pub(in crate::cli) fn draw(&self, lines: &[String], rows: usize) -> io::Result<()> {
        if !self.is_open {
            return Ok(());
        }
        let drawn: Vec<String> = lines.iter().take(rows).map(|line| format!("{line}{CLEAR_LINE}")).collect();
        put(&format!("{HOME}{}{CLEAR_BELOW}", drawn.join("\n")))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Where the terminal is gone there is nothing to give back.
        drop(self.close());
    }
}

fn put(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// A line that tells how far something has come, drawn over itself on standard error.
pub(super) fn redraw_line(text: &str) {
    let width = Window::of_stderr().map_or(COLUMNS_DEFAULT, |window| window.columns);
    let text = cut(text, width.saturating_sub(1));
    drop(write!(io::stderr().lock(), "\r{text}{CLEAR_LINE}"));
}

/// Takes that line away.
pub(super) fn clear_line() {
    drop(write!(io::stderr().lock(), "\r{CLEAR_LINE}"));
}
