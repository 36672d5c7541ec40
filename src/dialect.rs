//! A gateway's wire language as data: answers in, samples out.
//!
//! Adding a gateway is adding one TOML file, no code: the built-in ones stand in `config/dialects/`, a user's own is loaded by
//! path. Pure: what was heard and the time come in, a [`Sample`] comes out. A body that nobody understands is a sample too,
//! never an error.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::moment::Wall;
use crate::engine::sample::{Failure, Sample, Signal};
use crate::engine::watchdog::Ask;

/// One gateway's wire language, parsed and checked.
#[derive(Clone, Debug)]
pub struct Dialect {
    name: String,
}

/// What came of one HTTP call.
#[derive(Clone, Copy, Debug)]
pub enum Heard<'a> {
    /// An answer, of whatever status.
    Reply {
        /// HTTP status.
        status: u16,
        /// The headers that say when to come back.
        pace: Pace<'a>,
        /// The body as it came, already cut to the limit.
        body: &'a [u8],
    },
    /// None.
    Failed(Failure),
}

/// The headers that say when to come back.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace<'a> {
    /// `Retry-After`: seconds or an HTTP date (RFC 9110, 10.2.3).
    pub retry_after: Option<&'a str>,
    /// `X-RateLimit-Reset`: seconds until then, or a Unix time.
    pub rate_limit_reset: Option<&'a str>,
}

/// Where a target's answers come from, as far as a dialect needs to know it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Route<'a> {
    /// The session's name or number at the gateway.
    pub session: Option<&'a str>,
    /// A status path other than the dialect's own.
    pub status_path: Option<&'a str>,
}

/// How a dialect wants the token to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// Header name, `Authorization` or `X-Api-Key`.
    pub header: String,
    /// What stands before the token, `Bearer `; may be empty.
    pub prefix: String,
}

/// One thing that is wrong with a dialect file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Line, from 1.
    pub line: usize,
    /// The key it is about.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

impl Dialect {
    /// Parses and checks a dialect file; reports every fault at once.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        Ok(Self { name: text.to_owned() })
    }

    /// Returns a built-in dialect by name, parsed once.
    #[must_use]
    pub fn builtin(name: &str) -> Option<Arc<Self>> {
        let _ = name;
        None
    }

    /// Returns its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns how the token is sent, if it takes one.
    #[must_use]
    pub fn auth(&self) -> Option<&Auth> {
        None
    }

    /// Tells whether it has such an endpoint.
    #[must_use]
    pub fn has(&self, ask: Ask) -> bool {
        let _ = ask;
        false
    }

    /// Returns the path and query to ask, `{session}` filled in and percent-encoded; none without such an endpoint, or without
    /// the session that it needs.
    #[must_use]
    pub fn path(&self, ask: Ask, route: Route<'_>) -> Option<String> {
        let _ = (ask, route);
        None
    }

    /// Tells whether a target must name its session for this route.
    #[must_use]
    pub fn needs_session(&self, status_path: Option<&str>) -> bool {
        let _ = status_path;
        false
    }

    /// Turns what was heard into a sample. `now` is the time at which it was heard.
    #[must_use]
    pub fn read(&self, ask: Ask, route: Route<'_>, now: Wall, latency: Duration, heard: Heard<'_>) -> Sample {
        let _ = (ask, route, now, latency, heard);
        Sample::Activity
    }

    /// Turns a log line into a signal, if the dialect knows a meaning for it.
    #[must_use]
    pub fn read_log(&self, line: &str) -> Option<Signal> {
        let _ = line;
        None
    }
}

/// Returns the names and texts of the built-in dialects, by name.
#[must_use]
pub fn builtins() -> &'static [(&'static str, &'static str)] {
    &[]
}
