//! It starts and never becomes usable.

use std::time::Duration;

use super::{Case, Finding, Lack, exhibits_since, in_words};
use crate::engine::evidence::Evidence;
use crate::engine::ladder::{Ladder, Remedy};
use crate::engine::moment::{Moment, words};
use crate::engine::sample::{Effort, SessionState};
use crate::engine::timeline::track::Run;

/// Judges whether it will never become usable by itself.
pub(super) fn judge(case: &Case<'_>) -> Finding {
    let timeline = case.timeline;
    let Some(since) = timeline.unready else { return Finding::Clear };
    let Some(run) = timeline.polls.fresh() else { return Finding::Clear };
    if run.seen.state == SessionState::Blocked {
        return Finding::of_time(
            "refused by WhatsApp",
            run.last.since(since),
            case.limits.never_ready.lasts.div_f64(5.0),
        );
    }
    if run.seen.effort == Effort::Idle && !timeline.ever_good {
        return Finding::Partly(Lack::Proof { what: "not connected, and nobody asked it to connect yet" });
    }
    Finding::of_time("not usable and no scan wanted", waited(case, since, run), patience(case))
}

/// Tells how long it has been at it.
pub(super) fn tell(case: &Case<'_>) -> Evidence {
    let timeline = case.timeline;
    let since = timeline.unready.unwrap_or(case.now);
    let current = timeline.polls.current();
    let state = current.map_or_else(String::new, |run| format!("{}{}", run.seen.state, in_words(run)));
    let before = match timeline.last_good {
        Some(at) => format!("last connected at {}", at.wall.clock()),
        None => String::from("never connected since the watch began"),
    };
    let blocked = current.is_some_and(|run| run.seen.state == SessionState::Blocked);
    let progress =
        timeline.progress.map_or_else(String::new, |(_, percent)| format!(", loading stands at {percent} %"));
    let lasts = words(current.map_or(case.now, |run| run.last).since(since));
    let sentence = if blocked {
        format!("WhatsApp refuses this client: {state} for {lasts}; only a person can help; {before}")
    } else {
        format!("{}, now {state}{progress}; limit is {}; {before}", what(case, &lasts), words(patience(case)))
    };
    Evidence::new(sentence, exhibits_since(case, since))
}

fn what(case: &Case<'_>, lasts: &str) -> String {
    let timeline = case.timeline;
    let shown = timeline.scan.is_shown;
    let frozen = timeline.scan.frozen_since(case.limits.stuck_qr.frozen_after).filter(|_| shown);
    if let Some(at) = frozen {
        return format!(
            "shows the same QR code since {}: scanned or dead, and not usable for {lasts}",
            at.wall.clock()
        );
    }
    if let Some(at) = timeline.scanned_since().filter(|_| shown) {
        return format!(
            "its log says the QR code was scanned at {}, and it is not usable for {lasts}",
            at.wall.clock()
        );
    }
    format!("not usable and asks for no scan for {lasts}")
}

/// What WhatsApp refuses, no restart mends.
pub(super) fn ladder(case: &Case<'_>) -> Ladder {
    let blocked = case.timeline.state() == Some(SessionState::Blocked);
    if blocked { Ladder::new(Remedy::Notify, &[]) } else { case.limits.never_ready.ladder.clone() }
}

/// How long it has waited; rising progress starts the clock anew, within bounds.
fn waited(case: &Case<'_>, since: Moment, run: &Run) -> Duration {
    let total = run.last.since(since);
    let rose = case.timeline.progress.map_or(since, |(at, _)| at);
    if case.limits.never_ready.progress_for <= total { total } else { total.min(run.last.since(rose)) }
}

/// A session that lost its connection while its service ran on is given longer than one that starts.
fn patience(case: &Case<'_>) -> Duration {
    let limits = &case.limits.never_ready;
    let reconnects = case.timeline.ever_good && !case.timeline.down_since_good;
    if reconnects { limits.reconnects_for } else { limits.lasts }
}
