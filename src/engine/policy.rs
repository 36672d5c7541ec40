//! Thresholds, already checked: all that the engine knows of the configuration.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::ladder::{Ladder, Remedy};
use super::target::TargetId;

/// What is watched, and how strictly.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// The targets, each with its thresholds; equal thresholds are shared.
    pub targets: BTreeMap<TargetId, Watch>,
    /// Targets that turn bad within this time of each other turned bad together.
    pub together: Duration,
}

/// One watched target.
#[derive(Clone, Debug)]
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

/// When another client is believed to hold the session.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// A conflict that lasts this long.
    pub lasts: Duration,
    /// Or this many separate ones …
    pub times_min: u32,
    /// … within this window.
    pub within: Duration,
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
            conflict: Conflict {
                lasts: secs(60),
                times_min: 2,
                within: mins(10),
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
        Self { whose: Arc::from(""), limits: Arc::default(), has_deep: false, has_qr: false, has_status: true }
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
