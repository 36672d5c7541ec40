//! It connects again and again without staying connected.

use std::time::Duration;

use super::{Case, Finding, Lack, exhibit};
use crate::engine::evidence::Evidence;
use crate::engine::moment::words;
use crate::engine::timeline::track::{Return, Track};

/// Judges whether the session loops. The first connection is no return: a healthy start and one reconnect are no loop.
pub(super) fn judge(case: &Case<'_>) -> Finding {
    let limits = &case.limits.state_loop;
    let Some((track, have)) = busiest(case) else { return Finding::Clear };
    if have < limits.returns_min {
        return match have {
            0 | 1 => Finding::Clear,
            _ => Finding::Partly(Lack::Times { what: "a return to a good state", have, need: limits.returns_min }),
        };
    }
    // It came to rest: the returns behind it are history.
    if track.stay(case.now).is_some_and(|stay| case.limits.steady <= stay) { Finding::Clear } else { Finding::Proven }
}

/// Tells when it came back, and how long it stayed.
pub(super) fn tell(case: &Case<'_>) -> Evidence {
    let limits = &case.limits.state_loop;
    let Some((track, count)) = busiest(case) else { return Evidence::default() };
    let returns: Vec<&Return> = returns(case, track).collect();
    let at: Vec<String> = returns.iter().map(|seen| seen.at.wall.clock()).collect();
    let first = returns.first().map_or(case.now, |seen| seen.at);
    let span = returns.last().map_or(Duration::ZERO, |seen| seen.at.since(first));
    // What came before the first return was before the loop.
    let longest = returns.iter().skip(1).map(|seen| seen.stay_before).max().unwrap_or_default();
    let witness = if std::ptr::eq(track, &raw const case.timeline.log) { " by its log" } else { "" };
    let sentence = format!(
        "connected again {count} times in {}{witness} ({}), longest stay {}; limit is {} in {}",
        words(span),
        at.join(", "),
        words(longest),
        limits.returns_min,
        words(limits.within)
    );
    Evidence::new(sentence, track.runs().map(exhibit).collect())
}

fn returns<'a>(case: &Case<'_>, track: &'a Track) -> impl Iterator<Item = &'a Return> {
    let (now, within) = (case.now, case.limits.state_loop.within);
    track.returns().filter(move |seen| now.since(seen.at) <= within)
}

/// The track that saw more returns: polls alias fast cycles, a log may be silent.
fn busiest<'a>(case: &Case<'a>) -> Option<(&'a Track, u32)> {
    let count = |track: &'a Track| (track, u32::try_from(returns(case, track).count()).unwrap_or(u32::MAX));
    let (polls, log) = (count(&case.timeline.polls), count(&case.timeline.log));
    let most = if polls.1 < log.1 { log } else { polls };
    (0 < most.1).then_some(most)
}
