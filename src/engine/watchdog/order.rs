//! What a person orders: checked, written down, and then done.

use super::attend::Wanted;
use super::{Await, Event, Output, Watchdog};
use crate::engine::attempt::{AttemptId, Cause};
use crate::engine::care::Pause;
use crate::engine::care::guard::Ordered;
use crate::engine::command::{CommandAnswer, CommandId, OperatorCommand, Wish};
use crate::engine::ladder::Remedy;
use crate::engine::ledger::{Fact, LedgerEntry};
use crate::engine::moment::Moment;
use crate::engine::refusal::Refusal;
use crate::engine::target::TargetId;

impl Watchdog {
    /// A person orders something: it is checked and written down; it counts once that is durable. A pause counts at once.
    pub(super) fn command(&mut self, now: Moment, id: CommandId, order: OperatorCommand) {
        if let Err(why) = self.check(now, &order) {
            self.answer(id, CommandAnswer::Refused { why });
            return;
        }
        if matches!(order.what, Wish::Pause { .. }) {
            self.pause(now, &order);
        }
        let target = order.target.clone().unwrap_or_else(TargetId::all);
        let fact = Fact::Commanded { command: order.clone() };
        let seq = self.record(LedgerEntry { at: now.wall, target, fact });
        self.awaiting.insert(seq, Await::Command(id, Box::new(order)));
    }

    /// The order is durable: it counts.
    pub(super) fn command_recorded(&mut self, now: Moment, id: CommandId, order: &OperatorCommand) {
        let done = match &order.what {
            Wish::Pause { .. } => Ok((String::from("paused: it watches and tells, and does nothing"), None)),
            Wish::Resume => Ok(self.resume(order)),
            Wish::Ack => Ok(self.acknowledge(now, order)),
            Wish::Approve { attempt } => self.approve(now, order, *attempt),
            Wish::Restore { attempt, force } => {
                self.carry_out_order(now, order, (Remedy::Restore, Some(*attempt)), *force)
            }
            Wish::Remedy { remedy, force } => self.carry_out_order(now, order, (*remedy, None), *force),
        };
        match done {
            Ok((what, attempt)) => {
                self.answer(id, CommandAnswer::Accepted { what, attempt });
                self.outputs.push_back(Output::Announce(Event::Commanded(order.clone())));
            }
            Err(why) => self.answer(id, CommandAnswer::Refused { why }),
        }
        for target in self.meant(order) {
            self.attend(now, &target);
        }
    }

    /// The order could not be written down: it does not count. A pause does, until the watchdog ends.
    pub(super) fn command_unrecorded(&mut self, _now: Moment, id: CommandId, order: &OperatorCommand) {
        let answer = if matches!(order.what, Wish::Pause { .. }) {
            let what =
                String::from("paused, but the ledger cannot be written: a restart of the watchdog would forget it");
            CommandAnswer::Accepted { what, attempt: None }
        } else {
            let why = String::from("the ledger cannot be written, so nothing is done; see the log for the cause");
            CommandAnswer::Refused { why }
        };
        self.answer(id, answer);
    }

    fn answer(&mut self, id: CommandId, answer: CommandAnswer) {
        self.outputs.push_back(Output::Answer(id, answer));
    }

    fn check(&mut self, now: Moment, order: &OperatorCommand) -> Result<(), String> {
        if order.reason.as_str().trim().is_empty() {
            return Err(String::from("give a reason: it goes into the ledger"));
        }
        let Some(target) = &order.target else {
            return match &order.what {
                Wish::Pause { .. } | Wish::Resume => Ok(()),
                Wish::Approve { .. } | Wish::Ack | Wish::Restore { .. } | Wish::Remedy { .. } => {
                    Err(format!("name the target: {} is never done for all of them at once", order.what.as_str()))
                }
            };
        };
        if self.subjects.get_mut(target).is_none() {
            return Err(format!("no target is named {target}"));
        }
        match &order.what {
            Wish::Pause { .. } | Wish::Resume | Wish::Ack => Ok(()),
            Wish::Approve { attempt } => self.check_proposal(now, target, *attempt),
            Wish::Restore { attempt, force } => {
                self.check_reset(target, *attempt)?;
                self.check_remedy(now, target, Remedy::Restore, *force)
            }
            Wish::Remedy { remedy: Remedy::Restore, .. } => {
                Err(String::from("name the reset whose session is wanted back"))
            }
            Wish::Remedy { remedy: Remedy::Notify, .. } => {
                Err(String::from("notify is no remedy that can be ordered; order reconnect, restart or reset"))
            }
            Wish::Remedy { remedy, force } => self.check_remedy(now, target, *remedy, *force),
        }
    }

    fn check_proposal(&mut self, now: Moment, target: &TargetId, attempt: AttemptId) -> Result<(), String> {
        let proposal = self.subjects.get_mut(target).and_then(|subject| subject.care.proposal.as_ref());
        match proposal.filter(|proposed| !proposed.ends.has_come(now)) {
            None => Err(format!("nothing waits for approval at {target}")),
            Some(proposed) if proposed.view.attempt != attempt => {
                Err(format!("what waits for approval at {target} is {}, not {attempt}", proposed.view.attempt))
            }
            Some(proposed) if proposed.released_by.is_some() => {
                Err(format!("{attempt} was released already, and waits for its guards"))
            }
            Some(_) => Ok(()),
        }
    }

    fn check_reset(&mut self, target: &TargetId, attempt: AttemptId) -> Result<(), String> {
        let past = self.subjects.get_mut(target).map(|subject| subject.care.history.past()).unwrap_or_default();
        let is_known = past
            .iter()
            .any(|past| past.id == attempt && past.spent && (past.destroys || past.remedy == Remedy::Restore));
        is_known
            .then_some(())
            .ok_or_else(|| format!("{attempt} is no reset of {target} that is known; history shows them"))
    }

    fn check_remedy(&mut self, now: Moment, target: &TargetId, remedy: Remedy, force: bool) -> Result<(), String> {
        let wanted = Wanted { remedy, incident: None, ordered: Some(Ordered { force }) };
        match self.ask_guards(now, target, &wanted) {
            None => Ok(()),
            Some((reason @ (Refusal::HandOff | Refusal::Storm), why)) => {
                Err(format!("{reason}: {why}; order it by force if you know better"))
            }
            Some((reason, why)) => Err(format!("{reason}: {why}")),
        }
    }

    fn pause(&mut self, now: Moment, order: &OperatorCommand) {
        let Wish::Pause { until } = order.what else { return };
        let pause = Pause::new(order.who.clone(), order.reason.clone(), until, now);
        match &order.target {
            None => self.pause = Some(pause),
            Some(target) => {
                if let Some(subject) = self.subjects.get_mut(target) {
                    subject.care.pause = Some(pause);
                    subject.changed();
                }
            }
        }
    }

    fn resume(&mut self, order: &OperatorCommand) -> (String, Option<AttemptId>) {
        // A pause that was ordered after it counts already, and is only not durable yet.
        let is_newer = |awaited: &Await| match awaited {
            Await::Command(_, other) => matches!(other.what, Wish::Pause { .. }) && other.target == order.target,
            Await::Intent(_) | Await::Start(..) | Await::End(_) => false,
        };
        if self.awaiting.values().any(is_newer) {
            return (String::from("somebody paused it again meanwhile, and that pause stays"), None);
        }
        let Some(target) = &order.target else {
            let was_paused = self.pause.take().is_some();
            let what = if was_paused { "the pause of all targets ended" } else { "nothing was paused for all targets" };
            return (String::from(what), None);
        };
        let was_paused = self.subjects.get_mut(target).is_some_and(|subject| {
            subject.changed();
            subject.care.pause.take().is_some()
        });
        let what = if was_paused { "the pause ended" } else { "it was not paused by itself" };
        let still = if self.pause.is_some() { "; all targets are still paused" } else { "" };
        (format!("{what}{still}"), None)
    }

    fn acknowledge(&mut self, now: Moment, order: &OperatorCommand) -> (String, Option<AttemptId>) {
        if let Some(subject) = order.target.as_ref().and_then(|target| self.subjects.get_mut(target)) {
            subject.care.history.acknowledge(now.stamp());
            subject.changed();
        }
        (String::from("acknowledged: resets may run again within their budgets"), None)
    }

    fn approve(
        &mut self,
        now: Moment,
        order: &OperatorCommand,
        attempt: AttemptId,
    ) -> Result<(String, Option<AttemptId>), String> {
        let Some(target) = &order.target else { return Err(String::from("name the target")) };
        self.check_proposal(now, target, attempt)?;
        if let Some(subject) = self.subjects.get_mut(target)
            && let Some(proposed) = &mut subject.care.proposal
        {
            proposed.released_by = Some(order.who.clone());
            let view = crate::engine::snapshot::Proposal { released: true, ..proposed.view.as_ref().clone() };
            proposed.view = std::sync::Arc::new(view);
            subject.changed();
        }
        Ok((format!("released: {attempt} begins as soon as its guards let it"), Some(attempt)))
    }

    fn carry_out_order(
        &mut self,
        now: Moment,
        order: &OperatorCommand,
        (remedy, restores): (Remedy, Option<AttemptId>),
        force: bool,
    ) -> Result<(String, Option<AttemptId>), String> {
        let Some(target) = &order.target else { return Err(String::from("name the target")) };
        self.check_remedy(now, target, remedy, force)?;
        let incident = self
            .subjects
            .get_mut(target)
            .and_then(|subject| subject.open(crate::engine::pattern::Lane::Session).map(|incident| incident.id));
        let (reason, by) = (order.reason.to_string(), Some(order.who.clone()));
        let cause = Cause { incident, pattern: None, reason, by, restores };
        let attempt = self.intend(now, target, remedy, cause, None);
        Ok((format!("{remedy} begins"), attempt))
    }

    /// The targets that an order is about.
    fn meant(&self, order: &OperatorCommand) -> Vec<TargetId> {
        match &order.target {
            Some(target) => vec![target.clone()],
            None => self.subjects.values().map(|subject| subject.id().clone()).collect(),
        }
    }
}
