//! One line of the list.

use serde::Serialize;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Finding {
    Well,
    NotWell,
    CouldNotLook,
}

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    /// What was looked at.
    pub(super) check: String,
    pub(super) finding: Finding,
    /// What was seen, or why it could not be looked at.
    pub(super) seen: String,
    /// What to do about it.
    pub(super) advice: Option<String>,
}

impl Line {
    pub(super) fn well(check: impl Into<String>, seen: impl Into<String>) -> Self {
        Self { check: check.into(), finding: Finding::Well, seen: seen.into(), advice: None }
    }

    pub(super) fn ill(check: impl Into<String>, seen: impl Into<String>, advice: impl Into<String>) -> Self {
        let advice = Some(advice.into());
        Self { check: check.into(), finding: Finding::NotWell, seen: seen.into(), advice }
    }

    pub(super) fn blind(check: impl Into<String>, why: impl Into<String>) -> Self {
        Self { check: check.into(), finding: Finding::CouldNotLook, seen: why.into(), advice: None }
    }
}
