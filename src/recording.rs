//! What was seen, as it came: what a recording holds, and a replay reads again.
//!
//! The written form is read in `wire` and written in `write`: what one writes the other reads.

pub(crate) mod wire;
pub(crate) mod write;

use std::fmt;
use std::time::Duration;

use crate::dialect::{Dialect, Hash, Heard, Pace, redact_text};
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

impl Raw {
    /// Puts a stand-in in the place of every secret. The dialect reads the same.
    #[must_use]
    pub fn redacted(self, dialect: &Dialect, session: Option<&str>, hash: Hash<'_>) -> Self {
        let text = |text: &str| redact_text(text, hash).into_owned();
        let came = |came| match came {
            Came::Reply { status, retry_after, rate_limit_reset, body } => Came::Reply {
                status,
                retry_after: retry_after.as_deref().map(text),
                rate_limit_reset: rate_limit_reset.as_deref().map(text),
                body: dialect.redact(&body, session, hash),
            },
            Came::Failed(failure) => Came::Failed(failure),
        };
        let call = |call: Call| Call { latency: call.latency, came: came(call.came), checked: call.checked.map(came) };
        match self {
            Self::Asked(ask, asked) => Self::Asked(ask, call(asked)),
            Self::Pushed(pushed) => Self::Pushed(call(pushed)),
            Self::Unasked(word) => Self::Unasked(Word::new(&text(word.as_str()))),
            Self::Log(line) => Self::Log(text(&line)),
            Self::Memory(_) | Self::Activity(_) | Self::Runtime(_) | Self::Alert(_) => self,
        }
    }

    /// Returns about how many bytes it holds.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Asked(_, call) | Self::Pushed(call) => match &call.came {
                Came::Reply { body, .. } => body.len(),
                Came::Failed(_) => 0,
            },
            Self::Log(line) => line.len(),
            Self::Unasked(_) | Self::Memory(_) | Self::Activity(_) | Self::Runtime(_) | Self::Alert(_) => 0,
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
