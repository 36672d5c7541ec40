//! Many targets at once: what turns bad together is left alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use wa_watchdog::engine::attempt::{StepEnd, StepOutcome};
use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::moment::words;
use wa_watchdog::engine::plan::{Plan, Resume};
use wa_watchdog::engine::policy::{Mode, Policy, TOGETHER, Watch};
use wa_watchdog::engine::{Input, Moment, Output, TargetId, Wall, Watchdog};

use super::sample;

const POLL: Duration = Duration::from_secs(15);

/// Twenty targets, each with every hook and a host group of its own.
struct Fleet {
    watchdog: Watchdog,
    ids: Vec<TargetId>,
    now: Moment,
    start: Wall,
    done: Vec<(TargetId, Remedy, String)>,
}

impl Fleet {
    fn new() -> Self {
        let ids: Vec<TargetId> = (0..20).map(|n| TargetId::new(&format!("s{n:02}")).expect("a name")).collect();
        let plan = |remedy| (remedy, Arc::new(Plan::single(remedy == Remedy::Reset, Resume::Never, POLL)));
        let plans: BTreeMap<_, _> = [Remedy::Restart, Remedy::Reset].map(plan).into();
        let watch = |id: &TargetId| Watch {
            mode: Mode::Act,
            plans: plans.clone(),
            group: Arc::from(id.as_str()),
            has_status: false,
            ..Watch::default()
        };
        let targets = ids.iter().map(|id| (id.clone(), watch(id))).collect();
        let now = Moment { uptime: Duration::from_secs(1000), wall: Wall::from_secs(1_770_000_000) };
        let policy = Policy { targets, together: TOGETHER, ..Policy::default() };
        let watchdog = Watchdog::restore(policy, &[], now);
        Self { watchdog, ids, now, start: now.wall, done: Vec::new() }
    }

    /// Every target shows this for a while; the first `bad` of them show `what`, the others are connected.
    fn show(&mut self, what: &str, bad: usize, lasts: Duration) {
        let end = self.now.after(lasts);
        while self.now < end {
            for index in 0..self.ids.len() {
                let shown = sample(if index < bad { what } else { "connected" }, 1, self.now.wall);
                let id = self.ids.get(index).expect("a target").clone();
                self.watchdog.handle(self.now, Input::Observed(id, shown));
                self.drain();
                // Polls of a fleet are spread over the interval.
                self.now = self.now.after(POLL / 20);
                self.watchdog.handle(self.now, Input::DeadlinePassed);
                self.drain();
            }
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.watchdog.poll_output() {
            match output {
                Output::Record(seq, _) => self.watchdog.handle(self.now, Input::Recorded(seq)),
                Output::Run(order) => {
                    let since = words(self.now.wall.since(self.start));
                    self.done.push((order.target.clone(), order.remedy, since));
                    let end = StepEnd { outcome: StepOutcome::Done, note: None, world: None };
                    self.watchdog.handle(self.now, Input::StepEnded(order.attempt, order.number, end));
                }
                Output::Poll(..) | Output::Announce(_) | Output::Answer(..) => {}
            }
        }
    }

    fn count(&self, remedy: Remedy) -> usize {
        self.done.iter().filter(|(_, done, _)| *done == remedy).count()
    }
}

#[test]
fn an_outage_of_five_minutes_that_takes_all_of_them_down_leads_to_nothing() {
    let mut fleet = Fleet::new();
    fleet.show("gone", 0, Duration::from_mins(5));
    fleet.show("gone", 20, Duration::from_mins(5));
    fleet.show("gone", 0, Duration::from_mins(30));
    assert_eq!(fleet.done, []);
}

#[test]
fn an_outage_of_hours_leads_to_restarts_one_after_the_other_and_to_no_reset() {
    let mut fleet = Fleet::new();
    fleet.show("connecting", 0, Duration::from_mins(5));
    fleet.show("connecting", 20, Duration::from_mins(30));
    assert_eq!(fleet.done, [], "not in the first half hour");
    fleet.show("connecting", 20, Duration::from_hours(4));
    assert!((20..=60).contains(&fleet.count(Remedy::Restart)), "{:?}", fleet.done);
    assert_eq!(fleet.count(Remedy::Reset), 0, "{:?}", fleet.done);
}

#[test]
fn a_third_of_them_is_no_storm() {
    let mut fleet = Fleet::new();
    fleet.show("gone", 0, Duration::from_mins(5));
    fleet.show("gone", 6, Duration::from_mins(5));
    assert_eq!(fleet.count(Remedy::Restart), 6, "{:?}", fleet.done);
    assert_eq!(fleet.count(Remedy::Reset), 0);
}

#[test]
fn the_first_that_is_proven_is_not_acted_upon_while_the_others_are_seconds_behind() {
    let mut fleet = Fleet::new();
    fleet.show("gone", 0, Duration::from_mins(5));
    fleet.show("gone", 20, Duration::from_secs(150));
    fleet.show("gone", 0, Duration::from_mins(10));
    assert_eq!(fleet.done, []);
}
