//! What a person may order.

use serde::{Deserialize, Serialize};

use super::attempt::AttemptId;
use super::ladder::Remedy;
use super::moment::Wall;
use super::sample::Word;
use super::target::TargetId;

/// The number of a command within one run of the watchdog, so that its answer finds back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub u64);

/// An order of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorCommand {
    /// For which target; none means all of them. Not written: an entry of the ledger names its target itself.
    #[serde(skip)]
    pub target: Option<TargetId>,
    /// Who orders it.
    pub who: Word,
    /// Why.
    pub reason: Word,
    /// What.
    #[serde(flatten)]
    pub what: Wish,
}

/// What a person orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Wish {
    /// Do nothing but watch, until then, or until it is resumed.
    Pause {
        /// Until when; absent: until it is resumed.
        until: Option<Wall>,
    },
    /// End a pause.
    Resume,
    /// Release exactly the attempt that was proposed under this number.
    Approve {
        /// Its number.
        attempt: AttemptId,
    },
    /// The underlying problem was looked at: resets may run again.
    Ack,
    /// Bring back the session that this reset moved aside; what is there now is moved aside in its place.
    Restore {
        /// The number of the reset.
        attempt: AttemptId,
        /// Also while a live QR code is shown or a storm is on.
        force: bool,
    },
    /// Carry out a remedy now. Counts for budgets; goes past those guards that protect against the watchdog's own zeal.
    Remedy {
        /// Which; only `restart` and `reset` can be ordered.
        remedy: Remedy,
        /// Also while a live QR code is shown or a storm is on.
        force: bool,
    },
}

impl Wish {
    /// Returns the word used by commands, API and ledger.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pause { .. } => "pause",
            Self::Resume => "resume",
            Self::Approve { .. } => "approve",
            Self::Ack => "ack",
            Self::Restore { .. } => Remedy::Restore.as_str(),
            Self::Remedy { remedy, .. } => remedy.as_str(),
        }
    }
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum CommandAnswer {
    /// It counts, and is in the ledger.
    Accepted {
        /// What happens now, in words.
        what: String,
        /// The attempt that it began, if any.
        attempt: Option<AttemptId>,
    },
    /// It does not count.
    Refused {
        /// Why, and what to do instead, in words.
        why: String,
    },
}
