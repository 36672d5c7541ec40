//! The wait for a person to scan a QR code.

use std::time::Duration;

use crate::engine::moment::Moment;
use crate::engine::sample::{Answer, Effort, QrMark, SessionState};

/// A wait goes on over a pause this long: a round of QR codes ends, the socket closes and opens, the next round begins.
const BRIDGE: Duration = Duration::from_mins(1);

/// A wait for a scan. What is known of it lies in a box: most targets wait for none.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// The newest answer itself asks for a scan.
    pub is_shown: bool,
    wait: Option<Box<Wait>>,
}

#[derive(Clone, Copy, Debug)]
struct Wait {
    first: Moment,
    last: Moment,
    code: Option<Code>,
    /// How many different codes were seen.
    codes: u32,
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
        let gave_up_waiting = answer.effort == Effort::GaveUp && !ever_good && self.wait.is_some();
        if self.is_shown || gave_up_waiting {
            let wait = self.wait.get_or_insert_with(|| Box::new(Wait { first: now, last: now, code: None, codes: 0 }));
            wait.last = now;
            self.shows(now, answer.facts.qr);
            return;
        }
        let Some(wait) = &self.wait else { return };
        if answer.state == SessionState::Connected || BRIDGE < now.since(wait.last) {
            self.clear();
        }
    }

    /// Notes the code that is shown, if one is. Without a wait it means nothing.
    pub fn shows(&mut self, now: Moment, mark: Option<QrMark>) {
        let Some((mark, wait)) = mark.zip(self.wait.as_mut()) else { return };
        match &mut wait.code {
            Some(code) if code.mark == mark => code.seen = now,
            Some(_) | None => {
                wait.code = Some(Code { mark, since: now, seen: now });
                wait.codes = wait.codes.saturating_add(1);
            }
        }
    }

    /// Forgets it.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Returns since when a scan is wanted.
    #[must_use]
    pub fn since(&self) -> Option<Moment> {
        self.wait.as_ref().map(|wait| wait.first)
    }

    /// Returns when a scan was last seen to be wanted.
    #[must_use]
    pub fn last(&self) -> Option<Moment> {
        self.wait.as_ref().map(|wait| wait.last)
    }

    /// Returns how long a scan is wanted.
    #[must_use]
    pub fn lasts(&self) -> Duration {
        self.wait.as_ref().map_or(Duration::ZERO, |wait| wait.last.since(wait.first))
    }

    /// Returns how many different codes were seen.
    #[must_use]
    pub fn codes(&self) -> u32 {
        self.wait.as_ref().map_or(0, |wait| wait.codes)
    }

    /// Returns since when the code that is shown has not changed, once that took `frozen_after`: it is dead, or it was scanned.
    #[must_use]
    pub fn frozen_since(&self, frozen_after: Duration) -> Option<Moment> {
        let code = self.wait.as_ref()?.code?;
        (frozen_after <= code.seen.since(code.since)).then_some(code.since)
    }
}
