//! The driver of a replay: hands a recording to the engine as the daemon does, in the recording's own time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Thresholds;
use super::fault::Wrong;
use super::report::{Line, Summary};
use super::wire::{Call, Observation, Seen};
use crate::config::RecordingTarget;
use crate::dialect::Route;
use crate::engine::attempt::{StepEnd, StepOutcome};
use crate::engine::ladder::Remedy;
use crate::engine::moment::{Moment, Wall};
use crate::engine::plan::{Plan, Resume};
use crate::engine::policy::{FleetLimits, Mode, Policy, TOGETHER, Watch};
use crate::engine::sample::Sample;
use crate::engine::target::TargetId;
use crate::engine::watchdog::{Ask, Event, Input, Output, Watchdog};

/// How long an assumed hook takes: it is never waited for.
const ASSUMED_TAKES: Duration = Duration::from_mins(1);

/// One recording being played.
pub(super) struct Player {
    targets: BTreeMap<TargetId, RecordingTarget>,
    policy: Policy,
    /// The watchdog starts with the first observation, as a daemon would have.
    running: Option<Running>,
}

struct Running {
    watchdog: Watchdog,
    now: Moment,
    summary: Summary,
}

impl Player {
    pub(super) fn new(targets: BTreeMap<TargetId, RecordingTarget>, instead: Option<&Thresholds>) -> Self {
        let watched = targets.iter().map(|(id, target)| (id.clone(), watch(id, target, instead))).collect();
        let together = instead.map_or(TOGETHER, |thresholds| thresholds.together);
        let fleet = instead.map_or_else(FleetLimits::default, |thresholds| thresholds.fleet.clone());
        Self { targets, policy: Policy { targets: watched, together, fleet, paths: Vec::new() }, running: None }
    }

    /// Hands in one observation, and tells what the engine announces.
    pub(super) fn play(&mut self, seen: &Observation<'_>, tell: &mut dyn FnMut(Line)) -> Result<(), Wrong> {
        let Some((id, target)) = self.targets.get_key_value(&*seen.target) else {
            return Err(Wrong::UnknownTarget(seen.target.clone().into_owned()));
        };
        let running = self.running.get_or_insert_with(|| Running::start(&self.policy, seen.at));
        running.advance(seen.at, tell);
        if let Some(sample) = sample(target, seen) {
            running.hand_in(Input::Observed(id.clone(), sample), tell);
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
        Self { watchdog: Watchdog::restore(policy.clone(), &[], now), now, summary: Summary::default() }
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
        self.summary.span = then.uptime;
        self.summary.observations = self.summary.observations.saturating_add(1);
    }

    fn hand_in(&mut self, input: Input, tell: &mut dyn FnMut(Line)) {
        self.watchdog.handle(self.now, input);
        while let Some(output) = self.watchdog.poll_output() {
            match output {
                Output::Poll(..) | Output::Answer(..) => {}
                // Nobody knows whether it would have helped: the recording goes on as it was.
                Output::Run(order) => {
                    let end = StepEnd { outcome: StepOutcome::Done, note: None, world: None };
                    self.watchdog.handle(self.now, Input::StepEnded(order.attempt, order.number, end));
                }
                Output::Record(seq, _) => self.watchdog.handle(self.now, Input::Recorded(seq)),
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

/// Says how a target is watched in a replay: nobody is asked, because what came of asking stands in the recording, and everything
/// may be done that has a hook. A target that no configuration gives a hook has one for everything.
fn watch(id: &TargetId, target: &RecordingTarget, instead: Option<&Thresholds>) -> Watch {
    let configured = instead.and_then(|thresholds| thresholds.targets.get(id)).cloned().unwrap_or_default();
    let assumed = |remedy| {
        let destroys = configured.destroys(remedy);
        (remedy, Arc::new(Plan::single(destroys, Resume::Never, ASSUMED_TAKES)))
    };
    let plans = if configured.plans.is_empty() {
        [Remedy::Reconnect, Remedy::Restart, Remedy::Reset].map(assumed).into()
    } else {
        configured.plans.clone()
    };
    Watch {
        whose: Arc::from(""),
        limits: Arc::new(target.limits.clone()),
        has_deep: false,
        has_qr: false,
        has_status: false,
        mode: Mode::Act,
        plans,
        group: if configured.group.is_empty() { Arc::from(id.as_str()) } else { Arc::clone(&configured.group) },
        restart_keeps_session: configured.restart_keeps_session,
        // What was seen of network paths is not in a recording.
        paths: Arc::default(),
        memory: configured.memory,
    }
}

/// Turns an observation into what the daemon's sources would have handed in; none where it means nothing to the dialect.
fn sample(target: &RecordingTarget, seen: &Observation<'_>) -> Option<Sample> {
    let read = |ask, call: &Call<'_>| {
        let route = Route { session: target.session.as_deref(), status_path: target.status_path.as_deref() };
        target.dialect.read(ask, route, seen.at, call.latency, call.heard())
    };
    match &seen.seen {
        Seen::Asked(ask, call) => Some(read(*ask, call)),
        Seen::Pushed(call) => pushed(&read(Ask::Status, call)),
        Seen::Memory(memory) => Some(Sample::Memory(*memory)),
        Seen::Log(line) => target.dialect.read_log(line).map(Sample::Signal),
        Seen::Activity(messages) => Some(Sample::Activity(*messages)),
        Seen::Alert(alert) => Some(Sample::Alert(alert.clone())),
        Seen::Runtime(fact) => Some(Sample::Runtime(fact.clone())),
    }
}

/// Returns a pushed status as such. What was pushed and not understood proves nothing: nobody waited for it.
fn pushed(read: &Sample) -> Option<Sample> {
    read.answer().cloned().map(Sample::Pushed)
}
