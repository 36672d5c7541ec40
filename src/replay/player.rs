//! The driver of a replay: hands a recording to the engine as the daemon does, in the recording's own time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Thresholds;
use super::fault::Wrong;
use super::head::Head;
use super::memory::Memory;
use super::report::{Line, Summary};
use crate::config::RecordingTarget;
use crate::dialect::Route;
use crate::engine::attempt::{StepEnd, StepOutcome};
use crate::engine::ladder::Remedy;
use crate::engine::moment::{Moment, Wall};
use crate::engine::plan::{Plan, Resume};
use crate::engine::policy::{Mode, Policy, Watch};
use crate::engine::target::TargetId;
use crate::engine::watchdog::{Event, Input, Output, Watchdog};
use crate::recording::wire::{Entry, Turn};

/// How long an assumed hook takes: it is never waited for.
const ASSUMED_TAKES: Duration = Duration::from_mins(1);

/// What is taken for allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// What the watchdog that made the recording was allowed, where the recording says it; else everything.
    Recorded,
    /// Everything.
    Assumed,
}

/// One recording being played.
pub(super) struct Player {
    targets: BTreeMap<TargetId, RecordingTarget>,
    policy: Policy,
    way: Way,
    instead: Option<Thresholds>,
    /// The watchdog starts with the first line, as a daemon would have.
    running: Option<Running>,
}

struct Running {
    watchdog: Watchdog,
    /// What the next start of the watchdog will know.
    memory: Memory,
    now: Moment,
    started: Moment,
    summary: Summary,
}

impl Player {
    pub(super) fn new(head: Head, way: Way, instead: Option<Thresholds>) -> Self {
        let policy = policy(&head, way, instead.as_ref());
        Self { targets: head.targets, policy, way, instead, running: None }
    }

    /// Hands in one line, and tells what the engine announces.
    pub(super) fn play(&mut self, line: &str, tell: &mut dyn FnMut(Line)) -> Result<(), Wrong> {
        let seen = match serde_json::from_str(line)? {
            Entry::Seen(seen) => seen,
            Entry::Turned(at, turn) => return self.turn(at, turn, line, tell),
        };
        let Some((id, target)) = self.targets.get_key_value(&*seen.target) else {
            return Err(Wrong::UnknownTarget(seen.target.into_owned()));
        };
        let running = self.running.get_or_insert_with(|| Running::start(&self.policy, seen.at));
        running.summary.observations = running.summary.observations.saturating_add(1);
        running.advance(seen.at, tell);
        let route = Route { session: target.session.as_deref(), status_path: target.status_path.as_deref() };
        if let Some(sample) = seen.sample(&target.dialect, route) {
            running.hand_in(Input::Observed(id.clone(), sample), tell);
        }
        Ok(())
    }

    /// Starts the watchdog anew, or gives it another policy, where the one that made the recording did.
    fn turn(&mut self, at: Wall, turn: Turn, line: &str, tell: &mut dyn FnMut(Line)) -> Result<(), Wrong> {
        if let Some(head) = Head::read_again(line, self.instead.as_ref())? {
            self.policy = policy(&head, self.way, self.instead.as_ref());
            self.targets = head.targets;
        }
        match (&mut self.running, turn) {
            (None, _) => self.running = Some(Running::start(&self.policy, at)),
            (Some(running), Turn::Started) => running.restart(&self.policy, at, tell),
            (Some(running), Turn::Reloaded) => {
                running.advance(at, tell);
                running.hand_in(Input::PolicyChanged(self.policy.clone()), tell);
            }
        }
        Ok(())
    }

    /// Ends the replay.
    pub(super) fn finish(self) -> Summary {
        self.running.map(|running| running.summary).unwrap_or_default()
    }
}

impl Running {
    fn start(policy: &Policy, wall: Wall) -> Self {
        let now = Moment { uptime: Duration::ZERO, wall };
        let watchdog = Watchdog::restore(policy.clone(), &[], now);
        Self { watchdog, memory: Memory::default(), now, started: now, summary: Summary::default() }
    }

    /// Starts the watchdog anew: it knows what it wrote down, and its windows of evidence are empty. Nothing happens while it is gone.
    fn restart(&mut self, policy: &Policy, at: Wall, tell: &mut dyn FnMut(Line)) {
        self.now = Moment { uptime: self.now.after(at.since(self.now.wall)).uptime, wall: at };
        self.watchdog = Watchdog::restore(policy.clone(), self.memory.entries(), self.now);
        self.carry_out(tell);
    }

    /// Lets time pass until an observation; one that lies in the past counts as no time passed.
    ///
    /// Every deadline on the way is handed in. There are few: nobody is asked, so only hand-offs and attempts have any.
    fn advance(&mut self, at: Wall, tell: &mut dyn FnMut(Line)) {
        let then = self.now.after(at.since(self.now.wall));
        if at < self.now.wall {
            self.summary.clock_back = self.summary.clock_back.saturating_add(1);
        }
        while let Some(due) = self.watchdog.next_deadline().filter(|due| due.uptime < then.uptime) {
            self.now = self.now.after(due.since(self.now));
            self.hand_in(Input::DeadlinePassed, tell);
        }
        self.now = then;
        self.summary.span = then.since(self.started);
    }

    fn hand_in(&mut self, input: Input, tell: &mut dyn FnMut(Line)) {
        self.watchdog.handle(self.now, input);
        self.carry_out(tell);
    }

    fn carry_out(&mut self, tell: &mut dyn FnMut(Line)) {
        while let Some(output) = self.watchdog.poll_output() {
            match output {
                Output::Poll(..) | Output::Answer(..) => {}
                // Nobody knows whether it would have helped: the recording goes on as it was.
                Output::Run(order) => {
                    let end = StepEnd { outcome: StepOutcome::Done, note: None, world: None };
                    self.watchdog.handle(self.now, Input::StepEnded(order.attempt, order.number, end));
                }
                Output::Record(seq, entry) => {
                    self.memory.keep(entry);
                    self.watchdog.handle(self.now, Input::Recorded(seq));
                }
                Output::Announce(event) => self.announce(event, tell),
            }
        }
    }

    fn announce(&mut self, event: Event, tell: &mut dyn FnMut(Line)) {
        let at = self.now.wall;
        match event {
            Event::Opened(incident) => {
                self.summary.incidents = self.summary.incidents.saturating_add(1);
                self.summary.open = self.summary.open.saturating_add(1);
                tell(Line::Verdict { at, incident });
            }
            Event::PatternChanged(incident) => tell(Line::Verdict { at, incident }),
            Event::Closed(incident) => {
                self.summary.open = self.summary.open.saturating_sub(1);
                tell(Line::Closed { at, incident });
            }
            Event::Planned(attempt) => {
                bump(self.summary.remedies.entry(attempt.remedy).or_default());
                let (target, remedy) = (attempt.target.clone(), attempt.remedy);
                tell(Line::Remedy { at, target, remedy, refused: None });
            }
            Event::Refused(refusal) => {
                bump(self.summary.refused.entry(refusal.reason).or_default());
                let (target, remedy) = (refusal.target.clone(), refusal.remedy);
                tell(Line::Remedy { at, target, remedy, refused: Some((refusal.reason, refusal.why.clone())) });
            }
            Event::StateChanged { .. }
            | Event::VerdictChanged { .. }
            | Event::Suspended
            | Event::RecordFailed(_)
            | Event::ApprovalWanted(_)
            | Event::Started(_)
            | Event::Stepped(_)
            | Event::RunEnded(_)
            | Event::Verified(_)
            | Event::Scan(..)
            | Event::NeedsPerson { .. }
            | Event::ForeignRestart { .. }
            | Event::SmallLimit { .. }
            | Event::Storm { .. }
            | Event::Path { .. }
            | Event::Commanded(_) => {}
        }
    }
}

fn bump(count: &mut u64) {
    *count = count.saturating_add(1);
}

fn policy(head: &Head, way: Way, instead: Option<&Thresholds>) -> Policy {
    let watch = |(id, target): (&TargetId, &RecordingTarget)| {
        let mode = target.mode.or(head.all.mode).filter(|_| way == Way::Recorded);
        let watch = match mode {
            Some(mode) => recorded(id, target, mode),
            None => assumed(id, target, instead),
        };
        (id.clone(), watch)
    };
    Policy {
        targets: head.targets.iter().map(watch).collect(),
        together: instead.map_or(head.all.together, |thresholds| thresholds.together),
        fleet: instead.map_or_else(|| head.all.fleet.clone(), |thresholds| thresholds.fleet.clone()),
        // What was seen of network paths is not in a recording.
        paths: Vec::new(),
    }
}

/// Says how a target is watched where the recording says what was allowed.
fn recorded(id: &TargetId, target: &RecordingTarget, mode: Mode) -> Watch {
    let watch = Watch { mode, restart_keeps_session: target.restart_keeps_session, ..unasked(target) };
    let plans = target.remedies.iter().map(|remedy| (*remedy, plan(&watch, *remedy))).collect();
    let group = target.group.as_deref().unwrap_or(id.as_str()).into();
    Watch { plans, group, ..watch }
}

/// Says how a target is watched where everything may be done that has a hook. A target that no configuration gives a hook has one
/// for everything.
fn assumed(id: &TargetId, target: &RecordingTarget, instead: Option<&Thresholds>) -> Watch {
    let configured = instead.and_then(|thresholds| thresholds.targets.get(id)).cloned().unwrap_or_default();
    let plans = if configured.plans.is_empty() {
        [Remedy::Reconnect, Remedy::Restart, Remedy::Reset].map(|remedy| (remedy, plan(&configured, remedy))).into()
    } else {
        configured.plans.clone()
    };
    let group = if configured.group.is_empty() { Arc::from(id.as_str()) } else { Arc::clone(&configured.group) };
    let restart_keeps_session = configured.restart_keeps_session;
    let memory = configured.memory;
    Watch { mode: Mode::Act, plans, group, restart_keeps_session, memory, ..unasked(target) }
}

/// Nobody is asked: what came of asking stands in the recording.
fn unasked(target: &RecordingTarget) -> Watch {
    let limits = Arc::new(target.limits.clone());
    Watch { limits, has_deep: false, has_qr: false, has_status: false, ..Watch::default() }
}

fn plan(watch: &Watch, remedy: Remedy) -> Arc<Plan> {
    Arc::new(Plan::single(watch.destroys(remedy), Resume::Never, ASSUMED_TAKES))
}
