//! What a log line means.

use std::collections::BTreeMap;

use regex::Regex;

use super::clean::{draws_qr, without_colours, word};
use crate::engine::sample::{Phase, SessionState, Signal};

/// Longest part of a line that is looked at, in bytes.
pub(super) const LINE_BYTES_MAX: usize = 4096;

/// One kind of line that means something.
#[derive(Clone, Debug)]
pub(super) struct LogRule {
    pub(super) matches: Regex,
    /// What the word captured as `state` means, by the word in lower case.
    pub(super) words: BTreeMap<String, LineMeaning>,
    /// What the line means without such a word, or with one that is not in the table.
    pub(super) otherwise: Option<LineMeaning>,
}

/// The state that a line announces, and how far the link has come.
pub(super) type LineMeaning = (SessionState, Option<Phase>);

/// Returns the signal that a line gives; the first rule with a meaning for it decides. A line that draws a QR code is dropped.
pub(super) fn read(rules: &[LogRule], line: &str) -> Option<Signal> {
    let line = line.get(..line.floor_char_boundary(LINE_BYTES_MAX)).unwrap_or(line);
    if rules.is_empty() || draws_qr(line) {
        return None;
    }
    let line = without_colours(line);
    let (state, phase) = rules.iter().find_map(|rule| rule.meaning(&line))?;
    Some(Signal { state, phase, line: word(line.trim()) })
}

impl LogRule {
    fn meaning(&self, line: &str) -> Option<LineMeaning> {
        let captures = self.matches.captures(line)?;
        let by_word = captures.name("state").and_then(|found| self.words.get(&found.as_str().trim().to_lowercase()));
        by_word.copied().or(self.otherwise)
    }
}
