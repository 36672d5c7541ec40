//! What a restart reads back: bounded, however large the ledger is.

use rusqlite::types::Value;

/// How many closed incidents a restart reads back, at most: those that closed last.
pub const INCIDENTS_RESTORED_MAX: u32 = 200;

/// How many entries of one incident a restart reads back, at most: the first and the newest ones.
pub const ENTRIES_PER_INCIDENT_MAX: u32 = 64;

/// How many entries of each kind that attempts and people's orders leave a restart reads back, at most: the newest. Budgets allow
/// far fewer attempts in 30 days, also of a large fleet.
pub const ENTRIES_PER_KIND_MAX: u32 = 8192;

/// How many changes of state, and of verdict, of one target a restart reads back, at most: the newest, as many as its last day has
/// cells.
pub const CHANGES_PER_TARGET_MAX: u32 = 144;

/// Finds the entries by index alone. `?1` is the number of closed incidents, `?2` how many of the newest entries of an
/// incident come along besides its first, `?3` how many entries of one kind, `?4` how many changes of a target besides its last.
///
/// The names of the targets are found by hopping from each to the next (the "loose index scan" that SQLite does not do by
/// itself, <https://sqlite.org/lang_with.html>): `SELECT DISTINCT target` would read the whole index.
pub(super) const SQL: &str = "
WITH RECURSIVE
    targets (target) AS (
        SELECT min(target) FROM ledger
        UNION ALL
        SELECT (SELECT min(target) FROM ledger WHERE targets.target < target) FROM targets WHERE target IS NOT NULL),
    incidents (incident) AS (
        SELECT incident FROM open_incident
        UNION
        SELECT incident FROM (SELECT incident FROM ledger WHERE kind = 'incident_closed' ORDER BY id DESC LIMIT ?1)
        UNION
        SELECT max(incident) FROM ledger WHERE incident IS NOT NULL),
    wanted (id) AS (
        SELECT id FROM targets CROSS JOIN ledger USING (target)
        WHERE kind = 'state_changed' AND coalesce(
            (SELECT id FROM ledger WHERE target = targets.target AND kind = 'state_changed' ORDER BY id DESC LIMIT 1 OFFSET ?4),
            0) <= id
        UNION
        SELECT id FROM targets CROSS JOIN ledger USING (target)
        WHERE kind = 'verdict_changed' AND coalesce(
            (SELECT id FROM ledger WHERE target = targets.target AND kind = 'verdict_changed' ORDER BY id DESC LIMIT 1 OFFSET ?4),
            0) <= id
        UNION
        SELECT (SELECT max(id) FROM ledger WHERE target = targets.target AND kind = 'version_changed') FROM targets
        UNION
        SELECT (SELECT max(id) FROM ledger WHERE target = targets.target AND kind = 'foreign_restart') FROM targets
        UNION
        SELECT (SELECT max(id) FROM ledger WHERE target = targets.target AND kind = 'traffic_learned') FROM targets
        UNION
        SELECT id FROM (SELECT id FROM ledger WHERE kind = 'intended' ORDER BY id DESC LIMIT ?3)
        UNION
        SELECT id FROM (SELECT id FROM ledger WHERE kind = 'step_started' ORDER BY id DESC LIMIT ?3)
        UNION
        SELECT id FROM (SELECT id FROM ledger WHERE kind = 'step_ended' ORDER BY id DESC LIMIT ?3)
        UNION
        SELECT id FROM (SELECT id FROM ledger WHERE kind = 'run_ended' ORDER BY id DESC LIMIT ?3)
        UNION
        SELECT id FROM (SELECT id FROM ledger WHERE kind = 'verified' ORDER BY id DESC LIMIT ?3)
        UNION
        SELECT id FROM (SELECT id FROM ledger WHERE kind = 'commanded' ORDER BY id DESC LIMIT ?3)
        UNION
        SELECT id FROM (SELECT id FROM ledger WHERE kind = 'began' ORDER BY id DESC LIMIT ?3)
        UNION
        SELECT (SELECT min(id) FROM ledger WHERE incident = incidents.incident) FROM incidents
        UNION
        SELECT id FROM incidents CROSS JOIN ledger USING (incident)
        WHERE coalesce(
            (SELECT id FROM ledger WHERE incident = incidents.incident ORDER BY id DESC LIMIT 1 OFFSET ?2), 0) < id)
SELECT id, body FROM ledger WHERE id IN (SELECT id FROM wanted) ORDER BY id";

/// Returns the values for [`SQL`].
pub(super) fn limits() -> Vec<Value> {
    let besides_first = ENTRIES_PER_INCIDENT_MAX.saturating_sub(1);
    let besides_last = CHANGES_PER_TARGET_MAX.saturating_sub(1);
    let limits = [INCIDENTS_RESTORED_MAX, besides_first, ENTRIES_PER_KIND_MAX, besides_last];
    limits.map(|limit| Value::Integer(limit.into())).to_vec()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rusqlite::{Connection, params_from_iter};

    use super::super::place::Place;
    use super::super::writer::Writer;
    use super::*;

    #[test]
    fn a_restore_never_walks_through_the_ledger() {
        let place = Place::new_memory();
        let _writer = Writer::open(place.clone(), Duration::MAX).unwrap();
        let connection = place.open_for_reading().unwrap();
        let steps = plan(&connection, SQL);
        assert!(steps.iter().any(|step| step.starts_with("SEARCH ledger")), "{steps:#?}");
        assert!(!steps.iter().any(|step| step.starts_with("SCAN ledger")), "{steps:#?}");
        // The rule above must be able to fail.
        let walk = "SELECT id, body FROM ledger WHERE body NOT IN (?1, ?2, ?3, ?4)";
        assert!(plan(&connection, walk).iter().any(|step| step.starts_with("SCAN ledger")));
    }

    fn plan(connection: &Connection, sql: &str) -> Vec<String> {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("sound SQL");
        let steps = statement.query_map(params_from_iter(limits()), |row| row.get(3)).expect("a plan");
        steps.collect::<Result<_, _>>().expect("text")
    }
}
