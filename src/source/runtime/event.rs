//! One event of a daemon, read tolerantly: only `Type`, `Action`, `Actor` and the time, which every version has.

use serde_json::Value;

/// Longest event that is read, in bytes; one holds every label of its container.
const LINE_BYTES_MAX: usize = 256 << 10;

/// Cuts a body into lines, which are whole events.
#[derive(Debug, Default)]
pub(super) struct Lines {
    rest: Vec<u8>,
    /// The line is longer than any event, and is left out up to its end.
    is_over: bool,
}

impl Lines {
    /// Takes in some bytes; returns the lines that they end, and none in place of one that was too long.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Option<Vec<u8>>> {
        let mut lines = Vec::new();
        let mut parts = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(part) = parts.next() {
            if LINE_BYTES_MAX < self.rest.len().saturating_add(part.len()) {
                self.is_over = true;
                self.rest.clear();
            }
            if !self.is_over {
                self.rest.extend_from_slice(part);
            }
            if parts.peek().is_none() {
                break;
            }
            let line = std::mem::take(&mut self.rest);
            if std::mem::take(&mut self.is_over) {
                lines.push(None);
            } else if !line.trim_ascii().is_empty() {
                lines.push(Some(line));
            }
        }
        lines
    }
}

/// What happened to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) action: Action,
    /// The container's id.
    pub(super) id: String,
    /// Its name at that time.
    pub(super) name: String,
    /// When, in nanoseconds since 1970.
    pub(super) nanos: u64,
}

/// What is done to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Something in it was killed for memory.
    Oom,
    /// Its main process ended, with this code.
    Die(Option<i64>),
    /// Somebody sent it a signal.
    Kill,
    /// It started.
    Start,
    /// Its check says this.
    Health(String),
    /// It came by its name, or lost it.
    Named,
    /// Anything else.
    Other,
}

impl Event {
    /// Reads a line; none where it is no event of a container.
    pub(super) fn read(line: &[u8]) -> Option<Self> {
        let event: Value = serde_json::from_slice(line).ok()?;
        let text = |place: &str| event.pointer(place).and_then(Value::as_str);
        if text("/Type").is_some_and(|kind| kind != "container") {
            return None;
        }
        let nanos = event.get("timeNano").and_then(Value::as_u64);
        let secs = event.get("time").and_then(Value::as_u64).and_then(|secs| secs.checked_mul(1_000_000_000));
        let (verb, detail) = text("/Action")?.split_once(": ").unwrap_or((text("/Action")?, ""));
        let action = match verb {
            "oom" => Action::Oom,
            "die" => Action::Die(text("/Actor/Attributes/exitCode").and_then(|code| code.parse().ok())),
            "kill" => Action::Kill,
            "start" => Action::Start,
            "health_status" => Action::Health(detail.to_owned()),
            "create" | "rename" | "destroy" => Action::Named,
            _ => Action::Other,
        };
        let name = text("/Actor/Attributes/name").unwrap_or_default().trim_start_matches('/').to_owned();
        Some(Self { action, id: text("/Actor/ID").unwrap_or_default().to_owned(), name, nanos: nanos.or(secs)? })
    }

    /// Tells whether the container may be another one after it.
    pub(super) fn asks_for_look(&self) -> bool {
        matches!(self.action, Action::Start | Action::Named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Docker 20.10 told it.
    const DIE: &str = r#"{"status":"die","id":"a2d8","from":"bb:test","Type":"container","Action":"die","Actor":{"ID":"a2d8","Attributes":{"exitCode":"137","image":"bb:test","name":"wa1"}},"scope":"local","time":1795264742,"timeNano":1795264742777278018}"#;

    #[test]
    fn an_event_is_read_with_and_without_what_newer_versions_leave_out() {
        let event = Event::read(DIE.as_bytes()).unwrap();
        assert_eq!((event.action, event.id.as_str(), event.name.as_str()), (Action::Die(Some(137)), "a2d8", "wa1"));
        assert_eq!(event.nanos, 1_795_264_742_777_278_018);
        let health = r#"{"Type":"container","Action":"health_status: unhealthy","Actor":{"ID":"b"},"time":7}"#;
        let event = Event::read(health.as_bytes()).unwrap();
        assert_eq!((event.action, event.nanos), (Action::Health("unhealthy".to_owned()), 7_000_000_000));
    }

    #[test]
    fn garbage_is_none() {
        for garbage in
            ["", "null", "[]", "{}", r#"{"Action":7,"time":1}"#, r#"{"Action":"die"}"#, "{\"Action\":\"die\""]
        {
            assert_eq!(Event::read(garbage.as_bytes()), None, "{garbage}");
        }
        assert_eq!(Event::read(br#"{"Type":"image","Action":"pull","time":1}"#), None);
        let odd =
            Event::read(br#"{"Action":"die","Actor":{"Attributes":{"exitCode":137,"name":7}},"time":1}"#).unwrap();
        assert_eq!((odd.action, odd.name.as_str()), (Action::Die(None), ""));
        assert_eq!(Event::read(br#"{"Action":"exec_die","time":1}"#).unwrap().action, Action::Other);
    }

    #[test]
    fn lines_come_whole_whatever_the_pieces() {
        let mut lines = Lines::default();
        assert_eq!(lines.feed(b"ab"), []);
        assert_eq!(lines.feed(b"c\n\n\r\nd\ne"), [Some(b"abc".to_vec()), Some(b"d".to_vec())]);
        assert_eq!(lines.feed(b"\n"), [Some(b"e".to_vec())]);
    }

    #[test]
    fn a_line_without_an_end_takes_no_room() {
        let mut lines = Lines::default();
        for _ in 0..8 {
            assert_eq!(lines.feed(&vec![b'x'; LINE_BYTES_MAX / 4]), []);
            assert!(lines.rest.len() <= LINE_BYTES_MAX);
        }
        assert_eq!(lines.feed(b"y\nz\n"), [None, Some(b"z".to_vec())]);
    }
}
