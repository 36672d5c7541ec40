//! What must be so in an answer for a rule to hold, and what it says then.

use serde_json::Value;

use crate::engine::sample::{Effort, Phase, SessionState};

/// Number of a [`Place`](super::pointer::Place) among a dialect's places.
pub(super) type PlaceId = usize;

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
    OneOf(Vec<Scalar>),
    /// A text that holds one of these, in any case.
    Contains(Vec<String>),
    Present,
    /// Missing, null or blank.
    Absent,
}

/// A value to compare with. Gateways write the same number, flag or word in several ways; all of them are equal here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Flag(bool),
    Number(i64),
    Word(String),
}

impl When {
    /// Tells whether the conditions hold for what was found at each place.
    pub(super) fn holds(&self, status: u16, understood: bool, found: &[Option<&Value>]) -> bool {
        let in_reach = match &self.status {
            Some(ranges) => ranges.iter().any(|(from, to)| (*from..=*to).contains(&status)),
            None => understood,
        };
        in_reach && self.conditions.iter().all(|(place, test)| test.holds(found.get(*place).copied().flatten()))
    }
}

impl Test {
    fn holds(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (Self::Absent, found) => found.is_none(),
            (Self::Present, found) => found.is_some(),
            (Self::OneOf(scalars), Some(value)) => scalars.iter().any(|scalar| scalar.is(value)),
            (Self::Contains(parts), Some(Value::String(text))) => parts.iter().any(|part| contains(text, part)),
            (Self::OneOf(_) | Self::Contains(_), _) => false,
        }
    }
}

impl Scalar {
    /// Reads a word as what it is: `"440"` is the number, `"true"` the flag.
    pub(super) fn of(text: &str) -> Self {
        let text = text.trim();
        match (text.parse(), flag(text)) {
            (Ok(number), _) => Self::Number(number),
            (Err(_), Some(flag)) => Self::Flag(flag),
            (Err(_), None) => Self::Word(text.to_owned()),
        }
    }

    fn is(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Flag(own), Value::Bool(other)) => own == other,
            (Self::Number(own), Value::Number(other)) => other.as_i64() == Some(*own),
            (Self::Word(own), Value::String(other)) => other.trim().eq_ignore_ascii_case(own),
            (Self::Flag(own), Value::String(other)) => flag(other.trim()) == Some(*own),
            (Self::Number(own), Value::String(other)) => other.trim().parse() == Ok(*own),
            (Self::Flag(_) | Self::Number(_) | Self::Word(_), _) => false,
        }
    }
}

fn flag(text: &str) -> Option<bool> {
    [("true", true), ("false", false)]
        .into_iter()
        .find_map(|(name, flag)| text.eq_ignore_ascii_case(name).then_some(flag))
}

/// Tells whether a text holds another, in any case of its ASCII letters.
pub(super) fn contains(text: &str, part: &str) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    !part.is_empty() && text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_flags_and_words_compare_however_they_are_written() {
        for (scalar, value) in [
            (Scalar::of("440"), json!(440)),
            (Scalar::of("440"), json!(" 440 ")),
            (Scalar::Number(440), json!("440")),
            (Scalar::Flag(true), json!("True")),
            (Scalar::of("true"), json!(true)),
            (Scalar::of("CONFLICT"), json!("conflict")),
        ] {
            assert!(scalar.is(&value), "{scalar:?} {value}");
        }
        for (scalar, value) in [
            (Scalar::Number(1), json!(true)),
            (Scalar::Flag(true), json!(1)),
            (Scalar::of("open"), json!("opening")),
            (Scalar::of("open"), json!(["open"])),
            (Scalar::Number(440), json!(440.5)),
        ] {
            assert!(!scalar.is(&value), "{scalar:?} {value}");
        }
    }

    #[test]
    fn a_part_is_found_in_any_case() {
        assert!(contains("Error: TARGET closed.", "target closed"));
        assert!(!contains("closed", "target closed") && !contains("x", ""));
    }
}
