//! Why a remedy that is due is not carried out.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a remedy that is due is not carried out. The order is that of the guards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// A person paused the target or the whole watchdog.
    Paused,
    /// It only observes.
    Mode,
    /// A live QR code is on the screen, or a person was just asked to scan one.
    HandOff,
    /// Many targets turned bad together: the cause is elsewhere.
    Storm,
    /// It cannot help this pattern, or something gentler must fail first.
    CannotHelp,
    /// The target has no hook for it.
    NoHook,
    /// The last attempt was too recent.
    Cooldown,
    /// Too many attempts in the window.
    Budget,
    /// It needs a person, and it is night.
    QuietHours,
    /// Resets do not last: something else is wrong, and a person must look.
    UnderlyingProblem,
    /// Resets do not help: a person must look.
    GaveUp,
    /// Another attempt is under way for this target, its host group or the fleet.
    Busy,
    /// A person must release it, and has not yet.
    Unapproved,
    /// The ledger cannot be written.
    Ledger,
}

impl Refusal {
    /// Every refusal, in the order of the guards.
    pub const ALL: [Self; 14] = [
        Self::Paused,
        Self::Mode,
        Self::HandOff,
        Self::Storm,
        Self::CannotHelp,
        Self::NoHook,
        Self::Cooldown,
        Self::Budget,
        Self::QuietHours,
        Self::UnderlyingProblem,
        Self::GaveUp,
        Self::Busy,
        Self::Unapproved,
        Self::Ledger,
    ];

    /// Returns the word used in metrics, API and ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::Mode => "mode",
            Self::HandOff => "hand_off",
            Self::Storm => "storm",
            Self::CannotHelp => "cannot_help",
            Self::NoHook => "no_hook",
            Self::Cooldown => "cooldown",
            Self::Budget => "budget",
            Self::QuietHours => "quiet_hours",
            Self::UnderlyingProblem => "underlying_problem",
            Self::GaveUp => "gave_up",
            Self::Busy => "busy",
            Self::Unapproved => "unapproved",
            Self::Ledger => "ledger",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
