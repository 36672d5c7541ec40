//! Everything that is done, in seeded worlds: services that fail in every way, hooks that fail, lie and hang, a ledger that fails,
//! crashes between any two steps, clocks that jump, and people who interfere. After every order an oracle asks every rule.
//!
//! `cargo test --release --test sim -- --seeds 300`; a seed that fails is played again, loudly, by `--seed N`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unchecked_time_subtraction,
    clippy::as_conversions,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::wildcard_enum_match_arm,
    reason = "a world of its own, in which a mistake shall stop the play"
)]

mod calm;
mod chance;
mod events;
mod oracle;
mod play;
mod setup;
mod tape;
mod world;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::refusal::Refusal;

use play::{Broken, Play};

/// Seeds where nobody says how many: a taste of it where the build is slow, as in `cargo test`.
const SEEDS: u64 = if cfg!(debug_assertions) { 12 } else { 300 };
/// From this many seeds on everything must have happened at least once: a simulation in which nothing happens proves nothing.
const ENOUGH: u64 = 300;
/// After so many worlds it is told what happened so far.
const TOLD_EVERY: u64 = 500;
/// How long each world lasts.
const LASTS: Duration = Duration::from_hours(12);

/// What happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    worlds: u64,
    pub(crate) seconds: u64,
    runs: BTreeMap<Remedy, u64>,
    destroying: u64,
    refusals: BTreeMap<Refusal, u64>,
    pub(crate) helped: u64,
    pub(crate) scans: u64,
    pub(crate) storms: u64,
    pub(crate) crashes: u64,
    pub(crate) ledger_failures: u64,
    pub(crate) orders: u64,
    pub(crate) compared: u64,
}

impl Totals {
    pub(crate) fn ended(&mut self, remedy: Remedy, destroyed: bool) {
        *self.runs.entry(remedy).or_default() += 1;
        self.destroying += u64::from(destroyed);
    }

    pub(crate) fn refused(&mut self, reason: Refusal) {
        *self.refusals.entry(reason).or_default() += 1;
    }

    fn add(&mut self, other: &Self) {
        self.worlds += 1;
        self.seconds += other.seconds;
        self.destroying += other.destroying;
        self.helped += other.helped;
        self.scans += other.scans;
        self.storms += other.storms;
        self.crashes += other.crashes;
        self.ledger_failures += other.ledger_failures;
        self.orders += other.orders;
        self.compared += other.compared;
        other.runs.iter().for_each(|(remedy, count)| *self.runs.entry(*remedy).or_default() += count);
        other.refusals.iter().for_each(|(reason, count)| *self.refusals.entry(*reason).or_default() += count);
    }

    fn print(&self, seeds: u64) {
        println!("sim: {seeds} worlds, {} virtual days, 0 invariants broken", self.seconds / 86_400);
        println!(
            "  attempts: {:?}, helped {}, destructive remedies that ran: {}",
            self.runs, self.helped, self.destroying
        );
        println!("  refusals, by reason: {:?}", self.refusals);
        println!(
            "  scans told {}, storms {}, crashes {}, entries that failed {}, orders {}, restarts compared {}",
            self.scans, self.storms, self.crashes, self.ledger_failures, self.orders, self.compared
        );
    }

    /// What should have happened and did not.
    fn missing(&self) -> Vec<String> {
        let counts = [
            ("destructive remedies", self.destroying),
            ("remedies that helped", self.helped),
            ("scans", self.scans),
            ("storms", self.storms),
            ("crashes", self.crashes),
            ("failures of the ledger", self.ledger_failures),
            ("comparisons with a restart", self.compared),
        ];
        let none = counts.into_iter().filter(|(_, count)| *count == 0).map(|(what, _)| what.to_owned());
        let refusals = Refusal::ALL.into_iter().filter(|reason| !self.refusals.contains_key(reason));
        none.chain(refusals.map(|reason| format!("refusals: {reason}"))).collect()
    }
}

fn main() -> ExitCode {
    let (mut seeds, mut from, mut only) = (SEEDS, 1, None);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|text| text.parse().ok());
        let known = match word.as_str() {
            "--seeds" => number().map(|n| seeds = n),
            "--from" => number().map(|n| from = n),
            "--seed" => number().map(|n| only = Some(n)),
            // What cargo and test runners hand to every test.
            "--nocapture" | "--quiet" | "-q" | "--include-ignored" | "--ignored" => Some(()),
            _ if !word.starts_with('-') => Some(()),
            _ => None,
        };
        if known.is_none() {
            eprintln!("usage: sim [--seeds N] [--from N] [--seed N]");
            return ExitCode::from(2);
        }
    }
    if let Some(seed) = only {
        return match Play::new(seed, true).run(LASTS) {
            Ok(()) => ExitCode::SUCCESS,
            Err(broken) => report(seed, &broken),
        };
    }
    if let Err(what) = calm::invariant_a_lasting_failure_is_mended(seeds.min(200)) {
        eprintln!("invariant_a_lasting_failure_is_mended: {what}");
        return ExitCode::FAILURE;
    }
    play_all(from, seeds)
}

fn play_all(from: u64, seeds: u64) -> ExitCode {
    let (next, failed) = (AtomicU64::new(from), AtomicBool::new(false));
    let (totals, first) = (Mutex::new(Totals::default()), Mutex::new(None::<(u64, Broken)>));
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while !failed.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if from + seeds <= seed {
                        return;
                    }
                    let mut play = Play::new(seed, false);
                    let played = play.run(LASTS);
                    let mut sum = totals.lock().unwrap();
                    sum.add(&play.totals);
                    if sum.worlds.is_multiple_of(TOLD_EVERY) && sum.worlds < seeds {
                        sum.print(sum.worlds);
                    }
                    drop(sum);
                    if let Err(broken) = played {
                        failed.store(true, Ordering::Relaxed);
                        first.lock().unwrap().get_or_insert((seed, broken));
                    }
                }
            });
        }
    });
    if let Some((seed, broken)) = first.into_inner().unwrap() {
        return report(seed, &broken);
    }
    let totals = totals.into_inner().unwrap();
    totals.print(seeds);
    let missing = totals.missing();
    if ENOUGH <= seeds && !missing.is_empty() {
        eprintln!("sim: never happened: {}", missing.join(", "));
        return ExitCode::FAILURE;
    }
    // In the words of the test harness, so that it is counted.
    println!("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
    ExitCode::SUCCESS
}

fn report(seed: u64, broken: &Broken) -> ExitCode {
    let file = std::env::temp_dir().join(format!("wa-watchdog-sim-{seed}.jsonl"));
    eprintln!("seed {seed}: {}: {}", broken.rule, broken.what);
    eprintln!("play it again: cargo test --release --test sim -- --seed {seed}");
    if std::fs::write(&file, &broken.tape).is_ok() {
        eprintln!("what was seen: wa-watchdog replay {}", file.display());
    }
    ExitCode::FAILURE
}
