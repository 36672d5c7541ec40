//! Deep probes in a row.

use super::reach::Streak;
use crate::engine::moment::Moment;
use crate::engine::sample::{Deep, Word};

/// What deep probes showed.
#[derive(Clone, Debug, Default)]
pub struct DeepWatch {
    /// Those that failed in a row.
    pub failed: Streak,
    /// What the last of them said; nothing where it hung.
    pub word: Option<Word>,
    /// Whether one of them hung.
    pub has_hung: bool,
    /// Whether one passed since evidence started anew.
    pub has_passed: bool,
}

impl DeepWatch {
    /// Folds in one.
    pub fn observe(&mut self, now: Moment, deep: &Deep) {
        match deep {
            Deep::Passed => *self = Self { has_passed: true, ..Self::default() },
            Deep::Failed(word) => {
                self.failed.add(now);
                self.word = Some(word.clone());
            }
            Deep::TimedOut => {
                self.failed.add(now);
                self.has_hung = true;
                self.word = None;
            }
            Deep::Unclear => {}
        }
    }
}
