//! A sequence of states, folded into runs.

use std::collections::VecDeque;
use std::time::Duration;

use crate::engine::moment::Moment;
use crate::engine::sample::{Answer, Effort, Phase, SessionState, Word};

/// Most runs that are kept of one track.
pub const RUNS_MAX: usize = 48;
/// Most returns to a good state that are kept of one track.
pub const RETURNS_MAX: usize = 16;

/// What one sample showed of the session.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The state.
    pub state: SessionState,
    /// How far the link had come.
    pub phase: Option<Phase>,
    /// Whether the gateway still tried.
    pub effort: Effort,
    /// The gateway's own word, or the log line.
    pub word: Option<Word>,
}

/// A stretch of samples that showed the same.
#[derive(Clone, Debug)]
pub struct Run {
    /// What they showed.
    pub seen: Seen,
    /// When it was first seen.
    pub first: Moment,
    /// When it was last seen.
    pub last: Moment,
    /// How many samples saw it.
    pub count: u32,
}

/// A return to a good state after a fall.
#[derive(Clone, Copy, Debug)]
pub struct Return {
    /// When.
    pub at: Moment,
    /// How long the good stretch before the fall lasted, up to the sample that saw the fall.
    pub stay_before: Duration,
}

/// A sequence of states.
#[derive(Clone, Debug, Default)]
pub struct Track {
    /// The newest run, beside the others: most samples touch nothing else.
    newest: Option<Run>,
    older: VecDeque<Run>,
    returns: VecDeque<Return>,
    /// Since when the good stretch that is under way lasts.
    linked: Option<Moment>,
    /// How long the last good stretch lasted, once there was one.
    last_stay: Option<Duration>,
    /// Evidence starts anew: the next sample opens a run whatever it shows.
    is_cut: bool,
}

impl Seen {
    /// Takes an answer's part.
    #[must_use]
    pub fn of(answer: &Answer) -> Self {
        Self { state: answer.state, phase: answer.phase, effort: answer.effort, word: answer.word.clone() }
    }

    /// A state alone.
    #[must_use]
    pub fn state(state: SessionState, word: Option<Word>) -> Self {
        Self { state, phase: None, effort: Effort::Trying, word }
    }

    /// Tells whether two samples showed the same; words may differ unless they are all that is known.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let is_known = self.state != SessionState::Unknown;
        self.state == other.state
            && self.phase == other.phase
            && self.effort == other.effort
            && (is_known || self.word == other.word)
    }

    /// Tells whether the link to WhatsApp is up, usable or not. Where the phase is known it decides: a service may go on
    /// saying connected while its words go round.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        self.phase.map_or(self.state == SessionState::Connected, |phase| phase == Phase::Linked)
    }
}

impl Track {
    /// Folds in what one sample showed.
    pub fn push(&mut self, now: Moment, seen: Seen) {
        self.follow_link(now, &seen);
        let is_cut = std::mem::take(&mut self.is_cut);
        if let Some(run) = &mut self.newest
            && run.seen.is_same(&seen)
            && !is_cut
        {
            run.last = now;
            run.count = run.count.saturating_add(1);
            run.seen.word = seen.word;
            return;
        }
        if let Some(run) = self.newest.replace(Run { seen, first: now, last: now, count: 1 }) {
            if RUNS_MAX <= self.older.len().saturating_add(1) {
                self.older.pop_front();
            }
            self.older.push_back(run);
        }
    }

    /// Notes that the service was gone: a good stretch that was under way has ended.
    pub fn interrupt(&mut self, now: Moment) {
        self.fall(now);
    }

    /// Starts evidence anew; the runs stay to be shown.
    pub fn cut(&mut self) {
        self.is_cut = true;
        self.returns.clear();
        self.linked = None;
        self.last_stay = None;
    }

    /// Returns the newest run.
    #[must_use]
    pub fn current(&self) -> Option<&Run> {
        self.newest.as_ref()
    }

    /// Returns the newest run, unless evidence started anew after it.
    #[must_use]
    pub fn fresh(&self) -> Option<&Run> {
        if self.is_cut { None } else { self.current() }
    }

    /// Returns the runs, oldest first.
    pub fn runs(&self) -> impl DoubleEndedIterator<Item = &Run> {
        self.older.iter().chain(&self.newest)
    }

    /// Returns the returns to a good state, oldest first.
    pub fn returns(&self) -> impl DoubleEndedIterator<Item = &Return> {
        self.returns.iter()
    }

    /// Returns how long the good stretch under way has lasted; none while it is down.
    #[must_use]
    pub fn stay(&self, now: Moment) -> Option<Duration> {
        self.linked.map(|since| now.since(since))
    }

    fn follow_link(&mut self, now: Moment, seen: &Seen) {
        if !seen.is_linked() {
            // A word that nobody knows is no fall.
            if seen.state != SessionState::Unknown {
                self.fall(now);
            }
            return;
        }
        if self.linked.is_some() {
            return;
        }
        if let Some(stay_before) = self.last_stay {
            if RETURNS_MAX <= self.returns.len() {
                self.returns.pop_front();
            }
            self.returns.push_back(Return { at: now, stay_before });
        }
        self.linked = Some(now);
    }

    fn fall(&mut self, now: Moment) {
        if let Some(since) = self.linked.take() {
            self.last_stay = Some(now.since(since));
        }
    }
}
