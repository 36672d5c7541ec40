//! The header of a recording, understood: what is watched, and how.

use std::collections::BTreeMap;

use super::fault::{Wrong, without_place};
use super::{Thresholds, VERSION};
use crate::config::{Problem, RecordingHead, RecordingTarget, recording_head, recording_target};
use crate::engine::policy::Limits;
use crate::engine::target::TargetId;
use crate::recording::wire::{Header, Keys, Version};

/// What a recording says before its first observation, and again where the watchdog that made it read its configuration anew.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) all: RecordingHead,
    pub(super) targets: BTreeMap<TargetId, RecordingTarget>,
}

impl Head {
    /// Reads the first line.
    pub(super) fn read(line: &str, instead: Option<&Thresholds>) -> Result<Self, Wrong> {
        let no_header = |error: serde_json::Error| Wrong::NoHeader(format!(": {}", without_place(&error)));
        let version = serde_json::from_str::<Version>(line).map_err(no_header)?.recording;
        if version != VERSION {
            return Err(Wrong::UnknownVersion(version));
        }
        Self::of(&serde_json::from_str(line).map_err(no_header)?, instead)
    }

    /// Reads what a later line says of the watchdog; none where it says nothing.
    pub(super) fn read_again(line: &str, instead: Option<&Thresholds>) -> Result<Option<Self>, Wrong> {
        let keys: Keys = serde_json::from_str(line)?;
        if !keys.contains_key("targets") {
            return Ok(None);
        }
        Self::of(&serde_json::from_str(line)?, instead).map(Some)
    }

    fn of(header: &Header, instead: Option<&Thresholds>) -> Result<Self, Wrong> {
        let all = recording_head(&header.all).map_err(|problems| Wrong::BadTarget(in_words(&problems)))?;
        let targets = header.targets.iter().map(|(name, keys)| target(name, keys, instead));
        Ok(Self { all, targets: targets.collect::<Result<_, _>>()? })
    }
}

fn target(name: &str, keys: &Keys, instead: Option<&Thresholds>) -> Result<(TargetId, RecordingTarget), Wrong> {
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
