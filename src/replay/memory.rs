//! What a watchdog that restarts knows of the time before: the ledger that the replay itself would have written.

use std::collections::BTreeSet;

use crate::engine::incident::IncidentId;
use crate::engine::ledger::{Fact, LedgerEntry};

/// Most entries that are kept; a year of a session that fails daily has fewer.
const ENTRIES_MAX: usize = 20_000;
/// Of these, most about attempts that are kept when there are more.
const ATTEMPTS_MAX: usize = 8_000;

/// The entries that a restart is told, oldest first.
#[derive(Debug, Default)]
pub(super) struct Memory(Vec<LedgerEntry>);

impl Memory {
    /// Keeps an entry.
    pub(super) fn keep(&mut self, entry: LedgerEntry) {
        if ENTRIES_MAX <= self.0.len() {
            self.forget();
        }
        self.0.push(entry);
    }

    /// Returns what is known.
    pub(super) fn entries(&self) -> &[LedgerEntry] {
        &self.0
    }

    /// Forgets what no restart needs: states and versions that were followed by others, and incidents that closed.
    fn forget(&mut self) {
        let closed: BTreeSet<IncidentId> = self.0.iter().filter_map(closes).collect();
        let (mut states, mut attempts) = (BTreeSet::new(), 0_usize);
        let mut kept: Vec<LedgerEntry> = Vec::new();
        for entry in std::mem::take(&mut self.0).into_iter().rev() {
            let is_kept = if entry.fact.attempt().is_some() {
                attempts = attempts.saturating_add(1);
                attempts <= ATTEMPTS_MAX
            } else if let Some(incident) = entry.fact.incident() {
                !closed.contains(&incident)
            } else {
                states.insert((entry.target.clone(), entry.fact.kind()))
            };
            if is_kept {
                kept.push(entry);
            }
        }
        kept.truncate(ENTRIES_MAX / 2);
        kept.reverse();
        self.0 = kept;
    }
}

fn closes(entry: &LedgerEntry) -> Option<IncidentId> {
    if let Fact::IncidentClosed { incident, .. } = &entry.fact { Some(*incident) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::evidence::Evidence;
    use crate::engine::incident::Closing;
    use crate::engine::ladder::Remedy;
    use crate::engine::moment::Wall;
    use crate::engine::pattern::Pattern;
    use crate::engine::sample::SessionState;
    use crate::engine::target::TargetId;

    fn entry(secs: i64, fact: Fact) -> LedgerEntry {
        LedgerEntry { at: Wall::from_secs(secs), target: TargetId::new("shop").unwrap(), fact }
    }

    fn opened(number: u64) -> Fact {
        let evidence = Evidence::new(String::new(), Vec::new());
        let (pattern, remedy) = (Pattern::Conflict, Remedy::Notify);
        Fact::IncidentOpened { incident: IncidentId(number), pattern, remedy, evidence }
    }

    #[test]
    fn it_does_not_grow_and_forgets_no_open_incident() {
        let mut memory = Memory::default();
        memory.keep(entry(0, opened(1)));
        for number in 2..50_000 {
            let (to, word) = (SessionState::Connected, None);
            memory.keep(entry(i64::try_from(number).unwrap(), Fact::StateChanged { from: None, to, word }));
            memory.keep(entry(0, opened(number)));
            let (incident, pattern) = (IncidentId(number), Pattern::Conflict);
            let closed = Fact::IncidentClosed { incident, pattern, opened: Wall::default(), how: Closing::Recovered };
            memory.keep(entry(0, closed));
            assert!(memory.entries().len() <= ENTRIES_MAX);
        }
        assert_eq!(memory.entries()[0], entry(0, opened(1)));
        let newest = memory.entries().iter().rev().find(|entry| entry.fact.kind() == "state_changed").unwrap();
        assert_eq!(newest.at, Wall::from_secs(49_999));
    }
}
