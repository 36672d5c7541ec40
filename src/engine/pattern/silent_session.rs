//! It says connected, and nothing passes. Silence alone never proves it.

use super::{Case, Finding, Lack, exhibits_since};
use crate::engine::evidence::{Evidence, Exhibit};
use crate::engine::moment::words;

/// Judges whether a second proof stands against `connected`.
pub(super) fn judge(case: &Case<'_>) -> Finding {
    let timeline = case.timeline;
    if !timeline.is_connected() {
        return Finding::Clear;
    }
    let (have, need) = (timeline.deep.failed.count(), deep_needed(case));
    let still = is_still(case);
    if need <= have || (still && (timeline.activity.is_counted() || 0 < have)) {
        return Finding::Proven;
    }
    match have {
        // Whoever tells of messages may have fallen silent himself.
        0 if still => Finding::Partly(Lack::Proof {
            what: "no messages are told of any more, and the gateway counts none itself; it takes a failed deep probe too",
        }),
        0 => Finding::Clear,
        have => Finding::Partly(Lack::Times { what: "a failed deep probe", have, need }),
    }
}

/// Tells the second proof.
pub(super) fn tell(case: &Case<'_>) -> Evidence {
    let timeline = case.timeline;
    let limits = &case.limits.silent_session;
    if let Some((first, last)) =
        timeline.deep.failed.span().filter(|_| deep_needed(case) <= timeline.deep.failed.count())
    {
        let word = timeline.deep.word.as_ref().map_or_else(|| String::from(" (time-out)"), |word| format!(" ({word})"));
        let sentence = format!(
            "says connected, but the deep probe failed {} times in a row since {}{word}; limit is {}",
            timeline.deep.failed.count(),
            first.wall.clock(),
            deep_needed(case)
        );
        let failed =
            |at: crate::engine::moment::Moment| Exhibit { at: at.wall, seen: format!("deep probe failed{word}") };
        return Evidence::new(sentence, vec![failed(first), failed(last)]);
    }
    let activity = &timeline.activity;
    let usual = activity.usual_gap(limits.moves_min).unwrap_or_default();
    let last = activity.moved_at().map_or_else(String::new, |at| format!(" (last at {})", at.clock()));
    let probe = if activity.is_counted() { "" } else { " and the deep probe failed" };
    let (learned, and) = match activity.expected(&limits.night) {
        Some(expected) => (
            format!(" and {expected} messages were to be expected at this hour of the week"),
            format!(", {} and {} messages", words(limits.still_for), limits.expected_min),
        ),
        None => (String::new(), format!(" and {}", words(limits.still_for))),
    };
    let sentence = format!(
        "says connected, but nothing passed for {}{last}{probe}, where something usually passes every {}{learned}; limit is {} such gaps{and}",
        words(activity.still_for()),
        words(usual),
        limits.gaps_min,
    );
    Evidence::new(sentence, exhibits_since(case, timeline.floor))
}

/// The second proof must be refuted: `connected` was said all along.
pub(super) fn is_cleared(case: &Case<'_>) -> bool {
    case.timeline.deep.has_passed || case.timeline.activity.has_moved
}

/// A probe that hung may be a lost packet: with one of those in the row it takes one more.
fn deep_needed(case: &Case<'_>) -> u32 {
    case.limits.silent_session.deep_min.saturating_add(u32::from(case.timeline.deep.has_hung))
}

fn is_still(case: &Case<'_>) -> bool {
    let limits = &case.limits.silent_session;
    let still = case.timeline.activity.still_for();
    if still < limits.still_for {
        return false;
    }
    let activity = &case.timeline.activity;
    let usual = activity.usual_gap(limits.moves_min);
    usual.is_some_and(|gap| gap.saturating_mul(limits.gaps_min) <= still)
        && activity.expected(&limits.night).is_none_or(|expected| u64::from(limits.expected_min) <= expected)
}
