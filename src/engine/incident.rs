//! One failing stretch of a target, from open to close.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::evidence::Evidence;
use super::ladder::Remedy;
use super::moment::Wall;
use super::pattern::Pattern;
use super::target::TargetId;

/// The number of an incident; rising, unique within a ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IncidentId(pub u64);

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// One failing stretch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Incident {
    /// Its number.
    pub id: IncidentId,
    /// Whose it is.
    pub target: TargetId,
    /// What is wrong; may change while it is open.
    pub pattern: Pattern,
    /// Why that is believed.
    pub evidence: Arc<Evidence>,
    /// The remedy that fits first.
    pub remedy: Remedy,
    /// When it opened.
    pub opened: Wall,
    /// When and how it closed; absent while it is open.
    pub closed: Option<Closed>,
}

/// How an incident ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// When.
    pub at: Wall,
    /// Why.
    pub how: Closing,
}

/// Why an incident ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closing {
    /// The session was well for long enough.
    Recovered,
    /// Somebody stopped the session on purpose.
    Stopped,
    /// The target is watched no more.
    Unwatched,
}

impl Closing {
    /// Returns the word used in API and ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recovered => "recovered",
            Self::Stopped => "stopped",
            Self::Unwatched => "unwatched",
        }
    }
}

impl Incident {
    /// Returns how long it lasted, or has lasted by `now`.
    #[must_use]
    pub fn duration(&self, now: Wall) -> Duration {
        self.closed.map_or(now, |closed| closed.at).since(self.opened)
    }
}
