//! Engine transcripts: a script of samples in, what the engine said out.
//!
//! A script has one step a line: `every 15s` sets the pace, `connected x4` hands in four samples at that pace, `log conflict`
//! hands in a log line, `wait 20m` lets time pass in silence, `suspend 1h` moves only the wall clock, `restart` ends the watchdog
//! and restores it from what it recorded. Only the helper below knows the engine's API.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::unchecked_time_subtraction,
    reason = "a script that does not parse, or whose numbers overflow, is a mistake in the test"
)]

mod incidents;
mod patterns;
mod schedule;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use wa_watchdog::engine::ledger::LedgerEntry;
use wa_watchdog::engine::moment::words;
use wa_watchdog::engine::policy::{Limits, Policy, TOGETHER, Watch};
use wa_watchdog::engine::sample::{
    Answer, Deep, Effort, Facts, Failure, Memory, Phase, QrMark, Reply, Runtime, SessionState, Signal, Word,
};
use wa_watchdog::engine::snapshot::TargetView;
use wa_watchdog::engine::{Event, Input, Moment, Output, Sample, TargetId, Wall, Watchdog};

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
}

impl Play {
    fn new(limits: Limits) -> Self {
        let wall: Wall = "2026-02-04T09:00:00Z".parse().expect("a time");
        let now = Moment { uptime: Duration::from_secs(1000), wall };
        let watchdog = Watchdog::restore(policy(&limits), &[], now);
        let (said, ledger) = (Vec::new(), Vec::new());
        Self {
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
            "wait" => self.now = self.now.after(duration(rest)),
            "suspend" => self.now.wall = self.now.wall.after(duration(rest)),
            "restart" => {
                let now = Moment { uptime: Duration::from_secs(5), wall: self.now.wall };
                self.watchdog = Watchdog::restore(policy(&self.limits), &self.ledger, now);
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
                    self.counter += 1;
                    for part in what.split(" + ") {
                        self.observe(sample(part, self.counter, self.now.wall));
                    }
                    self.now = self.now.after(self.every);
                }
            }
        }
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
                Output::Poll(..) => {}
            }
        }
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

fn policy(limits: &Limits) -> Policy {
    let watch = Watch { limits: Arc::new(limits.clone()), ..Watch::default() };
    Policy { targets: BTreeMap::from([(target(), watch)]), together: TOGETHER }
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
            let mib = |text: &str| text.parse::<u64>().ok().map(|mib| mib << 20);
            let (used_bytes, limit_bytes) = (mib(used).expect("a number of MiB"), mib(limit));
            Sample::Memory(Memory { used_bytes, limit_bytes, oom_kills: None })
        }
        "oom" => Sample::Runtime(Runtime::Died { exit_code: Some(137), oom_killed: true }),
        "started" => Sample::Runtime(Runtime::Started),
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
