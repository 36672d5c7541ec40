//! The ledger folded back into what was believed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::engine::incident::{Closed, Incident, IncidentId};
use crate::engine::ledger::{Fact, LedgerEntry};
use crate::engine::pattern::Pattern;
use crate::engine::sample::SessionState;
use crate::engine::subject::Memory;
use crate::engine::target::TargetId;

/// What a ledger holds.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    /// By target.
    pub(super) targets: BTreeMap<TargetId, Memory>,
    /// The newest closed incidents, oldest first.
    pub(super) closed: VecDeque<Arc<Incident>>,
    /// The highest number of an incident.
    pub(super) ids: IncidentId,
}

/// Folds entries, oldest first. An entry that fits nothing before it is taken for what it says.
pub(super) fn fold(ledger: &[LedgerEntry]) -> Remembered {
    let mut remembered = Remembered::default();
    let mut open: BTreeMap<IncidentId, Incident> = BTreeMap::new();
    for entry in ledger {
        remembered.ids = remembered.ids.max(entry.fact.incident().unwrap_or_default());
        let memory = remembered.targets.entry(entry.target.clone()).or_default();
        match &entry.fact {
            Fact::StateChanged { from, to, .. } => {
                memory.state = Some(*to);
                memory.was_good = [Some(*to), *from].contains(&Some(SessionState::Connected));
            }
            Fact::IncidentOpened { incident, pattern, remedy, evidence } => {
                let fresh = Incident {
                    id: *incident,
                    target: entry.target.clone(),
                    pattern: *pattern,
                    evidence: Arc::new(evidence.clone()),
                    remedy: *remedy,
                    opened: entry.at,
                    closed: None,
                };
                open.insert(*incident, fresh);
            }
            Fact::PatternChanged { incident, to, remedy, evidence, .. } => {
                if let Some(known) = open.get_mut(incident) {
                    known.pattern = *to;
                    known.remedy = *remedy;
                    known.evidence = Arc::new(evidence.clone());
                }
            }
            Fact::IncidentClosed { incident, how, .. } => {
                if let Some(known) = open.remove(incident) {
                    let closed = Some(Closed { at: entry.at, how: *how });
                    super::keep(&mut remembered.closed, Arc::new(Incident { closed, ..known }));
                }
            }
            _ => {}
        }
    }
    for incident in open.into_values() {
        let memory = remembered.targets.entry(incident.target.clone()).or_default();
        // It expired, so it was good; the states in between may say less.
        memory.was_good |= incident.pattern == Pattern::SessionExpired;
        // One lane holds one incident: of two that a damaged ledger leaves open the newer stands.
        memory.open.retain(|other| other.pattern.lane() != incident.pattern.lane());
        memory.open.push(Arc::new(incident));
    }
    remembered
}
