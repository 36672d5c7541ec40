//! What was pushed: taken in after what was asked for, and a bounded batch at a time.

use tokio::sync::mpsc;

use super::Turn;
use crate::engine::Input;
use crate::recording::News;
use crate::web::{Outcome, Push};

/// Most pushes that wait to be taken in; those beyond are refused and counted.
pub(super) const QUEUE_MAX: usize = 1024;
/// Most pushes that the engine takes in before it looks at its deadline, and at what was asked for, again.
const BATCH_MAX: usize = 64;

impl Turn {
    /// Takes in one push, and some of those that wait behind it.
    pub(super) fn pushed(&mut self, first: Push, rest: &mut mpsc::Receiver<Push>) {
        let now = (self.clock)();
        let rest = std::iter::from_fn(|| rest.try_recv().ok()).take(BATCH_MAX.saturating_sub(1));
        for Push { kind, news: News { target, sample, raw }, at } in std::iter::once(first).chain(rest) {
            if at.is_some_and(|at| self.watchdog.is_outdated(now, &target, at)) {
                self.inflow.count(kind, Outcome::Outdated);
                continue;
            }
            self.inflow.count(kind, Outcome::Taken);
            self.recorder.take(now.wall, &target, &sample, raw);
            self.handle(now, Input::Observed(target, sample));
        }
    }
}
