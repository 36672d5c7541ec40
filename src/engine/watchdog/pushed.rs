//! What a gateway pushes may come late: it tells what was so, and polls have seen what came of it.

use std::time::Duration;

use super::Watchdog;
use crate::engine::moment::{Moment, Wall};
use crate::engine::target::TargetId;

/// What was pushed longer ago than this is no news, whatever was heard since.
const WITHIN: Duration = Duration::from_mins(5);
/// A gateway's clock may count in whole seconds.
const TICK: Duration = Duration::from_secs(1);

impl Watchdog {
    /// Tells whether what a gateway said of itself at that time is older than what it was heard to say since. Whoever drives the
    /// engine does not hand such a thing in.
    #[must_use]
    pub fn is_outdated(&self, now: Moment, id: &TargetId, at: Wall) -> bool {
        let subject = self.subjects.get(id);
        let newest = subject.and_then(|subject| subject.timeline().polls.current()).map(|run| run.last.wall);
        WITHIN < now.wall.since(at) || newest.is_some_and(|newest| at.after(TICK) <= newest)
    }
}
