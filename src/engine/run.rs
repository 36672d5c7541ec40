//! One attempt under way: which act of which step comes next.
//!
//! The rules, after the saga of steno and the session reset of the operators' runbooks:
//! 1. steps run in their order, one at a time, each act only after its beginning is durable;
//! 2. up to the step that destroys a failure goes backward: what is done is undone, newest first; after it only forward;
//! 3. whatever fails, the last act is the step that leaves the service running;
//! 4. after a crash a step whose end is unknown is done again only where its hook can tell, or promises, that this does it once;
//! 5. where the world changed meanwhile, somebody else is at work: the run ends.

use std::sync::Arc;
use std::time::Duration;

use super::attempt::{Act, AttemptId, AttemptView, Cause, RunEnd, StepEnd, StepOrder, StepOutcome, StepView};
use super::ladder::Remedy;
use super::moment::{Moment, Stamp, Wall};
use super::plan::{Plan, Resume, Step};
use super::sample::Word;
use super::target::TargetId;

/// How often the step that leaves the service running is tried after a failure.
const LAST_ACTS_MAX: u32 = 2;
/// A hook that has not answered this long after its time is not waited for any more.
const ANSWER_GRACE: Duration = Duration::from_mins(1);

/// One attempt under way.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own; the state is `way` and `places`")]
pub struct Run {
    /// Its number.
    pub id: AttemptId,
    /// Whose.
    pub target: TargetId,
    /// What is carried out.
    pub remedy: Remedy,
    /// Whether that destroys the session.
    pub destroys: bool,
    /// Why.
    pub cause: Arc<Cause>,
    /// The plan that it follows to its end, whatever the configuration says meanwhile.
    pub plan: Arc<Plan>,
    /// The host group that it works on.
    pub group: Arc<str>,
    /// When it was planned.
    pub at: Wall,
    /// The same on the axis of uptime.
    pub began: Stamp,
    /// Something was ordered that may have changed something.
    pub touched: bool,
    steps: Vec<StepView>,
    places: Vec<Place>,
    way: Way,
    /// The session may be gone.
    destroyed: bool,
    orders: u32,
    last_acts: u32,
    /// The world must be seen before the next act.
    must_look: bool,
    world: Option<Word>,
    order: Option<(StepOrder, Stamp)>,
    end: RunEnd,
    note: Option<Word>,
}

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// It was not begun, or it was undone.
    Open,
    /// A crash left open whether it was done.
    Unclear,
    /// It is known not to be done, and may be done again.
    Cleared,
    /// It is done.
    Done,
    /// It failed, and part of it may be done.
    Partly,
}

/// Which way a run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Forward,
    Backward,
    /// Only the step that leaves the service running is left.
    Last,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This act; its beginning is written down first.
    Act(Box<StepOrder>),
    /// Nothing: the run is over.
    End(RunEnd, Option<Word>),
}

impl Run {
    /// Begins an attempt.
    #[must_use]
    pub fn new(
        id: AttemptId,
        target: TargetId,
        what: (Remedy, bool),
        cause: Arc<Cause>,
        plan: Arc<Plan>,
        now: Moment,
    ) -> Self {
        let (remedy, destroys) = what;
        Self {
            id,
            target,
            remedy,
            destroys,
            cause,
            must_look: plan.has_look,
            places: vec![Place::Open; plan.steps.len()],
            plan,
            group: Arc::from(""),
            at: now.wall,
            began: now.stamp(),
            touched: false,
            steps: Vec::new(),
            way: Way::Forward,
            destroyed: false,
            orders: 0,
            last_acts: 0,
            world: None,
            order: None,
            end: RunEnd::Done,
            note: None,
        }
    }

    /// Takes up an attempt that a crash interrupted, where its plan is still the same. `world` is the one that was last seen.
    #[must_use]
    pub fn resume(mut self, steps: Vec<StepView>, world: Option<Word>, planned: Stamp) -> Self {
        self.began = planned;
        self.orders = u32::try_from(steps.len()).unwrap_or(u32::MAX);
        self.world = world;
        for view in &steps {
            let Some(index) = self.plan.steps.iter().position(|step| step.name == view.step) else { continue };
            let step = self.plan.steps.get(index);
            let (destroys, starts) = step.map_or((false, false), |step| (step.destroys, step.leaves_running));
            if starts && view.act == Act::Do {
                // It may have started anew by our own doing.
                self.world = None;
            }
            let place = match (view.act, view.outcome) {
                (Act::Look | Act::Check, _) => continue,
                (Act::Do, Some(StepOutcome::Done)) => Place::Done,
                (Act::Do, Some(StepOutcome::Unmet)) | (Act::Undo, Some(StepOutcome::Done)) => Place::Open,
                (Act::Do, Some(StepOutcome::Failed | StepOutcome::Unknown)) => Place::Partly,
                (Act::Do, None) => Place::Unclear,
                (Act::Undo, _) => Place::Partly,
            };
            self.touched = true;
            self.destroyed |= destroys && (place == Place::Done || view.outcome == Some(StepOutcome::Unknown));
            if view.act == Act::Undo && self.way == Way::Forward {
                self.turn(Way::Backward, RunEnd::Failed, "it was being undone when the watchdog ended");
            }
            if let Some(slot) = self.places.get_mut(index) {
                *slot = place;
            }
        }
        let is_unmet = steps.iter().any(|view| view.act == Act::Do && view.outcome == Some(StepOutcome::Unmet));
        if self.way == Way::Forward && is_unmet {
            let is_untouched = self.places.iter().all(|place| *place == Place::Open);
            let (way, end) = if is_untouched {
                (Way::Last, RunEnd::Unmet)
            } else {
                (if self.destroyed { Way::Last } else { Way::Backward }, RunEnd::Failed)
            };
            self.touched &= !is_untouched;
            self.turn(way, end, "a step could not be done when the watchdog ended");
        }
        if self.way == Way::Forward && self.places.contains(&Place::Partly) {
            let is_unknown = steps.iter().any(|view| view.act == Act::Do && view.outcome == Some(StepOutcome::Unknown));
            let way = if self.destroyed { Way::Last } else { Way::Backward };
            let end = if self.destroyed && is_unknown { RunEnd::Interrupted } else { RunEnd::Failed };
            self.turn(way, end, "a step had failed when the watchdog ended");
        }
        self.steps = steps;
        self
    }

    /// Ends it early: nothing more is begun but what leaves the service as it was, or running.
    pub fn give_up(&mut self, end: RunEnd, why: &str) {
        if self.way == Way::Forward {
            let way = if self.destroyed { Way::Last } else { Way::Backward };
            self.turn(way, end, why);
        }
    }

    /// Ends it now: nothing is begun but what leaves the service running.
    pub fn wind_up(&mut self, end: RunEnd, why: &str) {
        self.turn(Way::Last, end, why);
    }

    /// Tells whether the next act would be one that destroys.
    #[must_use]
    pub fn is_before_destroying(&self) -> bool {
        self.way == Way::Forward && !self.destroyed && self.next_open().is_some_and(|(_, step)| step.destroys)
    }

    /// Tells whether an order waits for its answer.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.order.is_some()
    }

    /// Tells whether the order that waits is one of the last acts, which are tried even where the ledger fails.
    #[must_use]
    pub fn is_winding_up(&self) -> bool {
        self.way != Way::Forward
    }

    /// Returns the order that waits for its answer.
    #[must_use]
    pub fn order(&self) -> Option<&StepOrder> {
        self.order.as_ref().map(|(order, _)| order)
    }

    /// Returns when the answer is not waited for any more.
    #[must_use]
    pub fn answer_due(&self) -> Option<Stamp> {
        self.order.as_ref().map(|(_, due)| *due)
    }

    /// Says what comes next; only when no order waits.
    pub fn next(&mut self, now: Moment) -> Next {
        if self.way == Way::Forward && self.plan.within <= self.began.age(now) {
            self.give_up(RunEnd::Failed, "it took too long");
        }
        let chosen = match self.way {
            Way::Forward => self.forward(),
            Way::Backward => self.backward(),
            Way::Last => self.last(),
        };
        match chosen {
            Some((index, act)) => self.order_act(now, index, act),
            None => Next::End(self.end, self.note.clone()),
        }
    }

    /// Takes in the answer to an order; false where it answers none that waits.
    pub fn answer(&mut self, now: Moment, number: u32, end: &StepEnd) -> bool {
        let Some((order, _)) = self.order.take_if(|(order, _)| order.number == number) else { return false };
        if let Some(view) = self.steps.last_mut() {
            view.ended = Some(now.wall);
            view.outcome = Some(end.outcome);
            view.note.clone_from(&end.note);
        }
        match order.act {
            Act::Look => self.looked(end),
            Act::Check => self.checked(order.index, end),
            Act::Do => self.did(order.index, end),
            Act::Undo => {
                // What cannot be undone is left: the service still has to run.
                let place = if end.outcome == StepOutcome::Done { Place::Open } else { Place::Cleared };
                self.put(order.index, place);
                if end.outcome != StepOutcome::Done {
                    let before = self.note.as_ref().map_or_else(String::new, |note| format!("{note}; "));
                    self.note = Some(Word::new(&format!("{before}{} could not be undone", order.step)));
                }
            }
        }
        true
    }

    /// Shows it.
    #[must_use]
    pub fn view(&self) -> AttemptView {
        AttemptView {
            id: self.id,
            target: self.target.clone(),
            remedy: self.remedy,
            destroys: self.destroys,
            cause: Arc::clone(&self.cause),
            at: self.at,
            ended: None,
            outcome: None,
            note: self.note.clone(),
            steps: self.steps.clone(),
        }
    }

    fn order_act(&mut self, now: Moment, index: usize, act: Act) -> Next {
        let Some(step) = self.plan.steps.get(index) else { return Next::End(RunEnd::Failed, None) };
        self.orders = self.orders.saturating_add(1);
        let retry = self.steps.iter().filter(|view| view.step == step.name && view.act == act).count();
        let order = StepOrder {
            attempt: self.id,
            target: self.target.clone(),
            remedy: self.remedy,
            number: self.orders,
            index,
            step: step.name.clone(),
            act,
            retry: u32::try_from(retry).unwrap_or(u32::MAX),
            takes: step.takes,
            cause: Arc::clone(&self.cause),
        };
        self.touched |= matches!(act, Act::Do | Act::Undo);
        self.steps.push(StepView {
            step: step.name.clone(),
            act,
            at: now.wall,
            ended: None,
            outcome: None,
            note: None,
        });
        self.order = Some((order.clone(), now.stamp().after(step.takes.saturating_add(ANSWER_GRACE))));
        Next::Act(Box::new(order))
    }

    fn next_open(&self) -> Option<(usize, &Step)> {
        let index = self.places.iter().position(|place| *place != Place::Done)?;
        self.plan.steps.get(index).map(|step| (index, step))
    }

    fn forward(&mut self) -> Option<(usize, Act)> {
        let Some((index, step)) = self.next_open() else {
            self.end = RunEnd::Done;
            return None;
        };
        let is_first = self.places.iter().all(|place| *place == Place::Open);
        if self.must_look || (self.plan.has_look && step.destroys && !is_first && self.looked_last() != Some(index)) {
            return Some((index, Act::Look));
        }
        match (self.places.get(index), step.resume) {
            (Some(Place::Unclear), Resume::Check) => Some((index, Act::Check)),
            (Some(Place::Unclear), Resume::Never) => {
                self.unclear(index);
                self.last()
            }
            _ => Some((index, Act::Do)),
        }
    }

    /// Nobody can tell whether a step was done: it is not repeated.
    fn unclear(&mut self, index: usize) {
        let destroys = self.plan.steps.get(index).is_some_and(|step| step.destroys);
        self.destroyed |= destroys;
        self.put(index, Place::Partly);
        self.turn(Way::Last, RunEnd::Interrupted, "nobody can tell whether a step was done, so it is not repeated");
    }

    /// The step before which the world was seen, when that was the last thing that was done.
    fn looked_last(&self) -> Option<usize> {
        let view = self.steps.last().filter(|view| view.act == Act::Look && view.outcome.is_some())?;
        self.plan.steps.iter().position(|step| step.name == view.step)
    }

    fn backward(&mut self) -> Option<(usize, Act)> {
        let undoable = |index: &usize| {
            let is_done = matches!(self.places.get(*index), Some(Place::Done | Place::Partly | Place::Unclear));
            is_done && self.plan.steps.get(*index).is_some_and(|step| step.has_undo)
        };
        if let Some(index) = (0..self.places.len()).rev().find(undoable) {
            return Some((index, Act::Undo));
        }
        self.way = Way::Last;
        self.last()
    }

    fn last(&mut self) -> Option<(usize, Act)> {
        let index = self.plan.steps.iter().position(|step| step.leaves_running)?;
        let is_running = self.places.get(index) == Some(&Place::Done);
        if !self.touched || is_running || LAST_ACTS_MAX <= self.last_acts {
            return None;
        }
        self.last_acts = self.last_acts.saturating_add(1);
        Some((index, Act::Do))
    }

    fn looked(&mut self, end: &StepEnd) {
        self.must_look = false;
        match (end.outcome, &self.world, &end.world) {
            (StepOutcome::Done, Some(before), Some(seen)) if before != seen => {
                let why = format!("somebody else is at work: it was {before} and is {seen}");
                self.give_up(RunEnd::Aborted, &why);
            }
            (StepOutcome::Done, _, seen) => self.world = seen.clone().or_else(|| self.world.take()),
            (StepOutcome::Unmet | StepOutcome::Failed | StepOutcome::Unknown, _, _) => {
                self.give_up(RunEnd::Failed, "it could not be seen on what it works");
            }
        }
    }

    fn checked(&mut self, index: usize, end: &StepEnd) {
        match end.outcome {
            StepOutcome::Done => self.done(index),
            StepOutcome::Unmet => self.put(index, Place::Cleared),
            StepOutcome::Failed | StepOutcome::Unknown => self.unclear(index),
        }
    }

    fn did(&mut self, index: usize, end: &StepEnd) {
        let Some(step) = self.plan.steps.get(index) else { return };
        let (destroys, name) = (step.destroys, step.name.clone());
        let said = end.note.as_ref().map_or_else(String::new, |note| format!(": {note}"));
        match end.outcome {
            StepOutcome::Done => self.done(index),
            // After a failure nothing else is to be done: the note of the failure stays.
            _ if self.way == Way::Last => self.put(index, Place::Partly),
            StepOutcome::Unmet if self.is_untouched_but(index) => {
                self.put(index, Place::Open);
                self.touched = false;
                self.turn(Way::Last, RunEnd::Unmet, &format!("{name} says that it cannot be done now{said}"));
            }
            StepOutcome::Unmet => {
                self.put(index, Place::Open);
                self.give_up(RunEnd::Failed, &format!("{name} says that it cannot be done now{said}"));
            }
            StepOutcome::Failed => {
                self.put(index, Place::Partly);
                self.give_up(RunEnd::Failed, &format!("{name} failed{said}"));
            }
            StepOutcome::Unknown if destroys => {
                self.destroyed = true;
                self.put(index, Place::Partly);
                self.turn(Way::Last, RunEnd::Interrupted, &format!("nobody can tell whether {name} was done{said}"));
            }
            StepOutcome::Unknown => {
                self.put(index, Place::Partly);
                self.give_up(RunEnd::Failed, &format!("nobody can tell whether {name} was done{said}"));
            }
        }
    }

    fn done(&mut self, index: usize) {
        self.put(index, Place::Done);
        let Some(step) = self.plan.steps.get(index) else { return };
        self.destroyed |= step.destroys;
        if step.leaves_running {
            // It starts anew by our own doing.
            self.world = None;
        }
    }

    fn is_untouched_but(&self, index: usize) -> bool {
        self.places.iter().enumerate().all(|(other, place)| other == index || *place == Place::Open)
            && self.steps.iter().filter(|view| view.act == Act::Do).count() == 1
    }

    fn put(&mut self, index: usize, place: Place) {
        if let Some(slot) = self.places.get_mut(index) {
            *slot = place;
        }
    }

    fn turn(&mut self, way: Way, end: RunEnd, why: &str) {
        self.way = way;
        self.end = end;
        self.note = Some(Word::new(why));
    }
}
