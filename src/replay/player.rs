//! The driver of a replay: hands a recording to the engine as the daemon does, in the recording's own time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::fault::Wrong;
use super::report::{Line, Summary};
use super::wire::{Call, Observation, Seen};
use crate::config::RecordingTarget;
use crate::dialect::Route;
use crate::engine::moment::{Moment, Wall};
use crate::engine::policy::{Policy, Watch};
use crate::engine::sample::Sample;
use crate::engine::target::TargetId;
use crate::engine::watchdog::{Ask, Event, Input, Output, Watchdog};

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
    pub(super) fn new(targets: BTreeMap<TargetId, RecordingTarget>, together: Duration) -> Self {
        // A replay asks nobody: what came of asking stands in the recording.
        let watch = |target: &RecordingTarget| Watch {
            whose: Arc::from(""),
            limits: Arc::new(target.limits.clone()),
            has_deep: false,
            has_qr: false,
            has_status: false,
            ..Watch::default()
        };
        let watched = targets.iter().map(|(id, target)| (id.clone(), watch(target))).collect();
        Self { targets, policy: Policy { targets: watched, together, ..Policy::default() }, running: None }
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
    /// A deadline on the way is handed in, but one a line at most: a year without samples must not become two million of them.
    fn advance(&mut self, at: Wall, tell: &mut dyn FnMut(Line)) {
        let then = self.now.after(at.since(self.now.wall));
        if at < self.now.wall {
            self.summary.clock_back = self.summary.clock_back.saturating_add(1);
        }
        if let Some(due) = self.watchdog.next_deadline().filter(|due| *due < then) {
            self.now = due.max(self.now);
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
                Output::Poll(..) | Output::Run(_) | Output::Answer(..) => {}
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
            _ => {}
        }
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
        Seen::Activity => Some(Sample::Activity),
        Seen::Runtime(fact) => Some(Sample::Runtime(fact.clone())),
    }
}

/// Returns a pushed status as such. What was pushed and not understood proves nothing: nobody waited for it.
fn pushed(read: &Sample) -> Option<Sample> {
    read.answer().cloned().map(Sample::Pushed)
}
