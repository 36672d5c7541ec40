//! The session does not exist at a gateway that answers.

use super::{Case, Finding, Lack};
use crate::engine::evidence::{Evidence, Exhibit};
use crate::engine::moment::words;

/// Judges whether the session is gone from its gateway.
pub(super) fn judge(case: &Case<'_>) -> Finding {
    let limits = &case.limits.repeated_404;
    let missing = &case.timeline.missing;
    if missing.count() == 0 {
        return Finding::Clear;
    }
    if missing.count() < limits.times_min {
        return Finding::Partly(Lack::Times {
            what: "\"no such session\"",
            have: missing.count(),
            need: limits.times_min,
        });
    }
    Finding::of_time("\"no such session\" answered", missing.lasts(), limits.lasts)
}

/// Tells how often the gateway denied it.
pub(super) fn tell(case: &Case<'_>) -> Evidence {
    let limits = &case.limits.repeated_404;
    let missing = &case.timeline.missing;
    let (first, last) = missing.span().unwrap_or((case.now, case.now));
    let word = case.timeline.polls.current().and_then(|run| run.seen.word.clone());
    let said = word.map_or_else(String::new, |word| format!(" (\"{word}\")"));
    let sentence = format!(
        "the gateway answers and says that this session does not exist{said}: {} times in {} since {}; limit is {} in {}",
        missing.count(),
        words(missing.lasts()),
        first.wall.clock(),
        limits.times_min,
        words(limits.lasts)
    );
    let seen = |at: crate::engine::moment::Moment, which: &str| Exhibit {
        at: at.wall,
        seen: format!("missing{said}, {which}"),
    };
    Evidence::new(sentence, vec![seen(first, "first"), seen(last, "newest")])
}
