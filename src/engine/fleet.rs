//! All targets taken together: how many turned bad at the same time, and what they used of their common budgets.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::incident::IncidentId;
use super::ladder::Remedy;
use super::moment::{Moment, Stamp};
use super::policy::Policy;
use super::snapshot::FleetView;
use super::target::TargetId;

/// Most attempts that are kept for the budgets of the fleet.
const USED_MAX: usize = 4096;
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// How a target is, as far as the others are concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// Not heard of, or neither well nor bad: stopped on purpose, never asked to connect.
    #[default]
    Unknown,
    /// Connected, and nothing is suspected.
    Well,
    /// Something is suspected or proven, since then.
    Bad(Stamp),
}

/// All targets. One input changes one entry, however many there are.
#[derive(Debug, Default)]
pub struct Fleet {
    /// The session incidents that are open, by when they opened.
    open: BTreeSet<(Duration, IncidentId)>,
    /// Targets that turned bad lately and still are.
    recent: BTreeSet<(Stamp, TargetId)>,
    /// Those that turned bad longer ago.
    older: BTreeSet<(Stamp, TargetId)>,
    well: u32,
    /// A storm is on, or its exit is waited out.
    held: bool,
    /// Since when its condition does not hold any more.
    over: Option<Stamp>,
    /// The world was told of it.
    told: bool,
    used: VecDeque<(Stamp, Remedy, bool)>,
    /// Targets of which it is not known yet whether the last attempt helped.
    tried: BTreeSet<TargetId>,
}

impl Fleet {
    /// Notes that a session incident opened.
    pub fn opened(&mut self, at: Moment, incident: IncidentId) {
        self.open.insert((at.uptime, incident));
    }

    /// Notes that it closed.
    pub fn closed(&mut self, at: Moment, incident: IncidentId) {
        self.open.remove(&(at.uptime, incident));
    }

    /// Notes that a target turned from one health to another.
    pub fn turned(&mut self, id: &TargetId, from: Health, to: Health) {
        match from {
            Health::Unknown => {}
            Health::Well => self.well = self.well.saturating_sub(1),
            Health::Bad(since) => {
                let key = (since, id.clone());
                if !self.recent.remove(&key) {
                    self.older.remove(&key);
                }
            }
        }
        match to {
            Health::Unknown => {}
            Health::Well => self.well = self.well.saturating_add(1),
            Health::Bad(since) => drop(self.recent.insert((since, id.clone()))),
        }
    }

    /// Follows a storm; returns whether one began or ended, where the world must hear of it.
    #[must_use]
    pub fn follow_storm(&mut self, now: Moment, policy: &Policy) -> Option<bool> {
        while let Some(first) = self.recent.first().filter(|(since, _)| policy.together < since.age(now)).cloned() {
            self.recent.remove(&first);
            self.older.insert(first);
        }
        if is_storm(self.recent.len(), self.well, policy) {
            (self.held, self.over) = (true, None);
            let begins = !self.told && !self.open.is_empty();
            self.told |= begins;
            return begins.then_some(true);
        }
        if !self.held {
            return None;
        }
        let over = *self.over.get_or_insert(now.stamp());
        if !over.after(policy.fleet.storm_exit).has_come(now) {
            return None;
        }
        self.held = false;
        std::mem::take(&mut self.told).then_some(false)
    }

    /// Says why a remedy for a target must wait for a storm; none where it must not.
    ///
    /// A remedy waits as long as those that turned bad together with this target stay bad: one that destroys without an end, for a
    /// reset of each would need a person with a phone for each, and mend nothing.
    #[must_use]
    pub fn storm_for(
        &self,
        now: Moment,
        id: &TargetId,
        health: Health,
        destroys: bool,
        policy: &Policy,
    ) -> Option<String> {
        let (bad, well) = (self.recent.len(), self.well);
        if self.held && self.over.is_none() {
            return Some(super::care::guard::in_storm(count(bad), well, policy.together));
        }
        let fleet = &policy.fleet;
        let jitter = fleet.storm_jitter.mul_f64(f64::from(id.hash()) / f64::from(u32::MAX));
        let release = self.over.map(|over| over.after(fleet.storm_exit).after(jitter));
        if let Some(release) = release.filter(|release| !release.has_come(now)) {
            return Some(format!("a storm just ended; it waits until {}", release.wall(now).clock()));
        }
        let Health::Bad(since) = health else { return None };
        let first = (since.before(policy.together), TargetId::all());
        let in_reach = |(other, _): &&(Stamp, TargetId)| *other <= since.after(policy.together);
        let together = [&self.recent, &self.older].map(|set| set.range(first.clone()..).take_while(in_reach).count());
        let together = together.iter().fold(0_usize, |sum, n| sum.saturating_add(*n));
        if !is_storm(together, well, policy) {
            return None;
        }
        if destroys || since.age(now) < fleet.storm_holds.saturating_add(jitter) {
            return Some(super::care::guard::in_storm(count(together), well, policy.together));
        }
        // Of those that stay bad together one is tried after the other: what does not help the first does not help the next.
        let other = self.tried.iter().find(|other| *other != id)?;
        Some(format!("many turned bad together, so one is tried after the other, and now it is {other}"))
    }

    /// Notes that an attempt was made for a target, and that it is not known yet whether it helped; or that it is.
    pub fn tries(&mut self, id: &TargetId, is_open: bool) {
        if is_open {
            self.tried.insert(id.clone());
        } else {
            self.tried.remove(id);
        }
    }

    /// Counts an attempt for the budgets of the fleet.
    pub fn spend(&mut self, at: Stamp, remedy: Remedy, destroys: bool) {
        if USED_MAX <= self.used.len() {
            self.used.pop_front();
        }
        self.used.push_back((at, remedy, destroys));
    }

    /// Returns how much all targets used of the budget for a remedy.
    #[must_use]
    pub fn used(&self, now: Moment, remedy: Remedy, destroys: bool) -> u32 {
        let window = if destroys { DAY } else { HOUR };
        let same = |(at, other, other_destroys): &&(Stamp, Remedy, bool)| {
            at.age(now) < window && *other_destroys == destroys && (destroys || *other == remedy)
        };
        count(self.used.iter().filter(same).count())
    }

    /// Returns how many turned bad lately, and how many are well.
    #[must_use]
    pub fn weather(&self) -> (u32, u32) {
        (count(self.recent.len()), self.well)
    }

    /// Returns when to follow a storm again although nothing is heard.
    #[must_use]
    pub fn next(&self, now: Moment, policy: &Policy) -> Option<Duration> {
        if !self.held {
            return None;
        }
        let ages = self.recent.first().map(|(since, _)| since.after(policy.together));
        let exit = self.over.map(|over| over.after(policy.fleet.storm_exit));
        let soon = now.stamp().after(Duration::from_millis(1));
        let next = exit.or(ages)?.after(Duration::from_millis(1)).max(soon);
        Some(next.moment(now).uptime)
    }

    /// Returns the view of all targets.
    #[must_use]
    pub fn view(&self, targets: usize, is_paused: bool) -> FleetView {
        FleetView {
            targets: count(targets),
            failing: count(self.open.len()),
            turned_bad_together: count(self.recent.len()),
            well: self.well,
            storm: self.held,
            paused: is_paused,
        }
    }
}

/// A storm takes enough targets that turned bad together, and enough of those that were well. Those that are bad for long do not
/// count: they cannot turn bad.
fn is_storm(bad: usize, well: u32, policy: &Policy) -> bool {
    let (bad, fleet) = (count(bad), &policy.fleet);
    let of_all = u64::from(bad).saturating_add(u64::from(well)).saturating_mul(u64::from(fleet.storm_percent));
    fleet.storm_targets <= bad && of_all <= u64::from(bad).saturating_mul(100)
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Moment {
        Moment::default().after(Duration::from_secs(secs))
    }

    fn id(n: u32) -> TargetId {
        TargetId::new(&format!("s{n}")).unwrap()
    }

    fn policy() -> Policy {
        Policy { together: Duration::from_mins(10), ..Policy::default() }
    }

    /// Ten targets that are well.
    fn fleet() -> Fleet {
        let mut fleet = Fleet::default();
        (0..10).for_each(|n| fleet.turned(&id(n), Health::Unknown, Health::Well));
        fleet
    }

    #[test]
    fn half_of_those_that_were_well_make_a_storm_and_its_end_is_waited_out() {
        let (mut fleet, policy) = (fleet(), policy());
        let bad = Health::Bad(at(100).stamp());
        (0..4).for_each(|n| fleet.turned(&id(n), Health::Well, bad));
        assert_eq!(fleet.follow_storm(at(100), &policy), None);
        assert_eq!(fleet.storm_for(at(100), &id(0), bad, false, &policy), None);
        fleet.turned(&id(4), Health::Well, bad);
        fleet.opened(at(100), IncidentId(1));
        assert_eq!(fleet.follow_storm(at(100), &policy), Some(true));
        assert!(fleet.storm_for(at(100), &id(0), bad, false, &policy).is_some());
        (0..5).for_each(|n| fleet.turned(&id(n), bad, Health::Well));
        assert_eq!(fleet.follow_storm(at(200), &policy), None);
        assert!(fleet.storm_for(at(310), &id(0), bad, false, &policy).is_some());
        assert_eq!(fleet.follow_storm(at(320), &policy), Some(false));
        assert_eq!(fleet.storm_for(at(381), &id(0), bad, false, &policy), None);
    }

    #[test]
    fn what_turned_bad_together_is_not_reset_while_it_stays_bad_together() {
        let (mut fleet, policy) = (fleet(), policy());
        let bad = Health::Bad(at(100).stamp());
        (0..6).for_each(|n| fleet.turned(&id(n), Health::Well, bad));
        assert_eq!(fleet.follow_storm(at(100), &policy), None);
        assert_eq!(fleet.follow_storm(at(800), &policy), None);
        assert_eq!(fleet.follow_storm(at(930), &policy), None);
        assert!(fleet.storm_for(at(1000), &id(0), bad, false, &policy).is_some());
        assert_eq!(fleet.storm_for(at(3700), &id(0), bad, false, &policy), None);
        fleet.tries(&id(0), true);
        assert!(fleet.storm_for(at(3700), &id(1), bad, false, &policy).is_some());
        assert!(fleet.storm_for(at(3700), &id(0), bad, true, &policy).is_some());
        (1..6).for_each(|n| fleet.turned(&id(n), bad, Health::Well));
        assert_eq!(fleet.storm_for(at(3700), &id(0), bad, true, &policy), None);
    }

    #[test]
    fn budgets_of_the_fleet_are_counted_by_kind_and_window() {
        let mut fleet = Fleet::default();
        fleet.spend(at(0).stamp(), Remedy::Restart, false);
        fleet.spend(at(0).stamp(), Remedy::Restart, true);
        fleet.spend(at(0).stamp(), Remedy::Reset, true);
        assert_eq!(fleet.used(at(60), Remedy::Restart, false), 1);
        assert_eq!(fleet.used(at(60), Remedy::Reset, true), 2);
        assert_eq!((fleet.used(at(4000), Remedy::Restart, false), fleet.used(at(4000), Remedy::Reset, true)), (0, 2));
    }
}
