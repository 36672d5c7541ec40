//! Something that cannot be done for a while, told once.

use std::fmt::Display;

use crate::engine::target::TargetId;

/// Whether it works, as far as was told.
#[derive(Debug)]
pub(super) struct Outage {
    what: &'static str,
    told: Option<String>,
}

impl Outage {
    /// Names what it is, as in "memory is read".
    pub(super) fn of(what: &'static str) -> Self {
        Self { what, told: None }
    }

    /// It does not work; told where that is news, or where it is for another reason than so far.
    pub(super) fn fails(&mut self, target: &TargetId, why: &dyn Display) {
        let why = why.to_string();
        if self.told.as_ref() != Some(&why) {
            tracing::warn!(target_id = %target, why, "{} in vain; it is not said again until it changes", self.what);
            self.told = Some(why);
        }
    }

    /// It works; told where it did not.
    pub(super) fn works(&mut self, target: &TargetId) {
        if self.told.take().is_some() {
            tracing::info!(target_id = %target, "{} again", self.what);
        }
    }
}
