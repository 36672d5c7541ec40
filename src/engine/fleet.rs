//! All targets taken together: how many turned bad at the same time.

use std::collections::BTreeSet;
use std::time::Duration;

use super::incident::IncidentId;
use super::moment::Moment;
use super::snapshot::FleetView;

/// The session incidents that are open, by when they opened. One input changes one entry, however many targets there are.
#[derive(Debug, Default)]
pub struct Fleet {
    open: BTreeSet<(Duration, IncidentId)>,
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

    /// Returns the view of all targets.
    #[must_use]
    pub fn view(&self, now: Moment, targets: usize, together: Duration) -> FleetView {
        let since = now.uptime.saturating_sub(together);
        let recent = self.open.range((since, IncidentId::default())..).count();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        FleetView { targets: count(targets), failing: count(self.open.len()), turned_bad_together: count(recent), ..FleetView::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_turned_bad_lately_turned_bad_together() {
        let at = |secs| Moment::default().after(Duration::from_secs(secs));
        let mut fleet = Fleet::default();
        for (secs, id) in [(100, 1), (1000, 2), (1100, 3)] {
            fleet.opened(at(secs), IncidentId(id));
        }
        fleet.closed(at(1100), IncidentId(3));
        let view = fleet.view(at(1200), 9, Duration::from_mins(10));
        assert_eq!(view, FleetView { targets: 9, failing: 2, turned_bad_together: 1 });
    }
}
