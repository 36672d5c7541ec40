//! How a target is shown.

use std::sync::Arc;
use std::time::Duration;

use super::{Book, Subject};
use crate::engine::care::hand_off;
use crate::engine::moment::Moment;
use crate::engine::pattern::{Case, Finding, Pattern};
use crate::engine::snapshot::{AlertView, CareView, Counts, FindingView, RunView, TargetView};
use crate::engine::timeline::track::Track;
use crate::engine::verdict::Verdict;

/// After so many readings of memory that did not come the last one is of the past.
const READINGS_MISSED_MAX: u32 = 4;

/// Shows a target as it was at its newest sample.
pub(super) fn show(subject: &Subject) -> TargetView {
    let timeline = &subject.timeline;
    let now = timeline.last_sample.unwrap_or(timeline.floor);
    let case = subject.case(now);
    let newest = timeline.polls.current();
    let open = [&subject.session, &subject.memory].into_iter().filter_map(|book| book.open.as_ref());
    let reading = timeline.memory.as_ref().filter(|memory| !memory.is_over).and_then(|memory| memory.last);
    TargetView {
        target: subject.id.clone(),
        state: timeline.state(),
        word: newest.and_then(|run| run.seen.word.clone()),
        since: newest.and(subject.state_since).map(|at| at.wall),
        last_connected: timeline.last_good.map(|at| at.wall),
        up: timeline.up,
        stopped: timeline.is_stopped,
        verdict: verdict(&subject.session, &case),
        memory_verdict: verdict(&subject.memory, &case),
        findings: findings(&case),
        open: open.map(|open| Arc::clone(&open.incident)).collect(),
        memory: reading.map(|(_, memory)| memory),
        memory_until: reading.and_then(|(at, _)| Some(at.wall.after(outdated(subject)?))),
        memory_minimum: subject.watch.memory.minimum,
        day: Arc::clone(&subject.day),
        timeline: runs(&timeline.polls),
        log: runs(&timeline.log),
        alerts: timeline
            .alerts
            .firing(now)
            .map(|raised| AlertView { name: raised.name.clone(), since: raised.since.wall })
            .collect(),
        version: timeline.version.clone(),
        image: timeline.image.clone(),
        health: timeline.health.clone(),
        evidence_since: timeline.floor.wall,
        next_poll: subject.slot.due.map(|at| at.wall),
        held_until: subject.slot.held_until.filter(|until| now.uptime < until.uptime).map(|at| at.wall),
        counts: Counts {
            oom_kills: timeline.memory.as_ref().map_or(0, |memory| memory.kills()),
            ..subject.counts.clone()
        },
        care: Arc::new(care(subject, subject.looked.max(now))),
    }
}

fn care(subject: &Subject, now: Moment) -> CareView {
    let hand_off = subject.care.hand_off.as_ref();
    CareView {
        disturbs: hand_off::disturbs(now, hand_off, &subject.timeline, &subject.watch.limits),
        ..subject.care.show(now, &subject.id, &subject.watch)
    }
}

/// Returns how old a reading of memory may be that is still shown as the present one.
fn outdated(subject: &Subject) -> Option<Duration> {
    subject.watch.memory.every.map(|every| every.saturating_mul(READINGS_MISSED_MAX))
}

fn verdict(book: &Book, case: &Case<'_>) -> Verdict {
    if let Some(open) = &book.open {
        let pattern = open.incident.pattern;
        // The proof grows while it stands; afterwards the one that opened the incident is shown.
        let evidence = match pattern.judge(case) {
            Finding::Proven => Arc::new(pattern.tell(case)),
            Finding::Clear | Finding::Partly(_) => Arc::clone(&open.incident.evidence),
        };
        return Verdict::Failing { pattern, evidence };
    }
    match book.brief {
        super::Brief::Suspect(pattern) => match pattern.judge(case) {
            Finding::Partly(lack) => Verdict::Suspect { pattern, missing: lack.to_string() },
            Finding::Clear | Finding::Proven => Verdict::Healthy,
        },
        super::Brief::Healthy | super::Brief::Failing(_) => Verdict::Healthy,
    }
}

fn findings(case: &Case<'_>) -> Vec<FindingView> {
    let view = |pattern: Pattern| match pattern.judge(case) {
        Finding::Clear => None,
        Finding::Partly(lack) => Some(FindingView { pattern, proven: false, why: lack.to_string() }),
        Finding::Proven => Some(FindingView { pattern, proven: true, why: pattern.tell(case).sentence }),
    };
    Pattern::ALL.into_iter().filter_map(view).collect()
}

fn runs(track: &Track) -> Vec<RunView> {
    let wall = |at: Moment| at.wall;
    let view = |run: &crate::engine::timeline::track::Run| RunView {
        state: run.seen.state,
        phase: run.seen.phase,
        effort: run.seen.effort,
        word: run.seen.word.clone(),
        from: wall(run.first),
        to: wall(run.last),
        samples: run.count,
    };
    track.runs().map(view).collect()
}
