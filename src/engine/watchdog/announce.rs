//! What changed about a target or a network path: written down, and told.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Event, INCIDENTS_SHOWN_MAX, Output, Watchdog};
use crate::engine::incident::{Closing, Incident};
use crate::engine::ledger::{Fact, LedgerEntry};
use crate::engine::moment::Moment;
use crate::engine::path::PathName;
use crate::engine::pattern::{Lane, Pattern};
use crate::engine::sample::Word;
use crate::engine::subject::News;
use crate::engine::target::TargetId;
use crate::engine::verdict::Verdict;

impl Watchdog {
    /// Notices that a network path is down, or up again.
    pub(super) fn path_seen(&mut self, now: Moment, path: PathName, down: Option<Word>) {
        // One that came late: it is not looked at any more.
        if !self.policy.paths.contains(&path) || self.paths.saw(now, &path, down.clone()).is_none() {
            return;
        }
        let fact = Fact::Path { path: path.to_string(), down: down.clone() };
        self.record(LedgerEntry { at: now.wall, target: TargetId::all(), fact });
        self.outputs.push_back(Output::Announce(Event::Path { path, down }));
    }

    /// Writes down and announces what changed.
    pub(super) fn tell(&mut self, now: Moment, id: &TargetId, news: News) {
        let (fact, event) = match news {
            News::State { from, to, word } => (
                Fact::StateChanged { from, to, word: word.clone() },
                Event::StateChanged { target: id.clone(), from, to, word },
            ),
            News::Verdict(verdict) => {
                let why = match &verdict {
                    Verdict::Healthy => String::new(),
                    Verdict::Suspect { missing, .. } => missing.clone(),
                    Verdict::Failing { evidence, .. } => evidence.sentence.clone(),
                };
                let (name, pattern) = (verdict.as_str().to_owned(), verdict.pattern());
                (
                    Fact::VerdictChanged { verdict: name, pattern, why },
                    Event::VerdictChanged { target: id.clone(), verdict },
                )
            }
            News::Opened(incident, at) => {
                self.note_open(&incident, at);
                (opened(&incident), Event::Opened(incident))
            }
            News::Changed(incident, from) => (changed(&incident, from), Event::PatternChanged(incident)),
            News::Closed(incident, since) => {
                self.fleet.closed(since, incident.id);
                keep(&mut self.recent, Arc::clone(&incident));
                self.settle_incident(now, &incident);
                (closed(&incident), Event::Closed(incident))
            }
            News::Started => return self.service_started(now, id),
            News::Version { from, to, of_image } => return self.version_changed(now, id, (from, to, of_image)),
            News::SmallLimit(limit, minimum) => {
                let target = id.clone();
                (Fact::SmallLimit { limit, minimum }, Event::SmallLimit { target, limit, minimum })
            }
            News::Traffic { zone, week } => {
                let fact = Fact::TrafficLearned { zone, week };
                self.record(LedgerEntry { at: now.wall, target: id.clone(), fact });
                return;
            }
        };
        self.record(LedgerEntry { at: now.wall, target: id.clone(), fact });
        self.outputs.push_back(Output::Announce(event));
    }

    fn version_changed(&mut self, now: Moment, id: &TargetId, changed: (Option<Word>, Word, bool)) {
        let (from, to, of_image) = changed;
        if let Some(subject) = self.subjects.get_mut(id).filter(|_| from.is_some()) {
            subject.care.history.update(now.stamp());
        }
        let fact = Fact::VersionChanged { from, to, of_image };
        self.record(LedgerEntry { at: now.wall, target: id.clone(), fact });
    }

    fn note_open(&mut self, incident: &Incident, at: Moment) {
        if incident.pattern.lane() == Lane::Session {
            self.fleet.opened(at, incident.id);
        }
    }
}

fn opened(incident: &Incident) -> Fact {
    Fact::IncidentOpened {
        incident: incident.id,
        pattern: incident.pattern,
        remedy: incident.remedy,
        evidence: incident.evidence.as_ref().clone(),
    }
}

fn changed(incident: &Incident, from: Pattern) -> Fact {
    Fact::PatternChanged {
        incident: incident.id,
        from,
        to: incident.pattern,
        remedy: incident.remedy,
        evidence: incident.evidence.as_ref().clone(),
    }
}

fn closed(incident: &Incident) -> Fact {
    Fact::IncidentClosed {
        incident: incident.id,
        pattern: incident.pattern,
        opened: incident.opened,
        how: incident.closed.map_or(Closing::Unwatched, |closed| closed.how),
    }
}

/// Keeps a closed incident to be shown; the oldest make room.
pub(super) fn keep(recent: &mut VecDeque<Arc<Incident>>, incident: Arc<Incident>) {
    if INCIDENTS_SHOWN_MAX <= recent.len() {
        recent.pop_front();
    }
    recent.push_back(incident);
}
