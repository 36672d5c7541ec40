//! Why a refresh failed.

use std::time::Duration;

/// Every outcome of a refresh, as its metric counts them.
pub const OUTCOMES: [&str; 7] =
    [FOUND, "no_answer", "refused", "throttled", "bad_status", "not_understood", "not_asked"];

/// The list was read.
pub(super) const FOUND: &str = "found";

/// Why a refresh failed. Holds nothing of what was answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// Nobody answered, or not to the end.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// We are not let in.
    #[error("it refuses us: {0}")]
    Refused(String),
    /// We ask too often; holds how long to wait, where that was said.
    #[error("it is asked too often")]
    Throttled(Option<Duration>),
    /// The answer is not a success.
    #[error("it answers {0}")]
    Status(u16),
    /// The answer is not the list that was asked for.
    #[error("its answer is not understood: {0}")]
    NotUnderstood(String),
    /// By a fault of our own.
    #[error("it cannot be asked: {0}")]
    NotAsked(String),
}

impl Failed {
    /// Returns the outcome as its metric counts it.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        let [_, no_answer, refused, throttled, bad_status, not_understood, not_asked] = OUTCOMES;
        match self {
            Self::NoAnswer(_) => no_answer,
            Self::Refused(_) => refused,
            Self::Throttled(_) => throttled,
            Self::Status(_) => bad_status,
            Self::NotUnderstood(_) => not_understood,
            Self::NotAsked(_) => not_asked,
        }
    }
}
