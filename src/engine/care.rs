//! What was done for a target, and what may be done next.
//!
//! The questions are kept apart: [`climb`] says which remedy is due, [`guard`] whether it may be carried out, [`history`] what was
//! done and how often, [`hand_off`] whether a person is asked to scan, [`follow`] whether the last attempt helped.

pub mod climb;
pub mod follow;
pub mod guard;
pub mod hand_off;
pub mod history;
mod show;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::attempt::{AttemptId, AttemptView, Outcome, RunEnd};
use super::incident::IncidentId;
use super::ladder::Remedy;
use super::moment::{Moment, Stamp, Wall};
use super::pattern::{Lane, Pattern};
use super::policy::Limits;
use super::refusal::Refusal;
use super::sample::Word;
use super::snapshot::{Histogram, PauseView, Proposal, RefusalView};
use follow::Following;
use hand_off::HandOff;
use history::{History, Past};

/// Most attempts that are kept to be shown; the ledger holds them all.
pub const ATTEMPTS_SHOWN_MAX: usize = 20;
/// Most kinds of refusals that are told apart in one incident.
const REFUSALS_MAX: usize = 32;
/// Upper bounds of the buckets of run durations, in seconds.
pub const RUN_BUCKETS: [f64; 6] = [1.0, 5.0, 30.0, 120.0, 600.0, 1800.0];

/// What was done for a target, and what may be done next.
#[derive(Debug, Default)]
pub struct Care {
    /// What was done.
    pub history: History,
    /// The attempt whose help is awaited.
    pub following: Option<Following>,
    /// The scan that a person is asked for.
    pub hand_off: Option<HandOff>,
    /// The pause of this target.
    pub pause: Option<Pause>,
    /// What waits for a person to release it.
    pub proposal: Option<Proposed>,
    /// What is due and refused, by lane.
    standing: BTreeMap<Lane, Arc<RefusalView>>,
    /// The kinds of refusals of the incidents that are open.
    folded: Vec<Folded>,
    /// The incidents for which a person was called, and why.
    called: Vec<(IncidentId, String)>,
    /// Attempts to be shown, oldest first.
    shown: VecDeque<Arc<AttemptView>>,
    /// Restarts by somebody else since the watchdog's start.
    pub foreign_restarts: u64,
    resets_made: BTreeMap<Option<Pattern>, u64>,
    finished: BTreeMap<(Remedy, Option<Pattern>, Outcome), u64>,
    durations: BTreeMap<Remedy, Histogram<6>>,
    refusals: BTreeMap<(Remedy, Refusal), u64>,
    /// When to look at it again although nothing is heard.
    pub wake: Option<Moment>,
}

/// A pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Who paused.
    pub who: Word,
    /// Why.
    pub reason: Word,
    /// Until when.
    pub until: Option<Wall>,
    /// The same on the axis of uptime.
    pub ends: Option<Stamp>,
}

/// An attempt that waits for a person to release it.
#[derive(Clone, Debug)]
pub struct Proposed {
    /// As it is shown.
    pub view: Arc<Proposal>,
    /// The plan that it would follow.
    pub mark: u64,
    /// When it is void.
    pub ends: Stamp,
    /// Who released it.
    pub released_by: Option<Word>,
}

/// One kind of refusal in one incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folded {
    /// The incident.
    pub incident: IncidentId,
    /// What was due.
    pub remedy: Remedy,
    /// Why it was not done.
    pub reason: Refusal,
    /// The same in words, as it was first.
    pub why: String,
    /// How often.
    pub times: u64,
}

impl Pause {
    /// Begins a pause.
    #[must_use]
    pub fn new(who: Word, reason: Word, until: Option<Wall>, now: Moment) -> Self {
        let ends = until.map(|until| now.stamp().after(until.since(now.wall)));
        Self { who, reason, until, ends }
    }

    /// Tells whether it still counts.
    #[must_use]
    pub fn counts(&self, now: Moment) -> bool {
        self.ends.is_none_or(|ends| !ends.has_come(now))
    }

    /// Shows it.
    #[must_use]
    pub fn view(&self, all: bool) -> PauseView {
        PauseView { who: self.who.clone(), reason: self.reason.clone(), until: self.until, all }
    }
}

impl Care {
    /// Tells whether nothing was done, is due or is awaited.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.following.is_none() && self.hand_off.is_none() && self.proposal.is_none() && self.standing.is_empty()
    }

    /// Tells whether there is anything that counts once it is watched no more.
    #[must_use]
    pub fn has_past(&self) -> bool {
        self.pause.is_some() || !self.history.is_blank()
    }

    /// Keeps what counts for a target that is watched no more.
    #[must_use]
    pub fn retired(self) -> Self {
        Self { history: self.history, pause: self.pause, shown: self.shown, ..Self::default() }
    }

    /// Notes that the run of an attempt ended, and begins to follow whether it helps.
    pub fn run_ended(
        &mut self,
        now: Moment,
        view: AttemptView,
        end: RunEnd,
        touched: bool,
        limits: &Limits,
    ) -> Arc<AttemptView> {
        let lasted = now.wall.since(view.at);
        self.durations.entry(view.remedy).or_default().observe(&RUN_BUCKETS, lasted);
        let view = Arc::new(AttemptView { ended: Some((now.wall, end)), ..view });
        self.history.note(Past::of(&view, now.stamp(), touched));
        if touched && view.destroys {
            let count = self.resets_made.entry(view.cause.pattern).or_default();
            *count = count.saturating_add(1);
        }
        if touched {
            self.following = Some(Following::new(&view, end, now.stamp(), &limits.attempt));
            if view.destroys && end != RunEnd::Aborted {
                self.hand_off = Some(HandOff::after_reset(view.cause.incident, now.stamp(), &limits.hand_off));
            }
        }
        self.show_attempt(&view);
        view
    }

    /// Takes up, after a restart of the watchdog, to follow the last attempt where it is not known yet whether it helped.
    pub fn take_up(&mut self, now: Moment, limits: &Limits) {
        let (Some(last), Some(view)) = (self.history.last(), self.shown.back()) else { return };
        let Some((_, end)) = view.ended.filter(|_| last.spent && last.outcome.is_none() && view.id == last.id) else {
            return;
        };
        self.following = Some(Following::new(view, end, last.ended, &limits.attempt));
        if last.destroys && end != RunEnd::Aborted {
            let hand_off = HandOff::after_reset(last.incident, last.ended, &limits.hand_off);
            self.hand_off = Some(hand_off.resumed(now, &limits.hand_off));
        }
    }

    /// Notes what came of an attempt in the end.
    pub fn verified(&mut self, outcome: Outcome, note: Option<&str>) -> Option<Arc<AttemptView>> {
        let last = self.shown.back()?;
        let note = note.map(Word::new).or_else(|| last.note.clone());
        let view = Arc::new(AttemptView { outcome: Some(outcome), note, ..AttemptView::clone(last) });
        self.following = None;
        self.history.settle(view.id, outcome);
        let key = (view.remedy, view.cause.pattern, outcome);
        let count = self.finished.entry(key).or_default();
        *count = count.saturating_add(1);
        self.show_attempt(&view);
        Some(view)
    }

    /// Shows an attempt as it is now.
    pub fn show_attempt(&mut self, view: &Arc<AttemptView>) {
        match self.shown.iter_mut().find(|shown| shown.id == view.id) {
            Some(shown) => *shown = Arc::clone(view),
            None => self.shown.push_back(Arc::clone(view)),
        }
        while ATTEMPTS_SHOWN_MAX < self.shown.len() {
            self.shown.pop_front();
        }
    }

    /// Forgets an attempt that never began, because that could not be written down.
    pub fn forget_attempt(&mut self, id: AttemptId) {
        self.shown.retain(|shown| shown.id != id);
    }

    /// Notes that what is due is refused. Returns it where it is the first of its kind in its incident.
    pub fn refuse(&mut self, lane: Lane, view: RefusalView) -> Option<Arc<RefusalView>> {
        let same = |other: &Arc<RefusalView>| {
            (other.remedy, other.reason, other.incident) == (view.remedy, view.reason, view.incident)
        };
        if let Some(standing) = self.standing.get_mut(&lane).filter(|standing| same(standing)) {
            if standing.why != view.why {
                *standing = Arc::new(RefusalView { since: standing.since, ..view });
            }
            return None;
        }
        let count = self.refusals.entry((view.remedy, view.reason)).or_default();
        *count = count.saturating_add(1);
        let view = Arc::new(view);
        self.standing.insert(lane, Arc::clone(&view));
        let incident = view.incident?;
        let kind = |folded: &&mut Folded| {
            (folded.incident, folded.remedy, folded.reason) == (incident, view.remedy, view.reason)
        };
        if let Some(folded) = self.folded.iter_mut().find(kind) {
            folded.times = folded.times.saturating_add(1);
            return None;
        }
        if self.folded.len() < REFUSALS_MAX {
            let (remedy, reason, why) = (view.remedy, view.reason, view.why.clone());
            self.folded.push(Folded { incident, remedy, reason, why, times: 1 });
        }
        Some(view)
    }

    /// Notes that nothing is refused in a lane any more.
    pub fn nothing_refused(&mut self, lane: Lane) {
        self.standing.remove(&lane);
    }

    /// Notes that nothing more can be done for an incident without a person; true the first time.
    pub fn call_person(&mut self, incident: IncidentId, why: &str) -> bool {
        let is_news = self.called.iter().all(|(other, _)| *other != incident);
        self.called.retain(|(other, _)| *other != incident);
        self.called.push((incident, why.to_owned()));
        is_news
    }

    /// Notes that something can be done for an incident without a person after all.
    pub fn uncall(&mut self, incident: IncidentId) {
        self.called.retain(|(other, _)| *other != incident);
    }

    /// Forgets what belongs to an incident that closed; returns the refusals that came more than once.
    pub fn incident_closed(&mut self, incident: IncidentId, lane: Lane) -> Vec<Folded> {
        self.standing.remove(&lane);
        self.called.retain(|(other, _)| *other != incident);
        if self.proposal.as_ref().is_some_and(|proposed| proposed.view.cause.incident == Some(incident)) {
            self.proposal = None;
        }
        let (gone, kept) = std::mem::take(&mut self.folded).into_iter().partition(|folded| folded.incident == incident);
        self.folded = kept;
        let gone: Vec<Folded> = gone;
        gone.into_iter().filter(|folded| 1 < folded.times).collect()
    }

    /// Returns when to look again although nothing is heard: the earliest of what it waits for.
    #[must_use]
    pub fn next_wake(&self, now: Moment) -> Option<Stamp> {
        let follow = self.following.as_ref().map(|following| following.until);
        let hand_off = self.hand_off.as_ref().map(HandOff::next);
        let proposal = self.proposal.as_ref().map(|proposed| proposed.ends);
        // What has come was just looked at: it is looked at again with the next sample, or in a second.
        let soon = now.stamp().after(Duration::from_secs(1));
        [follow, hand_off, proposal].into_iter().flatten().min().map(|wake| wake.max(soon))
    }
}
