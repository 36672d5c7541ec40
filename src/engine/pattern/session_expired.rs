//! The link to the phone is gone: said outright, or seen from a QR code where none was wanted.

use std::time::Duration;

use super::{Case, Finding, Lack, exhibits_since, in_words};
use crate::engine::evidence::Evidence;
use crate::engine::ladder::{Ladder, Remedy};
use crate::engine::moment::{Moment, words};
use crate::engine::sample::{Effort, SessionState};
use crate::engine::timeline::track::Run;

/// The ways to know it.
enum Way<'a> {
    /// The gateway says so in words.
    Said(&'a Run),
    /// Its log said so, and it is not connected since.
    Logged(&'a Run),
    /// The session's own key is refused since it worked.
    KeyRefused,
    /// It was good and wants a scan.
    WantsScan(Moment),
    /// It was good and its gateway gave up.
    GaveUp(&'a Run),
}

/// Judges whether the link is gone.
pub(super) fn judge(case: &Case<'_>) -> Finding {
    let limits = &case.limits.session_expired;
    match way(case) {
        None => Finding::Clear,
        Some(Way::Logged(_)) => Finding::Proven,
        Some(Way::Said(run)) if limits.times_min <= run.count => Finding::Proven,
        Some(Way::Said(run)) => {
            Finding::Partly(Lack::Times { what: "a word of logout or expiry", have: run.count, need: limits.times_min })
        }
        Some(Way::KeyRefused) => {
            Finding::of_streak("a refusal of the session's key", &case.timeline.refused_session, 2, limits.refused_for)
        }
        Some(Way::WantsScan(_)) => {
            Finding::of_time("a scan wanted by a session that was good", case.timeline.scan.lasts(), scan_for(case))
        }
        Some(Way::GaveUp(run)) => {
            Finding::of_time("given up by the gateway", run.last.since(run.first), limits.gave_up_for)
        }
    }
}

/// Tells how it is known.
pub(super) fn tell(case: &Case<'_>) -> Evidence {
    let timeline = case.timeline;
    let good = timeline.last_good.map_or_else(String::new, |at| format!("; last connected at {}", at.wall.clock()));
    let (since, sentence) = match way(case) {
        None => (timeline.floor, String::from("the session was found expired")),
        Some(Way::Said(run)) => (
            run.first,
            format!(
                "the gateway says {}{} since {}, {} times in a row{good}",
                run.seen.state,
                in_words(run),
                run.first.wall.clock(),
                run.count
            ),
        ),
        Some(Way::Logged(run)) => {
            (run.first, format!("its log says {}{} at {}{good}", run.seen.state, in_words(run), run.first.wall.clock()))
        }
        Some(Way::KeyRefused) => {
            let (first, _) = timeline.refused_session.span().unwrap_or((case.now, case.now));
            let (count, lasts) = (timeline.refused_session.count(), timeline.refused_session.lasts());
            (
                first,
                format!(
                    "the session's own key, which worked, is refused since {}: {count} times in {}{good}",
                    first.wall.clock(),
                    words(lasts)
                ),
            )
        }
        Some(Way::WantsScan(first)) => (
            first,
            format!(
                "was good, and asks for a QR scan since {}, for {}; limit is {}{good}",
                first.wall.clock(),
                words(timeline.scan.lasts()),
                words(scan_for(case))
            ),
        ),
        Some(Way::GaveUp(run)) => (
            run.first,
            format!(
                "was good, and its gateway gave up{} at {}, {} ago; limit is {}{good}",
                in_words(run),
                run.first.wall.clock(),
                words(run.last.since(run.first)),
                words(case.limits.session_expired.gave_up_for)
            ),
        ),
    };
    Evidence::new(sentence, exhibits_since(case, since))
}

/// While a QR code is shown, or while our key is refused, only a person can help.
pub(super) fn ladder(case: &Case<'_>) -> Ladder {
    match way(case) {
        Some(Way::WantsScan(_) | Way::KeyRefused) => Ladder::new(Remedy::Notify, &[]),
        Some(Way::Said(_) | Way::Logged(_)) if case.timeline.scan.is_shown => Ladder::new(Remedy::Notify, &[]),
        Some(Way::Said(_) | Way::Logged(_) | Way::GaveUp(_)) | None => case.limits.session_expired.ladder.clone(),
    }
}

fn way<'a>(case: &Case<'a>) -> Option<Way<'a>> {
    let timeline = case.timeline;
    let floor = timeline.floor.uptime;
    if 0 < timeline.refused_session.count() {
        return Some(Way::KeyRefused);
    }
    let current = timeline.polls.fresh().filter(|run| floor <= run.first.uptime);
    if let Some(run) = current.filter(|run| says_gone(run)) {
        return Some(Way::Said(run));
    }
    let logged = timeline.log.fresh().filter(|run| floor <= run.first.uptime && says_gone(run));
    if let Some(run) = logged.filter(|run| !is_back(case, run)) {
        return Some(Way::Logged(run));
    }
    if !timeline.ever_good {
        return None;
    }
    if let Some(first) = timeline.scan.since().filter(|_| timeline.scan.is_shown && timeline.scanned_since().is_none())
    {
        return Some(Way::WantsScan(first));
    }
    current.filter(|run| matches!(run.seen.effort, Effort::GaveUp | Effort::Idle)).map(Way::GaveUp)
}

fn says_gone(run: &Run) -> bool {
    matches!(run.seen.state, SessionState::LoggedOut | SessionState::Expired)
}

/// A poll that saw the session connected after the line proves the line old.
fn is_back(case: &Case<'_>, logged: &Run) -> bool {
    let polls = case.timeline.polls.current();
    polls.is_some_and(|run| run.seen.state == SessionState::Connected && logged.last.uptime < run.last.uptime)
}

/// After the service itself was down a person may be linking it anew on purpose: that takes up to three minutes.
fn scan_for(case: &Case<'_>) -> Duration {
    let limits = &case.limits.session_expired;
    if case.timeline.down_since_good { limits.scan_after_down } else { limits.scan_for }
}
