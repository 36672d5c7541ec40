//! How far a container's log was read, by the runtime's own times.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// How far before the last line reading is taken up again: lines of the two outputs may come a little out of their order.
const OVERLAP: Duration = Duration::from_secs(2);
/// Most lines that are known again. A log that is louder than this within the overlap is taken up later.
const KNOWN_MAX: usize = 4096;
/// The smallest step of time.
const NANO: SignedDuration = SignedDuration::from_nanos(1);

/// A line, known again by its time and what it said; not the line itself, which may hold a secret.
type Mark = (Timestamp, u64);

/// How far a log was read.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Nothing before it is asked for.
    floor: Option<Timestamp>,
    newest: Option<Timestamp>,
    /// The lines of the overlap, the earliest first.
    known: VecDeque<Mark>,
    /// Those of them that will come a second time, and how often.
    again: BTreeMap<Mark, u32>,
}

impl Seen {
    /// Nothing was read, and everything is new from this time on.
    pub(super) fn from(floor: Timestamp) -> Self {
        Self { floor: Some(floor), ..Self::default() }
    }

    /// Returns from which time on lines are to be asked for; none: from the first one. Lines that come from there on are known again.
    pub(super) fn resume(&mut self) -> Option<Timestamp> {
        self.again.clear();
        for mark in &self.known {
            let times = self.again.entry(*mark).or_default();
            *times = times.saturating_add(1);
        }
        self.since()
    }

    /// Tells whether a line is new; from then on it is known.
    pub(super) fn is_news(&mut self, at: Timestamp, line: &[u8]) -> bool {
        let mark = (at, fingerprint(line));
        if let Some(times) = self.again.get_mut(&mark) {
            *times = times.saturating_sub(1);
            if *times == 0 {
                self.again.remove(&mark);
            }
            return false;
        }
        self.newest = Some(self.newest.map_or(at, |newest| newest.max(at)));
        self.known.push_back(mark);
        self.forget();
        true
    }

    fn since(&self) -> Option<Timestamp> {
        let overlap = self.newest.and_then(|newest| newest.checked_sub(OVERLAP).ok());
        self.floor.max(overlap)
    }

    /// Forgets what will not be asked for any more.
    fn forget(&mut self) {
        while KNOWN_MAX < self.known.len() {
            let Some((at, _)) = self.known.pop_front() else { return };
            // What is not known again must not come again.
            self.floor = self.floor.max(at.checked_add(NANO).ok());
        }
        let since = self.since();
        while self.known.front().is_some_and(|(at, _)| Some(*at) < since) {
            self.known.pop_front();
        }
    }
}

fn fingerprint(line: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    line.hash(&mut hasher);
    hasher.finish()
}

/// Parts a line from the time that the runtime put before it; none: it has none.
pub(super) fn part(line: &[u8]) -> (Option<Timestamp>, &[u8]) {
    let mut parts = line.splitn(2, |byte| *byte == b' ');
    let time = parts.next().and_then(|time| std::str::from_utf8(time).ok()).and_then(|time| time.parse().ok());
    match time {
        Some(time) => (Some(time), parts.next().unwrap_or_default()),
        None => (None, line),
    }
}

/// Writes a time as the API takes it: seconds and nanoseconds.
pub(super) fn in_query(at: Timestamp) -> String {
    format!("{}.{:09}", at.as_second(), at.subsec_nanosecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: i64) -> Timestamp {
        Timestamp::from_second(1_770_200_000).unwrap().checked_add(SignedDuration::from_nanos(nanos)).unwrap()
    }

    /// What a daemon would send.
    fn sent(log: &[(i64, &'static str)], since: Option<Timestamp>) -> Vec<(i64, &'static str)> {
        log.iter().copied().filter(|(nanos, _)| since <= Some(at(*nanos))).collect()
    }

    fn news(seen: &mut Seen, lines: &[(i64, &'static str)]) -> Vec<&'static str> {
        lines.iter().filter(|(nanos, line)| seen.is_news(at(*nanos), line.as_bytes())).map(|(_, line)| *line).collect()
    }

    #[test]
    fn wherever_it_breaks_no_line_is_lost_and_none_comes_twice() {
        const SECOND: i64 = 1_000_000_000;
        // Two of the same time, two that are equal, and two out of their order.
        let log = [
            (0, "a"),
            (5, "b"),
            (5, "b"),
            (5, "c"),
            (3, "d"),
            (SECOND, "e"),
            (9 * SECOND, "f"),
            (9 * SECOND - 7, "g"),
            (9 * SECOND, "f"),
            (10 * SECOND, "h"),
        ];
        let whole: Vec<&str> = log.iter().map(|(_, line)| *line).collect();
        for first in 0..=log.len() {
            for second in first..=log.len() {
                let mut seen = Seen::default();
                let mut heard = news(&mut seen, &sent(&log[..first], None));
                let since = seen.resume();
                heard.extend(news(&mut seen, &sent(&log[..second], since)));
                let since = seen.resume();
                heard.extend(news(&mut seen, &sent(&log, since)));
                assert_eq!(heard, whole, "broken after {first} and {second}");
            }
        }
    }

    #[test]
    fn what_is_older_than_the_beginning_is_not_asked_for() {
        let mut seen = Seen::from(at(100));
        assert_eq!(seen.resume(), Some(at(100)));
        assert!(seen.is_news(at(150), b"x"));
        assert_eq!(seen.resume(), Some(at(100)), "the overlap does not reach behind it");
        assert_eq!(Seen::default().resume(), None);
    }

    #[test]
    fn a_loud_log_takes_no_more_room_and_comes_not_twice() {
        let mut seen = Seen::default();
        let count = i64::try_from(KNOWN_MAX).unwrap() * 3;
        for nanos in 0..count {
            assert!(seen.is_news(at(nanos), b"loud"));
        }
        assert_eq!(seen.known.len(), KNOWN_MAX);
        let since = seen.resume().unwrap();
        let again = (0..count).filter(|nanos| since <= at(*nanos));
        assert_eq!(again.filter(|nanos| seen.is_news(at(*nanos), b"loud")).count(), 0);
        assert!(seen.is_news(at(count), b"loud"));
    }

    #[test]
    fn a_line_is_parted_from_its_time() {
        let (time, text) = part(b"2026-02-04T10:13:20.000000005Z \xf0\x9f\x93\xb4 Disconnected: LOGOUT");
        assert_eq!((time, text), (Some(at(5)), "📴 Disconnected: LOGOUT".as_bytes()));
        assert_eq!(part(b"2026-02-04T10:13:20.000000005Z "), (Some(at(5)), &b""[..]));
        assert_eq!(part(b"2026-02-04T11:13:20.000000005+01:00 x").0, Some(at(5)));
        assert_eq!(part(b"no time"), (None, &b"no time"[..]));
        assert_eq!(part(b""), (None, &b""[..]));
        assert_eq!(in_query(at(5)), "1770200000.000000005");
    }
}
