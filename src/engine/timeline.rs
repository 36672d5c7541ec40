//! The bounded memory of what a target showed.
//!
//! A timeline folds samples into runs and streaks as they come, so that it costs the same after a minute and after a year. The
//! patterns read it; nothing else judges.

pub mod activity;
pub mod alerts;
pub mod deep;
pub mod memory;
pub mod reach;
pub mod scan;
pub mod track;
pub mod week;

use std::time::Duration;

use super::moment::{Moment, Wall};
use super::policy::Limits;
use super::sample::{Answer, Effort, Facts, Failure, Reply, Runtime, Sample, SessionState, Signal, Word};
use activity::Activity;
use alerts::Alerts;
use deep::DeepWatch;
use memory::{MemoryWatch, Victim};
use reach::{Reach, Streak};
use scan::Scan;
use track::{Seen, Track};

/// What a target showed since it is watched, folded.
///
/// Every field that is evidence starts anew at [`Timeline::restart`]; what is only shown or remembered (runs, version, whether
/// the session ever was good) stays.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Timeline {
    /// Since when evidence counts.
    pub floor: Moment,
    /// The states that the gateway answered or pushed.
    pub polls: Track,
    /// The states that its log told of.
    pub log: Track,
    /// Whether it answers at all.
    pub reach: Reach,
    /// Answers that the session does not exist.
    pub missing: Streak,
    /// Refusals of the session's own key.
    pub refused_session: Streak,
    /// Refusals of the watchdog's credentials.
    pub refused: Streak,
    /// Answers that nobody understands.
    pub garbled: Streak,
    /// The wait for a scan.
    pub scan: Scan,
    /// Since when it is neither good nor waiting for a scan.
    pub unready: Option<Moment>,
    /// When its loading last made progress, and how far it is.
    pub progress: Option<(Moment, u8)>,
    /// Deep probes.
    pub deep: DeepWatch,
    /// Messages passing.
    pub activity: Activity,
    /// Memory, once it was read.
    pub memory: Option<Box<MemoryWatch>>,
    /// Whether the session was good at any time, also before a restart of the watchdog.
    pub ever_good: bool,
    /// When it was last seen good.
    pub last_good: Option<Moment>,
    /// Since when it is connected without a transition.
    pub steady: Option<Moment>,
    /// Whether the service itself was down since the session was last good.
    pub down_since_good: bool,
    /// The last reply to a status poll was an answer or at least an answer's kin; none before the first, and while it is not asked.
    pub up: Option<bool>,
    /// The watchdog cannot ask, by its own fault.
    pub is_unasked: bool,
    /// Somebody stopped the session on purpose, as its last answer said; that it is missing or silent since does not undo that.
    pub is_stopped: bool,
    /// When the service or session started, by its own word.
    pub started: Option<Wall>,
    /// Its version, by its own word.
    pub version: Option<Word>,
    /// The version before that one.
    pub version_before: Option<Word>,
    /// What it runs, by its runtime's word, and what it ran before.
    pub image: Option<Word>,
    /// See `image`.
    pub image_before: Option<Word>,
    /// How it is by the runtime's own check.
    pub health: Option<Word>,
    /// Its runtime is followed, and told something since the watchdog's start.
    has_runtime: bool,
    /// How often it was seen to run another image, since it is watched.
    pub images: u32,
    /// How often it was seen to change its version, and to start anew, since it is watched.
    pub versions: u32,
    /// See `versions`.
    pub starts: u32,
    /// The newest start, and whether its runtime told of it.
    started_at: Option<(Moment, bool)>,
    /// When anything was last heard.
    pub last_sample: Option<Moment>,
    /// What others say about it; no evidence.
    pub alerts: Alerts,
}

/// A start that is told within this time of one that was seen in another way is the same.
const SAME_START: Duration = Duration::from_mins(2);

impl Timeline {
    /// Starts empty.
    #[must_use]
    pub fn new(now: Moment) -> Self {
        Self {
            floor: now,
            polls: Track::default(),
            log: Track::default(),
            reach: Reach::default(),
            missing: Streak::default(),
            refused_session: Streak::default(),
            refused: Streak::default(),
            garbled: Streak::default(),
            scan: Scan::default(),
            unready: None,
            progress: None,
            deep: DeepWatch::default(),
            activity: Activity::default(),
            memory: None,
            ever_good: false,
            last_good: None,
            steady: None,
            down_since_good: false,
            up: None,
            is_unasked: false,
            is_stopped: false,
            started: None,
            version: None,
            version_before: None,
            image: None,
            image_before: None,
            health: None,
            has_runtime: false,
            images: 0,
            versions: 0,
            starts: 0,
            started_at: None,
            last_sample: None,
            alerts: Alerts::default(),
        }
    }

    /// Starts every window of evidence anew: at the watchdog's own start, after it was suspended, after a silence of samples,
    /// after a start of the service, and when an incident closed, so that no evidence is judged twice.
    pub fn restart(&mut self, now: Moment) {
        self.floor = now;
        self.polls.cut();
        self.log.cut();
        self.reach.clear();
        self.missing.clear();
        self.refused_session.clear();
        self.refused.clear();
        self.garbled.clear();
        self.scan.clear();
        self.unready = None;
        self.progress = None;
        self.deep = DeepWatch::default();
        self.activity.hold_still_from(now);
        if let Some(memory) = &mut self.memory {
            memory.restart();
        }
        self.steady = None;
    }

    /// Folds in one sample.
    pub fn observe(&mut self, now: Moment, sample: &Sample, limits: &Limits) {
        if let Sample::Alert(alert) = sample {
            // Whoever raises it did not hear of the session here: it neither fills a silence nor ends one.
            self.alerts.note(now, alert);
            return;
        }
        let silence = self.last_sample.map_or(Duration::ZERO, |last| now.since(last));
        if limits.gap.max(limits.poll_every.saturating_mul(4)) < silence {
            self.restart(now);
        }
        self.last_sample = Some(now);
        match sample {
            Sample::Poll { reply, .. } => self.observe_reply(now, reply, limits),
            Sample::Pushed(answer) => self.observe_answer(now, answer, limits),
            Sample::Deep(deep) => self.deep.observe(now, deep),
            Sample::Qr(mark) => self.scan.shows(now, *mark),
            Sample::Memory(memory) => {
                self.memory.get_or_insert_default().observe(now, *memory, &limits.memory_pressure);
            }
            Sample::Signal(signal) => self.observe_signal(now, signal),
            Sample::Activity(messages) => {
                self.activity.moved(now, now.wall, *messages, &limits.silent_session.night);
            }
            Sample::Runtime(runtime) => self.observe_runtime(now, runtime),
            Sample::Alert(_) => {}
        }
    }

    /// Returns the state that it was last seen in.
    #[must_use]
    pub fn state(&self) -> Option<SessionState> {
        self.polls.current().map(|run| run.seen.state)
    }

    /// Tells whether the newest answer says that the session is usable.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.state() == Some(SessionState::Connected)
    }

    /// Tells whether the session was never good and nobody asked it to connect yet.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        !self.ever_good && self.polls.current().is_some_and(|run| run.seen.effort == Effort::Idle)
    }

    fn observe_reply(&mut self, now: Moment, reply: &Reply, limits: &Limits) {
        self.up = Some(true);
        self.is_unasked = false;
        match reply {
            Reply::Answer(answer) => {
                self.answered(limits);
                self.missing.clear();
                self.refused.clear();
                self.refused_session.clear();
                self.observe_answer(now, answer, limits);
            }
            Reply::NoAnswer(failure) => {
                self.up = Some(false);
                self.observe_failure(now, *failure);
            }
            Reply::Missing(word) => {
                self.answered(limits);
                self.refused.clear();
                self.refused_session.clear();
                self.missing.add(now);
                self.steady = None;
                self.unready = None;
                self.polls.push(now, Seen::state(SessionState::Missing, Some(word.clone())));
            }
            Reply::Refused { of_session, .. } => {
                self.answered(limits);
                self.steady = None;
                // A session's own key that never worked may be mistyped: that is the watchdog's credential, not the session.
                if *of_session && self.ever_good { &mut self.refused_session } else { &mut self.refused }.add(now);
            }
            Reply::Throttled { .. } => self.answered(limits),
            Reply::Unasked(_) => {
                self.up = None;
                self.is_unasked = true;
                self.steady = None;
            }
        }
    }

    fn answered(&mut self, limits: &Limits) {
        self.reach.answered(limits.unreachable.clears);
        self.garbled.clear();
    }

    fn observe_failure(&mut self, now: Moment, failure: Failure) {
        if !failure.means_down() {
            self.garbled.add(now);
            return;
        }
        self.reach.failed(now, failure);
        if failure != Failure::Timeout {
            self.down_since_good = true;
            // Where its runtime is followed, that tells of its end, and whether it was killed: nothing is inferred then.
            if let Some(memory) = self.memory.as_mut().filter(|_| !self.has_runtime) {
                memory.service_gone();
            }
        }
        if 1 < self.reach.failures() {
            self.steady = None;
        }
        if self.reach.is_gone() {
            self.polls.interrupt(now);
        }
    }

    fn observe_answer(&mut self, now: Moment, answer: &Answer, limits: &Limits) {
        self.observe_facts(now, &answer.facts);
        self.is_stopped = answer.effort == Effort::Stopped;
        self.polls.push(now, Seen::of(answer));
        self.scan.observe(now, answer, self.ever_good);
        self.activity.observe(now, answer, &limits.silent_session);
        self.observe_readiness(now, answer, limits);
    }

    fn observe_readiness(&mut self, now: Moment, answer: &Answer, limits: &Limits) {
        if answer.state == SessionState::Connected {
            self.ever_good = true;
            self.last_good = Some(now);
            self.down_since_good = false;
            self.unready = None;
            self.steady.get_or_insert(now);
            return;
        }
        self.steady = None;
        let dead_code = self.scan.frozen_since(limits.stuck_qr.frozen_after).or_else(|| self.scanned_since());
        let unscanned = answer.effort == Effort::GaveUp && self.scan.since().is_some();
        match (answer.state, answer.effort) {
            (_, Effort::Stopped) => {
                self.unready = None;
                self.down_since_good = true;
            }
            // Nobody came to scan, so its gateway gave up: it still waits for a person.
            (_, Effort::GaveUp) if unscanned => self.unready = None,
            (SessionState::NeedsScan, _) => self.unready = dead_code,
            // Nobody knows what this word means: it neither starts nor ends a wait.
            (SessionState::Unknown, _) => {}
            (
                SessionState::Connected
                | SessionState::Connecting
                | SessionState::Disconnected
                | SessionState::Conflict
                | SessionState::LoggedOut
                | SessionState::Expired
                | SessionState::Missing
                | SessionState::Blocked,
                _,
            ) => {
                self.unready.get_or_insert(now);
            }
        }
    }

    /// Since when its log says that the code was scanned; the status may still ask for one until the session is usable.
    #[must_use]
    pub fn scanned_since(&self) -> Option<Moment> {
        let run = self.log.fresh().filter(|run| run.seen.is_linked())?;
        self.scan.since().filter(|since| since.uptime <= run.first.uptime).map(|_| run.first)
    }

    fn observe_facts(&mut self, now: Moment, facts: &Facts) {
        if let Some(percent) = facts.progress
            && self.progress.is_none_or(|(_, before)| before != percent)
        {
            let rose = self.progress.is_none_or(|(_, before)| before < percent);
            self.progress = rose.then_some((now, percent)).or(self.progress);
        }
        if facts.version.is_some() && facts.version != self.version {
            self.runs_version(facts.version.clone());
        }
        // A later start than the one known: it was restarted between two polls.
        if let Some(started) = facts.started
            && self.started != Some(started)
        {
            let restarted = self.started.is_some_and(|before| Duration::from_secs(5) < started.since(before));
            self.started = Some(started);
            if restarted {
                self.started_anew(now, false);
            }
        }
    }

    fn observe_signal(&mut self, now: Moment, signal: &Signal) {
        let seen =
            Seen { state: signal.state, phase: signal.phase, effort: Effort::Trying, word: Some(signal.line.clone()) };
        // A transition that only the log saw is one too: an incident may not close on a status that lagged behind.
        let is_news = self.log.fresh().is_none_or(|run| !run.seen.is_same(&seen));
        if is_news {
            self.steady = self.steady.map(|_| now);
        }
        self.log.push(now, seen);
    }

    fn runs_version(&mut self, version: Option<Word>) {
        self.version_before = std::mem::replace(&mut self.version, version);
        self.versions = self.versions.saturating_add(1);
    }

    /// The service began anew: it was down, whether a poll saw that or not.
    fn started_anew(&mut self, now: Moment, by_runtime: bool) {
        let is_known = |(at, by): (Moment, bool)| by != by_runtime && now.since(at) < SAME_START;
        let before = self.started_at.replace((now, by_runtime));
        if before.is_some_and(is_known) {
            return;
        }
        self.starts = self.starts.saturating_add(1);
        self.disturbed(now);
    }

    /// Something was done to the service: what was seen before proves nothing about what comes.
    pub fn disturbed(&mut self, now: Moment) {
        self.restart(now);
        self.down_since_good = true;
    }

    fn observe_runtime(&mut self, now: Moment, runtime: &Runtime) {
        self.has_runtime = true;
        match runtime {
            Runtime::Started => self.started_anew(now, true),
            Runtime::Died { oom_killed, .. } => {
                self.down_since_good = true;
                self.health = None;
                if let Some(memory) = &mut self.memory {
                    memory.service_ended();
                }
                if *oom_killed {
                    self.memory.get_or_insert_default().killed(now, Victim::Service);
                }
            }
            Runtime::OomKilled => self.memory.get_or_insert_default().killed(now, Victim::Child),
            Runtime::Health(word) => self.health = Some(word.clone()),
            Runtime::VersionChanged(image) if self.image.as_ref() != Some(image) => {
                self.image_before = self.image.replace(image.clone());
                self.images = self.images.saturating_add(1);
            }
            Runtime::VersionChanged(_) => {}
        }
    }
}
