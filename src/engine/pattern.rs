//! The named ways in which a session fails, their order, and how each is judged: one pure function a pattern.

mod conflict;
mod credentials_refused;
mod memory_pressure;
mod never_ready;
mod repeated_404;
mod session_expired;
mod silent_session;
mod state_loop;
mod stuck_qr;
mod unreachable;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::evidence::{Evidence, Exhibit};
use super::ladder::{Ladder, Remedy};
use super::moment::{Moment, words};
use super::policy::Limits;
use super::timeline::Timeline;
use super::timeline::alerts::Raised;
use super::timeline::reach::Streak;
use super::timeline::track::Run;

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

/// What a pattern is judged on.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// What the target showed.
    pub timeline: &'a Timeline,
    /// Its thresholds.
    pub limits: &'a Limits,
    /// The moment of judgement.
    pub now: Moment,
}

/// How far a pattern is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Nothing speaks for it.
    Clear,
    /// Part of its evidence is there.
    Partly(Lack),
    /// All of it is.
    Proven,
}

/// What is still missing to prove a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// It must last longer.
    Time {
        /// What was seen.
        what: &'static str,
        /// For how long.
        have: Duration,
        /// How long it must last.
        need: Duration,
    },
    /// It must be seen more often.
    Times {
        /// What was seen.
        what: &'static str,
        /// How often.
        have: u32,
        /// How often it must be seen.
        need: u32,
    },
    /// A proof of another kind is needed.
    Proof {
        /// What was seen, and what it would take.
        what: &'static str,
    },
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

    /// Judges a target.
    #[must_use]
    pub fn judge(self, case: &Case<'_>) -> Finding {
        match self {
            Self::Conflict => conflict::judge(case),
            Self::SessionExpired => session_expired::judge(case),
            Self::Repeated404 => repeated_404::judge(case),
            Self::Unreachable => unreachable::judge(case),
            Self::StateLoop => state_loop::judge(case),
            Self::StuckQr => stuck_qr::judge(case),
            Self::NeverReady => never_ready::judge(case),
            Self::SilentSession => silent_session::judge(case),
            Self::MemoryPressure => memory_pressure::judge(case),
            Self::CredentialsRefused => credentials_refused::judge(case),
        }
    }

    /// Tells the proof of a pattern that is proven in this case, and what others say about it.
    #[must_use]
    pub fn tell(self, case: &Case<'_>) -> Evidence {
        let Evidence { sentence, mut samples } = self.prove(case);
        let alert =
            |raised: &Raised| Exhibit { at: raised.since.wall, seen: format!("Alertmanager fires: {}", raised.name) };
        samples.extend(case.timeline.alerts.firing(case.now).map(alert));
        Evidence::new(sentence, samples)
    }

    fn prove(self, case: &Case<'_>) -> Evidence {
        match self {
            Self::Conflict => conflict::tell(case),
            Self::SessionExpired => session_expired::tell(case),
            Self::Repeated404 => repeated_404::tell(case),
            Self::Unreachable => unreachable::tell(case),
            Self::StateLoop => state_loop::tell(case),
            Self::StuckQr => stuck_qr::tell(case),
            Self::NeverReady => never_ready::tell(case),
            Self::SilentSession => silent_session::tell(case),
            Self::MemoryPressure => memory_pressure::tell(case),
            Self::CredentialsRefused => credentials_refused::tell(case),
        }
    }

    /// Returns the remedies that fit in this case.
    #[must_use]
    pub fn ladder(self, case: &Case<'_>) -> Ladder {
        let limits = case.limits;
        match self {
            Self::Conflict => limits.conflict.ladder.clone(),
            Self::SessionExpired => session_expired::ladder(case),
            Self::Repeated404 => limits.repeated_404.ladder.clone(),
            Self::Unreachable => limits.unreachable.ladder.clone(),
            Self::StateLoop => limits.state_loop.ladder.clone(),
            Self::StuckQr => stuck_qr::ladder(case),
            Self::NeverReady => never_ready::ladder(case),
            Self::SilentSession => limits.silent_session.ladder.clone(),
            Self::MemoryPressure => limits.memory_pressure.ladder.clone(),
            Self::CredentialsRefused => limits.credentials_refused.ladder.clone(),
        }
    }

    /// Tells whether what was seen since evidence last started anew is enough to call an incident of this pattern over,
    /// once the session is steadily connected and the pattern is proven no more.
    ///
    /// A session that is silent or that only its log convicts says `connected` all along: there the status alone clears nothing.
    #[must_use]
    pub fn is_cleared(self, case: &Case<'_>) -> bool {
        match self {
            Self::SilentSession => silent_session::is_cleared(case),
            Self::MemoryPressure => memory_pressure::is_cleared(case),
            Self::Conflict
            | Self::SessionExpired
            | Self::Repeated404
            | Self::Unreachable
            | Self::StateLoop
            | Self::StuckQr
            | Self::NeverReady
            | Self::CredentialsRefused => true,
        }
    }

    /// Tells whether a remedy may ever be applied to it, whatever the configuration says.
    #[must_use]
    pub fn allows(self, remedy: Remedy) -> bool {
        match (self, remedy) {
            (_, Remedy::Notify) => true,
            // Only a person brings an old session back.
            (_, Remedy::Restore) => false,
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

impl Finding {
    /// Asks for a streak: often enough first, then long enough.
    fn of_streak(what: &'static str, streak: &Streak, times_min: u32, lasts: Duration) -> Self {
        match streak.count() {
            0 => Self::Clear,
            have if have < times_min => Self::Partly(Lack::Times { what, have, need: times_min }),
            _ => Self::of_time(what, streak.lasts(), lasts),
        }
    }

    /// Asks for a time: nothing below a tenth of it, partly below it, proven from it on.
    fn of_time(what: &'static str, have: Duration, need: Duration) -> Self {
        if need <= have {
            return Self::Proven;
        }
        if have < need.div_f64(10.0) { Self::Clear } else { Self::Partly(Lack::Time { what, have, need }) }
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time { what, have, need } => {
                write!(f, "{what} for {}; it takes {}", words(*have), words(*need))
            }
            Self::Times { what, have, need } => write!(f, "{what} seen {have} of {need} times"),
            Self::Proof { what } => f.write_str(what),
        }
    }
}

/// Shows one run of samples as an exhibit.
fn exhibit(run: &Run) -> Exhibit {
    let word = run.seen.word.as_ref().map_or_else(String::new, |word| format!(" ({word})"));
    let samples = match run.count {
        1 => String::new(),
        count => format!(", {count} samples until {}", run.last.wall.clock()),
    };
    Exhibit { at: run.first.wall, seen: format!("{}{word}{samples}", run.seen.state) }
}

/// Shows the newest runs of the track that answers polls, from a moment on.
fn exhibits_since(case: &Case<'_>, since: Moment) -> Vec<Exhibit> {
    case.timeline.polls.runs().filter(|run| since.uptime <= run.last.uptime).map(exhibit).collect()
}

/// Shows the first and the newest sample of a streak.
fn ends(streak: &Streak, seen: &str) -> Vec<Exhibit> {
    let exhibit = |at: Moment, which: &str| Exhibit { at: at.wall, seen: format!("{seen}, {which}") };
    streak.span().map_or_else(Vec::new, |(first, last)| vec![exhibit(first, "first"), exhibit(last, "newest")])
}

/// Writes a word in quotes after what it explains, or nothing.
fn in_words(run: &Run) -> String {
    run.seen.word.as_ref().map_or_else(String::new, |word| format!(" (\"{word}\")"))
}
