//! A gateway's own list of what happened to a session: it tells of changes between two polls.

use serde_json::Value;

use super::pointer::Pointer;

/// Most rows of one answer that are looked at.
const ROWS_MAX: usize = 100;

/// Where a session's past is asked.
#[derive(Clone, Debug)]
pub(super) struct History {
    pub(super) path: String,
    /// Where the rows stand, the best place first.
    pub(super) rows: Vec<Pointer>,
    /// Where a row has its number; later rows have higher ones.
    pub(super) id: Pointer,
    /// Whose texts, one after the other, are the line that the log rules judge.
    pub(super) line: Vec<Pointer>,
}

impl History {
    /// Returns the rows of an answer by their numbers, the earliest first; none where it lists none.
    pub(super) fn read(&self, body: &[u8]) -> Option<Vec<(u64, String)>> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let rows = self.rows.iter().find_map(|rows| rows.find(&body)?.as_array())?;
        let line = |row: &Value| {
            let texts = self.line.iter().filter_map(|place| place.find(row)?.as_str());
            texts.collect::<Vec<_>>().join(" ")
        };
        let row = |row: &Value| Some((self.id.find(row)?.as_u64()?, line(row)));
        let mut rows: Vec<(u64, String)> = rows.iter().take(ROWS_MAX).filter_map(row).collect();
        rows.sort_by_key(|(id, _)| *id);
        Some(rows)
    }
}
