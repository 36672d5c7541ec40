//! What one sample costs the engine, with 1, 1 000 and 10 000 targets: `cargo bench --bench handle`.
//!
//! Samples come in turn to every target, as from a fleet that is polled every 15 s: most say that all is well, with words and
//! facts; every fiftieth target flaps. Each round of measurement hands in one sample, takes every output and answers every
//! `Record`, as the driver does.
//!
//! How to read it: the numbers are the cost of **one** sample, so they may be compared as they stand. The rule is that this
//! cost does not grow with the number of targets. What may grow is the way to a target that the processor has not seen for
//! 10 000 samples: a lookup by name, and memory that has left the cache. So the ratio of the last number to the first should
//! stay a small one-digit number, whatever the machine; work for each target on each sample would make it thousands.
#![expect(clippy::expect_used, reason = "a bench may fail loudly")]

use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use wa_watchdog::engine::policy::{Limits, TOGETHER, Watch};
use wa_watchdog::engine::sample::{Answer, Facts, Reply, SessionState, Word};
use wa_watchdog::engine::{Input, Moment, Output, Policy, Sample, TargetId, Wall, Watchdog};

const POLL_EVERY: Duration = Duration::from_secs(15);
/// Rounds before the measurement, so that timelines hold what they hold after an hour.
const WARM_ROUNDS: u32 = 10;

fn handle(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("handle");
    group.throughput(Throughput::Elements(1));
    for targets in [1, 1_000, 10_000] {
        let mut fleet = Fleet::new(targets);
        group.bench_function(BenchmarkId::from_parameter(targets), |bencher| bencher.iter(|| fleet.step()));
    }
    group.finish();
}

criterion_group!(benches, handle);
criterion_main!(benches);

struct Fleet {
    watchdog: Watchdog,
    ids: Vec<TargetId>,
    now: Moment,
    pause: Duration,
    next: usize,
    round: u64,
    words: Words,
}

/// The words that a dialect knows; it shares them between samples.
struct Words {
    connected: Word,
    opening: Word,
    version: Word,
}

impl Fleet {
    fn new(targets: u32) -> Self {
        let ids: Vec<TargetId> =
            (0..targets).map(|n| TargetId::new(&format!("session-{n}")).expect("a plain name")).collect();
        let limits = Arc::new(Limits::default());
        let watch = |id: &TargetId| (id.clone(), Watch { limits: Arc::clone(&limits), ..Watch::default() });
        let policy = Policy { targets: ids.iter().map(watch).collect(), together: TOGETHER, ..Policy::default() };
        let now = Moment { uptime: Duration::ZERO, wall: Wall::from_secs(1_767_225_600) };
        let watchdog = Watchdog::restore(policy, &[], now);
        let pause = POLL_EVERY.checked_div(targets).unwrap_or(POLL_EVERY);
        let [connected, opening, version] = ["CONNECTED", "OPENING", "2.3000.1015901307"].map(Word::new);
        let words = Words { connected, opening, version };
        let mut fleet = Self { watchdog, ids, now, pause, next: 0, round: 0, words };
        for _ in 0..targets.saturating_mul(WARM_ROUNDS) {
            fleet.step();
        }
        fleet
    }

    /// Hands the next target its next sample and carries out what is ordered.
    fn step(&mut self) {
        if self.ids.len() <= self.next {
            self.next = 0;
            self.round = self.round.saturating_add(1);
        }
        let sample = sample(self.next, self.round, self.now.wall, &self.words);
        if let Some(id) = self.ids.get(self.next) {
            self.hand_in(Input::Observed(id.clone(), sample));
        }
        self.now = self.now.after(self.pause);
        self.next = self.next.saturating_add(1);
    }

    fn hand_in(&mut self, input: Input) {
        self.watchdog.handle(self.now, input);
        while let Some(output) = self.watchdog.poll_output() {
            match output {
                Output::Record(seq, _) => self.watchdog.handle(self.now, Input::Recorded(seq)),
                Output::Poll(..) | Output::Announce(_) | Output::Run(_) | Output::Answer(..) => {}
            }
        }
    }
}

/// Every fiftieth target loses its connection for one round in four.
fn sample(target: usize, round: u64, wall: Wall, words: &Words) -> Sample {
    let is_lost = target % 50 == 7 && round.is_multiple_of(4);
    let (state, word) =
        if is_lost { (SessionState::Connecting, &words.opening) } else { (SessionState::Connected, &words.connected) };
    let facts = Facts {
        last_message: Some(wall),
        messages: Some(round),
        version: Some(words.version.clone()),
        owner: Some(true),
        ..Facts::default()
    };
    let answer = Answer { state, word: Some(word.clone()), facts, ..Answer::default() };
    Sample::Poll { reply: Reply::Answer(answer), latency: Duration::from_millis(12) }
}
