//! A recording through the same dialect, engine and policy as the daemon, in virtual time.
//!
//! A recording is JSON Lines of raw answers: a header, then observations in the order of time. It is read as a stream, and
//! every line goes through `dialect` into the engine's [`Watchdog`](crate::engine::Watchdog), with the recording's own clock.
//! What the engine orders to be asked is not asked, because the recording holds what came of it; what it wants to be written
//! down counts as written.

mod fault;
mod lines;
mod player;
mod report;
mod wire;

use std::collections::BTreeMap;
use std::io::BufRead;
use std::sync::Arc;
use std::time::Duration;

pub use fault::{BadRecording, Wrong};
pub use report::{Line, Summary};

use crate::config::{Problem, RecordingTarget, Settings, recording_target};
use crate::engine::policy::{Limits, TOGETHER, Watch};
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
    /// Thresholds to try in place of those that the recording names.
    pub instead: Option<Thresholds>,
}

/// Thresholds of a configuration.
#[derive(Clone, Debug)]
pub struct Thresholds {
    /// Of its targets, by name.
    pub targets: BTreeMap<TargetId, Arc<Limits>>,
    /// Of every other target.
    pub defaults: Limits,
    /// Targets that turn bad within this time of each other turned bad together.
    pub together: Duration,
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
) -> Result<Summary, BadRecording> {
    let mut lines = Lines::new(input, name);
    if !lines.advance()? {
        return Err(lines.fault(Wrong::NoHeader(", and the file is empty".to_owned())));
    }
    let targets = header(lines.line(), options).map_err(|wrong| lines.fault(wrong))?;
    let together = options.instead.as_ref().map_or(TOGETHER, |thresholds| thresholds.together);
    let mut player = Player::new(targets, together);
    while lines.advance()? {
        let outcome = serde_json::from_str(lines.line())
            .map_err(Wrong::from)
            .and_then(|seen| player.play(&seen, &mut |line| out(News::Line(line))));
        outcome.map_err(|wrong| lines.fault(wrong))?;
        if lines.so_far().lines.is_multiple_of(PROGRESS_LINES) {
            out(News::Progress(lines.so_far()));
        }
    }
    Ok(player.finish())
}

fn header(line: &str, options: &Options) -> Result<BTreeMap<TargetId, RecordingTarget>, Wrong> {
    let no_header = |error: serde_json::Error| Wrong::NoHeader(format!(": {}", fault::without_place(&error)));
    let version = serde_json::from_str::<wire::Version>(line).map_err(no_header)?.recording;
    if version != VERSION {
        return Err(Wrong::UnknownVersion(version));
    }
    let header: wire::Header = serde_json::from_str(line).map_err(no_header)?;
    header.targets.iter().map(|(name, keys)| target(name, keys, options)).collect()
}

fn target(name: &str, keys: &wire::TargetKeys, options: &Options) -> Result<(TargetId, RecordingTarget), Wrong> {
    let id = TargetId::new(name).map_err(|error| Wrong::BadTarget(error.to_string()))?;
    let problems = |problems: Vec<Problem>| Wrong::BadTarget(format!("target {name}: {}", in_words(&problems)));
    let Some(thresholds) = &options.instead else {
        return Ok((id, recording_target(keys, &Limits::default()).map_err(problems)?));
    };
    let instead = thresholds.targets.get(&id).map_or(&thresholds.defaults, |limits| limits);
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
    /// Takes the thresholds of a configuration.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let limits = |(id, watch): (&TargetId, &Watch)| (id.clone(), Arc::clone(&watch.limits));
        Self {
            targets: settings.policy.targets.iter().map(limits).collect(),
            defaults: settings.limits.clone(),
            together: settings.policy.together,
        }
    }
}
