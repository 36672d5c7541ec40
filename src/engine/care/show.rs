//! How it is shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Care;
use crate::engine::moment::{Moment, Stamp};
use crate::engine::policy::Watch;
use crate::engine::snapshot::CareView;
use crate::engine::target::TargetId;

impl Care {
    /// Shows it, but for what its timeline tells.
    #[must_use]
    pub fn show(&self, now: Moment, target: &TargetId, watch: &Watch) -> CareView {
        let limits = &watch.limits;
        let pause = self.pause.as_ref().filter(|pause| pause.counts(now)).map(|pause| pause.view(false));
        let left = |remedy| self.history.left(now, remedy, watch.destroys(remedy), &limits.budget).0;
        let budget: BTreeMap<_, _> = watch.plans.keys().map(|remedy| (*remedy, left(*remedy))).collect();
        let cooldown: Option<Stamp> = self.history.cooldown_until(now, None, &limits.cooldown);
        CareView {
            mode: watch.mode,
            pause,
            disturbs: None,
            paths: Arc::clone(&watch.paths),
            attempts: self.shown.iter().cloned().collect(),
            refused: self.standing.values().cloned().collect(),
            proposal: self.proposal.as_ref().map(|proposed| Arc::clone(&proposed.view)),
            hand_off: self.hand_off.as_ref().and_then(|hand_off| hand_off.view(target, now)),
            needs_person: self.called.last().map(|(_, why)| why.clone()),
            budget,
            destroys: watch.plans.keys().copied().filter(|remedy| watch.destroys(*remedy)).collect(),
            cooldown_until: cooldown.map(|until| until.wall(now)),
            resets: self.history.resets(now, &limits.budget),
            foreign_restarts: self.foreign_restarts,
            resets_made: self.resets_made.clone(),
            finished: self.finished.clone(),
            durations: self.durations.clone(),
            refusals: self.refusals.clone(),
        }
    }
}
