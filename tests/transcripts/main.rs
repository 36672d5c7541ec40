//! Engine transcripts: a script of samples in, what the engine said out.
//!
//! A script has one step a line: `every 15s` sets the pace, `connected x4` hands in four samples at that pace, `log conflict`
//! hands in a log line, `wait 20m` lets time pass in silence, `suspend 1h` moves only the wall clock, `restart` ends the watchdog
//! and restores it from what it recorded. Where hooks are tested, `hook failed` says how they answer from there on (`silent`: not at
//! all), `night` and `day` move the wall clock, and `order …` is what a person orders. Only the helper below knows the engine's API.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::unchecked_time_subtraction,
    reason = "a script that does not parse, or whose numbers overflow, is a mistake in the test"
)]

mod incidents;
mod patterns;
mod remedies;
mod runs;
mod schedule;
mod storms;
mod traffic;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use wa_watchdog::engine::attempt::{StepEnd, StepOrder, StepOutcome};
use wa_watchdog::engine::command::{CommandAnswer, CommandId, OperatorCommand, Wish};
use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::ledger::LedgerEntry;
use wa_watchdog::engine::moment::words;
use wa_watchdog::engine::policy::{Limits, Mode, Policy, TOGETHER, Watch};
use wa_watchdog::engine::sample::{
    Answer, Deep, Effort, Facts, Failure, Memory, Phase, QrMark, Reply, Runtime, SessionState, Signal, Word,
};
use wa_watchdog::engine::snapshot::TargetView;
use wa_watchdog::engine::{self, Event, Input, Moment, Output, Sample, TargetId, Wall, Watchdog};

/// Plays a script and compares what the engine announced, a line each: time since the start, then what.
fn check(script: &str, expected: &str) {
    let mut play = Play::new(Limits::default());
    play.script(script);
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(play.said, expected, "\nscript:{script}\nsaid:\n{}", play.said.join("\n"));
}

/// One target under test.
struct Play {
    watchdog: Watchdog,
    limits: Limits,
    now: Moment,
    start: Wall,
    every: Duration,
    said: Vec<String>,
    ledger: Vec<LedgerEntry>,
    counter: u64,
    is_disk_full: bool,
    /// How the target is watched, but for its thresholds.
    watch: Watch,
    /// How hooks answer, one after the other; the last one stays. None: never.
    hooks: VecDeque<Option<StepOutcome>>,
    /// The order that was not answered.
    unanswered: Option<StepOrder>,
    /// Remedies, scans and orders are told too, and every deadline is kept.
    with_care: bool,
    commands: u64,
}

impl Play {
    fn new(limits: Limits) -> Self {
        let wall: Wall = "2026-02-04T09:00:00Z".parse().expect("a time");
        let now = Moment { uptime: Duration::from_secs(1000), wall };
        let watch = Watch::default();
        let watchdog = Watchdog::restore(policy(&limits, &watch), &[], now);
        let (said, ledger) = (Vec::new(), Vec::new());
        Self {
            watch,
            hooks: VecDeque::from([Some(StepOutcome::Done)]),
            unanswered: None,
            with_care: false,
            commands: 0,
            watchdog,
            limits,
            now,
            start: wall,
            every: Duration::from_secs(15),
            said,
            ledger,
            counter: 0,
            is_disk_full: false,
        }
    }

    fn script(&mut self, script: &str) {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            self.step(line);
        }
    }

    fn step(&mut self, line: &str) {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb {
            "every" => self.every = duration(rest),
            "wait" => self.pass(duration(rest)),
            "hook" => self.hooks = rest.split(' ').map(outcome).collect(),
            "answer" => {
                let order = self.unanswered.take().expect("an order that was not answered");
                self.answer(&order, StepOutcome::Done);
                self.drain();
            }
            "disk" => self.is_disk_full = rest == "full",
            "order" => self.order(rest),
            "mode" => {
                self.watch.mode = mode(rest);
                self.watchdog.handle(self.now, Input::PolicyChanged(policy(&self.limits, &self.watch)));
                self.drain();
            }
            "unwatch" => {
                self.watchdog
                    .handle(self.now, Input::PolicyChanged(Policy { together: TOGETHER, ..Policy::default() }));
                self.drain();
            }
            "suspend" => self.now.wall = self.now.wall.after(duration(rest)),
            "restart" => {
                let now = Moment { uptime: Duration::from_secs(5), wall: self.now.wall };
                self.watchdog = Watchdog::restore(policy(&self.limits, &self.watch), &self.ledger, now);
                self.now = now;
                self.said.push(String::from("--- restarted ---"));
                self.drain();
            }
            "log" => self.observe(Sample::Signal(signal(rest))),
            _ => {
                let (what, times) = line
                    .rsplit_once(" x")
                    .map_or((line, 1), |(what, times)| (what, times.parse().expect("a number of samples")));
                for _ in 0..times {
                    if what == "looping" {
                        self.script("connecting\n connected");
                        continue;
                    }
                    self.counter += 1;
                    for part in what.split(" + ") {
                        self.observe(sample(part, self.counter, self.now.wall));
                    }
                    self.pass(self.every);
                }
            }
        }
    }

    /// Lets time pass; where care is tested every deadline on the way is kept.
    fn pass(&mut self, span: Duration) {
        let then = self.now.after(span);
        while let Some(due) = self.watchdog.next_deadline().filter(|due| self.with_care && due.uptime <= then.uptime) {
            self.now = self.now.after(due.uptime.saturating_sub(self.now.uptime));
            self.watchdog.handle(self.now, Input::DeadlinePassed);
            self.drain();
        }
        self.now = self.now.after(then.uptime.saturating_sub(self.now.uptime));
    }

    fn observe(&mut self, sample: Sample) {
        self.watchdog.handle(self.now, Input::Observed(target(), sample));
        self.drain();
    }

    /// Plays a script while the ledger cannot be written.
    fn observe_unrecorded(&mut self, script: &str) {
        self.is_disk_full = true;
        self.script(script);
        self.is_disk_full = false;
    }

    fn drain(&mut self) {
        while let Some(output) = self.watchdog.poll_output() {
            match output {
                Output::Record(seq, _) if self.is_disk_full => {
                    self.watchdog.handle(self.now, Input::RecordFailed(seq));
                }
                Output::Record(seq, entry) => {
                    self.ledger.push(entry);
                    self.watchdog.handle(self.now, Input::Recorded(seq));
                }
                Output::Announce(event) => self.said.extend(self.tell(&event)),
                Output::Run(order) => self.run(&order),
                Output::Answer(_, answer) => {
                    let since = words(self.now.wall.since(self.start));
                    self.said.push(match answer {
                        CommandAnswer::Accepted { what, .. } => format!("{since} accepted: {what}"),
                        CommandAnswer::Refused { why } => format!("{since} not taken: {why}"),
                    });
                }
                Output::Poll(..) => {}
            }
        }
    }

    /// Carries out an order of a hook.
    fn run(&mut self, order: &StepOrder) {
        let since = words(self.now.wall.since(self.start));
        self.said.push(format!("{since} > {} {} {}", order.remedy, order.act.as_str(), order.step));
        let outcome = if 1 < self.hooks.len() { self.hooks.pop_front() } else { self.hooks.front().copied() };
        match outcome.flatten() {
            Some(outcome) => self.answer(order, outcome),
            None => self.unanswered = Some(order.clone()),
        }
    }

    fn answer(&mut self, order: &StepOrder, outcome: StepOutcome) {
        let end = StepEnd { outcome, note: None, world: None };
        self.watchdog.handle(self.now, Input::StepEnded(order.attempt, order.number, end));
    }

    /// Orders what a person would: `pause 1h`, `resume`, `ack`, `approve` (what is proposed), `restart`, `reset force`.
    fn order(&mut self, text: &str) {
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        let what = match verb {
            "pause" => Wish::Pause { until: (!rest.is_empty()).then(|| self.now.wall.after(duration(rest))) },
            "resume" => Wish::Resume,
            "restore" => {
                let attempts = self.view().care.attempts.clone();
                let newest = attempts.iter().rev().find(|attempt| attempt.remedy == Remedy::Reset);
                Wish::Restore { attempt: newest.map(|attempt| attempt.id).unwrap_or_default(), force: rest == "force" }
            }
            "ack" => Wish::Ack,
            "approve" => {
                let proposal = self.view().care.proposal.clone();
                Wish::Approve { attempt: proposal.map(|proposal| proposal.attempt).unwrap_or_default() }
            }
            remedy => {
                let remedy = Remedy::RUNGS.into_iter().find(|other| other.as_str() == remedy).expect("a remedy");
                Wish::Remedy { remedy, force: rest == "force" }
            }
        };
        self.commands += 1;
        let (who, reason) = (Word::new("ana"), Word::new("because"));
        let order = OperatorCommand { target: Some(target()), who, reason, what };
        self.watchdog.handle(self.now, Input::Commanded(CommandId(self.commands), order));
        self.drain();
    }

    fn tell(&self, event: &Event) -> Option<String> {
        let said = match event {
            Event::Opened(incident) => {
                format!("{}: {} -> {}", incident.pattern, incident.evidence.sentence, incident.remedy)
            }
            Event::PatternChanged(incident) => {
                format!("becomes {}: {} -> {}", incident.pattern, incident.evidence.sentence, incident.remedy)
            }
            Event::Closed(incident) => {
                let how = incident.closed.expect("a closed incident").how;
                format!("{} {} after {}", incident.pattern, how.as_str(), words(incident.duration(self.now.wall)))
            }
            Event::Suspended => String::from("suspended"),
            Event::RecordFailed(_) => String::from("record failed"),
            Event::StateChanged { .. } | Event::VerdictChanged { .. } => return None,
            Event::Planned(_)
            | Event::ApprovalWanted(_)
            | Event::Started(_)
            | Event::Stepped(_)
            | Event::RunEnded(_)
            | Event::Verified(_)
            | Event::Refused(_)
            | Event::Scan(..)
            | Event::NeedsPerson { .. }
            | Event::ForeignRestart { .. }
            | Event::SmallLimit { .. }
            | Event::Storm { .. }
            | Event::Path { .. }
            | Event::Commanded(_) => engine::tell::tell(event).filter(|_| self.with_care)?,
        };
        Some(format!("{} {said}", words(self.now.wall.since(self.start))))
    }

    fn view(&self) -> Arc<TargetView> {
        Arc::clone(self.watchdog.snapshot(self.now).target("shop").expect("the target"))
    }
}

fn target() -> TargetId {
    TargetId::new("shop").expect("a name")
}

fn policy(limits: &Limits, watch: &Watch) -> Policy {
    let watch = Watch { limits: Arc::new(limits.clone()), ..watch.clone() };
    Policy { targets: BTreeMap::from([(target(), watch)]), together: TOGETHER, ..Policy::default() }
}

fn mode(text: &str) -> Mode {
    Mode::ALL.into_iter().find(|mode| mode.as_str() == text).expect("a mode")
}

fn outcome(text: &str) -> Option<StepOutcome> {
    Some(match text {
        "done" => StepOutcome::Done,
        "unmet" => StepOutcome::Unmet,
        "failed" => StepOutcome::Failed,
        "unknown" => StepOutcome::Unknown,
        "silent" => return None,
        other => panic!("a hook does not answer {other}"),
    })
}

fn duration(text: &str) -> Duration {
    humantime::parse_duration(text).expect("a duration")
}

/// Makes a sample of a script's word.
fn sample(what: &str, counter: u64, now: Wall) -> Sample {
    let poll = |reply| Sample::Poll { reply, latency: Duration::from_millis(20) };
    let answer = |answer| poll(Reply::Answer(answer));
    let fails = |failure| poll(Reply::NoAnswer(failure));
    let state = |state| Answer { state, ..Answer::default() };
    let (verb, rest) = what.split_once(' ').unwrap_or((what, ""));
    match verb {
        "connected" => answer(state(SessionState::Connected)),
        "active" => answer(with_facts(SessionState::Connected, Facts { last_message: Some(now), ..Facts::default() })),
        "still" => {
            let long_ago = Wall::from_secs(0);
            answer(with_facts(SessionState::Connected, Facts { last_message: Some(long_ago), ..Facts::default() }))
        }
        "connecting" => answer(state(SessionState::Connecting)),
        "opening" => answer(with_phase(Phase::Opening, "OPENING")),
        "pairing" => answer(with_phase(Phase::Pairing, "PAIRING")),
        "linked" => answer(with_phase(Phase::Linked, "CONNECTED")),
        "loading" => {
            let progress = Some(rest.parse().unwrap_or_else(|_| u8::try_from(counter).unwrap_or(100)));
            answer(with_facts(SessionState::Connecting, Facts { progress, ..Facts::default() }))
        }
        "scan" => answer(state(SessionState::NeedsScan)),
        "scan_live" => answer(with_facts(SessionState::NeedsScan, code(counter))),
        "scan_frozen" => answer(with_facts(SessionState::NeedsScan, code(7))),
        "disconnected" => answer(state(SessionState::Disconnected)),
        "failed" => answer(Answer {
            effort: Effort::GaveUp,
            word: Some(Word::new("FAILED")),
            ..state(SessionState::Disconnected)
        }),
        "idle" => answer(Answer { effort: Effort::Idle, ..state(SessionState::Disconnected) }),
        "stopped" => answer(Answer { effort: Effort::Stopped, ..state(SessionState::Disconnected) }),
        "conflict" => answer(Answer { word: Some(Word::new("CONFLICT")), ..state(SessionState::Conflict) }),
        "logged_out" => answer(state(SessionState::LoggedOut)),
        "expired" => answer(state(SessionState::Expired)),
        "blocked" => answer(Answer { word: Some(Word::new("TOS_BLOCK")), ..state(SessionState::Blocked) }),
        "unknown" => answer(Answer { word: Some(Word::new("SYNCING")), ..state(SessionState::Unknown) }),
        "missing" => poll(Reply::Missing(Word::new("Session not found"))),
        "refused" => poll(Reply::Refused { status: 401, of_session: false }),
        "key_refused" => poll(Reply::Refused { status: 401, of_session: true }),
        "unasked" => poll(Reply::Unasked(Word::new("the token cannot be read"))),
        "throttled" => poll(Reply::Throttled { retry_after: None }),
        "timeout" => fails(Failure::Timeout),
        "gone" => fails(Failure::ConnectionRefused),
        "bad_gateway" => fails(Failure::ServerError(502)),
        "html" => fails(Failure::NotJson),
        "deep_ok" => Sample::Deep(Deep::Passed),
        "deep_bad" => Sample::Deep(Deep::Failed(Word::new("Target closed"))),
        "deep_hung" => Sample::Deep(Deep::TimedOut),
        "deep_unclear" => Sample::Deep(Deep::Unclear),
        "memory" => {
            let (used, limit) = rest.split_once('/').expect("memory USED/LIMIT in MiB");
            let (limit, kills) = limit.split_once(" kills ").unwrap_or((limit, ""));
            let mib = |text: &str| text.parse::<u64>().ok().map(|mib| mib << 20);
            let (used_bytes, limit_bytes) = (mib(used).expect("a number of MiB"), mib(limit));
            Sample::Memory(Memory { used_bytes, limit_bytes, oom_kills: kills.parse().ok() })
        }
        "oom" => Sample::Runtime(Runtime::Died { exit_code: Some(137), oom_killed: true }),
        "oom_inside" => Sample::Runtime(Runtime::OomKilled),
        "died" => Sample::Runtime(Runtime::Died { exit_code: Some(0), oom_killed: false }),
        "started" => Sample::Runtime(Runtime::Started),
        "health" => Sample::Runtime(Runtime::Health(Word::new(rest))),
        "runs" => Sample::Runtime(Runtime::VersionChanged(Word::new(rest))),
        "born" => {
            let started = Some(rest.parse().expect("a time"));
            answer(with_facts(SessionState::Connected, Facts { started, ..Facts::default() }))
        }
        other => panic!("no such sample: {other}"),
    }
}

fn with_phase(phase: Phase, word: &str) -> Answer {
    Answer { state: SessionState::Connecting, phase: Some(phase), word: Some(Word::new(word)), ..Answer::default() }
}

fn with_facts(state: SessionState, facts: Facts) -> Answer {
    Answer { state, facts, ..Answer::default() }
}

fn code(mark: u64) -> Facts {
    Facts { qr: Some(QrMark(mark)), ..Facts::default() }
}

fn signal(what: &str) -> Signal {
    let (state, phase) = match what {
        "opening" => (SessionState::Connecting, Some(Phase::Opening)),
        "pairing" => (SessionState::Connecting, Some(Phase::Pairing)),
        "linked" => (SessionState::Connecting, Some(Phase::Linked)),
        "ready" => (SessionState::Connected, None),
        "conflict" => (SessionState::Conflict, None),
        "logout" => (SessionState::LoggedOut, None),
        "authenticated" => (SessionState::Connecting, Some(Phase::Linked)),
        "navigation" => (SessionState::Disconnected, None),
        other => panic!("no such log line: {other}"),
    };
    Signal { state, phase, line: Word::new(&format!("line: {what}")) }
}
