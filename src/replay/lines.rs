//! A file as lines, one at a time in one buffer: a year of a session is 300 MB and takes no more memory than a day.

use std::io::{BufRead, Read};

use super::fault::{BadRecording, Wrong};
use super::{LINE_BYTES_MAX, Progress};

/// The lines of one recording.
pub(super) struct Lines<'a, R> {
    input: R,
    file: &'a str,
    line: String,
    so_far: Progress,
}

impl<'a, R: BufRead> Lines<'a, R> {
    pub(super) fn new(input: R, file: &'a str) -> Self {
        Self { input, file, line: String::new(), so_far: Progress::default() }
    }

    /// Reads the next line that is not blank; false at the end.
    pub(super) fn advance(&mut self) -> Result<bool, BadRecording> {
        loop {
            self.line.clear();
            let mut capped = self.input.by_ref().take(LINE_BYTES_MAX);
            let read = capped.read_line(&mut self.line);
            let bytes = u64::try_from(self.line.len()).unwrap_or(u64::MAX);
            self.so_far.bytes = self.so_far.bytes.saturating_add(bytes);
            self.so_far.lines = self.so_far.lines.saturating_add(1);
            match read {
                Err(error) => return Err(self.fault(Wrong::Unreadable(error))),
                Ok(0) => return Ok(false),
                Ok(_) if bytes == LINE_BYTES_MAX && !self.line.ends_with('\n') => {
                    return Err(self.fault(Wrong::TooLong));
                }
                Ok(_) if self.line.trim_ascii().is_empty() => {}
                Ok(_) => return Ok(true),
            }
        }
    }

    /// Returns the line that was read last.
    pub(super) fn line(&self) -> &str {
        &self.line
    }

    /// Returns how much was read.
    pub(super) fn so_far(&self) -> Progress {
        self.so_far
    }

    /// Says what is wrong with the line that was read last.
    pub(super) fn fault(&self, what: Wrong) -> BadRecording {
        BadRecording { file: self.file.to_owned(), line: self.so_far.lines, what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_are_counted_and_skipped() {
        let mut lines = Lines::new(&b"a\n\n  \r\nb"[..], "x");
        assert!(lines.advance().unwrap());
        assert_eq!(lines.line(), "a\n");
        assert!(lines.advance().unwrap());
        assert_eq!((lines.line(), lines.so_far().lines, lines.so_far().bytes), ("b", 4, 8));
        assert!(!lines.advance().unwrap());
    }

    #[test]
    fn what_is_no_text_is_refused() {
        let mut lines = Lines::new(&b"{}\n\x1f\x8b\n"[..], "packed");
        assert!(lines.advance().unwrap());
        assert_eq!(
            lines.advance().unwrap_err().to_string(),
            "packed:2: cannot be read: stream did not contain valid UTF-8"
        );
    }

    #[test]
    fn a_line_without_end_is_refused_at_the_limit() {
        let endless = std::io::BufReader::new(std::io::repeat(b'x'));
        let fault = Lines::new(endless, "endless").advance().unwrap_err();
        assert_eq!(fault.to_string(), "endless:1: the line is longer than 16 MiB");
    }
}
