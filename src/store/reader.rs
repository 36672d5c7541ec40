//! Reading the ledger: beside the daemon's writing, or from another process.

use std::ops::ControlFlow;
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, Rows, params_from_iter};

use crate::engine::incident::IncidentId;
use crate::engine::ledger::LedgerEntry;
use crate::engine::moment::Wall;
use crate::engine::target::TargetId;

use super::error::StoreError;
use super::place::Place;
use super::restore;

/// What reads a ledger. Cheap to clone; every call has a connection of its own, so it serves any thread.
///
/// Calls wait for the disk: from async code use `spawn_blocking`.
#[derive(Clone, Debug)]
pub struct Reader {
    place: Place,
}

/// Which entries to read. The default is all of them, newest first.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Only of this target.
    pub target: Option<TargetId>,
    /// Only of these kinds, by their words; of every kind when empty.
    pub kinds: Vec<String>,
    /// Only of this incident.
    pub incident: Option<IncidentId>,
    /// Only from then on.
    pub since: Option<Wall>,
    /// Only before then.
    pub until: Option<Wall>,
    /// Only what comes after this entry, in the order asked for: the last one of the page before.
    pub after: Option<i64>,
    /// In which order.
    pub sorting: Sorting,
    /// At most so many.
    pub limit: Option<u32>,
}

/// In which order entries are read: that of writing, whatever the clock did meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sorting {
    /// Last written first.
    #[default]
    NewestFirst,
    /// First written first.
    OldestFirst,
}

impl Reader {
    pub(super) fn new(place: Place) -> Self {
        Self { place }
    }

    /// Reads the ledger at `path`, which must exist and be of this program's version. The daemon may be running.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let place = Place::File(path.to_owned());
        place.open_for_reading()?;
        Ok(Self { place })
    }

    /// Returns what a restart needs, oldest first: of every target the last [`CHANGES_PER_TARGET_MAX`](super::CHANGES_PER_TARGET_MAX)
    /// states and as many verdicts, the incidents that are open, and the
    /// [`INCIDENTS_RESTORED_MAX`](super::INCIDENTS_RESTORED_MAX) that closed last.
    ///
    /// The highest incident number that was ever used is always among them, so that whoever counts on from the highest that
    /// it sees uses none twice. Of a very long incident come its first entry and the newest ones, in all at most
    /// [`ENTRIES_PER_INCIDENT_MAX`](super::ENTRIES_PER_INCIDENT_MAX). The cost depends on these limits, not on the size of
    /// the ledger.
    pub fn load_for_restore(&self) -> Result<Vec<LedgerEntry>, StoreError> {
        let connection = self.place.open_for_reading()?;
        let mut entries = Vec::new();
        self.read(&connection, restore::SQL, restore::limits(), |_, entry| {
            entries.push(entry);
            ControlFlow::Continue(())
        })?;
        Ok(entries)
    }

    /// Returns the entries that match, each with its number.
    pub fn query(&self, query: &Query) -> Result<Vec<(i64, LedgerEntry)>, StoreError> {
        let mut lines = Vec::new();
        self.for_each(query, |id, entry| {
            lines.push((id, entry));
            ControlFlow::Continue(())
        })?;
        Ok(lines)
    }

    /// Hands over the entries that match one by one, until `visit` has seen enough. All are of one moment, however long it
    /// takes; meanwhile the write-ahead log grows, so do not tarry.
    pub fn for_each(
        &self,
        query: &Query,
        visit: impl FnMut(i64, LedgerEntry) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let connection = self.place.open_for_reading()?;
        let (sql, values) = query.to_sql();
        self.read(&connection, &sql, values, visit)
    }

    fn read(
        &self,
        connection: &Connection,
        sql: &str,
        values: Vec<Value>,
        visit: impl FnMut(i64, LedgerEntry) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let of = |source| StoreError::of(&self.place, source);
        let mut statement = connection.prepare(sql).map_err(of)?;
        let rows = statement.query(params_from_iter(values)).map_err(of)?;
        self.visit_rows(rows, visit)
    }

    fn visit_rows(
        &self,
        mut rows: Rows<'_>,
        mut visit: impl FnMut(i64, LedgerEntry) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let of = |source| StoreError::of(&self.place, source);
        while let Some(row) = rows.next().map_err(of)? {
            let id: i64 = row.get(0).map_err(of)?;
            let body: String = row.get(1).map_err(of)?;
            let entry = serde_json::from_str(&body).map_err(|source| StoreError::Entry {
                place: self.place.to_string(),
                id,
                source,
            })?;
            if visit(id, entry).is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl Query {
    fn to_sql(&self) -> (String, Vec<Value>) {
        let mut sql = "SELECT id, body FROM ledger WHERE true".to_owned();
        let mut values = Vec::new();
        let mut only = |clause: &str, value: Value| {
            sql.push_str(clause);
            values.push(value);
        };
        if let Some(target) = &self.target {
            only(" AND target = ?", Value::Text(target.as_str().to_owned()));
        }
        if let Some(incident) = self.incident {
            only(" AND incident = ?", Value::Integer(i64::try_from(incident.0).unwrap_or(i64::MAX)));
        }
        if let Some(since) = self.since {
            only(" AND ? <= at_ms", Value::Integer(since.millis()));
        }
        if let Some(until) = self.until {
            only(" AND at_ms < ?", Value::Integer(until.millis()));
        }
        let (beyond, order) = match self.sorting {
            Sorting::NewestFirst => (" AND id < ?", " ORDER BY id DESC LIMIT ?"),
            Sorting::OldestFirst => (" AND ? < id", " ORDER BY id LIMIT ?"),
        };
        if let Some(after) = self.after {
            only(beyond, Value::Integer(after));
        }
        if !self.kinds.is_empty() {
            sql.push_str(" AND kind IN (");
            sql.push_str(&vec!["?"; self.kinds.len()].join(", "));
            sql.push(')');
            values.extend(self.kinds.iter().cloned().map(Value::Text));
        }
        sql.push_str(order);
        // A negative limit is none (https://sqlite.org/lang_select.html#the_limit_clause).
        values.push(Value::Integer(self.limit.map_or(-1, i64::from)));
        (sql, values)
    }
}
