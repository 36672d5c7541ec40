//! The gateway does not answer.

use std::collections::BTreeMap;

use super::{Case, Finding, Lack};
use crate::engine::evidence::{Evidence, Exhibit};
use crate::engine::moment::words;

/// Judges whether the gateway is down.
pub(super) fn judge(case: &Case<'_>) -> Finding {
    let limits = &case.limits.unreachable;
    let reach = &case.timeline.reach;
    let need = needed(case);
    match reach.failures() {
        0 if 1 < case.timeline.garbled.count() => Finding::Partly(Lack::Proof {
            what: "it answers, but not in its gateway's language; that does not prove it down",
        }),
        0 | 1 => Finding::Clear,
        have if have < need => Finding::Partly(Lack::Times { what: "no answer", have, need }),
        _ if limits.lasts <= reach.lasts() => Finding::Proven,
        _ => Finding::Partly(Lack::Time { what: "no answer", have: reach.lasts(), need: limits.lasts }),
    }
}

/// Tells what came instead of answers.
pub(super) fn tell(case: &Case<'_>) -> Evidence {
    let limits = &case.limits.unreachable;
    let reach = &case.timeline.reach;
    let mut kinds: BTreeMap<String, u32> = BTreeMap::new();
    for (_, failure) in reach.kept() {
        let count = kinds.entry(failure.to_string()).or_default();
        *count = count.saturating_add(1);
    }
    let kinds: Vec<String> = kinds.into_iter().map(|(kind, count)| format!("{count} × {kind}")).collect();
    let sentence = format!(
        "no answer {} times in {} (newest: {}); limit is {} in {}",
        reach.failures(),
        words(reach.lasts()),
        kinds.join(", "),
        needed(case),
        words(limits.lasts)
    );
    let samples = reach.kept().map(|(at, failure)| Exhibit { at: at.wall, seen: failure.to_string() });
    Evidence::new(sentence, samples.collect())
}

/// A time-out may be one lost packet: with one of those among the failures it takes one more.
fn needed(case: &Case<'_>) -> u32 {
    let limits = &case.limits.unreachable;
    if case.timeline.reach.timeouts() == 0 { limits.times_min } else { limits.timeouts_min }
}
