//! The ledger folded back into what was believed and what was done.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::{Event, Output, Watchdog};
use crate::engine::attempt::{Act, AttemptId, AttemptView, Cause, Outcome, RunEnd, StepView};
use crate::engine::care::Pause;
use crate::engine::care::history::Past;
use crate::engine::command::{OperatorCommand, Wish};
use crate::engine::day::{Day, Shade};
use crate::engine::incident::{Closed, Incident, IncidentId};
use crate::engine::ledger::{Fact, LedgerEntry};
use crate::engine::moment::{Moment, Stamp, Wall};
use crate::engine::pattern::{Lane, Pattern};
use crate::engine::policy::Mode;
use crate::engine::run::Run;
use crate::engine::sample::{SessionState, Word};
use crate::engine::subject::Memory;
use crate::engine::target::TargetId;

/// What a ledger holds.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    /// By target.
    pub(super) targets: BTreeMap<TargetId, Memory>,
    /// The newest closed incidents, oldest first.
    pub(super) closed: VecDeque<Arc<Incident>>,
    /// The highest number of an incident.
    pub(super) ids: IncidentId,
    /// The highest number of an attempt.
    pub(super) attempts: AttemptId,
    /// The pause of all targets.
    pub(super) pause: Option<Pause>,
    /// Attempts that were under way, oldest first.
    pub(super) unfinished: Vec<Unfinished>,
}

/// An attempt that was under way when the watchdog ended.
#[derive(Clone, Debug)]
pub(super) struct Unfinished {
    view: AttemptView,
    plan: u64,
    world: Option<Word>,
}

/// Folds entries, oldest first. An entry that fits nothing before it is taken for what it says.
pub(super) fn fold(ledger: &[LedgerEntry], now: Moment) -> Remembered {
    let mut remembered = Remembered::default();
    let mut open: BTreeMap<IncidentId, Incident> = BTreeMap::new();
    let mut attempts: BTreeMap<AttemptId, Unfinished> = BTreeMap::new();
    // Whose session has an open incident.
    let mut failing: BTreeSet<TargetId> = BTreeSet::new();
    let mut before: Option<Wall> = None;
    for entry in ledger {
        let last = before.replace(entry.at).unwrap_or(entry.at);
        remembered.ids = remembered.ids.max(entry.fact.incident().unwrap_or_default());
        remembered.attempts = remembered.attempts.max(entry.fact.attempt().unwrap_or_default());
        if entry.target == TargetId::all() {
            fold_for_all(&mut remembered, &failing, entry, last, now);
            continue;
        }
        let memory = remembered.targets.entry(entry.target.clone()).or_default();
        fold_attempt(entry, memory, &mut attempts, now);
        if let Fact::StateChanged { .. }
        | Fact::VerdictChanged { .. }
        | Fact::IncidentOpened { .. }
        | Fact::IncidentClosed { .. } = &entry.fact
        {
            let so_far = shade(memory, failing.contains(&entry.target));
            memory.day.get_or_insert_with(|| Day::new(entry.at)).stay(entry.at, so_far);
        }
        match &entry.fact {
            Fact::StateChanged { from, to, .. } => {
                memory.state = Some(*to);
                memory.was_good = [Some(*to), *from].contains(&Some(SessionState::Connected));
            }
            Fact::IncidentOpened { incident, pattern, remedy, evidence } => {
                let fresh = Incident {
                    id: *incident,
                    target: entry.target.clone(),
                    pattern: *pattern,
                    evidence: Arc::new(evidence.clone()),
                    remedy: *remedy,
                    opened: entry.at,
                    closed: None,
                };
                open.insert(*incident, fresh);
                if pattern.lane() == Lane::Session {
                    failing.insert(entry.target.clone());
                    memory.is_suspect = false;
                }
            }
            Fact::PatternChanged { incident, to, remedy, evidence, .. } => {
                if let Some(known) = open.get_mut(incident) {
                    known.pattern = *to;
                    known.remedy = *remedy;
                    known.evidence = Arc::new(evidence.clone());
                }
            }
            Fact::IncidentClosed { incident, how, .. } => {
                if let Some(known) = open.remove(incident) {
                    if known.pattern.lane() == Lane::Session {
                        failing.remove(&entry.target);
                    }
                    let closed = Some(Closed { at: entry.at, how: *how });
                    super::announce::keep(&mut remembered.closed, Arc::new(Incident { closed, ..known }));
                }
            }
            Fact::Commanded { command } => {
                paused(&mut memory.care.pause, command, now);
                if command.what == Wish::Ack {
                    memory.care.history.acknowledge(Stamp::of_wall(now, entry.at));
                }
            }
            Fact::ForeignRestart => memory.care.history.disturb(Stamp::of_wall(now, entry.at)),
            Fact::SmallLimit { limit, .. } => memory.small_limit = Some(*limit),
            Fact::VersionChanged { from, to, of_image } => {
                *(if *of_image { &mut memory.image } else { &mut memory.version }) = Some(to.clone());
                if from.is_some() {
                    memory.care.history.update(Stamp::of_wall(now, entry.at));
                }
            }
            Fact::TrafficLearned { zone, week } => memory.traffic = Some((zone.clone(), week.clone())),
            // Only a suspicion names a pattern: an incident says itself that it opened.
            Fact::VerdictChanged { pattern, .. } => {
                memory.is_suspect = pattern.is_some_and(|pattern| pattern.lane() == Lane::Session);
            }
            Fact::Intended { .. }
            | Fact::StepStarted { .. }
            | Fact::StepEnded { .. }
            | Fact::RunEnded { .. }
            | Fact::Verified { .. }
            | Fact::Refused { .. }
            | Fact::Proposed { .. }
            | Fact::HandedOff { .. }
            | Fact::Path { .. }
            | Fact::Began { .. }
            | Fact::Storm { .. } => {}
        }
    }
    for incident in open.into_values() {
        still_open(remembered.targets.entry(incident.target.clone()).or_default(), incident);
    }
    remembered.unfinished = attempts.into_values().filter(|attempt| attempt.view.ended.is_none()).collect();
    remembered
}

/// Folds what is about all targets; `last` is when the entry before it was written.
fn fold_for_all(
    remembered: &mut Remembered,
    failing: &BTreeSet<TargetId>,
    entry: &LedgerEntry,
    last: Wall,
    now: Moment,
) {
    if let Fact::Commanded { command } = &entry.fact {
        paused(&mut remembered.pause, command, now);
    }
    if let Fact::Began { watched_until } = &entry.fact {
        // Whoever wrote an entry watched, whatever else is known.
        let until = watched_until.unwrap_or(last).max(last);
        nobody_watched(&mut remembered.targets, failing, (until, entry.at));
    }
}

fn still_open(memory: &mut Memory, incident: Incident) {
    // It expired, so it was good; the states in between may say less.
    memory.was_good |= incident.pattern == Pattern::SessionExpired;
    // One lane holds one incident: of two that a damaged ledger leaves open the newer stands.
    memory.open.retain(|other| other.pattern.lane() != incident.pattern.lane());
    memory.open.push(Arc::new(incident));
}

/// Leaves a span of every day empty.
fn nobody_watched(targets: &mut BTreeMap<TargetId, Memory>, failing: &BTreeSet<TargetId>, (from, to): (Wall, Wall)) {
    for (target, memory) in targets {
        let so_far = shade(memory, failing.contains(target));
        if let Some(day) = &mut memory.day {
            day.stay(from, so_far);
            day.see(to, Shade::Nothing);
        }
    }
}

fn shade(memory: &Memory, is_failing: bool) -> Shade {
    Shade::of(memory.state, None, is_failing, memory.is_suspect)
}

fn paused(pause: &mut Option<Pause>, command: &OperatorCommand, now: Moment) {
    match &command.what {
        Wish::Pause { until } => *pause = Some(Pause::new(command.who.clone(), command.reason.clone(), *until, now)),
        Wish::Resume => *pause = None,
        Wish::Approve { .. } | Wish::Ack | Wish::Restore { .. } | Wish::Remedy { .. } => {}
    }
}

fn fold_attempt(entry: &LedgerEntry, memory: &mut Memory, attempts: &mut BTreeMap<AttemptId, Unfinished>, now: Moment) {
    if let Fact::Intended { attempt, incident, pattern, remedy, destroys, plan, reason, by, restores } = &entry.fact {
        let (reason, by) = (reason.clone(), by.clone());
        let view = AttemptView {
            id: *attempt,
            target: entry.target.clone(),
            remedy: *remedy,
            destroys: *destroys,
            cause: Arc::new(Cause { incident: *incident, pattern: *pattern, reason, by, restores: *restores }),
            at: entry.at,
            ended: None,
            outcome: None,
            note: None,
            steps: Vec::new(),
        };
        attempts.insert(*attempt, Unfinished { view, plan: *plan, world: None });
        return;
    }
    let Some(known) = entry.fact.attempt().and_then(|attempt| attempts.get_mut(&attempt)) else { return };
    let view = &mut known.view;
    match &entry.fact {
        Fact::StepStarted { step, act, .. } => view.steps.push(StepView {
            step: step.clone(),
            act: *act,
            at: entry.at,
            ended: None,
            outcome: None,
            note: None,
        }),
        Fact::StepEnded { step, act, end, .. } => {
            let same = |other: &&mut StepView| other.step == *step && other.act == *act && other.outcome.is_none();
            if let Some(last) = view.steps.iter_mut().rev().find(same) {
                last.ended = Some(entry.at);
                last.outcome = Some(end.outcome);
                last.note.clone_from(&end.note);
            }
            if *act == Act::Look {
                known.world = end.world.clone().or_else(|| known.world.take());
            }
        }
        Fact::RunEnded { end, spent, note, .. } => {
            view.ended = Some((entry.at, *end));
            view.note.clone_from(note);
            memory.care.history.note(Past::of(view, Stamp::of_wall(now, entry.at), *spent));
            memory.care.show_attempt(&Arc::new(view.clone()));
        }
        Fact::Verified { attempt, outcome, note, .. } => {
            view.outcome = Some(*outcome);
            view.note = note.clone().or_else(|| view.note.take());
            memory.care.history.settle(*attempt, *outcome);
            memory.care.show_attempt(&Arc::new(view.clone()));
        }
        Fact::StateChanged { .. }
        | Fact::VerdictChanged { .. }
        | Fact::IncidentOpened { .. }
        | Fact::PatternChanged { .. }
        | Fact::IncidentClosed { .. }
        | Fact::Intended { .. }
        | Fact::Refused { .. }
        | Fact::Proposed { .. }
        | Fact::Commanded { .. }
        | Fact::HandedOff { .. }
        | Fact::ForeignRestart
        | Fact::VersionChanged { .. }
        | Fact::Path { .. }
        | Fact::SmallLimit { .. }
        | Fact::TrafficLearned { .. }
        | Fact::Began { .. }
        | Fact::Storm { .. } => {}
    }
}

impl Watchdog {
    /// Takes up an attempt that was under way when the watchdog ended, or closes it safely.
    pub(super) fn take_up(&mut self, now: Moment, unfinished: Unfinished) {
        let Unfinished { view, plan: mark, world } = unfinished;
        let id = view.target.clone();
        let is_touched = view.steps.iter().any(|step| matches!(step.act, Act::Do | Act::Undo));
        let Some(subject) = self.subjects.get_mut(&id) else {
            self.close_attempt(now, view, is_touched, "its target is watched no more");
            return;
        };
        let plan = subject.watch.plans.get(&view.remedy).cloned();
        let (mode, resume_within) = (subject.watch.mode, subject.watch.limits.attempt.resume_within);
        let Some(plan) = plan.filter(|_| is_touched) else {
            let why = if is_touched { "its hook is gone meanwhile" } else { "it had not begun" };
            self.close_attempt(now, view, is_touched, why);
            return;
        };
        let is_same = plan.mark == mark;
        let planned = Stamp::of_wall(now, view.at);
        let what = (view.remedy, view.destroys);
        let mut run = Run::new(view.id, id.clone(), what, Arc::clone(&view.cause), plan, now);
        run.at = view.at;
        run.group = Arc::clone(&subject.watch.group);
        let mut run = run.resume(view.steps, world, planned);
        let is_ordered = run.cause.by.is_some();
        if !is_same {
            // Its steps may be others now; that which leaves the service running is still the same wish.
            run.wind_up(RunEnd::Interrupted, "its hook was configured anew meanwhile");
        } else if resume_within <= planned.age(now) {
            run.wind_up(RunEnd::Interrupted, "it was interrupted too long ago to go on with it");
        } else if mode == Mode::Observe && !is_ordered {
            run.wind_up(RunEnd::Interrupted, "mode is observe now");
        }
        subject.begin_run(now);
        subject.care.show_attempt(&Arc::new(run.view()));
        self.runs.insert(id.clone(), run);
        self.advance(now, &id);
    }

    fn close_attempt(&mut self, now: Moment, view: AttemptView, is_touched: bool, why: &str) {
        let (end, outcome) =
            if is_touched { (RunEnd::Interrupted, Outcome::Interrupted) } else { (RunEnd::Aborted, Outcome::Aborted) };
        let (id, note) = (view.target.clone(), Some(Word::new(why)));
        let (attempt, incident) = (view.id, view.cause.incident);
        let ended = Fact::RunEnded { attempt, incident, end, spent: is_touched, note: note.clone() };
        self.record(LedgerEntry { at: now.wall, target: id.clone(), fact: ended });
        let Some(subject) = self.subjects.get_mut(&id) else {
            let fact = Fact::Verified { attempt, incident, outcome, note };
            self.record(LedgerEntry { at: now.wall, target: id, fact });
            return;
        };
        let limits = Arc::clone(&subject.watch.limits);
        let view = subject.care.run_ended(now, AttemptView { note, ..view }, end, is_touched, &limits);
        self.outputs.push_back(Output::Announce(Event::RunEnded(view)));
        if !is_touched {
            self.verify(now, &id, outcome, None);
        }
        self.set_alarm(now, &id);
    }
}
