//! The wait for a person to scan a QR code.

use std::time::Duration;

use crate::engine::moment::Moment;
use crate::engine::sample::{Answer, Effort, QrMark, SessionState};

/// A wait goes on over a pause this long: a round of QR codes ends, the socket closes and opens, the next round begins.
const BRIDGE: Duration = Duration::from_mins(1);

/// A wait for a scan.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scan {
    /// When it began, and when it was last seen to go on.
    span: Option<(Moment, Moment)>,
    /// The newest answer itself asks for a scan.
    pub is_shown: bool,
    code: Option<Code>,
    /// How many different codes were seen.
    pub codes: u32,
}

#[derive(Clone, Copy, Debug)]
struct Code {
    mark: QrMark,
    since: Moment,
    seen: Moment,
}

impl Scan {
    /// Folds in an answer.
    pub fn observe(&mut self, now: Moment, answer: &Answer, ever_good: bool) {
        self.is_shown = answer.state == SessionState::NeedsScan;
        // An unscanned session that its gateway gives up on still waits for a person.
        let gave_up_waiting = answer.effort == Effort::GaveUp && !ever_good && self.span.is_some();
        if self.is_shown || gave_up_waiting {
            self.span = Some((self.span.map_or(now, |(first, _)| first), now));
            if let Some(mark) = answer.facts.qr {
                self.shows(now, Some(mark));
            }
            return;
        }
        let is_over =
            answer.state == SessionState::Connected || self.span.is_none_or(|(_, last)| BRIDGE < now.since(last));
        if is_over {
            *self = Self::default();
        }
    }

    /// Notes the code that is shown, if one is.
    pub fn shows(&mut self, now: Moment, mark: Option<QrMark>) {
        let Some(mark) = mark else { return };
        match &mut self.code {
            Some(code) if code.mark == mark => code.seen = now,
            _ => {
                self.code = Some(Code { mark, since: now, seen: now });
                self.codes = self.codes.saturating_add(1);
            }
        }
    }

    /// Returns since when a scan is wanted.
    #[must_use]
    pub fn since(&self) -> Option<Moment> {
        self.span.map(|(first, _)| first)
    }

    /// Returns how long a scan is wanted.
    #[must_use]
    pub fn lasts(&self) -> Duration {
        self.span.map_or(Duration::ZERO, |(first, last)| last.since(first))
    }

    /// Returns since when the code that is shown has not changed, once that took `frozen_after`: it is dead, or it was scanned.
    #[must_use]
    pub fn frozen_since(&self, frozen_after: Duration) -> Option<Moment> {
        self.code.filter(|code| frozen_after <= code.seen.since(code.since)).map(|code| code.since)
    }
}
