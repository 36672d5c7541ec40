//! It waits for a scan that nobody makes.

use super::{Case, Finding, exhibits_since};
use crate::engine::evidence::Evidence;
use crate::engine::ladder::Ladder;
use crate::engine::moment::words;

/// Judges whether nobody comes to scan. A session that was good before has expired instead.
pub(super) fn judge(case: &Case<'_>) -> Finding {
    let timeline = case.timeline;
    let is_over = timeline.is_connected() || timeline.scanned_since().is_some();
    if timeline.ever_good || timeline.scan.since().is_none() || is_over {
        return Finding::Clear;
    }
    Finding::of_time("a scan wanted", timeline.scan.lasts(), case.limits.stuck_qr.lasts)
}

/// Tells how long it waits, and whether its code is alive.
pub(super) fn tell(case: &Case<'_>) -> Evidence {
    let limits = &case.limits.stuck_qr;
    let scan = &case.timeline.scan;
    let since = scan.since().unwrap_or(case.now);
    let code = match (scan.frozen_since(limits.frozen_after), scan.codes()) {
        (Some(at), _) => format!("; its code is dead: unchanged since {}", at.wall.clock()),
        (None, 2..) => format!("; its code is alive: {} different ones seen", scan.codes()),
        (None, _) => String::new(),
    };
    let sentence = format!(
        "asks for a QR scan since {}, for {}, and was never connected{code}; limit is {}",
        since.wall.clock(),
        words(scan.lasts()),
        words(limits.lasts)
    );
    Evidence::new(sentence, exhibits_since(case, since))
}

/// A live code must not be disturbed: a restart would take it from the screen.
pub(super) fn ladder(case: &Case<'_>) -> Ladder {
    let limits = &case.limits.stuck_qr;
    let is_dead = case.timeline.scan.frozen_since(limits.frozen_after).is_some();
    if is_dead { limits.ladder_dead.clone() } else { limits.ladder.clone() }
}
