//! How a world is set up: its targets, how they are watched, and how their hooks go about it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use wa_watchdog::engine::TargetId;
use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::path::PathName;
use wa_watchdog::engine::plan::{Plan, Resume, Step, StepName};
use wa_watchdog::engine::policy::{FleetLimits, Limits, MemoryReading, Mode, Night, Policy, TOGETHER, Watch};

use super::chance::Chance;

pub(crate) fn policy(chance: &mut Chance) -> Policy {
    let count = 1 + chance.below(8);
    let ids = (0..count).map(|n| TargetId::new(&format!("s{n}")).unwrap());
    let targets = ids.map(|id| (id.clone(), watch(chance, &id))).collect();
    let fleet = FleetLimits {
        attempts: 1 + u32::try_from(chance.below(3)).unwrap(),
        resets_daily: 1 + u32::try_from(chance.below(6)).unwrap(),
        restarts_hourly: 1 + u32::try_from(chance.below(20)).unwrap(),
        ..FleetLimits::default()
    };
    Policy { targets, together: TOGETHER, fleet, paths: vec![path()] }
}

/// The network path that every session of a world needs.
pub(crate) fn path() -> PathName {
    Arc::from("whatsapp")
}

pub(crate) fn watch(chance: &mut Chance, id: &TargetId) -> Watch {
    let mut limits = Limits { poll_every: chance.secs(10, 30), ..Limits::default() };
    // Budgets that let a lot happen in a few days, and cooldowns that bite.
    limits.budget.restarts_hourly = 1 + u32::try_from(chance.below(4)).unwrap();
    limits.budget.restarts_daily = 2 + u32::try_from(chance.below(12)).unwrap();
    limits.budget.reset_every = chance.secs(600, 20_000);
    limits.budget.resets_daily = 1 + u32::try_from(chance.below(4)).unwrap();
    limits.budget.resets_weekly = 1 + u32::try_from(chance.below(4)).unwrap();
    limits.budget.gives_up_after = 1 + u32::try_from(chance.below(4)).unwrap();
    limits.attempt.again_after = chance.secs(1800, 20_000);
    limits.cooldown.first = chance.secs(120, 1200);
    if chance.percent(40) {
        let from = u8::try_from(chance.below(24)).unwrap();
        let to = u8::try_from(chance.below(24)).unwrap();
        limits.quiet_hours = Night { from, to, zone: jiff::tz::TimeZone::UTC };
    }
    let mut plans = BTreeMap::new();
    let keeps = !chance.percent(15);
    for remedy in [Remedy::Reconnect, Remedy::Restart, Remedy::Reset] {
        if chance.percent(85) {
            let destroys = remedy == Remedy::Reset || (remedy == Remedy::Restart && !keeps);
            plans.insert(remedy, Arc::new(plan(chance, remedy, destroys)));
        }
    }
    Watch {
        whose: Arc::from(id.as_str()),
        limits: Arc::new(limits),
        has_deep: true,
        has_qr: true,
        has_status: true,
        mode: chance.pick(&[Mode::Act, Mode::Act, Mode::Act, Mode::Approve, Mode::Observe]),
        plans,
        restart_keeps_session: keeps,
        memory: MemoryReading::default(),
        group: Arc::from(format!("g{}", chance.below(4)).as_str()),
        paths: [path()].into(),
    }
}

fn plan(chance: &mut Chance, remedy: Remedy, destroys: bool) -> Plan {
    let resume = chance.pick(&[Resume::Again, Resume::Check, Resume::Never]);
    let mark = chance.next();
    if remedy != Remedy::Reset || chance.percent(40) {
        return Plan { mark, ..Plan::single(destroys, resume, Duration::from_mins(2)) };
    }
    let step = |name: &str, destroys, has_undo, leaves_running, resume| Step {
        name: StepName(Arc::from(name)),
        destroys,
        resume,
        has_undo,
        leaves_running,
        takes: Duration::from_mins(1),
    };
    let steps = vec![
        step("stop", false, true, false, Resume::Again),
        step("wipe", true, false, false, resume),
        step("start", false, false, true, Resume::Again),
    ];
    Plan { steps, within: Duration::from_mins(10), mark, has_look: chance.percent(50) }
}
