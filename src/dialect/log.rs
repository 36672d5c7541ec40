//! What a log line means.

use std::collections::BTreeMap;
use std::ops::Range;

use regex::Regex;

use super::clean::{clean, draws_qr, without_colours};
use crate::engine::sample::{Phase, SessionState, Signal, Word};

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
///
/// What is kept of the line means the same when it is read again: from a recording nothing else is left.
pub(super) fn read(rules: &[LogRule], line: &str) -> Option<Signal> {
    let line = line.get(..line.floor_char_boundary(LINE_BYTES_MAX)).unwrap_or(line);
    if rules.is_empty() || draws_qr(line) {
        return None;
    }
    let line = without_colours(line);
    let line = line.trim();
    let (meaning, found) = meaning(rules, line)?;
    // Where the whole line is too long, or its meaning goes with a secret, what the rule found stands for it.
    let from_there = line.get(found.start..).unwrap_or_default();
    let alone = line.get(found).unwrap_or_default();
    let kept = [line, from_there, alone].into_iter().map(|text| Word::new(clean(text).trim()));
    let mut kept = kept.filter(|word| self::meaning(rules, word.as_str()).is_some_and(|(again, _)| again == meaning));
    let (state, phase) = meaning;
    Some(Signal { state, phase, line: kept.next()? })
}

/// Returns what a line means, and where it says so.
fn meaning(rules: &[LogRule], line: &str) -> Option<(LineMeaning, Range<usize>)> {
    rules.iter().find_map(|rule| rule.meaning(line))
}

impl LogRule {
    fn meaning(&self, line: &str) -> Option<(LineMeaning, Range<usize>)> {
        let captures = self.matches.captures(line)?;
        let by_word = captures.name("state").and_then(|found| self.words.get(&found.as_str().trim().to_lowercase()));
        Some((by_word.copied().or(self.otherwise)?, captures.get_match().range()))
    }
}
