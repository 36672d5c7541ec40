//! The named ways in which a session fails, and their order.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ladder::Remedy;

/// A named way to fail, in order of precedence: of several that match, the first is the verdict.
///
/// `MemoryPressure` stands beside the others: it may be reported at the same time as one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// Another client took the session.
    Conflict,
    /// The link to the phone is gone.
    SessionExpired,
    /// The session does not exist at its gateway.
    #[serde(rename = "repeated_404")]
    Repeated404,
    /// The gateway does not answer.
    Unreachable,
    /// It connects again and again without staying connected.
    StateLoop,
    /// It waits for a scan that nobody makes.
    StuckQr,
    /// It starts and never becomes usable.
    NeverReady,
    /// It says connected, and nothing passes.
    SilentSession,
    /// It is about to be killed for memory.
    MemoryPressure,
    /// The watchdog's own credentials are refused.
    CredentialsRefused,
}

/// The two things that can be wrong with a target at the same time, each with its own incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// What the session itself shows.
    Session,
    /// Memory, beside it.
    Memory,
}

impl Pattern {
    /// Every pattern, in order of precedence.
    pub const ALL: [Self; 10] = [
        Self::Conflict,
        Self::SessionExpired,
        Self::Repeated404,
        Self::Unreachable,
        Self::StateLoop,
        Self::StuckQr,
        Self::NeverReady,
        Self::SilentSession,
        Self::MemoryPressure,
        Self::CredentialsRefused,
    ];

    /// Returns the word used in metrics, API, configuration and recordings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::SessionExpired => "session_expired",
            Self::Repeated404 => "repeated_404",
            Self::Unreachable => "unreachable",
            Self::StateLoop => "state_loop",
            Self::StuckQr => "stuck_qr",
            Self::NeverReady => "never_ready",
            Self::SilentSession => "silent_session",
            Self::MemoryPressure => "memory_pressure",
            Self::CredentialsRefused => "credentials_refused",
        }
    }

    /// Returns the lane in which it is judged.
    #[must_use]
    pub fn lane(self) -> Lane {
        match self {
            Self::MemoryPressure => Lane::Memory,
            Self::Conflict
            | Self::SessionExpired
            | Self::Repeated404
            | Self::Unreachable
            | Self::StateLoop
            | Self::StuckQr
            | Self::NeverReady
            | Self::SilentSession
            | Self::CredentialsRefused => Lane::Session,
        }
    }

    /// Tells whether a remedy may ever be applied to it, whatever the configuration says.
    #[must_use]
    pub fn allows(self, remedy: Remedy) -> bool {
        match (self, remedy) {
            (_, Remedy::Notify) => true,
            (Self::CredentialsRefused, _) => false,
            (Self::Repeated404, Remedy::Restart) => false,
            (
                Self::Conflict | Self::Unreachable | Self::StuckQr | Self::SilentSession | Self::MemoryPressure,
                Remedy::Reset,
            ) => false,
            (_, Remedy::Reconnect | Remedy::Restart | Remedy::Reset) => true,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
