//! Thresholds, already checked: all that the engine knows of the configuration.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::ladder::{Ladder, Remedy};
use super::path::PathName;
use super::plan::Plan;
use super::target::TargetId;

/// What is watched, and how strictly.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// The targets, each with its thresholds; equal thresholds are shared.
    pub targets: BTreeMap<TargetId, Watch>,
    /// Targets that turn bad within this time of each other turned bad together.
    pub together: Duration,
    /// What holds for all targets taken together.
    pub fleet: FleetLimits,
    /// Network paths that are looked at.
    pub paths: Vec<PathName>,
}

/// What holds for all targets taken together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetLimits {
    /// A storm takes at least this many targets that turned bad together …
    pub storm_targets: u32,
    /// … and this share of those that were well, in percent.
    pub storm_percent: u8,
    /// Those that turned bad together are left alone this long as long as they stay bad together: outages of WhatsApp itself last
    /// for hours (waha#907), and then a restart of each is worth a try. A reset never is.
    pub storm_holds: Duration,
    /// How long a storm is waited out after its condition ended.
    pub storm_exit: Duration,
    /// After it targets are released over this time, each at its own place, so that they do not all begin at once.
    pub storm_jitter: Duration,
    /// Attempts under way at once, in all host groups together.
    pub attempts: u32,
    /// Restarts of all targets within an hour.
    pub restarts_hourly: u32,
    /// Resets of all targets within 24 hours.
    pub resets_daily: u32,
}

/// What the watchdog may do about a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Decide and tell, and never act.
    #[default]
    Observe,
    /// Ask a person to release each attempt.
    Approve,
    /// Act.
    Act,
}

impl Mode {
    /// Every mode, most careful first.
    pub const ALL: [Self; 3] = [Self::Observe, Self::Approve, Self::Act];

    /// Returns the word used in configuration, API and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Approve => "approve",
            Self::Act => "act",
        }
    }
}

/// One watched target.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own; together they are no state")]
pub struct Watch {
    /// Which session it is, in words that mean nothing here: where they change, it is another one under the same name.
    pub whose: Arc<str>,
    /// Its thresholds.
    pub limits: Arc<Limits>,
    /// Whether it has a deep probe to ask.
    pub has_deep: bool,
    /// Whether it has a QR endpoint to ask.
    pub has_qr: bool,
    /// Whether its status endpoint is asked at all; a target may live on memory or pushes alone.
    pub has_status: bool,
    /// What may be done about it.
    pub mode: Mode,
    /// How each remedy would be carried out; one that is absent has no hook.
    pub plans: BTreeMap<Remedy, Arc<Plan>>,
    /// Whether the link to the phone survives a restart. Where it does not, a restart is guarded and budgeted as a reset.
    pub restart_keeps_session: bool,
    /// The host group in which only one attempt is made at a time.
    pub group: Arc<str>,
    /// Network paths that the session needs: while one is down nothing is done.
    pub paths: Arc<[PathName]>,
    /// What is known of how its memory is read.
    pub memory: MemoryReading,
}

/// How the memory of a target is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryReading {
    /// How often; absent where nobody says.
    pub every: Option<Duration>,
    /// A limit below this many bytes is too small for its service.
    pub minimum: Option<u64>,
}

/// Every threshold of one target. The defaults are the tables of failures and their evidence; none is tuned to a recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// How often the status endpoint is asked.
    pub poll_every: Duration,
    /// How often the deep probe is asked while the status is good.
    pub deep_every: Duration,
    /// How often the QR endpoint is asked while a scan is wanted.
    pub qr_every: Duration,
    /// No deep probe and no QR call this soon after a start: wppconnect-server#1170 unpairs on an early question.
    pub settle: Duration,
    /// How long `connected` must hold without a transition before an incident closes.
    pub steady: Duration,
    /// A silence of samples this long, and of at least four polls, restarts the windows of evidence.
    pub gap: Duration,
    /// How often remedies may be applied.
    pub budget: Budget,
    /// How long nothing is done after an attempt.
    pub cooldown: Cooldown,
    /// How attempts are followed.
    pub attempt: AttemptLimits,
    /// How a person is asked to scan.
    pub hand_off: HandOffLimits,
    /// When nobody can scan: remedies that need a person wait.
    pub quiet_hours: Night,
    /// Thresholds of `conflict`.
    pub conflict: Conflict,
    /// Thresholds of `session_expired`.
    pub session_expired: SessionExpired,
    /// Thresholds of `repeated_404`.
    pub repeated_404: Repeated404,
    /// Thresholds of `unreachable`.
    pub unreachable: Unreachable,
    /// Thresholds of `state_loop`.
    pub state_loop: StateLoop,
    /// Thresholds of `stuck_qr`.
    pub stuck_qr: StuckQr,
    /// Thresholds of `never_ready`.
    pub never_ready: NeverReady,
    /// Thresholds of `silent_session`.
    pub silent_session: SilentSession,
    /// Thresholds of `memory_pressure`.
    pub memory_pressure: MemoryPressure,
    /// Thresholds of `credentials_refused`.
    pub credentials_refused: CredentialsRefused,
}

/// How often remedies may be applied to one target. What destroys the session counts as a reset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Reconnects within an hour.
    pub reconnects_hourly: u32,
    /// Reconnects within 24 hours.
    pub reconnects_daily: u32,
    /// Restarts within an hour.
    pub restarts_hourly: u32,
    /// Restarts within 24 hours.
    pub restarts_daily: u32,
    /// The least time between two resets.
    pub reset_every: Duration,
    /// Resets within 24 hours.
    pub resets_daily: u32,
    /// Resets within seven days that did not last: one more needs a person who acknowledges the underlying problem.
    pub resets_weekly: u32,
    /// Resets in a row that did not help: then everything waits for a person.
    pub gives_up_after: u32,
}

/// How long nothing is done after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cooldown {
    /// After the first attempt; doubled after each that did not help.
    pub first: Duration,
    /// The longest.
    pub longest: Duration,
}

/// How attempts are followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptLimits {
    /// A reconnect has this long to bring the session back.
    pub reconnect_helps_in: Duration,
    /// A restart has this long.
    pub restart_helps_in: Duration,
    /// A ladder that was climbed to its end is climbed anew after this time.
    pub again_after: Duration,
    /// A proposed attempt can be released this long.
    pub approval_for: Duration,
    /// A run that a crash interrupted this long ago is not continued, only closed safely.
    pub resume_within: Duration,
}

/// How a person is asked to scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandOffLimits {
    /// A scan that is wanted this long is announced; after a reset at once.
    pub after: Duration,
    /// One round of QR codes: 60 s for the first and 20 s for each of five more, as WhatsApp hands them out (waha#1799).
    pub round: Duration,
    /// How long it lasts in all before the scan counts as not made.
    pub window: Duration,
    /// How often it is said again after that.
    pub remind_every: Duration,
    /// After a reset a QR code must appear within this time.
    pub qr_within: Duration,
}

/// When another client is believed to hold the session.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// A conflict that lasts this long.
    pub lasts: Duration,
    /// Or this many separate ones …
    pub times_min: u32,
    /// … within this window.
    pub within: Duration,
    /// Anything but telling a person waits until the incident is this old: the other client may leave.
    pub act_after: Duration,
    /// Its remedies.
    pub ladder: Ladder,
}

/// When the link to the phone is believed to be gone.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionExpired {
    /// An explicit word of logout or expiry, this many answers in a row.
    pub times_min: u32,
    /// Refusals of the session's own key that last this long, twice at least.
    pub refused_for: Duration,
    /// A QR code wanted this long by a session that was good.
    pub scan_for: Duration,
    /// The same after the service was down in between: a person may be linking it on purpose, and some services go on asking for
    /// a scan until they have loaded.
    pub scan_after_down: Duration,
    /// A gateway that gave up this long ago on a session that was good.
    pub gave_up_for: Duration,
    /// Its remedies while no QR code is shown. While one is shown only a person can help.
    pub ladder: Ladder,
}

/// When a session is believed not to exist.
#[derive(Clone, Debug, PartialEq)]
pub struct Repeated404 {
    /// This many answers that say so …
    pub times_min: u32,
    /// … over this time at least.
    pub lasts: Duration,
    /// Its remedies.
    pub ladder: Ladder,
}

/// When a gateway is believed to be down.
#[derive(Clone, Debug, PartialEq)]
pub struct Unreachable {
    /// This many failures …
    pub times_min: u32,
    /// … or this many where one of them is a time-out, which may be one lost packet …
    pub timeouts_min: u32,
    /// … over this time at least: longer than a deploy of two minutes.
    pub lasts: Duration,
    /// This many good answers in a row clear it.
    pub clears: u32,
    /// Its remedies.
    pub ladder: Ladder,
}

/// When a session is believed to loop.
#[derive(Clone, Debug, PartialEq)]
pub struct StateLoop {
    /// This many returns to a good state …
    pub returns_min: u32,
    /// … within this window, without staying good for `steady`.
    pub within: Duration,
    /// Its remedies.
    pub ladder: Ladder,
}

/// When nobody is believed to come and scan.
#[derive(Clone, Debug, PartialEq)]
pub struct StuckQr {
    /// A scan wanted this long by a session that never was good.
    pub lasts: Duration,
    /// A QR text that did not change for this long is dead or scanned; a live one changes at least every 60 s.
    pub frozen_after: Duration,
    /// Its remedies while the code is alive.
    pub ladder: Ladder,
    /// Its remedies while the code is dead.
    pub ladder_dead: Ladder,
}

/// When a session is believed never to become usable.
#[derive(Clone, Debug, PartialEq)]
pub struct NeverReady {
    /// Not good and no scan wanted this long since a start.
    pub lasts: Duration,
    /// The same for a session that was good and lost its connection: after an outage of the internet reconnecting takes
    /// up to 7 minutes (wwebjs PR #77).
    pub reconnects_for: Duration,
    /// Rising progress buys time, but no more than this in all.
    pub progress_for: Duration,
    /// Its remedies.
    pub ladder: Ladder,
}

/// When a session that says connected is believed dead. Silence alone never proves it.
#[derive(Clone, Debug, PartialEq)]
pub struct SilentSession {
    /// Deep probes that failed in a row; one more where one of them hung.
    pub deep_min: u32,
    /// A counter that stands still for this many of its usual gaps …
    pub gaps_min: u32,
    /// … and for this time at least, …
    pub still_for: Duration,
    /// … after it moved steadily this many times.
    pub moves_min: u32,
    /// Where it is learned what usually passes at this hour of the week: at least this many messages were to be expected.
    pub expected_min: u32,
    /// The night, in which silence is usual.
    pub night: Night,
    /// Its remedies.
    pub ladder: Ladder,
}

/// The hours of the day in which nobody writes, in a time zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Night {
    /// First hour of it, 0 to 23.
    pub from: u8,
    /// First hour after it, 0 to 23; may lie past midnight. Equal to `from`: there is no night.
    pub to: u8,
    /// Where these hours are read, unless the gateway names its own local hour.
    pub zone: jiff::tz::TimeZone,
}

/// When a process is believed to be about to be killed for memory.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryPressure {
    /// Share of the limit from which on it is high, in percent.
    pub percent_min: u8,
    /// High for this long.
    pub lasts: Duration,
    /// Or for this long where readings come at least every `fast`, and it is not falling.
    pub lasts_fast: Duration,
    /// What counts as fast.
    pub fast: Duration,
    /// Its remedies.
    pub ladder: Ladder,
}

/// When the watchdog's own credentials are believed to be wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct CredentialsRefused {
    /// This many refusals …
    pub times_min: u32,
    /// … over this time at least.
    pub lasts: Duration,
    /// Its remedies.
    pub ladder: Ladder,
}

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn mins(n: u64) -> Duration {
    secs(n.saturating_mul(60))
}

/// How close together targets must turn bad by default to have turned bad together.
pub const TOGETHER: Duration = mins(10);

impl Default for Limits {
    fn default() -> Self {
        use Remedy::{Notify, Reconnect, Reset, Restart};
        Self {
            poll_every: secs(15),
            deep_every: secs(60),
            qr_every: secs(20),
            settle: secs(60),
            steady: mins(2),
            gap: mins(3),
            budget: Budget {
                reconnects_hourly: 6,
                reconnects_daily: 24,
                restarts_hourly: 3,
                restarts_daily: 3,
                reset_every: mins(6 * 60),
                resets_daily: 2,
                resets_weekly: 2,
                gives_up_after: 2,
            },
            cooldown: Cooldown { first: mins(5), longest: mins(24 * 60) },
            attempt: AttemptLimits {
                reconnect_helps_in: mins(2),
                restart_helps_in: mins(3),
                again_after: mins(6 * 60),
                approval_for: mins(60),
                resume_within: mins(30),
            },
            hand_off: HandOffLimits {
                after: secs(20),
                round: mins(3),
                window: mins(15),
                remind_every: mins(30),
                qr_within: mins(5),
            },
            quiet_hours: Night { from: 0, to: 0, zone: jiff::tz::TimeZone::UTC },
            conflict: Conflict {
                lasts: secs(60),
                times_min: 2,
                within: mins(10),
                act_after: mins(10),
                ladder: Ladder::new(Notify, &[Restart]),
            },
            session_expired: SessionExpired {
                times_min: 2,
                refused_for: secs(60),
                scan_for: secs(60),
                scan_after_down: mins(5),
                gave_up_for: secs(60),
                ladder: Ladder::new(Reconnect, &[Restart, Reset]),
            },
            repeated_404: Repeated404 { times_min: 3, lasts: secs(60), ladder: Ladder::new(Reset, &[Notify]) },
            unreachable: Unreachable {
                times_min: 3,
                timeouts_min: 4,
                lasts: secs(130),
                clears: 2,
                ladder: Ladder::new(Restart, &[Notify]),
            },
            state_loop: StateLoop { returns_min: 3, within: mins(10), ladder: Ladder::new(Restart, &[Reset]) },
            stuck_qr: StuckQr {
                lasts: mins(10),
                frozen_after: mins(3),
                ladder: Ladder::new(Notify, &[]),
                ladder_dead: Ladder::new(Restart, &[Notify]),
            },
            never_ready: NeverReady {
                lasts: mins(5),
                reconnects_for: secs(450),
                progress_for: mins(15),
                ladder: Ladder::new(Restart, &[Reset]),
            },
            silent_session: SilentSession {
                deep_min: 2,
                gaps_min: 20,
                still_for: mins(30),
                moves_min: 10,
                expected_min: 20,
                night: Night { from: 22, to: 8, zone: jiff::tz::TimeZone::UTC },
                ladder: Ladder::new(Restart, &[Notify]),
            },
            memory_pressure: MemoryPressure {
                percent_min: 90,
                lasts: mins(5),
                lasts_fast: secs(60),
                fast: secs(45),
                ladder: Ladder::new(Restart, &[Notify]),
            },
            credentials_refused: CredentialsRefused { times_min: 2, lasts: secs(60), ladder: Ladder::new(Notify, &[]) },
        }
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            whose: Arc::from(""),
            limits: Arc::default(),
            has_deep: false,
            has_qr: false,
            has_status: true,
            mode: Mode::Observe,
            plans: BTreeMap::new(),
            restart_keeps_session: true,
            group: Arc::from(""),
            paths: Arc::default(),
            memory: MemoryReading::default(),
        }
    }
}

impl Default for FleetLimits {
    fn default() -> Self {
        Self {
            storm_targets: 2,
            storm_percent: 50,
            storm_holds: mins(30),
            storm_exit: mins(2),
            storm_jitter: mins(1),
            attempts: 3,
            restarts_hourly: 20,
            resets_daily: 6,
        }
    }
}

impl Watch {
    /// Tells whether a remedy destroys the session of this target.
    #[must_use]
    pub fn destroys(&self, remedy: Remedy) -> bool {
        match remedy {
            Remedy::Reset => true,
            Remedy::Restart => !self.restart_keeps_session,
            // What a restore takes the place of is moved aside, not lost.
            Remedy::Notify | Remedy::Reconnect | Remedy::Restore => false,
        }
    }
}

impl Night {
    /// Tells whether an hour of the day lies in the night.
    #[must_use]
    pub fn holds(&self, hour: u8) -> bool {
        if self.from <= self.to {
            return self.from <= hour && hour < self.to;
        }
        self.from <= hour || hour < self.to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_night_may_pass_midnight_or_not_exist() {
        let night = |from, to| Night { from, to, zone: jiff::tz::TimeZone::UTC };
        assert!(night(22, 8).holds(23) && night(22, 8).holds(0) && !night(22, 8).holds(8));
        assert!(night(1, 5).holds(1) && !night(1, 5).holds(5));
        assert!((0..24).all(|hour| !night(6, 6).holds(hour)));
    }
}
