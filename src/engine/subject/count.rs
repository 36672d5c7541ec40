//! What is counted of a target's samples.

use super::{Subject, bump};
use crate::engine::sample::{Failure, Reply, Sample};
use crate::engine::snapshot::PROBE_BUCKETS;

impl Subject {
    /// Counts a sample.
    pub(super) fn count(&mut self, sample: &Sample) {
        let counts = &mut self.counts;
        match sample {
            Sample::Poll { reply, latency } => {
                if !matches!(reply, Reply::Unasked(_)) {
                    counts.probe_durations.observe(&PROBE_BUCKETS, *latency);
                }
                match reply {
                    Reply::Answer(_) => counts.answers = counts.answers.saturating_add(1),
                    Reply::NoAnswer(failure) => {
                        let same = |other: &Failure| other.as_str() == failure.as_str();
                        bump(&mut counts.failures, Failure::ALL.iter().position(same));
                    }
                    Reply::Missing(_) => counts.missing = counts.missing.saturating_add(1),
                    Reply::Refused { .. } => counts.refused = counts.refused.saturating_add(1),
                    Reply::Unasked(_) => counts.unasked = counts.unasked.saturating_add(1),
                    Reply::Throttled { .. } => counts.throttled = counts.throttled.saturating_add(1),
                }
            }
            Sample::Signal(_) => counts.signals = counts.signals.saturating_add(1),
            Sample::Deep(_)
            | Sample::Qr(_)
            | Sample::Memory(_)
            | Sample::Pushed(_)
            | Sample::Activity(_)
            | Sample::Runtime(_)
            | Sample::Alert(_) => {}
        }
    }
}
