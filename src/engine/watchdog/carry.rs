//! How an attempt is carried out: each act is written down before it begins, and its end before the next one.

use std::sync::Arc;

use super::{Await, Event, Output, Watchdog};
use crate::engine::attempt::{AttemptId, Outcome, RunEnd, StepEnd, StepOrder, StepOutcome};
use crate::engine::care::history::Past;
use crate::engine::ledger::{Fact, LedgerEntry};
use crate::engine::moment::Moment;
use crate::engine::pattern::Pattern;
use crate::engine::refusal::Refusal;
use crate::engine::run::{Next, Run};
use crate::engine::sample::Word;
use crate::engine::target::TargetId;

impl Watchdog {
    /// An entry that something waited for is durable.
    pub(super) fn recorded(&mut self, now: Moment, awaited: Await) {
        match awaited {
            Await::Intent(id) => self.start(now, &id),
            Await::Start(id, order) => {
                self.outputs.push_back(Output::Run(*order));
                self.set_alarm(now, &id);
            }
            Await::End(id) => self.advance(now, &id),
            Await::Command(command, order) => self.command_recorded(now, command, &order),
        }
    }

    /// An entry that something waited for could not be written: nothing is begun, and what was begun is ended safely.
    pub(super) fn unrecorded(&mut self, now: Moment, awaited: Await) {
        self.ledger_failed = Some(now.stamp());
        match awaited {
            Await::Intent(id) => {
                let (Some(run), Some(subject)) = (self.runs.remove(&id), self.subjects.get_mut(&id)) else { return };
                subject.care.forget_attempt(run.id);
                subject.changed();
                let Some(lane) = run.cause.pattern.map(Pattern::lane) else { return };
                let Some(incident) = subject.open(lane).cloned() else { return };
                let why = String::from("the ledger cannot be written, so nothing is done");
                self.refused(now, &id, lane, &incident, (run.remedy, Refusal::Ledger, why));
            }
            Await::Start(id, order) => {
                if self.runs.get(&id).is_some_and(Run::is_winding_up) {
                    // What leaves the service running is tried all the same: it was intended from the first.
                    self.outputs.push_back(Output::Run(*order));
                    self.set_alarm(now, &id);
                    return;
                }
                let note = Some(Word::new("the ledger cannot be written"));
                let end = StepEnd { outcome: StepOutcome::Unmet, note, world: None };
                if let Some(run) = self.runs.get_mut(&id) {
                    run.answer(now, order.number, &end);
                }
                self.advance(now, &id);
            }
            Await::End(id) => {
                if let Some(run) = self.runs.get_mut(&id) {
                    run.give_up(RunEnd::Failed, "the ledger cannot be written");
                }
                self.advance(now, &id);
            }
            Await::Command(command, order) => self.command_unrecorded(now, command, &order),
        }
    }

    /// A hook has answered.
    pub(super) fn step_ended(&mut self, now: Moment, attempt: AttemptId, number: u32, end: StepEnd) {
        let run = self.runs.values_mut().find(|run| run.id == attempt);
        let order = run.as_ref().and_then(|run| run.order().cloned());
        let (Some(run), Some(order)) = (run, order.filter(|order| order.number == number)) else {
            self.drop_input("late_answer");
            return;
        };
        run.answer(now, number, &end);
        let (id, view) = (run.target.clone(), Arc::new(run.view()));
        if let Some(subject) = self.subjects.get_mut(&id) {
            subject.care.show_attempt(&view);
            subject.changed();
        }
        let StepOrder { step, act, cause, .. } = order;
        let fact = Fact::StepEnded { attempt, incident: cause.incident, step, act, end };
        let seq = self.record(LedgerEntry { at: now.wall, target: id.clone(), fact });
        self.outputs.push_back(Output::Announce(Event::Stepped(view)));
        self.awaiting.insert(seq, Await::End(id));
    }

    /// A hook that never answered is not waited for.
    pub(super) fn end_silent_order(&mut self, now: Moment, id: &TargetId) {
        let Some(run) = self.runs.get(id).filter(|run| run.answer_due().is_some_and(|due| due.has_come(now))) else {
            return;
        };
        let (attempt, number) = (run.id, run.order().map_or(0, |order| order.number));
        let note = Some(Word::new("the hook never answered"));
        self.step_ended(now, attempt, number, StepEnd { outcome: StepOutcome::Unknown, note, world: None });
    }

    /// The intent is durable: it begins, if it is still wanted.
    fn start(&mut self, now: Moment, id: &TargetId) {
        let Some(run) = self.runs.get_mut(id) else { return };
        let is_paused = self.pause.as_ref().is_some_and(|pause| pause.counts(now));
        let cause = Arc::clone(&run.cause);
        let why_not = match self.subjects.get_mut(id) {
            None => Some("it is watched no more"),
            Some(subject) => {
                let is_paused = is_paused || subject.care.pause.as_ref().is_some_and(|pause| pause.counts(now));
                let is_proven = cause.pattern.is_none_or(|pattern| subject.is_proven(pattern));
                // Whoever ordered it was told of the network, and may know better.
                let is_held = cause.pattern.is_some()
                    && self.paths.hold(now, &subject.watch.paths, id, &self.policy.fleet).is_some();
                match (is_paused, is_proven, is_held) {
                    (true, _, _) => Some("paused"),
                    (false, false, _) => Some("what was wrong is not proven any more"),
                    (false, true, true) => Some("the network path that it needs went down"),
                    (false, true, false) => None,
                }
            }
        };
        let view = Arc::new(run.view());
        self.outputs.push_back(Output::Announce(Event::Planned(Arc::clone(&view))));
        if let Some(why) = why_not {
            run.give_up(RunEnd::Aborted, why);
        } else {
            if let Some(subject) = self.subjects.get_mut(id) {
                subject.begin_run(now);
            }
            self.outputs.push_back(Output::Announce(Event::Started(view)));
        }
        self.advance(now, id);
    }

    /// Orders the next act of a run, or ends it.
    pub(super) fn advance(&mut self, now: Moment, id: &TargetId) {
        let is_paused = self.is_paused(now, id);
        let Some(run) = self.runs.get_mut(id).filter(|run| !run.is_waiting()) else { return };
        if is_paused && run.is_before_destroying() {
            run.give_up(RunEnd::Aborted, "paused");
        }
        match run.next(now) {
            Next::Act(order) => {
                let fact = Fact::StepStarted {
                    attempt: order.attempt,
                    incident: order.cause.incident,
                    step: order.step.clone(),
                    act: order.act,
                    retry: order.retry,
                };
                let seq = self.record(LedgerEntry { at: now.wall, target: id.clone(), fact });
                self.awaiting.insert(seq, Await::Start(id.clone(), order));
            }
            Next::End(end, note) => self.finish(now, id, end, note),
        }
    }

    fn finish(&mut self, now: Moment, id: &TargetId, end: RunEnd, note: Option<Word>) {
        let Some(run) = self.runs.remove(id) else { return };
        let fact = Fact::RunEnded {
            attempt: run.id,
            incident: run.cause.incident,
            end,
            spent: run.touched,
            note: note.clone(),
        };
        self.record(LedgerEntry { at: now.wall, target: id.clone(), fact });
        if run.touched {
            self.fleet.spend(now.stamp(), run.remedy, run.destroys);
            self.fleet.tries(id, self.subjects.get_mut(id).is_some());
            self.touched.insert(Arc::clone(&run.group), now.stamp());
        }
        let Some(subject) = self.subjects.get_mut(id) else {
            let outcome = if run.touched { Outcome::Interrupted } else { Outcome::Aborted };
            if let Some(care) = self.former.get_mut(id) {
                care.history.note(Past::of(&run.view(), now.stamp(), run.touched));
                care.history.settle(run.id, outcome);
            }
            let fact = Fact::Verified { attempt: run.id, incident: run.cause.incident, outcome, note };
            self.record(LedgerEntry { at: now.wall, target: id.clone(), fact });
            return;
        };
        subject.end_run(now, run.touched && run.remedy != crate::engine::ladder::Remedy::Reconnect);
        let limits = Arc::clone(&subject.watch.limits);
        let mut view = run.view();
        view.note = note;
        let view = subject.care.run_ended(now, view, end, run.touched, &limits);
        subject.changed();
        self.outputs.push_back(Output::Announce(Event::RunEnded(view)));
        if !run.touched {
            let outcome = if end == RunEnd::Unmet { Outcome::Unmet } else { Outcome::Aborted };
            self.verify(now, id, outcome, None);
        }
        self.attend(now, id);
    }

    pub(super) fn is_paused(&mut self, now: Moment, id: &TargetId) -> bool {
        let for_all = self.pause.as_ref().is_some_and(|pause| pause.counts(now));
        let own = self.subjects.get_mut(id).and_then(|subject| subject.care.pause.as_ref());
        for_all || own.is_some_and(|pause| pause.counts(now))
    }
}
