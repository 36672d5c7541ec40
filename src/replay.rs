//! A recording through the same dialect, engine and policy as the daemon, in virtual time.
//!
//! A recording is JSON Lines of raw answers: a header, then observations in the order of time. It is read as a stream, and
//! every line goes through `dialect` into the engine's [`Watchdog`](crate::engine::Watchdog), with the recording's own clock.
//! What the engine orders to be asked is not asked, because the recording holds what came of it; what it wants to be written
//! down counts as written.
//!
//! A replay judges as if everything might be done: it shows what would have been done, and what would have been refused and why.
//! Whether a remedy would have helped nobody knows, so the recording goes on as it was.

mod fault;
mod lines;
mod player;
mod report;
mod wire;

use std::collections::BTreeMap;
use std::io::BufRead;
use std::time::Duration;

pub use fault::{BadRecording, Wrong};
pub use report::{Difference, Line, Summary};

use crate::config::{Problem, RecordingTarget, Settings, recording_target};
use crate::engine::policy::{FleetLimits, Limits, Watch};
use crate::engine::target::TargetId;
use lines::Lines;
use player::Player;

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
    let player = |thresholds: Option<&Thresholds>| {
        let targets = header(lines.line(), thresholds).map_err(|wrong| lines.fault(wrong))?;
        Ok(Player::new(targets, thresholds))
    };
    let mut beside = options.instead.as_ref().map(|_| player(options.beside.as_ref())).transpose()?;
    let mut player = player(options.instead.as_ref())?;
    while lines.advance()? {
        let outcome = serde_json::from_str(lines.line()).map_err(Wrong::from).and_then(|seen| {
            beside.as_mut().map_or(Ok(()), |beside| beside.play(&seen, &mut |_| {}))?;
            player.play(&seen, &mut |line| out(News::Line(line)))
        });
        outcome.map_err(|wrong| lines.fault(wrong))?;
        if lines.so_far().lines.is_multiple_of(PROGRESS_LINES) {
            out(News::Progress(lines.so_far()));
        }
    }
    Ok(Replayed { summary: player.finish(), beside: beside.map(Player::finish) })
}

fn header(line: &str, instead: Option<&Thresholds>) -> Result<BTreeMap<TargetId, RecordingTarget>, Wrong> {
    let no_header = |error: serde_json::Error| Wrong::NoHeader(format!(": {}", fault::without_place(&error)));
    let version = serde_json::from_str::<wire::Version>(line).map_err(no_header)?.recording;
    if version != VERSION {
        return Err(Wrong::UnknownVersion(version));
    }
    let header: wire::Header = serde_json::from_str(line).map_err(no_header)?;
    header.targets.iter().map(|(name, keys)| target(name, keys, instead)).collect()
}

fn target(
    name: &str,
    keys: &wire::TargetKeys,
    instead: Option<&Thresholds>,
) -> Result<(TargetId, RecordingTarget), Wrong> {
    let id = TargetId::new(name).map_err(|error| Wrong::BadTarget(error.to_string()))?;
    let problems = |problems: Vec<Problem>| Wrong::BadTarget(format!("target {name}: {}", in_words(&problems)));
    let Some(thresholds) = instead else {
        return Ok((id, recording_target(keys, &Limits::default()).map_err(problems)?));
    };
    let instead = thresholds.targets.get(&id).map_or(&thresholds.defaults, |watch| &*watch.limits);
    let recorded = recording_target(keys, instead).map_err(problems)?;
    // How often was asked is a fact of the recording, not a threshold to try.
    let limits = Limits { poll_every: recorded.limits.poll_every, ..instead.clone() };
    Ok((id, RecordingTarget { limits, ..recorded }))
}

fn in_words(problems: &[Problem]) -> String {
    let words = |problem: &Problem| format!("{}: {} ({})", problem.key, problem.what, problem.hint);
    problems.iter().map(words).collect::<Vec<_>>().join("; ")
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
