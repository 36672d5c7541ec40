//! What was seen, as it came: what a recording holds, and a replay reads again.

use std::fmt;
use std::time::Duration;

use crate::dialect::{Heard, Pace};
use crate::engine::sample::{Alert, Failure, Memory, Runtime, Sample, Word};
use crate::engine::target::TargetId;
use crate::engine::watchdog::Ask;

/// One piece of news about one session: what it means, and what it was made of.
#[derive(Clone, Debug, PartialEq)]
pub struct News {
    /// Whose.
    pub target: TargetId,
    /// What it means.
    pub sample: Sample,
    /// What came, before anybody understood it.
    pub raw: Raw,
}

/// What came, before anybody understood it. May hold secrets: whoever writes it down takes them out.
#[derive(Clone, Debug, PartialEq)]
pub enum Raw {
    /// An endpoint was asked.
    Asked(Ask, Call),
    /// The watchdog could not ask, by its own fault.
    Unasked(Word),
    /// The gateway pushed its status.
    Pushed(Call),
    /// Memory was read.
    Memory(Memory),
    /// A log line that means something; cleaned of secrets.
    Log(String),
    /// So many messages passed.
    Activity(u32),
    /// The runtime reported on the container or process.
    Runtime(Runtime),
    /// Somebody else raised an alarm about it, or called it off.
    Alert(Alert),
}

/// One HTTP call and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The time until it was answered or given up.
    pub latency: Duration,
    /// What came of it.
    pub came: Came,
    /// What came of asking somebody else whether that can be true.
    pub checked: Option<Came>,
}

/// What came of an HTTP call, still with its owner.
#[derive(Clone, PartialEq, Eq)]
pub enum Came {
    /// An answer, of whatever status.
    Reply {
        /// HTTP status.
        status: u16,
        /// `Retry-After`, as it came.
        retry_after: Option<String>,
        /// `X-RateLimit-Reset`, as it came.
        rate_limit_reset: Option<String>,
        /// The body, cut to its limit.
        body: Vec<u8>,
    },
    /// None.
    Failed(Failure),
}

impl fmt::Debug for Came {
    /// Shows no body: it may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply { status, body, .. } => write!(f, "HTTP {status}, {} bytes", body.len()),
            Self::Failed(failure) => write!(f, "{failure}"),
        }
    }
}

impl Came {
    /// Returns what a dialect reads.
    #[must_use]
    pub fn heard(&self) -> Heard<'_> {
        match self {
            Self::Reply { status, retry_after, rate_limit_reset, body } => Heard::Reply {
                status: *status,
                pace: Pace { retry_after: retry_after.as_deref(), rate_limit_reset: rate_limit_reset.as_deref() },
                body,
            },
            Self::Failed(failure) => Heard::Failed(*failure),
        }
    }
}
