//! A recording through the same dialect, engine and policy as the daemon, in virtual time.
//!
//! A recording is JSON Lines of raw answers: a header, then observations in the order of time. It is read as a stream, and
//! every line goes through `dialect` into the engine's [`Watchdog`](crate::engine::Watchdog), with the recording's own clock.
//! What the engine orders to be asked is not asked, because the recording holds what came of it; what it wants to be written
//! down counts as written.
//!
//! A recording that names the mode of the watchdog that made it is judged in that mode, and restarts where that one did, so that
//! the verdicts are those of the daemon. Any other, and every recording that another policy is tried on, is judged as if everything
//! might be done: it shows what would have been done, and what would have been refused and why. Whether a remedy would have helped
//! nobody knows, so the recording goes on as it was.

mod fault;
mod head;
mod lines;
mod memory;
mod player;
mod report;

use std::collections::BTreeMap;
use std::io::BufRead;
use std::time::Duration;

pub use fault::{BadRecording, Wrong};
pub use report::{Difference, Line, Summary};

use crate::config::Settings;
use crate::engine::policy::{FleetLimits, Limits, Watch};
use crate::engine::target::TargetId;
use head::Head;
use lines::Lines;
use player::{Player, Way};

/// Longest line that is read, in bytes.
pub const LINE_BYTES_MAX: u64 = 16 << 20;

/// Lines between two reports of progress; a fraction of a second.
pub const PROGRESS_LINES: u64 = 50_000;

/// The version of the format that is read and written.
pub const VERSION: u64 = 1;

/// How to replay.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What to try in place of what the recording names.
    pub instead: Option<Thresholds>,
    /// What to compare that with; none: with what the recording names.
    pub beside: Option<Thresholds>,
}

/// What a configuration says about judging and acting.
#[derive(Clone, Debug)]
pub struct Thresholds {
    /// How its targets are watched, by name. Their mode does not count.
    pub targets: BTreeMap<TargetId, Watch>,
    /// Thresholds of every other target.
    pub defaults: Limits,
    /// Targets that turn bad within this time of each other turned bad together.
    pub together: Duration,
    /// What holds for all targets taken together.
    pub fleet: FleetLimits,
}

/// What came of a replay.
#[derive(Clone, Debug, Default)]
pub struct Replayed {
    /// With the policy that was tried, or the recording's own.
    pub summary: Summary,
    /// With the policy that it is compared with, where another one was tried.
    pub beside: Option<Summary>,
}

/// What a replay tells while it runs.
#[derive(Clone, Debug)]
pub enum News {
    /// Something for the output.
    Line(Line),
    /// How far it has come, every [`PROGRESS_LINES`] lines; for a person who waits.
    Progress(Progress),
}

/// How much of a recording was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Lines, the header among them.
    pub lines: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Replays one recording and tells what the watchdog concludes. `name` is what errors call it.
pub fn replay(
    input: impl BufRead,
    name: &str,
    options: &Options,
    out: &mut dyn FnMut(News),
) -> Result<Replayed, BadRecording> {
    let mut lines = Lines::new(input, name);
    if !lines.advance()? {
        return Err(lines.fault(Wrong::NoHeader(", and the file is empty".to_owned())));
    }
    let way = if options.instead.is_some() { Way::Assumed } else { Way::Recorded };
    let player = |thresholds: Option<&Thresholds>| {
        let head = Head::read(lines.line(), thresholds).map_err(|wrong| lines.fault(wrong))?;
        Ok(Player::new(head, way, thresholds.cloned()))
    };
    let mut beside = options.instead.as_ref().map(|_| player(options.beside.as_ref())).transpose()?;
    let mut player = player(options.instead.as_ref())?;
    while lines.advance()? {
        let outcome = beside.as_mut().map_or(Ok(()), |beside| beside.play(lines.line(), &mut |_| {}));
        let outcome = outcome.and_then(|()| player.play(lines.line(), &mut |line| out(News::Line(line))));
        outcome.map_err(|wrong| lines.fault(wrong))?;
        if lines.so_far().lines.is_multiple_of(PROGRESS_LINES) {
            out(News::Progress(lines.so_far()));
        }
    }
    Ok(Replayed { summary: player.finish(), beside: beside.map(Player::finish) })
}

impl Thresholds {
    /// Takes what a configuration says.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self {
            targets: settings.policy.targets.clone(),
            defaults: settings.limits.clone(),
            together: settings.policy.together,
            fleet: settings.policy.fleet.clone(),
        }
    }
}
