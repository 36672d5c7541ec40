//! What a program writes: read to its end, kept to a limit.

use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::engine::sample::{WORD_CHARS_MAX, Word};
use crate::http::retry::hash;

const CHUNK_BYTES: usize = 8 * 1024;

/// Longest first line, in bytes.
const FIRST_LINE_BYTES_MAX: usize = 4096;

/// The first line of a stream, and its end.
#[derive(Debug)]
pub(super) struct Output {
    first: Vec<u8>,
    is_first_over: bool,
    last: Vec<u8>,
    bytes_max: usize,
}

impl Output {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { first: Vec::new(), is_first_over: false, last: Vec::new(), bytes_max }
    }

    /// Reads a stream to its end. What was read stays where this is given up.
    pub(super) async fn fill(&mut self, stream: Option<impl AsyncRead + Unpin>) {
        let Some(mut stream) = stream else { return };
        let mut chunk = vec![0; CHUNK_BYTES];
        while let Ok(length @ 1..) = stream.read(&mut chunk).await {
            self.add(chunk.get(..length).unwrap_or_default());
        }
    }

    /// Returns its first line that says something.
    pub(super) fn first_line(&self) -> Option<String> {
        let line = String::from_utf8_lossy(&self.first).trim().to_owned();
        (!line.is_empty()).then_some(line)
    }

    /// Returns its last line that says something.
    pub(super) fn last_line(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.last);
        text.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned)
    }

    fn add(&mut self, chunk: &[u8]) {
        self.add_first(chunk);
        self.last.extend_from_slice(chunk);
        let surplus = self.last.len().saturating_sub(self.bytes_max);
        // In few large moves instead of many small ones.
        if self.bytes_max.max(CHUNK_BYTES) <= surplus {
            self.last.drain(..surplus);
        }
    }

    fn add_first(&mut self, chunk: &[u8]) {
        for byte in chunk {
            if self.is_first_over {
                return;
            }
            match byte {
                b'\n' => self.is_first_over = !self.first.trim_ascii().is_empty(),
                _ if self.first.len() < FIRST_LINE_BYTES_MAX => self.first.push(*byte),
                _ => self.is_first_over = true,
            }
        }
    }
}

/// Makes the word for a world of what a hook says. One too long for a word keeps its difference to others in a number at its end.
#[must_use]
pub fn world(text: &str) -> Word {
    if text.chars().count() <= WORD_CHARS_MAX {
        return Word::new(text);
    }
    let mark = format!(" {:016x}", hash(&[text.as_bytes()]));
    let start: String = text.chars().take(WORD_CHARS_MAX.saturating_sub(mark.len())).collect();
    Word::new(&[start, mark].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(bytes_max: usize, chunks: &[&str]) -> Output {
        let mut output = Output::new(bytes_max);
        chunks.iter().for_each(|chunk| output.add(chunk.as_bytes()));
        output
    }

    #[test]
    fn the_first_and_the_last_line_stay() {
        let output = output(64, &["\n  fi", "rst \nsec", "ond\n", "last\n", " \n\n"]);
        assert_eq!(output.first_line().unwrap(), "first");
        assert_eq!(output.last_line().unwrap(), "last");
        let silent = Output::new(64);
        assert_eq!((silent.first_line(), silent.last_line()), (None, None));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut output = output(100, &["first\n"]);
        for _ in 0..10_000 {
            output.add(&[b'x'; 1000]);
            assert!(output.last.len() <= 100 + CHUNK_BYTES + 1000);
        }
        output.add(b"\nlast");
        assert_eq!((output.first_line().unwrap(), output.last_line().unwrap()), ("first".into(), "last".into()));
    }

    #[test]
    fn long_worlds_that_differ_at_their_end_differ() {
        let long = "x".repeat(500);
        let (one, other) = (world(&format!("{long}1")), world(&format!("{long}2")));
        assert_ne!(one, other);
        assert_eq!(one.as_str().len(), WORD_CHARS_MAX);
        assert_eq!(world("web-1 2026").as_str(), "web-1 2026");
    }
}
