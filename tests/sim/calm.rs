//! Calm worlds: one failure that lasts, hooks that work, and nobody who interferes.

use std::sync::Arc;
use std::time::Duration;

use wa_watchdog::engine::attempt::{StepEnd, StepOutcome};
use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::plan::{Plan, Resume};
use wa_watchdog::engine::policy::{Mode, Policy, TOGETHER, Watch};
use wa_watchdog::engine::{Event, Input, Moment, Output, TargetId, Wall, Watchdog};

use super::chance::Chance;
use super::world::{Cure, Fault, Service};

/// A failure must be mended within this time: named, restarted, verified, and where that did not help reset and scanned.
const WITHIN: Duration = Duration::from_hours(2);

/// A failure that lasts opens an incident, and if the hook helps it closes as helped.
pub(crate) fn invariant_a_lasting_failure_is_mended(seeds: u64) -> Result<(), String> {
    for seed in 0..seeds {
        let mut chance = Chance::new(seed ^ 0xca1f);
        let (fault, cure) = chance.pick(&[
            (Fault::Loop, Cure::Restart),
            (Fault::NeverReady, Cure::Restart),
            (Fault::Down, Cure::Restart),
            (Fault::Lies, Cure::Restart),
            (Fault::NeverReady, Cure::Reset),
            (Fault::Loop, Cure::Reset),
            (Fault::Expired, Cure::Reset),
            (Fault::Missing, Cure::Reset),
        ]);
        if !is_mended(fault, cure, &mut chance) {
            return Err(format!("calm seed {seed}: {fault:?} that a {cure:?} mends was not mended within {WITHIN:?}"));
        }
    }
    Ok(())
}

fn is_mended(fault: Fault, cure: Cure, chance: &mut Chance) -> bool {
    let id = TargetId::new("calm").unwrap();
    let plan =
        |remedy| (remedy, Arc::new(Plan::single(remedy == Remedy::Reset, Resume::Never, Duration::from_mins(1))));
    let plans = [Remedy::Reconnect, Remedy::Restart, Remedy::Reset].map(plan).into();
    let watch = Watch { mode: Mode::Act, plans, has_deep: true, ..Watch::default() };
    let policy = Policy { targets: [(id.clone(), watch)].into(), together: TOGETHER, ..Policy::default() };
    let mut now = Moment { uptime: Duration::ZERO, wall: Wall::from_secs(1_770_000_000) };
    let mut dog = Watchdog::restore(policy, &[], now);
    let mut service = Service::new();
    let (mut is_broken, mut helped) = (false, false);
    while now.uptime < WITHIN && !helped {
        if Duration::from_mins(5) < now.uptime && !is_broken {
            is_broken = true;
            (service.fault, service.cure, service.always_well) = (fault, cure, false);
        }
        service.live(now.uptime);
        dog.handle(now, Input::DeadlinePassed);
        while let Some(output) = dog.poll_output() {
            match output {
                Output::Poll(target, ask) => {
                    let sample = service.answers(ask, now.uptime, now.wall, chance);
                    dog.handle(now, Input::Observed(target, sample));
                }
                Output::Record(seq, _) => dog.handle(now, Input::Recorded(seq)),
                Output::Run(order) => {
                    // Here a remedy that fits works for certain.
                    match (order.remedy, service.cure) {
                        (Remedy::Restart, Cure::Restart) => {
                            (service.fault, service.started) = (Fault::None, now.uptime);
                        }
                        (Remedy::Reset, _) => {
                            service.fault = Fault::WantsScan { dead: false };
                            service.heals = Some(now.uptime + chance.secs(20, 300));
                            service.started = now.uptime;
                        }
                        (_, _) => {}
                    }
                    let end = StepEnd { outcome: StepOutcome::Done, note: None, world: None };
                    dog.handle(now, Input::StepEnded(order.attempt, order.number, end));
                }
                Output::Announce(Event::Verified(view)) => {
                    helped |= view.outcome.is_some_and(|outcome| outcome.as_str() == "helped");
                }
                Output::Announce(_) | Output::Answer(..) => {}
            }
        }
        now = now.after(Duration::from_secs(1));
    }
    helped
}
