//! The watchdog's own credentials are refused: a matter of configuration, never of the session.

use super::{Case, Finding, Lack, ends};
use crate::engine::evidence::Evidence;
use crate::engine::moment::words;

/// Judges whether our credentials are wrong.
pub(super) fn judge(case: &Case<'_>) -> Finding {
    if case.timeline.is_unasked {
        return Finding::Partly(Lack::Proof {
            what: "the watchdog cannot ask (its token cannot be read, or it ran short): see its log",
        });
    }
    let limits = &case.limits.credentials_refused;
    Finding::of_streak("a refusal of our credentials", &case.timeline.refused, limits.times_min, limits.lasts)
}

/// Tells how often they were refused, and what to look at.
pub(super) fn tell(case: &Case<'_>) -> Evidence {
    let limits = &case.limits.credentials_refused;
    let refused = &case.timeline.refused;
    let (first, _) = refused.span().unwrap_or((case.now, case.now));
    let before = if case.timeline.ever_good { "they worked before" } else { "they never worked since the watch began" };
    let sentence = format!(
        "the gateway refuses the watchdog's credentials {} times in {} since {} ({before}): check token_file and the kind of token; limit is {} in {}",
        refused.count(),
        words(refused.lasts()),
        first.wall.clock(),
        limits.times_min,
        words(limits.lasts)
    );
    Evidence::new(sentence, ends(refused, "credentials refused"))
}
