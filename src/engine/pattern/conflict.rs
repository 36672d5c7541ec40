//! Another client took the session: it lasts, or it comes back.

use std::time::Duration;

use super::{Case, Finding, Lack, exhibit, in_words};
use crate::engine::evidence::Evidence;
use crate::engine::moment::words;
use crate::engine::sample::SessionState;
use crate::engine::timeline::track::{Run, Track};

/// Judges whether another client holds the session.
pub(super) fn judge(case: &Case<'_>) -> Finding {
    let limits = &case.limits.conflict;
    let times = times(case);
    if limits.times_min <= times || limits.lasts <= lasts(case) {
        return Finding::Proven;
    }
    match times {
        0 => Finding::Clear,
        have => Finding::Partly(Lack::Times { what: "a conflict", have, need: limits.times_min }),
    }
}

/// Tells who saw the conflict, and for how long.
pub(super) fn tell(case: &Case<'_>) -> Evidence {
    let limits = &case.limits.conflict;
    let lasting = lasts(case);
    let source = if standing(case, &case.timeline.polls).is_some() { "the gateway" } else { "its log" };
    let runs: Vec<&Run> = tracks(case).flat_map(|track| conflicts(case, track)).collect();
    let word = runs.last().map_or_else(String::new, |run| in_words(run));
    let sentence = if limits.lasts <= lasting {
        let since = runs.last().map_or_else(String::new, |run| format!(" since {}", run.first.wall.clock()));
        format!(
            "{source} says that another client took the session{word}, for {}{since}; limit is {}",
            words(lasting),
            words(limits.lasts)
        )
    } else {
        let at: Vec<String> = runs.iter().map(|run| run.first.wall.clock()).collect();
        format!(
            "another client took the session {} times within {} ({}){word}; limit is {} in {}",
            times(case),
            words(case.now.since(runs.first().map_or(case.now, |run| run.first))),
            at.join(", "),
            limits.times_min,
            words(limits.within)
        )
    };
    Evidence::new(sentence, runs.into_iter().map(exhibit).collect())
}

fn tracks<'a>(case: &Case<'a>) -> impl Iterator<Item = &'a Track> {
    [&case.timeline.polls, &case.timeline.log].into_iter()
}

/// The conflicts of a track within the window.
fn conflicts<'a>(case: &Case<'a>, track: &'a Track) -> impl Iterator<Item = &'a Run> {
    let (floor, now, within) = (case.timeline.floor, case.now, case.limits.conflict.within);
    track.runs().filter(move |run| {
        run.seen.state == SessionState::Conflict && floor.uptime <= run.first.uptime && now.since(run.last) <= within
    })
}

/// How often it came within the window. Poll and log tell of the same conflicts: the track that saw more of them counts.
fn times(case: &Case<'_>) -> u32 {
    let most = tracks(case).map(|track| conflicts(case, track).count()).max();
    u32::try_from(most.unwrap_or(0)).unwrap_or(u32::MAX)
}

/// How long the one that still stands has lasted.
fn lasts(case: &Case<'_>) -> Duration {
    let polled = standing(case, &case.timeline.polls).map_or(Duration::ZERO, |run| run.last.since(run.first));
    let logged = standing(case, &case.timeline.log).filter(|run| !is_over(case, run));
    polled.max(logged.map_or(Duration::ZERO, |run| case.now.since(run.first)))
}

fn standing<'a>(case: &Case<'_>, track: &'a Track) -> Option<&'a Run> {
    let run = track.fresh()?;
    (run.seen.state == SessionState::Conflict && case.timeline.floor.uptime <= run.first.uptime).then_some(run)
}

/// A log line is not repeated: its conflict stands until the log says otherwise, or until a poll sees a new connection.
fn is_over(case: &Case<'_>, logged: &Run) -> bool {
    let polls = case.timeline.polls.current();
    polls.is_some_and(|run| run.seen.state == SessionState::Connected && logged.first.uptime < run.first.uptime)
}
