//! What becomes of a line.

use std::error::Error;

use jiff::Timestamp;

use crate::dialect::draws_qr;
use crate::engine::sample::Sample;
use crate::http::Http;
use crate::recording::Raw;
use crate::source::outlet::Outlet;

/// Reads the lines of one target's log: what means something is told, and nothing else is kept.
pub(super) struct Reader {
    outlet: Outlet,
    /// How many lines of one second are looked at.
    lines_max: u32,
    /// The second that is being read, and how many lines of it were looked at.
    second: (i64, u32),
    /// Whether it was said that the log cannot be followed, so that it is said once.
    is_told: bool,
}

impl Reader {
    pub(super) fn new(outlet: Outlet, lines_max: u32) -> Self {
        Self { outlet, lines_max, second: (0, 0), is_told: false }
    }

    pub(super) fn http(&self) -> &Http {
        &self.outlet.http
    }

    /// The present time, where a daemon does not tell its own.
    pub(super) fn wall(&self) -> Timestamp {
        Timestamp::from_millisecond(self.outlet.now().wall.millis()).unwrap_or_default()
    }

    /// The present second, for lines that bring no time of their own.
    pub(super) fn second(&self) -> i64 {
        i64::try_from(self.outlet.now().uptime.as_secs()).unwrap_or(i64::MAX)
    }

    /// Reads a line that was written in this second.
    pub(super) fn read(&mut self, line: &[u8], is_cut: bool, second: i64) {
        let counts = &self.outlet.counts;
        if !has_room(&mut self.second, second, self.lines_max) {
            return counts.log_over_rate.add();
        }
        if is_cut {
            counts.log_cut.add();
        }
        let text = String::from_utf8_lossy(line);
        let target = self.outlet.target();
        if let Some(signal) = target.dialect.read_log(&text) {
            let raw = Raw::Log(signal.line.as_str().to_owned());
            self.outlet.tell(Sample::Signal(signal), raw);
        } else if draws_qr(&text) {
            counts.log_qr.add();
        } else {
            counts.log_meaningless.add();
        }
    }

    /// Counts a line that is too old to be news.
    pub(super) fn drop_old(&self) {
        self.outlet.counts.log_old.add();
    }

    /// Notes that the log cannot be followed.
    pub(super) fn lost(&mut self, error: &(dyn Error + 'static)) {
        self.outlet.counts.log_unread.add();
        if !std::mem::replace(&mut self.is_told, true) {
            let target = self.outlet.target();
            tracing::warn!(target_id = %target.id, error, "a log cannot be followed; it is not said again until it can");
        }
    }

    /// Notes that it is followed.
    pub(super) fn found(&mut self) {
        if std::mem::take(&mut self.is_told) {
            let target = self.outlet.target();
            tracing::info!(target_id = %target.id, "a log is followed again");
        }
    }
}

/// Takes a place in a second, if there is one left.
fn has_room((present, taken): &mut (i64, u32), second: i64, max: u32) -> bool {
    if *present != second {
        (*present, *taken) = (second, 0);
    }
    let has_room = *taken < max;
    if has_room {
        *taken = taken.saturating_add(1);
    }
    has_room
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_room_for_so_many_lines() {
        let mut second = (0, 0);
        let mut read = |at| has_room(&mut second, at, 2);
        assert_eq!([read(7), read(7), read(7), read(8), read(8), read(8)], [true, true, false, true, true, false]);
        // A clock that was put back closes no log.
        assert!(read(3));
    }
}
