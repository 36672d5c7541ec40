//! What holds for every history of attempts: no window ever holds more than its budget.
#![expect(clippy::arithmetic_side_effects, reason = "numbers of a test, far from their limits")]

use std::time::Duration;

use proptest::prelude::*;
use wa_watchdog::engine::attempt::{AttemptId, Outcome};
use wa_watchdog::engine::care::history::{History, Past};
use wa_watchdog::engine::incident::IncidentId;
use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::moment::Moment;
use wa_watchdog::engine::policy::{Budget, Cooldown, Limits};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// One wish: so long after the one before, this remedy, with this outcome.
fn wishes() -> impl Strategy<Value = Vec<(u64, Remedy, Outcome)>> {
    let remedy = prop::sample::select(vec![Remedy::Reconnect, Remedy::Restart, Remedy::Reset]);
    let outcome = prop::sample::select(vec![Outcome::Helped, Outcome::DidNotHelp, Outcome::Failed]);
    prop::collection::vec((1_u64..20_000, remedy, outcome), 1..80)
}

fn past(id: u64, remedy: Remedy, now: Moment) -> Past {
    let incident = Some(IncidentId(id));
    let (destroys, ended) = (remedy == Remedy::Reset, now.stamp());
    Past { id: AttemptId(id), remedy, destroys, incident, ended, spent: true, outcome: None }
}

/// Carries out every wish that the budgets allow; returns the seconds at which each was.
fn carried_out(wishes: &[(u64, Remedy, Outcome)], budget: &Budget) -> Vec<(u64, Remedy)> {
    let (mut history, mut now, mut done) = (History::default(), Moment::default(), Vec::new());
    for (id, (pause, remedy, outcome)) in (1_u64..).zip(wishes) {
        now = now.after(Duration::from_secs(*pause));
        if history.left(now, *remedy, *remedy == Remedy::Reset, budget).0 == 0 {
            continue;
        }
        history.note(past(id, *remedy, now));
        history.settle(AttemptId(id), *outcome);
        done.push((now.uptime.as_secs(), *remedy));
    }
    done
}

fn most_within(done: &[(u64, Remedy)], remedy: Remedy, window: Duration) -> usize {
    let times: Vec<u64> = done.iter().filter(|(_, other)| *other == remedy).map(|(at, _)| *at).collect();
    let within = |from: &u64| times.iter().filter(|at| *from <= **at && **at < from + window.as_secs()).count();
    times.iter().map(within).max().unwrap_or(0)
}

proptest! {
    #[test]
    fn no_window_ever_holds_more_than_the_maximum(wishes in wishes()) {
        let budget = Limits::default().budget;
        let done = carried_out(&wishes, &budget);
        let fits = |most: u32, remedy, window| most_within(&done, remedy, window) <= usize::try_from(most).unwrap_or(0);
        prop_assert!(fits(budget.restarts_hourly, Remedy::Restart, HOUR));
        prop_assert!(fits(budget.restarts_daily, Remedy::Restart, DAY));
        prop_assert!(fits(1, Remedy::Reset, budget.reset_every));
        prop_assert!(fits(budget.resets_daily, Remedy::Reset, DAY));
        prop_assert!(fits(budget.reconnects_hourly, Remedy::Reconnect, HOUR));
    }

    #[test]
    fn budgets_re_arm_by_themselves(wishes in wishes()) {
        let budget = Limits::default().budget;
        let (mut history, mut now) = (History::default(), Moment::default());
        for (id, (pause, remedy, _)) in (1_u64..).zip(&wishes) {
            now = now.after(Duration::from_secs(*pause));
            history.note(past(id, *remedy, now));
        }
        let later = now.after(DAY);
        for remedy in [Remedy::Reconnect, Remedy::Restart, Remedy::Reset] {
            prop_assert!(0 < history.left(later, remedy, remedy == Remedy::Reset, &budget).0);
        }
    }

    #[test]
    fn a_cooldown_never_ends_early_nor_later_than_its_longest(wishes in wishes()) {
        let limits = Cooldown { first: Duration::from_mins(5), longest: DAY };
        let (mut history, mut now) = (History::default(), Moment::default());
        for (id, (pause, remedy, outcome)) in (1_u64..).zip(&wishes) {
            now = now.after(Duration::from_secs(*pause));
            history.note(past(id, *remedy, now));
            history.settle(AttemptId(id), *outcome);
            let until = history.cooldown_until(now, None, &limits).expect("just after an attempt");
            prop_assert!(limits.first <= until.left(now) && until.left(now) <= limits.longest);
            prop_assert!(history.cooldown_until(now.after(limits.longest), None, &limits).is_none());
        }
    }
}
