//! What a gateway's own list says that happened between two polls.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::engine::moment::Moment;

/// How often a list is asked at most. One answer is not waited for any longer.
pub(super) const EVERY: Duration = Duration::from_mins(1);

/// How far one target's list was read.
#[derive(Debug, Default)]
pub(super) struct Reading {
    asked: Mutex<Option<Moment>>,
    /// The newest row that was seen; none before the first list.
    newest: Mutex<Option<u64>>,
}

impl Reading {
    /// Tells whether the list may be asked now; if so, it counts as asked.
    pub(super) fn begin(&self, now: Moment) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = asked.is_none_or(|asked| EVERY <= now.since(asked));
        if is_due {
            *asked = Some(now);
        }
        is_due
    }

    /// Returns the lines that are new. The first list is none of it: nobody knows how old its rows are for us.
    pub(super) fn news(&self, rows: Vec<(u64, String)>) -> Vec<String> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let before = newest.unwrap_or(u64::MAX);
        let last = rows.iter().map(|(id, _)| *id).max().unwrap_or_default();
        // A list that is empty at first has no old rows.
        *newest = Some(newest.unwrap_or_default().max(last));
        rows.into_iter().filter(|(id, _)| before < *id).map(|(_, line)| line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::moment::Wall;

    fn at(secs: u64) -> Moment {
        Moment { uptime: Duration::from_secs(secs), wall: Wall::from_secs(0) }
    }

    fn rows(ids: &[u64]) -> Vec<(u64, String)> {
        ids.iter().map(|id| (*id, id.to_string())).collect()
    }

    #[test]
    fn a_row_is_news_once_and_never_in_the_first_list() {
        let reading = Reading::default();
        assert!(reading.news(rows(&[200, 201])).is_empty());
        assert!(reading.news(rows(&[200, 201])).is_empty());
        assert_eq!(reading.news(rows(&[201, 202, 204])), ["202", "204"]);
        assert!(reading.news(rows(&[])).is_empty());
        assert!(reading.news(rows(&[203, 204])).is_empty());
        let empty = Reading::default();
        assert!(empty.news(rows(&[])).is_empty());
        assert_eq!(empty.news(rows(&[1])), ["1"]);
    }

    #[test]
    fn a_list_is_asked_once_a_minute() {
        let reading = Reading::default();
        assert!(reading.begin(at(10)));
        assert!(!reading.begin(at(69)));
        assert!(reading.begin(at(70)));
    }
}
