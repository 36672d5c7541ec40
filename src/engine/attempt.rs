//! One run of a hook, and the orders and answers of which it is made.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::incident::IncidentId;
use super::ladder::Remedy;
use super::moment::Wall;
use super::pattern::Pattern;
use super::plan::StepName;
use super::sample::Word;
use super::target::TargetId;

/// The number of an attempt: milliseconds of the wall clock at which it was planned, made unique; rising within a ledger.
///
/// A counter would start anew where a ledger is lost, and a hook that knows its keys would then take a new attempt for an old
/// one and do nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AttemptId(pub u64);

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:011x}", self.0)
    }
}

impl From<AttemptId> for String {
    fn from(id: AttemptId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for AttemptId {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl std::str::FromStr for AttemptId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

/// What is done with a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// See which world it is; changes nothing.
    Look,
    /// Ask whether it is done already; changes nothing.
    Check,
    /// Do it.
    Do,
    /// Undo it.
    Undo,
}

impl Act {
    /// Returns the word used in ledger, API and hooks.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Check => "check",
            Self::Do => "do",
            Self::Undo => "undo",
        }
    }
}

/// An order to a hook: one act of one step. Answered exactly once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepOrder {
    /// The attempt.
    pub attempt: AttemptId,
    /// Whose.
    pub target: TargetId,
    /// What is being carried out.
    pub remedy: Remedy,
    /// The number of this order within its attempt, from 1, rising also over a crash: an answer names it.
    pub number: u32,
    /// The place of the step in its plan, from 0.
    pub index: usize,
    /// Its name.
    pub step: StepName,
    /// What to do with it.
    pub act: Act,
    /// How often this act was ordered before, after crashes.
    pub retry: u32,
    /// How long it may take, tries and all.
    pub takes: Duration,
    /// Why all this is done.
    pub cause: Arc<Cause>,
}

impl StepOrder {
    /// Returns the key under which a hook does this once: the same over tries and after a crash, without a dot, as the
    /// [Standard Webhooks](https://www.standardwebhooks.com) specification wants it of a `webhook-id`.
    #[must_use]
    pub fn key(&self) -> String {
        let undo = if self.act == Act::Undo { "_undo" } else { "" };
        format!("wd_{}_{:08x}_{}{undo}", self.attempt, self.target.hash(), self.step)
    }
}

/// Why an attempt is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The incident that it shall end; none where a person ordered it without one.
    pub incident: Option<IncidentId>,
    /// What is wrong.
    pub pattern: Option<Pattern>,
    /// The sentence of evidence, or the reason that the person gave.
    pub reason: String,
    /// Who ordered or released it; none where the watchdog decided alone.
    pub by: Option<Word>,
    /// The reset whose session it brings back, where that is what it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restores: Option<AttemptId>,
}

/// What came of one act of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepEnd {
    /// What came of it.
    pub outcome: StepOutcome,
    /// What it said, in a few words; free of secrets.
    pub note: Option<Word>,
    /// Which world it saw, where it can tell: changes when somebody else restarts or replaces the service.
    pub world: Option<Word>,
}

/// What came of one act of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// It is done.
    Done,
    /// It is not done, and nothing was changed: its precondition is not met, or a check says so.
    Unmet,
    /// It failed; part of it may be done.
    Failed,
    /// Nobody can tell whether it was done.
    Unknown,
}

impl StepOutcome {
    /// Returns the word used in ledger and API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Unmet => "unmet",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// What came of a whole attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The session was steadily connected afterwards.
    Helped,
    /// It was carried out, and the session was not well afterwards.
    DidNotHelp,
    /// The hook failed.
    Failed,
    /// The hook's precondition was not met; nothing was done.
    Unmet,
    /// A crash left open whether it was carried out; it was not repeated.
    Interrupted,
    /// It was ended before it changed anything, or because the world had changed meanwhile.
    Aborted,
}

impl Outcome {
    /// Every outcome, in the order in which they are shown.
    pub const ALL: [Self; 6] =
        [Self::Helped, Self::DidNotHelp, Self::Failed, Self::Unmet, Self::Interrupted, Self::Aborted];

    /// Returns the word used in metrics, API and ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Helped => "helped",
            Self::DidNotHelp => "did_not_help",
            Self::Failed => "failed",
            Self::Unmet => "unmet",
            Self::Interrupted => "interrupted",
            Self::Aborted => "aborted",
        }
    }
}

/// How the run of a plan ended, before it is known whether it helped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEnd {
    /// Every step is done.
    Done,
    /// A step failed.
    Failed,
    /// The first step's precondition was not met; nothing was changed.
    Unmet,
    /// A crash left open whether a step was done.
    Interrupted,
    /// It was ended before it changed anything, or because the world had changed meanwhile.
    Aborted,
}

impl RunEnd {
    /// Returns the word used in ledger and API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Unmet => "unmet",
            Self::Interrupted => "interrupted",
            Self::Aborted => "aborted",
        }
    }
}

/// One attempt, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AttemptView {
    /// Its number.
    pub id: AttemptId,
    /// Whose.
    pub target: TargetId,
    /// What was to be done.
    pub remedy: Remedy,
    /// Whether it destroys the session.
    pub destroys: bool,
    /// Why.
    pub cause: Arc<Cause>,
    /// When it was planned.
    pub at: Wall,
    /// When its run ended, and how.
    pub ended: Option<(Wall, RunEnd)>,
    /// What came of it in the end; absent while it runs or is being verified.
    pub outcome: Option<Outcome>,
    /// Why that outcome.
    pub note: Option<Word>,
    /// Its steps so far.
    pub steps: Vec<StepView>,
}

/// One act of a step, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepView {
    /// The step.
    pub step: StepName,
    /// What was done with it.
    pub act: Act,
    /// When it began.
    pub at: Wall,
    /// When it ended; absent while it runs.
    pub ended: Option<Wall>,
    /// What came of it.
    pub outcome: Option<StepOutcome>,
    /// What it said.
    pub note: Option<Word>,
}
