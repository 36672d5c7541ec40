//! What came of one call, before it is known what that means for the step.

use super::Adopted;
use crate::engine::attempt::{StepEnd, StepOutcome};
use crate::engine::sample::Word;

/// What came of one call, all its tries together.
#[derive(Debug)]
pub(super) struct CallEnd {
    pub(super) outcome: StepOutcome,
    pub(super) note: Option<String>,
    /// What it answered, where that is wanted.
    pub(super) world: Option<Word>,
    /// It says that it is gone for good.
    pub(super) is_gone: bool,
    /// A session that took the place of another one.
    pub(super) adopted: Option<Adopted>,
}

impl CallEnd {
    pub(super) fn new(outcome: StepOutcome, note: impl Into<Option<String>>) -> Self {
        Self { outcome, note: note.into(), world: None, is_gone: false, adopted: None }
    }

    pub(super) fn failed(note: impl Into<String>) -> Self {
        Self::new(StepOutcome::Failed, Some(note.into()))
    }

    pub(super) fn done(note: impl Into<String>) -> Self {
        Self::new(StepOutcome::Done, Some(note.into()))
    }

    pub(super) fn unmet(note: impl Into<String>) -> Self {
        Self::new(StepOutcome::Unmet, Some(note.into()))
    }

    pub(super) fn unknown(note: impl Into<String>) -> Self {
        Self::new(StepOutcome::Unknown, Some(note.into()))
    }

    pub(super) fn into_step(self) -> (StepEnd, Option<Adopted>) {
        let note = self.note.map(|note| Word::new(&note));
        (StepEnd { outcome: self.outcome, note, world: self.world }, self.adopted)
    }
}
