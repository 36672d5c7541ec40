//! What must be so in an answer for a rule to hold, and what it says then.

use serde_json::Value;

use super::search::Found;
use crate::engine::sample::{Effort, Phase, SessionState};

/// Number of a [`Place`](super::pointer::Place) among a dialect's places.
pub(super) type PlaceId = usize;
/// Number of a word among those that a dialect's rules compare with.
pub(super) type Token = usize;

/// One rule: under these conditions, that is meant.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) when: When,
    pub(super) meaning: Meaning,
    /// Which words are kept as evidence, where it differs from the dialect's own choice.
    pub(super) word: Option<Vec<PlaceId>>,
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The session is in this state.
    State { state: SessionState, phase: Option<Phase>, effort: Effort },
    /// The session does not exist.
    Missing,
    /// Our credentials are refused.
    Refused,
    /// We ask too often.
    Throttled,
    /// The host answers, the service does not.
    Down,
    /// It tells nothing about session or service.
    Unclear,
}

/// The conditions of a rule; all of them must hold.
#[derive(Clone, Debug, Default)]
pub(super) struct When {
    /// HTTP statuses from and to. None: any success.
    pub(super) status: Option<Vec<(u16, u16)>>,
    pub(super) conditions: Vec<(PlaceId, Test)>,
}

/// What must be so at one place.
#[derive(Clone, Debug)]
pub(super) enum Test {
    OneOf(Vec<Token>),
    /// A text that holds one of these, in any case.
    Contains(Vec<String>),
    Present,
    /// Missing, null or blank.
    Absent,
}

impl When {
    /// Tells whether the conditions hold for what was found at each place.
    pub(super) fn holds(&self, status: u16, understood: bool, found: &[Found<'_>]) -> bool {
        let in_reach = match &self.status {
            Some(ranges) => ranges.iter().any(|(from, to)| (*from..=*to).contains(&status)),
            None => understood,
        };
        in_reach && self.conditions.iter().all(|(place, test)| found.get(*place).is_some_and(|found| test.holds(found)))
    }
}

impl Test {
    fn holds(&self, found: &Found<'_>) -> bool {
        match self {
            Self::Absent => found.value.is_none(),
            Self::Present => found.value.is_some(),
            Self::OneOf(tokens) => found.token.is_some_and(|token| tokens.contains(&token)),
            Self::Contains(parts) => {
                let text = found.value.and_then(Value::as_str);
                text.is_some_and(|text| parts.iter().any(|part| contains(text, part)))
            }
        }
    }
}

/// Tells whether a text holds another, in any case of its ASCII letters.
pub(super) fn contains(text: &str, part: &str) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    !part.is_empty() && text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_found_in_any_case() {
        assert!(contains("Error: TARGET closed.", "target closed"));
        assert!(!contains("closed", "target closed") && !contains("x", ""));
    }
}
