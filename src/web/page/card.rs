//! What waits for a person: a scan, or a decision.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;

use crate::config::Target;
use crate::engine::moment::Wall;
use crate::engine::snapshot::{HandOffView, Proposal, Snapshot, TargetView};
use crate::engine::target::TargetId;

use super::when::When;

/// Most cards of one kind; the rest is a number, and stands in the rows.
const CARDS_MAX: usize = 12;

/// The cards above the sessions.
#[derive(Template)]
#[template(path = "cards.html")]
pub(super) struct Cards<'a> {
    scans: Vec<Scan<'a>>,
    more_scans: usize,
    decisions: Vec<Decision<'a>>,
    more_decisions: usize,
}

/// A scan that is wanted.
#[derive(Template)]
#[template(path = "scan.html")]
pub(super) struct Scan<'a> {
    hand_off: &'a HandOffView,
    qr_page: Option<&'a str>,
    now: Wall,
}

/// Something that a person must decide.
#[derive(Template)]
#[template(path = "decision.html")]
pub(super) struct Decision<'a> {
    view: &'a TargetView,
    proposal: Option<&'a Proposal>,
    now: Wall,
}

impl<'a> Cards<'a> {
    pub(super) fn of(snapshot: &'a Snapshot, targets: &'a BTreeMap<TargetId, Arc<Target>>, now: Wall) -> Self {
        let views = || snapshot.targets.iter().map(AsRef::as_ref);
        let mut scans: Vec<Scan<'a>> = views().filter_map(|view| Scan::of(view, targets, now)).collect();
        // Who has least time first.
        scans.sort_by_key(|scan| (scan.hand_off.expired, scan.by(), &scan.hand_off.target));
        let mut decisions: Vec<Decision<'a>> = views().filter_map(|view| Decision::of(view, now)).collect();
        decisions
            .sort_by_key(|decision| (decision.proposal.is_none(), decision.proposal.map(|proposal| proposal.until)));
        let [more_scans, more_decisions] = [scans.len(), decisions.len()].map(|count| count.saturating_sub(CARDS_MAX));
        scans.truncate(CARDS_MAX);
        decisions.truncate(CARDS_MAX);
        Self { scans, more_scans, decisions, more_decisions }
    }
}

impl<'a> Scan<'a> {
    pub(super) fn of(view: &'a TargetView, targets: &'a BTreeMap<TargetId, Arc<Target>>, now: Wall) -> Option<Self> {
        let qr_page = targets.get(&view.target).and_then(|target| target.qr_page.as_deref());
        Some(Self { hand_off: view.care.hand_off.as_deref()?, qr_page, now })
    }

    /// When the codes shown end, or else the hand-off.
    fn by(&self) -> Wall {
        self.hand_off.deadline.unwrap_or(self.hand_off.until)
    }

    fn left(&self) -> When {
        When::until(self.by(), self.now)
    }

    fn until(&self) -> When {
        When::at(self.hand_off.until, self.now)
    }

    fn since(&self) -> When {
        When::at(self.hand_off.since, self.now)
    }
}

impl<'a> Decision<'a> {
    pub(super) fn of(view: &'a TargetView, now: Wall) -> Option<Self> {
        let proposal = view.care.unreleased().map(AsRef::as_ref);
        // That a person must scan stands on a card of its own.
        let needed = view.care.needs_person.is_some() && view.care.hand_off.is_none();
        (proposal.is_some() || needed).then_some(Self { view, proposal, now })
    }

    fn until(&self, proposal: &Proposal) -> When {
        When::at(proposal.until, self.now)
    }

    fn must_acknowledge(&self) -> bool {
        self.view.care.resets.gave_up || self.view.care.resets.underlying_problem
    }
}
