//! Why a verdict is believed: a sentence that a person trusts, and the samples behind it.

use serde::{Deserialize, Serialize};

use super::moment::Wall;

/// Most samples that are shown behind one sentence.
pub const EXHIBITS_MAX: usize = 12;

/// The proof of a pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// One sentence with numbers, times and the limit that was passed.
    pub sentence: String,
    /// The samples behind it, oldest first, at most [`EXHIBITS_MAX`].
    pub samples: Vec<Exhibit>,
}

/// One sample behind a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exhibit {
    /// When it was seen.
    pub at: Wall,
    /// What was seen.
    pub seen: String,
}

impl Evidence {
    /// Joins a sentence and its samples; of too many samples the newest stay.
    #[must_use]
    pub fn new(sentence: String, samples: Vec<Exhibit>) -> Self {
        let surplus = samples.len().saturating_sub(EXHIBITS_MAX);
        Self { sentence, samples: samples.into_iter().skip(surplus).collect() }
    }
}
