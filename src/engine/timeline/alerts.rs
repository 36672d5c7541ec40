//! What others say about a target: shown beside the evidence, and never judged.

use std::time::Duration;

use crate::engine::moment::Moment;
use crate::engine::sample::{Alert, Word};

/// Most alerts that are kept of one target; the oldest make room.
pub const ALERTS_MAX: usize = 8;
/// An alert that was not repeated for this long is forgotten: whoever calls it off may not have reached us. Alertmanager repeats
/// one every four hours unless it is told otherwise.
pub const REPEATED_WITHIN: Duration = Duration::from_hours(24);

/// The alerts that fire.
#[derive(Clone, Debug, Default)]
pub struct Alerts(Vec<Raised>);

/// An alert that fires.
#[derive(Clone, Debug)]
pub struct Raised {
    /// Its name.
    pub name: Word,
    /// Since when.
    pub since: Moment,
    told: Moment,
}

impl Alerts {
    /// Notes what was said.
    pub fn note(&mut self, now: Moment, alert: &Alert) {
        self.0.retain(|raised| raised.fires(now) && (alert.fires || raised.name != alert.name));
        if !alert.fires {
            return;
        }
        if let Some(known) = self.0.iter_mut().find(|raised| raised.name == alert.name) {
            known.told = now;
            return;
        }
        if ALERTS_MAX <= self.0.len() {
            self.0.remove(0);
        }
        self.0.push(Raised { name: alert.name.clone(), since: now, told: now });
    }

    /// Returns those that fire, oldest first.
    pub fn firing(&self, now: Moment) -> impl Iterator<Item = &Raised> {
        self.0.iter().filter(move |raised| raised.fires(now))
    }
}

impl Raised {
    fn fires(&self, now: Moment) -> bool {
        now.since(self.told) < REPEATED_WITHIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(alerts: &Alerts, now: Moment) -> Vec<&str> {
        alerts.firing(now).map(|raised| raised.name.as_str()).collect()
    }

    #[test]
    fn an_alert_fires_until_it_is_called_off_or_not_repeated() {
        let (mut alerts, start) = (Alerts::default(), Moment::default());
        let alert = |name: &str, fires| Alert { name: Word::new(name), fires };
        let at = |hours| start.after(Duration::from_hours(hours));
        alerts.note(start, &alert("Down", true));
        alerts.note(at(4), &alert("Slow", true));
        alerts.note(at(8), &alert("Down", true));
        assert_eq!(names(&alerts, at(9)), ["Down", "Slow"]);
        assert_eq!(alerts.firing(at(9)).next().map(|raised| raised.since), Some(start));
        assert_eq!(names(&alerts, at(29)), ["Down"]);
        alerts.note(at(30), &alert("Down", false));
        alerts.note(at(30), &alert("Never", false));
        assert!(names(&alerts, at(30)).is_empty());
    }

    #[test]
    fn the_oldest_makes_room() {
        let mut alerts = Alerts::default();
        for number in 0..20 {
            alerts.note(Moment::default(), &Alert { name: Word::new(&format!("a{number}")), fires: true });
        }
        let named = names(&alerts, Moment::default());
        assert_eq!((named.len(), named[0], named[7]), (ALERTS_MAX, "a12", "a19"));
    }
}
