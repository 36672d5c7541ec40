//! What must hold for every sequence of samples.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "what does not parse, overflows or does not exist here is a mistake in the test"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use wa_watchdog::engine::ledger::LedgerEntry;
use wa_watchdog::engine::policy::{Policy, TOGETHER, Watch};
use wa_watchdog::engine::sample::{
    Alert, Answer, Deep, Effort, Facts, Failure, Memory, Phase, QrMark, Reply, Runtime, SessionState, Signal, Word,
};
use wa_watchdog::engine::snapshot::TargetView;
use wa_watchdog::engine::timeline::track::RUNS_MAX;
use wa_watchdog::engine::verdict::Verdict;
use wa_watchdog::engine::watchdog::INCIDENTS_SHOWN_MAX;
use wa_watchdog::engine::{Input, Moment, Output, Sample, TargetId, Wall, Watchdog};

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_everything_stays_bounded_and_every_failure_has_evidence(steps in steps(400)) {
        let mut world = World::new();
        for (pause, sample) in steps {
            world.step(pause, sample);
            let view = world.view();
            prop_assert!(view.timeline.len() <= RUNS_MAX && view.log.len() <= RUNS_MAX);
            for verdict in [&view.verdict, &view.memory_verdict] {
                if let Verdict::Failing { evidence, .. } = verdict {
                    prop_assert!(!evidence.sentence.is_empty());
                }
            }
            prop_assert!(view.open.len() <= 2);
        }
        prop_assert!(world.watchdog.snapshot(world.now).incidents.len() <= INCIDENTS_SHOWN_MAX + 2);
    }

    #[test]
    fn a_restart_at_any_point_neither_closes_nor_opens_an_incident(steps in steps(200), cut in 0_usize..200) {
        let mut world = World::new();
        for (pause, sample) in steps.into_iter().take(cut) {
            world.step(pause, sample);
        }
        let before: Vec<_> = world.view().open.iter().map(|incident| (incident.id, incident.pattern, incident.opened)).collect();
        world.restart();
        let after: Vec<_> = world.view().open.iter().map(|incident| (incident.id, incident.pattern, incident.opened)).collect();
        prop_assert_eq!(before, after);
    }

    #[test]
    fn a_good_session_behind_a_bad_network_is_never_accused(noise in proptest::collection::vec(0_u8..100, 400)) {
        let mut world = World::new();
        let mut since_lost = 9;
        for roll in noise {
            // Polls are lost, but never two of any three; now and then a proxy's page or a throttle.
            let reply = match roll {
                0..20 if 2 <= since_lost => Reply::NoAnswer(Failure::Timeout),
                20..23 => Reply::NoAnswer(Failure::NotJson),
                23..26 => Reply::Throttled { retry_after: None },
                _ => Reply::Answer(state(SessionState::Connected)),
            };
            since_lost = if matches!(reply, Reply::NoAnswer(Failure::Timeout)) { 0 } else { since_lost + 1 };
            world.step(Duration::from_secs(15), poll(reply));
            prop_assert!(world.view().open.is_empty(), "{:?}", world.view().open);
        }
    }

    #[test]
    fn a_lasting_failure_is_named_within_a_quarter_of_an_hour_and_closes_when_it_ends(which in 0_usize..8, every in 5_u64..60) {
        let every = Duration::from_secs(every);
        let mut world = World::new();
        for _ in 0..4 {
            world.step(every, poll(Reply::Answer(state(SessionState::Connected))));
        }
        let begin = world.now;
        while world.view().open.is_empty() {
            prop_assert!(world.now.since(begin) < Duration::from_mins(15), "failure {} goes unnamed", which);
            world.step(every, lasting(which));
        }
        let well = world.now;
        while !world.view().open.is_empty() {
            prop_assert!(world.now.since(well) < Duration::from_mins(6), "failure {} stays open", which);
            world.step(every, poll(Reply::Answer(state(SessionState::Connected))));
        }
    }
}

struct World {
    watchdog: Watchdog,
    now: Moment,
    ledger: Vec<LedgerEntry>,
}

impl World {
    fn new() -> Self {
        let wall: Wall = "2026-02-04T09:00:00Z".parse().expect("a time");
        let now = Moment { uptime: Duration::ZERO, wall };
        Self { watchdog: Watchdog::restore(policy(), &[], now), now, ledger: Vec::new() }
    }

    fn step(&mut self, pause: Duration, sample: Sample) {
        self.now = self.now.after(pause);
        self.watchdog.handle(self.now, Input::Observed(target(), sample));
        self.drain();
    }

    fn restart(&mut self) {
        self.now.uptime = Duration::ZERO;
        self.watchdog = Watchdog::restore(policy(), &self.ledger, self.now);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.watchdog.poll_output() {
            if let Output::Record(seq, entry) = output {
                self.ledger.push(entry);
                self.watchdog.handle(self.now, Input::Recorded(seq));
            }
        }
    }

    fn view(&self) -> TargetView {
        self.watchdog.snapshot(self.now).target("shop").expect("the target").as_ref().clone()
    }
}

fn steps(most: usize) -> impl Strategy<Value = Vec<(Duration, Sample)>> {
    let pause = prop_oneof![
        8 => (1_u64..60).prop_map(Duration::from_secs),
        1 => (60_u64..100_000).prop_map(Duration::from_secs),
    ];
    proptest::collection::vec((pause, sample()), 0..most)
}

fn sample() -> impl Strategy<Value = Sample> {
    prop_oneof![
        12 => answer().prop_map(|answer| poll(Reply::Answer(answer))),
        4 => (0_usize..Failure::ALL.len()).prop_map(|index| poll(Reply::NoAnswer(Failure::ALL[index]))),
        1 => Just(poll(Reply::Missing(Word::new("no such session")))),
        1 => any::<bool>().prop_map(|of_session| poll(Reply::Refused { status: 401, of_session })),
        1 => (0_u64..600).prop_map(|secs| poll(Reply::Throttled { retry_after: Some(Duration::from_secs(secs)) })),
        1 => answer().prop_map(Sample::Pushed),
        2 => deep(),
        1 => proptest::option::of(0_u64..3).prop_map(|mark| Sample::Qr(mark.map(QrMark))),
        2 => memory(),
        2 => answer().prop_map(|answer| Sample::Signal(Signal { state: answer.state, phase: answer.phase, line: Word::new("line") })),
        1 => (1_u32..1000).prop_map(Sample::Activity),
        1 => any::<bool>().prop_map(|fires| Sample::Alert(Alert { name: Word::new("Down"), fires })),
        1 => any::<bool>().prop_map(|oom_killed| Sample::Runtime(Runtime::Died { exit_code: None, oom_killed })),
        1 => Just(Sample::Runtime(Runtime::OomKilled)),
        1 => Just(Sample::Runtime(Runtime::Health(Word::new("unhealthy")))),
        1 => (0_u8..3).prop_map(|image| Sample::Runtime(Runtime::VersionChanged(Word::new(&format!("image {image}"))))),
        1 => Just(Sample::Runtime(Runtime::Started)),
    ]
}

fn answer() -> impl Strategy<Value = Answer> {
    let phases = [None, Some(Phase::Opening), Some(Phase::Pairing), Some(Phase::Linked)];
    let efforts = [Effort::Trying, Effort::GaveUp, Effort::Idle, Effort::Stopped];
    let facts =
        (proptest::option::of(0_i64..2_000_000_000), proptest::option::of(0_u64..5), proptest::option::of(0_u8..101));
    (0_usize..SessionState::ALL.len(), 0_usize..4, 0_usize..4, facts).prop_map(move |(state, phase, effort, facts)| {
        Answer {
            state: SessionState::ALL[state],
            phase: phases[phase],
            effort: efforts[effort],
            word: None,
            facts: Facts {
                last_message: facts.0.map(Wall::from_secs),
                qr: facts.1.map(QrMark),
                progress: facts.2,
                ..Facts::default()
            },
        }
    })
}

fn deep() -> impl Strategy<Value = Sample> {
    let outcomes = [Deep::Passed, Deep::Failed(Word::new("Target closed")), Deep::TimedOut, Deep::Unclear];
    (0_usize..4).prop_map(move |index| Sample::Deep(outcomes[index].clone()))
}

fn memory() -> impl Strategy<Value = Sample> {
    let limit = proptest::option::of(0_u64..1_000_000);
    (any::<u64>(), limit, proptest::option::of(0_u64..4))
        .prop_map(|(used_bytes, limit_bytes, oom_kills)| Sample::Memory(Memory { used_bytes, limit_bytes, oom_kills }))
}

fn lasting(which: usize) -> Sample {
    poll(match which {
        0 => Reply::Answer(state(SessionState::Conflict)),
        1 => Reply::Answer(state(SessionState::LoggedOut)),
        2 => Reply::Answer(state(SessionState::NeedsScan)),
        3 => Reply::Answer(state(SessionState::Connecting)),
        4 => Reply::Missing(Word::new("no such session")),
        5 => Reply::NoAnswer(Failure::ConnectionRefused),
        6 => Reply::NoAnswer(Failure::Timeout),
        _ => Reply::Refused { status: 401, of_session: false },
    })
}

fn poll(reply: Reply) -> Sample {
    Sample::Poll { reply, latency: Duration::from_millis(20) }
}

fn state(state: SessionState) -> Answer {
    Answer { state, ..Answer::default() }
}

fn target() -> TargetId {
    TargetId::new("shop").expect("a name")
}

fn policy() -> Policy {
    Policy { targets: BTreeMap::from([(target(), Watch::default())]), together: TOGETHER, ..Policy::default() }
}
