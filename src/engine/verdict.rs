//! What the engine believes of a target at this moment.

use std::sync::Arc;

use serde::Serialize;

use super::evidence::Evidence;
use super::pattern::Pattern;

/// What the engine believes of one lane of a target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing seen that would prove a failure. Also before the first sample.
    #[default]
    Healthy,
    /// A pattern has part of its evidence.
    Suspect {
        /// The pattern.
        pattern: Pattern,
        /// What is still missing to prove it.
        missing: String,
    },
    /// A pattern is proven, or its incident is still open.
    Failing {
        /// The pattern.
        pattern: Pattern,
        /// Its proof.
        evidence: Arc<Evidence>,
    },
}

impl Verdict {
    /// Returns the word for it: `healthy`, `suspect` or `failing`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Suspect { .. } => "suspect",
            Self::Failing { .. } => "failing",
        }
    }

    /// Returns the pattern that it names.
    #[must_use]
    pub fn pattern(&self) -> Option<Pattern> {
        match self {
            Self::Healthy => None,
            Self::Suspect { pattern, .. } | Self::Failing { pattern, .. } => Some(*pattern),
        }
    }

    /// Tells whether a pattern is proven.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        matches!(self, Self::Failing { .. })
    }
}
