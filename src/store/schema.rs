//! The tables of the ledger, and how an older file is brought up to date.

use rusqlite::{Connection, TransactionBehavior};

use super::error::StoreError;
use super::place::Place;

/// Marks a database as a ledger of ours: `wadg` in the file's header, as `file(1)` shows it.
const APPLICATION_ID: i32 = 0x7761_6467;

/// Each version of the tables as a step from the one before; the number of steps done stands in `user_version`.
///
/// Steps that were released never change; a change is a further step. A new kind of entry is a new step too, if only an empty
/// one: an older program then refuses the file instead of stumbling over the entry.
const MIGRATIONS: [&str; 2] = [
    "
    -- What happened, in the order in which it was written; body is the whole entry as JSON.
    CREATE TABLE ledger (
        id       INTEGER PRIMARY KEY AUTOINCREMENT,
        at_ms    INTEGER NOT NULL,
        target   TEXT    NOT NULL,
        kind     TEXT    NOT NULL,
        incident INTEGER,
        body     TEXT    NOT NULL
    ) STRICT;
    CREATE INDEX ledger_target_time ON ledger (target, at_ms);
    CREATE INDEX ledger_target_kind ON ledger (target, kind);
    CREATE INDEX ledger_kind ON ledger (kind);
    CREATE INDEX ledger_time ON ledger (at_ms);
    CREATE INDEX ledger_incident ON ledger (incident) WHERE incident IS NOT NULL;

    -- Which incidents are open, so that nobody has to search for what is not there.
    CREATE TABLE open_incident (incident INTEGER PRIMARY KEY) STRICT;
    CREATE TRIGGER ledger_opens_incident AFTER INSERT ON ledger WHEN new.kind = 'incident_opened' BEGIN
        INSERT OR IGNORE INTO open_incident (incident) VALUES (new.incident);
    END;
    CREATE TRIGGER ledger_closes_incident AFTER INSERT ON ledger WHEN new.kind = 'incident_closed' BEGIN
        DELETE FROM open_incident WHERE incident = new.incident;
    END;
",
    "
    -- New kinds of entries: attempts and their steps, refusals, orders of people, hand-offs, storms, versions.
",
];

/// What a database turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// Nothing yet.
    Empty,
    /// A ledger of this version, which this program knows.
    Ledger(i32),
}

/// Finds out what a database is; one that this program must not touch is an error.
pub(super) fn identify(place: &Place, connection: &Connection) -> Result<Identity, StoreError> {
    let of = |source| StoreError::of(place, source);
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0)).map_err(of);
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 = connection.query_one("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0)).map_err(of)?;
    if application == 0 && version == 0 && tables == 0 {
        return Ok(Identity::Empty);
    }
    if application != APPLICATION_ID {
        return Err(StoreError::Foreign { place: place.to_string() });
    }
    if newest() < version {
        return Err(StoreError::Newer { place: place.to_string(), found: version, known: newest() });
    }
    Ok(Identity::Ledger(version))
}

/// Brings a ledger up to date, all of it or nothing.
pub(super) fn migrate(place: &Place, connection: &mut Connection) -> Result<(), StoreError> {
    let of = |source| StoreError::of(place, source);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(of)?;
    // Asked again now that nobody else can write: another process may have been quicker.
    let found = match identify(place, &transaction)? {
        Identity::Empty => 0,
        Identity::Ledger(version) => version,
    };
    for step in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(step).map_err(of)?;
    }
    if found < newest() {
        transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(of)?;
        transaction.pragma_update(None, "user_version", newest()).map_err(of)?;
    }
    transaction.commit().map_err(of)
}

/// Checks that a database is a ledger that can be read as it is.
pub(super) fn require_current(place: &Place, connection: &Connection) -> Result<(), StoreError> {
    let found = match identify(place, connection)? {
        Identity::Empty => 0,
        Identity::Ledger(version) => version,
    };
    if found < newest() {
        return Err(StoreError::Older { place: place.to_string(), found, known: newest() });
    }
    Ok(())
}

fn newest() -> i32 {
    i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX)
}
