//! What is written down before it counts: the append-only record that a restart reads back.

use serde::{Deserialize, Serialize};

use super::evidence::Evidence;
use super::incident::{Closing, IncidentId};
use super::ladder::Remedy;
use super::moment::Wall;
use super::pattern::Pattern;
use super::sample::{SessionState, Word};
use super::target::TargetId;

/// The number of one order to record, within one run of the watchdog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

/// One line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// When it happened.
    pub at: Wall,
    /// To whom.
    pub target: TargetId,
    /// What happened.
    #[serde(flatten)]
    pub fact: Fact,
}

/// What a line of the ledger says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fact {
    /// The session's state changed.
    StateChanged {
        /// The state before; absent when it is the first that was ever seen.
        from: Option<SessionState>,
        /// The state from here on.
        to: SessionState,
        /// The gateway's own word for it.
        word: Option<Word>,
    },
    /// What the engine believes changed.
    VerdictChanged {
        /// `healthy`, `suspect` or `failing`.
        verdict: String,
        /// The pattern it names, if any.
        pattern: Option<Pattern>,
        /// Why: the evidence, or what is still missing.
        why: String,
    },
    /// An incident opened.
    IncidentOpened {
        /// Its number.
        incident: IncidentId,
        /// What is wrong.
        pattern: Pattern,
        /// The remedy that fits first.
        remedy: Remedy,
        /// Why that is believed.
        evidence: Evidence,
    },
    /// An open incident turned out to be something else.
    PatternChanged {
        /// Its number.
        incident: IncidentId,
        /// What it was believed to be.
        from: Pattern,
        /// What it is believed to be from here on.
        to: Pattern,
        /// The remedy that fits first.
        remedy: Remedy,
        /// Why that is believed.
        evidence: Evidence,
    },
    /// An incident closed.
    IncidentClosed {
        /// Its number.
        incident: IncidentId,
        /// What it was.
        pattern: Pattern,
        /// When it opened.
        opened: Wall,
        /// Why it closed.
        how: Closing,
    },
}

impl Fact {
    /// Returns the word for its kind, as stored and as `history --kind` takes it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::StateChanged { .. } => "state_changed",
            Self::VerdictChanged { .. } => "verdict_changed",
            Self::IncidentOpened { .. } => "incident_opened",
            Self::PatternChanged { .. } => "pattern_changed",
            Self::IncidentClosed { .. } => "incident_closed",
        }
    }

    /// Returns the incident that it belongs to.
    #[must_use]
    pub fn incident(&self) -> Option<IncidentId> {
        match self {
            Self::StateChanged { .. } | Self::VerdictChanged { .. } => None,
            Self::IncidentOpened { incident, .. }
            | Self::PatternChanged { incident, .. }
            | Self::IncidentClosed { incident, .. } => Some(*incident),
        }
    }
}
