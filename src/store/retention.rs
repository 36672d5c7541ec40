//! What is too old goes, in small bites between the writes.

use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};

use crate::engine::moment::Wall;

/// How long after one sweep the next begins, by the times of the entries.
const SWEEP_EVERY: Duration = Duration::from_hours(1);

/// Most rows, and most incidents, that one bite deletes: no entry to be written waits long behind it.
const BITE_MAX: i64 = 500;

/// Entries that belong to no incident; the last of each kind of a target stays, and what people ordered: a pause may be as old.
const DELETE_LOOSE: &str = "
    DELETE FROM ledger WHERE id IN (
        SELECT id FROM ledger AS old INDEXED BY ledger_time
        WHERE at_ms < ?1 AND incident IS NULL AND kind <> 'commanded' AND EXISTS (
            SELECT 1 FROM ledger AS later
            WHERE later.target = old.target AND later.kind = old.kind AND old.id < later.id)
        ORDER BY at_ms LIMIT ?2)";

/// Incidents as a whole, by the age of their closing. The newest one stays, so that no number is ever used twice.
const DELETE_INCIDENTS: &str = "
    DELETE FROM ledger WHERE incident IN (
        SELECT incident FROM ledger AS old INDEXED BY ledger_time
        WHERE at_ms < ?1 AND kind = 'incident_closed'
            AND incident < (SELECT max(incident) FROM ledger WHERE incident IS NOT NULL)
            AND incident NOT IN (SELECT incident FROM open_incident)
        ORDER BY at_ms LIMIT ?2)";

/// Knows how long entries are kept, and how far the deleting of older ones has come.
#[derive(Debug)]
pub(super) struct Retention {
    keep: Duration,
    sweep: Option<Wall>,
    last: Option<Wall>,
}

impl Retention {
    /// Keeps entries for `keep`.
    pub(super) fn new(keep: Duration) -> Self {
        Self { keep, sweep: None, last: None }
    }

    /// Begins a sweep when the last one is long enough ago, or there was none.
    pub(super) fn tick(&mut self, now: Wall) {
        if self.last.is_none_or(|last| SWEEP_EVERY <= now.since(last)) {
            self.start(now);
        }
    }

    /// Begins a sweep.
    pub(super) fn start(&mut self, now: Wall) {
        self.last = Some(now);
        self.sweep = Some(before(now, self.keep));
    }

    /// Ends a sweep.
    pub(super) fn stop(&mut self) {
        self.sweep = None;
    }

    /// Tells whether a sweep is under way.
    pub(super) fn is_due(&self) -> bool {
        self.sweep.is_some()
    }

    /// Takes one bite; the sweep ends when nothing is left to delete, or nothing can be deleted.
    pub(super) fn delete_some(&mut self, connection: &mut Connection) {
        let Some(cutoff) = self.sweep else { return };
        match bite(connection, cutoff) {
            Ok(0) => self.stop(),
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "old ledger entries cannot be deleted; trying again in an hour");
                self.stop();
            }
        }
    }
}

fn bite(connection: &mut Connection, cutoff: Wall) -> rusqlite::Result<usize> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let limits = (cutoff.millis(), BITE_MAX);
    let loose = transaction.prepare_cached(DELETE_LOOSE)?.execute(limits)?;
    let of_incidents = transaction.prepare_cached(DELETE_INCIDENTS)?.execute(limits)?;
    transaction.commit()?;
    Ok(loose.saturating_add(of_incidents))
}

fn before(now: Wall, span: Duration) -> Wall {
    Wall::from_millis(now.millis().saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
}
