//! What is written down before it counts: the append-only record that a restart reads back.

use serde::{Deserialize, Serialize};

use super::attempt::{Act, AttemptId, Outcome, RunEnd, StepEnd};
use super::command::OperatorCommand;
use super::evidence::Evidence;
use super::incident::{Closing, IncidentId};
use super::ladder::Remedy;
use super::moment::Wall;
use super::pattern::Pattern;
use super::plan::StepName;
use super::refusal::Refusal;
use super::sample::{SessionState, Word};
use super::target::TargetId;
use super::timeline::week::Week;

/// The number of one order to record, within one run of the watchdog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

/// One line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// When it happened.
    pub at: Wall,
    /// To whom; [`TargetId::all`] where it is about all of them.
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
    /// An attempt will be made: durable before anything of it runs.
    Intended {
        /// Its number.
        attempt: AttemptId,
        /// The incident that it shall end; absent where a person ordered it without one.
        incident: Option<IncidentId>,
        /// What is wrong.
        pattern: Option<Pattern>,
        /// What is to be done.
        remedy: Remedy,
        /// Whether that destroys the session.
        destroys: bool,
        /// Stands for the plan; a run is continued with the same one only.
        plan: u64,
        /// Why: the evidence, or the reason that a person gave.
        reason: String,
        /// Who ordered or released it; absent where the watchdog decided alone.
        by: Option<Word>,
        /// The reset whose session it brings back, where that is what it does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        restores: Option<AttemptId>,
    },
    /// A step of an attempt begins: durable before it does.
    StepStarted {
        /// The attempt.
        attempt: AttemptId,
        /// Its incident.
        incident: Option<IncidentId>,
        /// The step.
        step: StepName,
        /// What is done with it.
        act: Act,
        /// How often that was begun before.
        retry: u32,
    },
    /// A step of an attempt ended.
    StepEnded {
        /// The attempt.
        attempt: AttemptId,
        /// Its incident.
        incident: Option<IncidentId>,
        /// The step.
        step: StepName,
        /// What was done with it.
        act: Act,
        /// What came of it.
        end: StepEnd,
    },
    /// The run of an attempt ended.
    RunEnded {
        /// The attempt.
        attempt: AttemptId,
        /// Its incident.
        incident: Option<IncidentId>,
        /// How.
        end: RunEnd,
        /// Whether it counts for budgets: something of it ran.
        spent: bool,
        /// Why it ended so.
        note: Option<Word>,
    },
    /// It is known what came of an attempt.
    Verified {
        /// The attempt.
        attempt: AttemptId,
        /// Its incident.
        incident: Option<IncidentId>,
        /// What came of it.
        outcome: Outcome,
        /// Why that is believed.
        note: Option<Word>,
    },
    /// A remedy that was due was not carried out. The first of a kind in an incident is written at once; the rest are folded into one
    /// entry when it closes.
    Refused {
        /// The incident.
        incident: Option<IncidentId>,
        /// What was due.
        remedy: Remedy,
        /// Why not.
        reason: Refusal,
        /// The same in words.
        why: String,
        /// How often.
        times: u64,
    },
    /// A person is asked to release an attempt.
    Proposed {
        /// The number under which it can be released, once.
        attempt: AttemptId,
        /// The incident.
        incident: Option<IncidentId>,
        /// What would be done.
        remedy: Remedy,
        /// Stands for the plan that would be released.
        plan: u64,
        /// Until when.
        until: Wall,
    },
    /// A person ordered something.
    Commanded {
        /// What, who and why.
        #[serde(flatten)]
        command: OperatorCommand,
    },
    /// A person is asked to scan a QR code, or is not asked any more.
    HandedOff {
        /// The incident, if one is open.
        incident: Option<IncidentId>,
        /// What became of it.
        scan: ScanNews,
        /// When the code that is shown ends.
        deadline: Option<Wall>,
    },
    /// The service was restarted by somebody else.
    ForeignRestart,
    /// The service runs another version than before.
    VersionChanged {
        /// The version before.
        from: Option<Word>,
        /// The version from here on.
        to: Word,
        /// Its runtime says so, and not the service.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        of_image: bool,
    },
    /// The service may use less memory than it needs at least; told once for each limit.
    SmallLimit {
        /// What it may use, in bytes.
        limit: u64,
        /// What it needs.
        minimum: u64,
    },
    /// A network path that sessions need is down, or up again.
    Path {
        /// Its name.
        path: String,
        /// Why it is down; none where it is up.
        down: Option<Word>,
    },
    /// What usually passes was learned, for another day.
    TrafficLearned {
        /// The time zone in which its hours are counted.
        zone: Word,
        /// What passes in each hour of the week.
        week: Week,
    },
    /// The watchdog begins to watch.
    Began {
        /// Until when one watched before; absent where none is known to have.
        watched_until: Option<Wall>,
    },
    /// Many targets turned bad together, or no longer.
    Storm {
        /// Whether it began.
        on: bool,
        /// How many turned bad.
        bad: u32,
        /// How many were well.
        well: u32,
    },
}

/// What became of asking a person to scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScanNews {
    /// A scan is wanted.
    Wanted,
    /// A new round of codes is shown, or it is still wanted after a long time.
    Reminder,
    /// The session is connected.
    Done,
    /// Nobody scanned in time.
    Expired,
    /// No code is shown any more, and the session is not connected.
    Withdrawn,
}

impl ScanNews {
    /// Returns the word used in ledger, API and notifications.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wanted => "wanted",
            Self::Reminder => "reminder",
            Self::Done => "done",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
        }
    }
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
            Self::Intended { .. } => "intended",
            Self::StepStarted { .. } => "step_started",
            Self::StepEnded { .. } => "step_ended",
            Self::RunEnded { .. } => "run_ended",
            Self::Verified { .. } => "verified",
            Self::Refused { .. } => "refused",
            Self::Proposed { .. } => "proposed",
            Self::Commanded { .. } => "commanded",
            Self::HandedOff { .. } => "handed_off",
            Self::ForeignRestart => "foreign_restart",
            Self::VersionChanged { .. } => "version_changed",
            Self::Path { .. } => "path",
            Self::SmallLimit { .. } => "small_limit",
            Self::TrafficLearned { .. } => "traffic_learned",
            Self::Began { .. } => "began",
            Self::Storm { .. } => "storm",
        }
    }

    /// Returns the incident that it belongs to.
    #[must_use]
    pub fn incident(&self) -> Option<IncidentId> {
        match self {
            Self::StateChanged { .. }
            | Self::VerdictChanged { .. }
            | Self::Commanded { .. }
            | Self::ForeignRestart
            | Self::VersionChanged { .. }
            | Self::Path { .. }
            | Self::SmallLimit { .. }
            | Self::TrafficLearned { .. }
            | Self::Began { .. }
            | Self::Storm { .. } => None,
            Self::IncidentOpened { incident, .. }
            | Self::PatternChanged { incident, .. }
            | Self::IncidentClosed { incident, .. } => Some(*incident),
            Self::Intended { incident, .. }
            | Self::StepStarted { incident, .. }
            | Self::StepEnded { incident, .. }
            | Self::RunEnded { incident, .. }
            | Self::Verified { incident, .. }
            | Self::Refused { incident, .. }
            | Self::Proposed { incident, .. }
            | Self::HandedOff { incident, .. } => *incident,
        }
    }

    /// Tells whether it is written again where it could not be.
    ///
    /// What belongs to an incident must not be lost: a restart would forget it, or use its number twice. Neither must the end of what
    /// was done. A beginning that was not written never began.
    #[must_use]
    pub fn must_not_be_lost(&self) -> bool {
        match self {
            Self::Intended { .. } | Self::StepStarted { .. } | Self::Commanded { .. } => false,
            Self::StepEnded { .. } | Self::RunEnded { .. } | Self::Verified { .. } => true,
            Self::StateChanged { .. }
            | Self::VerdictChanged { .. }
            | Self::IncidentOpened { .. }
            | Self::PatternChanged { .. }
            | Self::IncidentClosed { .. }
            | Self::Refused { .. }
            | Self::Proposed { .. }
            | Self::HandedOff { .. }
            | Self::ForeignRestart
            | Self::VersionChanged { .. }
            | Self::Path { .. }
            | Self::SmallLimit { .. }
            | Self::TrafficLearned { .. }
            | Self::Began { .. }
            | Self::Storm { .. } => self.incident().is_some(),
        }
    }

    /// Returns the attempt that it belongs to.
    #[must_use]
    pub fn attempt(&self) -> Option<AttemptId> {
        match self {
            Self::Intended { attempt, .. }
            | Self::StepStarted { attempt, .. }
            | Self::StepEnded { attempt, .. }
            | Self::RunEnded { attempt, .. }
            | Self::Verified { attempt, .. }
            | Self::Proposed { attempt, .. } => Some(*attempt),
            Self::StateChanged { .. }
            | Self::VerdictChanged { .. }
            | Self::IncidentOpened { .. }
            | Self::PatternChanged { .. }
            | Self::IncidentClosed { .. }
            | Self::Refused { .. }
            | Self::Commanded { .. }
            | Self::HandedOff { .. }
            | Self::ForeignRestart
            | Self::VersionChanged { .. }
            | Self::Path { .. }
            | Self::SmallLimit { .. }
            | Self::TrafficLearned { .. }
            | Self::Began { .. }
            | Self::Storm { .. } => None,
        }
    }
}
