//! Deep probes and QR endpoints.

use serde_json::Value;

use super::body::{Body, says};
use super::facts::qr_mark;
use super::pointer::Pointer;
use super::rule::{When, contains};
use super::{Heard, clean};
use crate::engine::sample::{Deep, Failure, QrMark, Word};

/// A call that must reach the page or socket behind the status, without doing anything.
#[derive(Clone, Debug)]
pub(super) struct DeepProbe {
    /// None where no harmless call is known: then only what others recorded is judged.
    pub(super) path: Option<String>,
    /// Error texts that only a dead session gives. The HTTP status alone proves nothing.
    pub(super) dead: Vec<String>,
    /// Conditions under which a success tells of a dead session.
    pub(super) dead_when: Option<When>,
    pub(super) timeout_fails: bool,
}

/// Where the QR code is asked.
#[derive(Clone, Debug)]
pub(super) struct QrProbe {
    pub(super) path: String,
    /// Where the code's text stands, the best place first.
    pub(super) text: Vec<Pointer>,
}

impl DeepProbe {
    /// Judges what came of the probe.
    pub(super) fn read(&self, body: &Body, heard: Heard<'_>) -> Deep {
        let (status, bytes) = match heard {
            Heard::Failed(Failure::Timeout) if self.timeout_fails => return Deep::TimedOut,
            Heard::Failed(_) => return Deep::Unclear,
            Heard::Reply { status, body, pace: _ } => (status, body),
        };
        let parsed: Option<Value> = serde_json::from_slice(bytes).ok();
        let succeeded = (200..300).contains(&status);
        let tells_an_error = 500 <= status || (succeeded && parsed.as_ref().is_some_and(is_error));
        if tells_an_error && let Some(text) = self.dead_text(bytes) {
            return Deep::Failed(Word::new(&format!("{text} (HTTP {status})")));
        }
        match parsed {
            Some(parsed) if self.is_dead(body, status, succeeded, &parsed) => {
                Deep::Failed(says(&parsed).map_or_else(|| Word::new("refused"), clean::word))
            }
            Some(parsed) if succeeded && !is_error(&parsed) => Deep::Passed,
            Some(_) | None => Deep::Unclear,
        }
    }

    fn dead_text(&self, bytes: &[u8]) -> Option<&str> {
        let text = String::from_utf8_lossy(bytes);
        self.dead.iter().map(String::as_str).find(|dead| contains(&text, dead))
    }

    fn is_dead(&self, body: &Body, status: u16, succeeded: bool, parsed: &Value) -> bool {
        self.dead_when.as_ref().is_some_and(|when| when.holds(status, succeeded, &body.search.find(parsed)))
    }
}

impl QrProbe {
    /// Returns the mark of the code that is shown.
    pub(super) fn read(&self, heard: Heard<'_>) -> Option<QrMark> {
        match heard {
            Heard::Reply { status, body, pace: _ } if (200..300).contains(&status) => {
                let parsed: Value = serde_json::from_slice(body).ok()?;
                self.text.iter().find_map(|text| text.find(&parsed).and_then(qr_mark))
            }
            Heard::Reply { .. } | Heard::Failed(_) => None,
        }
    }
}

/// Tells an error that came with a success status.
fn is_error(body: &Value) -> bool {
    let flag = |key: &str| body.get(key).and_then(Value::as_bool);
    flag("success") == Some(false) || flag("error") == Some(true) || body.get("error").is_some_and(Value::is_string)
}
