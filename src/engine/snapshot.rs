//! The read model: what metrics, API and page show. Nobody who reads it decides anything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::attempt::{AttemptId, AttemptView, Cause, Outcome};
use super::day::Day;
use super::incident::{Incident, IncidentId};
use super::ladder::Remedy;
use super::moment::Wall;
use super::path::PathName;
use super::pattern::{Lane, Pattern};
use super::plan::StepName;
use super::policy::Mode;
use super::refusal::Refusal;
use super::sample::{Effort, Failure, Memory, Phase, SessionState, Word};
use super::target::TargetId;
use super::verdict::Verdict;

/// Everything that is known at one moment. Parts that did not change are shared with the snapshot before.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Snapshot {
    /// When it was taken.
    pub at: Wall,
    /// When the watchdog started.
    pub started: Wall,
    /// Every target, by name.
    pub targets: Vec<Arc<TargetView>>,
    /// The pause of all targets, if one counts.
    pub pause: Option<PauseView>,
    /// Incidents, open ones and the newest closed ones, newest first.
    pub incidents: Vec<Arc<Incident>>,
    /// All targets taken together.
    pub fleet: FleetView,
    /// What was dropped, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Ledger entries that could not be written.
    pub ledger_errors: u64,
    /// Whether the newest of which it is known could not.
    pub ledger_fails: bool,
    /// Network paths that sessions need, as far as they were looked at.
    pub paths: Vec<PathView>,
    /// Times at which the watchdog found that it had been suspended, or that a clock had jumped.
    pub suspensions: u64,
}

/// All targets taken together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FleetView {
    /// How many are watched.
    pub targets: u32,
    /// How many have an open incident.
    pub failing: u32,
    /// How many turned bad within the window before now and still are: the reach of one common cause.
    pub turned_bad_together: u32,
    /// How many are well.
    pub well: u32,
    /// Whether a storm is on, or was on just now: nothing is done.
    pub storm: bool,
    /// Whether all targets are paused.
    pub paused: bool,
}

/// A network path that sessions need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PathView {
    /// Its name.
    pub path: PathName,
    /// Whether it is up.
    pub up: bool,
    /// Since when; absent where it never was down.
    pub since: Option<Wall>,
    /// Why it is down.
    pub why: Option<Word>,
}

/// One target.
#[derive(Clone, Debug, Serialize)]
pub struct TargetView {
    /// Its name.
    pub target: TargetId,
    /// The state that it was last seen in; absent before the first answer.
    pub state: Option<SessionState>,
    /// The gateway's own word for it.
    pub word: Option<Word>,
    /// Since when it is in that state.
    pub since: Option<Wall>,
    /// When it was last seen connected.
    pub last_connected: Option<Wall>,
    /// Whether the last poll was answered, with whatever; absent before the first.
    pub up: Option<bool>,
    /// Somebody stopped the session on purpose, as it last said: it is left alone.
    pub stopped: bool,
    /// What is believed of the session.
    pub verdict: Verdict,
    /// What is believed of its memory.
    pub memory_verdict: Verdict,
    /// Everything that is suspected or proven, with what is still missing: what would change the verdict.
    pub findings: Vec<FindingView>,
    /// The incidents that are open.
    pub open: Vec<Arc<Incident>>,
    /// The last reading of memory; see [`TargetView::memory_at`].
    pub memory: Option<Memory>,
    /// Until when that reading is of the present; absent where nobody says how often it is made.
    pub memory_until: Option<Wall>,
    /// A limit of its memory below this many bytes is too small.
    pub memory_minimum: Option<u64>,
    /// How it was during the last day. What was before the watchdog's start is told by the ledger.
    pub day: Arc<Day>,
    /// The states it went through, oldest first, bounded.
    pub timeline: Vec<RunView>,
    /// The states that its log told of, oldest first, bounded.
    pub log: Vec<RunView>,
    /// What others say about it, such as Alertmanager; no evidence.
    pub alerts: Vec<AlertView>,
    /// Version of the gateway, where it says so.
    pub version: Option<Word>,
    /// What it runs by its runtime's word, such as the image of its container.
    pub image: Option<Word>,
    /// How it is by its runtime's own check; nothing follows from it.
    pub health: Option<Word>,
    /// From when on evidence counts: the start of the watchdog, of the service, or the end of a suspension.
    pub evidence_since: Wall,
    /// When it will be asked next.
    pub next_poll: Option<Wall>,
    /// Until when it must not be asked, because it said so.
    pub held_until: Option<Wall>,
    /// What is counted.
    pub counts: Counts,
    /// What was done for it, and what may be done next.
    pub care: Arc<CareView>,
}

/// What was done for a target, and what may be done next.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CareView {
    /// What the watchdog may do.
    pub mode: Mode,
    /// Its own pause; that of all is [`Snapshot::pause`].
    pub pause: Option<PauseView>,
    /// Why a person must not be disturbed now; a remedy that somebody orders needs force then.
    #[serde(skip)]
    pub disturbs: Option<String>,
    /// The network paths that it needs; while one is down the same is so.
    #[serde(skip)]
    pub paths: Arc<[PathName]>,
    /// The newest attempts, oldest first; the last one may be under way.
    pub attempts: Vec<Arc<AttemptView>>,
    /// What is due and refused, by lane.
    pub refused: Vec<Arc<RefusalView>>,
    /// What waits for a person to release it.
    pub proposal: Option<Arc<Proposal>>,
    /// The scan that a person is asked for.
    pub hand_off: Option<Arc<HandOffView>>,
    /// Why nothing more can be done without a person.
    pub needs_person: Option<String>,
    /// How many attempts the budgets have left, for each remedy that has a hook.
    pub budget: BTreeMap<Remedy, u32>,
    /// Which of these destroy the session.
    pub destroys: BTreeSet<Remedy>,
    /// Until when nothing is done after the last attempt.
    pub cooldown_until: Option<Wall>,
    /// Resets so far, and how often they were needed.
    pub resets: ResetView,
    /// Restarts by somebody else since the watchdog's start.
    pub foreign_restarts: u64,
    /// Attempts that destroyed the session since the watchdog's start; those that a person ordered have no pattern.
    #[serde(skip)]
    pub resets_made: BTreeMap<Option<Pattern>, u64>,
    /// Attempts that came to an end since the watchdog's start.
    #[serde(skip)]
    pub finished: BTreeMap<(Remedy, Option<Pattern>, Outcome), u64>,
    /// How long runs took, by remedy.
    #[serde(skip)]
    pub durations: BTreeMap<Remedy, Histogram<6>>,
    /// Refusals since the watchdog's start; one that lasts counts once.
    #[serde(skip)]
    pub refusals: BTreeMap<(Remedy, Refusal), u64>,
}

/// A pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PauseView {
    /// Who paused.
    pub who: Word,
    /// Why.
    pub reason: Word,
    /// Until when; absent: until it is resumed.
    pub until: Option<Wall>,
    /// Whether it is for all targets.
    pub all: bool,
}

/// A remedy that is due and not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusalView {
    /// Whose.
    pub target: TargetId,
    /// The incident.
    pub incident: Option<IncidentId>,
    /// What is wrong.
    pub pattern: Option<Pattern>,
    /// What is due.
    pub remedy: Remedy,
    /// Why it is not done.
    pub reason: Refusal,
    /// The same in words, with numbers and times.
    pub why: String,
    /// Since when.
    pub since: Wall,
}

/// An attempt that waits for a person to release it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proposal {
    /// The number under which it can be released, once.
    pub attempt: AttemptId,
    /// Whose.
    pub target: TargetId,
    /// What would be done.
    pub remedy: Remedy,
    /// Whether that destroys the session.
    pub destroys: bool,
    /// Why.
    pub cause: Arc<Cause>,
    /// Its steps.
    pub steps: Vec<StepName>,
    /// Until when.
    pub until: Wall,
    /// Whether it was released, and waits for its guards.
    pub released: bool,
}

/// A scan that a person is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HandOffView {
    /// Whose.
    pub target: TargetId,
    /// The incident, if one is open.
    pub incident: Option<IncidentId>,
    /// Since when.
    pub since: Wall,
    /// When the codes that are shown end; absent once they have, until the next are shown.
    pub deadline: Option<Wall>,
    /// When the scan counts as not made.
    pub until: Wall,
    /// Whether that has come.
    pub expired: bool,
    /// Whether a reset of ours began it.
    pub after_reset: bool,
}

/// Resets, folded from the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ResetView {
    /// Within the last 24 hours.
    pub day: u32,
    /// Within the last 7 days.
    pub week: u32,
    /// Within the last 30 days.
    pub month: u32,
    /// How often they are needed.
    pub grade: Grade,
    /// Resets that do not last: a person must acknowledge.
    pub underlying_problem: bool,
    /// Resets that do not help: a person must acknowledge.
    pub gave_up: bool,
}

/// How often resets are needed. Never and rarely is normal, one after an update may be; weekly or daily means that something else
/// is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// None in 30 days.
    #[default]
    Never,
    /// One now and then.
    Rare,
    /// One in the week, within 24 hours of another version.
    AfterUpdate,
    /// Two in a week, or four in a month.
    Weekly,
    /// Two in a day, or four in a week.
    Daily,
}

impl Grade {
    /// Every grade.
    pub const ALL: [Self; 5] = [Self::Never, Self::Rare, Self::AfterUpdate, Self::Weekly, Self::Daily];

    /// Returns the word used in metrics and API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Rare => "rare",
            Self::AfterUpdate => "after_update",
            Self::Weekly => "weekly",
            Self::Daily => "daily",
        }
    }
}

/// One thing that is suspected or proven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FindingView {
    /// The pattern.
    pub pattern: Pattern,
    /// Whether it is proven.
    pub proven: bool,
    /// The evidence, or what is still missing.
    pub why: String,
}

/// An alarm that somebody else raised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AlertView {
    /// Its name.
    pub name: Word,
    /// Since when it is known here.
    pub since: Wall,
}

/// One stretch of equal samples.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunView {
    /// The state.
    pub state: SessionState,
    /// How far the link had come.
    pub phase: Option<Phase>,
    /// Whether the gateway still tried.
    pub effort: Effort,
    /// The gateway's own word.
    pub word: Option<Word>,
    /// When it was first seen.
    pub from: Wall,
    /// When it was last seen.
    pub to: Wall,
    /// How many samples saw it.
    pub samples: u32,
}

/// What is counted of one target since the watchdog's start. Indexed by `ALL` of each list.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Counts {
    /// Polls that were understood, of whatever state.
    pub answers: u64,
    /// Polls without an answer, by [`Failure::ALL`].
    pub failures: [u64; Failure::ALL.len()],
    /// Polls that said the session is missing.
    pub missing: u64,
    /// Polls whose credentials were refused.
    pub refused: u64,
    /// Polls that were throttled.
    pub throttled: u64,
    /// Polls that could not be made, by the watchdog's own fault.
    pub unasked: u64,
    /// Changes into each state, by [`SessionState::ALL`].
    pub state_changes: [u64; SessionState::ALL.len()],
    /// Time spent connected, between samples that both said so.
    pub connected: Duration,
    /// Times a pattern was newly proven, by [`Pattern::ALL`].
    pub detections: [u64; Pattern::ALL.len()],
    /// Incidents opened, by [`Pattern::ALL`].
    pub incidents: [u64; Pattern::ALL.len()],
    /// How long closed incidents lasted, for the patterns that had one.
    pub incident_durations: BTreeMap<Pattern, Histogram<6>>,
    /// How long polls took.
    pub probe_durations: Histogram<8>,
    /// OOM kills seen.
    pub oom_kills: u64,
    /// Log lines that meant something.
    pub signals: u64,
}

/// Upper bounds of the buckets of incident durations, in seconds.
pub const INCIDENT_BUCKETS: [f64; 6] = [60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0];
/// Upper bounds of the buckets of probe durations, in seconds.
pub const PROBE_BUCKETS: [f64; 8] = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Counts by size: one number a bucket (not cumulated), the rest beyond the last.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Histogram<const N: usize> {
    #[serde(skip)]
    buckets: [u64; N],
    count: u64,
    sum_seconds: f64,
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        Self { buckets: [0; N], count: 0, sum_seconds: 0.0 }
    }
}

impl<const N: usize> Histogram<N> {
    /// Counts one value among the given upper bounds.
    pub fn observe(&mut self, bounds: &[f64; N], value: Duration) {
        let seconds = value.as_secs_f64();
        let slot = bounds.iter().position(|bound| seconds <= *bound);
        if let Some(bucket) = slot.and_then(|slot| self.buckets.get_mut(slot)) {
            *bucket = bucket.saturating_add(1);
        }
        self.count = self.count.saturating_add(1);
        self.sum_seconds += seconds;
    }

    /// Returns the counts of the buckets, each with those below it, as Prometheus wants them.
    #[must_use]
    pub fn cumulated(&self) -> [u64; N] {
        let mut total: u64 = 0;
        self.buckets.map(|count| {
            total = total.saturating_add(count);
            total
        })
    }

    /// Returns how many values were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns their sum in seconds.
    #[must_use]
    pub fn sum_seconds(&self) -> f64 {
        self.sum_seconds
    }
}

impl Counts {
    /// Returns how many polls had each outcome, by the word that metrics and API use for it.
    pub fn outcomes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let replies = [
            ("answer", self.answers),
            ("missing", self.missing),
            ("refused", self.refused),
            ("throttled", self.throttled),
            ("unasked", self.unasked),
        ];
        replies.into_iter().chain(Failure::ALL.map(Failure::as_str).into_iter().zip(self.failures))
    }
}

impl CareView {
    /// Returns the attempt that is under way.
    #[must_use]
    pub fn under_way(&self) -> Option<&Arc<AttemptView>> {
        self.attempts.last().filter(|attempt| attempt.ended.is_none())
    }

    /// Returns what still waits for a person to release it.
    #[must_use]
    pub fn unreleased(&self) -> Option<&Arc<Proposal>> {
        self.proposal.as_ref().filter(|proposal| !proposal.released)
    }

    /// Tells whether something waits for a person.
    #[must_use]
    pub fn wants_person(&self) -> bool {
        self.needs_person.is_some() || self.hand_off.is_some() || self.unreleased().is_some()
    }
}

impl TargetView {
    /// Returns the verdict of a lane.
    #[must_use]
    pub fn verdict_in(&self, lane: Lane) -> &Verdict {
        match lane {
            Lane::Session => &self.verdict,
            Lane::Memory => &self.memory_verdict,
        }
    }

    /// Returns the reading of memory that is of the present at a moment.
    #[must_use]
    pub fn memory_at(&self, now: Wall) -> Option<Memory> {
        self.memory.filter(|_| self.memory_until.is_none_or(|until| now <= until))
    }

    /// Returns the limit of its memory where it is too small, and the least that it should be.
    #[must_use]
    pub fn small_limit(&self, now: Wall) -> Option<(u64, u64)> {
        let (limit, minimum) = self.memory_at(now)?.limit_bytes.zip(self.memory_minimum)?;
        (limit < minimum).then_some((limit, minimum))
    }

    /// Tells whether a pattern is proven.
    #[must_use]
    pub fn is_active(&self, pattern: Pattern) -> bool {
        let verdict = self.verdict_in(pattern.lane());
        verdict.is_failing() && verdict.pattern() == Some(pattern)
    }
}

impl Snapshot {
    /// Finds a target by name.
    #[must_use]
    pub fn target(&self, name: &str) -> Option<&Arc<TargetView>> {
        let found = self.targets.binary_search_by(|view| view.target.as_str().cmp(name)).ok()?;
        self.targets.get(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_cumulates_and_counts_what_is_beyond_its_last_bucket() {
        let mut histogram = Histogram::default();
        for secs in [30, 60, 100, 1_000_000] {
            histogram.observe(&INCIDENT_BUCKETS, Duration::from_secs(secs));
        }
        assert_eq!(histogram.cumulated(), [2, 3, 3, 3, 3, 3]);
        assert_eq!(histogram.count(), 4);
    }
}
