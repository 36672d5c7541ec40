//! Remedies, from gentle to destructive, and the order in which a pattern tries them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What can be done about a session: the closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// Tell a person.
    Notify,
    /// Ask the gateway to connect again; keeps the session.
    Reconnect,
    /// Restart the service; keeps the session.
    Restart,
    /// Destroy the session and link it anew; needs a person with the phone.
    Reset,
    /// Bring back the session that a reset moved aside. On no ladder: only a person orders it.
    Restore,
}

impl Remedy {
    /// The remedies that can stand on a ladder, gentlest first.
    pub const RUNGS: [Self; 4] = [Self::Notify, Self::Reconnect, Self::Restart, Self::Reset];

    /// Every remedy: those of ladders, and then the one that undoes.
    pub const ALL: [Self; 5] = [Self::Notify, Self::Reconnect, Self::Restart, Self::Reset, Self::Restore];

    /// Returns the word used in metrics, API, configuration and recordings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Notify => "notify",
            Self::Reconnect => "reconnect",
            Self::Restart => "restart",
            Self::Reset => "reset",
            Self::Restore => "restore",
        }
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The remedies of a pattern in the order in which they are tried. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ladder(Vec<Remedy>);

impl Ladder {
    /// Makes a ladder of a first rung and those after it.
    #[must_use]
    pub fn new(first: Remedy, then: &[Remedy]) -> Self {
        Self(std::iter::once(first).chain(then.iter().copied()).collect())
    }

    /// Returns the rung that is tried first.
    #[must_use]
    pub fn first(&self) -> Remedy {
        self.0.first().copied().unwrap_or(Remedy::Notify)
    }

    /// Returns every rung in order.
    #[must_use]
    pub fn rungs(&self) -> &[Remedy] {
        &self.0
    }
}
