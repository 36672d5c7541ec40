//! The session does not exist at a gateway that answers.

use super::{Case, Finding, ends};
use crate::engine::evidence::Evidence;
use crate::engine::moment::words;

/// Judges whether the session is gone from its gateway.
pub(super) fn judge(case: &Case<'_>) -> Finding {
    let limits = &case.limits.repeated_404;
    Finding::of_streak("\"no such session\"", &case.timeline.missing, limits.times_min, limits.lasts)
}

/// Tells how often the gateway denied it.
pub(super) fn tell(case: &Case<'_>) -> Evidence {
    let limits = &case.limits.repeated_404;
    let missing = &case.timeline.missing;
    let (first, _) = missing.span().unwrap_or((case.now, case.now));
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
    Evidence::new(sentence, ends(missing, &format!("missing{said}")))
}
