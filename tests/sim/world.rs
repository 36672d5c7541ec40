//! The session services, as they really are; the watchdog sees only what they answer.

use std::time::Duration;

use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::sample::{
    Answer, Deep, Effort, Facts, Failure, Memory, QrMark, Reply, Sample, SessionState, Word,
};
use wa_watchdog::engine::{Ask, Wall};

use super::chance::Chance;

/// What is wrong with a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Connects and falls, again and again.
    Loop,
    /// Another client holds the session.
    Conflict,
    /// Unlinked, and no code is shown.
    Expired,
    /// Unlinked, and codes are shown; live ones, or one that is dead.
    WantsScan { dead: bool },
    /// Starts and never gets there.
    NeverReady,
    /// The session is gone.
    Missing,
    /// The service does not answer.
    Down,
    /// Says connected, and is not.
    Lies,
    /// Its memory is almost used up.
    Leaks,
    /// Somebody stopped it.
    Stopped,
}

/// What ends a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cure {
    /// Time alone.
    Time,
    /// A restart, or time.
    Restart,
    /// A reset and a scan.
    Reset,
    /// Nothing.
    Never,
}

/// One service.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Service {
    pub(crate) fault: Fault,
    pub(crate) cure: Cure,
    /// When the fault ends by itself, or a person scans.
    pub(crate) heals: Option<Duration>,
    pub(crate) running: bool,
    /// When it started, by the true clock.
    pub(crate) started: Duration,
    /// It was never anything but well.
    pub(crate) always_well: bool,
    /// The fault comes back this long after each reset.
    pub(crate) relapses: Option<Duration>,
    pub(crate) relapse_at: Option<(Duration, Fault)>,
    /// A restart of it loses the session.
    pub(crate) loses_session: bool,
    /// Its memory is almost used up, whatever else is wrong.
    pub(crate) leaks: bool,
}

impl Service {
    pub(crate) fn new() -> Self {
        Self {
            fault: Fault::None,
            cure: Cure::Time,
            heals: None,
            running: true,
            started: Duration::ZERO,
            always_well: true,
            relapses: None,
            relapse_at: None,
            loses_session: false,
            leaks: false,
        }
    }

    /// Something breaks.
    pub(crate) fn breaks(&mut self, now: Duration, chance: &mut Chance) {
        let dead = chance.percent(40);
        self.fault = chance.pick(&[
            Fault::Loop,
            Fault::Loop,
            Fault::Conflict,
            Fault::Expired,
            Fault::Expired,
            Fault::WantsScan { dead },
            Fault::NeverReady,
            Fault::NeverReady,
            Fault::Missing,
            Fault::Down,
            Fault::Lies,
            Fault::Leaks,
            Fault::Stopped,
        ]);
        self.cure = chance.pick(&[Cure::Time, Cure::Restart, Cure::Reset, Cure::Reset, Cure::Never]);
        self.heals = match self.cure {
            Cure::Time => Some(now + chance.secs(30, 3600)),
            Cure::Restart | Cure::Reset | Cure::Never => Some(now + chance.secs(3600, 40_000)),
        };
        self.relapses = chance.percent(25).then(|| chance.secs(600, 20_000));
        self.leaks = chance.percent(20);
        self.always_well = false;
    }

    /// Lets time pass.
    pub(crate) fn live(&mut self, now: Duration) {
        if self.heals.is_some_and(|at| at <= now) {
            self.fault = Fault::None;
            self.heals = None;
        }
        if let Some((_, fault)) = self.relapse_at.take_if(|(at, _)| *at <= now) {
            self.fault = fault;
            self.heals = None;
        }
    }

    /// A remedy takes effect.
    pub(crate) fn remedied(&mut self, now: Duration, remedy: Remedy, chance: &mut Chance) {
        self.running = true;
        self.leaks &= remedy == Remedy::Reconnect || chance.percent(50);
        match remedy {
            Remedy::Notify => {}
            Remedy::Reconnect => {
                if self.cure == Cure::Time && chance.percent(50) {
                    self.fault = Fault::None;
                }
            }
            Remedy::Restart => {
                self.started = now;
                if self.loses_session {
                    self.wiped(now, chance);
                } else if self.cure == Cure::Restart && chance.percent(80) {
                    (self.fault, self.heals) = (Fault::None, None);
                }
            }
            Remedy::Reset | Remedy::Restore => {
                self.started = now;
                self.wiped(now, chance);
            }
        }
    }

    /// The session is gone: a person must scan, and may.
    pub(crate) fn wiped(&mut self, now: Duration, chance: &mut Chance) {
        self.always_well = false;
        let before = self.fault;
        if matches!(self.cure, Cure::Never) && chance.percent(50) {
            return;
        }
        self.fault = Fault::WantsScan { dead: false };
        self.heals = chance.percent(80).then(|| now + chance.secs(20, 1500));
        self.cure = Cure::Time;
        if let (Some(after), false) = (self.relapses, before == Fault::None) {
            self.relapse_at = Some((now + after, before));
        }
    }

    /// What it answers.
    pub(crate) fn answers(&self, ask: Ask, now: Duration, wall: Wall, chance: &mut Chance) -> Sample {
        match ask {
            Ask::Status => self.status(now, wall, chance),
            Ask::Deep => Sample::Deep(match self.fault {
                Fault::Lies => Deep::Failed(Word::new("Target closed")),
                _ => Deep::Passed,
            }),
            Ask::Qr => Sample::Qr(self.code(now)),
        }
    }

    pub(crate) fn memory(&self, now: Duration) -> Sample {
        let used = if self.leaks || self.fault == Fault::Leaks { 950 } else { 300 };
        let used_bytes = (used << 20) + now.as_secs() % 1000;
        Sample::Memory(Memory { used_bytes, limit_bytes: Some(1000 << 20), oom_kills: None })
    }

    fn code(&self, now: Duration) -> Option<QrMark> {
        match self.fault {
            Fault::WantsScan { dead: true } => Some(QrMark(7)),
            Fault::WantsScan { dead: false } => Some(QrMark(now.as_secs() / 20)),
            _ => None,
        }
    }

    fn status(&self, now: Duration, wall: Wall, chance: &mut Chance) -> Sample {
        let poll = |reply| Sample::Poll { reply, latency: Duration::from_millis(20) };
        let noise = chance.below(1000);
        if !self.running || self.fault == Fault::Down {
            return poll(Reply::NoAnswer(Failure::ConnectionRefused));
        }
        if noise < 8 && !self.always_well {
            return poll(Reply::NoAnswer(Failure::Timeout));
        }
        if self.fault == Fault::Missing {
            return poll(Reply::Missing(Word::new("not found")));
        }
        let age = Duration::from_millis(u64::try_from((now - self.started).as_millis()).unwrap());
        let started = Wall::from_millis(wall.millis() - i64::try_from(age.as_millis()).unwrap());
        // Whole seconds, as services say it.
        let started = Some(Wall::from_secs(started.millis().div_euclid(1000)));
        let (state, effort) = match self.fault {
            Fault::None | Fault::Lies | Fault::Leaks => (SessionState::Connected, Effort::Trying),
            Fault::Loop if now.as_secs() % 60 < 30 => (SessionState::Connected, Effort::Trying),
            Fault::Loop | Fault::NeverReady => (SessionState::Connecting, Effort::Trying),
            Fault::Conflict => (SessionState::Conflict, Effort::Trying),
            Fault::Expired => (SessionState::LoggedOut, Effort::Trying),
            Fault::WantsScan { .. } => (SessionState::NeedsScan, Effort::Trying),
            Fault::Stopped => (SessionState::Disconnected, Effort::Stopped),
            Fault::Missing | Fault::Down => (SessionState::Unknown, Effort::Trying),
        };
        let facts = Facts { started, qr: self.code(now), ..Facts::default() };
        poll(Reply::Answer(Answer { state, effort, facts, ..Answer::default() }))
    }
}
