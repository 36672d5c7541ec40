//! Live and ready: two questions about the watchdog itself, never about a session.

use std::sync::{Arc, OnceLock};

use hyper::StatusCode;

use crate::engine::moment::{Wall, words};

use super::SNAPSHOT_AGE_MAX;
use super::reply::{Answer, problem, text};

/// A latch that opens once: the configuration is loaded and the ledger is read.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<OnceLock<()>>);

impl Readiness {
    /// Opens it for good.
    pub fn open(&self) {
        self.0.get_or_init(|| ());
    }

    /// Tells whether it was opened.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.get().is_some()
    }
}

pub(super) fn healthy(snapshot_at: Wall, now: Wall) -> Answer {
    let age = now.since(snapshot_at);
    if age <= SNAPSHOT_AGE_MAX {
        return text(StatusCode::OK, "healthy\n");
    }
    let error = format!("the last snapshot is {} old; limit is {}", words(age), words(SNAPSHOT_AGE_MAX));
    problem(StatusCode::SERVICE_UNAVAILABLE, &error, "the watchdog's loop is stuck: see its log, then restart it")
}

pub(super) fn ready(latch: &Readiness) -> Answer {
    if latch.is_open() {
        return text(StatusCode::OK, "ready\n");
    }
    problem(StatusCode::SERVICE_UNAVAILABLE, "the watchdog is still starting", "ask again in a few seconds")
}
